//! What Sleuth is told of an event: pure, one event, at most one request.
//!
//! Source: Sleuth's documentation of deploy registration and of custom incident impact. A deployment is registered with
//! `ignore_if_duplicate`, because the same event may be handed on twice and Sleuth answers 400 to a revision that it
//! knows. Pull requests go into `links`, which are documented; the shape of `pull_requests` is published nowhere, and a
//! member that Sleuth does not take is a deployment that it does not take.

use crate::{
    domain::Sleuth,
    sink::told::{Told, iso, text},
};
use serde_json::{Map, Value, json};

/// Sleuth's own limit for the commits of a deployment; the oldest are left out.
pub(super) const COMMITS_MAX: usize = 250;
/// Sleuth's limit for the files of a deployment, and for those of each commit.
pub(super) const FILES_MAX: usize = 200;
/// As many as a page of Sleuth shows without scrolling for ever.
const LINKS_MAX: usize = 50;
const TAGS_MAX: usize = 20;
/// Longer texts say nothing more to a chart.
const TEXT_CHARS_MAX: usize = 1_000;

/// Where in a request the key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// In `Authorization`.
    Header,
    /// As the last segment of the path.
    Path,
}

/// One call, without the key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// Segments of the path, not encoded.
    pub(super) path: Vec<String>,
    pub(super) key: Key,
    pub(super) body: Value,
}

/// The request that says this event, nothing when Sleuth has no word for it, or why it cannot be said.
pub(super) fn request(event: &Told, settings: &Sleuth) -> Result<Option<Request>, &'static str> {
    match event.kind() {
        "dev.cdevents.service.deployed" | "dev.cdevents.service.upgraded" | "dev.cdevents.service.rolledback" => {
            deploy(event, settings).map(Some)
        }
        "dev.cdevents.incident.detected" | "dev.cdevents.incident.reported" => {
            Ok(incident(event, settings, "triggered"))
        }
        "dev.cdevents.incident.resolved" => Ok(incident(event, settings, "resolved")),
        _ => Ok(None),
    }
}

fn deploy(event: &Told, settings: &Sleuth) -> Result<Request, &'static str> {
    let sha = event.revision().ok_or("the deployment names no commit")?;
    let environment = event.content("/environment/id").ok_or("the deployment names no environment")?;
    let environment = settings.environments.get(environment).map_or(environment, String::as_str);
    let body = Object::new()
        .with("sha", Some(json!(sha)))
        .with("environment", Some(json!(environment)))
        .with("date", event.time().map(|time| json!(iso(time))))
        .with("branch", event.branch().map(|branch| json!(branch)))
        // A text: Sleuth compares it with "true".
        .with("ignore_if_duplicate", Some(json!("true")))
        .with("email", email(event).map(|email| json!(email)))
        .with("tags", listed(event.deployed("/tags").iter().filter_map(tag).take(TAGS_MAX).collect()))
        .with("links", links(event))
        .with("commits", listed(event.deployed("/commits").iter().take(COMMITS_MAX).filter_map(commit).collect()))
        .with("files", listed(event.deployed("/files").iter().filter_map(file).take(FILES_MAX).collect()));
    let path = ["api", "1", "deployments", &settings.organization, &settings.deployment, "register_deploy"];
    Ok(Request { path: path.map(str::to_owned).to_vec(), key: Key::Header, body: body.0.into() })
}

/// Nothing without an impact source to tell it to.
fn incident(event: &Told, settings: &Sleuth, kind: &str) -> Option<Request> {
    let impact = settings.impact.as_ref()?;
    let address = event.content("/ticketURI").or_else(|| event.azure("/url"));
    let body = Object::new()
        .with("type", Some(json!(kind)))
        .with("id", Some(json!(event.subject())))
        .with("date", event.time().map(|time| json!(iso(time))))
        .with("title", event.content("/description").map(|title| json!(cut(title))))
        .with("url", address.map(|address| json!(address)));
    let place = [&settings.organization, &impact.project, &impact.environment, &impact.source].map(String::as_str);
    let path = ["api", "1", "deployments"].into_iter().chain(place).chain(["register_impact"]);
    Some(Request { path: path.map(str::to_owned).collect(), key: Key::Path, body: body.0.into() })
}

/// What is no address is refused by Sleuth with the whole deployment.
fn email(event: &Told) -> Option<&str> {
    let known = event.deployment("/author/email").and_then(text);
    let email = known.or_else(|| event.azure("/requestedFor/uniqueName"))?;
    let (name, host) = email.split_once('@')?;
    let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "@<>,;\\".contains(c));
    (plain(name) && plain(host) && host.contains('.')).then_some(email)
}

/// `#letters-figures_and-dashes`.
fn tag(value: &Value) -> Option<Value> {
    let name = text(value)?.trim_start_matches('#').to_lowercase();
    let name = name.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'), "-");
    let name = name.trim_matches('-');
    (!name.is_empty()).then(|| json!(format!("#{name}")))
}

/// Names and addresses: those that the deployment came with, then its pull requests.
fn links(event: &Told) -> Option<Value> {
    let mut links = Object::new();
    let given = event.deployment("/links").and_then(Value::as_object).into_iter().flatten();
    for (name, address) in given.take(LINKS_MAX) {
        links = links.with(name, text(address).map(|address| json!(address)));
    }
    for pull in event.deployed("/pullRequests").iter().take(LINKS_MAX.saturating_sub(links.0.len())) {
        let title = text(&pull["title"]).map(|title| format!(": {}", cut(title))).unwrap_or_default();
        let name = pull["id"].as_i64().map(|id| format!("Pull request {id}{title}"));
        if let Some((name, address)) = name.zip(text(&pull["url"])) {
            links = links.with(&name, Some(json!(address)));
        }
    }
    (!links.0.is_empty()).then(|| links.0.into())
}

fn commit(value: &Value) -> Option<Value> {
    let author = Object::new()
        .with("name", known(&value["author"]["name"]))
        .with("email", known(&value["author"]["email"]))
        .with("username", known(&value["author"]["username"]).or_else(|| known(&value["author"]["email"])));
    let paths = |member: &Value| {
        let texts = member.as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(text);
        listed(texts.take(FILES_MAX).map(|path| json!(path)).collect())
    };
    let commit = Object::new()
        .with("revision", Some(json!(text(&value["revision"])?)))
        .with("message", text(&value["message"]).map(|message| json!(cut(message))))
        .with("author", (!author.0.is_empty()).then(|| author.0.into()))
        .with("date", moment(&value["date"]))
        .with("files", paths(&value["files"]))
        .with("parents", paths(&value["parents"]))
        .with("url", known(&value["url"]));
    Some(commit.0.into())
}

fn file(value: &Value) -> Option<Value> {
    let count = |member: &Value| Some(json!(member.as_u64().unwrap_or_default()));
    let file = Object::new()
        .with("path", Some(json!(text(&value["path"])?)))
        .with("url", known(&value["url"]))
        .with("additions", count(&value["additions"]))
        .with("deletions", count(&value["deletions"]));
    Some(file.0.into())
}

fn known(value: &Value) -> Option<Value> {
    text(value).map(|text| json!(text))
}

fn moment(value: &Value) -> Option<Value> {
    Some(json!(iso(text(value)?.parse().ok()?)))
}

fn listed(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then(|| values.into())
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// An object without the members that are not known.
struct Object(Map<String, Value>);

impl Object {
    fn new() -> Self {
        Self(Map::new())
    }

    fn with(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }
}
