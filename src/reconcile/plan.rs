//! What is to be done: pure, from what is wanted, what is there, and what we remember of it.
//!
//! A host whose listing is not complete has no steps at all: what is not seen there may be there all the same.

use super::{
    desired::Wanted,
    hook::{Whose, ailment, asked, differences, filters, is_anothers, whose},
};
use crate::{
    azure::client::{Host, Subscription as Found, SubscriptionStatus},
    domain::{AtAzure, Connection, Deed, Spec, Subscription, SubscriptionKey, Why},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use url::Url;
use uuid::Uuid;

/// Most subscriptions that are made in one run; the rest is made by the next one.
pub(super) const CREATIONS_PER_RUN_MAX: usize = 200;
/// What did not help is not done again before this time has passed: a hook that is restricted because we are not reached
/// would otherwise be replaced in every run.
pub(super) const AGAIN_AFTER: Duration = Duration::from_mins(10);

/// Everything that a plan is made from.
pub(super) struct Situation<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// Where the gateway is reached.
    pub gateway: &'a Url,
    /// Who we are at Azure.
    pub identity: Option<Uuid>,
    /// The time.
    pub now: Timestamp,
    /// What is to be there.
    pub wanted: &'a BTreeMap<SubscriptionKey, Wanted>,
    /// What is neither made nor removed, because it is not known whether it is wanted.
    pub uncertain: &'a BTreeSet<SubscriptionKey>,
    /// Subscriptions that stay as they are, because nobody knows how they are now.
    pub unknown: &'a BTreeSet<SubscriptionKey>,
    /// Whether nothing more is made, because we would not see it.
    pub is_dim: bool,
    /// Whether a hook of ours that no record speaks of may be one of those.
    pub unknown_uncertain: bool,
    /// What we remember.
    pub records: &'a BTreeMap<SubscriptionKey, Subscription>,
    /// What is there, on each host that could be listed.
    pub listed: &'a BTreeMap<Host, Vec<Found>>,
    /// Most subscriptions of the connection.
    pub subscriptions_max: usize,
}

/// What is to be done with one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Make it.
    Create,
    /// Record it as ours.
    Adopt(Found),
    /// Make it anew, then delete this one.
    Replace(Found),
    /// Delete this second one.
    RemoveDuplicate(Found),
    /// Delete it, nobody wants it.
    RemoveUndesired(Found),
    /// Do nothing, although something could be done.
    Leave(Found),
}

/// One step, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Which subscription.
    pub key: SubscriptionKey,
    /// What.
    pub what: What,
    /// Why.
    pub why: Why,
}

/// The steps in their order, and what is found in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// The subscription that serves each wanted key, before the steps.
    pub found: BTreeMap<SubscriptionKey, Found>,
    /// The hosts that have any of ours, before the steps.
    pub ours_on: BTreeSet<Host>,
    /// What would be made but is too much for one run.
    pub deferred: Vec<SubscriptionKey>,
    /// Subscriptions that are not made, because we would not see them.
    pub dimmed: Vec<SubscriptionKey>,
    /// What would be made but is too much for one connection.
    pub too_many: usize,
}

/// Makes the plan.
pub(super) fn plan(situation: &Situation<'_>) -> Plan {
    let (mut plan, mut ours) = (Plan::default(), ours(situation));
    let mut there: usize = ours.values().map(Vec::len).sum();
    plan.ours_on = ours.values().flatten().map(|found| Host::of(&found.publisher)).collect();
    for (key, wanted) in situation.wanted {
        if !situation.listed.contains_key(&wanted.spec.host()) {
            continue;
        }
        let mut candidates = ours.remove(key).unwrap_or_default();
        candidates.sort_by_cached_key(|found| rank(situation, key, wanted, found));
        let mut candidates = candidates.into_iter();
        match candidates.next() {
            Some(found) => {
                if !situation.unknown.contains(key) {
                    plan.steps.extend(mend(situation, key, wanted, &found));
                }
                plan.found.insert(key.clone(), found);
            }
            None if situation.is_dim => plan.dimmed.push(key.clone()),
            None if there >= situation.subscriptions_max => plan.too_many += 1,
            None => {
                there += 1;
                plan.steps.push(Step { key: key.clone(), what: What::Create, why: Why::Missing });
            }
        }
        plan.steps.extend(candidates.map(|found| {
            let (what, why) = match found.status {
                SubscriptionStatus::DisabledByUser => (What::Leave(found), Why::DisabledByUser),
                _ => (What::RemoveDuplicate(found), Why::Duplicate),
            };
            Step { key: key.clone(), what, why }
        }));
    }
    for (key, all) in ours {
        let unknown = situation.unknown_uncertain && !situation.records.contains_key(&key);
        // A wanted key that is left here is on a host that was not listed, so it has moved; leave it to the next run.
        if unknown || situation.uncertain.contains(&key) || situation.wanted.contains_key(&key) {
            continue;
        }
        let step = |found| Step { key: key.clone(), what: What::RemoveUndesired(found), why: Why::Undesired };
        plan.steps.extend(all.into_iter().map(step));
    }
    plan.steps.sort_by_key(order);
    defer(&mut plan);
    plan
}

/// Ours by key, on the hosts that could be listed. A server that serves all publishers on one host lists each
/// subscription for both; its publisher says where it counts.
fn ours(situation: &Situation<'_>) -> BTreeMap<SubscriptionKey, Vec<Found>> {
    let id = |(key, record): (&SubscriptionKey, &Subscription)| {
        record.azure.as_ref().map(|azure| (azure.id.to_ascii_lowercase(), key.clone()))
    };
    let recorded: BTreeMap<String, SubscriptionKey> = situation.records.iter().filter_map(id).collect();
    let (mut ours, mut seen): (BTreeMap<_, Vec<Found>>, _) = (BTreeMap::new(), BTreeSet::new());
    for (host, all) in situation.listed {
        for found in all.iter().filter(|found| Host::of(&found.publisher) == *host) {
            if let Whose::Ours(key) = whose(found, situation.connection.id, &recorded)
                && seen.insert(found.id.to_ascii_lowercase())
            {
                ours.entry(key).or_default().push(found.clone());
            }
        }
    }
    ours
}

/// The best first: one that needs nothing, one that delivers, one that does not, one that a person switched off.
fn rank(
    situation: &Situation<'_>,
    key: &SubscriptionKey,
    wanted: &Wanted,
    found: &Found,
) -> (u8, bool, Option<String>, String) {
    let quality = match (found.status, need(situation, key, wanted, found)) {
        (SubscriptionStatus::DisabledByUser, _) => 3,
        (_, None) => 0,
        (status, Some(_)) if ailment(status).is_none() => 1,
        (_, Some(_)) => 2,
    };
    let recorded = azure(situation, key).is_some_and(|azure| azure.id.eq_ignore_ascii_case(&found.id));
    (quality, !recorded, found.created_date.clone(), found.id.clone())
}

fn azure<'a>(situation: &'a Situation<'_>, key: &SubscriptionKey) -> Option<&'a AtAzure> {
    situation.records.get(key)?.azure.as_ref()
}

/// Why it has to be made anew, if it has to.
fn need(situation: &Situation<'_>, key: &SubscriptionKey, wanted: &Wanted, found: &Found) -> Option<Why> {
    let known = azure(situation, key).filter(|azure| azure.id.eq_ignore_ascii_case(&found.id));
    let mut all = differences(found, wanted, situation.gateway, situation.connection, key);
    if let Some(azure) = known
        && azure.asked.as_ref() == Some(&asked(situation.gateway, situation.connection, &wanted.spec))
    {
        all.retain(|why| !azure.tolerated.contains(why));
    }
    if is_anothers(found, known.and_then(|azure| azure.made_as), situation.identity) {
        all.insert(Why::Owner);
    }
    ailment(found.status).or_else(|| all.into_iter().next())
}

/// What is to be done with the one that serves a wanted key.
fn mend(situation: &Situation<'_>, key: &SubscriptionKey, wanted: &Wanted, found: &Found) -> Option<Step> {
    let step = |what, why| Some(Step { key: key.clone(), what, why });
    if found.status == SubscriptionStatus::DisabledByUser {
        return step(What::Leave(found.clone()), Why::DisabledByUser);
    }
    let known = azure(situation, key).is_some_and(|azure| azure.id.eq_ignore_ascii_case(&found.id));
    match need(situation, key, wanted, found) {
        None if known => None,
        None => step(What::Adopt(found.clone()), Why::Found),
        Some(why) if known && just_replaced(situation, key, why) => step(What::Leave(found.clone()), why),
        Some(why) => step(What::Replace(found.clone()), why),
    }
}

fn just_replaced(situation: &Situation<'_>, key: &SubscriptionKey, why: Why) -> bool {
    let action = situation.records.get(key).and_then(|record| record.last_action.as_ref());
    action.is_some_and(|action| {
        let age = situation.now.duration_since(action.at).unsigned_abs();
        action.what == Deed::Replaced && action.why == why && age < AGAIN_AFTER
    })
}

/// What costs nothing first, then what is missing, then what does not deliver; deleting last.
fn order(step: &Step) -> u8 {
    match (&step.what, step.why) {
        (What::Adopt(_), _) => 0,
        (What::Create, _) => 1,
        (What::Replace(found), _) if ailment(found.status).is_some() => 2,
        (What::Replace(_), _) => 3,
        (What::RemoveDuplicate(_), _) => 4,
        (What::RemoveUndesired(_), _) => 5,
        (What::Leave(_), _) => 6,
    }
}

fn defer(plan: &mut Plan) {
    let mut made = 0;
    let (steps, deferred): (Vec<Step>, Vec<Step>) = std::mem::take(&mut plan.steps).into_iter().partition(|step| {
        made += usize::from(matches!(step.what, What::Create | What::Replace(_)));
        made <= CREATIONS_PER_RUN_MAX || !matches!(step.what, What::Create | What::Replace(_))
    });
    (plan.steps, plan.deferred) = (steps, deferred.into_iter().map(|step| step.key).collect());
}

/// Whether deleting `found` before `missing` is made would lose what both deliver: one of them is filtered as the other is
/// and perhaps further.
pub(super) fn stands_in_for(found: &Found, missing: &Spec) -> bool {
    let project = found.publisher_inputs.get("projectId").map(String::as_str).unwrap_or_default();
    let same = found.event_type == missing.event_type && project.eq_ignore_ascii_case(&missing.project.to_string());
    let theirs = filters(found);
    let ours: BTreeMap<&str, &str> = missing.filters.iter().map(|(name, value)| (&**name, &**value)).collect();
    let within =
        |a: &BTreeMap<&str, &str>, b: &BTreeMap<&str, &str>| a.iter().all(|(name, value)| b.get(name) == Some(value));
    same && (within(&theirs, &ours) || within(&ours, &theirs))
}

#[cfg(test)]
mod tests;
