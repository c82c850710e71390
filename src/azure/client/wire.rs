//! Azure's answers, read into the models: leniently where a member is of no consequence, and with the path of what is
//! missing where it is. What is no list is never taken for an empty one.

use super::{Failure, call::Reply};
use crate::azure::lenient::{Int, Object};
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

/// A list of records.
pub(super) fn records<'a, R: Record<'a>>(reply: &'a Reply, name: &str) -> Result<Vec<R::Into>, Failure> {
    let (raw, _) = values::<&RawValue>(reply, name)?;
    records_of::<R>(raw, reply, name, "value")
}

fn records_of<'a, R: Record<'a>>(
    raw: Vec<&'a RawValue>,
    reply: &Reply,
    name: &str,
    list: &str,
) -> Result<Vec<R::Into>, Failure> {
    let records = raw.into_iter().enumerate().map(|(index, json)| {
        record::<R>(json).map_err(|member| reply.unexpected(name, &format!("{list}[{index}].{member} is missing")))
    });
    records.collect()
}

/// The records of the member of that name, where a list is not in `value`.
pub(super) fn records_in<'a, R: Record<'a>>(
    member: Option<&'a RawValue>,
    reply: &'a Reply,
    name: &str,
    list: &str,
) -> Result<Vec<R::Into>, Failure> {
    let raw = member.filter(|member| member.get().starts_with('['));
    let raw = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    records_of::<R>(raw.ok_or_else(|| reply.unexpected(name, &format!("{list} is not a list")))?, reply, name, list)
}

/// An object whose members are looked at by the caller.
pub(super) fn object<'a, T: Deserialize<'a> + Default>(reply: &'a Reply, name: &str) -> Result<T, Failure> {
    let raw: Object<T> = serde_json::from_slice(body(reply)).map_err(|error| not_json(reply, name, &error))?;
    Ok(raw.0)
}

/// A list of objects.
pub(super) fn list<'a, M: Model<'a>>(reply: &'a Reply, name: &str) -> Result<Vec<M::Into>, Failure> {
    let (raw, _) = values(reply, name)?;
    models::<M>(raw, reply, name)
}

/// A list of objects that must be all there are. One that cannot be read is left out; a list that has no other is none.
pub(super) fn complete_list<'a, M: Model<'a>>(reply: &'a Reply, name: &str) -> Result<Vec<M::Into>, Failure> {
    let (raw, count) = values::<Object<M>>(reply, name)?;
    let all = raw.len();
    if let Some(count) = count.filter(|count| *count != all) {
        return Err(reply.unexpected(name, &format!("value has {all} elements, and count is {count}")));
    }
    let (mut models, mut odd) = (Vec::with_capacity(all), None);
    for raw in raw {
        match raw.0.model() {
            Ok(model) => models.push(model),
            Err(member) => odd = Some(member),
        }
    }
    let left_out = all - models.len();
    match odd {
        Some(member) if models.is_empty() => {
            Err(reply.unexpected(name, &format!("{member} is missing in each of value")))
        }
        Some(member) => {
            tracing::warn!(name, left_out, member, "what Azure DevOps lists cannot all be read");
            Ok(models)
        }
        None => Ok(models),
    }
}

fn models<'a, M: Model<'a>>(raw: Vec<Object<M>>, reply: &Reply, name: &str) -> Result<Vec<M::Into>, Failure> {
    let models = raw.into_iter().enumerate().map(|(index, raw)| {
        raw.0.model().map_err(|member| reply.unexpected(name, &format!("value[{index}].{member} is missing")))
    });
    models.collect()
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
    use super::{super::shapes::Project, *};

    fn reply(body: &str) -> Reply {
        Reply { body: body.as_bytes().to_vec(), continuation: None, activity_id: Some("an-id".to_owned()) }
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
            (r#"{"count":2,"value":[]}"#, "projects: value has 0 elements, and count is 2"),
            (r#"{"value":[7]}"#, "projects: id is missing in each of value"),
        ] {
            assert_eq!(wrong(body), detail);
        }
        for body in [r#"{"count":0,"value":null}"#, r#"{"value":[]}"#, "\u{feff}{\"value\":[]}"] {
            assert_eq!(complete_list::<Project<'_>>(&reply(body), "projects"), Ok(Vec::new()), "{body}");
        }
        let odd = r#"{"value":[{"id":"6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c","name":"a"},{}]}"#;
        assert_eq!(complete_list::<Project<'_>>(&reply(odd), "projects").map(|all| all.len()), Ok(1));
        assert!(list::<Project<'_>>(&reply(odd), "projects").is_err());
    }

    #[test]
    fn a_list_of_yes_and_no_has_a_first() {
        assert_eq!(first_flag(&reply(r#"{"count":1,"value":[true]}"#), "permissions"), Ok(true));
        assert!(first_flag(&reply(r#"{"count":0,"value":[]}"#), "permissions").is_err());
        assert!(first_flag(&reply(r#"{"count":1,"value":["yes"]}"#), "permissions").is_err());
    }
}
