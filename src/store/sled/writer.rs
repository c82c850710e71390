//! The one thread that writes: takes jobs, commits them together, and brings the store back when the disk fails.

use super::{
    Shared,
    db::{Db, Fault},
    draft::Draft,
    files::{self, DataDir},
    load::Loaded,
    queue::{Job, Taken},
    repack::{Merge, Repacker},
    view::at,
};
use crate::store::{Error, Log, OpenError, Status};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::watch;

/// How often a full disk is looked at again.
const SPACE_CHECK_EVERY: Duration = Duration::from_millis(500);
/// First and longest wait before a failed store is opened again.
const REOPEN_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// The writer's own things.
pub(super) struct Writer {
    shared: Arc<Shared>,
    dir: DataDir,
    repacker: Repacker,
    /// Dropped last: who waits for closing may open the directory then.
    _closed: watch::Sender<()>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, dir: DataDir, leftovers: Vec<Vec<u8>>, closed: watch::Sender<()>) -> Self {
        Self { shared, dir, repacker: Repacker::new(leftovers), _closed: closed }
    }

    /// Until the store is closed.
    pub(super) fn run(mut self) {
        while let Some(db) = self.shared.db() {
            let fault = match catch_unwind(AssertUnwindSafe(|| self.serve(&db))) {
                Ok(Ok(())) => {
                    self.end(&db);
                    break;
                }
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Corrupt("the writer met a state that must not be; please report it".into()),
            };
            drop(db);
            if !self.reopen(&fault) {
                break;
            }
        }
        self.shared.set_db(None);
    }

    /// Commits until closing (`Ok`) or until the store underneath fails.
    fn serve(&mut self, db: &Db) -> Result<(), Fault> {
        loop {
            let patience = match (self.shared.is_short(), self.repacker.has_work(&self.shared)) {
                (_, true) => Some(Duration::ZERO),
                (true, false) => Some(SPACE_CHECK_EVERY),
                (false, false) => None,
            };
            let jobs = match self.shared.queue.take(patience) {
                Taken::Jobs(jobs) => jobs,
                Taken::Idle => Vec::new(),
                Taken::Closed => return Ok(()),
            };
            self.commit(db, jobs)?;
        }
    }

    fn commit(&mut self, db: &Db, jobs: Vec<Job>) -> Result<(), Fault> {
        let shared = Arc::clone(&self.shared);
        let shortage = files::shortage(&self.dir.store(), shared.options.free_bytes_min);
        shared.set_status(shortage.clone().map_or(Status::Ready, Status::NotReady));
        let mut draft = Draft::new(&shared, db);
        let mut deferred = Vec::new();
        for job in jobs {
            match &shortage {
                Some(reason) if job.grows() => shared.fail(job, Error::Unavailable { reason: reason.clone() }),
                _ => deferred.extend(draft.stage(job)),
            }
        }
        for job in deferred.into_iter().rev() {
            shared.queue.put_back(job);
        }
        draft.encode();
        if shortage.is_none() {
            self.repacker.stage(&mut draft);
        }
        let writes = std::mem::take(&mut draft.writes);
        if !writes.is_empty() {
            let bytes = writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum::<usize>();
            draft.publish_trims();
            if let Err(fault) = db.commit(writes) {
                draft.fail(&unavailable(&fault));
                return Err(fault);
            }
            shared.commits.fetch_add(1, Ordering::Relaxed);
            shared.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        let merges = draft.merges.iter().map(Merge::replaced).collect();
        draft.publish();
        self.repacker.published(merges);
        Ok(())
    }

    /// The orderly end: nothing is queued, what merging left behind goes too.
    fn end(&mut self, db: &Db) {
        let removals: Vec<_> = self.repacker.removals().collect();
        if !removals.is_empty() {
            // Opening removes them as well.
            let _ = db.commit(removals);
        }
    }

    /// Opens the store anew until it works. `false` when closing meanwhile.
    fn reopen(&mut self, fault: &Fault) -> bool {
        let shared = Arc::clone(&self.shared);
        let (mut pause, longest) = REOPEN_AFTER;
        let mut fault = fault.clone();
        loop {
            let reason = reason(&fault);
            tracing::error!(reason, "the store failed; it is opened again");
            shared.set_status(Status::NotReady(reason.clone()));
            for job in shared.queue.refuse(Some(reason.clone())) {
                shared.fail(job, Error::Unavailable { reason: reason.clone() });
            }
            shared.set_db(None);
            if shared.queue.pause(pause) {
                return false;
            }
            pause = longest.min(pause * 2);
            match self.open_again() {
                Ok(()) => break,
                Err(again) => fault = again,
            }
        }
        shared.set_status(Status::Ready);
        shared.queue.refuse(None);
        tracing::info!("the store works again");
        true
    }

    fn open_again(&mut self) -> Result<(), Fault> {
        let store = self.dir.store();
        if let Some(reason) = files::shortage(&store, self.shared.options.free_bytes_min) {
            return Err(Fault::Io(reason));
        }
        Db::distrust_page_cache(&store);
        let db = Db::open(&store, self.shared.options.cache_bytes, self.shared.options.sync_data)?;
        // What a failed commit may have left half synced is synced before anybody is told it is there.
        db.sync()?;
        let loaded = Loaded::read(&db)?;
        for (log, contents) in Log::ALL.into_iter().zip(&loaded.logs) {
            if contents.last < self.shared.logs[at(log)].published() {
                return Err(Fault::Corrupt(format!(
                    "{}: acknowledged entries are gone; restore the data directory from a backup",
                    store.display()
                )));
            }
        }
        self.repacker = Repacker::new(self.shared.adopt(loaded));
        self.shared.set_db(Some(Arc::new(db)));
        Ok(())
    }
}

/// What a waiter is told of a fault of the whole store.
fn unavailable(fault: &Fault) -> Error {
    Error::Unavailable { reason: reason(fault) }
}

fn reason(fault: &Fault) -> String {
    match fault {
        Fault::Io(reason) | Fault::Corrupt(reason) => reason.clone(),
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(reason) => Self::Unavailable { reason },
            Fault::Corrupt(what) => Self::Corrupt { what },
        }
    }
}

/// The fault of opening a directory.
pub(super) fn open_error(path: &std::path::Path, fault: Fault) -> OpenError {
    let path = path.display().to_string();
    match fault {
        Fault::Io(reason) => OpenError::Io { path, reason },
        Fault::Corrupt(what) => OpenError::Corrupt { path, what },
    }
}
