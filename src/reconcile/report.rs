//! What a run did, or would do, for people.

use super::{
    apply::Outcome,
    desired::Desired,
    hook,
    plan::{Plan, Step, What},
    trouble::Trouble,
};
use crate::{
    azure::client::Subscription as Found,
    domain::{SubscriptionKey, UpdateReason, Why},
};
use std::{collections::BTreeMap, time::Duration};

/// One step.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// Which subscription.
    pub key: SubscriptionKey,
    /// `create`, `adopt`, `replace`, `remove_duplicate`, `remove_undesired` or `leave`.
    pub what: &'static str,
    /// Why.
    pub why: Why,
    /// What became of it.
    pub outcome: Outcome,
    /// `git.push` and the like.
    pub event_type: String,
    /// The publisher.
    pub publisher: String,
    /// The Azure project's GUID.
    pub azure_project: String,
    /// The filters.
    pub filters: BTreeMap<String, String>,
    /// What an update is filtered on.
    pub reason: Option<UpdateReason>,
    /// The subscription at Azure that it is about.
    pub azure_id: Option<String>,
}

/// One run of one connection.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The steps, in their order.
    pub steps: Vec<StepReport>,
    /// What is not in order.
    pub troubles: Vec<Trouble>,
    /// How many are left to the next run.
    pub deferred: usize,
    /// Azure asked to wait so long.
    pub wait: Option<Duration>,
    /// Whether something failed that is worth trying again soon.
    pub failed: bool,
}

impl Report {
    /// A run that ended before there was anything to do.
    pub(super) fn ended(trouble: Trouble) -> Self {
        Self { troubles: vec![trouble], failed: true, ..Self::default() }
    }
}

/// The steps of a plan with what became of them.
pub(super) fn steps(plan: &Plan, outcomes: Vec<Outcome>, desired: &Desired) -> Vec<StepReport> {
    let outcomes = outcomes.into_iter().chain(std::iter::repeat(Outcome::Planned));
    plan.steps.iter().zip(outcomes).map(|(step, outcome)| step_report(step, outcome, desired)).collect()
}

fn step_report(step: &Step, outcome: Outcome, desired: &Desired) -> StepReport {
    let (what, found) = match &step.what {
        What::Create => ("create", None),
        What::Adopt(found) => ("adopt", Some(found)),
        What::Replace(found) => ("replace", Some(found)),
        What::RemoveDuplicate(found) => ("remove_duplicate", Some(found)),
        What::RemoveUndesired(found) => ("remove_undesired", Some(found)),
        What::Leave(found) => ("leave", Some(found)),
    };
    let azure_id = found.map(|found| found.id.clone());
    let report = |event_type: &str, publisher: &str, azure_project, filters, reason| StepReport {
        key: step.key.clone(),
        what,
        why: step.why,
        outcome: outcome.clone(),
        event_type: event_type.to_owned(),
        publisher: publisher.to_owned(),
        azure_project,
        filters,
        reason,
        azure_id: azure_id.clone(),
    };
    match (desired.wanted.get(&step.key), found) {
        (Some(wanted), _) => {
            let spec = &wanted.spec;
            report(&spec.event_type, &spec.publisher, spec.project.to_string(), spec.filters.clone(), spec.reason)
        }
        (None, Some(found)) => {
            let filters = hook::filters(found).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            report(&found.event_type, &found.publisher, project_of(found), filters.collect(), None)
        }
        (None, None) => report("", "", String::new(), BTreeMap::new(), None),
    }
}

fn project_of(found: &Found) -> String {
    found.publisher_inputs.get("projectId").cloned().unwrap_or_default()
}
