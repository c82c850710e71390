//! Writing the indexes of full segments, in a thread of its own: no commit waits for it.

use super::{
    Shared,
    catalog::{Index, Segment},
    disk_index::DiskIndex,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// Keys taken into the table under one lock: an append waits for no more.
const KEYS_PER_LOCK: usize = 4_096;
/// How long to wait before an index that could not be written is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A segment and how much of it counts.
type Task = (Arc<Segment>, u64);

/// Hands segments to the thread.
#[derive(Debug)]
pub(super) struct Sealer {
    tasks: mpsc::Sender<Task>,
}

impl Sealer {
    /// Starts the thread. It ends when the sealer is dropped and everything is written, or at the first failure then.
    pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let (tasks, queue) = mpsc::channel();
        let thread = thread::Builder::new().name("store-sealer".into()).spawn(move || {
            // Without it segments fill memory until nothing is taken any more: the process has to end and start again.
            if catch_unwind(AssertUnwindSafe(|| run(&shared, &queue))).is_err() {
                shared.give_up(
                    "the thread that writes the store's indexes panicked; nothing that was acknowledged is lost, \
                                and a restart goes on; please report what the log says before this",
                );
            }
        })?;
        Ok((Self { tasks }, thread))
    }

    /// Has the index of a segment written that gets no more entries.
    pub(super) fn seal(&self, segment: Arc<Segment>, valid_bytes: u64) {
        // Without the thread the index stays in memory, and is written at the next opening.
        let _ = self.tasks.send((segment, valid_bytes));
    }
}

fn run(shared: &Shared, queue: &mpsc::Receiver<Task>) {
    while let Ok((segment, valid_bytes)) = queue.recv() {
        while let Err(reason) = seal(shared, &segment, valid_bytes) {
            tracing::warn!(segment = %segment.path.display(), reason, "the index of a segment could not be written");
            if shared.queue.pause(AGAIN_AFTER) {
                return;
            }
        }
    }
}

fn seal(shared: &Shared, segment: &Segment, valid_bytes: u64) -> Result<(), String> {
    let sealed = match &*segment.index() {
        Index::Memory(index) => DiskIndex::make(index, &shared.journal, segment.number, valid_bytes),
        Index::Disk(_) => return Ok(()),
    };
    let index = sealed.map_err(|fault| fault.text().to_owned())?;
    let hashes = index.hashes().map_err(|fault| fault.text().to_owned())?.ok_or("it was not written whole")?;
    for hashes in hashes.chunks(KEYS_PER_LOCK) {
        let mut keys = shared.keys_mut();
        for hash in hashes {
            keys.insert(*hash, segment.number);
        }
    }
    *segment.index_mut() = Index::Disk(index);
    shared.catalog_mut().sealed(segment.number);
    Ok(())
}
