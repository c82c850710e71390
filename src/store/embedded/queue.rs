//! The two lanes to the writer. Submitting never waits: a full lane says so at once.

use super::{
    block::Packed,
    consumers::{Retry, Settled},
};
use crate::store::{Appended, Change, Consumer, Error, Log};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Where the answer to a job goes. Nobody listening is no error: the caller was cancelled.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Job {
    Append {
        log: Log,
        entry: Packed,
        reply: Reply<Appended>,
    },
    Commit {
        changes: Vec<Change>,
        reply: Reply<Vec<u64>>,
    },
    Settle {
        settle: Settle,
        reply: Reply<Vec<Appended>>,
    },
    Trim {
        log: Log,
        before: Timestamp,
        reply: Reply<u64>,
    },
    Introduce {
        consumer: Consumer,
        after: u64,
        reply: Reply<()>,
    },
    /// Records up to `to`, and each of `over` that waits, cannot be read any more: the consumer goes on without them.
    Skip {
        consumer: Consumer,
        to: Option<u64>,
        over: Vec<u64>,
        reply: Reply<()>,
    },
    Again {
        consumer: Consumer,
        retries: Vec<(u64, Retry)>,
        reply: Reply<usize>,
    },
    Forget {
        consumer: Consumer,
        reply: Reply<()>,
    },
}

/// The end of one claim.
#[derive(Debug)]
pub(super) struct Settle {
    pub(super) consumer: Consumer,
    pub(super) lease: u64,
    pub(super) records: Vec<Settled>,
    pub(super) appends: Vec<(Log, Packed)>,
}

impl Job {
    /// Front-lane work is what somebody outside waits for.
    fn is_front(&self) -> bool {
        matches!(self, Self::Append { .. } | Self::Commit { .. })
    }

    /// Whether it makes the store grow by bodies or values.
    pub(super) fn grows(&self) -> bool {
        match self {
            Self::Append { .. } | Self::Commit { .. } => true,
            Self::Settle { settle, .. } => !settle.appends.is_empty(),
            Self::Trim { .. }
            | Self::Introduce { .. }
            | Self::Skip { .. }
            | Self::Again { .. }
            | Self::Forget { .. } => false,
        }
    }

    /// The time of the newest entry that it appends, in milliseconds since 1970.
    pub(super) fn newest_time(&self) -> i64 {
        match self {
            Self::Append { entry, .. } => entry.time,
            Self::Settle { settle, .. } => settle.appends.iter().map(|(_, entry)| entry.time).max().unwrap_or(i64::MIN),
            _ => i64::MIN,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append { entry, .. } => entry.raw_bytes(),
            Self::Commit { changes, .. } => {
                changes.iter().filter_map(|change| change.value.as_ref()).map(bytes::Bytes::len).sum()
            }
            Self::Settle { settle, .. } => settle.appends.iter().map(|(_, entry)| entry.raw_bytes()).sum(),
            Self::Trim { .. }
            | Self::Introduce { .. }
            | Self::Skip { .. }
            | Self::Again { .. }
            | Self::Forget { .. } => 0,
        }
    }

    /// Answers with an error.
    pub(super) fn fail(self, error: Error) {
        match self {
            Self::Append { reply, .. } => drop(reply.send(Err(error))),
            Self::Commit { reply, .. } => drop(reply.send(Err(error))),
            Self::Settle { reply, .. } => drop(reply.send(Err(error))),
            Self::Trim { reply, .. } => drop(reply.send(Err(error))),
            Self::Again { reply, .. } => drop(reply.send(Err(error))),
            Self::Introduce { reply, .. } | Self::Skip { reply, .. } | Self::Forget { reply, .. } => {
                drop(reply.send(Err(error)));
            }
        }
    }
}

/// Limits of one lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) entries_max: usize,
    pub(super) bytes_max: usize,
}

#[derive(Debug)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    wake: Condvar,
    limits: Limits,
}

#[derive(Debug, Default)]
struct Lanes {
    front: Lane,
    back: Lane,
    /// Why nothing is taken right now.
    refusing: Option<String>,
    closing: bool,
}

#[derive(Debug, Default)]
struct Lane {
    jobs: VecDeque<Job>,
    bytes: usize,
}

/// The jobs that the writer found.
pub(super) enum Taken {
    Jobs(Vec<Job>),
    /// Nothing came in time.
    Idle,
    /// Closing, and everything queued has been taken.
    Closed,
}

/// Most bytes of the front lane in one commit: 64 waiters of 3 KiB are far below, 32 MiB bodies go one by one.
const FRONT_BYTES_PER_COMMIT: usize = 4 << 20;
/// Bytes that the back lane may add to a commit others wait for: about a millisecond of work.
const BACK_BYTES_PER_COMMIT: usize = 512 << 10;
const BACK_JOBS_PER_COMMIT: usize = 64;

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self { lanes: Mutex::default(), wake: Condvar::new(), limits }
    }

    /// Hands a job to the writer, or says at once why not.
    #[expect(clippy::result_large_err, reason = "whoever submitted gets the job back to undo what it prepared")]
    pub(super) fn submit(&self, job: Job) -> Result<(), (Job, Error)> {
        let mut lanes = self.lock();
        if lanes.closing {
            return Err((job, Error::Unavailable { reason: "the store is closed".into() }));
        }
        if let Some(reason) = &lanes.refusing {
            let reason = reason.clone();
            return Err((job, Error::Unavailable { reason }));
        }
        let lane = if job.is_front() { &mut lanes.front } else { &mut lanes.back };
        let is_full = lane.jobs.len() >= self.limits.entries_max || lane.bytes + job.bytes() > self.limits.bytes_max;
        // A job over the limit by itself still goes through, alone.
        if is_full && !lane.jobs.is_empty() {
            let error = if job.is_front() {
                Error::Full
            } else {
                Error::Unavailable { reason: "too much work is waiting behind the appends".into() }
            };
            return Err((job, error));
        }
        lane.push(job);
        drop(lanes);
        self.wake.notify_all();
        Ok(())
    }

    /// Everything in front up to a bound, and a share of the back. Waits up to `patience` for the first job.
    pub(super) fn take(&self, patience: Option<Duration>) -> Taken {
        let mut lanes = self.lock();
        let idle = |lanes: &mut Lanes| lanes.is_empty() && !lanes.closing;
        lanes = if let Some(patience) = patience {
            let waited = self.wake.wait_timeout_while(lanes, patience, idle);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            self.wake.wait_while(lanes, idle).unwrap_or_else(PoisonError::into_inner)
        };
        let mut jobs = Vec::new();
        lanes.front.take(FRONT_BYTES_PER_COMMIT, usize::MAX, &mut jobs);
        lanes.back.take(BACK_BYTES_PER_COMMIT, BACK_JOBS_PER_COMMIT, &mut jobs);
        match jobs.is_empty() {
            false => Taken::Jobs(jobs),
            true if lanes.closing => Taken::Closed,
            true => Taken::Idle,
        }
    }

    /// Puts a job back where it will be taken next.
    pub(super) fn put_back(&self, job: Job) {
        let mut lanes = self.lock();
        lanes.back.bytes += job.bytes();
        lanes.back.jobs.push_front(job);
    }

    /// From now on, or no longer, every job is answered with this reason. Returns what was waiting.
    pub(super) fn refuse(&self, reason: Option<String>) -> Vec<Job> {
        let mut lanes = self.lock();
        let mut jobs = Vec::new();
        if reason.is_some() {
            lanes.front.take(usize::MAX, usize::MAX, &mut jobs);
            lanes.back.take(usize::MAX, usize::MAX, &mut jobs);
        }
        lanes.refusing = reason;
        jobs
    }

    /// No more jobs; the writer ends when it has done what is queued.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_all();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Waits, but not when closing. Says whether it is.
    pub(super) fn pause(&self, patience: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(self.lock(), patience, |lanes| !lanes.closing);
        waited.unwrap_or_else(PoisonError::into_inner).0.closing
    }

    pub(super) fn waiting(&self) -> usize {
        let lanes = self.lock();
        lanes.front.jobs.len()
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn is_empty(&self) -> bool {
        self.front.jobs.is_empty() && self.back.jobs.is_empty()
    }
}

impl Lane {
    fn push(&mut self, job: Job) {
        self.bytes += job.bytes();
        self.jobs.push_back(job);
    }

    fn take(&mut self, bytes_max: usize, jobs_max: usize, taken: &mut Vec<Job>) {
        let (mut bytes, mut jobs) = (0_usize, 0);
        while let Some(job) = self.jobs.front() {
            let next = job.bytes();
            if jobs == jobs_max || (jobs > 0 && bytes.saturating_add(next) > bytes_max) {
                break;
            }
            (bytes, jobs) = (bytes.saturating_add(next), jobs + 1);
            self.bytes -= next;
            taken.extend(self.jobs.pop_front());
        }
    }
}
