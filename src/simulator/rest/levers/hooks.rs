//! Subscriptions, behind the back of who made them.

use super::{Wish, no_lever};
use crate::simulator::{
    Impossible, Simulator,
    rest::{Answer, Outcome},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Most subscriptions that one call makes.
const SUBSCRIPTIONS_AT_ONCE_MAX: usize = 10_000;
const STATES: [&str; 4] = ["enabled", "disabledByUser", "disabledBySystem", "onProbation"];

/// All of them, with masked secrets.
pub(in super::super) fn all(simulator: &Simulator) -> Value {
    let shown = |own: crate::azure::client::Subscription| {
        json!({
            "id": own.id, "publisher": own.publisher, "event_type": own.event_type, "status": own.status,
            "publisher_inputs": own.publisher_inputs, "consumer_inputs": own.consumer_inputs,
        })
    };
    simulator.hooks().subscriptions().into_iter().map(shown).collect()
}

pub(super) fn pull(simulator: &Simulator, lever: &str, rest: &[&str], wish: &Wish) -> Outcome {
    let hooks = simulator.hooks();
    if let ("subscriptions", []) = (lever, rest) {
        let count = wish.count.unwrap_or(1).min(SUBSCRIPTIONS_AT_ONCE_MAX);
        hooks.add_bulk(count);
        return Ok(Answer::json(json!({"count": count})));
    }
    let ("hook", [id, what @ ..]) = (lever, rest) else { return Err(no_lever(lever)) };
    let absent = || Impossible::Absent(format!("subscription {id}"));
    let id: Uuid = id.parse().map_err(|_| absent())?;
    if !hooks.subscriptions().iter().any(|own| own.id == id.to_string()) {
        return Err(absent().into());
    }
    match what {
        [] => {
            if let Some(url) = &wish.url {
                hooks.edit(id, |draft| drop(draft.consumer_inputs.insert("url".to_owned(), url.clone())));
            }
            if wish.state.is_some() {
                match super::one_of(wish.state.as_deref(), &STATES)? {
                    "disabledByUser" => hooks.disable_by_user(id),
                    "disabledBySystem" => hooks.disable_by_system(id),
                    "onProbation" => hooks.put_on_probation(id),
                    _ => hooks.enable(id),
                }
            }
            Ok(Answer::json(json!({"id": id})))
        }
        ["duplicate"] => Ok(Answer::json(json!({"id": hooks.duplicate(id).ok_or_else(absent)?}))),
        ["delete"] => {
            hooks.delete(id);
            Ok(Answer::json(json!({"id": id})))
        }
        _ => Err(no_lever(lever)),
    }
}
