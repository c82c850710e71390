//! Opens what a worker left behind, on a healthy disk, and holds it against what the worker was told.

use super::{
    Engine, engine_options, records,
    witness::Witness,
    worker::{changes, event, notification, translator},
};
use crate::store::{ALL, key};
use hookwell::store::{
    Appended, Consumers, Entry, Journal, Log, OpenError, PageLimit, Position, Record, Registry, Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Everything that is not as it was told, one line each.
pub(super) fn inspect(dir: &Path, witness: &Witness) -> Vec<String> {
    let mut wrong = Vec::new();
    let store = match Engine::open(dir, engine_options()) {
        Ok(store) => store,
        Err(error @ OpenError::Corrupt { .. }) => return vec![format!("called damaged: {error}")],
        Err(error) => return vec![format!("does not start again: {error}")],
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(async {
        let found = Found::read(&store, &mut wrong).await;
        found.compare(witness, &mut wrong);
        wrong.extend(store.damage().iter().map(|damage| format!("reports {damage}")));
        registry(&store, witness, &mut wrong);
        by_key(&store, &found, witness, &mut wrong).await;
        serves(&store, witness, &mut wrong).await;
        store.close().await;
        found
    });
    drop(store);
    // A second start changes nothing.
    match Engine::open(dir, engine_options()) {
        Ok(store) => {
            let again = runtime.block_on(Found::read(&store, &mut wrong));
            let is_same = found.notifications.iter().all(|(position, number)| {
                *position <= again.trimmed || again.notifications.get(position) == Some(number)
            }) && found.events.len() == again.events.len();
            if !is_same {
                wrong.push("another start has other contents".to_owned());
            }
        }
        Err(error) => wrong.push(format!("does not start a second time: {error}")),
    }
    wrong
}

/// The contents of the store.
struct Found {
    /// Position to number.
    notifications: BTreeMap<u64, u64>,
    /// Number to the position of its notification.
    events: BTreeMap<u64, u64>,
    trimmed: u64,
    cursor: u64,
    waiting: BTreeSet<u64>,
    dead: BTreeSet<u64>,
}

impl Found {
    async fn read(store: &Engine, wrong: &mut Vec<String>) -> Self {
        let mut notifications = BTreeMap::new();
        for record in all(store, Log::Notifications, wrong).await {
            let number = record.key.as_u64_pair().1;
            if !is(&record, &notification(number)) {
                wrong.push(format!("notification at {} was never written", record.position));
            }
            notifications.insert(record.position.0, number);
        }
        let mut events = BTreeMap::new();
        for record in all(store, Log::Events, wrong).await {
            let body = String::from_utf8_lossy(&record.body).into_owned();
            let numbers = body.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            let Some((number, position)) = numbers.filter(|(a, b)| is(&record, &event(*a, *b))) else {
                wrong.push(format!("event at {} was never written", record.position));
                continue;
            };
            if events.insert(number, position).is_some() {
                wrong.push(format!("the event of {number} is there twice"));
            }
        }
        let reader = translator();
        Self {
            notifications,
            events,
            trimmed: store.trimmed(Log::Notifications).0,
            cursor: store.cursor(&reader).await.unwrap().0,
            waiting: store.waiting(&reader, Position(0), 1_000).await.unwrap().iter().map(|it| it.position.0).collect(),
            dead: store.dead(&reader, Position(0), 1_000).await.unwrap().iter().map(|it| it.position.0).collect(),
        }
    }

    fn compare(&self, witness: &Witness, wrong: &mut Vec<String>) {
        let mut unless = |is_right: bool, what: String| {
            if !is_right {
                wrong.push(what);
            }
        };
        let mut seen = BTreeSet::new();
        for (position, number) in &self.notifications {
            unless(seen.insert(*number), format!("notification {number} is there twice"));
            unless(witness.tried.contains(number), format!("notification {number} was never appended"));
            unless(*position > self.trimmed, format!("{position} is there and trimmed"));
        }
        for (number, position) in &witness.appended {
            let is_there = self.notifications.get(position) == Some(number);
            let may_be_gone = *position <= self.trimmed && *number < witness.trim_tried;
            unless(is_there || may_be_gone, format!("LOST: notification {number} at {position}"));
        }
        unless(self.trimmed >= witness.trimmed, format!("trimmed to {} and now {}", witness.trimmed, self.trimmed));
        for (position, told) in &witness.settled {
            unless(*position <= self.cursor, format!("{position} was settled, the cursor is {}", self.cursor));
            unless(!self.waiting.contains(position), format!("{position} was settled and waits"));
            let has_event = self.events.values().any(|of| of == position);
            unless(has_event == *told, format!("LOST or invented: {position} was settled, event: {has_event}"));
            let is_dead = self.dead.contains(position) || *position <= self.trimmed;
            unless(*told || is_dead, format!("{position} was given up and is not dead"));
        }
        // An event and its reader's step are one commit: no position has both or neither.
        for (position, number) in &self.notifications {
            let has_event = self.events.get(number) == Some(position);
            let is_recorded = self.waiting.contains(position) || self.dead.contains(position);
            let is_settled = *position <= self.cursor;
            unless(
                has_event == (is_settled && !is_recorded),
                format!("{position}: event {has_event}, recorded {is_recorded}, cursor {}", self.cursor),
            );
        }
        for (number, position) in &self.events {
            unless(*position <= self.cursor, format!("the event of {number} is before its time"));
            unless(witness.tried.contains(number), format!("the event of {number} is of nothing"));
        }
    }
}

/// The registry is as after the newest acknowledged commit, or one that was tried after it, wholly.
fn registry(store: &Engine, witness: &Witness, wrong: &mut Vec<String>) {
    let mut unless = |is_right: bool, what: String| {
        if !is_right {
            wrong.push(what);
        }
    };
    let value =
        |kind: &str, id: &str| store.get(kind, id).map(|found| String::from_utf8_lossy(&found.value).into_owned());
    let (left, right) = (value("pair", "left"), value("pair", "right"));
    unless(left == right, format!("half a commit: {left:?}, {right:?}"));
    let newest: Option<u64> = left.and_then(|left| left.parse().ok());
    unless(newest >= witness.committed, format!("LOST: commit {:?}, there is {newest:?}", witness.committed));
    unless(newest.is_none_or(|newest| witness.commits_tried.contains(&newest)), format!("{newest:?} was never tried"));
    unless(
        store.revision() >= witness.revision,
        format!("revision {} was {} before", store.revision(), witness.revision),
    );
    for number in witness.commits_tried.iter().filter(|number| Some(**number) <= newest) {
        let [.., thing] = &changes(*number)[..] else { unreachable!("a commit has a thing") };
        let found = store.get("thing", &thing.id).map(|found| found.value);
        unless(found == thing.value, format!("LOST: thing {} of the registry", thing.id));
    }
    let things = store.list("thing").len();
    let expected = witness.commits_tried.iter().filter(|number| Some(**number) <= newest).count();
    unless(things == expected, format!("{things} things of {expected}"));
}

/// Every record is found by its key, and is a duplicate for whoever appends it once more.
async fn by_key(store: &Engine, found: &Found, witness: &Witness, wrong: &mut Vec<String>) {
    for (position, number) in &found.notifications {
        match store.append(Log::Notifications, notification(*number)).await {
            Ok(Appended::Duplicate(Position(at))) if at == *position => {}
            other => wrong.push(format!("DOUBLED: notification {number} at {position}: {other:?}")),
        }
        match store.find(Log::Notifications, key(*number)).await {
            Ok(Some(record)) if record.position.0 == *position => {}
            other => wrong.push(format!("notification {number} at {position} by its key: {other:?}")),
        }
    }
    let keys: Vec<_> = witness.settled.iter().filter(|(_, told)| **told).map(|(position, _)| *position).collect();
    let numbers = keys.iter().filter_map(|position| found.events.iter().find(|(_, at)| *at == position));
    let keys: Vec<_> = numbers.map(|(number, position)| event(*number, *position).key).collect();
    match store.contains(Log::Events, &keys).await {
        Ok(answers) if answers.iter().all(|is_there| *is_there) => {}
        other => wrong.push(format!("events by their keys: {other:?}")),
    }
}

/// The store takes appends.
async fn serves(store: &Engine, witness: &Witness, wrong: &mut Vec<String>) {
    let newest = witness.appended.values().max().copied().unwrap_or_default();
    let fresh = Entry { key: key(5_000_000), ..notification(900_000) };
    match store.append(Log::Deliveries, fresh.clone()).await {
        Ok(Appended::New(_)) => {}
        other => wrong.push(format!("it does not take appends: {other:?}")),
    }
    let tail = store.tail(Log::Notifications).borrow().0;
    if tail < newest {
        wrong.push(format!("the log ends at {tail}, {newest} was acknowledged"));
    }
}

async fn all(store: &Engine, log: Log, wrong: &mut Vec<String>) -> Vec<Record> {
    let (mut found, mut after) = (Vec::new(), Position(0));
    loop {
        let limit = PageLimit { records_max: 50, ..ALL };
        let page = match store.read(log, after, limit).await.map(records) {
            Ok(Ok(page)) => page,
            Ok(Err(end)) => {
                wrong.push(format!("{log:?} after {after}: {end:?}"));
                return found;
            }
            Err(error) => {
                wrong.push(format!("{log:?} after {after}: {error}"));
                return found;
            }
        };
        let Some(last) = page.last() else { return found };
        after = last.position;
        found.extend(page);
    }
}

fn is(record: &Record, entry: &Entry) -> bool {
    (record.key, record.time, &record.body) == (entry.key, entry.time, &entry.body)
}
