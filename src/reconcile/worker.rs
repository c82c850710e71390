//! Runs every connection at start, when something was changed here, and every few minutes.

use super::{
    known::fingerprint,
    report::Report,
    run::{Mode, reconcile},
};
use crate::{app::App, domain::ConnectionId};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// Between two runs of a connection with which all is well.
const PERIOD: Duration = Duration::from_mins(5);
/// Up to so much is added, so that connections do not run in step.
const JITTER_MILLISECONDS: u64 = 60_000;
/// After a run that left something to the next one.
const SOON: Duration = Duration::from_secs(5);
/// After the first failed run; doubled with each further one.
const RETRY_MIN: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_mins(30);
/// Connections that are run at once: a listing can take a minute, and others should not wait for it.
const RUNNING_MAX: usize = 4;

/// When a connection is run next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scheduled {
    /// What it was last run for.
    fingerprint: u64,
    /// When it is due without a change.
    next: Duration,
    /// Not even for a change before this: Azure asked to wait.
    not_before: Duration,
    /// Failed runs in a row.
    failures: u32,
}

/// Whether a connection is to be run now.
fn is_due(scheduled: Option<&Scheduled>, fingerprint: u64, now: Duration) -> bool {
    scheduled.is_none_or(|s| now >= s.not_before && (now >= s.next || s.fingerprint != fingerprint))
}

/// When it is run after this run, which began for `fingerprint`.
fn after(report: &Report, fingerprint: u64, failures: u32, now: Duration, jitter: Duration) -> Scheduled {
    let failures = if report.failed { failures.saturating_add(1) } else { 0 };
    let pause = match (report.failed, report.deferred) {
        (true, _) => RETRY_MIN.saturating_mul(1 << (failures - 1).min(10)).min(RETRY_MAX) + jitter / 4,
        (false, 0) => PERIOD + jitter,
        (false, _) => SOON,
    };
    let not_before = now + report.wait.unwrap_or_default();
    Scheduled { fingerprint, next: (now + pause).max(not_before), not_before, failures }
}

/// The same for the same run of the same connection, and another for others.
fn jitter(connection: ConnectionId, run: u64) -> Duration {
    let mut hasher = DefaultHasher::new();
    (connection, run).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % JITTER_MILLISECONDS)
}

/// The runs under way, each with what it was begun for.
type UnderWay = HashMap<tokio::task::Id, (ConnectionId, u64)>;

/// Runs until the gateway stops; then lets the runs under way finish their step.
pub async fn run(app: Arc<App>) {
    let (mut schedule, mut under_way) = (BTreeMap::<ConnectionId, Scheduled>::new(), UnderWay::new());
    let (mut running, mut runs, mut stopping) = (JoinSet::new(), 0_u64, app.stopping());
    while !*stopping.borrow() {
        let next = begin(&app, &mut schedule, &mut under_way, &mut running);
        // When all hands are busy, the end of a run wakes us.
        let full = running.len() >= RUNNING_MAX;
        let ended = tokio::select! {
            () = app.reconcile.notified() => None,
            () = app.clock.sleep(next), if !full => None,
            Some(ended) = running.join_next_with_id() => Some(ended),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let (task, report) = match ended {
            None => continue,
            Some(Ok((task, report))) => (task, report),
            Some(Err(error)) => {
                tracing::error!(%error, "a run of the subscriptions of a connection broke off");
                (error.id(), Some(Report { failed: true, ..Report::default() }))
            }
        };
        runs += 1;
        if let (Some((id, print)), Some(report)) = (under_way.remove(&task), report) {
            log(id, &report);
            let failures = schedule.get(&id).map_or(0, |scheduled| scheduled.failures);
            schedule.insert(id, after(&report, print, failures, app.clock.monotonic(), jitter(id, runs)));
        }
    }
    while running.join_next().await.is_some() {}
}

/// Begins the runs that are due, as far as there are hands; answers how long until the next one is.
fn begin(
    app: &Arc<App>,
    schedule: &mut BTreeMap<ConnectionId, Scheduled>,
    under_way: &mut UnderWay,
    running: &mut JoinSet<Option<Report>>,
) -> Duration {
    let (directory, now) = (app.directory(), app.clock.monotonic());
    schedule.retain(|id, _| directory.connections.contains_key(id));
    let busy: BTreeSet<ConnectionId> = under_way.values().map(|(id, _)| *id).collect();
    let mut next = PERIOD;
    for (id, kept) in directory.connections.iter().filter(|(id, _)| !busy.contains(id)) {
        let (print, scheduled) = (fingerprint(&directory, kept), schedule.get(id));
        if is_due(scheduled, print, now) && running.len() < RUNNING_MAX {
            let (app, id) = (Arc::clone(app), *id);
            let task = running.spawn(async move { reconcile(&app, id, Mode::Mend).await });
            under_way.insert(task.id(), (id, print));
        } else if let Some(scheduled) = scheduled {
            let at = if scheduled.fingerprint == print { scheduled.next } else { scheduled.not_before };
            next = next.min(at.saturating_sub(now));
        }
    }
    next
}

fn log(connection: ConnectionId, report: &Report) {
    for trouble in &report.troubles {
        tracing::warn!(%connection, kind = ?trouble.kind, "{}", trouble.detail);
    }
    let done = report.steps.iter().filter(|step| step.what != "leave").count();
    if done > 0 {
        tracing::info!(%connection, steps = done, left = report.deferred, "subscriptions looked after");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);
    const NO_JITTER: Duration = Duration::ZERO;

    fn report(failed: bool, deferred: usize, wait: Option<u64>) -> Report {
        Report { failed, deferred, wait: wait.map(Duration::from_secs), ..Report::default() }
    }

    #[test]
    fn a_connection_is_due_at_first_when_it_changed_and_when_its_time_has_come() {
        let scheduled = after(&report(false, 0, None), 7, 0, NOW, NO_JITTER);
        assert!(is_due(None, 7, NOW));
        assert!(!is_due(Some(&scheduled), 7, NOW));
        assert!(is_due(Some(&scheduled), 8, NOW), "something was changed");
        assert!(!is_due(Some(&scheduled), 7, NOW + PERIOD.saturating_sub(Duration::from_secs(1))));
        assert!(is_due(Some(&scheduled), 7, NOW + PERIOD));
    }

    #[test]
    fn failures_back_off_and_a_good_run_forgets_them() {
        let mut failures = 0;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let scheduled = after(&report(true, 0, None), 7, failures, NOW, NO_JITTER);
            failures = scheduled.failures;
            pauses.push(scheduled.next.saturating_sub(NOW).as_secs());
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_800, 1_800]);
        assert_eq!(after(&report(false, 0, None), 7, failures, NOW, NO_JITTER).failures, 0);
        assert_eq!(after(&report(true, 0, None), 7, u32::MAX, NOW, NO_JITTER).next, NOW + RETRY_MAX);
    }

    #[test]
    fn azures_wish_to_wait_holds_even_for_a_change() {
        let scheduled = after(&report(true, 0, Some(600)), 7, 0, NOW, NO_JITTER);
        assert_eq!(scheduled.next, NOW + Duration::from_mins(10));
        assert!(!is_due(Some(&scheduled), 8, NOW + Duration::from_secs(599)));
        assert!(is_due(Some(&scheduled), 8, NOW + Duration::from_mins(10)));
    }

    #[test]
    fn what_was_left_over_is_done_soon() {
        assert_eq!(after(&report(false, 3, None), 7, 0, NOW, PERIOD).next, NOW + SOON);
    }

    #[test]
    fn jitter_differs_and_is_bounded() {
        let (a, b) = (ConnectionId::random(), ConnectionId::random());
        assert_eq!(jitter(a, 1), jitter(a, 1));
        assert!((0..100).all(|run| jitter(a, run).as_millis() < JITTER_MILLISECONDS.into()));
        assert!((0..10).any(|run| jitter(a, run) != jitter(b, run)));
    }
}
