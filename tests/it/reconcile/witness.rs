//! Who remembers what was delivered and what should have been, and holds it against journal and events.

use crate::real::Real;
use hookwell::{
    azure::client::{Subscription, SubscriptionStatus},
    simulator::NotificationResult,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What should become of something that happened, where a good hook of ours heard of it.
#[derive(Debug)]
struct Expected {
    /// The event's type, without its version.
    kind: &'static str,
    subject: String,
    /// The push, where it was one: a branch is pushed to again and again.
    push: Option<u32>,
    /// Whether there was a good hook at the moment; else it may be lost, but not doubled.
    heard: bool,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// Hook and number of each notification that Azure counts as delivered to us.
    delivered: BTreeSet<(String, i64)>,
    expected: Vec<Expected>,
}

/// Whether a hook delivers here with a password that is good, of what is as wide as we asked for.
fn is_good(real: &Real, hook: &Subscription) -> bool {
    let (_, generation) = hook.consumer_inputs["basicAuthUsername"].rsplit_once('.').unwrap();
    let connections = &real.gateway.app.directory().connections;
    let at_door = hook.consumer_inputs["url"].starts_with(&real.url);
    let known = generation.parse::<u32>().unwrap() == connections[&real.connection].record.hook.current;
    hook.status == SubscriptionStatus::Enabled && at_door && known && !hook.publisher_inputs.contains_key("branch")
}

impl Witness {
    /// Remembers what was delivered since: a hook that is deleted takes its history with it.
    pub(super) async fn look(&mut self, real: &Real) {
        let hooks = real.simulator().hooks();
        hooks.settle().await;
        for hook in real.ours() {
            let all = hooks.notifications(hook.id.parse().unwrap());
            let delivered = all.iter().filter(|own| own.result == NotificationResult::Succeeded);
            self.delivered.extend(delivered.map(|own| (hook.id.clone(), i64::from(own.id))));
        }
    }

    /// Whether a good hook hears of this, by the inputs that may narrow it.
    fn heard(real: &Real, event_type: &str, project: Uuid, facts: &[(&str, String)]) -> bool {
        real.ours().iter().any(|hook| {
            let input = |name: &str| hook.publisher_inputs.get(name);
            let fits = |(name, value): &(&str, String)| input(name).is_none_or(|own| own.eq_ignore_ascii_case(value));
            let in_project = input("projectId") == Some(&project.to_string());
            hook.event_type == event_type && in_project && facts.iter().all(fits) && is_good(real, hook)
        })
    }

    /// A push to `main` of which a good hook hears.
    pub(super) fn pushed_surely(&mut self, repository: Uuid, push: u32) {
        self.push(repository, push, true);
    }

    /// Called before anything is awaited, so that the hooks are those of the moment.
    pub(super) fn pushed(&mut self, real: &Real, project: Uuid, repository: Uuid, push: u32) {
        let heard = Self::heard(real, "git.push", project, &[("repository", repository.to_string())]);
        self.push(repository, push, heard);
    }

    fn push(&mut self, repository: Uuid, push: u32, heard: bool) {
        let subject = format!("git/repositories/{repository}/refs/heads/main");
        self.expected.push(Expected {
            kind: "dev.cdeventsx.azuredevops-branch.updated",
            subject,
            push: Some(push),
            heard,
        });
    }

    pub(super) fn work_item_created(&mut self, real: &Real, project: Uuid, number: u32) {
        self.expected.push(Expected {
            kind: "dev.cdevents.ticket.created",
            subject: format!("wit/workItems/{number}"),
            push: None,
            heard: Self::heard(real, "workitem.created", project, &[]),
        });
    }

    pub(super) fn build_finished(&mut self, real: &Real, project: Uuid, pipeline: &str, build: u32) {
        self.expected.push(Expected {
            kind: "dev.cdevents.build.finished",
            subject: format!("build/builds/{build}"),
            push: None,
            heard: Self::heard(real, "build.complete", project, &[("definitionName", pipeline.to_owned())]),
        });
    }

    pub(super) async fn everything_became_one_event(&self, real: &Real) {
        let mut kept: BTreeMap<(String, i64), u32> = BTreeMap::new();
        for notification in real.notifications().await {
            let key = (notification.subscription_id.unwrap(), notification.notification_id.unwrap());
            *kept.entry(key).or_default() += 1;
        }
        assert!(kept.values().all(|count| *count == 1), "a delivery is in the journal twice: {kept:?}");
        for delivery in &self.delivered {
            assert!(kept.contains_key(delivery), "{delivery:?} was answered well and is not in the journal");
        }
        let events = real.events().await;
        let ids: BTreeSet<Uuid> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), events.len(), "an event's id occurs twice");
        let events: Vec<Value> = events.iter().map(|event| serde_json::from_slice(&event.json).unwrap()).collect();
        for expected in &self.expected {
            let is_it = |event: &&Value| {
                let push = &event["data"]["customData"]["azuredevops"]["pushId"];
                event["type"].as_str().unwrap().starts_with(expected.kind)
                    && event["subject"] == *expected.subject
                    && expected.push.is_none_or(|number| *push == json!(number))
            };
            match (events.iter().filter(is_it).count(), expected.heard) {
                (1, _) | (0, false) => {}
                (count, _) => panic!("it became {count} events: {expected:?}"),
            }
        }
    }
}
