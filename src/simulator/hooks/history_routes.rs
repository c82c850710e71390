//! The routes of the notification history and of test notifications.

use super::{
    Draft, Notification,
    agenda::Job,
    catalogue,
    draft::Inputs,
    envelope::sample_envelope,
    history::Wanted,
    sample::sample_id,
    subscription_routes::{asked_for, require},
};
use crate::simulator::{
    Simulator,
    forget::Of,
    instance::locked,
    occurrence::{Occurrence, Subject},
    people::hook_rights,
    rest::{Answer, Call, Outcome, Refusal},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

/// How many notifications a listing has where it does not say.
const LISTED: usize = 100;

fn shown(simulator: &Simulator, call: &Call, own: &Notification, with_details: bool) -> Value {
    let details = with_details.then(|| (simulator.hooks.0.shown_event(own), simulator.hooks.0.shown_body(own)));
    own.json(call.version, details)
}

/// Copies, so that no two locks are held at a time when they are rendered.
fn found(simulator: &Simulator, call: &Call, mut wanted: Wanted) -> Vec<Notification> {
    let (now, switches) = (simulator.instance.now(), simulator.hooks.0.switches());
    wanted.max = Some(wanted.max.unwrap_or(LISTED).min(switches.history_results_max.unwrap_or(usize::MAX)));
    wanted.oldest_first = switches.history_oldest_first;
    wanted.forgotten = call.forgotten.clone();
    let mut state = simulator.hooks.0.state();
    state.history.keep(switches.history_days);
    state.history.forget(now);
    state.history.list(&wanted).into_iter().cloned().collect()
}

pub(super) fn list(simulator: &Simulator, call: &Call) -> Outcome {
    let own = asked_for(simulator, call)?;
    let wanted = Wanted {
        subscriptions: BTreeSet::from([own.id]),
        status: call.query("status").map(str::to_owned),
        result: call.query("result").map(str::to_owned),
        max: call.query_as("maxResults")?,
        ..Wanted::default()
    };
    let found = found(simulator, call, wanted);
    Ok(Answer::list(found.iter().map(|own| shown(simulator, call, own, false)).collect()))
}

fn absent(call: &Call) -> Refusal {
    let message = format!("The notification {} could not be found.", call.parameter("notification"));
    Refusal::not_found("NotificationNotFoundException", &message)
}

pub(super) fn one(simulator: &Simulator, call: &Call) -> Outcome {
    let own = asked_for(simulator, call)?;
    let number: u32 = call.parameter_as("notification")?;
    let (now, days) = (simulator.instance.now(), simulator.instance.faults().hooks.history_days);
    let found = {
        let mut state = simulator.hooks.0.state();
        state.history.keep(days);
        state.history.forget(now);
        let known = state.history.of(own.id, number);
        known.filter(|known| !call.forgotten.hides(known.created, &known.occurrence.of)).cloned()
    };
    Ok(Answer::json(shown(simulator, call, &found.ok_or_else(|| absent(call))?, true)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    #[serde(default)]
    subscription_ids: Option<Vec<Uuid>>,
    min_created_date: Option<Timestamp>,
    max_created_date: Option<Timestamp>,
    status: Option<String>,
    result_type: Option<String>,
    max_results: Option<usize>,
    max_results_per_subscription: Option<usize>,
    #[serde(default)]
    include_details: Option<bool>,
    publisher_id: Option<String>,
}

pub(super) fn query(simulator: &Simulator, call: &Call) -> Outcome {
    let query: Query = call.json()?;
    let asked: BTreeSet<Uuid> = query.subscription_ids.into_iter().flatten().collect();
    let subscriptions: BTreeSet<Uuid> = {
        let state = simulator.hooks.0.state();
        let of_publisher =
            |own: &Draft| query.publisher_id.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(&own.publisher));
        let may = |own: &Draft| call.caller.person.may(own.project(), hook_rights::VIEW);
        let all = state.subscriptions.values().filter(|own| asked.is_empty() || asked.contains(&own.id));
        all.filter(|own| of_publisher(&own.draft) && may(&own.draft)).map(|own| own.id).collect()
    };
    let wanted = Wanted {
        subscriptions: subscriptions.clone(),
        from: query.min_created_date,
        until: query.max_created_date,
        status: query.status,
        result: query.result_type,
        max: query.max_results,
        max_per_subscription: query.max_results_per_subscription,
        ..Wanted::default()
    };
    // An empty list of subscriptions would be all of them, and the tests as well.
    let found = if subscriptions.is_empty() { Vec::new() } else { found(simulator, call, wanted) };
    let mut counts: BTreeMap<Uuid, BTreeMap<&str, u32>> = BTreeMap::new();
    for own in &found {
        *counts.entry(own.subscription).or_default().entry(own.result.word()).or_default() += 1;
    }
    let summary = counts.into_iter().map(|(id, results)| {
        let results: Vec<Value> =
            results.into_iter().map(|(word, count)| json!({"result": word, "notificationCount": count})).collect();
        json!({"subscriptionId": id, "results": results})
    });
    let with_details = query.include_details.unwrap_or_default();
    let mut answer: Value = call.json()?;
    answer["summary"] = summary.collect();
    answer["results"] = found.iter().map(|own| shown(simulator, call, own, with_details)).collect();
    Ok(Answer::json(answer))
}

#[derive(Deserialize)]
struct Test {
    details: Details,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    publisher_id: String,
    event_type: String,
    consumer_id: String,
    consumer_action_id: String,
    #[serde(default)]
    publisher_inputs: Inputs,
    #[serde(default)]
    consumer_inputs: Inputs,
    #[serde(default)]
    event: Option<TestEvent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestEvent {
    resource_version: Option<String>,
}

/// Sends a sample, or the last event of the type where real data are asked for and there was one.
pub(super) fn test(simulator: &Simulator, call: &Call) -> Outcome {
    let details = call.json::<Test>()?.details;
    let draft = Draft {
        publisher: details.publisher_id,
        event_type: details.event_type,
        resource_version: details.event.and_then(|event| event.resource_version),
        consumer: details.consumer_id,
        action: details.consumer_action_id,
        publisher_inputs: details.publisher_inputs,
        consumer_inputs: details.consumer_inputs,
    };
    require(call, draft.project(), hook_rights::EDIT)?;
    let instance = &simulator.instance;
    draft.check(instance, call.host, &simulator.hooks.0.switches())?;
    let edition = instance.options.edition;
    let kind = catalogue::event_type(edition, call.host, &draft.publisher, &draft.event_type);
    let kind = kind.expect("the check found the event type");
    let now = instance.now();
    let made = {
        let mut state = simulator.hooks.0.state();
        state.tests += 1;
        let number = state.tests;
        let real = state.latest.get(kind.id).filter(|_| call.is_on("useRealData")).cloned();
        let event = real.is_none().then(|| Arc::new(sample_envelope(number, &draft, kind)));
        let occurrence = real.unwrap_or_else(|| {
            Arc::new(Occurrence {
                id: sample_id(kind.id),
                event_type: kind.id,
                publisher: kind.publisher,
                project: Uuid::nil(),
                title: format!("sample of {}", kind.id),
                facts: BTreeMap::new(),
                of: Of::default(),
                subject: Subject::Frozen { resource: Value::Null },
            })
        });
        let mut notification =
            Notification::new((Uuid::nil(), number), occurrence.id, Arc::new(draft), occurrence, now);
        notification.event = event;
        state.history.add(notification.clone(), now);
        state.agenda.add(now, Job { subscription: Uuid::nil(), notification: number, is_probe: false });
        notification
    };
    simulator.hooks.stir();
    Ok(Answer::json(shown(simulator, call, &made, true)))
}

/// What came of a test.
pub(super) fn tested(simulator: &Simulator, call: &Call) -> Outcome {
    let number: u32 = call.parameter_as("notification")?;
    let found = locked(&simulator.hooks.0.state).history.of(Uuid::nil(), number).cloned();
    Ok(Answer::json(shown(simulator, call, &found.ok_or_else(|| absent(call))?, true)))
}
