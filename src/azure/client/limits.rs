//! What the reply's headers say about how much more we may ask.
//!
//! Source: azure-devops-docs, "Rate and usage limits". The headers come only near the limit; a Server sends none.

use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};
use std::time::Duration;

/// Longest wait that a server's word is taken for.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// The limits as one reply tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Limits {
    /// `Retry-After`: also on a delayed 200.
    pub(super) retry_after: Option<Duration>,
    /// `X-RateLimit-Delay`: how long this very call was held back.
    pub(super) delay: Option<Duration>,
    /// `X-RateLimit-Remaining`, in TSTU.
    pub(super) remaining_tstu: Option<f64>,
    /// `X-RateLimit-Limit`, in TSTU.
    pub(super) limit_tstu: Option<f64>,
    /// `X-RateLimit-Reset`: how long until all is forgotten if nothing more is asked.
    pub(super) reset: Option<Duration>,
}

impl Limits {
    /// Reads them; what is not understood counts as absent.
    pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let number = |name: &str| text(name)?.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        let seconds = |number: f64| Duration::from_secs_f64(number.min(WAIT_MAX.as_secs_f64()));
        Self {
            retry_after: number("retry-after").map(seconds).or_else(|| until(&date(text("retry-after")?)?, now)),
            delay: number("x-ratelimit-delay").map(seconds),
            remaining_tstu: number("x-ratelimit-remaining"),
            limit_tstu: number("x-ratelimit-limit"),
            reset: text("x-ratelimit-reset")
                .and_then(|text| Timestamp::from_second(text.parse().ok()?).ok())
                .and_then(|at| until(&at, now)),
        }
    }
}

/// `Retry-After` alone, of any server.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    Limits::read(headers, now).retry_after
}

/// How far the clock of whoever answered is ahead of ours, by its `Date`, which is in whole seconds.
pub fn ahead(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let theirs = date(headers.get(header::DATE)?.to_str().ok()?.trim())?;
    Some(theirs.duration_since(now))
}

fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

fn until(at: &Timestamp, now: Timestamp) -> Option<Duration> {
    let wait = Duration::try_from(at.duration_since(now)).ok()?;
    Some(wait.min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Limits {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Limits::read(&headers, "2026-11-22T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        for (text, seconds) in [
            ("30", Some(30)),
            ("0.5", Some(0)),
            ("Sun, 22 Nov 2026 10:02:00 GMT", Some(120)),
            ("999999", Some(3_600)),
            ("Sun, 22 Nov 2026 09:00:00 GMT", None),
            ("soon", None),
            ("-3", None),
            ("NaN", None),
        ] {
            assert_eq!(read(&[("retry-after", text)]).retry_after.map(|wait| wait.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn a_clock_is_told_by_the_date() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        for (text, seconds) in
            [("Sun, 22 Nov 2026 10:10:00 GMT", Some(600)), ("Sun, 22 Nov 2026 09:59:00 GMT", Some(-60)), ("now", None)]
        {
            let headers = [(header::DATE, text.parse().unwrap())].into_iter().collect();
            assert_eq!(ahead(&headers, now).map(|ahead| ahead.as_secs()), seconds, "{text}");
        }
        assert_eq!(ahead(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_limits_are_read_where_they_are_sent() {
        let limits = read(&[
            ("x-ratelimit-delay", "0.250"),
            ("x-ratelimit-limit", "200"),
            ("x-ratelimit-remaining", "12.5"),
            ("x-ratelimit-reset", "1795341660"),
        ]);
        assert_eq!(limits.delay, Some(Duration::from_millis(250)));
        assert_eq!((limits.remaining_tstu, limits.limit_tstu), (Some(12.5), Some(200.0)));
        assert_eq!(limits.reset, Some(Duration::from_mins(1)));
        assert_eq!(read(&[]), Limits::default());
    }
}
