//! What really happened, read from the simulated Azure DevOps over plain HTTP, without any code of the gateway's; and what
//! the gateway says happened.

use super::organization::REPOSITORIES;
use crate::real::{Real, SHOP};
use hookwell::{event::Event, simulator::tokens};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A fact: an event's type without version, its subject, and what tells it from others of both.
pub(super) type Fact = (String, String, String);

const ZEROS: &str = "0000000000000000000000000000000000000000";

/// All pages of a list, oldest way of paging that each list knows.
async fn all(base: &str, path: &str, query: &str) -> Vec<Value> {
    let client = reqwest::Client::new();
    let (mut values, mut token) = (Vec::new(), None::<String>);
    loop {
        let skip = if path.ends_with("pushes") || path.ends_with("pullrequests") || path.ends_with("updates") {
            format!("&$skip={}", values.len())
        } else {
            token.as_ref().map(|token| format!("&continuationToken={token}")).unwrap_or_default()
        };
        let url = format!("{base}/{path}?api-version=7.1&$top=100{query}{skip}");
        let reply = client.get(&url).basic_auth("", Some(tokens::FULL)).send().await.unwrap();
        if reply.status() == 204 {
            return values;
        }
        assert!(reply.status().is_success(), "{url}: {}", reply.status());
        token = reply.headers().get("x-ms-continuationtoken").map(|token| token.to_str().unwrap().to_owned());
        let value: Value = reply.json().await.unwrap();
        let page = value["value"].as_array().or(value["records"].as_array()).unwrap().clone();
        let count = page.len();
        values.extend(page);
        let paged_by_skip = skip.contains("skip");
        if (paged_by_skip && count < 100) || (!paged_by_skip && token.is_none()) {
            return values;
        }
    }
}

/// Everything since `since` that the bindings select and that Azure's records tell, each once.
pub(super) async fn happened(real: &Real, since: jiff::Timestamp) -> Vec<Fact> {
    let base = real.azure.url();
    let (mut facts, since) = (Vec::new(), since.to_string());
    for (project, repository) in REPOSITORIES {
        let root = format!("{}/_apis/git/repositories/{}", encoded(project), encoded(repository));
        of_pushes(&base, &root, &since, &mut facts).await;
        of_pull_requests(&base, &root, &since, &mut facts).await;
    }
    for project in [SHOP, "Tools"] {
        of_builds(&base, project, &since, &mut facts).await;
        of_releases(&base, project, &since, &mut facts).await;
        of_work_items(&base, project, &since, &mut facts).await;
    }
    facts.sort();
    facts
}

fn encoded(name: &str) -> String {
    name.replace(' ', "%20").replace('é', "%C3%A9").replace('ö', "%C3%B6")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn fact(kind: &str, subject: String, mark: impl ToString) -> Fact {
    (kind.to_owned(), subject, mark.to_string())
}

async fn of_pushes(base: &str, root: &str, since: &str, facts: &mut Vec<Fact>) {
    let query = format!("&searchCriteria.includeRefUpdates=true&searchCriteria.fromDate={since}");
    for push in all(base, &format!("{root}/pushes"), &query).await {
        let repository = text(&push["repository"]["id"]);
        for update in push["refUpdates"].as_array().unwrap() {
            let name = text(&update["name"]);
            // The merge that Azure tries for itself is told to nobody.
            if name.starts_with("refs/pull/") {
                continue;
            }
            let (old, new) = (text(&update["oldObjectId"]), text(&update["newObjectId"]));
            let turn = if old == ZEROS {
                "created"
            } else if new == ZEROS {
                "deleted"
            } else {
                "updated"
            };
            let kind = match (name.starts_with("refs/heads/"), turn) {
                (true, "updated") => "dev.cdeventsx.azuredevops-branch.updated".to_owned(),
                (true, turn) => format!("dev.cdevents.branch.{turn}"),
                (false, turn) => format!("dev.cdeventsx.azuredevops-tag.{turn}"),
            };
            facts.push(fact(&kind, format!("git/repositories/{repository}/{name}"), &push["pushId"]));
        }
    }
}

async fn of_pull_requests(base: &str, root: &str, since: &str, facts: &mut Vec<Fact>) {
    for pull in all(base, &format!("{root}/pullrequests"), "&searchCriteria.status=all").await {
        let (repository, number) = (text(&pull["repository"]["id"]), &pull["pullRequestId"]);
        let subject = format!("git/repositories/{repository}/pullRequests/{number}");
        let created = text(&pull["creationDate"]);
        if created.as_str() >= since {
            facts.push(fact("dev.cdevents.change.created", subject.clone(), ""));
        }
        if text(&pull["closedDate"]).as_str() >= since {
            let kind = if pull["status"] == "completed" { "merged" } else { "abandoned" };
            facts.push(fact(&format!("dev.cdevents.change.{kind}"), subject.clone(), ""));
        }
        for iteration in all(base, &format!("{root}/pullRequests/{number}/iterations"), "").await {
            if iteration["id"] != 1 && text(&iteration["createdDate"]).as_str() >= since {
                let head = text(&iteration["sourceRefCommit"]["commitId"]);
                facts.push(fact("dev.cdevents.change.updated", subject.clone(), head));
            }
        }
    }
}

async fn of_builds(base: &str, project: &str, since: &str, facts: &mut Vec<Fact>) {
    let root = format!("{}/_apis/build/builds", encoded(project));
    for build in all(base, &root, &format!("&minTime={since}&queryOrder=queueTimeAscending")).await {
        let subject = format!("build/builds/{}", build["id"]);
        if build["startTime"].is_string() {
            facts.push(fact("dev.cdevents.pipelinerun.started", subject.clone(), ""));
        }
        if build["finishTime"].is_string() {
            facts.push(fact("dev.cdevents.pipelinerun.finished", subject.clone(), ""));
            facts.push(fact("dev.cdevents.build.finished", subject.clone(), ""));
        }
        for record in all(base, &format!("{root}/{}/timeline", build["id"]), "").await {
            let path = match record["type"].as_str() {
                Some("Stage") => "stages",
                Some("Job") => "jobs",
                _ => continue,
            };
            // A stage goes by the name that stays over its attempts, each of which has an id of its own.
            let name = if path == "stages" { &record["identifier"] } else { &record["id"] };
            let subject = format!("{subject}/{path}/{}", text(name));
            for (when, kind) in [("startTime", "started"), ("finishTime", "finished")] {
                if record[when].is_string() {
                    facts.push(fact(&format!("dev.cdevents.taskrun.{kind}"), subject.clone(), &record["attempt"]));
                }
            }
        }
    }
}

async fn of_releases(base: &str, project: &str, since: &str, facts: &mut Vec<Fact>) {
    // The simulated release host is the same origin with another prefix; it names itself.
    let area = format!("{base}/_apis/resourceAreas/efc2f575-36ef-48e9-b672-0c6fb4a48ac5?api-version=7.1-preview");
    let reply = reqwest::Client::new().get(area).basic_auth("", Some(tokens::FULL)).send().await.unwrap();
    let located: Value = reply.json().await.unwrap();
    let base = text(&located["locationUrl"]).trim_end_matches('/').to_owned();
    let root = format!("{}/_apis/release", encoded(project));
    let query = format!("&minCreatedTime={since}&queryOrder=ascending&$expand=environments");
    for release in all(&base, &format!("{root}/releases"), &query).await {
        let subject = format!("release/releases/{}", release["id"]);
        facts.push(fact("dev.cdevents.pipelinerun.queued", subject.clone(), ""));
        if release["status"] == "abandoned" {
            facts.push(fact("dev.cdevents.pipelinerun.finished", subject.clone(), ""));
        }
    }
    for own in
        all(&base, &format!("{root}/deployments"), &format!("&minStartedTime={since}&queryOrder=ascending")).await
    {
        let subject =
            format!("release/releases/{}/environments/{}", own["release"]["id"], own["releaseEnvironment"]["id"]);
        facts.push(fact("dev.cdevents.taskrun.started", subject.clone(), &own["attempt"]));
        if own["completedOn"].is_string() {
            facts.push(fact("dev.cdevents.taskrun.finished", subject, &own["attempt"]));
        }
    }
}

/// Fields that a comment changes, and those that every change does.
const COMMENTED: [&str; 8] = [
    "System.History",
    "System.CommentCount",
    "System.Rev",
    "System.ChangedDate",
    "System.AuthorizedDate",
    "System.ChangedBy",
    "System.AuthorizedAs",
    "System.Watermark",
];

async fn of_work_items(base: &str, project: &str, since: &str, facts: &mut Vec<Fact>) {
    let client = reqwest::Client::new();
    let url = format!("{base}/{}/_apis/wit/wiql?api-version=7.1", encoded(project));
    let query = format!("SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = '{project}'");
    let query = serde_json::json!({ "query": query });
    let found = client.post(url).basic_auth("", Some(tokens::FULL)).json(&query).send().await.unwrap();
    let found: Value = found.json().await.unwrap();
    for item in found["workItems"].as_array().unwrap() {
        let updates = format!("{}/_apis/wit/workitems/{}/updates", encoded(project), item["id"]);
        for update in all(base, &updates, "").await {
            let subject = || format!("wit/workItems/{}", item["id"]);
            // A link has no fields, and a date of its own.
            let is_link = !update["fields"].is_object();
            let date =
                if is_link { &update["revisedDate"] } else { &update["fields"]["System.ChangedDate"]["newValue"] };
            if text(date).as_str() < since {
                continue;
            }
            if is_link {
                facts.push(fact("link", subject(), &update["id"]));
                continue;
            }
            let is_commented = update["fields"]["System.History"]["newValue"].is_string();
            if is_commented {
                facts.push(fact("comment", subject(), &update["rev"]));
            }
            // Where it is all that was done, it is all that is told.
            let names = update["fields"].as_object().unwrap().keys().map(String::as_str);
            if !is_commented || names.into_iter().any(|name| !COMMENTED.contains(&name)) {
                facts.push(fact("ticket", subject(), &update["rev"]));
            }
        }
    }
}

/// An event's type without its version.
fn unversioned(kind: &str) -> &str {
    kind.rsplitn(4, '.').nth(3).unwrap_or(kind)
}

/// The fact that an event tells, if Azure's records tell facts of its kind.
pub(super) fn told(event: &Event) -> Option<Fact> {
    let json: Value = serde_json::from_slice(&event.json).unwrap();
    let custom = &json["data"]["customData"]["azuredevops"];
    let (kind, subject) = (unversioned(&event.header.kind), text(&json["subject"]));
    let mark = match kind {
        // A try of a merge is nobody's push. Whether Azure tells it by a hook is a switch; its records are not asked for it.
        _ if subject.contains("/refs/pull/") => return None,
        _ if subject.contains("/refs/") => custom["pushId"].to_string(),
        "dev.cdevents.ticket.created" | "dev.cdevents.ticket.updated" | "dev.cdevents.ticket.closed" => {
            // Both hooks of a comment tell it, and neither says then that it changed anything.
            let is_comment = custom["comment"].is_string() && custom["changedFields"].is_null();
            let (kind, mark) = match (custom["updateNumber"].is_number(), is_comment) {
                (true, _) => ("link", &custom["updateNumber"]),
                (_, true) => ("comment", &custom["rev"]),
                _ => ("ticket", &custom["rev"]),
            };
            return Some((kind.to_owned(), subject, mark.to_string()));
        }
        "dev.cdevents.change.updated" if custom["updateReason"] == "push" => text(&custom["sourceCommit"]),
        "dev.cdevents.taskrun.started" | "dev.cdevents.taskrun.finished" => {
            let attempts = ["stage", "job", "deployment"].map(|part| &custom[part]["attempt"]);
            attempts.into_iter().find(|attempt| attempt.is_number()).unwrap_or(&Value::Null).to_string()
        }
        "dev.cdevents.change.created"
        | "dev.cdevents.change.merged"
        | "dev.cdevents.change.abandoned"
        | "dev.cdevents.pipelinerun.queued"
        | "dev.cdevents.pipelinerun.started"
        | "dev.cdevents.pipelinerun.finished"
        | "dev.cdevents.build.finished" => String::new(),
        _ => return None,
    };
    Some((kind.to_owned(), subject, mark))
}

/// Asserts that each fact is one event, and each event of a kind that is in the records such a fact. What happened before
/// the week may be told as well: a new binding is filled with it.
pub(super) fn each_is_one_event(facts: &[Fact], events: &[Event], since: jiff::Timestamp, seed: u64) {
    let mut told_by: BTreeMap<Fact, usize> = BTreeMap::new();
    let by_id: BTreeMap<String, &Event> = events.iter().map(|event| (event.id.to_string(), event)).collect();
    let mut replaced = BTreeSet::new();
    for event in events {
        let json: Value = serde_json::from_slice(&event.json).unwrap();
        // A later telling that knew more is the same fact once more: of an event that is here, in the place of that one
        // alone, and nothing else.
        if let Some(before) = json["replaces"].as_str() {
            let before = by_id.get(before).unwrap_or_else(|| panic!("seed {seed}: it replaces nothing: {json:#}"));
            assert!(replaced.insert(before.id), "seed {seed}: it is replaced twice: {json:#}");
            let is_change = event.header.kind.starts_with("dev.cdevents.change.");
            assert!(is_change || told(event) == told(before), "seed {seed}: it replaces another fact: {json:#}");
            continue;
        }
        let is_before = json["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap() < since;
        if let Some(fact) = told(event).filter(|_| !is_before) {
            *told_by.entry(fact).or_default() += 1;
        }
    }
    let missing: Vec<&Fact> = facts.iter().filter(|fact| !told_by.contains_key(*fact)).collect();
    let doubled: Vec<&Fact> = told_by.iter().filter(|(_, count)| **count > 1).map(|(fact, _)| fact).collect();
    let invented: Vec<&Fact> = told_by.keys().filter(|fact| facts.binary_search(fact).is_err()).collect();
    let count = facts.len();
    for event in events.iter().filter(|event| told(event).is_some_and(|fact| doubled.contains(&&fact))) {
        eprintln!("told twice: {} {:?} {}", event.id, event.header, String::from_utf8_lossy(&event.json));
    }
    assert!(
        missing.is_empty() && doubled.is_empty() && invented.is_empty(),
        "seed {seed}: of {count} facts {} are missing {missing:#?}, {} are doubled {doubled:#?}, {} never happened {invented:#?}",
        missing.len(),
        doubled.len(),
        invented.len()
    );
}
