//! What came back, and what it means.

use super::super::{Attempt, Error};
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// An answer, or its beginning.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The first 16 KiB of its body, as sent: may repeat a secret, so it is never shown.
    pub head: Vec<u8>,
    /// The beginning of the body as one line without secrets.
    pub said: String,
    /// `Retry-After`.
    pub after: Option<Duration>,
    /// From the beginning of the request to the end of the answer.
    pub took: Duration,
}

impl Answer {
    /// The attempt as HTTP and Standard Webhooks have it: 2xx is delivered, 410 wants no more, everything else is worth
    /// another try, 3xx too: a redirect is not followed, and whoever moved the sink will have to say so here.
    pub fn into_attempt(self) -> Attempt {
        let result = match self.status {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Error::Gone { said: "it answered 410: it wants no more events".to_owned() }),
            status if status.is_redirection() => {
                Err(Error::transient(format!("it answered {status} with a redirect, and none is followed")))
            }
            status => Err(Error::Transient { after: self.after, said: format!("it answered {status}") }),
        };
        self.into_attempt_with(result)
    }

    /// The attempt with a result of the engine's own judgement.
    pub fn into_attempt_with(self, result: Result<(), Error>) -> Attempt {
        let attempt = match result {
            Ok(()) => Attempt::delivered(self.took),
            Err(error) => Attempt::failed(error, self.took),
        };
        attempt.answered(self.status.as_u16(), self.said.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_answer_means() {
        let attempt = |status: u16, after: Option<u64>| {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                head: Vec::new(),
                said: "words".to_owned(),
                after: after.map(Duration::from_secs),
                took: Duration::from_millis(3),
            };
            let attempt = answer.into_attempt();
            assert_eq!((attempt.status, attempt.answer.as_str()), (Some(status), "words"));
            attempt.result
        };
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(attempt(status, None), Ok(()), "{status}");
        }
        assert!(matches!(attempt(410, None), Err(Error::Gone { .. })));
        for status in [301, 302, 304, 307, 308, 400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 502, 504] {
            assert!(matches!(attempt(status, None), Err(Error::Transient { after: None, .. })), "{status}");
        }
        for status in [429, 503] {
            let after = Some(Duration::from_secs(17));
            assert!(matches!(attempt(status, Some(17)), Err(Error::Transient { after: said, .. }) if said == after));
        }
    }
}
