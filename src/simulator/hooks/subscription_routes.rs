//! The routes of subscriptions.

use super::{
    Draft,
    draft::Sent,
    misbehaviour::Unviewed,
    query::Query,
    subscription::{Subscription, date, status_word},
};
use crate::{
    azure::client::SubscriptionStatus,
    simulator::{
        Simulator,
        faults::ScopeRefusal,
        options::Edition,
        payload::View,
        people::{Scope, hook_rights},
        rest::{Answer, Call, Outcome, Refusal},
        site::Site,
    },
};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

/// How long delivery tracing lasts once it is switched on.
const TRACING: SignedDuration = SignedDuration::from_hours(1);

/// Refuses who does not hold a right on the hooks of a project or of the collection, in Azure's words.
pub(super) fn require(call: &Call, project: Option<Uuid>, right: u32) -> Outcome<()> {
    if call.caller.person.may(project, right) {
        return Ok(());
    }
    let name = match right {
        hook_rights::VIEW => "View Subscriptions",
        hook_rights::DELETE => "Delete Subscriptions",
        _ => "Edit Subscription",
    };
    let resource = project.map(|id| format!("/{id}")).unwrap_or_default();
    Err(Refusal::forbidden(
        "AccessCheckException",
        &format!(
            "Access Denied: {} needs the following permission(s) on the resource PublisherSecurity{resource} to \
             perform this action: {name}",
            call.caller.person.name
        ),
    ))
}

/// Hooks of releases want the scope of releases besides, those of alerts that of Advanced Security.
fn require_scope(simulator: &Simulator, call: &Call) -> Outcome<()> {
    let is_cloud = simulator.instance.options.edition == Edition::Services;
    let besides: &[Scope] = match call.host {
        Site::Main | Site::Audit => &[],
        Site::Release => &[Scope::Release],
        Site::Security => &[Scope::AdvancedSecurity],
    };
    if is_cloud && !call.caller.has(besides) {
        let message =
            format!("TF400813: The user '{}' is not authorized to access this resource.", call.caller.person.id);
        let status = match simulator.instance.faults().scope_refusal {
            ScopeRefusal::Unauthorized | ScopeRefusal::SignInPage => StatusCode::UNAUTHORIZED,
            ScopeRefusal::Forbidden => StatusCode::FORBIDDEN,
        };
        return Err(Refusal::new(status, "UnauthorizedRequestException", &message));
    }
    Ok(())
}

/// The subscription of the path, if this host shows it to the caller.
pub(super) fn asked_for(simulator: &Simulator, call: &Call) -> Outcome<Subscription> {
    require_scope(simulator, call)?;
    let text = call.parameter("subscription");
    let found = text.parse().ok().and_then(|id: Uuid| simulator.hooks.0.state().subscriptions.get(&id).cloned());
    let absent = || absent(text);
    let found = found.filter(|own| is_shown(simulator, call, own)).ok_or_else(absent)?;
    let viewed = require(call, found.draft.project(), hook_rights::VIEW);
    match (viewed, simulator.hooks.0.switches().unviewed) {
        (Ok(()), _) => Ok(found),
        (Err(_), Unviewed::Own) if found.created_by == call.caller.person.id => Ok(found),
        (Err(_), Unviewed::Absent) => Err(absent()),
        (Err(refusal), _) => Err(refusal),
    }
}

fn absent(id: &str) -> Refusal {
    let message = format!("The service hooks subscription {id} could not be found.");
    Refusal::not_found("SubscriptionNotFoundException", &message)
}

/// Whether it was made so lately that not everything knows of it.
fn is_new(simulator: &Simulator, own: &Subscription, late_seconds: Option<u32>) -> bool {
    let late = SignedDuration::from_secs(late_seconds.unwrap_or_default().into());
    simulator.instance.now().duration_since(own.created) < late
}

/// In the cloud each host shows its own publishers' subscriptions only.
fn is_shown(simulator: &Simulator, call: &Call, own: &Subscription) -> bool {
    simulator.instance.options.edition != Edition::Services || own.host == call.host
}

fn shown(simulator: &Simulator, call: &Call, own: &Subscription) -> Value {
    let world = simulator.instance.world();
    own.json(&call.place, View { place: &call.place, people: &world.people }, call.version)
}

/// Those that the caller may see and a filter lets through. They are copied so that no two locks are held at a time.
fn visible(simulator: &Simulator, call: &Call, filter: impl Fn(&Draft) -> bool) -> Vec<Subscription> {
    let late = simulator.hooks.0.switches().listed_late_seconds;
    let state = simulator.hooks.0.state();
    let may = |own: &&Subscription| call.caller.person.may(own.draft.project(), hook_rights::VIEW);
    let all = state.subscriptions.values().filter(|own| is_shown(simulator, call, own) && filter(&own.draft));
    all.filter(may).filter(|own| !is_new(simulator, own, late)).cloned().collect()
}

pub(super) fn list(simulator: &Simulator, call: &Call) -> Outcome {
    require_scope(simulator, call)?;
    let fits = |name: &str, value: &str| call.query(name).is_none_or(|asked| asked.eq_ignore_ascii_case(value));
    let found = visible(simulator, call, |draft| {
        fits("publisherId", &draft.publisher)
            && fits("eventType", &draft.event_type)
            && fits("consumerId", &draft.consumer)
            && fits("consumerActionId", &draft.action)
    });
    Ok(Answer::list(found.iter().map(|own| shown(simulator, call, own)).collect()))
}

pub(super) fn one(simulator: &Simulator, call: &Call) -> Outcome {
    let own = asked_for(simulator, call)?;
    if is_new(simulator, &own, simulator.hooks.0.switches().known_late_seconds) {
        return Err(absent(call.parameter("subscription")));
    }
    Ok(Answer::json(shown(simulator, call, &own)))
}

pub(super) fn create(simulator: &Simulator, call: &Call) -> Outcome {
    require_scope(simulator, call)?;
    let instance = &simulator.instance;
    let draft = Draft::from(call.json::<Sent>()?);
    require(call, draft.project(), hook_rights::EDIT)?;
    draft.check(instance, call.host, &simulator.hooks.0.switches())?;
    let (by, now, collection) = (call.caller.person.id, instance.now(), instance.options.collection_id());
    let made = {
        let mut state = simulator.hooks.0.state();
        let id = state.add(draft, call.host, by, collection, now);
        state.subscriptions[&id].clone()
    };
    Ok(Answer::json(shown(simulator, call, &made)))
}

/// Everything is replaced by what is sent, a masked secret by its mask. A status that is not sent stays.
pub(super) fn replace(simulator: &Simulator, call: &Call) -> Outcome {
    let own = asked_for(simulator, call)?;
    require(call, own.draft.project(), hook_rights::EDIT)?;
    let sent: Sent = call.json()?;
    let status = match sent.status.as_deref() {
        None => None,
        Some("enabled") => Some(SubscriptionStatus::Enabled),
        Some("disabledByUser") => Some(SubscriptionStatus::DisabledByUser),
        // What the server sets itself comes back with what was read.
        Some(word) if word == status_word(own.status) => None,
        Some(word) => {
            let message = format!("The subscription status cannot be set to {word}.");
            return Err(Refusal::bad_request("SubscriptionInputException", &message));
        }
    };
    let mut draft = Draft::from(sent);
    let kept = |draft: &Draft| (draft.publisher.clone(), draft.consumer.clone(), draft.action.clone());
    if kept(&draft) != kept(&own.draft) {
        let message = "The publisher, consumer and consumer action of a subscription cannot be changed.";
        return Err(Refusal::bad_request("SubscriptionInputException", message));
    }
    require(call, draft.project(), hook_rights::EDIT)?;
    let instance = &simulator.instance;
    draft.check(instance, call.host, &simulator.hooks.0.switches())?;
    for id in ["tfsSubscriptionId", "hostId"] {
        if let Some(value) = own.draft.publisher_input(id) {
            draft.publisher_inputs.insert(id.to_owned(), value.to_owned());
        }
    }
    let now = instance.now();
    let replaced = {
        let mut state = simulator.hooks.0.state();
        if let Some(status) = status.filter(|status| *status != own.status) {
            state.set_status(own.id, status, now);
        }
        let found = state.subscriptions.get_mut(&own.id).map(|found| {
            (found.draft, found.modified, found.modified_by) = (draft, now, call.caller.person.id);
            found.clone()
        });
        found.unwrap_or(own)
    };
    simulator.hooks.stir();
    Ok(Answer::json(shown(simulator, call, &replaced)))
}

pub(super) fn delete(simulator: &Simulator, call: &Call) -> Outcome {
    let own = asked_for(simulator, call)?;
    let of_its_own = simulator.hooks.0.switches().delete_needs_its_own_right;
    require(call, own.draft.project(), if of_its_own { hook_rights::DELETE } else { hook_rights::EDIT })?;
    simulator.hooks.delete(own.id);
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) fn query(simulator: &Simulator, call: &Call) -> Outcome {
    require_scope(simulator, call)?;
    let query: Query = call.json()?;
    let found = visible(simulator, call, |draft| query.has(draft));
    let results: Vec<Value> = found.iter().map(|own| shown(simulator, call, own)).collect();
    let mut answer: Value = call.json()?;
    answer["results"] = results.into();
    Ok(Answer::json(answer))
}

pub(super) fn diagnostics(simulator: &Simulator, call: &Call) -> Outcome {
    let own = asked_for(simulator, call)?;
    Ok(traced(simulator, own.tracing))
}

fn traced(simulator: &Simulator, enabled: bool) -> Answer {
    let now = simulator.instance.now();
    Answer::json(json!({"deliveryTracing": {
        "enabled": enabled, "startDate": date(now), "endDate": date(now + TRACING), "maxTracedEntries": 25,
    }}))
}

pub(super) fn set_diagnostics(simulator: &Simulator, call: &Call) -> Outcome {
    let own = asked_for(simulator, call)?;
    require(call, own.draft.project(), hook_rights::EDIT)?;
    let sent: Value = call.json()?;
    let enabled = sent["deliveryTracing"]["enabled"].as_bool().unwrap_or(own.tracing);
    if let Some(own) = simulator.hooks.0.state().subscriptions.get_mut(&own.id) {
        own.tracing = enabled;
    }
    Ok(traced(simulator, enabled))
}
