//! Work items: opened, changed, commented.

use super::{Composed, Home, Kind, object};
use crate::azure::client::{RevisionRecord, UpdateRecord};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

const CREATED: Kind = of_work_item("workitem.created");
const UPDATED: Kind = of_work_item("workitem.updated");
const COMMENTED: Kind = of_work_item("workitem.commented");

const fn of_work_item(event_type: &'static str) -> Kind {
    Kind { event_type, publisher: "tfs", version: "5.1-preview.3" }
}

/// What a revision changed: by the revision before it, or by Azure's word.
pub(crate) struct Change(Value);

/// Fields that every revision changes.
const NOISE: [&str; 7] = [
    "System.AuthorizedAs",
    "System.AuthorizedDate",
    "System.ChangedBy",
    "System.ChangedDate",
    "System.Rev",
    "System.RevisedDate",
    "System.Watermark",
];

impl Change {
    /// Of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self(json!({"fields": {}}))
    }

    /// One of each kind of event that an update can become: its id is all that can be told from them.
    pub(crate) fn candidates(done_state: &str) -> [Self; 2] {
        [Self::unknown(), Self(json!({"fields": {"System.State": {"newValue": done_state}}}))]
    }

    /// Whether no field says what it was: links do, which a revision does not show.
    pub(crate) fn is_noise(&self) -> bool {
        let fields = self.0["fields"].as_object();
        fields.is_none_or(|fields| fields.keys().all(|name| NOISE.contains(&name.as_str())))
    }

    /// Whether the item was deleted or restored by it, which no `workitem.updated` tells.
    pub(crate) fn turns(&self) -> bool {
        self.0["fields"].get("System.IsDeleted").is_some()
    }
}

fn entity(record: &RevisionRecord) -> String {
    format!("wit/workItems/{}", record.id)
}

/// The time of a revision; one without a date is of the beginning of time, and its events say the same.
fn at(record: &RevisionRecord) -> Timestamp {
    record.changed.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The whole item at the revision.
fn item(home: Home<'_>, record: &RevisionRecord) -> Value {
    let mut item = object(&record.json);
    let page = home.project_address(&format!("_workitems/edit/{}", record.id));
    item["_links"] = json!({"html": {"href": page}});
    item["url"] = home.project_address(&format!("_apis/wit/workItems/{}", record.id)).into();
    item
}

/// `workitem.created`, of a first revision.
pub(crate) fn created(home: Home<'_>, record: &RevisionRecord) -> Composed {
    home.compose(CREATED, at(record), entity(record), item(home, record))
}

/// What `record` changed, by the revision before it.
pub(crate) fn after(before: &Value, record: &RevisionRecord) -> Change {
    let (mut fields, empty) = (Map::new(), Map::new());
    let now = object(&record.json);
    let (old, new) = (before.as_object().unwrap_or(&empty), now["fields"].as_object().unwrap_or(&empty));
    for (name, value) in new.iter().filter(|(name, value)| old.get(*name) != Some(value)) {
        let mut change = json!({"newValue": value});
        if let Some(value) = old.get(name) {
            change["oldValue"] = value.clone();
        }
        fields.insert(name.clone(), change);
    }
    for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        fields.insert(name.clone(), json!({"oldValue": value}));
    }
    Change(json!({"fields": fields}))
}

/// What a revision changed, as Azure says it.
pub(crate) fn written_as(update: &UpdateRecord) -> Change {
    Change(object(&update.json))
}

/// `workitem.updated`.
pub(crate) fn updated(home: Home<'_>, record: &RevisionRecord, Change(change): &Change) -> Composed {
    let whole = item(home, record);
    let mut resource = change.clone();
    resource["id"] = record.rev.into();
    resource["workItemId"] = record.id.into();
    resource["rev"] = record.rev.into();
    if !resource["revisedBy"].is_object() {
        resource["revisedBy"] = whole["fields"]["System.ChangedBy"].clone();
    }
    let address = format!("_apis/wit/workItems/{}", record.id);
    resource["url"] = home.project_address(&format!("{address}/updates/{}", record.rev)).into();
    resource["_links"] = json!({"html": whole["_links"]["html"], "parent": {"href": home.project_address(&address)}});
    resource["revision"] = whole;
    home.compose(UPDATED, at(record), entity(record), resource)
}

/// `workitem.commented`, of a revision that a comment was written with.
pub(crate) fn commented(home: Home<'_>, record: &RevisionRecord) -> Option<Composed> {
    let whole = item(home, record);
    let has_comment = whole["fields"]["System.History"].as_str().is_some_and(|text| !text.is_empty());
    has_comment.then(|| home.compose(COMMENTED, at(record), entity(record), whole))
}
