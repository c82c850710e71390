//! The catalogue as REST shows it: publishers with their event types, and the one consumer that is simulated.
#![expect(clippy::unnecessary_wraps, reason = "every handler has the type of its row")]

use super::{
    catalogue::{self, EventType, Input, PUBLISHERS, Takes},
    misbehaviour::UnknownPublisher,
};
use crate::simulator::{
    Simulator,
    rest::{Answer, Call, Outcome, Refusal},
};
use http::StatusCode;
use serde_json::{Value, json};

fn hooks(call: &Call) -> String {
    format!("{}/_apis/hooks", call.place.base_of(call.host))
}

fn input(input: &Input) -> Value {
    let any = json!({"value": "", "displayValue": "[Any]"});
    let mut shown = json!({
        "id": input.id,
        "name": input.name,
        "description": format!("Filter events by: {}", input.name),
        "inputMode": if input.takes == Takes::ServerPath { "textBox" } else { "combo" },
        "isConfidential": false,
        "useInDefaultDescription": false,
        "values": {"inputId": input.id, "defaultValue": "", "possibleValues": [any], "isLimitedToPossibleValues": false},
    });
    match input.takes {
        Takes::Text if input.id == "commentPattern" => {
            shown["validation"] = json!({"dataType": "string", "minLength": 1, "maxLength": 1024});
        }
        Takes::Text => shown["validation"] = json!({"dataType": "string"}),
        Takes::Guid => shown["validation"] = json!({"dataType": "guid"}),
        Takes::ServerPath => {
            shown["validation"] = json!({"dataType": "string", "isRequired": true, "pattern": "^\\$\\/[^&<>'\"]*$"});
        }
        Takes::Words(words) => {
            let words = words.iter().map(|word| json!({"value": word, "displayValue": word}));
            shown["values"]["possibleValues"] = std::iter::once(any).chain(words).collect();
            shown["values"]["isLimitedToPossibleValues"] = true.into();
        }
    }
    shown
}

fn described(simulator: &Simulator, call: &Call, own: &EventType) -> Value {
    json!({
        "publisherId": own.publisher,
        "id": own.id,
        "url": format!("{}/publishers/{}/eventTypes/{}", hooks(call), own.publisher, own.id),
        "name": own.name,
        "description": own.name,
        "supportedResourceVersions": own.versions(simulator.instance.options.edition),
        "inputDescriptors": own.inputs.iter().map(input).collect::<Vec<_>>(),
    })
}

fn types_of<'a>(simulator: &'a Simulator, call: &'a Call, publisher: &'a str) -> impl Iterator<Item = Value> + 'a {
    let all = catalogue::event_types(simulator.instance.options.edition, call.host);
    all.filter(move |own| own.publisher == publisher).map(|own| described(simulator, call, own))
}

fn published(simulator: &Simulator, call: &Call, (id, name, description): (&str, &str, &str)) -> Value {
    let common = |id: &str, name: &str, description: &str| {
        json!({
            "id": id, "name": name, "description": description, "inputMode": "none", "isConfidential": false,
            "useInDefaultDescription": false, "validation": {"dataType": "guid"},
        })
    };
    json!({
        "id": id,
        "url": format!("{}/publishers/{id}", hooks(call)),
        "name": name,
        "description": description,
        "supportedEvents": types_of(simulator, call, id).collect::<Vec<_>>(),
        "inputDescriptors": [
            common("projectId", "Project", "Team Project to restrict events to"),
            common("teamId", "Team", "Team that the subscription is associated with"),
        ],
    })
}

fn known<'a>(
    simulator: &'a Simulator,
    call: &'a Call,
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> + 'a {
    let edition = simulator.instance.options.edition;
    PUBLISHERS.into_iter().filter(move |(id, _, _)| catalogue::serves(edition, call.host, id))
}

pub(super) fn asked_for(simulator: &Simulator, call: &Call) -> Outcome<(&'static str, &'static str, &'static str)> {
    let (asked, unknown) = (call.parameter("publisher"), simulator.hooks.0.switches().unknown_publisher);
    let counts = |id: &str| unknown == UnknownPublisher::Empty || types_of(simulator, call, id).next().is_some();
    known(simulator, call).find(|(id, _, _)| id.eq_ignore_ascii_case(asked) && counts(id)).ok_or_else(|| {
        let status = match unknown {
            UnknownPublisher::Empty | UnknownPublisher::NotFound => StatusCode::NOT_FOUND,
            UnknownPublisher::BadRequest => StatusCode::BAD_REQUEST,
            UnknownPublisher::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::new(status, "PublisherNotFoundException", &format!("The publisher \"{asked}\" does not exist."))
    })
}

pub(super) fn publishers(simulator: &Simulator, call: &Call) -> Outcome {
    Ok(Answer::list(known(simulator, call).map(|own| published(simulator, call, own)).collect()))
}

/// Those of these ids, all where none is named; the query comes back with its results.
pub(super) fn publishers_query(simulator: &Simulator, call: &Call) -> Outcome {
    let mut query: Value = call.json()?;
    if !query.is_object() {
        return Err(Refusal::bad_request("ArgumentNullException", "Value cannot be null. Parameter name: query"));
    }
    let asked: Vec<String> = query["publisherIds"]
        .as_array()
        .map(|ids| ids.iter().filter_map(|id| id.as_str().map(str::to_lowercase)).collect())
        .unwrap_or_default();
    let wanted = known(simulator, call).filter(|(id, _, _)| asked.is_empty() || asked.iter().any(|own| own == id));
    query["results"] = wanted.map(|own| published(simulator, call, own)).collect();
    Ok(Answer::json(query))
}

pub(super) fn publisher(simulator: &Simulator, call: &Call) -> Outcome {
    Ok(Answer::json(published(simulator, call, asked_for(simulator, call)?)))
}

pub(super) fn event_types(simulator: &Simulator, call: &Call) -> Outcome {
    let (id, _, _) = asked_for(simulator, call)?;
    Ok(Answer::list(types_of(simulator, call, id).collect()))
}

pub(super) fn event_type(simulator: &Simulator, call: &Call) -> Outcome {
    let (id, _, _) = asked_for(simulator, call)?;
    let asked = call.parameter("eventType");
    let found = catalogue::event_type(simulator.instance.options.edition, call.host, id, asked).ok_or_else(|| {
        let message = format!("The event type \"{asked}\" does not exist for the publisher \"{id}\".");
        Refusal::not_found("EventTypeNotFoundException", &message)
    })?;
    Ok(Answer::json(described(simulator, call, found)))
}

fn text_input(id: &str, name: &str, mode: &str, validation: Value) -> Value {
    json!({
        "id": id, "name": name, "description": name, "inputMode": mode, "isConfidential": mode == "passwordBox",
        "useInDefaultDescription": false, "validation": validation,
    })
}

fn choice(id: &str, name: &str, words: &[&str]) -> Value {
    let any = json!({"value": "", "displayValue": "All"});
    let words = words.iter().map(|word| json!({"value": word, "displayValue": word}));
    let possible: Vec<Value> = std::iter::once(any).chain(words).collect();
    json!({
        "id": id, "name": name, "description": name, "inputMode": "combo", "isConfidential": false,
        "useInDefaultDescription": false, "validation": {"dataType": "string"},
        "values": {"inputId": id, "defaultValue": "", "possibleValues": possible, "isLimitedToPossibleValues": true},
    })
}

fn http_request(call: &Call) -> Value {
    let credential = || json!({"dataType": "string", "pattern": "^[\\S]+$", "minLength": 1, "maxLength": 256});
    let (words, text) = (["text", "html", "markdown", "none"], || json!({"dataType": "string"}));
    json!({
        "id": "httpRequest",
        "consumerId": "webHooks",
        "url": format!("{}/consumers/webHooks/actions/httpRequest", hooks(call)),
        "name": "Post via HTTP",
        "description": "This action posts a JSON object representation of the event to the specified URL.",
        "supportedEventTypes": ["*"],
        "supportedResourceVersions": {},
        "allowResourceVersionOverride": true,
        "inputDescriptors": [
            text_input("url", "URL", "textBox", json!({"dataType": "uri", "isRequired": true})),
            text_input("acceptUntrustedCerts", "Accept untrusted SSL certificates", "checkBox", json!({"dataType": "boolean"})),
            text_input("httpHeaders", "HTTP headers", "textArea", text()),
            text_input("basicAuthUsername", "Basic authentication username", "textBox", credential()),
            text_input("basicAuthPassword", "Basic authentication password", "passwordBox", credential()),
            choice("resourceDetailsToSend", "Resource details to send", &["minimal", "none"]),
            choice("messagesToSend", "Messages to send", &words),
            choice("detailedMessagesToSend", "Detailed messages to send", &words),
            text_input("businessJustification", "Business justification", "textArea", text()),
        ],
    })
}

fn web_hooks(call: &Call) -> Value {
    json!({
        "id": "webHooks",
        "url": format!("{}/consumers/webHooks", hooks(call)),
        "name": "Web Hooks",
        "description": "Provides event communication via HTTP",
        "informationUrl": "http://go.microsoft.com/fwlink/?LinkID=390531",
        "authenticationType": "none",
        "inputDescriptors": [],
        "actions": [http_request(call)],
    })
}

fn require_web_hooks(call: &Call) -> Outcome<()> {
    let asked = call.parameter("consumer");
    if asked.eq_ignore_ascii_case("webHooks") {
        return Ok(());
    }
    Err(Refusal::not_found("ConsumerNotFoundException", &format!("The consumer \"{asked}\" does not exist.")))
}

pub(super) fn consumers(_: &Simulator, call: &Call) -> Outcome {
    Ok(Answer::list(vec![web_hooks(call)]))
}

pub(super) fn consumer(_: &Simulator, call: &Call) -> Outcome {
    require_web_hooks(call)?;
    Ok(Answer::json(web_hooks(call)))
}

pub(super) fn actions(_: &Simulator, call: &Call) -> Outcome {
    require_web_hooks(call)?;
    Ok(Answer::list(vec![http_request(call)]))
}

pub(super) fn action(_: &Simulator, call: &Call) -> Outcome {
    require_web_hooks(call)?;
    let asked = call.parameter("action");
    if asked.eq_ignore_ascii_case("httpRequest") {
        return Ok(Answer::json(http_request(call)));
    }
    let message = format!("The consumer action \"webHooks/{asked}\" does not exist.");
    Err(Refusal::not_found("ConsumerActionNotFoundException", &message))
}
