//! Nothing of an organization is in the report of a survey.

use super::World;
use hookwell::simulator::{Options, tokens};
use serde_json::Value;
use std::collections::BTreeSet;

/// Words that are both in an organization and Microsoft's, or ours.
const SHARED: [&str; 27] = [
    "git.push",
    "git.pullrequest.created",
    "workitem.created",
    "workitem.updated",
    "workitem.commented",
    "enabled",
    "webHooks",
    "httpRequest",
    "completed",
    "succeeded",
    "build",
    "private",
    "wellFormed",
    "Bug",
    "Task",
    "none",
    "active",
    "true",
    "false",
    "Build",
    "manual",
    "TfsGit",
    "definition",
    "failed",
    "individualCI",
    "partiallySucceeded",
    // A repository that is called so; the report speaks of empty texts.
    "empty",
];
/// Shorter texts are in too much else to be looked for.
const CHARS_MIN: usize = 5;

/// Everything that is said in a document.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Number(number) => drop(found.insert(number.to_string())),
        Value::Array(all) => all.iter().for_each(|one| texts(one, found)),
        Value::Object(members) => members.values().for_each(|one| texts(one, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The names that an organization shows of itself.
async fn shown(world: &World) -> BTreeSet<String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut found = BTreeSet::new();
    for path in [
        "_apis/projects",
        "_apis/git/repositories",
        "_apis/connectionData",
        "_apis/hooks/subscriptions",
        "Fiber%20Caf%C3%A9/_apis/build/builds",
        "Fiber%20Caf%C3%A9/_apis/build/definitions",
        "Fiber%20Caf%C3%A9/_apis/wit/reporting/workitemrevisions",
        "Fiber%20Caf%C3%A9/_apis/git/repositories/web%20shop/pushes",
        "Fiber%20Caf%C3%A9/_apis/git/repositories/web%20shop/commits",
        "Fiber%20Caf%C3%A9/_apis/git/repositories/web%20shop/refs",
        "Fiber%20Caf%C3%A9/_apis/git/repositories/web%20shop/pullrequests",
    ] {
        let url = format!("{}/{path}?api-version=7.1-preview", world.azure.url());
        let reply = client.get(url).basic_auth("", Some(tokens::FULL)).send().await.unwrap();
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
        texts(&reply.json().await.unwrap(), &mut found);
    }
    for subscription in world.simulator().hooks().subscriptions() {
        for notification in world.simulator().hooks().notifications(subscription.id.parse().unwrap()) {
            notification.event.iter().for_each(|event| texts(event, &mut found));
            found.insert(notification.event_id.to_string());
        }
    }
    found
}

#[tokio::test]
async fn nothing_that_the_organization_says_is_in_the_report() {
    let mut world = World::in_the_past(Options::services("zebrafinkenbank"), tokens::FULL).await;
    world.busy().await;
    let before = shown(&world).await;
    let survey = world.survey(Some("Fiber Café")).await;
    let after = shown(&world).await;
    let report = survey["report"].to_string();
    let address = world.azure.url();
    let authority = address.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let ours = ["zebrafinkenbank", "Fiber", "fabrikam", "hookwell-survey", "Fabrikam", "example", tokens::FULL];
    let secrets = ours.map(str::to_owned).into_iter().chain([authority, world.connection.clone()]);
    for secret in secrets {
        assert!(!report.contains(&secret), "{secret} in {report}");
    }
    let said: BTreeSet<&String> = before.union(&after).collect();
    assert!(said.len() > 200, "the organization says much");
    let said = said.into_iter().filter(|text| text.chars().count() >= CHARS_MIN && !SHARED.contains(&text.as_str()));
    let leaked: Vec<&String> = said.filter(|text| report.contains(text.as_str())).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    // Texts of people are named to who asked, and to nobody else.
    assert!(survey["scratch_project"] == "Fiber Café" && !report.contains("scratch_project"));
}

#[tokio::test]
async fn a_report_has_a_shape_for_each_answer_and_a_template_for_each_request() {
    let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    let survey = world.survey(None).await;
    let looks = survey["report"]["looks"].as_array().unwrap();
    let of =
        |request: &str| looks.iter().find(|look| look["request"] == request).unwrap_or_else(|| panic!("{request}"));
    let builds = of("GET {project}/_apis/build/builds");
    assert_eq!((&builds["status"], &builds["media"]), (&200.into(), &"json".into()));
    let members = &builds["shape"]["object"]["value"]["array"]["object"];
    assert!(members["finishTime"].as_str().unwrap().starts_with("date."), "{builds:#}");
    assert_eq!(members["status"], "'completed'", "{builds:#}");
    assert_eq!(of("GET _apis/projects")["query"], serde_json::json!(["$top"]));
    assert!(looks.iter().any(|look| look["credential"] == false && look["status"] == 401));
}
