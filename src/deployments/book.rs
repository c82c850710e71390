//! What was deployed where: read from the log of deployments at start, kept in memory, and always what the log says.

use super::{code::Remembered, doubts::Doubts, series::Series};
use crate::{
    domain::{BindingId, ConnectionId, Slug, Telling, split},
    store::{Error, Log, PageLimit, Position, Store},
};
use bytes::Bytes;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// Most deployments that are remembered, about 1 KB each; of more, those that are told first are forgotten, until the
/// next start.
const TELLINGS_MAX: usize = 200_000;
const READ: PageLimit = PageLimit { records_max: 1_000, body_bytes_max: 8 << 20 };

/// Where deployments belong together.
pub type Place = (Slug, BindingId, Slug);

/// What was deployed where.
#[derive(Debug, Default)]
pub struct Book {
    memory: Mutex<Memory>,
    /// Held while something is told, from looking at what was there until it is in the log.
    telling: tokio::sync::Mutex<()>,
    /// Since when connections do not answer.
    silent: Mutex<BTreeMap<ConnectionId, Timestamp>>,
    /// What was asked of the repositories.
    pub(super) code: Remembered,
    /// Names in bindings that Azure DevOps does not have.
    pub(super) doubts: Doubts,
    /// Wakes the worker: something waits that it does not know of.
    pub(super) changed: tokio::sync::Notify,
}

/// What is inside; never held across an await.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Memory {
    series: BTreeMap<Place, Series>,
    /// Of all that are in the series.
    ids: HashSet<Uuid>,
    is_read: bool,
}

impl Book {
    /// The memory, locked.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the log, unless it was read.
    ///
    /// # Errors
    /// The store's; it is tried again with the next look.
    pub async fn read(&self, store: &dyn Store) -> Result<(), Error> {
        if self.memory().is_read {
            return Ok(());
        }
        self.telling(store).await.map(drop)
    }

    /// Nobody else tells anything while this is held, and what is remembered is what the log says: whoever waited for it may
    /// have waited for somebody who had it forgotten.
    pub(super) async fn telling(&self, store: &dyn Store) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        let alone = self.telling.lock().await;
        if !self.memory().is_read {
            let read = read(store).await?;
            *self.memory() = read;
        }
        Ok(alone)
    }

    /// What is remembered may be ahead of the log: it is read anew.
    pub(super) fn forget(&self) {
        *self.memory() = Memory::default();
    }

    /// The log was trimmed: what is remembered is read anew.
    pub async fn trimmed(&self) {
        let _nothing_is_told = self.telling.lock().await;
        self.forget();
    }

    /// Since when a connection does not answer: since now, if it answered last.
    pub(super) fn silent_since(&self, connection: ConnectionId, now: Timestamp) -> Timestamp {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner).entry(connection).or_insert(now)
    }

    /// A connection answers.
    pub(super) fn answers(&self, connection: ConnectionId) {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }
}

async fn read(store: &dyn Store) -> Result<Memory, Error> {
    let (mut memory, mut after) = (Memory { is_read: true, ..Memory::default() }, Position(0));
    loop {
        let records = store.read(Log::Deployments, after, READ).await?;
        if records.end == after {
            return Ok(memory);
        }
        after = records.end;
        for record in &records {
            let corrupt = || Error::Corrupt { what: format!("deployment at {}", record.position) };
            let (telling, _): (Telling, Bytes) = split(&record.body).ok_or_else(corrupt)?;
            memory.put(telling);
        }
    }
}

impl Memory {
    /// Those of a project.
    pub fn of<'a>(&'a self, project: &'a Slug) -> impl Iterator<Item = (&'a Place, &'a Series)> {
        self.series.iter().filter(move |((of, ..), _)| of == project)
    }

    /// Those of one place.
    pub fn at(&self, place: &Place) -> Option<&Series> {
        self.series.get(place)
    }

    /// The deployment with this id, in its series.
    pub fn find(&self, project: &Slug, id: Uuid) -> Option<(&Telling, &Series)> {
        let own = self.series.iter().filter(|((of, ..), _)| of == project);
        own.map(|(_, series)| series).find_map(|series| Some((series.find(id)?, series)))
    }

    /// What events made of a code deployment, by event.
    pub(super) fn caused(&self, binding: BindingId) -> HashMap<Uuid, Vec<Uuid>> {
        let mut caused: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        let own = self.series.iter().filter(|((_, of, _), _)| *of == binding);
        for deployment in own.flat_map(|(_, series)| series.all()).map(|telling| &telling.deployment) {
            if let Some(event) = deployment.cause.event {
                caused.entry(event).or_default().push(deployment.id);
            }
        }
        caused
    }

    /// Whether this one was told: by its id alone, since its time goes by a delay that can be changed.
    pub(super) fn knows(&self, id: Uuid) -> bool {
        self.ids.contains(&id)
    }

    pub(super) fn put(&mut self, telling: Telling) {
        let deployment = &telling.deployment;
        let place = (deployment.project.clone(), deployment.binding, deployment.environment.clone());
        self.ids.insert(deployment.id);
        self.series.entry(place).or_default().put(telling);
        if self.ids.len() > TELLINGS_MAX {
            self.trim_to(TELLINGS_MAX / 10 * 9);
        }
    }

    /// Forgets what is older.
    fn trim(&mut self, before: Timestamp) {
        self.series.values_mut().for_each(|series| series.trim(before));
        self.series.retain(|_, series| !series.all().is_empty());
        self.ids = self.series.values().flat_map(Series::all).map(|telling| telling.deployment.id).collect();
    }

    fn trim_to(&mut self, kept: usize) {
        let mut times: Vec<Timestamp> =
            self.series.values().flat_map(Series::all).map(|telling| telling.deployment.at).collect();
        times.sort_unstable();
        if let Some(before) = times.len().checked_sub(kept).and_then(|surplus| times.get(surplus)).copied() {
            self.trim(before);
        }
    }
}
