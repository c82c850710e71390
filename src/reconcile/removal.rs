//! Removing a connection, with what it has at Azure DevOps.
//!
//! The registry's commit is the decision: after it nothing of the connection is left here, whatever Azure says. Then ours
//! are deleted there, with the credential that was just removed and for a limited time; what could not be deleted is
//! told, so that a person can.

use super::hook::{self, Whose, whose};
use crate::{
    app::{
        App,
        change::{Precondition, Refusal},
        connections::{self, Removal},
    },
    azure::{
        CollectionUrl,
        client::{AzureDevOps, Failure, Host, Priority, Subscription as Found},
    },
    domain::{ConnectionId, Subscription},
};
use futures_util::{StreamExt as _, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// For everything at Azure.
const AZURE_TIMEOUT: Duration = Duration::from_secs(20);
/// For one listing; then only what we remember is deleted.
const LISTING_TIMEOUT: Duration = Duration::from_secs(10);
/// Deleted at once.
const DELETING_MAX: usize = 4;

/// A subscription of ours at Azure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hook {
    /// Its GUID there.
    pub id: String,
    /// `git.push` and the like.
    pub event_type: String,
    /// The Azure project's GUID.
    pub azure_project: String,
    /// Where the API has it: `DELETE` there deletes it.
    pub url: String,
}

/// What became of ours at Azure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Those that are gone there.
    pub deleted: Vec<Hook>,
    /// Those that a person has to delete, and why.
    pub left: Vec<(Hook, String)>,
    /// Why there may be others that we do not know of.
    pub unverified: Option<String>,
}

/// What removing a connection would delete at Azure, as far as we know.
pub fn preview(app: &App, id: ConnectionId) -> Vec<Hook> {
    let directory = app.directory();
    let Some(kept) = directory.connections.get(&id) else { return Vec::new() };
    directory.subscriptions_of(id).filter_map(|record| of_record(&kept.record.url, &record.record)).collect()
}

/// Removes a connection here, then what it has at Azure.
///
/// # Errors
/// Those of [`connections::remove`]: nothing was removed, neither here nor there.
pub async fn remove(
    app: &App,
    id: ConnectionId,
    precondition: &Precondition,
    confirmation: Option<&str>,
) -> Result<(Removal, Cleared), Refusal> {
    let kept = connections::find(&app.directory(), id)?;
    // Before the commit: the credential goes with it.
    let azure = app.azure(&kept, Priority::Repair);
    let removal = connections::remove(app, id, precondition, confirmation).await?;
    let url = &kept.record.url;
    let known: BTreeMap<Hook, Host> =
        removal.subscriptions.iter().filter_map(|r| Some((of_record(url, r)?, r.spec.host()))).collect();
    let progress = Mutex::new(Cleared::default());
    let timeout = format!("there was no answer within {} s", AZURE_TIMEOUT.as_secs());
    let obstacle = match azure {
        _ if removal.subscriptions.is_empty() => None,
        Err(failure) => Some(failure.to_string()),
        Ok(azure) => {
            let clearing = Clearing { app, id, url, azure: &*azure, known: &known, progress: &progress };
            within(app, AZURE_TIMEOUT, clearing.run(&removal.subscriptions)).await.is_none().then_some(timeout)
        }
    };
    let mut cleared = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(obstacle) = obstacle {
        let seen: BTreeSet<&Hook> = cleared.deleted.iter().chain(cleared.left.iter().map(|(hook, _)| hook)).collect();
        let rest: Vec<Hook> = known.into_keys().filter(|hook| !seen.contains(hook)).collect();
        cleared.left.extend(rest.into_iter().map(|hook| (hook, obstacle.clone())));
        cleared.unverified.get_or_insert(obstacle);
    }
    app.upkeep.retain(|connection| connection != id);
    Ok((removal, cleared))
}

struct Clearing<'a> {
    app: &'a App,
    id: ConnectionId,
    url: &'a CollectionUrl,
    azure: &'a dyn AzureDevOps,
    known: &'a BTreeMap<Hook, Host>,
    progress: &'a Mutex<Cleared>,
}

impl Clearing<'_> {
    /// Records without a subscription count too: its making may have gone unheard.
    async fn run(&self, records: &[Subscription]) {
        // A run that is under way ends at its next step: the connection is gone.
        let watched = self.app.upkeep.of(self.id);
        let _running = watched.running.lock().await;
        let hosts: BTreeSet<Host> = records.iter().map(|record| record.spec.host()).chain([Host::Main]).collect();
        for host in hosts {
            let listing = within(self.app, LISTING_TIMEOUT, self.azure.subscriptions(host)).await;
            let targets: Vec<Hook> = match listing {
                Some(Ok(all)) => {
                    let there = self.ours(host, &all);
                    // Somebody else may have deleted a subscription that is not listed, or we may not see it; one that is gone is as
                    // good as deleted.
                    let unseen =
                        self.known(host).filter(|hook| !there.iter().any(|t| t.id.eq_ignore_ascii_case(&hook.id)));
                    unseen.cloned().chain(there.iter().cloned()).collect()
                }
                listing => {
                    let why = match listing {
                        Some(Err(failure)) => failure.to_string(),
                        _ => format!("there was no answer within {} s", LISTING_TIMEOUT.as_secs()),
                    };
                    self.note(|cleared| cleared.unverified = Some(format!("they could not be listed: {why}")));
                    self.known(host).cloned().collect()
                }
            };
            let deleting = stream::iter(targets).map(|hook| async move {
                let deleted = self.azure.delete_subscription(host, &hook.id).await;
                self.note(|cleared| cleared.end(hook, deleted));
            });
            deleting.buffer_unordered(DELETING_MAX).collect::<()>().await;
        }
    }

    fn note(&self, change: impl FnOnce(&mut Cleared)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn known(&self, host: Host) -> impl Iterator<Item = &Hook> {
        self.known.iter().filter(move |(_, of)| **of == host).map(|(hook, _)| hook)
    }

    /// By URL and user name, or by what we remember; a hook made by hand is a person's.
    fn ours(&self, host: Host, all: &[Found]) -> Vec<Hook> {
        let placeholder = "0000000000000000".parse().expect("16 digits are a key");
        let remembered = self.known(host).map(|hook| (hook.id.to_ascii_lowercase(), Clone::clone(&placeholder)));
        let remembered = remembered.collect();
        let ours =
            |found: &&Found| Host::of(&found.publisher) == host && whose(found, self.id, &remembered) != Whose::Foreign;
        all.iter().filter(ours).map(|found| of_found(self.url, found)).collect()
    }
}

impl Cleared {
    fn end(&mut self, hook: Hook, deleted: Result<(), Failure>) {
        match deleted {
            Ok(()) => self.deleted.push(hook),
            Err(failure) => self.left.push((hook, failure.to_string())),
        }
    }
}

async fn within<T>(app: &App, timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = app.clock.sleep(timeout) => None,
    }
}

fn of_record(url: &CollectionUrl, record: &Subscription) -> Option<Hook> {
    let azure = record.azure.as_ref()?;
    Some(Hook {
        id: azure.id.clone(),
        event_type: record.spec.event_type.clone(),
        azure_project: record.spec.project.to_string(),
        url: format!("{}/{}", hook::api_url(url, record.spec.host()), azure.id),
    })
}

fn of_found(url: &CollectionUrl, found: &Found) -> Hook {
    Hook {
        id: found.id.clone(),
        event_type: found.event_type.clone(),
        azure_project: found.publisher_inputs.get("projectId").cloned().unwrap_or_default(),
        url: format!("{}/{}", hook::api_url(url, Host::of(&found.publisher)), found.id),
    }
}
