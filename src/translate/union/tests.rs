use super::*;
use crate::domain::{ConnectionId, NotificationId};
use proptest::prelude::*;
use serde_json::json;

/// A telling of one fact, of random words.
fn told(kind: &str, seed: [u8; 8]) -> Event {
    let [of, time, result, start, job, links, list, id] = seed;
    let is_run = kind.starts_with("dev.cdevents.pipelinerun.");
    let state = if is_run { "ms.vss-pipelines.run-state-changed-event" } else { "git.pullrequest.created" };
    let (event_type, event_id) = match of % 4 {
        0 => ("build.complete", Some("a")),
        1 => (state, Some("b")),
        2 => ("build.complete", None),
        _ => (state, None),
    };
    let mut azure = json!({ "eventType": event_type, "mapping": 2 });
    let mut put = |name: &str, value: Value| drop(azure.as_object_mut().unwrap().insert(name.to_owned(), value));
    if let Some(event_id) = event_id {
        put("eventId", json!(format!("{event_id}{}", id % 3)));
    }
    for (name, value) in [("result", result), ("startTime", start)] {
        if value % 4 > 0 {
            put(name, json!(format!("{name} {}", value % 4)));
        }
    }
    if job % 3 > 0 {
        put("job", json!({ "name": format!("job {}", job % 3), "id": job % 2 }));
    }
    if list % 3 > 0 {
        put("tags", json!([list % 3]));
    }
    if time % 5 == 0 {
        put(UNKNOWN, json!(true));
    }
    let at = format!("2026-01-01T00:00:0{}Z", time % 5);
    let link = |n: u8| json!({ "linkType": "RELATION", "target": { "domainId": n } });
    let links: Vec<Value> = (0..links % 3).map(link).collect();
    let json = json!({
        "id": Uuid::nil(), "source": "s", "subject": "t", "type": kind, "time": at,
        "data": {
            "context": { "id": Uuid::nil(), "timestamp": at, "links": links }, "subject": { "id": "t", "content": {} },
            "customData": { "azuredevops": azure, "hookwell": { "connection": Uuid::nil(), "projects": [] } },
        },
    });
    let header = Header {
        kind: kind.to_owned(),
        connection: ConnectionId(Uuid::nil()),
        projects: Vec::new(),
        notification: NotificationId(Uuid::nil()),
        recovered: None,
        filled: BTreeMap::new(),
    };
    Event { id: Uuid::nil(), header, json: json.to_string().into() }
}

fn together(all: &[&Event]) -> (Value, Vec<Value>, BTreeMap<String, u8>, bool) {
    let mut read = all.iter().map(|event| Telling::read(event).unwrap());
    let first = read.next().unwrap();
    ended(read.fold(first, |whole, next| whole.and(&next)))
}

/// The order of links says nothing.
fn ended(mut whole: Telling) -> (Value, Vec<Value>, BTreeMap<String, u8>, bool) {
    list(&mut whole.said).unwrap().sort_by_cached_key(Value::to_string);
    (whole.said, whole.itself, whole.filled, whole.is_unknown)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tellings_come_to_the_same_in_whatever_order_and_grouping(
        seeds in prop::array::uniform3(any::<[u8; 8]>()),
        is_run in any::<bool>(),
    ) {
        let kind = if is_run { "dev.cdevents.pipelinerun.finished.0.3.0" } else { "dev.cdevents.change.created.0.4.0" };
        let all = seeds.map(|seed| told(kind, seed));
        let wanted = together(&[&all[0], &all[1], &all[2]]);
        for [a, b, c] in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            prop_assert_eq!(&together(&[&all[a], &all[b], &all[c]]), &wanted);
        }
        let [first, second, third] = [0, 1, 2].map(|at: usize| Telling::read(&all[at]).unwrap());
        let grouped = first.and(&second.and(&third));
        prop_assert_eq!(&ended(grouped), &wanted);
        // Once more, and as it is kept in between.
        prop_assert_eq!(&together(&[&all[0], &all[1], &all[2], &all[1]]), &wanted);
        let once = union(Uuid::nil(), &all[0], &all[1]).unwrap_or_else(|| all[0].clone());
        prop_assert!(union(Uuid::nil(), &once, &once).is_none());
    }

    #[test]
    fn what_is_kept_of_two_tellings_is_what_they_are_together(seeds in prop::array::uniform3(any::<[u8; 8]>())) {
        let all = seeds.map(|seed| told("dev.cdevents.pipelinerun.finished.0.3.0", seed));
        if let Some(kept) = union(Uuid::nil(), &all[0], &all[1]) {
            prop_assert_eq!(together(&[&kept, &all[2]]), together(&[&all[0], &all[1], &all[2]]));
        }
    }
}

#[test]
fn a_build_counts_more_than_its_run_and_a_hook_more_than_a_record_but_of_runs() {
    let run = |of: u8, result: u8| told("dev.cdevents.pipelinerun.finished.0.3.0", [of, 1, result, 0, 0, 0, 0, 0]);
    let result = |event: &Event| {
        let json: Value = serde_json::from_slice(&event.json).unwrap();
        json["data"]["customData"]["azuredevops"]["result"].clone()
    };
    let both = |one: &Event, other: &Event| union(Uuid::nil(), one, other).unwrap_or_else(|| one.clone());
    for (higher, lower) in [(0, 1), (0, 3), (3, 1)] {
        let (high, low) = (run(higher, 1), run(lower, 2));
        assert_eq!([result(&both(&high, &low)), result(&both(&low, &high))], [json!("result 1"), json!("result 1")]);
    }
    let change = |of: u8, result: u8| told("dev.cdevents.change.created.0.4.0", [of, 1, result, 0, 0, 0, 0, 0]);
    let (hook, record) = (change(1, 1), change(3, 2));
    assert_eq!([result(&both(&hook, &record)), result(&both(&record, &hook))], [json!("result 1"), json!("result 1")]);
}
