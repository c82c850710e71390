//! Cursors: places in a log as clients see them. Opaque, so that the layout may change; bound to their log, so that a
//! cursor of one list is not taken for a place in another.

use super::problem::{Kind, Problem};
use crate::{
    app::App,
    store::{Log, Position},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

/// First byte: the layout.
const VERSION: u8 = 1;
/// Version, log, position, check.
const BYTES: usize = 11;

/// The place as a client sees it.
pub fn encode(log: Log, position: Position) -> String {
    let mut bytes = [VERSION, log as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[2..10].copy_from_slice(&position.0.to_be_bytes());
    bytes[10] = check(&bytes[..10]);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(log: Log, text: &str) -> Option<Position> {
    let bytes: [u8; BYTES] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (fields, checked) = (&bytes[..10], bytes[10]);
    let position = u64::from_be_bytes(fields[2..].try_into().expect("eight bytes"));
    (fields[0] == VERSION && fields[1] == log as u8 && check(fields) == checked).then_some(Position(position))
}

/// Tells a mistyped cursor from a right one. It guards against accidents, not against people: whoever may read the
/// log may read all of it.
fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0x5a, |sum: u8, byte| sum.rotate_left(3) ^ byte)
}

/// Where to read on: after the given cursor, or before the oldest record that is kept. A cursor from beyond the end was
/// given by another gateway or before the store was restored from a copy: an error, because waiting at it would be
/// silent loss.
pub fn resume(app: &App, log: Log, text: Option<&str>) -> Result<Position, Problem> {
    let oldest = app.store.trimmed(log);
    let Some(text) = text else { return Ok(oldest) };
    let position = decode(log, text).ok_or_else(|| {
        Problem::because(Kind::InvalidCursor, "give a cursor as next or an event's id: line gave it, or none")
    })?;
    if position > *app.store.tail(log).borrow() {
        return Err(Problem::because(Kind::InvalidCursor, "the cursor is from beyond the end of this log"));
    }
    if position < oldest {
        return Err(Problem::cursor_expired(encode(log, oldest)));
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_log_only_and_a_typo_is_noticed() {
        for position in [0, 1, 255, u64::MAX] {
            let cursor = encode(Log::Events, Position(position));
            assert_eq!(decode(Log::Events, &cursor), Some(Position(position)));
            assert_eq!(decode(Log::Notifications, &cursor), None);
            let typo = cursor.replace('A', "B");
            assert!(typo == cursor || decode(Log::Events, &typo).is_none(), "{typo}");
        }
        assert_eq!(decode(Log::Events, ""), None);
        assert_eq!(decode(Log::Events, "not base64!"), None);
    }
}
