//! What was deployed where, told by events: by every way of tracking, in whatever order they come.

use crate::{
    real::{Real, SHOP},
    translate::corpus::Schemas,
};
use hookwell::{
    config::Settings,
    deployments::step,
    domain::{BindingId, Slug},
    event::Event,
    simulator::Options,
    store::{Consumers as _, Position},
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

mod api;
mod doubts;
mod providers;
mod reports;
mod runs;
mod story;
mod tracking;

/// A gateway that fills nothing in of what was before.
pub(crate) async fn unfilled() -> Real {
    let settings = Settings { backfill: Duration::ZERO, ..Settings::default() };
    Real::with(settings, Options::services("fabrikam")).await
}

/// Binds the web shop's repository and pipelines to project `web`, with two environments.
pub(crate) async fn deploying(real: &Real, deploys: Value) -> String {
    let environments =
        json!([{ "slug": "staging", "name": "Staging" }, { "slug": "production", "name": "Production" }]);
    let body = json!({ "name": "Web", "environments": environments });
    let made = real.gateway.ask("PUT", "/v1/projects/web").json(&body).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let bound = bind(real, json!({ "role": "build_provider" })).await;
    assert_eq!(bound.0, 201, "{bound:?}");
    let body = json!({ "role": "code_deployment", "repository": "web shop", "name": "shop", "deploys": deploys });
    let (status, reply) = bind(real, body).await;
    assert_eq!(status, 201, "{reply}");
    real.settle().await;
    reply["id"].as_str().unwrap().to_owned()
}

/// Binds something of the shop to `web`.
pub(crate) async fn bind(real: &Real, mut body: Value) -> (u16, Value) {
    body["connection"] = json!(real.connection.0);
    body["azure_project"] = json!(SHOP);
    let reply = real.gateway.post("/v1/projects/web/bindings", body).await;
    (reply.status.as_u16(), reply.json())
}

/// Everything that happened is delivered, translated, and seen by the rules.
pub(crate) async fn told(real: &Real) -> Vec<Event> {
    real.pass(Duration::from_secs(30)).await;
    real.events().await;
    while step::step(&real.gateway.app).await.unwrap() > 0 {}
    let events = real.events_so_far().await;
    let told: Vec<Event> = events.into_iter().filter(|event| event.header.kind.contains(".service.")).collect();
    if let Some(schemas) = Schemas::of_the_corpus() {
        for event in told.iter().filter(|event| !event.json.starts_with(b"{\"replaces")) {
            schemas.check("deployment", &serde_json::from_slice(&event.json).unwrap());
        }
    }
    told
}

/// The same, until nothing waits for Azure DevOps: a busy machine may answer a call too late.
pub(crate) async fn all_told(real: &Real) -> Vec<Event> {
    for _ in 0..10 {
        let events = told(real).await;
        let waiting = real.gateway.store.waiting(&step::consumer(), Position(0), 9).await.unwrap();
        if waiting.is_empty() {
            return events;
        }
        real.gateway.advance(Duration::from_mins(1));
    }
    panic!("something waits for Azure DevOps");
}

/// What an event says of its deployment.
pub(crate) fn deployment(event: &Event) -> Value {
    let json: Value = serde_json::from_slice(&event.json).unwrap();
    json["data"]["customData"]["hookwell"]["deployment"].clone()
}

/// Environment, step, revision's first commit message, number of commits.
pub(crate) fn line(event: &Event) -> String {
    let told = deployment(event);
    let message = told["commits"][0]["message"].as_str().unwrap_or("-").lines().next().unwrap_or_default().to_owned();
    let word = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    format!("{} {} {message} {}", word("environment"), word("step"), told["size"]["commits"])
}

/// What the book has, oldest first in each place: environment, step, revision.
pub(crate) fn kept(real: &Real, binding: &str) -> Vec<String> {
    let binding = BindingId(binding.parse::<Uuid>().unwrap());
    let project: Slug = "web".parse().unwrap();
    let memory = real.gateway.app.deployments.memory();
    let of = memory.of(&project).filter(|((_, of, _), _)| *of == binding);
    of.flat_map(|((.., environment), series)| {
        series.all().iter().map(move |telling| {
            let step = json!(telling.step);
            format!("{environment} {} {}", step.as_str().unwrap(), &telling.deployment.revision[..8])
        })
    })
    .collect()
}
