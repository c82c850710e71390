//! What the answer of an API means that reads what it is sent and refuses what it cannot take.

use super::{Attempt, Error, wire::Answer};
use http::StatusCode;

/// What the API found wrong with this event stays wrong: dead at once, no storm of repetitions. What is wrong with the
/// sink (its key, its names) is an operator's to mend and not the event's fault, so that is worth another try, as is
/// whatever passes by itself.
pub(super) fn judged(answer: Answer, whose: &str) -> Attempt {
    let status = answer.status;
    let transient = |said: String| Err(Error::Transient { after: answer.after, said });
    let result = match status {
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => {
            let words = if answer.said.is_empty() { String::new() } else { format!(": {}", answer.said) };
            Err(Error::Permanent { said: format!("{whose} refuses it ({status}){words}") })
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            transient(format!("{whose} does not accept the key ({status})"))
        }
        StatusCode::NOT_FOUND => {
            transient(format!("{whose} has nothing at this address (404); the sink's names may be wrong"))
        }
        _ => return answer.into_attempt(),
    };
    answer.into_attempt_with(result)
}

/// The event cannot be said there, for a reason in the event itself.
pub(super) fn unsayable(said: impl Into<String>) -> Attempt {
    Attempt::failed(Error::Permanent { said: said.into() }, std::time::Duration::ZERO)
}

/// There is nothing to be said: settled, with the reason where the answer would be.
pub(super) fn unsaid(whose: &str, kind: &str) -> Attempt {
    let mut attempt = Attempt::delivered(std::time::Duration::ZERO);
    attempt.answer = format!("not sent: {whose} has no word for {kind}, or this one adds nothing");
    attempt
}

/// The same for every event of a batch that stands or falls as one.
pub(super) fn alike(batch: &[super::Outgoing], result: Result<(), Error>, took: std::time::Duration) -> Vec<Attempt> {
    let attempt = match result {
        Ok(()) => Attempt::delivered(took),
        Err(error) => Attempt::failed(error, took),
    };
    vec![attempt; batch.len()]
}
