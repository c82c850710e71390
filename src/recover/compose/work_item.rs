//! Work items: opened, changed, commented.

use super::{Composed, Home, Kind, object};
use crate::{
    azure::{
        client::{RevisionRecord, UpdateRecord},
        time,
    },
    translate::is_telling,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

const CREATED: Kind = of_work_item("workitem.created");
const UPDATED: Kind = of_work_item("workitem.updated");
const COMMENTED: Kind = of_work_item("workitem.commented");
const DELETED: Kind = of_work_item("workitem.deleted");
const RESTORED: Kind = of_work_item("workitem.restored");

const fn of_work_item(event_type: &'static str) -> Kind {
    Kind { event_type, publisher: "tfs", version: "5.1-preview.3" }
}

/// What a revision changed: by the revision before it, or by Azure's word.
pub(crate) struct Change(Value);

impl Change {
    /// Of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self(json!({"fields": {}}))
    }

    /// One of each kind of event that an update can become: its id is all that can be told from them.
    pub(crate) fn candidates(done_state: &str) -> [Self; 2] {
        [Self::unknown(), Self(json!({"fields": {"System.State": {"newValue": done_state}}}))]
    }

    /// Whether nothing is known of it but that it commented.
    fn is_comment(&self) -> bool {
        let fields = self.0["fields"].as_object();
        let is_its = |name: &String| matches!(name.as_str(), "System.History" | "System.CommentCount");
        fields.is_none_or(|fields| fields.keys().all(|name| is_its(name) || !is_telling(name)))
            && self.0["relations"].is_null()
    }

    /// Whether no field says what it was: links do, which a revision does not show.
    pub(crate) fn is_noise(&self) -> bool {
        let fields = self.0["fields"].as_object();
        fields.is_none_or(|fields| !fields.keys().any(|name| is_telling(name)))
    }

    /// Whether it counts other links or attachments than before: which, only Azure's word says.
    ///
    /// Source: azure-devops-docs, "Link queries and link count": each such link is counted in a field of its item.
    pub(crate) fn counts_links(&self) -> bool {
        const COUNTS: [&str; 3] = ["System.ExternalLinkCount", "System.HyperLinkCount", "System.AttachedFileCount"];
        COUNTS.iter().any(|name| self.0["fields"].get(name).is_some())
    }

    /// Whether the item was deleted or restored by it, which no `workitem.updated` tells.
    fn turns(&self) -> Option<Kind> {
        let change = self.0["fields"].get("System.IsDeleted")?;
        Some(if change["newValue"].as_bool() == Some(true) { DELETED } else { RESTORED })
    }
}

fn entity(item: i64) -> String {
    format!("wit/workItems/{item}")
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
fn created(home: Home<'_>, record: &RevisionRecord) -> Composed {
    home.compose(CREATED, record.changed, entity(record.id), item(home, record))
}

/// What `record` changed, by the revision before it.
pub(crate) fn after(before: &Value, record: &RevisionRecord) -> Change {
    let (mut fields, empty) = (Map::new(), Map::new());
    let now = object(&record.json);
    // A comment is its revision's alone: it is always new, and never gone.
    let mut before = before.as_object().cloned().unwrap_or_default();
    before.remove("System.History");
    let (old, new) = (&before, now["fields"].as_object().unwrap_or(&empty));
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

/// The change that a revision made, by the record before it.
pub(crate) fn between(before: &RevisionRecord, record: &RevisionRecord) -> Change {
    after(&object(&before.json)["fields"], record)
}

/// What a revision changed, as Azure says it.
pub(crate) fn written_as(update: &UpdateRecord) -> Change {
    Change(object(&update.json))
}

/// Whether a revision is the one that deleted its item: nothing else can be done to one that lies in the bin.
pub(crate) fn deletes(record: &RevisionRecord) -> bool {
    object(&record.json)["fields"]["System.IsDeleted"].as_bool() == Some(true)
}

/// The events that hooks would have told of a revision: the change, and the comment that was saved with it.
pub(crate) fn revised(home: Home<'_>, record: &RevisionRecord, change: &Change) -> Vec<Composed> {
    let comment = commented(home, record);
    if comment.is_some() && record.rev > 1 && change.is_comment() {
        // The update says nothing more, and so does its hook: they are one fact.
        return comment.into_iter().collect();
    }
    let made = match change.turns().or_else(|| deletes(record).then_some(DELETED)) {
        _ if record.rev == 1 => created(home, record),
        Some(kind) => home.compose(kind, record.changed, entity(record.id), item(home, record)),
        None => updated(home, record, change),
    };
    [made].into_iter().chain(comment).collect()
}

/// `workitem.updated`, of a revision.
pub(crate) fn updated(home: Home<'_>, record: &RevisionRecord, Change(change): &Change) -> Composed {
    let mut resource = change.clone();
    if !resource["fields"].is_object() {
        resource["fields"] = json!({});
    }
    // The field tells a revision from a link; every revision changes it.
    if resource["fields"].get("System.Rev").is_none() {
        resource["fields"]["System.Rev"] = json!({"oldValue": record.rev - 1, "newValue": record.rev});
    }
    home.compose(UPDATED, record.changed, entity(record.id), update(home, record, resource))
}

/// `workitem.updated`, of a link: it leaves the revision and its date as they are, and has its own date instead.
///
/// Source: REST "Updates - List", whose sample has such updates after the revision that they leave, each with a
/// `revisedDate` between those of its neighbours.
fn linked(home: Home<'_>, record: &RevisionRecord, Change(change): Change) -> (Option<Timestamp>, Composed) {
    let at = change["revisedDate"].as_str().and_then(time::timestamp);
    (at, home.compose(UPDATED, at, entity(record.id), update(home, record, change)))
}

/// The resource of an update: what it says, and the whole item after it.
fn update(home: Home<'_>, record: &RevisionRecord, mut resource: Value) -> Value {
    let whole = item(home, record);
    resource["workItemId"] = record.id.into();
    resource["rev"] = record.rev.into();
    if !resource["revisedBy"].is_object() {
        resource["revisedBy"] = whole["fields"]["System.ChangedBy"].clone();
    }
    let address = home.project_address(&format!("_apis/wit/workItems/{}", record.id));
    resource["_links"] = json!({"html": whole["_links"]["html"], "parent": {"href": address}});
    resource["revision"] = whole;
    resource
}

/// `workitem.commented`, of a revision that a comment was written with.
fn commented(home: Home<'_>, record: &RevisionRecord) -> Option<Composed> {
    let whole = item(home, record);
    let has_comment = whole["fields"]["System.History"].as_str().is_some_and(|text| !text.is_empty());
    has_comment.then(|| home.compose(COMMENTED, record.changed, entity(record.id), whole))
}

/// The events that one update of a work item tells.
pub(crate) struct Step {
    /// The revision that it made or left.
    pub(crate) rev: i64,
    /// Whether it is a link's.
    pub(crate) is_link: bool,
    /// Of a link: when it was changed, where that is known.
    pub(crate) linked: Option<Timestamp>,
    pub(crate) composed: Vec<Composed>,
}

/// The events that all updates of a work item tell, from the first one on: their changes add up to the item after each.
pub(crate) fn steps(home: Home<'_>, number: i64, updates: impl IntoIterator<Item = UpdateRecord>) -> Vec<Step> {
    let mut item = Item::new(number);
    updates.into_iter().map(|update| item.step(home, &update)).collect()
}

/// A work item as its updates make it, one after the other.
pub(crate) struct Item {
    number: i64,
    rev: Option<i64>,
    fields: Map<String, Value>,
}

impl Item {
    /// Before its first update.
    pub(crate) fn new(number: i64) -> Self {
        Self { number, rev: None, fields: Map::new() }
    }

    /// The next update. One that has the revision of the one before it leaves the item as it is: a link.
    pub(crate) fn step(&mut self, home: Home<'_>, update: &UpdateRecord) -> Step {
        let change = written_as(update);
        let is_link = self.rev.replace(update.rev) == Some(update.rev);
        let (own, fields) = (&change.0["fields"], &mut self.fields);
        for (name, change) in own.as_object().into_iter().flatten() {
            match change.get("newValue") {
                Some(value) => fields.insert(name.clone(), value.clone()),
                None => fields.remove(name),
            };
        }
        // A comment is the revision's alone.
        if own.get("System.History").is_none() {
            fields.remove("System.History");
        }
        let item = json!({"id": self.number, "rev": update.rev, "fields": fields});
        let record = RevisionRecord {
            id: self.number,
            rev: update.rev,
            changed: fields.get("System.ChangedDate").and_then(|date| time::timestamp(date.as_str()?)),
            json: serde_json::value::to_raw_value(&item).expect("a JSON value is always written"),
        };
        let (linked, composed) = if is_link {
            let (at, composed) = linked(home, &record, change);
            (at, vec![composed])
        } else {
            (None, revised(home, &record, &change))
        };
        Step { rev: update.rev, is_link, linked, composed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::CollectionUrl;
    use uuid::Uuid;

    fn update(rev: i64, fields: &Value, more: &Value) -> UpdateRecord {
        let mut json = json!({ "id": 40 + rev, "rev": rev, "fields": fields });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        UpdateRecord { rev, json: serde_json::value::to_raw_value(&json).unwrap() }
    }

    #[test]
    fn updates_add_up_to_revisions_and_links_between_them() {
        let (date, linked, none) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", json!({}));
        let updates = [
            update(
                1,
                &json!({"System.Title": {"newValue": "a"}, "System.Tags": {"newValue": "x"}, "System.ChangedDate": {"newValue": date}}),
                &none,
            ),
            update(2, &json!({"System.Tags": {"oldValue": "x"}, "System.History": {"newValue": "said"}}), &none),
            update(2, &json!(null), &json!({"revisedDate": linked, "relations": {"added": []}})),
            update(3, &json!({"System.Title": {"oldValue": "a", "newValue": "b"}}), &none),
            update(4, &json!({"System.IsDeleted": {"newValue": true}}), &none),
            update(5, &json!({"System.IsDeleted": {"oldValue": true, "newValue": false}}), &none),
        ];
        let url = CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap();
        let all = steps(Home { url: &url, collection: None, project: Uuid::from_u128(7) }, 7, updates);
        let told = |step: &Step| -> Vec<Value> {
            step.composed.iter().map(|own| serde_json::from_slice(&own.body).unwrap()).collect()
        };
        let kinds: Vec<(i64, Vec<String>)> = all
            .iter()
            .map(|step| (step.rev, told(step).iter().map(|own| own["eventType"].to_string()).collect()))
            .collect();
        let kind = |rev: i64, words: &[&str]| {
            (rev, words.iter().map(|word| format!("\"workitem.{word}\"")).collect::<Vec<String>>())
        };
        let wanted = [
            kind(1, &["created"]),
            kind(2, &["updated", "commented"]),
            kind(2, &["updated"]),
            kind(3, &["updated"]),
            kind(4, &["deleted"]),
            kind(5, &["restored"]),
        ];
        assert_eq!(kinds, wanted);
        let fields = |at: usize| told(&all[at])[0]["resource"]["revision"]["fields"].clone();
        assert_eq!(fields(1), json!({"System.Title": "a", "System.History": "said", "System.ChangedDate": date}));
        assert_eq!(fields(2), json!({"System.Title": "a", "System.ChangedDate": date}));
        assert_eq!(fields(3), json!({"System.Title": "b", "System.ChangedDate": date}));
        assert_eq!((all[0].composed[0].at, all[2].composed[0].at), (date.parse().unwrap(), linked.parse().unwrap()));
        assert_eq!((all[2].is_link, all[2].linked), (true, Some(linked.parse().unwrap())));
    }
}
