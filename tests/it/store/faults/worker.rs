//! One process that uses a store as the gateway does, while its files fail. It says what it was told (see `witness`), tries
//! again what is refused, and ends with a clear line. It is this test binary once more, run by name.

use super::{
    Engine, engine_options, records,
    witness::{Notes, Witness},
};
use crate::store::{ALL, at, key};
use hookwell::store::{
    Change, Consumer, Consumers, Entry, Error, Expected, Journal, Log, PageLimit, Position, Record, Registry,
    Settlement, Store,
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Which test of the binary it is.
pub(super) const NAME: &str = "faults::worker::a_process_that_uses_a_store_while_its_files_fail";
/// The directory, the witness's file, how long to try again, and where to stop.
pub(super) const DIR: &str = "HOOKWELL_FAULTS_DIR";
pub(super) const WITNESS: &str = "HOOKWELL_FAULTS_WITNESS";
pub(super) const PATIENCE_MS: &str = "HOOKWELL_FAULTS_PATIENCE_MS";
/// Set: the process ends in the middle, the store open.
pub(super) const LEAVE: &str = "HOOKWELL_FAULTS_LEAVE";
/// Set: nothing is synced, to prove that this would be seen.
pub(super) const UNSYNCED: &str = "HOOKWELL_FAULTS_UNSYNCED";

const ROUNDS: u64 = 5;
const PER_ROUND: u64 = 8;
/// A call that is not even refused in this time hangs.
const CALL_SECONDS_MAX: u64 = 20;
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// How it ended.
#[derive(Debug)]
pub(super) enum End {
    /// Everything was done, some of it perhaps at a later try.
    Whole,
    /// The directory could not be opened: a supervisor would start it again.
    Refused(String),
    /// The store was open and did not serve again in time.
    Unavailable(String),
    /// The store hid, changed or condemned records that are there.
    Wrong(String),
}

impl End {
    pub(super) const WHOLE: &str = "whole";
    pub(super) const REFUSED: &str = "refused: ";
    pub(super) const UNAVAILABLE: &str = "unavailable: ";

    fn line(&self) -> String {
        match self {
            Self::Whole => Self::WHOLE.to_owned(),
            Self::Refused(why) => format!("{}{why}", Self::REFUSED),
            Self::Unavailable(why) => format!("{}{why}", Self::UNAVAILABLE),
            Self::Wrong(why) => format!("wrong: {why}"),
        }
    }

    fn code(&self) -> i32 {
        match self {
            Self::Whole => 0,
            Self::Refused(_) => 3,
            Self::Unavailable(_) => 4,
            Self::Wrong(_) => 5,
        }
    }
}

/// The reader that makes events of notifications.
pub(super) fn translator() -> Consumer {
    Consumer { name: "translate".into(), log: Log::Notifications }
}

/// A notification: what its number says, and nothing else. Some are larger than half a segment.
pub(super) fn notification(number: u64) -> Entry {
    let len = if number % 16 == 5 { 9_000 } else { 300 + usize::try_from(number * 37 % 900).unwrap() };
    let body = super::super::embedded::noise(number, len);
    Entry { key: key(number), time: at(i64::try_from(number).unwrap()), body: body.into() }
}

/// The event that a notification becomes.
pub(super) fn event(number: u64, position: u64) -> Entry {
    let body = format!("{number} {position}");
    Entry { key: key(1_000_000 + number), time: at(i64::try_from(number).unwrap()), body: body.into() }
}

/// The records of one commit of the registry: both halves of a pair, and a thing of its own.
pub(super) fn changes(number: u64) -> Vec<Change> {
    let put = |kind, id: &str, value: String| Change {
        kind,
        id: id.to_owned(),
        expected: Expected::Any,
        value: Some(value.into()),
    };
    let both = format!("{number}");
    vec![
        put("pair", "left", both.clone()),
        put("pair", "right", both),
        put("thing", &format!("{number}"), "x".repeat(500 + usize::try_from(number % 7).unwrap() * 300)),
    ]
}

/// How a notification ends at its first try.
fn settlement(number: u64, attempt: u32, now: u64) -> Settlement {
    match number {
        number if number % 11 == 5 => Settlement::Dead { reason: format!("{number} is not wanted") },
        number if number % 7 == 3 && attempt == 1 => Settlement::Retry { at: at(i64::try_from(now + 10).unwrap()) },
        _ => Settlement::Done,
    }
}

#[test]
#[ignore = "it is run by the tests of faults, in a process of its own"]
fn a_process_that_uses_a_store_while_its_files_fail() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let witness = PathBuf::from(std::env::var_os(WITNESS).unwrap());
    let patience = Duration::from_millis(std::env::var(PATIENCE_MS).unwrap().parse().unwrap());
    let leaves = std::env::var_os(LEAVE).is_some();
    let notes = Mutex::new(Notes::open(&witness));
    let first = notes.lock().unwrap().so_far.tried.last().map_or(1, |last| last + 1);
    let worker = Worker { notes: Arc::new(notes), patience, now: 1_000 + first };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(worker.run(&dir, first, leaves)).err().unwrap_or(End::Whole);
    worker.say(format_args!("end {}", end.line()));
    // Not by returning: the code tells the ends apart.
    std::process::exit(end.code());
}

struct Worker {
    notes: Arc<Mutex<Notes>>,
    patience: Duration,
    now: u64,
}

impl Worker {
    fn say(&self, line: impl std::fmt::Display) {
        self.notes.lock().unwrap().say(line);
    }

    fn so_far(&self) -> Witness {
        self.notes.lock().unwrap().so_far.clone()
    }

    async fn run(&self, dir: &Path, first: u64, leaves: bool) -> Result<(), End> {
        let store = open(dir)?;
        let loaded = self.load(&store, first, leaves).await;
        self.close(store, loaded).await?;
        let store = open(dir)?;
        let loaded = self.load_once_more(&store, first + ROUNDS * PER_ROUND).await;
        self.close(store, loaded).await
    }

    /// Stopping works whatever went before.
    async fn close(&self, store: Engine, before: Result<(), End>) -> Result<(), End> {
        tokio::time::timeout(Duration::from_secs(CALL_SECONDS_MAX), store.close())
            .await
            .map_err(|_| End::Wrong("closing hangs".to_owned()))?;
        drop(store);
        before
    }

    async fn load(&self, store: &Engine, first: u64, leaves: bool) -> Result<(), End> {
        self.look(store).await?;
        for round in 0..ROUNDS {
            let numbers = first + round * PER_ROUND..first + (round + 1) * PER_ROUND;
            self.append(store, numbers.clone()).await?;
            self.commit(store, numbers.start).await?;
            self.translate(store, self.now + round, 3).await?;
            self.look(store).await?;
        }
        if leaves {
            std::process::exit(0);
        }
        self.translate(store, self.now + 100, u64::MAX).await?;
        self.trim(store, first + 20).await?;
        self.look(store).await
    }

    async fn load_once_more(&self, store: &Engine, first: u64) -> Result<(), End> {
        self.look(store).await?;
        self.append(store, first..first + PER_ROUND).await?;
        self.commit(store, first).await?;
        self.translate(store, self.now + 200, u64::MAX).await?;
        self.trim(store, first).await?;
        self.look(store).await
    }

    async fn append(&self, store: &Engine, numbers: std::ops::Range<u64>) -> Result<(), End> {
        let appends = numbers.map(async |number| {
            self.say(format_args!("appending {number}"));
            let appended = self.until(|| store.append(Log::Notifications, notification(number))).await?;
            let (hookwell::store::Appended::New(Position(position))
            | hookwell::store::Appended::Duplicate(Position(position))) = appended;
            self.say(format_args!("appended {number} {position}"));
            Ok(())
        });
        futures_util::future::try_join_all(appends).await.map(|_| ())
    }

    async fn commit(&self, store: &Engine, number: u64) -> Result<(), End> {
        self.say(format_args!("committing {number}"));
        self.until(|| store.commit(changes(number))).await?;
        self.say(format_args!("committed {number} {}", store.revision()));
        let left = store.get("pair", "left").map(|found| found.value);
        wrong_unless(left == Some(number.to_string().into()), || format!("after commit {number} there is {left:?}"))
    }

    /// Claims and settles, at most so many batches, until nothing is due.
    async fn translate(&self, store: &Engine, now: u64, batches_max: u64) -> Result<(), End> {
        let limit = PageLimit { records_max: 5, ..ALL };
        let mut settled_last = Instant::now();
        for _ in 0..batches_max {
            let (reader, now_at) = (translator(), at(i64::try_from(now).unwrap()));
            // No lease outlasts its claim: a settlement that was refused is claimed again at once.
            let claim = self.until(|| store.claim(&reader, now_at, Duration::ZERO, limit)).await?;
            if claim.records.is_empty() {
                return Ok(());
            }
            let (mut settlements, mut events, mut lines) = (Vec::new(), Vec::new(), Vec::new());
            for claimed in &claim.records {
                let number = number_of(&claimed.record)?;
                let position = claimed.record.position.0;
                let how = settlement(number, claimed.attempt, now);
                let is_done = how == Settlement::Done;
                if is_done {
                    events.push((Log::Events, event(number, position)));
                }
                if !matches!(how, Settlement::Retry { .. }) {
                    lines.push(format!("settled {position} {}", u8::from(is_done)));
                }
                settlements.push(how);
            }
            // Settling consumes the claim, so it is not tried again as it is: what was refused is claimed anew.
            match timely(store.settle(claim, settlements, events)).await? {
                Ok(_) => {
                    for line in lines {
                        self.say(line);
                    }
                    settled_last = Instant::now();
                }
                Err(Error::Unavailable { reason }) if settled_last.elapsed() > self.patience => {
                    return Err(End::Unavailable(reason));
                }
                Err(Error::LeaseLost | Error::Unavailable { .. } | Error::Full) => {
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(other) => return Err(End::Wrong(format!("settling: {other}"))),
            }
        }
        Ok(())
    }

    async fn trim(&self, store: &Engine, before: u64) -> Result<(), End> {
        self.say(format_args!("trimming {before}"));
        let before = at(i64::try_from(before).unwrap());
        while self.until(|| store.trim(Log::Notifications, before)).await? > 0 {}
        self.say(format_args!("trimmed {}", store.trimmed(Log::Notifications).0));
        Ok(())
    }

    /// Everything acknowledged can be read, by page and by key.
    async fn look(&self, store: &Engine) -> Result<(), End> {
        let witness = self.so_far();
        let trimmed = store.trimmed(Log::Notifications).0;
        let (mut after, mut seen) = (Position(0), std::collections::BTreeSet::new());
        loop {
            let limit = PageLimit { records_max: 11, ..ALL };
            let page = records(self.until(|| store.read(Log::Notifications, after, limit)).await?)?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for record in &page {
                seen.insert(number_of(record)?);
            }
        }
        for (number, position) in &witness.appended {
            if *position <= trimmed {
                continue;
            }
            wrong_unless(seen.contains(number), || format!("notification {number} at {position} is not in the pages"))?;
            if number % 5 == 0 {
                let found = self.until(|| store.find(Log::Notifications, key(*number))).await?;
                wrong_unless(found.is_some_and(|found| found.position.0 == *position), || {
                    format!("notification {number} is not found by its key")
                })?;
            }
        }
        Ok(())
    }

    /// Tries again what is unavailable, as long as there is patience.
    async fn until<T, F: Future<Output = Result<T, Error>>>(&self, mut call: impl FnMut() -> F) -> Result<T, End> {
        let started = Instant::now();
        loop {
            let why = match timely(call()).await? {
                Ok(value) => return Ok(value),
                Err(Error::Unavailable { reason }) => reason,
                Err(Error::Full) => "the queue is full".to_owned(),
                Err(other) => return Err(End::Wrong(other.to_string())),
            };
            if started.elapsed() > self.patience {
                return Err(End::Unavailable(why));
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }
}

fn open(dir: &Path) -> Result<Engine, End> {
    Engine::open(dir, engine_options()).map_err(|error| End::Refused(error.to_string()))
}

async fn timely<T>(call: impl Future<Output = T>) -> Result<T, End> {
    let limit = Duration::from_secs(CALL_SECONDS_MAX);
    tokio::time::timeout(limit, call).await.map_err(|_| End::Wrong("a call does not return".to_owned()))
}

/// The number of a notification that is what its number says.
fn number_of(record: &Record) -> Result<u64, End> {
    let number = record.key.as_u64_pair().1;
    let written = notification(number);
    let is_right = (record.key, record.time, &record.body) == (written.key, written.time, &written.body);
    wrong_unless(is_right, || format!("what is at {} was never written", record.position)).map(|()| number)
}

fn wrong_unless(is_right: bool, what: impl FnOnce() -> String) -> Result<(), End> {
    if is_right { Ok(()) } else { Err(End::Wrong(what())) }
}
