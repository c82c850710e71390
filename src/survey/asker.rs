//! The asking itself: within limits of calls and time, until somebody says stop, noting of each answer what may be told.

use super::{ask::Ask, question::Finding, report::Sighting, seen::Answer};
use crate::{
    app::App,
    azure::client::{AzureDevOps, Failure, Seen, Unreachable},
};
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Most requests of one survey, those that remove things left out.
const CALLS_MAX: u32 = 300;
/// How long one asks.
const TIME_MAX: Duration = Duration::from_mins(8);
/// How long one removes what it made, and most requests for that.
const REMOVAL_TIME_MAX: Duration = Duration::from_mins(2);
const REMOVAL_CALLS_MAX: u32 = 100;
/// Most answers that a report tells of.
const SIGHTINGS_MAX: usize = 400;
/// Most bytes of all of them: a report that is read by people, and in one answer of the gateway.
const SIGHTINGS_BYTES_MAX: usize = 4 << 20;

/// Why nothing more is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Somebody said so, or the gateway stops.
    Stopped,
    /// The limits are used up.
    Spent,
    /// The credential is not accepted any more, or nothing is reached: each further question would fail the same way.
    Lost,
}

pub(super) struct Asker<'a> {
    app: &'a App,
    client: Arc<dyn AzureDevOps>,
    stop: watch::Receiver<bool>,
    until: Duration,
    left: u32,
    removing: bool,
    /// Bytes of sightings that there is room for.
    room: usize,
    pub(super) sightings: Vec<Sighting>,
    findings: BTreeMap<&'static str, Finding>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(app: &'a App, client: Arc<dyn AzureDevOps>, stop: watch::Receiver<bool>) -> Self {
        let until = app.clock.monotonic() + TIME_MAX;
        let (sightings, findings) = (Vec::new(), BTreeMap::new());
        Self {
            app,
            client,
            stop,
            until,
            left: CALLS_MAX,
            removing: false,
            room: SIGHTINGS_BYTES_MAX,
            sightings,
            findings,
        }
    }

    /// From now on only what was made is removed, whoever said stop.
    pub(super) fn remove(&mut self) {
        (self.removing, self.left) = (true, REMOVAL_CALLS_MAX);
        self.until = self.app.clock.monotonic() + REMOVAL_TIME_MAX;
    }

    /// Asks; `None` where there was no answer.
    pub(super) async fn see(&mut self, ask: &Ask) -> Result<Answer, Ended> {
        self.may_go_on()?;
        self.left = self.left.saturating_sub(1);
        let client = Arc::clone(&self.client);
        let looking = self.patiently(&*client, ask);
        // A change is not broken off: nobody would know whether it was made.
        let looked = if ask.changes { looking.await } else { self.unless_stopped(looking).await? };
        match looked {
            Ok(seen) => {
                self.note(Sighting::seen(ask, &seen));
                Ok(Some(seen))
            }
            Err(failure) => {
                self.note(Sighting::failed(ask, &failure));
                match failure {
                    Failure::Throttled { .. } => Err(Ended::Spent),
                    Failure::Unauthorized { .. } | Failure::Settings(_) => Err(Ended::Lost),
                    Failure::Unreachable { at, .. } if at != Unreachable::Silent => Err(Ended::Lost),
                    _ => Ok(None),
                }
            }
        }
    }

    /// Asks again where the service wants us to wait: something is to be removed.
    async fn patiently(&self, client: &dyn AzureDevOps, ask: &Ask) -> Result<Seen, Failure> {
        loop {
            match client.look(&ask.look).await {
                Err(Failure::Throttled { wait }) if self.removing && self.app.clock.monotonic() + wait < self.until => {
                    self.app.clock.sleep(wait).await;
                }
                other => return other,
            }
        }
    }

    /// Waits.
    pub(super) async fn pause(&mut self, pause: Duration) -> Result<(), Ended> {
        self.may_go_on()?;
        let clock = Arc::clone(&self.app.clock);
        self.unless_stopped(clock.sleep(pause)).await
    }

    pub(super) fn found(&mut self, finding: Finding) {
        self.findings.insert(finding.key, finding);
    }

    pub(super) fn findings(&mut self) -> BTreeMap<&'static str, Finding> {
        std::mem::take(&mut self.findings)
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.app.clock.now()
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.app.clock.monotonic()
    }

    fn may_go_on(&self) -> Result<(), Ended> {
        if !self.removing && *self.stop.borrow() {
            Err(Ended::Stopped)
        } else if self.left == 0 || self.app.clock.monotonic() >= self.until {
            Err(Ended::Spent)
        } else {
            Ok(())
        }
    }

    async fn unless_stopped<T>(&self, doing: impl Future<Output = T>) -> Result<T, Ended> {
        if self.removing {
            return Ok(doing.await);
        }
        let mut stop = self.stop.clone();
        tokio::select! {
            done = doing => Ok(done),
            Ok(_) = stop.wait_for(|stop| *stop) => Err(Ended::Stopped),
        }
    }

    fn note(&mut self, sighting: Sighting) {
        let bytes = sighting.bytes();
        let fits = self.sightings.len() < SIGHTINGS_MAX && bytes <= self.room;
        if fits && !self.sightings.contains(&sighting) {
            self.room -= bytes;
            self.sightings.push(sighting);
        }
    }
}
