//! Surveys as jobs: begun by one request, watched by others, one at a time in the gateway.
//!
//! They are in memory. A gateway that is killed in the middle forgets one; what it had made is found by its address and name,
//! and the next survey of the same scratch project removes it.

use super::{Finding, Outcome, scratch::Remains, survey};
use crate::{
    app::{App, change::Refusal, connections},
    domain::ConnectionId,
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The survey waits for another one.
    Queued,
    /// The survey asks, or removes what it made.
    Running,
    /// The survey is through.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// The survey could not be made, or not to its end.
    Failed,
}

impl State {
    /// Whether there is more to come.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// One survey.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Where it is.
    pub state: State,
    /// The project in which it may make things.
    pub scratch: Option<String>,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it is not done, in words that may have names in them.
    pub reason: Option<String>,
    /// The answers, a line for each question.
    pub lines: Vec<Finding>,
    /// Things that it made and could not remove, by name.
    pub left: Vec<String>,
    /// Things that it made and that are as gone as Azure DevOps lets them be, by name.
    pub stays: Vec<String>,
    /// The part that may leave the organization.
    pub report: Option<Arc<Value>>,
}

struct Job {
    survey: Survey,
    stop: watch::Sender<bool>,
}

/// The last survey of each connection.
#[derive(Default)]
pub struct Surveys {
    jobs: Mutex<BTreeMap<ConnectionId, Job>>,
    /// Counts what was begun.
    begun: watch::Sender<u64>,
}

impl Surveys {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last one.
    pub fn find(&self, id: ConnectionId) -> Option<Survey> {
        self.jobs().get(&id).map(|job| job.survey.clone())
    }

    /// Stops the one that runs; it still removes what it made. One that has ended stays as it is.
    pub fn stop(&self, id: ConnectionId) -> Option<Survey> {
        let jobs = self.jobs();
        let job = jobs.get(&id)?;
        job.stop.send_replace(true);
        Some(job.survey.clone())
    }
}

/// Begins one.
///
/// # Errors
/// [`Refusal::NotFound`], and [`Refusal::Contradicts`] while one runs.
pub fn begin(app: &App, id: ConnectionId, scratch: Option<String>) -> Result<Survey, Refusal> {
    connections::find(&app.directory(), id)?;
    let mut jobs = app.surveys.jobs();
    if jobs.get(&id).is_some_and(|job| job.survey.state.is_open()) {
        return Err(Refusal::Contradicts("a survey of this connection is running; DELETE stops it".to_owned()));
    }
    let survey = Survey {
        state: State::Queued,
        scratch,
        begun_at: app.clock.now(),
        ended_at: None,
        reason: None,
        lines: Vec::new(),
        left: Vec::new(),
        stays: Vec::new(),
        report: None,
    };
    jobs.insert(id, Job { survey: survey.clone(), stop: watch::Sender::new(false) });
    drop(jobs);
    app.surveys.begun.send_modify(|count| *count = count.wrapping_add(1));
    Ok(survey)
}

/// Works until the gateway stops, and then removes what was made.
pub async fn run(app: Arc<App>) {
    let (mut stopping, mut begun) = (app.stopping(), app.surveys.begun.subscribe());
    broken_off(&app);
    while !*stopping.borrow() {
        begun.borrow_and_update();
        forget(&app);
        let Some((id, scratch, stop)) = next(&app) else {
            tokio::select! {
                _ = begun.changed() => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
            continue;
        };
        let outcome = {
            let mut surveying = std::pin::pin!(survey(&app, id, scratch.as_deref(), stop.subscribe()));
            let ended = tokio::select! {
                outcome = &mut surveying => Some(outcome),
                _ = stopping.wait_for(|stopping| *stopping) => None,
            };
            if let Some(outcome) = ended {
                outcome
            } else {
                stop.send_replace(true);
                surveying.await
            }
        };
        for left in &outcome.remains.behind {
            tracing::warn!(connection = %id, "a survey left this behind: {left}");
        }
        end(&app, id, outcome);
    }
}

/// The oldest that waits, which runs from now on.
fn next(app: &App) -> Option<(ConnectionId, Option<String>, watch::Sender<bool>)> {
    let mut jobs = app.surveys.jobs();
    let waiting = jobs.iter_mut().filter(|(_, job)| job.survey.state == State::Queued);
    let (id, job) = waiting.min_by_key(|(_, job)| job.survey.begun_at)?;
    job.survey.state = State::Running;
    Some((*id, job.survey.scratch.clone(), job.stop.clone()))
}

fn end(app: &App, id: ConnectionId, outcome: Outcome) {
    let mut jobs = app.surveys.jobs();
    let Some(job) = jobs.get_mut(&id) else { return };
    let Outcome { state, reason, lines, remains: Remains { behind: left, stays }, report } = outcome;
    let (scratch, begun_at) = (job.survey.scratch.take(), job.survey.begun_at);
    let (ended_at, report) = (Some(app.clock.now()), report.map(Arc::new));
    job.survey = Survey { state, scratch, begun_at, ended_at, reason, lines, left, stays, report };
}

/// A survey that runs when nobody works is one that a worker before us broke off.
fn broken_off(app: &App) {
    for job in app.surveys.jobs().values_mut().filter(|job| job.survey.state == State::Running) {
        let reason = "it broke off, which is a bug; the next one in the same scratch project removes what it made";
        (job.survey.state, job.survey.reason) = (State::Failed, Some(reason.to_owned()));
        job.survey.ended_at = Some(app.clock.now());
    }
}

/// Those of connections that are gone.
fn forget(app: &App) {
    let directory = app.directory();
    app.surveys.jobs().retain(|id, _| directory.connections.contains_key(id));
}
