//! Answers, as the judgements read them.

use crate::azure::client::Seen;
use jiff::Timestamp;
use serde_json::Value;

/// An answer, or that there was none.
pub(super) type Answer = Option<Seen>;

/// Whether it says yes, in JSON.
pub(super) fn is_good(answer: &Answer) -> bool {
    answer.as_ref().is_some_and(|seen| seen.status.as_u16() == 200 && seen.body.is_some())
}

/// The status, 0 for no answer.
pub(super) fn status(answer: &Answer) -> u16 {
    answer.as_ref().map_or(0, |seen| seen.status.as_u16())
}

/// The elements of a list; none of an answer that is no good.
pub(super) fn items(answer: &Answer) -> &[Value] {
    let body = answer.as_ref().filter(|_| is_good(answer)).and_then(|seen| seen.body.as_ref());
    body.and_then(|body| body["value"].as_array()).map_or(&[], Vec::as_slice)
}

/// The document of a good answer.
pub(super) fn document(answer: &Answer) -> &Value {
    let seen = answer.as_ref().filter(|seen| seen.status.is_success());
    seen.and_then(|seen| seen.body.as_ref()).unwrap_or(&Value::Null)
}

/// A text, or a number as one: ids are either.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

pub(super) fn time(value: &Value) -> Option<Timestamp> {
    crate::azure::time::timestamp(value.as_str()?)
}
