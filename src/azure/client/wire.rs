//! Azure's answers, read into the models: leniently where a member is of no consequence, and with the path of what is
//! missing where it is. What is no list is never taken for an empty one.

use super::{Failure, call::Reply};
use crate::azure::lenient::{Int, Object, Text};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// What makes a model out of what was read, or names the member that it lacks.
pub(super) trait Model<'a>: Deserialize<'a> + Default {
    /// What it becomes.
    type Into;

    fn model(self) -> Result<Self::Into, &'static str>;
}

/// What makes a record out of what was read of it and its JSON as Azure wrote it, or names the member that it lacks.
pub(super) trait Record<'a>: Deserialize<'a> + Default {
    /// What it becomes.
    type Into;

    fn record(self, json: &'a RawValue) -> Result<Self::Into, &'static str>;
}

fn body(reply: &Reply) -> &[u8] {
    reply.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&reply.body)
}

fn not_json(reply: &Reply, name: &str, error: &serde_json::Error) -> Failure {
    // Line and column, never the text.
    reply.unexpected(name, &format!("the body is no JSON (line {}, column {})", error.line(), error.column()))
}

/// One object.
pub(super) fn one<'a, M: Model<'a>>(reply: &'a Reply, name: &str) -> Result<M::Into, Failure> {
    let raw: Object<M> = serde_json::from_slice(body(reply)).map_err(|error| not_json(reply, name, &error))?;
    raw.0.model().map_err(|member| reply.unexpected(name, &format!("{member} is missing")))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Listing<'a> {
    count: Int,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// The elements of `value`, and how many `count` says they are.
fn values<'a, T: Deserialize<'a>>(reply: &'a Reply, name: &str) -> Result<(Vec<T>, Option<usize>), Failure> {
    let listing: Object<Listing<'a>> =
        serde_json::from_slice(body(reply)).map_err(|error| not_json(reply, name, &error))?;
    let Listing { count, value } = listing.0;
    let items = match value {
        Some(value) if value.get().starts_with('[') => serde_json::from_str::<Vec<T>>(value.get())
            .map_err(|_| reply.unexpected(name, "value is not as it should be"))?,
        // Azure writes null for no elements at times.
        None if count.0 == Some(0) => Vec::new(),
        _ => return Err(reply.unexpected(name, "value is not a list")),
    };
    Ok((items, count.0.and_then(|count| usize::try_from(count).ok())))
}

/// One record.
pub(super) fn one_record<'a, R: Record<'a>>(reply: &'a Reply, name: &str) -> Result<R::Into, Failure> {
    let json: &RawValue = serde_json::from_slice(body(reply)).map_err(|error| not_json(reply, name, &error))?;
    record::<R>(json).map_err(|member| reply.unexpected(name, &format!("{member} is missing")))
}

fn record<'a, R: Record<'a>>(json: &'a RawValue) -> Result<R::Into, &'static str> {
    // It was read as JSON once, so it is read again; what is no object has no members.
    let raw: Object<R> = serde_json::from_str(json.get()).unwrap_or_default();
    raw.0.record(json)
}

/// A list as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed<T> {
    /// The records that could be read.
    pub(super) items: Vec<T>,
    /// How many there were, also those that could not.
    pub(super) listed: usize,
}

impl<T> IntoIterator for Listed<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// Of so many elements, all of which are odd, none is: the list is another one than we know.
const ALL_ODD_MIN: usize = 10;

/// Leaves out what cannot be read, which keeps nobody from the others, and notes it.
fn readable<'a, T>(
    raw: Vec<&'a RawValue>,
    reply: &Reply,
    (name, list): (&'static str, &str),
    read: impl Fn(&'a RawValue) -> Result<T, &'static str>,
) -> Result<Listed<T>, Failure> {
    let (listed, mut items, mut odd) = (raw.len(), Vec::with_capacity(raw.len()), None);
    for json in raw {
        match read(json) {
            Ok(item) => items.push(item),
            Err(member) => {
                odd = Some(member);
                reply.odd.note(name, &format!("{member} is missing"), which(json));
            }
        }
    }
    match odd {
        Some(member) if items.is_empty() && listed >= ALL_ODD_MIN => {
            Err(reply.unexpected(name, &format!("{member} is missing in each of {list}")))
        }
        _ => Ok(Listed { items, listed }),
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Numbered<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    push_id: Text<'a>,
    #[serde(borrow)]
    pull_request_id: Text<'a>,
}

/// The number or GUID that a record has among its first members.
pub(super) fn which(json: &RawValue) -> Option<String> {
    const CHARS_MAX: usize = 40;
    let raw: Object<Numbered<'_>> = serde_json::from_str(json.get()).ok()?;
    let id = raw.id.as_str().or(raw.push_id.as_str()).or(raw.pull_request_id.as_str())?;
    Some(id.chars().take(CHARS_MAX).collect())
}

/// A list of records, less those that cannot be read.
pub(super) fn records<'a, R: Record<'a>>(reply: &'a Reply, name: &'static str) -> Result<Listed<R::Into>, Failure> {
    let (raw, _) = values::<&RawValue>(reply, name)?;
    readable(raw, reply, (name, "value"), record::<R>)
}

/// The records of the member of that name, where a list is not in `value`.
pub(super) fn records_in<'a, R: Record<'a>>(
    member: Option<&'a RawValue>,
    reply: &'a Reply,
    name: &'static str,
    list: &str,
) -> Result<Listed<R::Into>, Failure> {
    let raw = member.filter(|member| member.get().starts_with('['));
    let raw = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let raw = raw.ok_or_else(|| reply.unexpected(name, &format!("{list} is not a list")))?;
    readable(raw, reply, (name, list), record::<R>)
}

/// An object whose members are looked at by the caller.
pub(super) fn object<'a, T: Deserialize<'a> + Default>(reply: &'a Reply, name: &str) -> Result<T, Failure> {
    let raw: Object<T> = serde_json::from_slice(body(reply)).map_err(|error| not_json(reply, name, &error))?;
    Ok(raw.0)
}

/// A list of objects, less those that cannot be read.
pub(super) fn list<'a, M: Model<'a>>(reply: &'a Reply, name: &'static str) -> Result<Listed<M::Into>, Failure> {
    let (raw, _) = values::<&RawValue>(reply, name)?;
    readable(raw, reply, (name, "value"), model::<M>)
}

fn model<'a, M: Model<'a>>(json: &'a RawValue) -> Result<M::Into, &'static str> {
    let raw: Object<M> = serde_json::from_str(json.get()).unwrap_or_default();
    raw.0.model()
}

/// A list of objects that must be all there are: one that has none that can be read is none. Where it says that it has more or
/// fewer than it has, that is noted, and what is there is taken: who misses something in it asks for that by its id.
pub(super) fn complete_list<'a, M: Model<'a>>(reply: &'a Reply, name: &'static str) -> Result<Vec<M::Into>, Failure> {
    let (raw, count) = values::<&RawValue>(reply, name)?;
    let all = raw.len();
    let first = raw.first().copied();
    let models = readable(raw, reply, (name, "value"), model::<M>)?.items;
    if let Some(member) = first.filter(|_| models.is_empty()).and_then(|first| model::<M>(first).err()) {
        return Err(reply.unexpected(name, &format!("{member} is missing in each of value")));
    }
    if let Some(count) = count.filter(|count| *count != all) {
        if all == 0 {
            return Err(reply.unexpected(name, &format!("value has no elements, and count is {count}")));
        }
        reply.odd.note(name, &format!("count is {count}, and value has {all} elements"), Some("count".to_owned()));
    }
    Ok(models)
}

/// The first of a list of yes and no.
pub(super) fn first_flag(reply: &Reply, name: &str) -> Result<bool, Failure> {
    let (flags, _): (Vec<bool>, _) = values(reply, name)?;
    flags.first().copied().ok_or_else(|| reply.unexpected(name, "value[0] is missing"))
}

/// One member of an object that is otherwise of no interest.
pub(super) fn member<T: DeserializeOwned>(reply: &Reply, name: &str) -> Option<T> {
    let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body(reply)).ok()?;
    serde_json::from_value(object.remove(name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{odd::Odd, shapes::Project},
        *,
    };
    use crate::clock::{Clock, SystemClock};
    use std::sync::Arc;

    fn reply(body: &str) -> Reply {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let (body, activity_id) = (body.as_bytes().to_vec(), Some("an-id".to_owned()));
        Reply { odd: Odd::new(&clock), body, continuation: None, activity_id }
    }

    fn wrong(body: &str) -> String {
        match complete_list::<Project<'_>>(&reply(body), "projects") {
            Err(Failure::Unexpected { detail, activity_id }) => {
                assert_eq!(activity_id.as_deref(), Some("an-id"));
                detail
            }
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_list_is_not_an_empty_one() {
        for (body, detail) in [
            ("", "projects: the body is no JSON (line 1, column 0)"),
            ("<html>", "projects: the body is no JSON (line 1, column 1)"),
            ("[]", "projects: value is not a list"),
            ("null", "projects: value is not a list"),
            ("{}", "projects: value is not a list"),
            (r#"{"count":3,"value":null}"#, "projects: value is not a list"),
            (r#"{"count":0,"value":{}}"#, "projects: value is not a list"),
            (r#"{"count":2,"value":[]}"#, "projects: value has no elements, and count is 2"),
            (r#"{"value":[7]}"#, "projects: id is missing in each of value"),
        ] {
            assert_eq!(wrong(body), detail);
        }
        for body in [r#"{"count":0,"value":null}"#, r#"{"value":[]}"#, "\u{feff}{\"value\":[]}"] {
            assert_eq!(complete_list::<Project<'_>>(&reply(body), "projects"), Ok(Vec::new()), "{body}");
        }
    }

    #[test]
    fn one_that_cannot_be_read_is_left_out_counted_and_told() {
        const GOOD: &str = r#"{"id":"6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c","name":"a"}"#;
        let odd = |items: &str, count: usize| reply(&format!(r#"{{"count":{count},"value":[{items}]}}"#));
        for (items, read) in
            [("{}", 0), (r#"{"id":7}"#, 0), ("[]", 0), (&*format!("{GOOD},{{}}"), 1), (&*format!("null,{GOOD}"), 1)]
        {
            let reply = odd(items, read + 1);
            let listed = list::<Project<'_>>(&reply, "projects").unwrap();
            assert_eq!((listed.items.len(), listed.listed), (read, read + 1), "{items}");
            let told = reply.odd.told();
            assert_eq!((told.len(), told[0].list, told[0].count), (1, "projects", 1), "{told:?}");
            assert!(told[0].lacks.ends_with("is missing"), "{told:?}");
            assert_eq!(complete_list::<Project<'_>>(&reply, "projects").is_ok(), read > 0, "{items}");
            assert_eq!(reply.odd.told()[0].count, 1, "the same one again");
        }
        let other = odd(&["{}"; ALL_ODD_MIN].join(","), ALL_ODD_MIN);
        assert!(list::<Project<'_>>(&other, "projects").is_err(), "a list of nothing that is known");
        for count in [0, 7] {
            let reply = odd(GOOD, count);
            assert_eq!(complete_list::<Project<'_>>(&reply, "projects").map(|all| all.len()), Ok(1), "{count}");
            assert!(reply.odd.told()[0].lacks.starts_with("count is"), "{count}");
        }
    }

    #[test]
    fn a_list_of_yes_and_no_has_a_first() {
        assert_eq!(first_flag(&reply(r#"{"count":1,"value":[true]}"#), "permissions"), Ok(true));
        assert!(first_flag(&reply(r#"{"count":0,"value":[]}"#), "permissions").is_err());
        assert!(first_flag(&reply(r#"{"count":1,"value":["yes"]}"#), "permissions").is_err());
    }
}
