//! Dates as Azure DevOps writes them.

use jiff::Timestamp;
use std::borrow::Cow;

/// `0002-01-01` and `9999-01-01`: what lies outside is a sentinel.
const DATES: std::ops::Range<Timestamp> =
    Timestamp::constant(-62_104_060_800, 0)..Timestamp::constant(253_370_764_800, 0);

/// More digits of a second than we hold are cut off.
const FRACTION_DIGITS_MAX: usize = 9;

/// The moment, or nothing when there is none: the sentinels `0001-01-01`, `9999-…` and the epoch mean "not set", and a date
/// that names no zone is UTC.
///
/// Source: captured pushes (`lastUpdateTime` `0001-01-01T00:00:00`) and work item updates (`revisedDate` `9999-…`).
pub fn timestamp(text: &str) -> Option<Timestamp> {
    let text = cut(text.trim());
    let moment: Timestamp = text.parse().or_else(|_| format!("{text}Z").parse()).ok()?;
    (DATES.contains(&moment) && moment != Timestamp::UNIX_EPOCH).then_some(moment)
}

/// The moment without its fraction: two reports of one fact may differ in the fraction they give.
pub fn second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

fn cut(text: &str) -> Cow<'_, str> {
    let Some((whole, rest)) = text.split_once('.') else { return Cow::Borrowed(text) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= FRACTION_DIGITS_MAX {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{whole}.{}{}", &rest[..FRACTION_DIGITS_MAX], &rest[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_one_moment() {
        for (text, expected) in [
            ("2023-08-09T00:45:49.3448928Z", Some("2023-08-09T00:45:49.3448928Z")),
            ("2023-08-09T00:45:49.460Z", Some("2023-08-09T00:45:49.46Z")),
            ("2023-08-09T00:45:49Z", Some("2023-08-09T00:45:49Z")),
            ("2023-08-09T00:45:49", Some("2023-08-09T00:45:49Z")),
            ("2023-08-09T00:45:49.12345678901234", Some("2023-08-09T00:45:49.123456789Z")),
            ("2023-08-09T02:45:49.5+02:00", Some("2023-08-09T00:45:49.5Z")),
            ("0001-01-01T00:00:00", None),
            ("9999-01-01T00:00:00Z", None),
            ("1970-01-01T00:00:00Z", None),
            ("", None),
            ("yesterday", None),
            (".", None),
        ] {
            assert_eq!(timestamp(text).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_sentinels_are_where_they_should_be() {
        assert_eq!(DATES.start.to_string(), "0002-01-01T00:00:00Z");
        assert_eq!(DATES.end.to_string(), "9999-01-01T00:00:00Z");
    }

    #[test]
    fn a_second_has_no_fraction() {
        let moment = timestamp("2023-08-09T00:45:49.9999999Z").unwrap();
        assert_eq!(second(moment).to_string(), "2023-08-09T00:45:49Z");
    }
}
