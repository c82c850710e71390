//! The `CloudEvents` webhook handshake: before anything is delivered, the endpoint is asked with `OPTIONS` whether it wants
//! events from us, and how many per minute. Whoever can make us send requests to an address can thus not make us flood
//! somebody who never asked for it.
//!
//! Source: CloudEvents, HTTP 1.1 Web Hooks for Event Delivery 1.0, section 4. The callback way of allowing is not offered:
//! it needs an address of ours that everybody may call.

use super::super::{Attempt, Error, wire::Wire};
use crate::clock::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use url::Url;

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
/// How long an allowance holds before it is asked for again.
const HOLDS_FOR: Duration = Duration::from_hours(24);
/// What comes up while it is asked waits so long: an answer is usually there by then.
const ASKED_WITHIN: Duration = Duration::from_millis(100);

/// What one endpoint has allowed.
pub(super) struct Handshake {
    origin: String,
    granted: Mutex<Option<Granted>>,
    /// Held while it is asked: once is enough.
    asking: tokio::sync::Mutex<()>,
}

struct Granted {
    /// On the monotonic clock.
    until: Duration,
    /// Time between two deliveries; zero for as many as we like.
    interval: Duration,
    /// Before this nothing more is sent.
    next: Duration,
}

impl Handshake {
    pub(super) fn new(origin: String) -> Self {
        Self { origin, granted: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Whether one delivery may go now; the rate that was allowed is kept by refusing, and the sink waits.
    pub(super) async fn granted(
        &self,
        wire: &Wire,
        clock: &dyn Clock,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<(), Attempt> {
        if let Some(answer) = self.take(clock.monotonic()) {
            return answer;
        }
        let Ok(_asking) = self.asking.try_lock() else {
            return Err(Attempt::failed(Error::Held { after: ASKED_WITHIN }, Duration::ZERO));
        };
        let mut headers = headers.clone();
        let origin = HeaderValue::from_str(&self.origin).expect("a host's name is a header value");
        headers.insert(REQUEST_ORIGIN, origin);
        let answer = wire.send(Method::OPTIONS, url, headers, bytes::Bytes::new()).await?;
        let text = |name| answer.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::trim);
        let allowed = text(ALLOWED_ORIGIN).is_some_and(|text| text == "*" || text.eq_ignore_ascii_case(&self.origin));
        if !answer.status.is_success() || !allowed {
            let said = format!(
                "it does not allow events from {} (OPTIONS answered {} without a WebHook-Allowed-Origin for it)",
                self.origin, answer.status
            );
            // Without its status: 405 is about the endpoint here, and says nothing about the event.
            return Err(Attempt::failed(Error::Transient { after: answer.after, said }, answer.took));
        }
        let per_minute = text(ALLOWED_RATE).and_then(|text| text.parse::<u32>().ok()).filter(|rate| *rate > 0);
        let interval = per_minute.map_or(Duration::ZERO, |rate| Duration::from_mins(1) / rate);
        let now = clock.monotonic();
        *self.lock() = Some(Granted { until: now + HOLDS_FOR, interval, next: now + interval });
        Ok(())
    }

    fn take(&self, now: Duration) -> Option<Result<(), Attempt>> {
        let mut granted = self.lock();
        let allowance = granted.as_mut().filter(|granted| now < granted.until)?;
        if now < allowance.next {
            return Some(Err(Attempt::failed(
                Error::Held { after: allowance.next.saturating_sub(now) },
                Duration::ZERO,
            )));
        }
        allowance.next = now + allowance.interval;
        Some(Ok(()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Granted>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowed_rate_is_kept_and_an_allowance_ends() {
        let second = Duration::from_secs;
        let handshake = Handshake::new("hooks.example".to_owned());
        assert!(handshake.take(second(0)).is_none(), "it has to be asked first");
        *handshake.lock() = Some(Granted { until: second(100), interval: second(2), next: second(0) });
        assert_eq!(handshake.take(second(1)), Some(Ok(())));
        let refused = handshake.take(second(2)).unwrap().unwrap_err();
        assert_eq!(refused.result, Err(Error::Held { after: second(1) }));
        assert_eq!(handshake.take(second(3)), Some(Ok(())));
        assert!(handshake.take(second(100)).is_none(), "it has to be asked again");
    }
}
