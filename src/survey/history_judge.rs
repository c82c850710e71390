//! Judgements of the notifications of a history.

use super::{
    question::Finding,
    seen::{id, text, time},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most commits in the payload of a push, as assumed.
const PUSH_COMMITS_MAX: usize = 25;
/// A receiver that is silent for less was not reached rather than waited for.
const SILENCE_SECONDS_MIN: f64 = 5.0;
/// How long a receiver may take, as assumed, and a second.
const SILENCE_SECONDS_MAX: f64 = 21.0;
/// Two notifications of one event are made within this time.
const TOGETHER: SignedDuration = SignedDuration::from_mins(5);

fn event(one: &Value) -> &Value {
    &one["details"]["event"]
}

/// Judges which members the notifications have.
pub(super) fn contents(all: &[Value]) -> Vec<Finding> {
    if all.is_empty() {
        return Vec::new();
    }
    vec![
        events(all),
        resources(all),
        requests(all),
        trace_headers(all),
        event_ids(all),
        pull_pushes(all),
        revision(all),
        stage_ids(all),
        started(all),
        silence(all),
    ]
}

fn events(all: &[Value]) -> Finding {
    let without = all.iter().filter(|one| !event(one).is_object()).count();
    let said = format!("of {} notifications {without} have no event", all.len());
    Finding::told("history_event", without == 0, said).with_if(
        without == all.len(),
        "hooks.history_without_events",
        true,
    )
}

fn resources(all: &[Value]) -> Finding {
    let key = "history_resource";
    let with: Vec<&Value> = all.iter().map(event).filter(|event| event.is_object()).collect();
    let words = with.iter().filter(|event| event["resource"].is_string()).count();
    if with.is_empty() {
        return Finding::unsettled(key, "no notification has an event");
    }
    let said = format!("of {} events {words} have a text for a resource", with.len());
    Finding::told(key, words == 0, said).with_if(words == with.len(), "hooks.history_resources_are_words", true)
}

/// The texts of the requests that were sent.
fn sent(all: &[Value]) -> Vec<&str> {
    all.iter().map(|one| text(&one["details"], "request")).filter(|text| !text.is_empty()).collect()
}

fn requests(all: &[Value]) -> Finding {
    let key = "history_request";
    let sent = sent(all);
    let without = sent.iter().filter(|request| !request.contains("\nContent:")).count();
    if sent.is_empty() {
        return Finding::unsettled(key, "no notification was sent");
    }
    let said = format!("of {} requests {without} have no body", sent.len());
    Finding::told(key, without == 0, said).with_if(without == sent.len(), "hooks.history_requests_without_body", true)
}

fn trace_headers(all: &[Value]) -> Finding {
    let key = "trace_headers";
    let sent: Vec<String> = sent(all).iter().map(|request| request.to_ascii_lowercase()).collect();
    let without = sent.iter().filter(|request| !request.contains("x-vss-activityid")).count();
    if sent.is_empty() {
        return Finding::unsettled(key, "no notification was sent");
    }
    let said = format!("of {} requests {without} have none", sent.len());
    Finding::told(key, without == 0, said).with_if(without == sent.len(), "hooks.without_trace_headers", true)
}

/// Subscription, event's id and time of a notification.
type Told<'a> = (&'a Value, &'a Value, Option<Timestamp>);

/// Notifications of different subscriptions with the same resource are of one event.
fn event_ids(all: &[Value]) -> Finding {
    let mut groups: BTreeMap<(&str, String), Vec<Told<'_>>> = BTreeMap::new();
    for one in all.iter().filter(|one| event(one)["resource"].is_object()) {
        let key = (text(event(one), "eventType"), event(one)["resource"].to_string());
        groups.entry(key).or_default().push((&one["subscriptionId"], &one["eventId"], time(&one["createdDate"])));
    }
    let (mut same, mut other) = (0_usize, 0_usize);
    for group in groups.values() {
        let subscriptions: BTreeSet<String> = group.iter().map(|(id, ..)| id.to_string()).collect();
        let times: Vec<Timestamp> = group.iter().filter_map(|(.., at)| *at).collect();
        let apart = times.iter().max().zip(times.iter().min()).map(|(last, first)| last.duration_since(*first));
        // One subscription twice: these are two events that look the same.
        if subscriptions.len() < 2 || subscriptions.len() != group.len() || apart.is_none_or(|apart| apart > TOGETHER) {
            continue;
        }
        let ids: BTreeSet<String> = group.iter().map(|(_, id, _)| id.to_string()).collect();
        if ids.len() == 1 {
            same += 1;
        } else {
            other += 1;
        }
    }
    if same + other == 0 {
        return Finding::unsettled("event_ids", "no event went to two subscriptions");
    }
    let said = format!("of {} events {other} have several ids", same + other);
    Finding::told("event_ids", other == 0, said).with_if(same == 0, "hooks.an_id_per_subscription", true)
}

fn pull_pushes(all: &[Value]) -> Finding {
    let of_type =
        |prefix: &'static str| all.iter().filter(move |one| text(event(one), "eventType").starts_with(prefix));
    let moves_pull = |one: &&Value| {
        let updates = event(one)["resource"]["refUpdates"].as_array();
        updates.is_some_and(|all| all.iter().any(|update| text(update, "name").starts_with("refs/pull/")))
    };
    let (pushes, pulls) = (of_type("git.push").count(), of_type("git.pullrequest.").count());
    let of_pulls = of_type("git.push").filter(moves_pull).count();
    let said = format!("of {pushes} pushes {of_pulls} moved a ref of a pull request; {pulls} are of pull requests");
    // A subscription that is filtered by its branch would not be told.
    let unfiltered = of_type("git.push").any(|one| text(&one["details"]["publisherInputs"], "branch").is_empty());
    if of_pulls > 0 {
        Finding::otherwise("pull_pushes", said).with("hooks.pull_refs_fire_push", true)
    } else if unfiltered && pulls > 0 {
        Finding::as_assumed("pull_pushes", said)
    } else {
        Finding::unsettled("pull_pushes", said)
    }
}

/// A work item that was created has revision 1; two comments in one revision were rendered when they were delivered.
fn revision(all: &[Value]) -> Finding {
    let of_type = |kind: &'static str| all.iter().map(event).filter(move |event| text(event, "eventType") == kind);
    let rev = |event: &Value| event["resource"]["rev"].as_u64();
    let created = of_type("workitem.created").filter_map(rev).collect::<Vec<_>>();
    let later = created.iter().filter(|rev| **rev != 1).count();
    let mut comments: BTreeMap<(String, u64), BTreeSet<String>> = BTreeMap::new();
    for event in of_type("workitem.commented") {
        let item = id(&event["resource"]["id"]).or_else(|| id(&event["resource"]["workItemId"]));
        if let (Some(item), Some(rev), Some(own)) = (item, rev(event), id(&event["id"])) {
            comments.entry((item, rev)).or_default().insert(own);
        }
    }
    let shared = comments.values().filter(|ids| ids.len() > 1).count();
    let said = format!(
        "of {} creations {later} have a later revision than the first; of {} revisions with a comment {shared} have several",
        created.len(),
        comments.len()
    );
    if created.is_empty() && comments.is_empty() {
        return Finding::unsettled("revision", "no work item was created or commented on");
    }
    Finding::told("revision", later + shared == 0, said)
}

fn stage_ids(all: &[Value]) -> Finding {
    let mut stages: BTreeMap<(String, &str), BTreeMap<u64, BTreeSet<&str>>> = BTreeMap::new();
    for event in all.iter().map(event) {
        let (run, stage) = (&event["resource"]["run"]["id"], &event["resource"]["stage"]);
        let attempt = stage["attempt"].as_u64().or_else(|| event["resource"]["attempt"].as_u64());
        if let (Some(run), Some(attempt), Some(own)) = (id(run), attempt, stage["id"].as_str()) {
            stages.entry((run, text(stage, "name"))).or_default().entry(attempt).or_default().insert(own);
        }
    }
    let again: Vec<_> = stages.values().filter(|attempts| attempts.len() > 1).collect();
    let kept = again.iter().filter(|attempts| attempts.values().flatten().collect::<BTreeSet<_>>().len() == 1).count();
    if again.is_empty() {
        return Finding::unsettled("stage_ids", "no stage that was run again was told with its attempt");
    }
    Finding::told("stage_ids", kept == 0, format!("of {} stages that were run again {kept} keep their id", again.len()))
}

fn started(all: &[Value]) -> Finding {
    let kind = "ms.vss-release.deployment-started-event";
    let found: Vec<&Value> = all
        .iter()
        .map(event)
        .filter(|event| text(event, "eventType") == kind)
        .map(|event| &event["resource"])
        .collect();
    let steps = |own: &&&Value| own["environment"]["deploySteps"].as_array().is_some_and(|steps| !steps.is_empty());
    let (with, named) =
        (found.iter().filter(steps).count(), found.iter().filter(|own| own["attemptId"].is_u64()).count());
    if found.is_empty() {
        return Finding::unsettled("started", "no deployment of a classic release is in the history");
    }
    let said = format!("of {} starts {with} have deploySteps and {named} an attemptId", found.len());
    Finding::told("started", with == 0 && named == found.len(), said)
}

fn silence(all: &[Value]) -> Finding {
    let silent = |one: &&Value| {
        let answered = !text(&one["details"], "response").is_empty();
        text(one, "result") == "failed" && !answered
    };
    let seconds = all.iter().filter(silent).filter_map(|one| one["details"]["requestDuration"].as_f64());
    let longest = seconds.filter(|seconds| *seconds >= SILENCE_SECONDS_MIN).fold(0.0_f64, f64::max);
    if longest == 0.0 {
        return Finding::unsettled("silence", "no receiver kept silent");
    }
    let is_assumed = longest <= SILENCE_SECONDS_MAX;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a request")]
    let milliseconds = (longest * 1_000.0) as u64;
    Finding::told("silence", is_assumed, format!("the longest silence took {longest:.1} seconds")).with_if(
        !is_assumed,
        "hooks.timeout_milliseconds",
        milliseconds,
    )
}

pub(super) fn limit(listed: usize, asked: usize, more: bool) -> Finding {
    let key = "history_limit";
    match (listed, more) {
        (_, true) if listed < asked => Finding::otherwise(key, format!("{listed} of {asked}, and there are more"))
            .with("hooks.history_results_max", listed),
        (_, true) => Finding::as_assumed(key, format!("all {asked} that were asked for, of more")),
        (_, false) => Finding::as_assumed(key, format!("{listed}, which are all")),
    }
}

/// `only` is what is given when one is asked for; `older` and `newer` whether the long listing left such ones out.
pub(super) fn order(
    only: Option<Timestamp>,
    oldest: Timestamp,
    newest: Timestamp,
    older: bool,
    newer: bool,
) -> Finding {
    let key = "history_order";
    if newer || (oldest < newest && !older && only == Some(oldest)) {
        Finding::otherwise(key, "the newest is left out").with("hooks.history_oldest_first", true)
    } else if oldest < newest && (older || only == Some(newest)) {
        Finding::as_assumed(key, "the oldest is left out")
    } else if oldest == newest {
        Finding::unsettled(key, "there is one notification, or all are of one moment")
    } else {
        Finding::unsettled(key, "one of those between was given")
    }
}

/// `has_old` says whether there is a subscription that is older than what is asked for.
pub(super) fn age(now: Timestamp, oldest: Option<Timestamp>, has_old: bool) -> Finding {
    let key = "history_age";
    match oldest {
        Some(oldest) => {
            let days = u16::try_from(now.duration_since(oldest).as_hours() / 24 + 1).unwrap_or(u16::MAX);
            Finding::otherwise(key, format!("there are notifications of {} days ago", days - 1))
                .with("hooks.history_days", days)
        }
        None if has_old => Finding::as_assumed(key, "subscriptions are older than 8 days, and no notification is"),
        None => Finding::unsettled(key, "no subscription is older than 8 days"),
    }
}

/// `unmatched` is a subscription that delivers and whose filter something did not pass.
pub(super) fn filtered(all: &[Value], subscriptions: &[Value], unmatched: Option<&str>) -> Finding {
    let key = "filtered";
    if all.is_empty() {
        let none = "none is in the history";
        return match unmatched {
            Some(_) => Finding::as_assumed(key, "what did not pass a filter is not in the history"),
            None => Finding::unsettled(key, none),
        };
    }
    let delivers = |one: &&Value| {
        let own = subscriptions.iter().find(|own| own["id"] == one["subscriptionId"]);
        own.is_some_and(|own| text(own, "status") == "enabled")
            || one["subscriptionId"].as_str() == unmatched && unmatched.is_some()
    };
    let enabled = all.iter().filter(delivers).count();
    let with = all.iter().filter(|one| event(one).is_object()).count();
    let tried = all.iter().filter(|one| one["details"]["requestAttempts"].as_u64() > Some(0)).count();
    let said = format!(
        "{} of them: {with} have their event, {tried} were sent, {enabled} are of subscriptions that deliver",
        all.len()
    );
    Finding::told(key, enabled == 0, said)
}

/// Of commits in the payload and by the listing.
pub(super) fn push_commits(counts: &[(usize, usize)]) -> Finding {
    let key = "push_commits";
    let cut = counts.iter().filter(|(told, there)| told < there).map(|(told, _)| *told).max();
    let most = counts.iter().map(|(told, _)| *told).max().unwrap_or_default();
    match cut {
        Some(cut) if cut == PUSH_COMMITS_MAX => Finding::as_assumed(key, format!("cut at {cut}")),
        Some(cut) => Finding::otherwise(key, format!("cut at {cut}")).with("hooks.push_commits_max", cut),
        None if most > PUSH_COMMITS_MAX => {
            Finding::otherwise(key, format!("{most} are told")).with("hooks.push_commits_max", most)
        }
        None => Finding::unsettled(key, format!("the largest push that was told has {most} commits")),
    }
}

/// Which filters a draft passed as it was published.
pub(super) fn drafts(all: &[Value], pull_request: Option<&str>) -> Finding {
    let key = "drafts";
    let Some(number) = pull_request else { return Finding::unsettled(key, "it takes a draft in a scratch project") };
    let told = all.iter().filter(|one| {
        let resource = &event(one)["resource"];
        text(event(one), "eventType") == "git.pullrequest.updated"
            && id(&resource["pullRequestId"]).as_deref() == Some(number)
            && text(resource, "status") == "active"
            && resource["isDraft"] != true
    });
    let filters: BTreeSet<&str> =
        told.map(|one| text(&one["details"]["publisherInputs"], "notificationType")).collect();
    let known =
        ["PushNotification", "ReviewersUpdateNotification", "StatusUpdateNotification", "ReviewerVoteNotification"];
    let passed: Vec<&str> = known.into_iter().filter(|known| filters.contains(known)).collect();
    if passed.contains(&"StatusUpdateNotification") {
        Finding::as_assumed(key, format!("told to who asks for {}", passed.join(", ")))
    } else if !passed.is_empty() {
        Finding::otherwise(key, format!("told to who asks for {}", passed.join(", ")))
    } else if filters.contains("") {
        Finding::otherwise(key, "told only to who asks for everything").with("hooks.drafts_pass_no_filter", true)
    } else {
        Finding::unsettled(key, "it was told to nobody in time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn notification(subscription: u32, event_id: u32, resource: Value) -> Value {
        json!({
            "subscriptionId": subscription.to_string(), "eventId": event_id.to_string(), "result": "succeeded",
            "createdDate": "2026-11-22T10:00:00Z",
            "details": { "event": { "id": event_id.to_string(), "eventType": "git.push", "resource": resource } },
        })
    }

    fn at(second: u32) -> Timestamp {
        format!("2026-11-22T10:00:{second:02}Z").parse().unwrap()
    }

    #[test]
    fn one_event_is_known_by_its_resource_and_may_have_several_ids() {
        let resource = |n: u32| json!({ "pushId": n });
        let same = [notification(1, 7, resource(3)), notification(2, 7, resource(3))];
        assert_eq!(event_ids(&same).verdict.word(), "as_assumed");
        let other = [notification(1, 7, resource(3)), notification(2, 8, resource(3))];
        assert_eq!(event_ids(&other).switches, [("hooks.an_id_per_subscription", json!(true))]);
        let two_events = [notification(1, 7, resource(3)), notification(1, 8, resource(3))];
        assert_eq!(event_ids(&two_events).verdict.word(), "unsettled");
    }

    #[test]
    fn what_is_left_out_says_the_limit_and_the_order() {
        assert_eq!(limit(3, 1_000, true).switches, [("hooks.history_results_max", json!(3))]);
        assert_eq!(limit(1_000, 1_000, true).verdict.word(), "as_assumed");
        let judged = |only, older, newer| order(Some(at(only)), at(1), at(9), older, newer).verdict.word();
        assert_eq!(judged(9, false, false), "as_assumed");
        assert_eq!(judged(9, true, false), "as_assumed");
        assert_eq!(judged(1, false, false), "otherwise");
        assert_eq!(judged(1, false, true), "otherwise");
        assert_eq!(judged(5, false, false), "unsettled");
        assert_eq!(order(Some(at(1)), at(1), at(1), false, false).verdict.word(), "unsettled");
    }

    #[test]
    fn a_draft_is_judged_by_the_filters_that_it_passed() {
        let told = |filter: &str| {
            let mut one = notification(1, 7, json!({ "pullRequestId": 4, "status": "active", "isDraft": false }));
            one["details"]["event"]["eventType"] = "git.pullrequest.updated".into();
            one["details"]["publisherInputs"] = json!({ "notificationType": filter });
            one
        };
        assert_eq!(drafts(&[told(""), told("StatusUpdateNotification")], Some("4")).verdict.word(), "as_assumed");
        assert_eq!(drafts(&[told("")], Some("4")).switches, [("hooks.drafts_pass_no_filter", json!(true))]);
        assert_eq!(drafts(&[told("PushNotification")], Some("4")).verdict.word(), "otherwise");
        assert_eq!(drafts(&[told("")], Some("5")).verdict.word(), "unsettled");
        assert_eq!(drafts(&[told("Fabrikam"), told("")], Some("4")).did, "told only to who asks for everything");
    }

    #[test]
    fn commits_that_are_cut_say_where() {
        assert_eq!(push_commits(&[(25, 40), (3, 3)]).verdict.word(), "as_assumed");
        assert_eq!(push_commits(&[(10, 40)]).switches, [("hooks.push_commits_max", json!(10))]);
        assert_eq!(push_commits(&[(3, 3)]).verdict.word(), "unsettled");
    }
}
