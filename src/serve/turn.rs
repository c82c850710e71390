//! Whose turn it is on a connection: ours, to answer, or the other side's, to send a request or to take a reply.
//!
//! One rule bounds every wait for the other side, whatever it leaves undone: a handshake, a preface, a header, reading.
//! While it is its turn its debt grows; each whole request clears the debt, each KiB that it takes pays for a second.
//! When the debt is larger than its patience allows, the connection is closed. What hyper offers instead are a time for
//! HTTP/1.1 headers that is not yet running when the protocol is not yet known, and pings that a client may answer for
//! ever. A body that is awaited has its own limits (`paced`), because that request's answer can still be given.

use crate::clock::{Clock as _, SystemClock};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// The least speed at which the other side sends a body or takes a reply, once it has let us wait for its patience.
pub(super) const BYTES_PER_SECOND_MIN: u64 = 1_024;
/// How long the reply may take to get on its way when its connection has to make room for another.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The other side let us wait too long.
    Waited,
    /// The connection had waited longest when another one wanted in.
    MadeRoom,
}

/// The account of one connection.
#[derive(Debug)]
pub(super) struct Turn {
    clock: SystemClock,
    patience: Duration,
    account: Mutex<Account>,
    told: Notify,
}

/// The same without the clock.
#[derive(Debug, Default)]
struct Account {
    /// Requests that we are answering, and bodies of replies that we are making.
    owed: i32,
    /// Of those the ones that wait for the rest of their request.
    listening: i32,
    /// Whether there ever was a whole request.
    asked: bool,
    /// Since when it is the other side's turn, or it last sent a part of a body.
    since: Duration,
    /// How long it let us wait before that.
    debt: Duration,
    /// Whether the connection was chosen to make room.
    leaves: bool,
}

/// A connection that waits for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Whether it ever sent a whole request.
    pub(super) asked: bool,
    /// Since when it waits.
    pub(super) since: Duration,
}

impl Turn {
    pub(super) fn new(clock: SystemClock, patience: Duration) -> Self {
        let account = Mutex::new(Account { since: clock.monotonic(), ..Account::default() });
        Self { clock, patience, account, told: Notify::new() }
    }

    /// A whole request is here; we owe its answer.
    pub(super) fn asked(&self) {
        self.account().asked();
    }

    /// We owe a part of a reply, now that there is room for it.
    pub(super) fn owes(&self) {
        let now = self.clock.monotonic();
        self.account().owes(now);
    }

    /// We gave so many bytes of a reply that we owed.
    pub(super) fn gave(&self, bytes: usize) {
        let now = self.clock.monotonic();
        self.account().gave(bytes, now);
    }

    /// The answer waits for more of the request.
    pub(super) fn listens(&self) {
        let now = self.clock.monotonic();
        let mut account = self.account();
        account.listening += 1;
        account.since = now;
    }

    /// More came, or is not wanted any more.
    pub(super) fn heard(&self) {
        self.account().listening -= 1;
    }

    /// Whether there ever was a whole request.
    pub(super) fn has_asked(&self) -> bool {
        self.account().asked
    }

    /// Whether it waits for the other side, and since when.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let account = self.account();
        (account.owed <= account.listening).then_some(Waiting { asked: account.asked, since: account.since })
    }

    /// Says that another connection needs the room.
    pub(super) fn leave(&self) {
        self.account().leaves = true;
        self.told.notify_one();
    }

    /// Returns when the connection is to be closed.
    pub(super) async fn over(&self) -> Over {
        loop {
            let left = self.account().left(self.clock.monotonic(), self.patience);
            match left {
                Ok(wait) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.told.notified() => {}
                    }
                }
                Err(over) => return over,
            }
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn asked(&mut self) {
        self.asked = true;
        self.debt = Duration::ZERO;
        self.owed += 1;
    }

    fn owes(&mut self, now: Duration) {
        if self.owed == 0 {
            self.debt += now.saturating_sub(self.since);
        }
        self.owed += 1;
    }

    fn gave(&mut self, bytes: usize, now: Duration) {
        self.debt = self.debt.saturating_sub(paid_by(bytes));
        self.owed -= 1;
        self.since = now;
    }

    /// When to look again, or why it is over. Nobody has to tell when the turn passes: it is looked at again before the
    /// patience of a turn that begins now can be over.
    fn left(&self, now: Duration, patience: Duration) -> Result<Duration, Over> {
        if self.leaves && self.owed <= self.listening {
            let last_word = if self.asked { LAST_WORD } else { Duration::ZERO };
            return time_until(self.since + last_word, now).ok_or(Over::MadeRoom);
        }
        if self.owed > 0 {
            return Ok(if self.leaves { LAST_WORD } else { patience });
        }
        time_until(self.since + patience.saturating_sub(self.debt), now).ok_or(Over::Waited)
    }
}

fn time_until(then: Duration, now: Duration) -> Option<Duration> {
    then.checked_sub(now).filter(|wait| !wait.is_zero())
}

/// The time that so many bytes are worth.
pub(super) fn paid_by(bytes: usize) -> Duration {
    Duration::from_micros(bytes as u64 * 1_000_000 / BYTES_PER_SECOND_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_never_asks_is_closed_when_the_patience_is_over() {
        let account = Account::default();
        assert_eq!(account.left(at(10), PATIENCE), Ok(at(20)));
        assert_eq!(account.left(at(30), PATIENCE), Err(Over::Waited));
    }

    #[test]
    fn our_own_slowness_is_held_against_nobody() {
        let mut account = Account::default();
        account.asked();
        assert_eq!(account.left(at(500), PATIENCE), Ok(PATIENCE));
        account.gave(100, at(500));
        assert_eq!(account.left(at(529), PATIENCE), Ok(at(1)));
        assert_eq!(account.left(at(530), PATIENCE), Err(Over::Waited));
    }

    #[test]
    fn who_takes_a_reply_fast_enough_may_take_long_and_who_drips_may_not() {
        let kib = 1024;
        for (bytes, lasts) in [(20 * kib, true), (10, false)] {
            let mut account = Account::default();
            account.asked();
            account.gave(0, at(0));
            for round in 1..100 {
                let now = at(round * 10);
                if account.left(now, PATIENCE).is_err() {
                    assert!(!lasts && round <= 4, "{bytes} in round {round}");
                    break;
                }
                assert!(lasts || round <= 4, "{bytes} in round {round}");
                account.owes(now);
                account.gave(bytes, now);
            }
        }
    }

    #[test]
    fn what_is_paid_in_advance_buys_no_longer_silence() {
        let mut account = Account::default();
        account.asked();
        account.gave(1 << 30, at(0));
        assert_eq!(account.left(at(30), PATIENCE), Err(Over::Waited));
    }

    #[test]
    fn who_makes_room_goes_at_once_but_never_in_the_middle_of_our_answer() {
        let leaves = || Account { leaves: true, ..Account::default() };
        assert_eq!(leaves().left(at(1), PATIENCE), Err(Over::MadeRoom));
        let mut account = leaves();
        account.asked();
        assert_eq!(account.left(at(100), PATIENCE), Ok(LAST_WORD));
        account.gave(10, at(100));
        assert_eq!(account.left(at(100), PATIENCE), Ok(LAST_WORD), "the reply may still be on its way");
        assert_eq!(account.left(at(101), PATIENCE), Err(Over::MadeRoom));
    }

    #[test]
    fn a_body_that_is_awaited_makes_a_connection_one_that_waits() {
        let turn = Turn::new(SystemClock::default(), PATIENCE);
        turn.asked();
        assert_eq!(turn.waiting(), None);
        turn.listens();
        assert!(turn.waiting().is_some_and(|waiting| waiting.asked));
        turn.heard();
        assert_eq!(turn.waiting(), None);
        turn.gave(0);
        assert!(turn.waiting().is_some());
    }
}
