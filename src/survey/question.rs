//! The questions, and what Hookwell takes for true until somebody has seen it otherwise.

use serde_json::Value;

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The word for it.
    pub key: &'static str,
    /// The assumption of Hookwell.
    pub assumed: &'static str,
    /// The switches of the simulator (`simulator::Faults`) that an answer sets.
    pub switches: &'static [&'static str],
}

/// How an answer compares with what was assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service does as assumed.
    AsAssumed,
    /// The service does otherwise.
    Otherwise,
    /// Nothing that was seen says it.
    Unsettled,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::AsAssumed => "as_assumed",
            Self::Otherwise => "otherwise",
            Self::Unsettled => "unsettled",
        }
    }
}

/// The answer to one question. `did` is in words of ours and numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which.
    pub key: &'static str,
    /// How it compares.
    pub verdict: Verdict,
    /// The behaviour of the service.
    pub did: String,
    /// How the switches have to be for the simulator to do the same; those that are not named stay off.
    pub switches: Vec<(&'static str, Value)>,
}

impl Finding {
    pub(super) fn as_assumed(key: &'static str, did: impl Into<String>) -> Self {
        Self { key, verdict: Verdict::AsAssumed, did: did.into(), switches: Vec::new() }
    }

    pub(super) fn otherwise(key: &'static str, did: impl Into<String>) -> Self {
        Self { verdict: Verdict::Otherwise, ..Self::as_assumed(key, did) }
    }

    pub(super) fn unsettled(key: &'static str, did: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unsettled, ..Self::as_assumed(key, did) }
    }

    /// As assumed or otherwise.
    pub(super) fn told(key: &'static str, is_assumed: bool, did: impl Into<String>) -> Self {
        if is_assumed { Self::as_assumed(key, did) } else { Self::otherwise(key, did) }
    }

    pub(super) fn with(mut self, switch: &'static str, value: impl Into<Value>) -> Self {
        self.switches.push((switch, value.into()));
        self
    }

    /// With it only where this holds.
    pub(super) fn with_if(self, holds: bool, switch: &'static str, value: impl Into<Value>) -> Self {
        if holds { self.with(switch, value) } else { self }
    }
}

const fn question(key: &'static str, assumed: &'static str, switches: &'static [&'static str]) -> Question {
    Question { key, assumed, switches }
}

/// All of them, in the order in which they are shown.
#[rustfmt::skip]
pub const QUESTIONS: &[Question] = &[
    question("routes", "OPTIONS _apis is answered with 200 and names the hooks' subscriptions", &[]),
    question("permissions", "a token may ask which rights on hooks it has", &["permissions_need_full_access"]),
    question("nobody", "without a credential the answer is 401 where the sign-in page is suppressed", &["suppress_is_ignored", "refusal"]),
    question("scopes", "a token without the scope is answered 401", &["scope_refusal"]),
    question("publishers", "a publisher without event types is answered with an empty list", &["hooks.unknown_publisher"]),
    question("release_hooks", "hooks of releases want the scope Release (Read) as releases do", &[]),
    question("subscriptions", "one listing has all subscriptions, and each says the version that was asked for", &[]),
    question("commits_page", "commitsbatch reads its page from the query and from the body", &["commits_paged_by"]),
    question("pushes", "each push in a listing names the refs that it moved", &[]),
    question("run_end", "a run's finishedDate is its build's finishTime to the second", &[]),
    question("builds_page", "builds by finish time go on behind their continuation token", &[]),
    question("revisions", "startDateTime of revisions goes by when they were stored: older dates are listed as well", &[]),
    question("history_event", "the history has the event of each notification", &["hooks.history_without_events"]),
    question("history_resource", "the event's resource is whole in the history", &["hooks.history_resources_are_words"]),
    question("history_request", "the history has the body of each request", &["hooks.history_requests_without_body"]),
    question("history_age", "the history goes back 7 days", &["hooks.history_days"]),
    question("history_limit", "the history gives as many notifications as it is asked for", &["hooks.history_results_max"]),
    question("history_order", "where there are too many the history leaves out the oldest", &["hooks.history_oldest_first"]),
    question("filtered", "a filtered notification is one of a subscription that delivers no more", &[]),
    question("event_ids", "two subscriptions get one event under one id", &["hooks.an_id_per_subscription"]),
    question("trace_headers", "requests have X-VSS-ActivityId", &["hooks.without_trace_headers"]),
    question("push_commits", "the payload of a push has at most 25 commits", &["hooks.push_commits_max"]),
    question("pull_pushes", "the merge of a pull request being tried is told as no push", &["hooks.pull_refs_fire_push"]),
    question("revision", "a work item's payload has the revision of its event", &[]),
    question("stage_ids", "a stage that is run again has another id in its hooks", &[]),
    question("started", "a deployment that started has an attemptId and no deploySteps", &[]),
    question("silence", "a receiver may take 20 seconds", &["hooks.timeout_milliseconds"]),
    question("comment_edit", "editing a comment makes a revision of its work item", &[]),
    question("drafts", "publishing a draft is told to who asks for StatusUpdateNotification", &["hooks.drafts_pass_no_filter"]),
    question("known", "its own address knows a subscription at once", &["hooks.known_late_seconds"]),
    question("listed", "a subscription is listed at once", &["hooks.listed_late_seconds"]),
    question("unviewed", "who lacks View Subscriptions is refused at a subscription's own address", &["hooks.unviewed"]),
    question("version", "a subscription has the resource version that was asked for", &[]),
    question("plain_http", "Basic credentials over plain http are taken", &["hooks.basic_needs_https"]),
    question("private_target", "a private address is taken", &["hooks.private_targets_refused"]),
    question("deleting", "Edit Subscriptions is enough to delete", &["hooks.delete_needs_its_own_right"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_question_and_each_switch_is_there_once() {
        let keys: BTreeSet<_> = QUESTIONS.iter().map(|own| own.key).collect();
        let switches: Vec<_> = QUESTIONS.iter().flat_map(|own| own.switches).collect();
        assert_eq!(keys.len(), QUESTIONS.len());
        assert_eq!(switches.iter().collect::<BTreeSet<_>>().len(), switches.len());
    }
}
