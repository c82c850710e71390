//! Work items: which deliveries are one fact, what an update says, where it leads, and when it comes.

use super::{cases, events, json};
use hookwell::{
    event::Event,
    translate::order::{Before, Entity, otherwise_told, place},
};
use serde_json::{Value, json as value};
use std::collections::BTreeSet;
use uuid::Uuid;

const PROJECT: &str = "0f3d2c1b-7a6e-4d5c-8b4a-392817060504";

fn of(name: &str) -> Vec<Event> {
    let case = cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name}"));
    events(&case.name, &case.body).unwrap()
}

fn told(body: &Value) -> Vec<Event> {
    events("", &serde_json::to_vec(body).unwrap()).unwrap()
}

fn one(body: &Value) -> Value {
    json(&told(body)[0])
}

fn azure(event: &Value) -> &Value {
    &event["data"]["customData"]["azuredevops"]
}

/// A notification; each is another delivery.
fn envelope(kind: &str, resource: &Value) -> Value {
    value!({
        "id": Uuid::new_v4(), "eventType": format!("workitem.{kind}"), "resource": resource,
        "resourceVersion": "5.1-preview.3", "createdDate": "2026-03-31T19:00:01Z",
        "resourceContainers": {"project": {"id": PROJECT}},
    })
}

fn fields() -> Value {
    value!({
        "System.WorkItemType": "Bug", "System.State": "Active", "System.Title": "Slow", "System.TeamProject": "Fabrikam",
        "System.AreaPath": "Fabrikam\\Shop", "System.CreatedDate": "2026-03-30T08:00:00Z",
        "System.ChangedDate": "2026-03-31T19:00:00Z", "System.ChangedBy": "Ada Byron <ada@example.com>",
    })
}

fn item(kind: &str, rev: i64, more: &Value) -> Value {
    let mut own = fields();
    own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    envelope(kind, &value!({"id": 7, "rev": rev, "fields": own}))
}

/// An update by its number, of a revision, with what else its resource has.
fn update(number: i64, rev: i64, more: &Value) -> Value {
    let revision = value!({"id": 7, "rev": rev, "fields": fields()});
    let mut resource = value!({"id": number, "workItemId": 7, "rev": rev, "revision": revision});
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    envelope("updated", &resource)
}

fn changed(fields: &Value) -> Value {
    value!({ "fields": fields })
}

fn linked(rel: &str) -> Value {
    let url = "https://dev.azure.com/fabrikam/_apis/wit/workItems/12";
    value!({"relations": {"added": [{"rel": rel, "url": url}]}})
}

fn rev_of(rev: i64) -> Value {
    changed(&value!({"System.Rev": {"oldValue": rev - 1, "newValue": rev}}))
}

fn ids(bodies: &[&Value]) -> BTreeSet<Uuid> {
    let all = bodies.iter().flat_map(|body| told(body));
    all.filter(|event| !event.header.kind.contains("incident")).map(|event| event.id).collect()
}

#[test]
fn each_fact_has_one_key_and_no_two_share_one() {
    let parent = "System.LinkTypes.Hierarchy-Reverse";
    let comment = |rev, number: i64| {
        let mut body = item("commented", rev, &value!({"System.History": "Look"}));
        body["resource"]["commentVersionRef"] = value!({"commentId": number, "version": 1});
        body
    };
    let late = |rev, number: i64| {
        let mut body = comment(rev, number);
        body["resource"]["fields"].as_object_mut().unwrap().remove("System.History");
        body
    };
    let old = |mut body: Value| {
        body["resourceVersion"] = "1.0".into();
        body["resource"].as_object_mut().unwrap().remove("commentVersionRef");
        body
    };
    let said = value!({
        "System.Rev": {"oldValue": 1, "newValue": 2}, "System.History": {"newValue": "Look"},
        "System.CommentCount": {"oldValue": 0, "newValue": 1},
    });
    let counted = changed(&value!({"System.RelatedLinkCount": {"oldValue": 0, "newValue": 1}}));
    let mut unnumbered = update(3, 2, &linked(parent));
    unnumbered["resource"]["id"] = Value::Null;
    unnumbered["resource"]["url"] = format!("https://x/{PROJECT}/_apis/wit/workItems/7/updates/3").into();
    for (what, facts, bodies) in [
        ("created, whatever its revision", 1, vec![item("created", 1, &value!({})), item("created", 3, &value!({}))]),
        ("a revision at two numbers", 1, vec![update(5, 4, &rev_of(4)), update(4, 4, &rev_of(4))]),
        ("two revisions", 2, vec![update(4, 4, &rev_of(4)), update(5, 5, &rev_of(5))]),
        ("a revision and a link after it", 2, vec![update(4, 2, &rev_of(2)), update(5, 2, &linked(parent))]),
        ("two links of one revision", 2, vec![update(2, 1, &linked(parent)), update(3, 1, &linked(parent))]),
        ("a link twice", 1, vec![update(3, 2, &linked(parent)), update(3, 2, &linked(parent))]),
        ("a link with its number in the address", 1, vec![update(3, 2, &linked(parent)), unnumbered]),
        ("a link that is counted", 2, vec![update(3, 2, &rev_of(2)), update(4, 2, &counted)]),
        ("an attachment without its fields", 1, vec![update(5, 4, &linked("AttachedFile")), update(5, 4, &rev_of(4))]),
        (
            "fields without their revision",
            1,
            vec![update(5, 4, &rev_of(4)), update(5, 4, &changed(&value!({"System.State": {"newValue": "Active"}})))],
        ),
        ("a comment beside the change saved with it", 2, vec![comment(2, 77), update(3, 2, &rev_of(2))]),
        ("a comment at two versions", 1, vec![comment(2, 77), old(comment(2, 77))]),
        ("a comment alone, by both of its hooks", 1, vec![comment(2, 77), update(3, 2, &changed(&said))]),
        ("two comments", 2, vec![comment(2, 77), comment(3, 78)]),
        ("two comments that are rendered late", 2, vec![late(5, 77), late(5, 78)]),
        ("a comment that is rendered late twice", 1, vec![late(5, 77), late(6, 77)]),
        ("a deletion twice", 1, vec![item("deleted", 3, &value!({})), item("deleted", 3, &value!({}))]),
        (
            "deleted, restored, deleted",
            3,
            vec![item("deleted", 3, &value!({})), item("restored", 4, &value!({})), item("deleted", 5, &value!({}))],
        ),
        ("deleted by the revision of a change", 2, vec![item("deleted", 3, &value!({})), update(3, 3, &rev_of(3))]),
    ] {
        let all: Vec<&Value> = bodies.iter().collect();
        assert_eq!(ids(&all).len(), facts, "{what}");
        let reversed: Vec<&Value> = bodies.iter().rev().collect();
        assert_eq!(ids(&all), ids(&reversed), "{what}");
    }
}

#[test]
fn the_links_of_one_revision_are_told_with_their_own_dates() {
    let names = ["link-1-of-revision-973-1", "link-2-of-revision-973-1", "link-3-of-revision-973-1"];
    let links = names.map(|name| of(&format!("workitem.updated/{name}.json")).remove(0));
    let times = links.iter().map(|event| json(event)["time"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(times, ["2026-03-31T18:40:00Z", "2026-03-31T18:45:00Z", "2026-03-31T18:50:00Z"]);
    assert_eq!(links.iter().map(|event| event.id).collect::<BTreeSet<_>>().len(), 3);
    let change = json(&of("workitem.updated/revision-973-2.json")[0]);
    let link = json(&of("workitem.updated/link-beside-revision-973-2.json")[0]);
    assert_ne!(change["id"], link["id"]);
    assert_eq!(azure(&change)["changes"], value!({"System.State": {"from": "To Do", "to": "Doing"}}));
    assert_eq!((&link["time"], &azure(&link)["updateNumber"]), (&value!("2026-03-31T19:30:00Z"), &value!(3)));
    assert_eq!(link["data"]["context"]["links"][0]["target"]["domainId"], {
        "cdevents:v0:azure-devops:dev.azure.com:fabrikam::issue:12"
    });
}

#[test]
fn a_comment_and_the_change_that_it_was_saved_with_are_both_told() {
    let comment = json(&of("workitem.commented/saved-with-a-change-980.json")[0]);
    let change = json(&of("workitem.updated/saved-with-a-comment-980.json")[0]);
    assert_ne!(comment["id"], change["id"]);
    assert_eq!((&azure(&comment)["comment"], &azure(&comment)["commentId"]), (&value!("please look"), &value!(77)));
    assert_eq!(azure(&change)["changes"]["System.AssignedTo"], value!({"to": "c@d.com"}));
}

#[test]
fn an_attachment_is_one_fact_in_the_project_that_its_addresses_name() {
    let [bare, null] = ["attached-without-fields", "attached-with-null-fields"]
        .map(|name| json(&of(&format!("workitem.updated/{name}.json"))[0]));
    assert_eq!((&bare["id"], &bare["source"]), (&null["id"], &null["source"]));
    assert_eq!(bare["source"], format!("https://dev.azure.com/fabrikam/{PROJECT}"));
}

#[test]
fn every_changed_field_is_told_with_what_it_was_and_is() {
    let changes = |name: &str| azure(&json(&of(&format!("workitem.updated/{name}.json"))[0]))["changes"].clone();
    for (name, wanted) in [
        ("old-values-1", value!({"System.AssignedTo": {"from": "john@example.com", "to": "bill@example.com"}})),
        ("old-values-2", value!({"System.AssignedTo": {"from": "bill@example.com"}})),
        (
            "old-values-3",
            value!({
                "Microsoft.VSTS.Common.Priority": {"from": 3, "to": 1},
                "System.Tags": {"to": "outage; urgent"},
                "System.Title": {"from": "Old title", "to": "New title"},
            }),
        ),
        ("assigned-after", value!({"System.AssignedTo": {"from": "bill@example.com", "to": "carla@example.com"}})),
        ("assigned-before", value!({"System.AssignedTo": {"to": "bill@example.com"}})),
    ] {
        assert_eq!(changes(name), wanted, "{name}");
    }
    // A person is one word at every version, and what only looks like one stays as it is.
    let person = value!({"displayName": "Ada Byron", "uniqueName": "Ada Byron <ada@example.com>"});
    for (name, old, new, wanted) in [
        (
            "System.AssignedTo",
            value!("Bob <bob@example.com>"),
            person,
            value!({"from": "bob@example.com", "to": "ada@example.com"}),
        ),
        (
            "System.Title",
            value!("Mail of Bob <bob@example.com>"),
            Value::Null,
            value!({"from": "Mail of Bob <bob@example.com>"}),
        ),
        ("Custom.Effort", value!(1.5), value!(2), value!({"from": 1.5, "to": 2})),
        ("Custom.IsBlocked", value!(true), value!(false), value!({"from": true, "to": false})),
        ("Custom.Code", value!("007"), value!("7"), value!({"from": "007", "to": "7"})),
        ("System.ChangedDate", value!("a"), value!("b"), Value::Null),
        ("System.AreaId", value!(1), value!(2), Value::Null),
        ("System.AreaLevel2", value!("a"), value!("b"), Value::Null),
    ] {
        let body = update(2, 2, &changed(&value!({ name: {"oldValue": old, "newValue": new} })));
        assert_eq!(azure(&one(&body))["changes"][name], wanted, "{name}");
    }
}

#[test]
fn changes_are_bounded_in_number_and_bytes_and_what_is_cut_is_marked() {
    let long = "ä".repeat(5_000);
    let body = update(2, 2, &changed(&value!({"System.Description": {"oldValue": "short", "newValue": long}})));
    let event = one(&body);
    let change = &azure(&event)["changes"]["System.Description"];
    assert_eq!((&change["from"], &change["cut"]), (&value!("short"), &value!(["to"])));
    assert_eq!(change["to"].as_str().unwrap().len(), 2_000);
    let many: serde_json::Map<String, Value> =
        (0..300).map(|n| (format!("Custom.F{n}"), value!({"newValue": n}))).collect();
    let event = one(&update(2, 2, &changed(&Value::Object(many))));
    assert_eq!(azure(&event)["changes"].as_object().unwrap().len(), 100);
    assert_eq!(azure(&event)["changesLeftOut"], 200);
    let heavy: serde_json::Map<String, Value> =
        (0..60).map(|n| (format!("Custom.F{n}"), value!({"newValue": "x".repeat(10_000)}))).collect();
    let mut heavy = Value::Object(heavy);
    heavy["System.State"] = value!({"oldValue": "New", "newValue": "Active"});
    let event = one(&update(2, 2, &changed(&heavy)));
    assert!(azure(&event)["changes"].to_string().len() < 40_000);
    assert_eq!(azure(&event)["changes"]["System.State"]["to"], "Active", "the longest go first");
}

#[test]
fn people_are_led_to_a_page_and_machines_to_the_api_and_both_to_the_connections_host() {
    let page = |number: i64| format!("https://dev.azure.com/fabrikam/{PROJECT}/_workitems/edit/{number}");
    for name in ["workitem.created/page-of-61", "workitem.updated/page-of-61", "workitem.updated/page-of-61-too"] {
        let event = json(&of(&format!("{name}.json"))[0]);
        assert_eq!(event["data"]["subject"]["content"]["uri"], page(61), "{name}");
    }
    let elsewhere = |mut body: Value| {
        body["resource"]["url"] = "https://evil.example/x/_apis/wit/workItems/7".into();
        body["resource"]["_links"] = value!({"html": {"href": "https://evil.example/page"}});
        body
    };
    for (body, api) in [
        (item("created", 1, &value!({})), "wit/workItems/7"),
        (item("commented", 2, &value!({"System.History": "a"})), "wit/workItems/7"),
        (update(2, 2, &rev_of(2)), "wit/workItems/7"),
        (item("deleted", 3, &value!({})), "wit/recyclebin/7"),
        (item("restored", 4, &value!({})), "wit/workItems/7"),
    ] {
        let event = one(&elsewhere(body));
        assert_eq!(event["data"]["subject"]["content"]["uri"], page(7));
        assert_eq!(azure(&event)["apiUrl"], format!("https://dev.azure.com/fabrikam/{PROJECT}/_apis/{api}"));
        assert!(!event.to_string().contains("evil.example"), "{event}");
    }
}

#[test]
fn whoever_did_it_is_told_by_one_word_at_every_version() {
    let by = |form: &Value| {
        let mut body = update(2, 2, &rev_of(2));
        body["resource"]["revisedBy"] = form.clone();
        one(&body)["data"]["subject"]["content"]["updatedBy"].clone()
    };
    for form in [
        value!({"id": "1", "name": "Bob Roe <bob@example.com>", "displayName": "Bob Roe"}),
        value!({"displayName": "Bob Roe", "uniqueName": "Bob Roe <bob@example.com>"}),
        value!({"displayName": "Bob Roe", "uniqueName": "bob@example.com", "descriptor": "aad.x"}),
        value!("Bob Roe <bob@example.com>"),
    ] {
        assert_eq!(by(&form), "bob@example.com", "{form}");
    }
    assert_eq!(by(&Value::Null), "ada@example.com", "the revision says it too");
    let created = json(&of("workitem.created/page-of-61.json")[0]);
    assert_eq!(azure(&created)["changedBy"]["uniqueName"], "ada@example.com");
    for number in 1..=4 {
        let event = json(&of(&format!("workitem.created/assigned-when-created-{number}.json"))[0]);
        let content = &event["data"]["subject"]["content"];
        assert_eq!(content["assignees"][0], content["creator"], "{number}");
    }
}

#[test]
fn deletions_and_links_have_their_place_in_the_order_of_the_item() {
    let before = |body: &Value| {
        let place = told(body).iter().find_map(place).unwrap();
        let Entity::WorkItem { rev, .. } = place.entity else { panic!("{place:?}") };
        match place.before {
            Before::OneOf(ids) => (rev, ids),
            other => panic!("{other:?}"),
        }
    };
    let id = |body: &Value| told(body)[0].id;
    let (created, second) = (item("created", 1, &value!({})), update(2, 2, &rev_of(2)));
    let link = "System.LinkTypes.Related";
    for (what, body, earlier, rev) in [
        ("the second revision", &second, &created, 2),
        ("a deletion", &item("deleted", 3, &value!({})), &second, 3),
        ("a deletion that made no revision", &item("deleted", 2, &value!({})), &second, 2),
        ("a restoration", &item("restored", 4, &value!({})), &item("deleted", 3, &value!({})), 4),
        ("a change after it", &update(5, 5, &rev_of(5)), &item("restored", 4, &value!({})), 5),
        ("a link of the first revision", &update(2, 1, &linked(link)), &created, 2),
        ("a link of the second", &update(3, 2, &linked(link)), &second, 3),
        ("a comment", &item("commented", 3, &value!({"System.History": "a"})), &second, 3),
        ("a comment beside its change", &item("commented", 2, &value!({"System.History": "a"})), &second, 2),
    ] {
        let (at, ids) = before(body);
        assert_eq!(at, rev, "{what}");
        assert!(ids.contains(&id(earlier)) && !ids.contains(&id(body)), "{what}");
    }
    let [created, updated, deleted] =
        ["created", "updated", "deleted"].map(|kind| of(&format!("workitem.{kind}/gone-soon.json")).remove(0));
    let ids = |event: &Event| match place(event).unwrap().before {
        Before::OneOf(ids) => ids,
        other => panic!("{other:?}"),
    };
    assert!(ids(&updated).contains(&created.id) && ids(&deleted).contains(&updated.id));
    assert_eq!(json(&deleted)["time"], "2026-11-28T09:20:00Z");
    assert!(place(&told(&envelope("deleted", &value!({"id": 7})))[0]).is_none());
    // A hook whose revision is the one before is found by the records all the same.
    assert!(otherwise_told(&told(&item("deleted", 3, &value!({})))[0]).contains(&id(&item("deleted", 2, &value!({})))));
}

#[test]
fn an_item_that_changes_its_type_is_closed_when_its_state_becomes_done() {
    let kinds: Vec<String> = (2..=6)
        .map(|number| of(&format!("workitem.updated/type-changed-{number}.json"))[0].header.kind.clone())
        .map(|kind| kind.trim_start_matches("dev.cdevents.ticket.").trim_end_matches(".0.2.0").to_owned())
        .collect();
    assert_eq!(kinds, ["closed", "updated", "closed", "updated", "updated"]);
}

#[test]
fn what_a_work_item_says_keeps_control_characters_out_of_attributes_and_names() {
    for text in ["a\u{0}b", "a\r\nb", "\u{85}"] {
        let mut body = item("created", 1, &value!({"System.Title": text, "System.AreaPath": text}));
        body["id"] = text.into();
        let event = one(&body);
        for attribute in ["source", "subject", "partitionkey", "type", "id", "time"] {
            assert!(!event[attribute].as_str().unwrap().chars().any(char::is_control), "{attribute} {text:?}");
        }
    }
}
