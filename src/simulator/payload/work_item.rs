//! Work items, their revisions and updates.

use super::{Version, View, present};
use crate::simulator::world::{Field, LinkUpdate, Revision, WorkItem, WorkItemKind};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A value as a version shows it: identities have three forms.
fn value(view: View<'_>, field: &Field, version: Version) -> Value {
    let person = match field {
        Field::Plain(value) => return value.clone(),
        Field::Person(id) => view.people.find(*id),
    };
    let Some(person) = person else { return Value::Null };
    let mut whole = person.identity_ref(view.place);
    match version {
        Version::Old => person.combined().into(),
        Version::Middle => {
            let members = whole.as_object_mut().expect("an identity is an object");
            members.remove("id");
            members.remove("descriptor");
            whole
        }
        Version::New => whole,
    }
}

pub(crate) fn url(view: View<'_>, item: &WorkItem) -> String {
    format!("{}/{}/_apis/wit/workItems/{}", view.base(), item.project, item.number)
}

/// Fields by reference name; all of them, or those that are wanted.
pub(crate) fn fields(view: View<'_>, of: &Revision, version: Version, wanted: Option<&[String]>) -> Value {
    let is_wanted = |name: &str| wanted.is_none_or(|all| all.iter().any(|own| own.eq_ignore_ascii_case(name)));
    let shown = of.fields.iter().filter(|(name, _)| is_wanted(name));
    Value::Object(shown.map(|(name, field)| (name.clone(), value(view, field, version))).collect::<Map<_, _>>())
}

fn relations(links: &[(String, String)]) -> Vec<Value> {
    let relation = |(kind, url): &(String, String)| json!({"rel": kind, "url": url, "attributes": {"isLocked": false}});
    links.iter().map(relation).collect()
}

fn links(view: View<'_>, item: &WorkItem) -> Value {
    let url = url(view, item);
    json!({
        "self": {"href": url},
        "workItemUpdates": {"href": format!("{url}/updates")},
        "workItemRevisions": {"href": format!("{url}/revisions")},
        "html": {"href": format!("{}/{}/_workitems/edit/{}", view.base(), item.project, item.number)},
        "parent": {"href": url},
    })
}

/// The item at a revision, as REST has it.
pub(crate) fn item(
    view: View<'_>,
    item: &WorkItem,
    at: &Revision,
    wanted: Option<&[String]>,
    links_too: bool,
) -> Value {
    let mut shown = json!({
        "id": item.number, "rev": at.rev, "fields": fields(view, at, Version::New, wanted),
        "url": url(view, item),
    });
    let linked = item.relations(at);
    if links_too && !linked.is_empty() {
        shown["relations"] = relations(&linked).into();
    }
    if wanted.is_none() {
        shown["_links"] = links(view, item);
    }
    shown
}

/// One of its revisions, as REST has it.
pub(crate) fn revision(view: View<'_>, of: &WorkItem, at: &Revision) -> Value {
    let mut shown = item(view, of, at, None, true);
    shown["url"] = format!("{}/revisions/{}", url(view, of), at.rev).into();
    shown
}

/// `workitem.created`, `.commented` and `.restored`.
pub(crate) fn hook_item(view: View<'_>, item: &WorkItem, rev: u32, version: Version) -> Option<Value> {
    let at = item.revision(rev)?;
    let mut shown = json!({
        "id": item.number, "rev": rev, "fields": fields(view, at, version, None), "_links": links(view, item),
        "url": url(view, item),
    });
    let linked = item.relations(at);
    if !linked.is_empty() {
        shown["relations"] = relations(&linked).into();
    }
    if let Some(comment) = comment(view, item, at) {
        shown["commentVersionRef"] = json!({"commentId": comment["id"], "version": 1, "url": comment["url"]});
    }
    Some(shown)
}

/// The comment of a revision that has one, as the list of comments has it.
///
/// Source: REST "Comments - Get" of 7.1-preview.4.
pub(crate) fn comment(view: View<'_>, item: &WorkItem, at: &Revision) -> Option<Value> {
    let text = at.text("System.History")?;
    let number = i64::try_from(text.len()).unwrap_or_default() + i64::from(at.rev) * 1_000;
    let (by, when) = (view.person(at.by), at.at.to_string());
    Some(json!({
        "workItemId": item.number, "id": number, "version": 1, "text": text, "createdBy": by, "createdDate": when,
        "modifiedBy": by, "modifiedDate": when, "url": format!("{}/comments/{number}", url(view, item)),
    }))
}

/// `workitem.commented` with the item as it is by now: the comment is one of before.
pub(crate) fn commented(view: View<'_>, item: &WorkItem, rev: u32, version: Version) -> Option<Value> {
    let (said, mut shown) = (hook_item(view, item, rev, version)?, hook_item(view, item, item.last().rev, version)?);
    shown["fields"]["System.History"] = said["fields"]["System.History"].clone();
    shown["commentVersionRef"] = said["commentVersionRef"].clone();
    Some(shown)
}

/// `workitem.deleted`: it lies in the bin.
pub(crate) fn in_bin(view: View<'_>, item: &WorkItem, rev: u32, version: Version) -> Option<Value> {
    let mut shown = hook_item(view, item, rev, version)?;
    shown["url"] = format!("{}/{}/_apis/wit/recyclebin/{}", view.base(), item.project, item.number).into();
    Some(shown)
}

/// `workitem.updated`: what changed, and the whole item after it.
pub(crate) fn updated(view: View<'_>, item: &WorkItem, number: u32, version: Version) -> Option<Value> {
    let mut shown = update(view, item, number, version)?;
    let rev = u32::try_from(shown["rev"].as_u64()?).ok()?;
    let at = item.revision(rev)?;
    let mut whole = hook_item(view, item, rev, version)?;
    whole["url"] = format!("{}/revisions/{rev}", url(view, item)).into();
    shown["revision"] = whole;
    shown["_links"] = json!({
        "self": {"href": shown["url"]},
        "workItemUpdates": {"href": format!("{}/updates", url(view, item))},
        "parent": {"href": url(view, item)},
        "html": links(view, item)["html"],
    });
    if version == Version::Old {
        let by = view.person(at.by);
        shown["revisedBy"] =
            json!({"id": by["id"], "name": name(view, at.by), "displayName": by["displayName"], "url": by["url"]});
    }
    Some(shown)
}

fn name(view: View<'_>, id: Uuid) -> Option<String> {
    view.people.find(id).map(crate::simulator::people::Person::combined)
}

/// An update as `…/updates` has it, by its number. `oldValue` is missing where there was none, `newValue` where there is
/// none; of links there are no fields at all.
pub(crate) fn update(view: View<'_>, item: &WorkItem, number: u32, version: Version) -> Option<Value> {
    if let Some(link) = item.links.iter().find(|link| link.update == number) {
        return Some(link_update(view, item, link));
    }
    let rev = item.revisions.iter().find(|own| own.update == number)?.rev;
    let (before, now) = item.step(rev)?;
    let mut changed = Map::new();
    for name in crate::simulator::world::changed_fields(before, now) {
        let old = before
            .filter(|_| name != "System.History")
            .and_then(|before| before.fields.get(name))
            .map(|field| value(view, field, version));
        let new = now.fields.get(name).map(|field| value(view, field, version));
        changed.insert(name.to_owned(), present(json!({"oldValue": old, "newValue": new})));
    }
    let mut by = view.person(now.by);
    by["name"] = name(view, now.by).into();
    let is_last = item.last().rev == rev;
    let revised = item
        .revision(rev + 1)
        .filter(|_| !is_last)
        .map_or_else(|| "9999-01-01T00:00:00Z".to_owned(), |next| next.at.to_string());
    let mut shown = json!({
        "id": number, "workItemId": item.number, "rev": rev, "revisedBy": by, "revisedDate": revised, "fields": changed,
        "url": format!("{}/updates/{number}", url(view, item)),
    });
    let (old, new) = (before.map(|before| item.relations(before)).unwrap_or_default(), &now.relations);
    let without = |all: &[(String, String)], other: &[(String, String)]| -> Vec<_> {
        all.iter().filter(|link| !other.contains(link)).cloned().collect()
    };
    if let Some(changed) = changed_links(&without(new, &old), &without(&old, new)) {
        shown["relations"] = changed;
    }
    Some(shown)
}

/// `revisedDate` of an update of links is when it was made.
fn link_update(view: View<'_>, item: &WorkItem, link: &LinkUpdate) -> Value {
    let mut by = view.person(link.by);
    by["name"] = name(view, link.by).into();
    json!({
        "id": link.update, "workItemId": item.number, "rev": link.rev, "revisedBy": by,
        "revisedDate": link.at.to_string(), "relations": changed_links(&link.added, &link.removed),
        "url": format!("{}/updates/{}", url(view, item), link.update),
    })
}

fn changed_links(added: &[(String, String)], removed: &[(String, String)]) -> Option<Value> {
    let lists = [("added", added), ("removed", removed)].into_iter().filter(|(_, some)| !some.is_empty());
    let links: Map<_, _> = lists.map(|(name, some)| (name.to_owned(), relations(some).into())).collect();
    (!links.is_empty()).then_some(Value::Object(links))
}

/// A type, with its states.
pub(crate) fn kind(view: View<'_>, project: Uuid, own: &WorkItemKind) -> Value {
    let field = |reference: &str, name: &str| {
        json!({
            "alwaysRequired": reference == "System.Title", "referenceName": reference, "name": name, "helpText": name,
            "url": format!("{}/{project}/_apis/wit/fields/{reference}", view.base()),
        })
    };
    let shown =
        [field("System.Title", "Title"), field("System.State", "State"), field("System.AssignedTo", "Assigned To")];
    let mut transitions = Map::new();
    transitions.insert(String::new(), json!([{"to": own.states[0].0, "actions": null}]));
    for (from, ..) in own.states {
        let targets = own.states.iter().filter(|(to, ..)| to != from);
        let all: Vec<Value> = targets.map(|(to, ..)| json!({"to": to, "actions": null})).collect();
        transitions.insert((*from).to_owned(), all.into());
    }
    let name = crate::simulator::options::segment(own.name);
    json!({
        "name": own.name,
        "referenceName": own.reference,
        "description": format!("{} of an Agile process.", own.name),
        "color": own.color,
        "icon": {"id": own.icon, "url": format!("{}/_apis/wit/workItemIcons/{}?color={}&v=2", view.base(), own.icon, own.color)},
        "isDisabled": false,
        "xmlForm": "<FORM><Layout></Layout></FORM>",
        "fields": shown,
        "fieldInstances": shown,
        "transitions": transitions,
        "states": states(own),
        "url": format!("{}/{project}/_apis/wit/workItemTypes/{name}", view.base()),
    })
}

pub(crate) fn states(own: &WorkItemKind) -> Vec<Value> {
    own.states
        .iter()
        .map(|(name, color, category)| json!({"name": name, "color": color, "category": category}))
        .collect()
}
