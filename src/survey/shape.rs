//! The shape of a document, without anything that it says.
//!
//! Shown are names of members that Microsoft's specification and payloads have (`names.txt`), JSON types, how they are nested,
//! the form of a text (a date, a GUID, an address) and words of Azure's enumerations where one is expected. A member of
//! another name is `*`: the variables of a pipeline, the fields of a process and the aliases of resources are named by people.

use serde_json::{Map, Value, json};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::LazyLock,
};

/// Names of members, one on a line.
static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("names.txt").lines().collect());
/// Members that an enumeration's word is expected in.
const WORD_MEMBERS: [&str; 24] = [
    "status",
    "result",
    "state",
    "reason",
    "changeType",
    "resourceVersion",
    "publisherId",
    "consumerId",
    "consumerActionId",
    "eventType",
    "mergeStatus",
    "visibility",
    "deploymentType",
    "repositoryType",
    "type",
    "changedOperation",
    "commentType",
    "triggerReason",
    "triggerType",
    "approvalType",
    "messageType",
    "versionType",
    "operationStatus",
    "typeKey",
];
/// Azure's words.
const WORDS: [&str; 122] = [
    "enabled",
    "onProbation",
    "disabledByUser",
    "disabledBySystem",
    "disabledByInactiveIdentity",
    "queued",
    "queuedForRetry",
    "processing",
    "requestInProgress",
    "completed",
    "pending",
    "succeeded",
    "failed",
    "filtered",
    "partiallySucceeded",
    "canceled",
    "cancelling",
    "canceling",
    "notStarted",
    "inProgress",
    "postponed",
    "none",
    "all",
    "active",
    "abandoned",
    "notSet",
    "conflicts",
    "rejectedByPolicy",
    "failure",
    "rejected",
    "approved",
    "skipped",
    "undefined",
    "scheduled",
    "add",
    "edit",
    "delete",
    "rename",
    "manual",
    "individualCI",
    "batchedCI",
    "schedule",
    "pullRequest",
    "buildCompletion",
    "resourceTrigger",
    "validateShelveset",
    "checkInShelveset",
    "userCreated",
    "continuousIntegration",
    "wellFormed",
    "createPending",
    "deleting",
    "deleted",
    "new",
    "private",
    "public",
    "organization",
    "hosted",
    "onPremises",
    "tfs",
    "pipelines",
    "rm",
    "advsec",
    "webHooks",
    "httpRequest",
    "text",
    "system",
    "codeChange",
    "unknown",
    "fixed",
    "closed",
    "pendingApproval",
    "byDesign",
    "wontFix",
    "TfsGit",
    "GitHub",
    "Stage",
    "Phase",
    "Job",
    "Task",
    "Checkpoint",
    "Checkpoint.Approval",
    "build",
    "xaml",
    "preDeploy",
    "postDeploy",
    "approval",
    "deployment",
    "branch",
    "tag",
    "commit",
    "git.push",
    "git.pullrequest.created",
    "git.pullrequest.updated",
    "git.pullrequest.merged",
    "ms.vss-code.git-pullrequest-comment-event",
    "build.complete",
    "workitem.created",
    "workitem.updated",
    "workitem.commented",
    "workitem.deleted",
    "workitem.restored",
    "ms.vss-pipelines.run-state-changed-event",
    "ms.vss-pipelines.stage-state-changed-event",
    "ms.vss-pipelines.job-state-changed-event",
    "ms.vss-pipelinechecks-events.approval-pending",
    "ms.vss-pipelinechecks-events.approval-completed",
    "ms.vss-release.release-created-event",
    "ms.vss-release.release-abandoned-event",
    "ms.vss-release.deployment-started-event",
    "ms.vss-release.deployment-completed-event",
    "ms.vss-release.deployment-approval-pending-event",
    "ms.vss-release.deployment-approval-completed-event",
    "1.0",
    "2.0",
    "1.0-preview.1",
    "3.0-preview.1",
    "3.1-preview.3",
    "5.1-preview.1",
    "5.1-preview.3",
    "latest",
    "AccessCheckException",
];
/// Elements of a list that are looked at.
const ELEMENTS_MAX: usize = 200;
/// Levels that are looked at.
const DEPTH_MAX: usize = 24;

/// The forms of all values that were seen in one place.
#[derive(Debug, Default)]
struct Shape {
    simple: BTreeSet<Cow<'static, str>>,
    objects: usize,
    /// How many of the objects have it, and what it is.
    members: BTreeMap<&'static str, (usize, Shape)>,
    elements: Option<Box<Shape>>,
}

/// The shape of a document: a simple value is the name of its form, an object is `{"object": {…}}` with a question mark
/// behind the members that not all have, a list is `{"array": …}`.
pub(super) fn shape(value: &Value) -> Value {
    let mut shape = Shape::default();
    shape.see(value, "", 0);
    shape.shown()
}

impl Shape {
    fn see(&mut self, value: &Value, member: &str, depth: usize) {
        if depth >= DEPTH_MAX {
            self.simple.insert("…".into());
            return;
        }
        let simple: Cow<'static, str> = match value {
            Value::Null => "null".into(),
            Value::Bool(_) => "boolean".into(),
            Value::Number(number) => if number.is_f64() { "fraction" } else { "integer" }.into(),
            Value::String(text) => form(text, member),
            Value::Array(all) => {
                let elements = self.elements.get_or_insert_default();
                all.iter().take(ELEMENTS_MAX).for_each(|one| elements.see(one, member, depth + 1));
                return;
            }
            Value::Object(members) => {
                self.objects += 1;
                for (name, value) in members {
                    let name = NAMES.get(name.as_str()).copied().unwrap_or("*");
                    let (count, shape) = self.members.entry(name).or_default();
                    *count += 1;
                    shape.see(value, name, depth + 1);
                }
                return;
            }
        };
        self.simple.insert(simple);
    }

    fn shown(&self) -> Value {
        let simple = self.simple.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("|");
        if self.objects == 0 && self.elements.is_none() {
            return simple.into();
        }
        let mut shown = Map::new();
        if self.objects > 0 {
            let named = |(name, (count, shape)): (&&str, &(usize, Self))| {
                let some = if *count < self.objects && *name != "*" { "?" } else { "" };
                (format!("{name}{some}"), shape.shown())
            };
            shown.insert("object".to_owned(), self.members.iter().map(named).collect::<Map<_, _>>().into());
        }
        if let Some(elements) = &self.elements {
            shown.insert("array".to_owned(), elements.shown());
        }
        if !simple.is_empty() {
            shown.insert("or".to_owned(), simple.into());
        }
        json!(shown)
    }
}

/// The form of a text; never the text, but for a word of Azure's in its place.
fn form(text: &str, member: &str) -> Cow<'static, str> {
    if WORD_MEMBERS.contains(&member)
        && let Some(word) = WORDS.iter().find(|word| **word == text)
    {
        return format!("'{word}'").into();
    }
    let is_hex = |length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    if text.is_empty() {
        "empty text".into()
    } else if uuid::Uuid::try_parse(text).is_ok() && text.len() == 36 {
        "guid".into()
    } else if let Some(form) = date(text) {
        form
    } else if is_hex(40) {
        "sha".into()
    } else if text.starts_with("refs/") {
        "ref".into()
    } else if text.starts_with("vstfs:///") {
        "vstfs".into()
    } else if text.contains("://") {
        "address".into()
    } else if text.bytes().all(|b| b.is_ascii_digit()) {
        "digits".into()
    } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        "boolean text".into()
    } else {
        "text".into()
    }
}

/// A date, with how many digits of a second it has: what is compared to the second must know.
fn date(text: &str) -> Option<Cow<'static, str>> {
    let (date, rest) = text.split_once('T')?;
    let is_date = date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !is_date || rest.len() < 8 || text.len() > 40 {
        return None;
    }
    let digits = rest.split_once('.').map_or(0, |(_, part)| part.bytes().take_while(u8::is_ascii_digit).count());
    let zone = if rest.ends_with('Z') {
        "Z"
    } else if rest.contains('+') {
        "+"
    } else {
        ""
    };
    Some(format!("date.{digits}{zone}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shape_has_names_types_and_forms_and_no_values() {
        let document = json!({ "count": 2, "value": [
            { "id": "2b5ccb5b-0b5c-4d1e-8f9a-0b5c4d1e8f9a", "name": "Fabrikam", "status": "enabled", "rev": 7 },
            { "id": 12, "name": null, "status": "Fabrikam", "Custom.Fabrikam": true,
              "createdDate": "2026-11-22T10:00:00.123Z", "url": "https://dev.azure.com/fabrikam" },
        ] });
        let expected = json!({ "object": { "count": "integer", "value": { "array": { "object": {
            "*": "boolean", "createdDate?": "date.3Z", "id": "guid|integer", "name": "null|text", "rev?": "integer",
            "status": "'enabled'|text", "url?": "address",
        } } } } });
        assert_eq!(shape(&document), expected);
    }

    #[test]
    fn names_are_microsofts_and_sorted_once() {
        let all: Vec<&str> = include_str!("names.txt").lines().collect();
        assert!(all.windows(2).all(|two| two[0] < two[1]), "sorted, and each once");
        assert!(all.len() > 400 && NAMES.contains("refUpdates"));
    }

    /// Any document, in which every name and every text has a mark that is nowhere in Microsoft's.
    fn document() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-z/.:@-]{0,12}".prop_map(|text| format!("{text}Zqx9{text}")),
            "[0-9]{1,4}".prop_map(|digits| format!("2026-11-22T10:00:00.{digits}Zqx9")),
            Just("refs/heads/Zqx9".to_owned()),
            Just("https://Zqx9.example/".to_owned()),
        ];
        let name =
            prop_oneof![Just("name".to_owned()), Just("status".to_owned()), "[a-z]{1,5}".prop_map(|s| s + "Zqx9")];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (900_000_000_u64..999_999_999).prop_map(Value::from),
            text.prop_map(Value::String),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(name.clone(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_that_people_wrote_is_in_a_shape(document in document()) {
            let shown = shape(&document).to_string();
            prop_assert!(!shown.contains("Zqx9"), "{shown}");
            let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
            prop_assert!(shown.split(|c: char| !c.is_ascii_digit()).all(|run| digits(run) < 5), "{shown}");
        }
    }
}
