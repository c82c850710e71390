//! What may be put into the inputs of a subscription, as the dialogue that makes one asks for it.

use super::{
    catalogue::{self, Takes},
    describe,
    draft::Inputs,
};
use crate::simulator::{
    Simulator,
    rest::{Answer, Call, Outcome, Refusal},
    world::{World, kinds},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// By the publisher in the path; what was chosen so far is in `currentValues`.
pub(super) fn of_publisher(simulator: &Simulator, call: &Call) -> Outcome {
    let (publisher, _, _) = describe::asked_for(simulator, call)?;
    let query: Value = call.json()?;
    let chosen = query.get("currentValues").cloned().unwrap_or_default();
    answer(simulator, call, publisher, query, &chosen)
}

/// By the subscription in the body.
pub(super) fn of_subscription(simulator: &Simulator, call: &Call) -> Outcome {
    let query: Value = call.json()?;
    let subscription = query.get("subscription").filter(|own| own.is_object()).ok_or_else(|| {
        Refusal::bad_request("ArgumentNullException", "Value cannot be null. Parameter name: query.Subscription")
    })?;
    let publisher = subscription["publisherId"].as_str().unwrap_or_default().to_owned();
    if !catalogue::serves(simulator.instance.options.edition, call.host, &publisher) {
        let message = format!("The publisher \"{publisher}\" does not exist.");
        return Err(Refusal::not_found("PublisherNotFoundException", &message));
    }
    let chosen = subscription["publisherInputs"].clone();
    answer(simulator, call, &publisher, query, &chosen)
}

/// The query with the values of the inputs that it asks for.
fn answer(simulator: &Simulator, call: &Call, publisher: &str, mut query: Value, chosen: &Value) -> Outcome {
    let chosen: Inputs = serde_json::from_value(chosen.clone()).unwrap_or_default();
    let Some(asked) = query.get_mut("inputValues").and_then(Value::as_array_mut) else {
        let message = "Value cannot be null. Parameter name: query.InputValues";
        return Err(Refusal::bad_request("ArgumentNullException", message));
    };
    let world = simulator.instance.world();
    for input in asked {
        let Some(id) = input["inputId"].as_str().map(str::to_owned) else { continue };
        let (possible, limited) = match words(simulator, call, publisher, &id) {
            Some(words) => (words.iter().map(|word| ((*word).to_owned(), (*word).to_owned())).collect(), true),
            None => (things(&world, &chosen, &id), false),
        };
        let any = (String::new(), "[Any]".to_owned());
        let all = std::iter::once(any).chain(possible);
        input["defaultValue"] = "".into();
        input["isLimitedToPossibleValues"] = limited.into();
        input["possibleValues"] = all.map(|(value, name)| json!({"value": value, "displayValue": name})).collect();
    }
    Ok(Answer::json(query))
}

/// Of an input that takes one of a few words.
fn words(simulator: &Simulator, call: &Call, publisher: &str, id: &str) -> Option<&'static [&'static str]> {
    let types = catalogue::event_types(simulator.instance.options.edition, call.host);
    let mut inputs = types.filter(|own| own.publisher == publisher).flat_map(|own| own.inputs);
    inputs.find_map(|input| match input.takes {
        Takes::Words(words) if input.id == id => Some(words),
        _ => None,
    })
}

/// Value and name of each thing that an input may name, within what was chosen so far.
fn things(world: &World, chosen: &Inputs, id: &str) -> Vec<(String, String)> {
    let chosen = |name: &str| chosen.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let project: Option<Uuid> = chosen("projectId").and_then(|id| id.parse().ok());
    let here = |own: Uuid| project.is_none_or(|project| own == project);
    let twice = |name: &str| (name.to_owned(), name.to_owned());
    match id {
        "projectId" => world.projects.iter().map(|own| (own.id.to_string(), own.name.clone())).collect(),
        "repository" => {
            let all = world.repositories.iter().filter(|own| here(own.project));
            all.map(|own| (own.id.to_string(), own.name.clone())).collect()
        }
        "branch" => {
            let repository = chosen("repository").and_then(|id| id.parse().ok()).and_then(|id| world.repository_of(id));
            let heads = repository.into_iter().flat_map(|own| own.refs.keys());
            heads.filter_map(|name| name.strip_prefix("refs/heads/")).map(twice).collect()
        }
        "definitionName" => {
            world.definitions.values().filter(|own| here(own.project)).map(|own| twice(&own.name)).collect()
        }
        "pipelineId" => {
            let all = world.definitions.values().filter(|own| here(own.project));
            all.map(|own| (own.id.to_string(), own.name.clone())).collect()
        }
        "stageNameId" | "stageName" => {
            let pipeline =
                chosen("pipelineId").and_then(|id| id.parse().ok()).and_then(|id: u32| world.definitions.get(&id));
            pipeline.into_iter().flat_map(|own| &own.stages).map(|name| twice(name)).collect()
        }
        "releaseDefinitionId" => {
            let all = world.release_definitions.values().filter(|own| here(own.project));
            all.map(|own| (own.id.to_string(), own.name.clone())).collect()
        }
        "releaseEnvironmentId" => {
            let definition = chosen("releaseDefinitionId").and_then(|id| id.parse().ok());
            let own = definition.and_then(|id: u32| world.release_definitions.get(&id));
            let all = own.into_iter().flat_map(|own| (1..).zip(&own.environments));
            all.map(|(at, name): (u32, &String)| (at.to_string(), name.clone())).collect()
        }
        "workItemType" => kinds().iter().map(|kind| twice(kind.name)).collect(),
        "areaPath" => world.projects.iter().filter(|own| here(own.id)).map(|own| twice(&own.name)).collect(),
        _ => Vec::new(),
    }
}
