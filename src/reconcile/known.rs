//! What is known before a run of a connection does anything: what is wanted, and what is uncertain about it.

use super::{
    catalogue::Catalogue,
    desired::{Desired, Wanted, desired},
    resolve::{Resolution, resolve},
    trouble::{Trouble, TroubleKind},
    upkeep::Remembered,
};
use crate::{
    app::{App, Directory, Kept},
    azure::client::{AzureDevOps, Failure, Host, Subscription as Found},
    domain::{Connection, Spec, Subscription, SubscriptionKey},
};
use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    time::Duration,
};

/// How long a server is believed to offer what it offered.
const CATALOGUE_KEPT: Duration = Duration::from_hours(24);
/// How long names are believed to mean what they meant.
const RESOLUTION_KEPT: Duration = Duration::from_hours(1);

/// A number for what a run depends on: another one means that something was changed here.
pub(super) fn fingerprint(directory: &Directory, kept: &Kept<Connection>) -> u64 {
    let mut hasher = DefaultHasher::new();
    kept.version.hash(&mut hasher);
    for binding in directory.bindings.values().filter(|binding| binding.record.connection == kept.record.id) {
        (binding.record.id, binding.version).hash(&mut hasher);
    }
    hasher.finish()
}

/// What is wanted, and what is not known about it.
pub(super) struct Known {
    pub(super) desired: Desired,
    pub(super) resolution: Resolution,
    pub(super) catalogue: Catalogue,
}

impl Known {
    /// Looks up what the bindings select and what the server offers, as far as it is not remembered.
    ///
    /// # Errors
    /// What concerns the whole connection.
    pub(super) async fn lookup(
        app: &App,
        directory: &Directory,
        kept: &Kept<Connection>,
        azure: &dyn AzureDevOps,
        remembered: &mut Remembered,
    ) -> Result<Self, Failure> {
        let (print, now) = (fingerprint(directory, kept), app.clock.monotonic());
        let recent = |at: Duration, kept_for| now.saturating_sub(at) < kept_for;
        let resolution = match &remembered.resolution {
            Some((of, at, resolution)) if *of == print && recent(*at, RESOLUTION_KEPT) => resolution.clone(),
            _ => {
                let resolution = resolve(azure, directory.bindings_of(kept.record.id), directory).await?;
                // What is not all known is looked up again next time.
                let whole = resolution.uncertain.is_empty();
                remembered.resolution = whole.then(|| (print, now, resolution.clone()));
                resolution
            }
        };
        let catalogue = match &remembered.catalogue {
            Some((of, at, catalogue)) if *of == kept.version && recent(*at, CATALOGUE_KEPT) => catalogue.clone(),
            _ => {
                let catalogue = Catalogue::read(azure).await?;
                remembered.catalogue = catalogue.is_whole().then(|| (kept.version, now, catalogue.clone()));
                catalogue
            }
        };
        let desired = desired(kept.record.id, &resolution.selected, &catalogue);
        Ok(Self { desired, resolution, catalogue })
    }

    /// No hook at all.
    pub(super) fn wants_nothing(&mut self) {
        self.desired = Desired::default();
        self.resolution.uncertain.clear();
    }

    /// What is not in order with the bindings.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let unresolved = self.resolution.unresolved.iter().map(|(binding, why)| {
            Trouble::of(*binding, format!("{why}; what it has at Azure DevOps is left as it is"))
        });
        let silent = self.catalogue.silent.iter().filter(|(publisher, _)| self.wants_of(publisher)).map(|(publisher, why)| {
            if publisher != "rm" {
                let detail = format!(
                    "the publisher {publisher} does not say which events it offers ({why}); what is there of them is left as \
                     it is, and it is asked again by itself"
                );
                return Trouble::new(TroubleKind::Failing, detail);
            }
            let detail = format!(
                "events of classic releases are not available ({why}); they need the scope Release (Read) and are optional"
            );
            Trouble::new(TroubleKind::NoReleases, detail)
        });
        unresolved.chain(silent).collect()
    }

    fn wants_of(&self, publisher: &str) -> bool {
        self.desired.not_offered.values().any(|(wanted, _)| wanted.spec.publisher == publisher)
    }

    /// What the Azure project is called.
    pub(super) fn project_name(&self, wanted: &Wanted) -> String {
        let name = self.resolution.project_names.get(&wanted.spec.project);
        name.cloned().unwrap_or_else(|| wanted.spec.project.to_string())
    }

    /// What the values of the filters are called, where they have names.
    pub(super) fn names(&self, spec: &Spec) -> BTreeMap<String, String> {
        let called = &self.resolution.names;
        let known = spec.filters.iter().filter_map(|(filter, value)| {
            let name = called.iter().find(|((of, what), _)| of == filter && what == value)?.1;
            Some((filter.clone(), name.clone()))
        });
        known.collect()
    }

    /// Whether a binding wants it, be it offered or not.
    pub(super) fn wants(&self, key: &SubscriptionKey) -> bool {
        self.desired.wanted.contains_key(key) || self.desired.not_offered.contains_key(key)
    }

    /// What is neither made nor removed: what the server does not offer, and what serves a binding of which not all is
    /// known.
    pub(super) fn uncertain(&self, records: &BTreeMap<SubscriptionKey, Subscription>) -> BTreeSet<SubscriptionKey> {
        let serves = |record: &&Subscription| !record.bindings.is_disjoint(&self.resolution.uncertain);
        let serving = records.values().filter(serves).map(|record| record.key.clone());
        self.desired.not_offered.keys().cloned().chain(serving).collect()
    }

    /// The listing of each host that may hold one of ours; complete, or not among them.
    pub(super) async fn list(
        &self,
        azure: &dyn AzureDevOps,
        records: &BTreeMap<SubscriptionKey, Subscription>,
        ours_on: &BTreeSet<Host>,
    ) -> (BTreeMap<Host, Vec<Found>>, Vec<Failure>) {
        let (mut listed, mut failures) = (BTreeMap::new(), Vec::new());
        let wanted = self.desired.wanted.values().map(|wanted| wanted.spec.host());
        let mut hosts: BTreeSet<Host> = wanted.chain(records.values().map(|record| record.spec.host())).collect();
        hosts.insert(Host::Main);
        hosts.extend(ours_on);
        if !self.catalogue.publishers.contains_key("rm") {
            hosts.remove(&Host::Release);
        }
        for host in hosts {
            match azure.subscriptions(host).await {
                Ok(all) => drop(listed.insert(host, all)),
                Err(failure) => failures.push(failure),
            }
        }
        (listed, failures)
    }
}
