//! The notification history: what was sent, to whom, and how much of it is kept.
//!
//! Hooks are not listened to. A listener would need an address that Azure DevOps reaches, and whoever runs a survey may have
//! none; the history has the same event, its request and what came of it, also of hooks that nobody answers. What only a
//! receiver sees (order on the wire, the time between two attempts) stays unsettled.

use super::{
    ask::Ask,
    asker::{Asker, Ended},
    entry::Entry,
    history_judge as judge,
    question::Finding,
    seen::{Answer, document, id, items, text, time},
};
use crate::azure::client::Host;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Subscriptions whose history is read.
const SUBSCRIPTIONS_MAX: usize = 100;
/// Notifications that are read with their events.
const DETAILED_MAX: u32 = 200;
/// Notifications that are asked for without.
const LISTED_MAX: usize = 1_000;
/// Pushes whose commits are counted.
const PUSHES_MAX: usize = 5;
/// How far back the history goes, by Microsoft's documentation of 2025.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So much more is no news: what is too old is taken away now and then.
const SLACK: SignedDuration = SignedDuration::from_hours(24);
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

/// The things that the survey itself made, and whose history it waited for.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) subscriptions: Vec<String>,
    /// Those that are to tell something, by their event.
    pub(super) expected: Vec<(&'static str, String)>,
    /// The one of them that nothing passes.
    pub(super) unmatched: Option<String>,
    /// The pull request that was a draft.
    pub(super) pull_request: Option<String>,
}

impl Own {
    /// Whether a hook is there already that is to tell this.
    pub(super) fn expects(&self, event: &str) -> bool {
        self.expected.iter().any(|(own, _)| *own == event)
    }
}

pub(super) fn query(host: Host, ids: &[String], more: Value) -> Ask {
    let mut body = more;
    body["subscriptionIds"] = ids.into();
    Ask::posted("the history", "hooks/notificationsquery", &[], body).on(host).big()
}

pub(super) fn results(answer: &Answer) -> &[Value] {
    document(answer)["results"].as_array().map_or(&[], Vec::as_slice)
}

pub(super) async fn ask(asker: &mut Asker<'_>, entry: &Entry, own: &Own) -> Result<(), Ended> {
    let shown = |all: &[Value]| -> Vec<String> { all.iter().filter_map(|one| id(&one["id"])).collect() };
    let mut ids = own.subscriptions.clone();
    ids.extend(shown(&entry.subscriptions).into_iter().filter(|id| !own.subscriptions.contains(id)));
    ids.truncate(SUBSCRIPTIONS_MAX);
    if ids.is_empty() {
        return Ok(());
    }
    let detailed = query(Host::Main, &ids, json!({ "maxResults": DETAILED_MAX, "includeDetails": true }));
    let detailed = asker.see(&detailed).await?;
    let mut all: Vec<Value> = results(&detailed).to_vec();
    let of_releases: Vec<String> = shown(&entry.releases).into_iter().take(SUBSCRIPTIONS_MAX).collect();
    if !of_releases.is_empty() {
        let more = query(Host::Release, &of_releases, json!({ "maxResults": DETAILED_MAX, "includeDetails": true }));
        all.extend(results(&asker.see(&more).await?).iter().cloned());
    }
    for finding in judge::contents(&all) {
        asker.found(finding);
    }
    asker.found(judge::drafts(&all, own.pull_request.as_deref()));
    lengths(asker, entry, &ids).await?;
    let filtered =
        query(Host::Main, &ids, json!({ "maxResults": 100, "includeDetails": true, "resultType": "filtered" }));
    let filtered = asker.see(&filtered).await?;
    let pushed = all.iter().any(|one| {
        text(&one["details"]["event"], "eventType") == "git.push"
            && own.subscriptions.contains(&text(one, "subscriptionId").to_owned())
    });
    let unmatched = own.unmatched.as_deref().filter(|_| pushed);
    asker.found(judge::filtered(results(&filtered), &entry.subscriptions, unmatched));
    push_commits(asker, &all).await
}

/// How long ago, how many, and which are left out.
async fn lengths(asker: &mut Asker<'_>, entry: &Entry, ids: &[String]) -> Result<(), Ended> {
    let listed = asker.see(&query(Host::Main, ids, json!({ "maxResults": LISTED_MAX }))).await?;
    let created: Vec<Timestamp> = results(&listed).iter().filter_map(|one| time(&one["createdDate"])).collect();
    let one = asker.see(&query(Host::Main, ids, json!({ "maxResults": 1 }))).await?;
    let only = results(&one).first().and_then(|one| time(&one["createdDate"]));
    let (oldest, newest) = (created.iter().min().copied(), created.iter().max().copied());
    let (Some(oldest), Some(newest)) = (oldest, newest) else {
        asker.found(Finding::unsettled("history_limit", "the history is empty"));
        return Ok(());
    };
    // Notifications outside of the window that was listed were left out.
    let before =
        json!({ "maxResults": 1, "maxCreatedDate": written(oldest.checked_sub(MILLISECOND).unwrap_or(oldest)) });
    let before = asker.see(&query(Host::Main, ids, before)).await?;
    let after =
        json!({ "maxResults": 1, "minCreatedDate": written(newest.checked_add(MILLISECOND).unwrap_or(newest)) });
    let after = asker.see(&query(Host::Main, ids, after)).await?;
    // Those that came since are no sign: they are newer than the question.
    let asked_at = asker.now();
    let is_older = |one: &Value| time(&one["createdDate"]).is_some_and(|at| at < oldest);
    let is_newer = |one: &Value| {
        time(&one["createdDate"])
            .is_some_and(|at| at > newest && at < asked_at.checked_sub(SignedDuration::from_mins(1)).unwrap_or(at))
    };
    let (older, newer) = (results(&before).iter().any(is_older), results(&after).iter().any(is_newer));
    asker.found(judge::limit(created.len(), LISTED_MAX, older || newer));
    asker.found(judge::order(only, oldest, newest, older, newer));
    let then = asked_at.checked_sub(KEPT + SLACK).unwrap_or(asked_at);
    let old = json!({ "maxResults": 100, "maxCreatedDate": written(then) });
    let old = asker.see(&query(Host::Main, ids, old)).await?;
    let ages = results(&old).iter().filter_map(|one| time(&one["createdDate"]));
    let oldest = ages.filter(|at| *at <= then).min();
    let is_old = |one: &Value| time(&one["createdDate"]).is_some_and(|at| at < then);
    asker.found(judge::age(asked_at, oldest, entry.subscriptions.iter().any(is_old)));
    Ok(())
}

/// With as many digits as every reader of dates takes.
fn written(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

async fn push_commits(asker: &mut Asker<'_>, all: &[Value]) -> Result<(), Ended> {
    let length = |event: &Value| event["resource"]["commits"].as_array().map_or(0, Vec::len);
    let mut pushes: Vec<&Value> =
        all.iter().map(|one| &one["details"]["event"]).filter(|event| text(event, "eventType") == "git.push").collect();
    pushes.sort_by_key(|event| std::cmp::Reverse(length(event)));
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for event in pushes.into_iter().take(PUSHES_MAX) {
        let (push, repository) = (&event["resource"]["pushId"], &event["resource"]["repository"]["id"]);
        let (Some(push), Some(repository)) = (id(push), id(repository)) else { continue };
        let ask = Ask::get("the push", "git/repositories/{repository}/pushes/{push}", &[&repository, &push]);
        let seen = asker.see(&ask.with("includeCommits", 100)).await?;
        let there = document(&seen)["commits"].as_array().map_or(0, Vec::len);
        counts.push((length(event), there));
    }
    asker.found(judge::push_commits(&counts));
    Ok(())
}

/// Whether nothing is on its way at this moment.
pub(super) fn is_quiet(answer: &Answer) -> bool {
    !results(answer).iter().any(|one| matches!(text(one, "status"), "processing" | "requestInProgress"))
}

/// The subscriptions of a project in a listing that go to one of these addresses.
pub(super) fn going_to(listed: &Answer, project: &str, addresses: &[&str]) -> Vec<String> {
    let goes = |one: &&Value| {
        text(&one["publisherInputs"], "projectId").eq_ignore_ascii_case(project)
            && addresses.contains(&text(&one["consumerInputs"], "url"))
    };
    items(listed).iter().filter(goes).filter_map(|one| id(&one["id"])).collect()
}
