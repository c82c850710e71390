//! The one thread that writes: takes jobs, commits them together, and goes on in a new segment when the disk failed.

use super::{
    Options, Shared,
    catalog::{Index, Segment},
    draft::Draft,
    fault::Fault,
    files::{self, DataDir},
    frame,
    index::MemoryIndex,
    item::Item,
    load::Loaded,
    marks::{Marks, MarksFile},
    queue::{Job, Taken},
    reclaim::Reclaimer,
    sealer::Sealer,
    segment::{Appender, Head},
};
use crate::store::{Error, Log, OpenError, Status};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often a full disk is looked at again.
const SPACE_CHECK_EVERY: Duration = Duration::from_millis(500);
/// First and longest wait before a disk that failed is tried again.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Most entries of one segment: their keys are in memory until it is full.
const SEGMENT_ENTRIES_MAX: usize = 128 << 10;
/// Most full segments whose index is not written yet: their keys are in memory.
const UNSEALED_MAX: usize = 8;
/// How long the copy in `state/` may take to be written when the store is closed.
const FOLLOWER_PATIENCE: Duration = Duration::from_secs(3);
/// Marks are synced with every so many commits.
const COMMITS_PER_MARKS_SYNC: u64 = 1_024;

/// The writer's own things.
pub(super) struct Writer {
    shared: Arc<Shared>,
    dir: DataDir,
    sealer: Sealer,
    /// Keeps the copy in `state/`.
    following: Option<thread::JoinHandle<()>>,
    active: Option<Active>,
    /// The newest segment that has something acknowledged, and how much of it counts.
    newest: (u64, u64),
    next_segment: u64,
    next_frame: u64,
    /// The time of the newest entry, in milliseconds since 1970.
    time: i64,
    marks: MarksFile,
    reclaimer: Reclaimer,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
    /// Dropped last: who waits for closing may open the directory then.
    _closed: watch::Sender<()>,
}

struct Active {
    appender: Appender,
    segment: Arc<Segment>,
}

/// Where the journal goes on after opening.
pub(super) struct Start {
    pub(super) active: Option<(Arc<Segment>, u64)>,
    pub(super) newest: (u64, u64),
    pub(super) next_segment: u64,
    pub(super) next_frame: u64,
    pub(super) marks_count: u64,
    pub(super) time: i64,
}

impl Start {
    /// Takes it out of what was loaded.
    pub(super) fn of(loaded: &mut Loaded) -> Self {
        Self {
            active: loaded.active.take(),
            newest: loaded.newest,
            next_segment: loaded.next_segment,
            next_frame: loaded.next_frame,
            marks_count: loaded.marks_count,
            time: loaded.time,
        }
    }
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        dir: DataDir,
        sealer: Sealer,
        following: Option<thread::JoinHandle<()>>,
        start: Start,
        closed: watch::Sender<()>,
    ) -> Self {
        let marks = MarksFile::new(dir.path(), start.marks_count);
        let mut writer = Self {
            shared,
            dir,
            sealer,
            following,
            active: None,
            newest: start.newest,
            next_segment: start.next_segment,
            next_frame: start.next_frame,
            time: start.time,
            marks,
            reclaimer: Reclaimer::default(),
            buffer: Vec::new(),
            scratch: Vec::new(),
            _closed: closed,
        };
        if let Some((segment, len)) = start.active {
            match Appender::resume(&writer.shared.journal, segment.number, len, writer.options().sync_data) {
                Ok(appender) => writer.active = Some(Active { appender, segment }),
                Err(fault) => {
                    tracing::warn!(reason = fault.text(), "the newest segment cannot be gone on with");
                    writer.sealer.seal(segment, len);
                }
            }
        }
        writer
    }

    /// The last step of the first opening.
    pub(super) fn write_format(&self) -> Result<(), OpenError> {
        self.dir.write_format()
    }

    fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Makes the first segment, where there is none to go on with.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        if self.active.is_none() { self.roll() } else { Ok(()) }
    }

    /// Until the store is closed. A panic is a bug of ours: what is in memory cannot be trusted then, so the process is
    /// told to end; the journal has everything that was acknowledged.
    pub(super) fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            loop {
                match self.serve() {
                    Ok(()) => break,
                    Err(fault) if !self.go_on(&fault) => break,
                    Err(_) => {}
                }
            }
        }));
        if ended.is_err() {
            let reason = "the store's writer met a state that must not be; nothing that was acknowledged is lost, and a \
                          restart goes on; please report what the log says before this";
            self.shared.give_up(reason);
        }
        self.marks.sync();
        self.shared.state.close();
        // The directory is let go when nothing of it is open any more; sled may not keep us for ever.
        let waiting = Instant::now();
        while self.following.as_ref().is_some_and(|thread| !thread.is_finished())
            && waiting.elapsed() < FOLLOWER_PATIENCE
        {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Commits until closing (`Ok`) or until the disk fails.
    fn serve(&mut self) -> Result<(), Fault> {
        if self.active.is_none() {
            self.roll()?;
        }
        loop {
            let patience = match (self.shared.is_short(), self.reclaimer.is_due()) {
                (_, true) => Some(Duration::ZERO),
                (true, false) => Some(SPACE_CHECK_EVERY),
                (false, false) => None,
            };
            let jobs = match self.shared.queue.take(patience) {
                Taken::Jobs(jobs) => jobs,
                Taken::Idle => Vec::new(),
                Taken::Closed => return Ok(()),
            };
            self.commit(jobs)?;
        }
    }

    fn commit(&mut self, jobs: Vec<Job>) -> Result<(), Fault> {
        let shared = Arc::clone(&self.shared);
        let shortage = self.shortage();
        shared.set_status(shortage.clone().map_or(Status::Ready, Status::NotReady));
        if shortage.is_none()
            && self.is_full()
            && let Err(fault) = self.roll()
        {
            for job in jobs {
                shared.fail(job, fault.unavailable());
            }
            return Err(fault);
        }
        let mut draft = Draft::new(&shared);
        let mut deferred = Vec::new();
        for job in jobs {
            match &shortage {
                Some(reason) if job.grows() => shared.fail(job, Error::Unavailable { reason: reason.clone() }),
                _ => {
                    self.time = self.time.max(job.newest_time());
                    deferred.extend(draft.stage(job));
                }
            }
        }
        for job in deferred.into_iter().rev() {
            shared.queue.put_back(job);
        }
        let active = self.active.as_ref().map_or(0, |active| active.segment.number);
        for carry in self.reclaimer.next(&shared, active) {
            draft.carry(carry);
        }
        if draft.is_empty() {
            draft.answer();
            return Ok(());
        }
        let has_trimmed = draft.has_trimmed();
        self.write(draft)?;
        if has_trimmed {
            self.reclaimer.look_again();
        }
        Ok(())
    }

    fn write(&mut self, mut draft: Draft<'_>) -> Result<(), Fault> {
        frame::begin(&mut self.buffer);
        let written = draft.encode(&mut self.scratch, &mut self.buffer);
        frame::finish(&mut self.buffer, self.shared.signature, self.next_frame, self.time);
        let Some(active) = &mut self.active else {
            let fault = Fault::Io("there is no segment to write to".into());
            draft.fail(&fault.unavailable());
            return Err(fault);
        };
        let offset = active.appender.len;
        if let Err(fault) = active.appender.append(&self.buffer) {
            draft.fail(&fault.unavailable());
            return Err(fault);
        }
        self.next_frame += 1;
        self.newest = (active.segment.number, active.appender.len);
        let commits = self.shared.commits.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.written_bytes.fetch_add(self.buffer.len() as u64, Ordering::Relaxed);
        // Before anybody is told: a journal that ends before what was told is known to.
        self.marks.write(&draft.marks(Marks {
            signature: self.shared.signature,
            frame: self.next_frame - 1,
            segment: self.newest.0,
            segment_bytes: self.newest.1,
            time: self.time,
            ..Marks::default()
        }));
        draft.publish(written, &active.segment, offset);
        if commits.is_multiple_of(COMMITS_PER_MARKS_SYNC) {
            self.marks.sync();
        }
        // A burst of large bodies must not be kept as memory.
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            (self.buffer, self.scratch) = (Vec::new(), Vec::new());
        }
        Ok(())
    }

    fn shortage(&self) -> Option<String> {
        let unsealed = self.shared.catalog().unsealed().len();
        if unsealed > UNSEALED_MAX {
            return Some(format!("{unsealed} indexes wait to be written to {}", self.shared.journal.display()));
        }
        files::shortage(&self.shared.journal, self.options().free_bytes_min)
    }

    fn is_full(&self) -> bool {
        self.active.as_ref().is_some_and(|active| {
            let entries = match &*active.segment.index() {
                Index::Memory(index) => index.keys(),
                Index::Disk(_) => usize::MAX,
            };
            active.appender.len >= self.options().segment_bytes || entries >= SEGMENT_ENTRIES_MAX
        })
    }

    /// Goes on in a new segment, which begins with everything small.
    fn roll(&mut self) -> Result<(), Fault> {
        let head = Head {
            signature: self.shared.signature,
            number: self.next_segment,
            first_frame: self.next_frame,
            before: self.newest,
            time: self.time,
        };
        frame::begin(&mut self.buffer);
        Item::State(self.state()).encode(&mut self.buffer);
        frame::finish(&mut self.buffer, self.shared.signature, self.next_frame, self.time);
        // Whether it works or not: a file of this number may be there from now on.
        self.next_segment += 1;
        let appender = Appender::create(&self.shared.journal, &head, &self.buffer, self.options().sync_data)?;
        self.next_frame += 1;
        self.newest = (head.number, appender.len);
        let index = Index::Memory(MemoryIndex::default());
        let segment = Arc::new(Segment::new(&self.shared.journal, head.number, head.time, index));
        self.shared.catalog_mut().add(&segment, &[]);
        if let Some(full) = self.active.replace(Active { appender, segment }) {
            self.sealer.seal(full.segment, head.before.1);
        }
        self.marks.sync();
        Ok(())
    }

    fn state(&self) -> Vec<Item> {
        let mut items = Vec::new();
        {
            let catalog = self.shared.catalog();
            for log in Log::ALL {
                items.push(Item::Trimmed { log, position: catalog.log(log).trimmed });
                items.push(Item::Last { log, position: catalog.log(log).last });
            }
        }
        items.extend(self.shared.readers().items());
        items.extend(self.shared.mirror().items());
        items
    }

    /// After the disk failed: what was written last is not relied on, and a new segment is tried until there is one.
    /// `false` when closing meanwhile.
    fn go_on(&mut self, fault: &Fault) -> bool {
        let shared = Arc::clone(&self.shared);
        let (mut pause, longest) = AGAIN_AFTER;
        let mut reason = fault.text().to_owned();
        if let Some(broken) = self.active.take() {
            self.sealer.seal(broken.segment, broken.appender.len);
        }
        loop {
            tracing::error!(reason, "the journal cannot be written; it is tried again");
            shared.set_status(Status::NotReady(reason.clone()));
            for job in shared.queue.refuse(Some(reason.clone())) {
                shared.fail(job, Error::Unavailable { reason: reason.clone() });
            }
            if shared.queue.pause(pause) {
                return false;
            }
            pause = longest.min(pause * 2);
            match files::shortage(&shared.journal, self.options().free_bytes_min) {
                Some(shortage) => reason = shortage,
                None => match self.roll() {
                    Ok(()) => break,
                    Err(again) => again.text().clone_into(&mut reason),
                },
            }
        }
        shared.set_status(Status::Ready);
        shared.queue.refuse(None);
        tracing::info!("the journal is written again");
        true
    }
}

/// Buffers above this are given back.
const BUFFER_BYTES_KEPT: usize = 8 << 20;
