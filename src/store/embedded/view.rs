//! Access to everything that callers and the writer share.

use super::{
    Options, Shared,
    catalog::{Catalog, Index, Place, Segment, at},
    consumers::Readers,
    disk_index::DiskIndex,
    fault::Fault,
    files::{self, DataDir},
    index,
    keys::Keys,
    load::{self, Loaded},
    mirror::Mirror,
    queue::{Job, Limits, Queue},
    reading::moment,
    replay,
    state::State,
};
use crate::store::{Damage, Error, Log, Position, Status, Usage};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;
use uuid::Uuid;

/// Most reports of damage that are kept; the first ones tell enough.
const DAMAGE_REPORTS_MAX: usize = 1_000;

/// The newest durable position of each log.
#[derive(Debug)]
pub(super) struct Tails([watch::Sender<Position>; Log::ALL.len()]);

impl Tails {
    fn new(catalog: &Catalog) -> Self {
        Self(Log::ALL.map(|log| watch::channel(Position(catalog.log(log).last)).0))
    }

    pub(super) fn of(&self, log: Log) -> watch::Receiver<Position> {
        self.0[at(log)].subscribe()
    }
}

impl Shared {
    pub(super) fn new(
        options: Options,
        dir: &DataDir,
        loaded: Loaded,
        mirror: Arc<RwLock<Mirror>>,
        state: State,
        reads_only: bool,
    ) -> Self {
        let Loaded { signature, catalog, keys, readers, damage, remarks, .. } = loaded;
        let limits = Limits { entries_max: options.queue_entries_max, bytes_max: options.queue_bytes_max };
        let shortage = files::shortage(&dir.journal(), options.free_bytes_min);
        Self {
            options,
            journal: dir.journal(),
            signature,
            dir: dir.path().to_owned(),
            queue: Queue::new(limits),
            tails: Tails::new(&catalog),
            catalog: RwLock::new(catalog),
            keys: RwLock::new(keys),
            readers: Mutex::new(readers),
            mirror,
            state,
            status: RwLock::new(shortage.map_or(Status::Ready, Status::NotReady)),
            failure: watch::channel(None).0,
            damage: Mutex::new(damage),
            remarks,
            reads_only,
            commits: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        }
    }

    pub(super) fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn catalog_mut(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keys_mut(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn mirror(&self) -> RwLockReadGuard<'_, Mirror> {
        self.mirror.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn mirror_mut(&self) -> RwLockWriteGuard<'_, Mirror> {
        self.mirror.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> Status {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_status(&self, status: Status) {
        if self.status() != status {
            *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
        }
    }

    pub(super) fn is_short(&self) -> bool {
        self.status() != Status::Ready
    }

    /// Tells everybody how far each log goes now. Never goes back.
    pub(super) fn publish_tails(&self) {
        let catalog = self.catalog();
        for log in Log::ALL {
            let last = Position(catalog.log(log).last);
            self.tails.0[at(log)].send_if_modified(|tail| {
                let has_grown = last > *tail;
                *tail = last.max(*tail);
                has_grown
            });
        }
    }

    /// Answers a job that will not be done, and gives its lease back.
    pub(super) fn fail(&self, job: Job, error: Error) {
        if let Job::Settle { settle, .. } = &job {
            self.readers().release(&settle.consumer, settle.lease);
        }
        job.fail(error);
    }

    /// Nothing is written any more: the process has to end.
    pub(super) fn give_up(&self, reason: &str) {
        self.set_status(Status::NotReady(reason.to_owned()));
        for job in self.queue.refuse(Some(reason.to_owned())) {
            self.fail(job, Error::Unavailable { reason: reason.to_owned() });
        }
        self.failure.send_replace(Some(reason.to_owned()));
    }

    /// The first position of a key that passes, of those that the indexes tell of; newest segment first.
    pub(super) fn look_up<T>(
        &self,
        log: Log,
        key: Uuid,
        mut take: impl FnMut(u64) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Fault> {
        let is_kept = |segment: u64, position: u64| {
            let lies_there = |place| matches!(place, Place::In(found) if found.number == segment);
            lies_there(self.catalog().place_of(log, position))
        };
        let unsealed = self.catalog().unsealed().to_vec();
        for segment in unsealed.iter().rev() {
            if let Some(position) = segment.in_memory(log, key).filter(|position| is_kept(segment.number, *position))
                && let Some(taken) = take(position)?
            {
                return Ok(Some(taken));
            }
        }
        let candidates = self.keys().candidates(index::hash(log, key));
        for number in candidates {
            let Some(segment) = self.catalog().segments.get(&number).cloned() else { continue };
            let position = match self.with_index(&segment, |segment| segment.on_disk(log, key)) {
                Ok(position) => position,
                Err(Fault::Io(error)) => return Err(Fault::Io(error)),
                // Index and segment are lost, so the entry is too: the same key again brings it back.
                Err(Fault::Damaged(_)) => None,
            };
            // Sealed since the keys were looked at.
            let position = position.or_else(|| segment.in_memory(log, key));
            if let Some(position) = position.filter(|position| is_kept(number, *position))
                && let Some(taken) = take(position)?
            {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    /// Whether a key may need a read to be found.
    pub(super) fn may_have(&self, log: Log, key: Uuid) -> bool {
        let is_unsealed = self.catalog().unsealed().iter().any(|segment| segment.in_memory(log, key).is_some());
        is_unsealed || !self.keys().candidates(index::hash(log, key)).is_empty()
    }

    /// Looks into the index of a segment, which is made again from the segment when it is damaged.
    pub(super) fn with_index<T>(
        &self,
        segment: &Arc<Segment>,
        look: impl Fn(&Segment) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let what = match look(segment) {
            Err(Fault::Damaged(what)) => what,
            other => return other,
        };
        tracing::warn!(reason = what, "an index is made again");
        let valid_bytes = match &*segment.index() {
            Index::Disk(index) => index.valid_bytes,
            Index::Memory(_) => return Err(Fault::Damaged(what)),
        };
        if !segment.path.try_exists().map_err(Fault::io(&segment.path))? {
            return Err(Fault::Damaged(format!("{} is missing", segment.path.display())));
        }
        let (memory, _) = replay::index_of(&self.journal, segment.number, valid_bytes, self.signature)?;
        let write = || DiskIndex::make(&memory, &self.journal, segment.number, valid_bytes).ok();
        let made = if self.reads_only { None } else { write() };
        let index = made.map_or(Index::Memory(memory), Index::Disk);
        *segment.index_mut() = index;
        look(segment)
    }

    /// Reports positions that lie nowhere.
    pub(super) fn missing(&self, log: Log, first: u64, to: u64) -> Damage {
        let known = self
            .reports()
            .into_iter()
            .find(|damage| damage.log == log && damage.first.0 <= first && damage.last.0 >= to);
        match known {
            Some(damage) => Damage { first: Position(first), ..damage },
            None => load::missing(&self.catalog(), log, first, to),
        }
    }

    /// Positions of a segment that cannot be read.
    pub(super) fn unreadable(&self, segment: &Segment, log: Log, (first, last): (u64, u64), cause: &str) -> Damage {
        let since = segment.block(log, first).ok().flatten().map_or(segment.time, |block| block.time);
        let until = {
            let catalog = self.catalog();
            catalog.segments.range(segment.number + 1..).next().and_then(|(_, next)| moment(next.time))
        };
        Damage {
            log,
            first: Position(first),
            last: Position(last),
            since: moment(since),
            until,
            cause: cause.to_owned(),
        }
    }

    /// Remembers what a read met, and says it the first time. What touches a stretch that is known becomes part of it.
    pub(super) fn report(&self, damage: &Damage) {
        let mut reports = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut stretch, before) = (damage.clone(), reports.len());
        // No two that are known touch each other, so one pass finds all that touch this one.
        reports.retain(|known| !stretch.join(known));
        let is_new = reports.len() == before;
        if is_new && before >= DAMAGE_REPORTS_MAX {
            return;
        }
        if is_new {
            tracing::error!(%damage, "part of the journal cannot be read");
        }
        reports.push(stretch);
    }

    /// Every report of damage that is still kept.
    pub(super) fn reports(&self) -> Vec<Damage> {
        let reports = self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let catalog = self.catalog();
        reports.into_iter().filter(|damage| damage.last.0 > catalog.log(damage.log).trimmed).collect()
    }

    /// Facts that an operator should know beside the status.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.remarks.iter().cloned().chain(self.state.trouble()).collect()
    }

    pub(super) fn figures(&self) -> Usage {
        Usage {
            disk_bytes: files::disk_bytes(&self.journal) + files::disk_bytes(&self.dir.join("state")),
            queued: self.queue.waiting() as u64,
            commits: self.commits.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
        }
    }
}
