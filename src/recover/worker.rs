//! Looks at every connection at start, when somebody asks, when a connection works again, and every few minutes.

use super::{
    desk::Request,
    run::{Report, never_compared, recover},
    watermarks::forget_orphans,
};
use crate::{
    app::App,
    domain::{ConnectionId, Delivery, HealthState},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// Between two looks at a connection with which all is well.
const PERIOD: Duration = Duration::from_mins(15);
/// The same where nothing is delivered by hooks.
const POLL_PERIOD: Duration = Duration::from_mins(1);
/// Between two close looks at the last day.
const RELOOK_PERIOD: Duration = Duration::from_hours(1);
/// The same where nothing is delivered by hooks: comments, and stages of runs that go on, come so late at most.
const POLL_RELOOK_PERIOD: Duration = Duration::from_mins(10);
/// Up to so much is added to a period, so that connections do not run in step.
const JITTER_MILLISECONDS: u64 = 60_000;
/// How long it takes at most to notice that a connection works again or a binding is new.
const TICK: Duration = Duration::from_secs(30);
/// After the first failed look; doubled with each further one.
const RETRY_MIN: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_mins(30);
/// Connections that are looked at at once.
const RUNNING_MAX: usize = 4;

/// When a connection is looked at next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scheduled {
    /// When it is due.
    next: Duration,
    /// When it is due for a close look.
    relook: Duration,
    /// Not even for whoever asks before this: Azure asked to wait, or it failed just now.
    not_before: Duration,
    /// Failed looks in a row.
    failures: u32,
    /// Which bindings were new at the last look.
    fresh: u64,
}

/// When it is looked at after this look.
fn after(before: Option<&Scheduled>, report: &Report, close: bool, times: Times) -> Scheduled {
    let Times { now, period, jitter, fresh } = times;
    let failures = before.map_or(0, |before| before.failures);
    let failures = if report.failed { failures.saturating_add(1) } else { 0 };
    let relook = match before {
        Some(before) if !close || report.failed => before.relook,
        _ if report.failed => now,
        _ if period < PERIOD => now + POLL_RELOOK_PERIOD,
        _ => now + RELOOK_PERIOD + jitter,
    };
    let pause = if report.failed {
        RETRY_MIN.saturating_mul(1 << (failures - 1).min(10)).min(RETRY_MAX) + jitter / 4
    } else {
        period + if period < PERIOD { Duration::ZERO } else { jitter }
    };
    let wait = if report.failed { pause } else { Duration::ZERO };
    let not_before = now + report.wait.unwrap_or_default().max(wait);
    Scheduled { next: (now + pause).max(not_before), relook, not_before, failures, fresh }
}

/// What the next look depends on besides the last one.
#[derive(Debug, Clone, Copy)]
struct Times {
    now: Duration,
    period: Duration,
    jitter: Duration,
    fresh: u64,
}

/// The same for the same look at the same connection, and another for others.
fn jitter(connection: ConnectionId, look: u64) -> Duration {
    let mut hasher = DefaultHasher::new();
    (connection, look).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % JITTER_MILLISECONDS)
}

/// The looks under way, each with whether it is a close one and what was new.
type UnderWay = HashMap<tokio::task::Id, (ConnectionId, bool, u64)>;

#[derive(Default)]
struct Worker {
    schedule: BTreeMap<ConnectionId, Scheduled>,
    under_way: UnderWay,
    /// Connections that did not work when it was last looked.
    ailing: BTreeSet<ConnectionId>,
    looks: u64,
}

/// Runs until the gateway stops; the looks under way end at their next call.
pub async fn run(app: Arc<App>) {
    let (mut worker, mut running, mut stopping) = (Worker::default(), JoinSet::new(), app.stopping());
    while !*stopping.borrow() {
        let next = worker.begin(&app, &mut running);
        let full = running.len() >= RUNNING_MAX;
        let ended = tokio::select! {
            () = app.recover.called.notified(), if !full => None,
            () = app.clock.sleep(next), if !full => None,
            Some(ended) = running.join_next_with_id() => Some(ended),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        match ended {
            None => {}
            Some(Ok((task, report))) => worker.ended(&app, task, report),
            Some(Err(error)) => {
                tracing::error!(%error, "a look at what a connection's hooks lost broke off");
                worker.ended(&app, error.id(), Some(Report { failed: true, ..Report::default() }));
            }
        }
    }
    while running.join_next().await.is_some() {}
}

impl Worker {
    /// Begins the looks that are due, as far as there are hands; answers how long until the next one is, or until it is
    /// looked around again.
    fn begin(&mut self, app: &Arc<App>, running: &mut JoinSet<Option<Report>>) -> Duration {
        let (directory, now) = (app.directory(), app.clock.monotonic());
        self.schedule.retain(|id, _| directory.connections.contains_key(id));
        let busy: BTreeSet<ConnectionId> = self.under_way.values().map(|(id, ..)| *id).collect();
        for id in directory.connections.keys() {
            let state = directory.health.get(id).map(|kept| kept.record.state);
            let ails = matches!(state, Some(HealthState::Unreachable | HealthState::NeedsAttention));
            if ails {
                self.ailing.insert(*id);
            } else if self.ailing.remove(id) {
                // Whatever kept us from it may have kept its hooks from us.
                app.recover.ask(*id, Request { since: None, closely: true });
            }
        }
        let mut next = TICK;
        for id in directory.connections.keys().filter(|id| !busy.contains(id)) {
            let fresh = digest(&never_compared(app, &directory, *id));
            let scheduled = self.schedule.get(id);
            let asked = app.recover.is_asked_for(*id);
            let due = scheduled.is_none_or(|own| {
                now >= own.not_before && (asked || now >= own.next || now >= own.relook || own.fresh != fresh)
            });
            if due && running.len() < RUNNING_MAX {
                let closely = scheduled.is_none_or(|own| now >= own.relook || own.failures > 0);
                let request = Request { since: None, closely };
                let request = app.recover.take(*id).map_or(request, |asked| asked.and(request));
                let (app, id) = (Arc::clone(app), *id);
                let task = running.spawn(async move { recover(&app, id, request).await });
                self.under_way.insert(task.id(), (id, request.closely, fresh));
            } else if let Some(scheduled) = scheduled {
                let at = scheduled.next.min(scheduled.relook).max(scheduled.not_before);
                next = next.min(at.saturating_sub(now));
            }
        }
        next.max(Duration::from_secs(1))
    }

    fn ended(&mut self, app: &Arc<App>, task: tokio::task::Id, report: Option<Report>) {
        self.looks += 1;
        let Some((id, close, fresh)) = self.under_way.remove(&task) else { return };
        let Some(report) = report else { return };
        log(id, &report);
        let polls = app.directory().connections.get(&id).is_some_and(|own| own.record.delivery == Delivery::Poll);
        let period = if polls { POLL_PERIOD } else { PERIOD };
        let times = Times { now: app.clock.monotonic(), period, jitter: jitter(id, self.looks), fresh };
        let scheduled = after(self.schedule.get(&id), &report, close, times);
        self.schedule.insert(id, scheduled);
        let app = Arc::clone(app);
        tokio::spawn(async move {
            if let Err(error) = forget_orphans(&app, &app.directory()).await {
                tracing::debug!(%error, "what is known of removed bindings is forgotten later");
            }
        });
    }
}

fn digest(fresh: &BTreeSet<(String, crate::domain::Stream)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    fresh.hash(&mut hasher);
    hasher.finish()
}

fn log(connection: ConnectionId, report: &Report) {
    for trouble in &report.troubles {
        tracing::warn!(%connection, "{trouble}");
    }
    let filtered = report.history.filtered;
    if filtered > 0 {
        tracing::info!(%connection, filtered, "the history says of notifications that they were filtered; they are left alone");
    }
    let (history, counts) = (report.history.recovered, report.tally.total);
    let calls = report.history.calls + report.tally.calls;
    if history > 0 || counts.rest > 0 {
        tracing::info!(%connection, history, rest = counts.rest, expected = counts.expected, calls, "what hooks lost came back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(10_000);

    fn times() -> Times {
        Times { now: NOW, period: PERIOD, jitter: Duration::ZERO, fresh: 7 }
    }

    fn report(failed: bool, wait: Option<u64>) -> Report {
        Report { failed, wait: wait.map(Duration::from_secs), ..Report::default() }
    }

    #[test]
    fn failures_back_off_and_nobody_hurries_them() {
        let (mut scheduled, mut pauses) = (None, Vec::new());
        for _ in 0..8 {
            let next = after(scheduled.as_ref(), &report(true, None), false, times());
            assert_eq!(next.not_before, next.next);
            pauses.push(next.next.saturating_sub(NOW).as_secs());
            scheduled = Some(next);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_800, 1_800]);
        let good = after(scheduled.as_ref(), &report(false, None), true, times());
        assert_eq!((good.failures, good.not_before), (0, NOW));
        assert_eq!(good.next, NOW + PERIOD);
    }

    #[test]
    fn azures_wish_to_wait_holds() {
        let scheduled = after(None, &report(true, Some(600)), false, times());
        assert_eq!(
            (scheduled.next, scheduled.not_before),
            (NOW + Duration::from_mins(10), NOW + Duration::from_mins(10))
        );
    }

    #[test]
    fn a_close_look_is_due_an_hour_after_the_last_good_one() {
        let first = after(None, &report(false, None), true, times());
        assert_eq!(first.relook, NOW + RELOOK_PERIOD);
        let later = Times { now: NOW + PERIOD, ..times() };
        assert_eq!(after(Some(&first), &report(false, None), false, later).relook, first.relook);
        assert_eq!(
            after(Some(&first), &report(true, None), true, later).relook,
            first.relook,
            "it has to be made good"
        );
        assert_eq!(after(Some(&first), &report(false, None), true, later).relook, NOW + PERIOD + RELOOK_PERIOD);
    }

    #[test]
    fn what_is_polled_is_polled_each_minute() {
        let poll = Times { period: POLL_PERIOD, jitter: Duration::from_secs(50), ..times() };
        let scheduled = after(None, &report(false, None), true, poll);
        assert_eq!((scheduled.next, scheduled.relook), (NOW + POLL_PERIOD, NOW + POLL_RELOOK_PERIOD));
    }
}
