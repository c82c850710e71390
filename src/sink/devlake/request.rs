//! What Apache DevLake's webhook plugin is told of an event: pure, one event, at most one request.
//!
//! Source: the plugin's handlers and their validation (backend/plugins/webhook/api). Everything there is an upsert of the
//! whole row, so a row is only sent by events that know all of it: what happens to a pull request or work item after it
//! was closed would take the closing date out again. Environments are named, because DevLake counts what names none as
//! production. `cicd_tasks`, which its own page still offers, has no route.

use crate::{
    domain::DevLake,
    sink::told::{Told, iso, short, text},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// The environments that there are.
pub(super) const ENVIRONMENTS: [&str; 4] = ["PRODUCTION", "STAGING", "TESTING", "DEVELOPMENT"];
/// Longer texts are cut; the columns they go to are bounded.
const TEXT_CHARS_MAX: usize = 2_000;

/// One call: the path below the connection's, and the body where there is one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// Segments of the path below `/connections/{id}`, not encoded.
    pub(super) path: Vec<String>,
    pub(super) body: Value,
}

/// The request that says this event, nothing when DevLake has no word for it, or why it cannot be said.
pub(super) fn request(event: &Told, settings: &DevLake) -> Result<Option<Request>, String> {
    match event.kind() {
        "dev.cdevents.service.deployed" | "dev.cdevents.service.upgraded" | "dev.cdevents.service.rolledback" => {
            let environment = event.content("/environment/id").ok_or("the deployment names no environment")?;
            let name = event.deployment("/name").and_then(text).unwrap_or_else(|| event.subject());
            deployment(event, settings, Deployed { name, environment, result: "SUCCESS" })
        }
        "dev.cdevents.pipelinerun.finished" | "dev.cdevents.taskrun.finished" => run(event, settings),
        "dev.cdevents.change.created" | "dev.cdevents.change.updated" | "dev.cdevents.change.reviewed" => {
            Ok(pull_request(event, settings, "OPEN"))
        }
        "dev.cdevents.change.merged" => Ok(pull_request(event, settings, "MERGED")),
        "dev.cdevents.change.abandoned" => Ok(pull_request(event, settings, "CLOSED")),
        "dev.cdevents.ticket.created" | "dev.cdevents.ticket.updated" | "dev.cdevents.ticket.closed" => {
            Ok(ticket(event))
        }
        "dev.cdevents.incident.detected" | "dev.cdevents.incident.reported" | "dev.cdevents.incident.resolved" => {
            Ok(Some(incident(event)))
        }
        _ => Ok(None),
    }
}

/// A run that the sink calls a deployment, or that came out of a deploy rule and failed: DevLake wants to know of those
/// too, and no event of the vocabulary says that a service was not deployed.
fn run(event: &Told, settings: &DevLake) -> Result<Option<Request>, String> {
    let outcome = event.content("/outcome");
    let result = match outcome {
        Some("success") => "SUCCESS",
        Some("failure" | "error") => "FAILURE",
        // Nothing was deployed, and nothing failed.
        _ => return Ok(None),
    };
    let pipeline = event.content("/pipelineName").or_else(|| event.azure("/pipeline/name"));
    let pipeline = pipeline.or_else(|| event.azure("/releaseDefinition/name")).unwrap_or_default();
    let name = event.content("/taskName").map_or_else(|| pipeline.to_owned(), |task| format!("{pipeline}/{task}"));
    let ruled = event.deployment("/environment").and_then(text).filter(|_| result == "FAILURE");
    match settings.pipelines.get(&name).map(String::as_str).or(ruled) {
        Some(environment) => deployment(event, settings, Deployed { name: &name, environment, result }),
        None => Ok(None),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deployment<'a> {
    id: String,
    display_title: String,
    name: String,
    result: &'a str,
    environment: &'a str,
    original_environment: &'a str,
    created_date: String,
    started_date: String,
    finished_date: String,
    #[serde(rename = "deploymentCommits")]
    commits: [DeploymentCommit<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentCommit<'a> {
    repo_url: &'a str,
    commit_sha: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ref_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_msg: Option<String>,
    result: &'a str,
    status: &'a str,
    started_date: String,
    finished_date: String,
}

/// What was deployed where, and how it went.
struct Deployed<'a> {
    /// The service, or the pipeline and stage.
    name: &'a str,
    environment: &'a str,
    result: &'a str,
}

fn deployment(event: &Told, settings: &DevLake, deployed: Deployed<'_>) -> Result<Option<Request>, String> {
    let Deployed { name, environment, result } = deployed;
    let sha = event.revision().ok_or("the deployment names no commit")?;
    let repository = event.repository().ok_or("the deployment names no repository")?;
    let finished = finished(event).ok_or("the deployment has no date")?;
    let started = started(event).filter(|started| *started <= finished).unwrap_or(finished);
    let (started, finished) = (iso(started), iso(finished));
    let known = settings.environments.get(environment).map(String::as_str).or_else(|| guessed(environment));
    let known = known.ok_or_else(|| {
        let name: String = environment.chars().take(100).collect();
        format!("DevLake has no environment for `{name}`; name one in the sink's `environments`")
    })?;
    let message = event.deployed("/commits").first().and_then(|commit| text(&commit["message"]));
    let title = cut(&format!("{name} to {environment}"));
    let body = Deployment {
        id: deployment_id(event, name, environment),
        display_title: title.clone(),
        name: title,
        result,
        environment: known,
        original_environment: environment,
        created_date: started.clone(),
        started_date: started.clone(),
        finished_date: finished.clone(),
        commits: [DeploymentCommit {
            repo_url: &repository,
            commit_sha: &sha,
            ref_name: event.branch(),
            commit_msg: message.map(cut),
            result,
            status: "DONE",
            started_date: started,
            finished_date: finished,
        }],
    };
    Ok(Some(posted("deployments", &body)))
}

/// What a name that everybody uses means.
fn guessed(environment: &str) -> Option<&'static str> {
    match environment.to_lowercase().as_str() {
        "production" | "prod" | "prd" | "live" => Some("PRODUCTION"),
        "staging" | "stage" | "stg" | "preproduction" | "preprod" | "pre-production" | "pre-prod" | "uat" => {
            Some("STAGING")
        }
        "testing" | "test" | "tst" | "qa" | "integration" => Some("TESTING"),
        "development" | "dev" => Some("DEVELOPMENT"),
        _ => None,
    }
}

/// Ours, which is the same however often it is told; else the run that deployed, what and where to, so that a run that is
/// done again is the same row and two services of one run are two; without a run the event itself.
fn deployment_id(event: &Told, name: &str, environment: &str) -> String {
    if let Some(own) = event.deployment("/id").and_then(text) {
        return own.to_owned();
    }
    let run = event.azure_number("/buildId").or_else(|| event.azure_number("/run/id"));
    match run {
        Some(run) => cut(&format!("{}/build/builds/{run}/{environment}/{name}", event.source())),
        None => event.text("/id").unwrap_or_default().to_owned(),
    }
}

fn started(event: &Told) -> Option<Timestamp> {
    let known = event.deployment("/startTime").and_then(text).and_then(|time| time.parse().ok());
    let places = ["/stage/startTime", "/job/startTime", "/deployment/startedOn", "/startTime", "/run/createdDate"];
    known.or_else(|| places.into_iter().find_map(|place| event.azure_time(place)))
}

fn finished(event: &Told) -> Option<Timestamp> {
    let known = event.deployment("/finishTime").and_then(text).and_then(|time| time.parse().ok());
    known.or_else(|| event.time())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PullRequest<'a> {
    id: String,
    /// Overwritten by newer plugins, required by older ones.
    base_repo_id: String,
    #[serde(rename = "pullRequestKey")]
    key: i64,
    display_title: String,
    status: &'a str,
    original_status: &'a str,
    created_date: String,
    #[serde(flatten)]
    more: Known,
}

/// Members of which each is said only if it is known.
type Known = serde_json::Map<String, Value>;

fn known<const N: usize>(members: [(&str, Option<Value>); N]) -> Known {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn word(text: Option<&str>) -> Option<Value> {
    text.map(|text| json!(text))
}

/// `None` for a changeset, which is no pull request, and for what is told of a closed one by something else than its end.
fn pull_request(event: &Told, settings: &DevLake, status: &str) -> Option<Request> {
    let number = event.azure_number("/pullRequestId")?;
    let original = event.azure("/status").unwrap_or("active");
    if status == "OPEN" && ["completed", "abandoned"].iter().any(|closed| original.eq_ignore_ascii_case(closed)) {
        return None;
    }
    let ended = event.time().filter(|_| status != "OPEN").map(iso);
    let merged = ended.clone().filter(|_| status == "MERGED");
    let created = event.azure_time("/creationDate").or_else(|| event.time())?;
    let title = event.azure("/title").or_else(|| event.content("/description"));
    let body = PullRequest {
        id: event.subject().to_owned(),
        base_repo_id: format!("webhook:{}", settings.connection),
        key: number,
        display_title: title.map_or_else(|| format!("Pull request {number}"), cut),
        status,
        original_status: original,
        created_date: iso(created),
        more: known([
            ("description", event.content("/description").map(|text| json!(cut(text)))),
            ("url", word(event.azure("/url"))),
            ("authorName", word(event.azure("/createdBy/displayName"))),
            ("authorId", word(event.azure("/createdBy/uniqueName").or_else(|| event.azure("/createdBy/id")))),
            ("mergedByName", word(event.azure("/closedBy/displayName").filter(|_| merged.is_some()))),
            ("mergedById", word(event.azure("/closedBy/uniqueName").filter(|_| merged.is_some()))),
            ("mergeCommitSha", word(event.azure("/mergeCommit").filter(|_| merged.is_some()))),
            ("mergedDate", word(merged.as_deref())),
            ("closedDate", word(ended.as_deref())),
            ("headRef", word(event.azure("/sourceRefName").map(short))),
            ("baseRef", word(event.azure("/targetRefName").map(short))),
            ("headCommitSha", word(event.azure("/sourceCommit"))),
            ("baseCommitSha", word(event.azure("/targetCommit"))),
            ("isDraft", event.azure_flag("/isDraft").map(|draft| json!(draft))),
        ]),
    };
    Some(posted("pull_requests", &body))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue<'a> {
    #[serde(rename = "issueKey")]
    key: String,
    title: String,
    #[serde(rename = "type")]
    kind: &'a str,
    status: &'a str,
    original_status: &'a str,
    created_date: String,
    #[serde(flatten)]
    more: Known,
}

/// `None` for what is told of a closed work item by something else than its end.
fn ticket(event: &Told) -> Option<Request> {
    let number = event.azure_number("/workItemId")?;
    let original = event.azure("/state").unwrap_or("unknown");
    let closed = event.kind().ends_with(".closed");
    let status = if closed { "DONE" } else { status(original) };
    if status == "DONE" && !closed && event.kind().ends_with(".updated") {
        return None;
    }
    let at = event.time()?;
    let kind = match event.content("/ticketType").unwrap_or_default() {
        "bug" => "BUG",
        "incident" => "INCIDENT",
        "enhancement" => "REQUIREMENT",
        _ => "TASK",
    };
    let body = Issue {
        key: number.to_string(),
        title: event.content("/summary").map_or_else(|| format!("Work item {number}"), cut),
        kind,
        status,
        original_status: original,
        created_date: iso(event.azure_time("/createdDate").unwrap_or(at)),
        more: known([
            ("url", word(event.content("/uri"))),
            ("priority", word(event.content("/priority"))),
            ("component", word(event.content("/group"))),
            ("creatorId", word(event.content("/creator"))),
            ("creatorName", word(event.content("/creator"))),
            ("assigneeId", word(event.azure("/assignedTo/uniqueName"))),
            ("assigneeName", word(event.azure("/assignedTo/displayName"))),
            ("updatedDate", Some(json!(iso(at)))),
            ("resolutionDate", closed.then(|| json!(iso(at)))),
        ]),
    };
    Some(posted("issues", &body))
}

/// States of Microsoft's processes in which nobody has begun, or all is done; any other is in between.
fn status(state: &str) -> &'static str {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(state));
    if is(&["New", "To Do", "Proposed", "Requested", "Design"]) {
        "TODO"
    } else if is(&["Closed", "Done", "Completed", "Removed"]) {
        "DONE"
    } else {
        "IN_PROGRESS"
    }
}

/// A row of its own beside the work item's: the next event of the work item would make a bug of the incident again.
fn incident(event: &Told) -> Request {
    let key = format!("incident-{}", event.subject().rsplit('/').next().unwrap_or_default());
    let resolved = event.kind().ends_with(".resolved");
    let at = event.time();
    let created = if resolved { event.azure_time("/createdDate") } else { at };
    let Some((created, at)) = created.zip(at) else {
        // Whoever does not know when it began can still say that it is over.
        return Request { path: vec!["issue".to_owned(), key, "close".to_owned()], body: Value::Null };
    };
    let status = if resolved { "DONE" } else { "IN_PROGRESS" };
    let body = Issue {
        title: event.content("/description").map_or_else(|| format!("Incident {}", event.subject()), cut),
        key,
        kind: "INCIDENT",
        status,
        original_status: event.azure("/state").unwrap_or(if resolved { "resolved" } else { "reported" }),
        created_date: iso(created),
        more: known([
            ("url", word(event.content("/ticketURI").or_else(|| event.azure("/url")))),
            ("component", word(event.content("/service/id"))),
            ("assigneeId", word(event.azure("/assignedTo/uniqueName"))),
            ("assigneeName", word(event.azure("/assignedTo/displayName"))),
            ("updatedDate", Some(json!(iso(at)))),
            ("resolutionDate", resolved.then(|| json!(iso(at)))),
        ]),
    };
    posted("issues", &body)
}

fn posted(path: &str, body: &impl Serialize) -> Request {
    let body = serde_json::to_value(body).expect("plain data with string keys");
    Request { path: vec![path.to_owned()], body }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
