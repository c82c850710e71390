//! Writing into the ledger.

use super::{
    Found,
    chain::Head,
    entry::{Entry, Hash, Hour},
    newest, open,
};
use crate::{
    app::{App, change::put, kind},
    azure::client::Window,
    domain::{Account, BindingId, Stream, hour_after, hour_of},
    store::{Appended, Claim, Entry as Kept, Error, Expected, Log, PageLimit, Position},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The head's id in the registry.
const HEAD: &str = "head";
/// Hours that one commit takes; more are several commits.
const COMMIT_HOURS_MAX: usize = 256;
/// What an hour of which only the end was seen lacks at least, so that it does not count as a whole one.
const PART: Duration = Duration::from_secs(1);
const READ: PageLimit = PageLimit { records_max: 1_000, body_bytes_max: 4 << 20 };

/// Writes down what comparing `window` of a stream of a binding with Azure's records gave.
///
/// How it is called: after every sweep, once per binding and stream, with the window that was compared as a whole and an
/// [`Account`] for each hour in which there was something, by the hour's beginning ([`hour_of`]); [`super::note_sweep`] does
/// it. An hour of the window that is not in `hours` had nothing. So that hours can be written, begin a window at a full hour
/// at least where an hour ends in it: of an hour that began before the window only a part is known, and like one that goes on
/// after the window it is written only when something is unexplained in it, until it was compared as a whole.
///
/// Windows may overlap and come in any order. Finding the same again writes nothing, and neither does a look that saw less of
/// an hour, in time or in facts, than an earlier one: what costs a call for each record is not asked every time. Finding
/// something else writes a new entry that supersedes. The binding may be gone: then nothing is written.
///
/// # Errors
/// The store's: some of the hours may be written; call it again with the same.
pub async fn note(
    app: &App,
    (binding, stream): (BindingId, Stream),
    window: Window,
    hours: &BTreeMap<Timestamp, Account>,
) -> Result<(), Error> {
    let (mut hour, nothing) = (hour_of(window.from), Account::default());
    let mut head = app.ledger.writing.lock().await;
    while hour < window.to {
        let mut found = Vec::new();
        while hour < window.to && found.len() < COMMIT_HOURS_MAX {
            let account = hours.get(&hour).unwrap_or(&nothing);
            let (of, end) = (Hour { binding, stream, from: hour }, hour_after(hour));
            // Of an hour that began before the window the end was seen and the beginning was not.
            let until = end.min(window.to) - if hour < window.from { PART } else { Duration::ZERO };
            if let Some(revision) = revision(newest(app, of).await?.as_ref(), of, until, account) {
                found.push((of, revision, until, account.clone()));
            }
            hour = end;
        }
        if !app.directory().bindings.contains_key(&binding) {
            return Ok(());
        }
        if !found.is_empty() {
            write(app, &mut head, (binding, stream), found).await?;
        }
    }
    Ok(())
}

/// The revision to write, if there is something to write.
fn revision(found: Option<&Found>, of: Hour, until: Timestamp, account: &Account) -> Option<u32> {
    let is_over = until >= hour_after(of.from);
    let Some(Found { entry: before, revisions }) = found else {
        return (is_over || account.unexplained > 0).then_some(1);
    };
    let saw_less = before.compared_until > until
        || (account.expected < before.account.expected && account.unexplained <= before.account.unexplained);
    let is_the_same = before.account == *account && (before.is_whole() || !is_over);
    if saw_less || is_the_same { None } else { revisions.checked_add(1) }
}

async fn write(
    app: &App,
    held: &mut Option<Head>,
    of: (BindingId, Stream),
    found: Vec<(Hour, u32, Timestamp, Account)>,
) -> Result<(), Error> {
    // Until the commit is known to have happened, the head is not: whoever fails or is cancelled here leaves nothing.
    let mut newest = match held.take() {
        Some(newest) => newest,
        None => find_head(app).await?,
    };
    let now = Timestamp::from_millisecond(app.clock.now().as_millisecond()).unwrap_or(Timestamp::MIN);
    let (mut entries, mut appends) = (Vec::new(), Vec::new());
    for (hour, revision, compared_until, account) in found {
        let Hour { binding, stream, from } = hour;
        let entry = Entry {
            number: newest.number + 1,
            previous: newest.hash,
            binding,
            stream,
            hour: from,
            revision,
            compared_at: now,
            compared_until,
            account,
        };
        let body = entry.to_stored();
        newest = Head { number: entry.number, hash: Hash::of(&body) };
        appends.push((Log::Ledger, Kept { key: entry.key(), time: now, body: body.into() }));
        entries.push(entry);
    }
    let appended = app.store.settle(Claim::of_nothing(Log::Ledger), Vec::new(), appends).await?;
    if let Some(Appended::Duplicate(at)) = appended.iter().find(|appended| matches!(appended, Appended::Duplicate(_))) {
        // The chain has a hole now, and verifying says so. It takes a revision that retention left behind the first.
        tracing::error!(position = at.0, "an entry of the ledger was there already");
    }
    let position = appended.last().map_or(0, |(Appended::New(at) | Appended::Duplicate(at))| at.0);
    let mut changes = vec![put(kind::LEDGER, &HEAD, Expected::Any, &Known { head: newest, position })];
    changes.extend(open::change(app, of, &entries));
    app.store.commit(changes).await?;
    *held = Some(newest);
    Ok(())
}

/// The head as kept in the registry, with its place in the log.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Known {
    #[serde(flatten)]
    head: Head,
    position: u64,
}

fn known(app: &App) -> Option<Known> {
    let kept = app.store.get(kind::LEDGER, HEAD)?;
    serde_json::from_slice(&kept.value).ok()
}

/// What the registry says the head is.
pub(super) fn kept_head(app: &App) -> Option<Head> {
    known(app).map(|known| known.head)
}

/// Where to go on. What was appended after the head was last written down counts if it goes on from there; if it does not,
/// or if what the registry knows of is not there, the chain goes on from the registry's hash, so that the break stays to be
/// seen.
async fn find_head(app: &App) -> Result<Head, Error> {
    let Some(Known { mut head, position }) = known(app) else {
        // Before the first entry, so that a chain without a head in the registry is one that has lost it.
        let none = Known { head: Head::NONE, position: app.store.tail(Log::Ledger).borrow().0 };
        app.store.commit(vec![put(kind::LEDGER, &HEAD, Expected::Absent, &none)]).await?;
        return Ok(none.head);
    };
    let (mut after, mut number) = (Position(position), head.number);
    loop {
        let records = app.store.read(Log::Ledger, after, READ).await?;
        if records.end == after {
            break;
        }
        after = records.end;
        for record in &records {
            let Some(entry) = Entry::from_stored(&record.body) else { continue };
            number = number.max(entry.number);
            if entry.number == head.number + 1 && entry.previous == head.hash {
                head = Head { number: entry.number, hash: Hash::of(&record.body) };
            }
        }
    }
    Ok(Head { number, hash: head.hash })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn entry(until: &str, account: Account) -> Entry {
        Entry {
            number: 1,
            previous: Hash::NONE,
            binding: BindingId(Uuid::nil()),
            stream: Stream::Builds,
            hour: "2026-11-22T10:00:00Z".parse().unwrap(),
            revision: 3,
            compared_at: Timestamp::UNIX_EPOCH,
            compared_until: until.parse().unwrap(),
            account,
        }
    }

    #[test]
    fn an_hour_is_written_when_it_is_over_or_something_is_unexplained_and_again_when_something_else_was_found() {
        let (half, whole) = ("2026-11-22T10:30:00Z", "2026-11-22T11:00:00Z");
        let mut missing = Account::default();
        missing.miss("build/1");
        let received = |count| Account { expected: count, received: count, ..Account::default() };
        let fine = || received(1);
        for (before, until, account, written) in [
            (None, half, fine(), None),
            (None, half, missing.clone(), Some(1)),
            (None, whole, fine(), Some(1)),
            (Some(entry(half, missing.clone())), half, missing.clone(), None),
            (Some(entry(half, missing.clone())), half, fine(), Some(5)),
            (Some(entry(half, missing.clone())), whole, missing.clone(), Some(5)),
            (Some(entry(whole, fine())), whole, fine(), None),
            (Some(entry(whole, fine())), whole, received(2), Some(5)),
            (Some(entry(whole, fine())), whole, Account::default(), None),
            (Some(entry(whole, missing.clone())), whole, Account::default(), None),
            (Some(entry(whole, fine())), half, missing.clone(), None),
        ] {
            let of = entry(half, fine()).of();
            let before = before.map(|entry| Found { entry, revisions: 4 });
            let found = revision(before.as_ref(), of, until.parse().unwrap(), &account);
            assert_eq!(found, written, "{until} {account:?}");
        }
    }
}
