//! Doing what was planned. One failure does not stop the rest, unless the rest would fail in the same way.
//!
//! Every order of events is safe. A record is there before its subscription is made; a crash after making it leaves one
//! that the next run adopts by its user name; one between making the new and deleting the old leaves a duplicate that the
//! next run removes. Whatever both deliver meanwhile is one fact.

use super::{
    hands::Hands,
    hook,
    ledger::Ledger,
    plan::{Plan, Step, What, stands_in_for},
    retire::retire,
    trouble::Trouble,
};
use crate::{
    azure::client::{Failure, Host, Subscription as Found, SubscriptionStatus, Unreachable},
    domain::{Action, AtAzure, Deed, Mishap, Spec, Subscription, SubscriptionKey, SubscriptionState, Why},
    metrics,
    recover::Request,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use uuid::Uuid;

/// After so many calls in a row that found nobody, the rest is left to the next run.
const UNREACHED_MAX: u32 = 3;

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet: it was only planned.
    Planned,
    /// Done; perhaps with something to say.
    Done(Option<String>),
    /// It failed.
    Failed(String),
    /// It was not tried.
    Skipped(String),
}

/// What the steps came to.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Of each step, in their order.
    pub outcomes: Vec<Outcome>,
    /// What serves each key now, where a step changed it.
    pub found: BTreeMap<SubscriptionKey, Found>,
    /// Keys with a step that failed.
    pub failed: BTreeSet<SubscriptionKey>,
    /// Keys that nobody wants and of which one is still there.
    pub kept_undesired: BTreeSet<SubscriptionKey>,
    /// What was not in order.
    pub troubles: Vec<Trouble>,
    /// Azure asked to wait.
    pub wait: Option<Duration>,
    halted: Option<String>,
    unreached: u32,
    forbidden: BTreeSet<Uuid>,
    /// What should have been made and was not.
    pub unmade: BTreeSet<SubscriptionKey>,
}

/// Does the steps.
pub(super) async fn apply(
    hands: &Hands<'_>,
    plan: &Plan,
    wanted: &BTreeMap<SubscriptionKey, Spec>,
    unknown: &BTreeSet<SubscriptionKey>,
    ledger: &mut Ledger<'_>,
) -> Applied {
    // A subscription that is only taken to be there replaces none, and one that is not made replaces none.
    let unmade = plan.deferred.iter().chain(&plan.dimmed).chain(unknown).cloned().collect();
    let mut applied = Applied { unmade, ..Applied::default() };
    for step in &plan.steps {
        let outcome = match applied.obstacle(hands, step, wanted) {
            Some(obstacle) => {
                applied.missed(step);
                Outcome::Skipped(obstacle)
            }
            None => match one(hands, step, wanted.get(&step.key), ledger, &mut applied).await {
                Ok(said) => Outcome::Done(said),
                Err(failure) => {
                    applied.missed(step);
                    applied.failed(hands, step, wanted.get(&step.key), &failure, ledger).await;
                    Outcome::Failed(failure.to_string())
                }
            },
        };
        applied.outcomes.push(outcome);
    }
    applied
}

async fn one(
    hands: &Hands<'_>,
    step: &Step,
    spec: Option<&Spec>,
    ledger: &mut Ledger<'_>,
    applied: &mut Applied,
) -> Result<Option<String>, Failure> {
    let done = match (&step.what, spec) {
        (What::Create, Some(spec)) => {
            let found = make(hands, step, spec, Deed::Created, ledger, applied).await?;
            applied.found.insert(step.key.clone(), found);
            None
        }
        (What::Replace(old), Some(spec)) => {
            let found = make(hands, step, spec, Deed::Replaced, ledger, applied).await?;
            applied.found.insert(step.key.clone(), found);
            hands.app.metrics.repairs.get_or_create(&metrics::Repair { why: step.why.word() }).inc();
            let (key, old_id) = (&step.key, &old.id);
            tracing::info!(connection = %hands.kept.record.id, %key, old_id, why = step.why.word(), "a subscription was made anew");
            look_for_losses(hands, old);
            // The new one delivers; the old one is the next run's duplicate if this fails.
            delete(hands, old).await.err().map(|failure| format!("the old one could not be deleted yet: {failure}"))
        }
        (What::Adopt(found), _) => {
            note(hands, step, found, Deed::Adopted, None, ledger).await;
            None
        }
        (What::RemoveDuplicate(found) | What::RemoveUndesired(found), _) => {
            delete(hands, found).await?;
            None
        }
        (What::Leave(_) | What::Create | What::Replace(_), _) => None,
    };
    applied.unreached = 0;
    Ok(done)
}

/// What is deleted may hold notifications that it could not deliver.
async fn delete(hands: &Hands<'_>, old: &Found) -> Result<(), Failure> {
    retire(hands, old).await?;
    hands.azure.delete_subscription(Host::of(&old.publisher), &old.id).await
}

/// What a subscription did not tell while it ailed is looked for, from its last delivery on.
fn look_for_losses(hands: &Hands<'_>, old: &Found) {
    let since = old.last_success.as_deref().and_then(crate::azure::time::timestamp);
    hands.app.recover.ask(hands.kept.record.id, Request { since, closely: true });
}

async fn make(
    hands: &Hands<'_>,
    step: &Step,
    spec: &Spec,
    deed: Deed,
    ledger: &mut Ledger<'_>,
    applied: &mut Applied,
) -> Result<Found, Failure> {
    let connection = &hands.kept.record;
    let before = if let What::Replace(old) = &step.what { Some(old) } else { None };
    let draft = hook::draft(&hands.app.hook_key, hands.gateway, connection, &step.key, spec, before);
    let found = hands.azure.create_subscription(&draft).await?;
    if !note(hands, step, &found, deed, Some(spec), ledger).await {
        // The connection was removed while we asked: what was made for it goes with it.
        applied.halted = Some("the connection is gone".to_owned());
        if let Err(failure) = hands.azure.delete_subscription(spec.host(), &found.id).await {
            let (connection, id) = (connection.id, &found.id);
            tracing::error!(%connection, id, %failure, "a subscription of a removed connection is left at Azure DevOps");
        }
    }
    Ok(found)
}

/// Writes down what is there now, and, where we made it, what was asked for; `false` when the connection is gone. That the store cannot write is no reason to undo
/// anything: the next run finds the subscription by its user name.
async fn note(
    hands: &Hands<'_>,
    step: &Step,
    found: &Found,
    what: Deed,
    made: Option<&Spec>,
    ledger: &mut Ledger<'_>,
) -> bool {
    let Some(mut record) = ledger.records().get(&step.key).cloned() else { return true };
    let (connection, now) = (&hands.kept.record, hands.app.clock.now());
    let mut azure = AtAzure {
        id: found.id.clone(),
        made_as: None,
        asked: None,
        tolerated: BTreeSet::new(),
        created_at: found.created_date.as_ref().and_then(|date| date.parse().ok()),
        last_success: found.last_success.clone(),
    };
    if let Some(spec) = made {
        let wanted = super::desired::Wanted { spec: spec.clone(), bindings: record.bindings.clone() };
        let differences = hook::differences(found, &wanted, hands.gateway, connection, &step.key);
        azure.tolerated = differences.into_iter().filter(|why| *why != Why::Generation).collect();
        if !azure.tolerated.is_empty() {
            let (key, odd) = (&step.key, &azure.tolerated);
            tracing::warn!(connection = %connection.id, %key, ?odd, "Azure DevOps made a subscription otherwise than it was asked");
        }
        azure.made_as = hands.identity;
        azure.asked = Some(hook::asked(hands.gateway, connection, spec));
        azure.created_at = Some(now);
        record.spec = spec.clone();
    }
    (record.state, record.unheard) = (state(found.status), 0);
    record.azure = Some(azure);
    record.last_action = Some(Action { at: now, what, why: step.why });
    match ledger.write(vec![record], &[]).await {
        Ok(()) => true,
        Err(crate::app::change::Refusal::NotFound(_)) => false,
        Err(error) => {
            tracing::warn!(connection = %connection.id, %error, "what was done at Azure DevOps is not written down yet");
            true
        }
    }
}

/// Whether what was asked for may have happened all the same.
fn is_unheard(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { at, .. } => *at == Unreachable::Silent,
        Failure::Unavailable { .. } | Failure::Unexpected { .. } => true,
        Failure::Settings(_)
        | Failure::Unauthorized { .. }
        | Failure::Forbidden { .. }
        | Failure::NotFound { .. }
        | Failure::Refused { .. }
        | Failure::Throttled { .. } => false,
    }
}

/// What Azure's status means to us.
pub(super) fn state(status: SubscriptionStatus) -> SubscriptionState {
    match status {
        SubscriptionStatus::Enabled | SubscriptionStatus::Unknown => SubscriptionState::Active,
        SubscriptionStatus::OnProbation => SubscriptionState::OnProbation,
        SubscriptionStatus::DisabledByUser => SubscriptionState::DisabledByUser,
        SubscriptionStatus::DisabledBySystem => SubscriptionState::DisabledBySystem,
        SubscriptionStatus::DisabledByInactiveIdentity => SubscriptionState::DisabledByInactiveIdentity,
    }
}

impl Applied {
    /// Why a step is better not tried.
    fn obstacle(&mut self, hands: &Hands<'_>, step: &Step, wanted: &BTreeMap<SubscriptionKey, Spec>) -> Option<String> {
        if self.halted.is_none() {
            let directory = hands.app.directory();
            let version = directory.connections.get(&hands.kept.record.id).map(|kept| kept.version);
            if version != Some(hands.kept.version) {
                self.halted = Some("the connection has changed in the meantime".to_owned());
            } else if *hands.app.stopping().borrow() {
                self.halted = Some("the gateway stops".to_owned());
            }
        }
        if let Some(halted) = &self.halted {
            return Some(halted.clone());
        }
        match (&step.what, wanted.get(&step.key)) {
            (What::Create | What::Replace(_), Some(spec)) if self.forbidden.contains(&spec.project) => {
                Some("Azure DevOps does not allow it in this project".to_owned())
            }
            (What::RemoveDuplicate(_), _) if self.unmade.contains(&step.key) => {
                Some("the one in its place is not made anew yet".to_owned())
            }
            (What::RemoveUndesired(found), _) => {
                let missing =
                    self.unmade.iter().filter_map(|key| wanted.get(key)).any(|spec| stands_in_for(found, spec));
                missing.then(|| "what takes its place is not made yet".to_owned())
            }
            _ => None,
        }
    }

    /// A step that was not done.
    fn missed(&mut self, step: &Step) {
        match step.what {
            What::Create | What::Replace(_) => drop(self.unmade.insert(step.key.clone())),
            What::RemoveUndesired(_) => drop(self.kept_undesired.insert(step.key.clone())),
            What::Adopt(_) | What::RemoveDuplicate(_) | What::Leave(_) => {}
        }
    }

    async fn failed(
        &mut self,
        hands: &Hands<'_>,
        step: &Step,
        spec: Option<&Spec>,
        failure: &Failure,
        ledger: &mut Ledger<'_>,
    ) {
        let doing = match &step.what {
            What::Create | What::Replace(_) | What::Adopt(_) | What::Leave(_) => "a subscription could not be made",
            What::RemoveDuplicate(_) | What::RemoveUndesired(_) => "a subscription could not be removed",
        };
        let trouble = Trouble::from_failure(doing, failure);
        match failure {
            Failure::Settings(_) | Failure::Unauthorized { .. } => self.halted = Some(failure.to_string()),
            Failure::Throttled { wait } => {
                self.wait = Some(*wait);
                self.halted = Some(failure.to_string());
            }
            Failure::Unavailable { .. } | Failure::Unreachable { .. } => {
                self.unreached += 1;
                if self.unreached >= UNREACHED_MAX {
                    self.halted = Some(failure.to_string());
                }
            }
            Failure::Forbidden { .. } if matches!(step.what, What::Create | What::Replace(_)) => {
                self.forbidden.extend(spec.map(|spec| spec.project));
            }
            Failure::Forbidden { .. }
            | Failure::NotFound { .. }
            | Failure::Refused { .. }
            | Failure::Unexpected { .. } => {}
        }
        // One of each kind says it; the records say the rest.
        if !self.troubles.iter().any(|there| there.kind == trouble.kind) {
            self.troubles.push(trouble);
        }
        self.failed.insert(step.key.clone());
        if let Some(mut record) = ledger.records().get(&step.key).cloned() {
            if is_unheard(failure) && matches!(step.what, What::Create | What::Replace(_)) {
                record.unheard = record.unheard.saturating_add(1);
            }
            record.last_error = Some(Mishap { at: hands.app.clock.now(), detail: failure.to_string() });
            if matches!(step.what, What::Create) {
                record.state = SubscriptionState::Failing;
            }
            self.write(ledger, record).await;
        }
    }

    async fn write(&mut self, ledger: &mut Ledger<'_>, record: Subscription) {
        if let Err(error) = ledger.write(vec![record], &[]).await {
            self.halted.get_or_insert(error.to_string());
        }
    }
}
