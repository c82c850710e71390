//! Apache DevLake, against a receiver that validates as the webhook plugin does and keeps rows as it does.

use super::{exchange, golden, local, open, outgoing, own_events, translated};
use crate::client::scripted::{Asked, Say, Scripted, reply};
use hookwell::{
    domain::{DevLake, Sink, Target, secret},
    sink::Error,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

const KEY: &str = "a-planted-key-of-devlake";

type Refused = Result<(), (u16, Value)>;

/// Rows by table and key. A row is replaced whole.
#[derive(Clone, Default)]
struct Plugin(Arc<Mutex<BTreeMap<(String, String), Value>>>);

impl Plugin {
    async fn start(&self) -> Scripted {
        let plugin = self.clone();
        Scripted::all(move |asked| plugin.answer(asked)).await
    }

    fn answer(&self, asked: &Asked) -> Say {
        match self.take(asked) {
            Ok(()) => reply(200, &[], ""),
            Err((status, body)) => reply(status, &[("content-type", "application/json")], body.to_string()),
        }
    }

    fn take(&self, asked: &Asked) -> Refused {
        let refused = |status, message: &str| Err((status, json!({"success": false, "message": message})));
        let Some(path) = asked.path.strip_prefix("/api/rest/plugins/webhook/connections/") else {
            return refused(403, "the key's scope is the long path");
        };
        if asked.header("authorization") != format!("Bearer {KEY}") {
            return refused(403, "api key is invalid");
        }
        let Some(path) = path.strip_prefix("3/") else { return refused(404, "connection not found") };
        if let Some(key) = path.strip_prefix("issue/").and_then(|path| path.strip_suffix("/close")) {
            let mut rows = self.0.lock().unwrap();
            let Some(row) = rows.get_mut(&("issues".to_owned(), key.to_owned())) else {
                return refused(404, "issue not found");
            };
            row["status"] = json!("DONE");
            return Ok(());
        }
        let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let key = match path {
            "deployments" => deployment(&body)?,
            "pull_requests" => pull_request(&body)?,
            "issues" => issue(&body)?,
            _ => return refused(404, "no route"),
        };
        self.0.lock().unwrap().insert((path.to_owned(), key), body);
        Ok(())
    }

    fn rows(&self, table: &str) -> Vec<Value> {
        self.0.lock().unwrap().iter().filter(|(key, _)| key.0 == table).map(|(_, row)| row.clone()).collect()
    }
}

fn bad(message: &str) -> (u16, Value) {
    (400, json!({"success": false, "message": message}))
}

fn required<'a>(body: &'a Value, member: &str) -> Result<&'a str, (u16, Value)> {
    body[member].as_str().filter(|text| !text.is_empty()).ok_or_else(|| bad(&format!("{member} is required")))
}

fn date(body: &Value, member: &str, needed: bool) -> Refused {
    match body[member].as_str() {
        None if !needed && body[member].is_null() => Ok(()),
        Some(text) if text.parse::<jiff::Timestamp>().is_ok() => Ok(()),
        _ => Err(bad(&format!("{member} is no date"))),
    }
}

fn one_of(body: &Value, member: &str, words: &[&str], needed: bool) -> Refused {
    let word = body[member].as_str().unwrap_or_default();
    let good = words.contains(&word) || word.is_empty() && !needed;
    if good { Ok(()) } else { Err(bad(&format!("{member} is none of {words:?}"))) }
}

/// The plugin ignores members that it does not know; here they are refused, since ours would be spelt wrong.
fn only(body: &Value, members: &str) -> Refused {
    let known: Vec<&str> = members.split(' ').collect();
    let unknown = body.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |(name, _)| Err(bad(&format!("unknown member {name}"))))
}

fn deployment(body: &Value) -> Result<String, (u16, Value)> {
    only(
        body,
        "id displayTitle result environment originalEnvironment name deploymentCommits createdDate startedDate finishedDate",
    )?;
    let id = required(body, "id")?;
    one_of(body, "environment", &["PRODUCTION", "STAGING", "TESTING", "DEVELOPMENT"], false)?;
    one_of(body, "result", &["SUCCESS", "FAILURE"], false)?;
    date(body, "createdDate", false)?;
    date(body, "startedDate", true)?;
    date(body, "finishedDate", true)?;
    let commits = body["deploymentCommits"].as_array().filter(|commits| !commits.is_empty());
    for commit in commits.ok_or_else(|| bad("deploymentCommits is required"))? {
        only(
            commit,
            "displayTitle repoId repoUrl name refName commitSha commitMsg result status createdDate startedDate finishedDate",
        )?;
        required(commit, "repoUrl")?;
        required(commit, "commitSha")?;
        date(commit, "startedDate", true)?;
        date(commit, "finishedDate", true)?;
    }
    Ok(id.to_owned())
}

fn pull_request(body: &Value) -> Result<String, (u16, Value)> {
    only(
        body,
        "id baseRepoId headRepoId status originalStatus displayTitle description url authorName authorId mergedByName mergedById parentPrId pullRequestKey createdDate mergedDate closedDate type component mergeCommitSha headRef baseRef baseCommitSha headCommitSha additions deletions isDraft",
    )?;
    for member in ["id", "baseRepoId", "displayTitle"] {
        required(body, member)?;
    }
    one_of(body, "status", &["OPEN", "CLOSED", "MERGED"], false)?;
    date(body, "createdDate", true)?;
    date(body, "mergedDate", false)?;
    date(body, "closedDate", false)?;
    let key = body["pullRequestKey"].as_i64().filter(|key| *key != 0);
    key.map(|key| key.to_string()).ok_or_else(|| bad("pullRequestKey is required"))
}

fn issue(body: &Value) -> Result<String, (u16, Value)> {
    only(
        body,
        "url issueKey title description epicKey type status originalStatus storyPoint resolutionDate createdDate updatedDate parentIssueKey priority creatorId creatorName assigneeId assigneeName severity component",
    )?;
    for member in ["title", "originalStatus"] {
        required(body, member)?;
    }
    one_of(body, "status", &["TODO", "DONE", "IN_PROGRESS"], true)?;
    date(body, "createdDate", true)?;
    date(body, "updatedDate", false)?;
    date(body, "resolutionDate", false)?;
    Ok(required(body, "issueKey")?.to_owned())
}

fn sink(origin: &str, connection: u64) -> Sink {
    let names = |all: &[(&str, &str)]| {
        all.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect::<BTreeMap<_, _>>()
    };
    local(Target::DevLake(DevLake {
        url: origin.parse().unwrap(),
        connection,
        environments: names(&[("prod-eu", "PRODUCTION")]),
        pipelines: names(&[("storefront-ci", "test"), ("storefront-ci/Deploy to test", "qa")]),
    }))
}

/// What becomes of a work item, a pull request and a build in Azure DevOps.
const CASES: [&str; 15] = [
    "build.complete/2.0-succeeded",
    "build.complete/2.0-failed",
    "build.complete/2.0-canceled",
    "build.complete/2.0-without-number",
    "ms.vss-pipelines.stage-state-changed-event/completed-failed",
    "ms.vss-release.deployment-completed-event/rejected",
    "git.pullrequest.created/opened",
    "git.pullrequest.created/draft-without-description",
    "git.pullrequest.updated/completed",
    "git.pullrequest.updated/abandoned",
    "git.pullrequest.updated/voted-then-completed@reason=ReviewerVoteNotification",
    "tfvc.checkin/checked-in",
    "workitem.created/5.1-object-identities",
    "workitem.updated/assigned-and-cleared",
    "workitem.updated/closed-5.1",
];

#[tokio::test]
async fn devlake_takes_deployments_pull_requests_and_issues_as_its_plugin_validates_them() {
    let mut differ = Vec::new();
    for (case, event) in own_events().into_iter().chain(CASES.iter().flat_map(|name| translated(name))) {
        let server = Plugin::default().start().await;
        let engine = open(&sink(&server.origin, 3), &[(secret::API_KEY, KEY)]).unwrap();
        let attempts = engine.deliver(&[outgoing(&event)]).await;
        assert!(!format!("{attempts:?}").contains(KEY), "{case}: {attempts:?}");
        differ.extend(golden("devlake", &case, &exchange(&server.asked(), &attempts[0], KEY)));
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// However often the day is told, and what is told after the end takes nothing of it back.
#[tokio::test]
async fn what_is_told_twice_is_one_row_and_an_end_stays() {
    let plugin = Plugin::default();
    let server = plugin.start().await;
    let engine = open(&sink(&server.origin, 3), &[(secret::API_KEY, KEY)]).unwrap();
    let day = [
        "git.pullrequest.created/opened",
        "build.complete/2.0-succeeded",
        "git.pullrequest.updated/completed",
        "git.pullrequest.updated/voted-then-completed@reason=ReviewerVoteNotification",
        "workitem.created/5.1-object-identities",
        "workitem.updated/closed-5.1",
    ];
    for _ in 0..2 {
        for (name, event) in own_events().into_iter().chain(day.iter().flat_map(|name| translated(name))) {
            let attempt = engine.deliver(&[outgoing(&event)]).await.remove(0);
            assert!(!matches!(attempt.result, Err(Error::Transient { .. })), "{name}: {attempt:?}");
        }
    }
    let pull_requests = plugin.rows("pull_requests");
    assert_eq!(pull_requests.len(), 1);
    assert_eq!((&pull_requests[0]["status"], pull_requests[0]["mergedDate"].is_string()), (&json!("MERGED"), true));
    let issues = plugin.rows("issues");
    assert_eq!(
        issues.iter().map(|row| row["issueKey"].clone()).collect::<Vec<_>>(),
        ["42", "incident-42", "incident-57"]
    );
    assert!(issues.iter().all(|row| row["status"] == "DONE" && row["resolutionDate"].is_string()), "{issues:?}");
    let deployments = plugin.rows("deployments");
    let result = |id: &str| deployments.iter().filter(|row| row["id"].as_str().unwrap().ends_with(id)).count();
    assert_eq!((result("/4711/production/storefront"), result("/4711/test/storefront-ci")), (1, 1));
}

#[tokio::test]
async fn a_refusal_is_told_apart_from_a_set_up_that_is_wrong() {
    let server = Plugin::default().start().await;
    let opened = outgoing(&translated("git.pullrequest.created/opened")[0].1);
    for (connection, key, said) in [
        (3, "another-key-of-devlake", "DevLake does not accept the key (403 Forbidden)"),
        (4, KEY, "DevLake has nothing at this address (404); the sink's names may be wrong"),
    ] {
        let engine = open(&sink(&server.origin, connection), &[(secret::API_KEY, key)]).unwrap();
        let attempt = engine.deliver(std::slice::from_ref(&opened)).await.remove(0);
        assert_eq!(attempt.result, Err(Error::transient(said)));
    }
    let refusing = Scripted::all(|_| reply(400, &[], r#"{"success":false,"message":"input json error"}"#)).await;
    let engine = open(&sink(&refusing.origin, 3), &[(secret::API_KEY, KEY)]).unwrap();
    let attempt = engine.deliver(&[opened]).await.remove(0);
    assert!(
        matches!(&attempt.result, Err(Error::Permanent { said }) if said.contains("input json error")),
        "{attempt:?}"
    );
}
