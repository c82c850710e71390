//! Decoded copies of the registry's records, so that a delivery is checked without decoding anything.

use super::kind;
use crate::{
    domain::{
        Binding, BindingId, Connection, ConnectionId, Health, Meaning, Process, Project, Role, Selection, Sink, SinkId,
        Slug, Subscription, Token, TokenId,
    },
    store::{Store, Versioned},
};
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

/// A decoded record and the version it was read at.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    /// The registry's version, which is the resource's `ETag`.
    pub version: u64,
    /// The record.
    pub record: T,
}

/// All records at one revision of the registry.
#[derive(Debug, Default)]
pub struct Directory {
    /// The revision that was read.
    pub revision: u64,
    /// Connections by id.
    pub connections: BTreeMap<ConnectionId, Kept<Connection>>,
    /// How each connection is doing, where it was checked.
    pub health: BTreeMap<ConnectionId, Kept<Health>>,
    /// Projects by slug.
    pub projects: BTreeMap<Slug, Kept<Project>>,
    /// Bindings by id.
    pub bindings: BTreeMap<BindingId, Kept<Binding>>,
    /// Tokens by id.
    pub tokens: BTreeMap<TokenId, Kept<Token>>,
    /// Sinks by id.
    pub sinks: BTreeMap<SinkId, Kept<Sink>>,
    /// Subscriptions by their registry id, which begins with the connection's.
    subscriptions: BTreeMap<String, Arc<Kept<Subscription>>>,
    /// What the names in bindings mean.
    pub(super) meanings: BTreeMap<BindingId, Kept<Meaning>>,
    /// The bindings of each connection.
    by_connection: BTreeMap<ConnectionId, Arc<[Binding]>>,
    /// The same, and each once more in ids where they are known, as translation wants them.
    selecting: BTreeMap<ConnectionId, Arc<[Binding]>>,
    /// The processes of the Azure projects that work items are selected from, by connection.
    processes: BTreeMap<ConnectionId, Arc<[Process]>>,
    /// Of those the code deployments, also with the connection that their builds come through.
    deploying: BTreeMap<ConnectionId, Arc<[Binding]>>,
}

impl Directory {
    /// Reads everything. A record that does not decode is left out and logged: one bad record must not stop the rest.
    ///
    /// Subscriptions are many and rarely change, so those of `before` are taken over where their version is the same.
    pub(super) fn read(store: &dyn Store, before: &Self) -> Self {
        // The revision first: a commit in between makes us read once more, not miss it.
        let revision = store.revision();
        let bindings: BTreeMap<BindingId, Kept<Binding>> = records(store, kind::BINDING, |b: &Binding| b.id);
        let meanings: BTreeMap<BindingId, Kept<Meaning>> = records(store, kind::MEANING, |m: &Meaning| m.binding);
        let providing = providing(&bindings);
        let (mut by_connection, mut selecting, mut deploying) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut processes = BTreeMap::new();
        for Kept { record: binding, .. } in bindings.values() {
            let of_connection: &mut Vec<Binding> = by_connection.entry(binding.connection).or_default();
            of_connection.push(binding.clone());
            let meaning = meanings.get(&binding.id).filter(|meaning| meaning.record.of == binding.selection);
            // Which of its items are wanted changes nothing of what they go through.
            let of_project = |meaning: &&Kept<Meaning>| {
                meaning.record.of.azure_project() == binding.selection.azure_project()
                    && !meaning.record.process.is_empty()
            };
            if let Some(Kept { record, .. }) = meanings.get(&binding.id).filter(of_project) {
                let project = [record.ids.azure_project().clone(), binding.selection.azure_project().clone()];
                let processes: &mut Vec<Process> = processes.entry(binding.connection).or_default();
                processes.push(Process { project, types: record.process.clone() });
            }
            let both = both(binding, meaning.map(|kept| &kept.record.ids));
            if binding.deploys.is_some() {
                let own = providing.get(&(&binding.project, Some(binding.id)));
                let builds = own.or_else(|| providing.get(&(&binding.project, None)));
                let through: BTreeSet<ConnectionId> = builds.copied().into_iter().chain([binding.connection]).collect();
                for connection in through {
                    let deploying: &mut Vec<Binding> = deploying.entry(connection).or_default();
                    deploying.extend(both.iter().cloned());
                }
            }
            let selecting: &mut Vec<Binding> = selecting.entry(binding.connection).or_default();
            selecting.extend(both);
        }
        Self {
            revision,
            connections: records(store, kind::CONNECTION, |c: &Connection| c.id),
            health: records(store, kind::HEALTH, |h: &Health| h.connection),
            projects: records(store, kind::PROJECT, |p: &Project| p.slug.clone()),
            bindings,
            sinks: records(store, kind::SINK, |s: &Sink| s.id),
            tokens: records(store, kind::TOKEN, |t: &Token| t.id),
            subscriptions: subscriptions(store, &before.subscriptions),
            meanings,
            by_connection: shared(by_connection),
            selecting: shared(selecting),
            deploying: shared(deploying),
            processes: shared(processes),
        }
    }

    /// The bindings that select from this connection.
    pub fn bindings_of(&self, connection: ConnectionId) -> &[Binding] {
        self.by_connection.get(&connection).map_or(&[], |bindings| bindings)
    }

    /// The same, and once more in ids where it is known what their names mean.
    pub fn selecting(&self, connection: ConnectionId) -> &[Binding] {
        self.selecting.get(&connection).map_or(&[], |bindings| bindings)
    }

    /// The processes of the Azure projects that work items are selected from through this connection, as far as known.
    pub fn processes(&self, connection: ConnectionId) -> &[Process] {
        self.processes.get(&connection).map_or(&[], |processes| processes)
    }

    /// The code deployments that events of this connection can deploy, each as [`Self::selecting`] gives it: its own, and
    /// those whose builds come through it.
    pub fn deploying(&self, connection: ConnectionId) -> &[Binding] {
        self.deploying.get(&connection).map_or(&[], |bindings| bindings)
    }

    /// A code deployment as events of this connection meet it, be it kept or not: as [`Self::deploying`] would give it.
    pub fn would_deploy(&self, binding: &Binding, connection: ConnectionId) -> Vec<Binding> {
        let builds = self.build_provider(&binding.project, Some(binding.id));
        if binding.connection != connection && builds.is_none_or(|kept| kept.record.connection != connection) {
            return Vec::new();
        }
        // Another branch of the same repository is in the same place.
        let ids = match (&binding.selection, self.meanings.get(&binding.id).map(|kept| &kept.record)) {
            (
                Selection::CodeDeployment { azure_project, repository, branch },
                Some(Meaning {
                    of: Selection::CodeDeployment { azure_project: of_project, repository: of_repository, .. },
                    ids: Selection::CodeDeployment { azure_project: project, repository: id, .. },
                    ..
                }),
            ) if (azure_project, repository) == (of_project, of_repository) => Some(Selection::CodeDeployment {
                azure_project: project.clone(),
                repository: id.clone(),
                branch: branch.clone(),
            }),
            _ => None,
        };
        both(binding, ids.as_ref())
    }

    /// The bindings of this project, by id.
    pub fn bindings_in<'a>(&'a self, project: &Slug) -> impl Iterator<Item = &'a Kept<Binding>> {
        self.bindings.values().filter(move |binding| binding.record.project == *project)
    }

    /// Where the builds of a code deployment come from, or without one those of the project: its own build provider, else
    /// the project's.
    pub fn build_provider<'a>(
        &'a self,
        project: &Slug,
        code_deployment: Option<BindingId>,
    ) -> Option<&'a Kept<Binding>> {
        let of = |whose: Option<BindingId>| {
            self.bindings_in(project)
                .filter(|kept| kept.record.selection.role() == Role::BuildProvider)
                .find(|kept| kept.record.code_deployment == whose)
        };
        code_deployment.and_then(|_| of(code_deployment)).or_else(|| of(None))
    }

    /// Where the project's work items come from.
    pub fn issue_provider<'a>(&'a self, project: &Slug) -> Option<&'a Kept<Binding>> {
        self.bindings_in(project).find(|kept| kept.record.selection.role() == Role::IssueProvider)
    }

    /// What a binding selects, in Azure's ids, where that is known.
    pub fn meaning(&self, binding: &Binding) -> Option<&Selection> {
        let kept = self.meanings.get(&binding.id).filter(|kept| kept.record.of == binding.selection)?;
        Some(&kept.record.ids)
    }

    /// All subscriptions, by connection and key.
    pub fn subscriptions(&self) -> impl Iterator<Item = &Kept<Subscription>> {
        self.subscriptions.values().map(|kept| &**kept)
    }

    /// The subscriptions of this connection, by key.
    pub fn subscriptions_of(&self, connection: ConnectionId) -> impl Iterator<Item = &Kept<Subscription>> {
        let prefix = format!("{connection}.");
        let from = self.subscriptions.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        from.take_while(move |(id, _)| id.starts_with(&prefix)).map(|(_, kept)| &**kept)
    }

    /// How many subscriptions are kept.
    pub fn subscriptions_len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether Azure's subscription `id` is the one that we made under this key.
    pub fn knows_subscription(&self, connection: ConnectionId, key: &str, id: &str) -> bool {
        let kept = self.subscriptions.get(&format!("{connection}.{key}"));
        let azure = kept.and_then(|kept| kept.record.azure.as_ref());
        azure.is_some_and(|azure| azure.id.eq_ignore_ascii_case(id))
    }

    /// The token with this hash.
    pub fn token_by_hash(&self, hash: &str) -> Option<&Token> {
        self.tokens.values().map(|token| &token.record).find(|token| token.hash == hash)
    }
}

fn shared<T>(all: BTreeMap<ConnectionId, Vec<T>>) -> BTreeMap<ConnectionId, Arc<[T]>> {
    all.into_iter().map(|(id, of)| (id, of.into())).collect()
}

/// A binding by what it says, and once more by ids where they are known.
fn both(binding: &Binding, ids: Option<&Selection>) -> Vec<Binding> {
    let in_ids = ids.map(|ids| Binding { selection: ids.clone(), ..binding.clone() });
    [binding.clone()].into_iter().chain(in_ids).collect()
}

/// The connections of the build providers, by project and the code deployment that they serve alone.
fn providing(bindings: &BTreeMap<BindingId, Kept<Binding>>) -> BTreeMap<(&Slug, Option<BindingId>), ConnectionId> {
    let all = bindings.values().map(|kept| &kept.record);
    let providers = all.filter(|binding| binding.selection.role() == Role::BuildProvider);
    providers.map(|binding| ((&binding.project, binding.code_deployment), binding.connection)).collect()
}

fn subscriptions(
    store: &dyn Store,
    before: &BTreeMap<String, Arc<Kept<Subscription>>>,
) -> BTreeMap<String, Arc<Kept<Subscription>>> {
    let read = |(id, versioned): (String, Versioned)| match before.get(&id) {
        Some(kept) if kept.version == versioned.version => Some((id, Arc::clone(kept))),
        _ => {
            let record = decoded(kind::SUBSCRIPTION, &id, &versioned)?;
            Some((id, Arc::new(Kept { version: versioned.version, record })))
        }
    };
    store.list(kind::SUBSCRIPTION).into_iter().filter_map(read).collect()
}

fn decoded<T: DeserializeOwned>(kind: &str, id: &str, versioned: &Versioned) -> Option<T> {
    serde_json::from_slice(&versioned.value)
        .inspect_err(|e| tracing::error!(kind, id, error = %e, "a registry record cannot be read and is left out"))
        .ok()
}

fn records<K: Ord, T: DeserializeOwned>(store: &dyn Store, kind: &str, key: fn(&T) -> K) -> BTreeMap<K, Kept<T>> {
    let read = |(id, versioned): (String, Versioned)| {
        let record: T = decoded(kind, &id, &versioned)?;
        Some((key(&record), Kept { version: versioned.version, record }))
    };
    store.list(kind).into_iter().filter_map(read).collect()
}
