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
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::Bound,
    str::FromStr,
    sync::Arc,
};

/// A decoded record and the version it was read at. A copy shares the record.
#[derive(Debug)]
pub struct Kept<T> {
    /// The registry's version, which is the resource's `ETag`.
    pub version: u64,
    /// The record.
    pub record: Arc<T>,
}

impl<T> Kept<T> {
    pub(crate) fn new(version: u64, record: T) -> Self {
        Self { version, record: Arc::new(record) }
    }
}

// Not derived, which would want `T: Clone`.
impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { version: self.version, record: Arc::clone(&self.record) }
    }
}

/// All records at one revision of the registry. Each kind is shared with the directory before where nothing of it changed,
/// and within a kind only what changed is decoded: a commit is followed by work for what it touched, not for what is kept.
#[derive(Debug, Default)]
pub struct Directory {
    /// The revision that was read.
    pub revision: u64,
    /// Connections by id.
    pub connections: Shared<ConnectionId, Connection>,
    /// How each connection is doing, where it was checked.
    pub health: Shared<ConnectionId, Health>,
    /// Projects by slug.
    pub projects: Shared<Slug, Project>,
    /// Bindings by id.
    pub bindings: Shared<BindingId, Binding>,
    /// Tokens by id.
    pub tokens: Shared<TokenId, Token>,
    /// Sinks by id.
    pub sinks: Shared<SinkId, Sink>,
    /// Subscriptions by their registry id, which begins with the connection's.
    subscriptions: Shared<String, Subscription>,
    /// What the names in bindings mean.
    pub(super) meanings: Shared<BindingId, Meaning>,
    /// Made of bindings and meanings.
    derived: Arc<Derived>,
    /// The revision of each kind that was read.
    revisions: BTreeMap<&'static str, u64>,
}

/// The records of a kind, shared between directories, and each record with whoever looks it up.
type Shared<K, T> = Arc<BTreeMap<K, Kept<T>>>;
type ByConnection<T> = BTreeMap<ConnectionId, Vec<Arc<T>>>;

/// The lists that are looked up by connection. They share the records: a binding that changes costs the others a count each.
#[derive(Debug, Default)]
struct Derived {
    /// The bindings of each connection.
    by_connection: ByConnection<Binding>,
    /// The same, and each once more in ids where they are known, as translation wants them.
    selecting: ByConnection<Binding>,
    /// The processes of the Azure projects that work items are selected from, by connection.
    processes: ByConnection<Process>,
    /// Of those the code deployments, also with the connection that their builds come through.
    deploying: ByConnection<Binding>,
    /// Made of each binding alone.
    each: BTreeMap<BindingId, Arc<Meant>>,
}

/// A binding with what its names mean.
#[derive(Debug)]
struct Meant {
    binding: Arc<Binding>,
    meaning: Option<Arc<Meaning>>,
    in_ids: Option<Arc<Binding>>,
    process: Option<Arc<Process>>,
}

impl Meant {
    fn of(binding: &Arc<Binding>, meaning: Option<&Arc<Meaning>>) -> Self {
        let ids = meaning.filter(|meaning| meaning.of == binding.selection).map(|meaning| &meaning.ids);
        // Which of its items are wanted changes nothing of what they go through.
        let of_project = |meaning: &&Arc<Meaning>| {
            meaning.of.azure_project() == binding.selection.azure_project() && !meaning.process.is_empty()
        };
        let process = |meaning: &Arc<Meaning>| Process {
            project: [meaning.ids.azure_project().clone(), binding.selection.azure_project().clone()],
            types: meaning.process.clone(),
        };
        Self {
            binding: Arc::clone(binding),
            meaning: meaning.cloned(),
            in_ids: ids.map(|ids| Arc::new(in_ids(binding, ids))),
            process: meaning.filter(of_project).map(|meaning| Arc::new(process(meaning))),
        }
    }

    fn is_of(&self, binding: &Arc<Binding>, meaning: Option<&Arc<Meaning>>) -> bool {
        Arc::ptr_eq(&self.binding, binding) && self.meaning.as_ref().map(Arc::as_ptr) == meaning.map(Arc::as_ptr)
    }

    /// By what it says, and once more by ids where they are known.
    fn both(&self) -> impl Iterator<Item = Arc<Binding>> {
        [Some(&self.binding), self.in_ids.as_ref()].into_iter().flatten().map(Arc::clone)
    }
}

impl Derived {
    fn of(bindings: &Shared<BindingId, Binding>, meanings: &Shared<BindingId, Meaning>, before: &Self) -> Self {
        let (mut meanings, mut known) = (Alongside::of(meanings), Alongside::of(&before.each));
        let meant = |(id, Kept { record: binding, .. }): (&BindingId, &Kept<Binding>)| {
            let meaning = meanings.at(id).map(|kept| &kept.record);
            let known = known.at(id).filter(|meant| meant.is_of(binding, meaning));
            (*id, known.map_or_else(|| Arc::new(Meant::of(binding, meaning)), Arc::clone))
        };
        let each = bindings.iter().map(meant).collect();
        let mut derived = Self { each, ..Self::default() };
        let providing = providing(bindings);
        for meant in derived.each.values() {
            let binding = &meant.binding;
            if binding.deploys.is_some() {
                let own = providing.get(&(&binding.project, Some(binding.id)));
                let builds = own.or_else(|| providing.get(&(&binding.project, None)));
                let others = builds.copied().filter(|connection| *connection != binding.connection);
                for connection in others.into_iter().chain([binding.connection]) {
                    derived.deploying.entry(connection).or_default().extend(meant.both());
                }
            }
            derived.by_connection.entry(binding.connection).or_default().push(Arc::clone(binding));
            derived.selecting.entry(binding.connection).or_default().extend(meant.both());
            if let Some(process) = &meant.process {
                derived.processes.entry(binding.connection).or_default().push(Arc::clone(process));
            }
        }
        derived
    }
}

/// A map that is read in the order of its keys while another one with the same keys is: cheaper than a look-up for each.
struct Alongside<'a, K, T>(Peekable<btree_map::Iter<'a, K, T>>);

impl<'a, K: Ord, T> Alongside<'a, K, T> {
    fn of(map: &'a BTreeMap<K, T>) -> Self {
        Self(map.iter().peekable())
    }

    /// `None` too where a later key was asked for before.
    fn at(&mut self, key: &K) -> Option<&'a T> {
        while self.0.next_if(|(own, _)| *own < key).is_some() {}
        self.0.next_if(|(own, _)| *own == key).map(|(_, value)| value)
    }
}

/// Reads what changed since a directory.
struct Reader<'a> {
    store: &'a dyn Store,
    before: &'a BTreeMap<&'static str, u64>,
    revisions: BTreeMap<&'static str, u64>,
}

impl Reader<'_> {
    /// Whether nothing of the kind changed; notes what it is at now. Asked before the records are read: a commit in between
    /// makes us read once more, not miss it.
    fn is_same(&mut self, kind: &'static str) -> bool {
        let now = self.store.revision_of(kind);
        self.revisions.insert(kind, now);
        self.before.get(kind) == Some(&now)
    }

    fn records<K: Ord + FromStr, T: DeserializeOwned>(
        &mut self,
        kind: &'static str,
        before: &Shared<K, T>,
    ) -> Shared<K, T> {
        if self.is_same(kind) {
            return Arc::clone(before);
        }
        // The engine lists by id, as the map is ordered; were it not so, a record would be decoded once more.
        let mut known = Alongside::of(before);
        let read = |(id, Versioned { version, value }): (String, Versioned)| {
            let Ok(key) = id.parse::<K>() else {
                tracing::error!(kind, id, "a registry record has no id of its kind and is left out");
                return None;
            };
            let record = match known.at(&key).filter(|known| known.version == version) {
                Some(known) => Arc::clone(&known.record),
                None => Arc::new(decoded(kind, &id, &value)?),
            };
            Some((key, Kept { version, record }))
        };
        Arc::new(self.store.list(kind).into_iter().filter_map(read).collect())
    }
}

impl Directory {
    /// Reads what changed since `before`. A record that does not decode is left out and logged: one bad record must not stop
    /// the rest.
    pub(super) fn read(store: &dyn Store, before: &Self) -> Self {
        // The revision first: a commit in between makes us read once more, not miss it.
        let revision = store.revision();
        let mut reader = Reader { store, before: &before.revisions, revisions: BTreeMap::new() };
        let bindings = reader.records(kind::BINDING, &before.bindings);
        let meanings = reader.records(kind::MEANING, &before.meanings);
        let is_same = Arc::ptr_eq(&bindings, &before.bindings) && Arc::ptr_eq(&meanings, &before.meanings);
        let derived = if is_same {
            Arc::clone(&before.derived)
        } else {
            Arc::new(Derived::of(&bindings, &meanings, &before.derived))
        };
        Self {
            revision,
            connections: reader.records(kind::CONNECTION, &before.connections),
            health: reader.records(kind::HEALTH, &before.health),
            projects: reader.records(kind::PROJECT, &before.projects),
            bindings,
            sinks: reader.records(kind::SINK, &before.sinks),
            tokens: reader.records(kind::TOKEN, &before.tokens),
            subscriptions: reader.records(kind::SUBSCRIPTION, &before.subscriptions),
            meanings,
            derived,
            revisions: reader.revisions,
        }
    }

    /// The bindings that select from this connection.
    pub fn bindings_of(&self, connection: ConnectionId) -> &[Arc<Binding>] {
        self.derived.by_connection.get(&connection).map_or(&[], |bindings| bindings)
    }

    /// The same, and once more in ids where it is known what their names mean.
    pub fn selecting(&self, connection: ConnectionId) -> &[Arc<Binding>] {
        self.derived.selecting.get(&connection).map_or(&[], |bindings| bindings)
    }

    /// The processes of the Azure projects that work items are selected from through this connection, as far as known.
    pub fn processes(&self, connection: ConnectionId) -> &[Arc<Process>] {
        self.derived.processes.get(&connection).map_or(&[], |processes| processes)
    }

    /// The code deployments that events of this connection can deploy, each as [`Self::selecting`] gives it: its own, and
    /// those whose builds come through it.
    pub fn deploying(&self, connection: ConnectionId) -> &[Arc<Binding>] {
        self.derived.deploying.get(&connection).map_or(&[], |bindings| bindings)
    }

    /// A code deployment as events of this connection meet it, be it kept or not: as [`Self::deploying`] would give it.
    pub fn would_deploy(&self, binding: &Binding, connection: ConnectionId) -> Vec<Arc<Binding>> {
        let builds = self.build_provider(&binding.project, Some(binding.id));
        if binding.connection != connection && builds.is_none_or(|kept| kept.record.connection != connection) {
            return Vec::new();
        }
        // Another branch of the same repository is in the same place.
        let ids = match (&binding.selection, self.meanings.get(&binding.id).map(|kept| &*kept.record)) {
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
        let in_ids = ids.map(|ids| in_ids(binding, &ids));
        [binding.clone()].into_iter().chain(in_ids).map(Arc::new).collect()
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
        self.subscriptions.values()
    }

    /// The subscriptions of this connection, by key.
    pub fn subscriptions_of(&self, connection: ConnectionId) -> impl Iterator<Item = &Kept<Subscription>> {
        let prefix = format!("{connection}.");
        let from = self.subscriptions.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        from.take_while(move |(id, _)| id.starts_with(&prefix)).map(|(_, kept)| kept)
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
        self.tokens.values().map(|token| &*token.record).find(|token| token.hash == hash)
    }
}

fn in_ids(binding: &Binding, ids: &Selection) -> Binding {
    Binding { selection: ids.clone(), ..binding.clone() }
}

/// The connections of the build providers, by project and the code deployment that they serve alone.
fn providing(bindings: &BTreeMap<BindingId, Kept<Binding>>) -> BTreeMap<(&Slug, Option<BindingId>), ConnectionId> {
    let all = bindings.values().map(|kept| &kept.record);
    let providers = all.filter(|binding| binding.selection.role() == Role::BuildProvider);
    providers.map(|binding| ((&binding.project, binding.code_deployment), binding.connection)).collect()
}

fn decoded<T: DeserializeOwned>(kind: &str, id: &str, value: &[u8]) -> Option<T> {
    serde_json::from_slice(value)
        .inspect_err(|e| tracing::error!(kind, id, error = %e, "a registry record cannot be read and is left out"))
        .ok()
}
