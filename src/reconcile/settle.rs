//! What a run writes down: before it makes anything, and of how everything is afterwards.

use super::{
    apply::{self, Applied},
    audit::Audited,
    desired::Wanted,
    known::Known,
    ledger::Ledger,
    plan::Plan,
    sight::Sight,
};
use crate::{
    app::{App, change::Refusal, subscriptions::last_arrival},
    azure::client::{Host, Subscription as Found, SubscriptionStatus},
    domain::{Subscription, SubscriptionKey, SubscriptionState},
};
use std::collections::{BTreeMap, BTreeSet};

/// The record of a wanted subscription, new or brought up to date.
pub(super) fn record(known: &Known, ledger: &Ledger<'_>, key: &SubscriptionKey, wanted: &Wanted) -> Subscription {
    let before = ledger.records().get(key);
    let mut bindings = wanted.bindings.clone();
    // A binding that cannot be resolved now keeps what it had.
    bindings.extend(before.into_iter().flat_map(|b| b.bindings.intersection(&known.resolution.uncertain)));
    Subscription {
        connection: ledger.connection(),
        key: key.clone(),
        spec: wanted.spec.clone(),
        project_name: known.project_name(wanted),
        names: known.names(&wanted.spec),
        bindings,
        azure: before.and_then(|before| before.azure.clone()),
        unheard: before.map_or(0, |before| before.unheard),
        state: before.map_or(SubscriptionState::Pending, |before| before.state),
        detail: None,
        last_action: before.and_then(|before| before.last_action.clone()),
        last_error: before.and_then(|before| before.last_error.clone()),
        last_arrival: before.and_then(|before| before.last_arrival),
        updated_at: before.map_or_else(|| ledger.app().clock.now(), |before| before.updated_at),
    }
}

pub(super) fn not_offered(known: &Known, ledger: &Ledger<'_>) -> Vec<Subscription> {
    let record = |(key, (wanted, why)): (&SubscriptionKey, &(Wanted, String))| Subscription {
        state: SubscriptionState::NotOffered,
        detail: Some(why.clone()),
        ..record(known, ledger, key, wanted)
    };
    known.desired.not_offered.iter().map(record).collect()
}

/// Written down before anything is made.
pub(super) fn announced(known: &Known, ledger: &Ledger<'_>) -> Vec<Subscription> {
    let state = |record: Subscription| match record.state {
        // It was of a kind that is no more: by hand, not offered or not wanted before.
        SubscriptionState::ManualExpected
        | SubscriptionState::ManualReceiving
        | SubscriptionState::NotOffered
        | SubscriptionState::Unwanted => Subscription { state: SubscriptionState::Pending, ..record },
        _ => record,
    };
    let wanted = known.desired.wanted.iter().map(|(key, wanted)| state(record(known, ledger, key, wanted)));
    wanted.chain(not_offered(known, ledger)).collect()
}

pub(super) fn arrived(app: &App, mut record: Subscription) -> Subscription {
    record.last_arrival = last_arrival(app, &record);
    // Compared with what was written, this says whether the times are worth a write.
    record.updated_at = app.clock.now();
    record
}

/// Writes down how everything is after the steps.
pub(super) async fn settle(
    known: &Known,
    listed: &BTreeMap<Host, Vec<Found>>,
    (plan, applied): (&Plan, &Applied),
    uncertain: &BTreeSet<SubscriptionKey>,
    (sight, audited): (&Sight, &Audited),
    ledger: &mut Ledger<'_>,
) -> Result<(), Refusal> {
    let (mut written, mut gone) = (Vec::new(), Vec::new());
    for (key, before) in ledger.records() {
        let mut record = before.clone();
        let seen = listed.contains_key(&record.spec.host());
        if known.desired.wanted.contains_key(key) && seen {
            state_of(&mut record, applied.found.get(key).or_else(|| plan.found.get(key)), applied, audited);
            let is_told = plan.found.get(key).is_some_and(|found| found.status != SubscriptionStatus::Unknown);
            if sight.hidden.contains(key) && !is_told {
                record.state = SubscriptionState::NotShown;
            }
        } else if !known.wants(key) && !uncertain.contains(key) {
            if seen && !applied.kept_undesired.contains(key) {
                gone.push(key.clone());
                continue;
            }
            record.state = SubscriptionState::Unwanted;
        }
        written.push(arrived(ledger.app(), record));
    }
    ledger.write(written, &gone).await
}

/// How a wanted one is: as it was found, or missing.
fn state_of(record: &mut Subscription, found: Option<&Found>, applied: &Applied, audited: &Audited) {
    let failed = applied.failed.contains(&record.key);
    let Some(found) = found else {
        record.azure = None;
        let failing = failed || record.state == SubscriptionState::Failing;
        record.state = if failing { SubscriptionState::Failing } else { SubscriptionState::Pending };
        return;
    };
    record.unheard = 0;
    record.state = match apply::state(found.status) {
        SubscriptionState::Active if failed && applied.unmade.contains(&record.key) => SubscriptionState::Failing,
        state => state,
    };
    record.detail = said(found, audited);
    if let Some(azure) = record.azure.as_mut().filter(|azure| azure.id == found.id) {
        azure.last_success = found.last_success.clone().or(azure.last_success.take());
    }
}

/// A remark beside the state. The person who switched a hook off is the one of whom the audit log says so, else most likely the
/// one who changed it last, as far as it says itself.
fn said(found: &Found, audited: &Audited) -> Option<String> {
    if let Some(word) = &found.unknown_status {
        return Some(format!("Azure DevOps says that it is {word}"));
    }
    if let Some(said) = audited.said(found) {
        return Some(said);
    }
    let by = found.modified_by.as_ref().filter(|_| found.status == SubscriptionStatus::DisabledByUser)?;
    let on = found.modified_date.as_ref().map(|date| format!(" on {date}")).unwrap_or_default();
    Some(format!("changed last by {by}{on}"))
}
