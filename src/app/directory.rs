//! Decoded copies of the registry's records, so that a delivery is checked without decoding anything.

use super::kind;
use crate::{
    domain::{Binding, BindingId, Connection, ConnectionId, Health, Project, Slug, Token, TokenId},
    store::Store,
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, sync::Arc};

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
    /// The bindings of each connection, as translation wants them.
    by_connection: BTreeMap<ConnectionId, Arc<[Binding]>>,
}

impl Directory {
    /// Reads everything. A record that does not decode is left out and logged: one bad record must not stop the rest.
    pub(super) fn read(store: &dyn Store) -> Self {
        // The revision first: a commit in between makes us read once more, not miss it.
        let revision = store.revision();
        let bindings: BTreeMap<BindingId, Kept<Binding>> = records(store, kind::BINDING, |b: &Binding| b.id);
        let mut by_connection: BTreeMap<ConnectionId, Vec<Binding>> = BTreeMap::new();
        for binding in bindings.values() {
            by_connection.entry(binding.record.connection).or_default().push(binding.record.clone());
        }
        Self {
            revision,
            connections: records(store, kind::CONNECTION, |c: &Connection| c.id),
            health: records(store, kind::HEALTH, |h: &Health| h.connection),
            projects: records(store, kind::PROJECT, |p: &Project| p.slug.clone()),
            bindings,
            tokens: records(store, kind::TOKEN, |t: &Token| t.id),
            by_connection: by_connection.into_iter().map(|(id, bindings)| (id, bindings.into())).collect(),
        }
    }

    /// The bindings that select from this connection.
    pub fn bindings_of(&self, connection: ConnectionId) -> &[Binding] {
        self.by_connection.get(&connection).map_or(&[], |bindings| bindings)
    }

    /// The bindings of this project, by id.
    pub fn bindings_in<'a>(&'a self, project: &'a Slug) -> impl Iterator<Item = &'a Kept<Binding>> {
        self.bindings.values().filter(move |binding| binding.record.project == *project)
    }

    /// The token with this hash.
    pub fn token_by_hash(&self, hash: &str) -> Option<&Token> {
        self.tokens.values().map(|token| &token.record).find(|token| token.hash == hash)
    }
}

fn records<K: Ord, T: DeserializeOwned>(store: &dyn Store, kind: &str, key: fn(&T) -> K) -> BTreeMap<K, Kept<T>> {
    let decoded = store.list(kind).into_iter().filter_map(|(id, versioned)| {
        serde_json::from_slice(&versioned.value)
            .inspect_err(|e| tracing::error!(kind, id, error = %e, "a registry record cannot be read and is left out"))
            .ok()
            .map(|record: T| (key(&record), Kept { version: versioned.version, record }))
    });
    decoded.collect()
}
