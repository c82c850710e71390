//! How one attempt went.

use std::time::Duration;

/// What is kept of an answer, from its beginning.
pub const ANSWER_BYTES_MAX: usize = 1_000;
/// Longest text about a failure.
pub const SAID_CHARS_MAX: usize = 500;

/// Why an attempt failed: each variant is a branch of the caller. `said` is for people and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It may go well another time.
    #[error("{said}")]
    Transient {
        /// Not before so much time has passed, says the sink; that holds for all events.
        after: Option<Duration>,
        /// What went wrong.
        said: String,
    },
    /// It never will, for this event.
    #[error("{said}")]
    Permanent {
        /// What went wrong.
        said: String,
    },
    /// Nothing was attempted, and this does not count as an attempt: the sink is to be left alone for so long.
    #[error("it takes no more now")]
    Held {
        /// How long.
        after: Duration,
    },
    /// The sink wants no events any more.
    #[error("{said}")]
    Gone {
        /// What it said.
        said: String,
    },
}

/// One attempt for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Whether it arrived.
    pub result: Result<(), Error>,
    /// The status of the answer, where there are such things.
    pub status: Option<u16>,
    /// From the beginning to the end of the answer.
    pub took: Duration,
    /// The first bytes of the answer, at most [`ANSWER_BYTES_MAX`], as text.
    pub answer: String,
}

impl Attempt {
    /// It arrived, and nothing more is to be said.
    pub fn delivered(took: Duration) -> Self {
        Self { result: Ok(()), status: None, took, answer: String::new() }
    }

    /// It failed before there was an answer.
    pub fn failed(error: Error, took: Duration) -> Self {
        Self { result: Err(error.bounded()), status: None, took, answer: String::new() }
    }

    /// With what was answered.
    #[must_use]
    pub fn answered(mut self, status: u16, answer: &[u8]) -> Self {
        self.status = Some(status);
        let mut text = String::from_utf8_lossy(&answer[..answer.len().min(ANSWER_BYTES_MAX)]).into_owned();
        text.truncate(text.floor_char_boundary(ANSWER_BYTES_MAX));
        self.answer = text;
        self
    }
}

impl Error {
    /// It may go well another time.
    pub fn transient(said: impl Into<String>) -> Self {
        Self::Transient { after: None, said: said.into() }
    }

    /// With its text cut to [`SAID_CHARS_MAX`].
    #[must_use]
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::Transient { said, .. } | Self::Permanent { said } | Self::Gone { said } => {
                if let Some((end, _)) = said.char_indices().nth(SAID_CHARS_MAX) {
                    said.truncate(end);
                }
            }
            Self::Held { .. } => {}
        }
        self
    }
}
