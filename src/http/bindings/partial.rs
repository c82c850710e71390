//! The member that says how a build provider counts a run that succeeded in part: schema and reader beside each other.

use super::super::members::Members;
use crate::domain::Partial;
use serde_json::{Value, json};

/// The member.
pub(super) const NAME: &str = "partially_succeeded";

/// As it is given.
pub(super) fn schema() -> Value {
    let words = Partial::ALL.map(Partial::word);
    json!({
        "type": "string", "enum": words, "default": Partial::default().word(),
        "description": "What a run, stage, job or deployment that succeeded in part counts as, in events and for deploy rules: `success` as Azure's badges have it, `failure`, or `as_azure_says`: it succeeded, and `errors` of the event has Azure's word for it. An event that several build providers select has the strictest of their choices.",
    })
}

/// Reads it over what is there.
pub(super) fn read(members: &mut Members, there: Partial) -> Partial {
    let given = members.read(NAME, |value| {
        let named = |word: &str| Partial::ALL.into_iter().find(|own| own.word() == word);
        value.as_str().and_then(named).ok_or_else(|| "must be success, failure or as_azure_says".to_owned())
    });
    members.not_null(NAME, given).unwrap_or(there)
}
