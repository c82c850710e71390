//! Fields that an update changed, and fields that are carried on request: bounded, since a field can hold megabytes of HTML.

use crate::{
    azure::resource::{
        is_combined,
        work_item::{Value, WorkItemUpdate},
    },
    event::members::{self, Members},
};
use std::borrow::Cow;

/// Fields that every update changes, or that repeat what another one says: they tell nothing of what was done.
///
/// Source: REST "Updates - List", whose sample has the first eight in each update; ids and levels there stand beside
/// `System.AreaPath` and `System.IterationPath`.
const NOISE: [&str; 8] = [
    "System.AuthorizedAs",
    "System.AuthorizedDate",
    "System.ChangedBy",
    "System.ChangedDate",
    "System.PersonId",
    "System.Rev",
    "System.RevisedDate",
    "System.Watermark",
];
const REPEATED: [&str; 3] = ["System.AreaId", "System.IterationId", "System.NodeName"];
const LEVELS: [&str; 2] = ["System.AreaLevel", "System.IterationLevel"];

/// Most fields whose change is told, or that are carried.
const FIELDS_MAX: usize = 100;
/// Most of one text.
const TEXT_BYTES_MAX: usize = 2_000;
/// Most of all texts of an event.
const ALL_BYTES_MAX: usize = 32 << 10;

/// Whether a field says something of what was done.
pub(in crate::translate) fn is_telling(name: &str) -> bool {
    let is = |own: &&str| own.eq_ignore_ascii_case(name);
    let level = |own: &&str| name.get(..own.len()).is_some_and(|head| head.eq_ignore_ascii_case(own));
    !NOISE.iter().any(is) && !REPEATED.iter().any(is) && !LEVELS.iter().any(level)
}

/// The names of what was changed on purpose.
pub(super) fn changed_fields<'b>(update: &'b WorkItemUpdate<'_>) -> impl Iterator<Item = &'b str> {
    update.fields.0.iter().filter_map(|(name, _)| name.as_str()).filter(|name| is_telling(name)).take(FIELDS_MAX)
}

/// `changes`, by field: what it was and what it is, and `cut` with the names of those two that are not told whole.
/// `changesLeftOut` is how many fields there was no room for; the longest go first.
pub(super) fn changes<'b>(update: &'b WorkItemUpdate<'_>) -> Members<'b> {
    let telling = update.fields.0.iter().filter_map(|(name, change)| Some((name.as_str()?, change)));
    let told = telling.filter(|(name, _)| is_telling(name)).map(|(name, change)| {
        let (from, to) = (told(name, &change.old_value), told(name, &change.new_value));
        let cut = [("from", &from), ("to", &to)].into_iter().filter(|(_, told)| told.is_cut).map(|(side, _)| side);
        let cut: Vec<&str> = cut.collect();
        let bytes = from.bytes + to.bytes;
        let members = Members::new().value("from", from.value).value("to", to.value).texts("cut", cut);
        (name, bytes, members)
    });
    let told = told.filter(|(.., members)| !members.is_empty());
    let (fields, left_out) = fitting(told.collect());
    Members::new().named("changes", fields).int("changesLeftOut", left_out)
}

/// `fields`, by name: those that are asked for, as they are after the event, with `fieldsCut` naming those not told whole.
pub(super) fn carried<'b>(fields: impl Iterator<Item = (&'b str, &'b Value<'b>)>) -> Members<'b> {
    let mut cut = Vec::new();
    let values = fields.filter_map(|(name, value)| {
        let told = told(name, value);
        if told.is_cut {
            cut.push(name);
        }
        Some((name, told.bytes, told.value?))
    });
    let (fields, left_out) = fitting_values(values.collect());
    Members::new().named("fields", fields).texts("fieldsCut", cut).int("fieldsLeftOut", left_out)
}

/// A value as it is told.
struct Told<'b> {
    value: Option<members::Value<'b>>,
    bytes: usize,
    is_cut: bool,
}

fn told<'b>(name: &str, value: &'b Value<'_>) -> Told<'b> {
    let plain = |value| Told { value: Some(value), bytes: 8, is_cut: false };
    let text = match value.raw.as_bytes().first() {
        Some(b'"') if is_of_a_person(name, value.text.as_str()) => value.handle(),
        Some(b'"') => value.text.as_str(),
        // Whoever it is goes by one word, at every resource version.
        Some(b'{') => value.handle(),
        Some(b't' | b'f') => return plain(members::Value::Flag(value.raw == "true")),
        Some(b'-' | b'0'..=b'9') => match value.raw.parse() {
            Ok(number) => return plain(members::Value::Number(number)),
            Err(_) => None,
        },
        _ => None,
    };
    let Some(whole) = text else { return Told { value: None, bytes: 0, is_cut: false } };
    let end = whole.floor_char_boundary(TEXT_BYTES_MAX);
    let (shown, is_cut) = (&whole[..end], end < whole.len());
    Told { value: Some(members::Value::Text(Cow::Borrowed(shown))), bytes: shown.len(), is_cut }
}

/// Before 3.1-preview.3 a person is a text like any other: the field's name says it, or the form of the text, since
/// fields of people have any names. What people write in a title can have that form too.
fn is_of_a_person(name: &str, text: Option<&str>) -> bool {
    const FREE: [&str; 4] = ["System.Title", "System.Description", "System.History", "System.Tags"];
    let is_named = ["By", "AuthorizedAs", "AssignedTo"].iter().any(|end| name.ends_with(end));
    is_named || (!FREE.contains(&name) && text.is_some_and(is_combined))
}

type Named<'b> = Vec<(Cow<'b, str>, members::Value<'b>)>;

/// As many as there is room for, in the order of the names.
fn fitting<'b>(all: Vec<(&'b str, usize, Members<'b>)>) -> (Named<'b>, Option<i64>) {
    fitting_values(all.into_iter().map(|(name, bytes, own)| (name, bytes, members::Value::Object(own))).collect())
}

fn fitting_values<'b>(mut all: Vec<(&'b str, usize, members::Value<'b>)>) -> (Named<'b>, Option<i64>) {
    let count = all.len();
    all.sort_by_key(|(name, bytes, _)| (*bytes, *name));
    let mut room = ALL_BYTES_MAX;
    let mut fields: Named<'b> = Vec::with_capacity(count.min(FIELDS_MAX));
    for (name, bytes, value) in all.into_iter().take(FIELDS_MAX) {
        let Some(left) = room.checked_sub(bytes + name.len()) else { break };
        room = left;
        fields.push((Cow::Borrowed(name), value));
    }
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let left_out = i64::try_from(count - fields.len()).unwrap_or(i64::MAX);
    (fields, (left_out > 0).then_some(left_out))
}
