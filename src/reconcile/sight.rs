//! Subscriptions that we made and that no listing has: each is asked for by its id before it is called missing.
//!
//! A user who may not view the hooks of a project gets 200 and an empty list, not a refusal (seen by clients of the service, such
//! as mondoo's provider; port-labs/ocean tells of subscriptions without end that came of it), and a new hook may be listed
//! late. So what is not listed is one of three: it is there, which its id says; it is gone, which is believed only where we
//! are known to see the project's hooks; or it is hidden from us. What is hidden is taken to be as we made it, and while
//! anything is hidden nothing more is made.

use super::{
    hook::{self, Whose, whose},
    trouble::{Trouble, TroubleKind},
};
use crate::{
    app::{App, checks},
    azure::client::{AzureDevOps, Failure, Host, Permission, Subscription as Found},
    domain::{Connection, Subscription, SubscriptionKey},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use url::Url;
use uuid::Uuid;

/// Asked for by id in one run, all hosts together; what is beyond is taken to be there until the next run.
const ASKED_MAX: usize = 50;
/// How late a hook may be listed before it is hidden rather than late.
const LATE_MAX: Duration = Duration::from_mins(10);
/// How long a new hook may be unknown to the call by its id; whether that happens is not known.
const SETTLING: Duration = Duration::from_mins(1);
/// How often in a row the making of one may go unheard where we cannot see whether it was made.
const UNHEARD_MAX: u32 = 3;

/// The means of asking.
pub(super) struct Asking<'a> {
    /// The gateway.
    pub app: &'a App,
    /// The connection.
    pub connection: &'a Connection,
    /// Azure DevOps.
    pub azure: &'a dyn AzureDevOps,
    /// Where the gateway is reached.
    pub gateway: &'a Url,
    /// Our own records.
    pub records: &'a BTreeMap<SubscriptionKey, Subscription>,
    /// Subscriptions that are neither made nor removed.
    pub uncertain: &'a BTreeSet<SubscriptionKey>,
}

/// The result of asking.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Those of which nothing is known now: they are left as they are.
    pub unknown: BTreeSet<SubscriptionKey>,
    /// Those of them that are hidden from us.
    pub hidden: BTreeSet<SubscriptionKey>,
    /// Those that may have been made unheard, where we would not see them.
    pub unheard: usize,
    /// Those that are not asked for before the next run, where that is worth a run.
    pub left: usize,
    /// Subscriptions that could not be asked for.
    pub failures: Vec<Failure>,
    /// Whether we see a project's hooks, where that was found out.
    sees: BTreeMap<Place, bool>,
}

/// A project's hooks on a host.
type Place = (Host, Uuid);

/// The answer to an id.
enum Said {
    There(Box<Found>),
    Gone,
    /// Not yet known to whoever answered.
    Settling,
    Hidden,
}

/// Looks for what is not listed. What is there or hidden is added to `listed`, so that whoever counts, counts it.
pub(super) async fn look(asking: &Asking<'_>, listed: &mut BTreeMap<Host, Vec<Found>>) -> Sight {
    let mut sight = Sight { sees: seen(listed), ..Sight::default() };
    let (shown, ids) = (shown(asking, listed), ids(listed));
    let (mut asked, mut gone, mut left) = (0, false, 0);
    for (key, record) in asking.records {
        let (host, place) = (record.spec.host(), place(record));
        if !listed.contains_key(&host) || shown.contains(key) || asking.uncertain.contains(key) {
            continue;
        }
        let Some(azure) = &record.azure else {
            if record.unheard >= UNHEARD_MAX && !sight.sees(asking, place).await {
                sight.unheard += 1;
            }
            continue;
        };
        // The list has it, and a person made it theirs. That hides nothing.
        if ids.contains(&azure.id.to_ascii_lowercase()) {
            continue;
        }
        if asked == ASKED_MAX && sight.sees.get(&place) != Some(&false) {
            left += 1;
            sight.unknown.insert(key.clone());
        } else {
            asked += usize::from(sight.sees.get(&place) != Some(&false));
            match sight.ask(asking, record, &azure.id).await {
                Ok(Said::There(found)) => {
                    if is_older(asking, record, LATE_MAX) {
                        sight.hidden.insert(key.clone());
                        sight.unknown.insert(key.clone());
                    }
                    listed.entry(host).or_default().push(*found);
                    continue;
                }
                Ok(Said::Gone) => {
                    gone = true;
                    continue;
                }
                Ok(Said::Settling) => drop(sight.unknown.insert(key.clone())),
                Ok(Said::Hidden) => {
                    sight.hidden.insert(key.clone());
                    sight.unknown.insert(key.clone());
                }
                Err(failure) => {
                    // As with a listing that is not complete: the host has no steps.
                    listed.remove(&host);
                    sight.failures.push(failure);
                    continue;
                }
            }
        }
        listed.entry(host).or_default().extend(hook::as_made(record, asking.connection, asking.gateway));
    }
    sight.left = if gone { left } else { 0 };
    sight
}

impl Sight {
    async fn ask(&mut self, asking: &Asking<'_>, record: &Subscription, id: &str) -> Result<Said, Failure> {
        let place = place(record);
        // One hidden subscription of a project says that the others are hidden too.
        if self.sees.get(&place) == Some(&false) {
            return Ok(Said::Hidden);
        }
        match asking.azure.subscription(record.spec.host(), id).await {
            Ok(Some(found)) => Ok(Said::There(Box::new(found))),
            Ok(None) if !self.sees(asking, place).await => Ok(Said::Hidden),
            Ok(None) if is_older(asking, record, SETTLING) => Ok(Said::Gone),
            Ok(None) => Ok(Said::Settling),
            Err(Failure::Forbidden { .. }) => {
                self.sees.insert(place, false);
                Ok(Said::Hidden)
            }
            // Somebody answers for it, and nobody knows what.
            Err(failure) if failure.is_of_the_thing() => Ok(Said::Hidden),
            Err(failure) => Err(failure),
        }
    }

    /// Whether we are known to see the hooks of a project: something of it is listed, or the server says that we may.
    async fn sees(&mut self, asking: &Asking<'_>, place: Place) -> bool {
        if let Some(sees) = self.sees.get(&place) {
            return *sees;
        }
        let (right, project) = (Permission::ViewSubscriptions, Some(place.1));
        let may = checks::may(asking.app, asking.connection, asking.azure, right, project).await;
        let sees = may.unwrap_or_default();
        self.sees.insert(place, sees);
        sees
    }

    /// Whether nothing more is to be made.
    pub(super) fn is_dim(&self) -> bool {
        !self.hidden.is_empty() || self.unheard > 0
    }

    /// The troubles to tell.
    pub(super) fn trouble(&self, asking: &Asking<'_>) -> Option<Trouble> {
        let count = self.hidden.len() + self.unheard;
        let projects: BTreeSet<String> =
            self.hidden.iter().filter_map(|key| asking.records.get(key)).map(name).collect();
        let projects = Vec::from_iter(projects).join(", ");
        let of = if projects.is_empty() { String::new() } else { format!(" in {projects}") };
        let advice = checks::advice::how_to_see(asking.connection);
        let detail = format!(
            "{count} subscriptions that were made{of} are not shown to us, so no more are made: whoever lacks the permission \
             View Subscriptions is told that there are none; {advice}"
        );
        self.is_dim().then(|| Trouble::new(TroubleKind::NotShown, detail))
    }
}

fn name(record: &Subscription) -> String {
    record.project_name.clone()
}

fn place(record: &Subscription) -> Place {
    (record.spec.host(), record.spec.project)
}

/// The projects of which something is listed: anybody's, since the right is to see all or none of a project's hooks.
fn seen(listed: &BTreeMap<Host, Vec<Found>>) -> BTreeMap<Place, bool> {
    let all = listed.values().flatten();
    let place = |found: &Found| {
        let project = found.publisher_inputs.get("projectId")?.parse().ok()?;
        Some(((Host::of(&found.publisher), project), true))
    };
    all.filter_map(place).collect()
}

/// The ids that are listed, whosever they are.
fn ids(listed: &BTreeMap<Host, Vec<Found>>) -> BTreeSet<String> {
    listed.values().flatten().map(|found| found.id.to_ascii_lowercase()).collect()
}

/// The keys of ours that are listed, under whatever id.
fn shown(asking: &Asking<'_>, listed: &BTreeMap<Host, Vec<Found>>) -> BTreeSet<SubscriptionKey> {
    let id = |(key, record): (&SubscriptionKey, &Subscription)| {
        record.azure.as_ref().map(|azure| (azure.id.to_ascii_lowercase(), key.clone()))
    };
    let recorded = asking.records.iter().filter_map(id).collect();
    let key = |found: &Found| match whose(found, asking.connection.id, &recorded) {
        Whose::Ours(key) => Some(key),
        Whose::Foreign => None,
    };
    listed.values().flatten().filter_map(key).collect()
}

/// Whether it was made longer ago; what we did not make is old.
fn is_older(asking: &Asking<'_>, record: &Subscription, age: Duration) -> bool {
    let made = record.azure.as_ref().filter(|azure| azure.made_as.is_some()).and_then(|azure| azure.created_at);
    let now: Timestamp = asking.app.clock.now();
    made.is_none_or(|made| now.duration_since(made).unsigned_abs() >= age)
}
