//! The builds of a revision that a project's build provider has, from the events that tell of them.

use super::{
    follow::catch_up,
    thing::{Key, Thing},
    told::Told,
    walk::{at, read},
};
use crate::{
    app::App,
    azure::lenient::Text,
    domain::{AzureRef, Binding, Selection},
    store::{Error, Position},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Most runs of one revision, the newest.
pub const RUNS_MAX: usize = 50;
/// Most happenings of one run, the newest.
pub const HAPPENINGS_MAX: usize = 100;
/// A beginning that no record dates has the date of its notification, which is some seconds younger: of what happened within
/// them, the log's order says what was last.
const DATED_LATE_MAX: SignedDuration = SignedDuration::from_secs(20);
/// Most events of one commit that are looked at for its runs, the newest.
const COMMIT_EVENTS_MAX: usize = 1_000;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It waits.
    Queued,
    /// It goes on.
    Running,
    /// It is being stopped.
    Canceling,
    /// It is over.
    Finished,
}

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// The event's id.
    pub event: Uuid,
    /// The event's type, with version.
    pub kind: String,
    /// The run, or the part of it.
    pub subject: String,
    /// When, as the event says.
    pub time: Option<Timestamp>,
    /// How what ended by it ended.
    pub outcome: Option<String>,
    /// Its place in the log.
    pub position: Position,
}

/// A run of a pipeline.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number, unique in the collection: a build's and a run's are the same.
    pub number: String,
    /// Its pipeline's name.
    pub pipeline: Option<String>,
    /// Where it is.
    pub uri: Option<String>,
    /// How far it is; unknown where only its parts were told of.
    pub state: Option<RunState>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// What happened to it, in order of time.
    pub happenings: Vec<Happening>,
    /// Whether older happenings were left out.
    pub cut: bool,
    is_selected: bool,
}

/// Builds of a revision.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Builds {
    /// The newest first.
    pub runs: Vec<Run>,
    /// Whether there are others that were not looked at.
    pub cut: bool,
    /// Whether newer events were not looked at yet.
    pub is_behind: bool,
}

/// The builds of this commit that the build provider selects: as it is now, so those from before it are among them.
pub async fn builds(app: &App, provider: &Binding, sha: &str) -> Result<Builds, Error> {
    let is_behind = !catch_up(app).await?;
    let directory = app.directory();
    let Some(connection) = directory.connections.get(&provider.connection) else { return Ok(Builds::default()) };
    let commit = Thing::commit(connection.record.url.as_str(), sha);
    let (telling, mut cut) = newest(app, commit.key(), COMMIT_EVENTS_MAX);
    let mut runs: Vec<Thing> = Vec::new();
    for position in telling {
        let Some(record) = at(app, position).await? else { continue };
        let own = read(&record, |told| Thing::of_subject(&told.source, &told.subject)).filter(Thing::is_run);
        runs.extend(own.filter(|own| !runs.contains(own)));
    }
    let selector = Selector::new(provider, directory.meaning(provider));
    let mut found = Builds { is_behind, ..Builds::default() };
    for thing in runs {
        let run = run(app, &thing, &selector).await?;
        if !run.is_selected {
            continue;
        }
        if found.runs.len() == RUNS_MAX {
            cut = true;
            break;
        }
        found.runs.push(run);
    }
    found.cut = cut;
    Ok(found)
}

/// The newest events of a thing, and whether there are older ones.
pub(super) fn newest(app: &App, thing: Key, most: usize) -> (Vec<Position>, bool) {
    let index = app.relations.index();
    let mut events = index.events(thing);
    let newest = events.by_ref().take(most).collect();
    (newest, events.next().is_some())
}

/// A run, from the newest of its events.
async fn run(app: &App, thing: &Thing, selector: &Selector<'_>) -> Result<Run, Error> {
    let mut run = Run { number: thing.id().to_owned(), ..Run::default() };
    let (telling, cut) = newest(app, thing.key(), HAPPENINGS_MAX);
    run.cut = cut;
    let mut states: Vec<(Option<Timestamp>, Position, RunState, Option<String>)> = Vec::new();
    for position in telling {
        let Some(record) = at(app, position).await? else { continue };
        read(&record, |told| {
            // Others link to it: those are not its own.
            if Thing::of_subject(&told.source, &told.subject).as_ref() != Some(thing) {
                return;
            }
            run.is_selected |= selector.selects(told);
            let named = || told.pipeline().and_then(|own| own.name.as_str()).map(str::to_owned);
            run.pipeline = run.pipeline.take().or_else(named);
            let time = told.time.parse().ok();
            let is_whole = told.subject.matches('/').count() == 2;
            if let Some((state, outcome)) = state(told).filter(|_| is_whole) {
                states.push((time, position, state, outcome));
                let uri = told.data.subject.content.uri.as_str().map(str::to_owned);
                run.uri = run.uri.take().or(uri);
            }
            run.happenings.push(Happening {
                event: record.key,
                kind: told.kind.to_string(),
                subject: told.subject.to_string(),
                time,
                outcome: told.data.subject.content.outcome.as_str().map(str::to_owned),
                position,
            });
        });
    }
    run.happenings.sort_by_key(|own| (own.time, own.position));
    let newest = states.iter().filter_map(|(time, ..)| *time).max();
    let is_last = |time: &Option<Timestamp>| match (time, newest) {
        (Some(time), Some(newest)) => newest.duration_since(*time) <= DATED_LATE_MAX,
        (time, newest) => *time == newest,
    };
    let last = states.into_iter().filter(|(time, ..)| is_last(time)).max_by_key(|(_, position, ..)| *position);
    if let Some((time, _, state, outcome)) = last {
        (run.state, run.outcome, run.since) = (Some(state), outcome, time);
    }
    Ok(run)
}

/// What an event of a whole run says that it is.
fn state(told: &Told<'_>) -> Option<(RunState, Option<String>)> {
    let outcome = || told.data.subject.content.outcome.as_str().map(str::to_owned);
    match told.what() {
        "dev.cdevents.pipelinerun.queued" => Some((RunState::Queued, None)),
        "dev.cdevents.pipelinerun.started" => Some((RunState::Running, None)),
        "dev.cdeventsx.azuredevops-pipelinerun.canceling" => Some((RunState::Canceling, None)),
        "dev.cdevents.pipelinerun.finished" => Some((RunState::Finished, outcome())),
        _ => None,
    }
}

/// What the build provider selects, by names and, where they are known, by ids.
struct Selector<'a> {
    provider: &'a Binding,
    selections: [Option<&'a Selection>; 2],
}

impl<'a> Selector<'a> {
    fn new(provider: &'a Binding, ids: Option<&'a Selection>) -> Self {
        Self { provider, selections: [Some(&provider.selection), ids] }
    }

    fn selects(&self, told: &Told<'_>) -> bool {
        let mut projects: BTreeSet<Uuid> = BTreeSet::new();
        let mut pipelines: Vec<&AzureRef> = Vec::new();
        for selection in self.selections.into_iter().flatten() {
            if let Selection::BuildProvider { azure_project, pipelines: own } = selection {
                projects.extend(Uuid::try_parse(&azure_project.0).ok());
                pipelines.extend(own);
            }
        }
        let own = told.source.rsplit('/').next().and_then(|project| Uuid::try_parse(project).ok());
        let is_named = |reference: &AzureRef, own: &Text<'_>| {
            own.as_str().is_some_and(|own| own.to_lowercase() == reference.0.to_lowercase())
        };
        let of_pipeline = || {
            told.pipeline()
                .is_some_and(|own| pipelines.iter().any(|one| is_named(one, &own.id) || is_named(one, &own.name)))
        };
        // A name whose meaning was not found out yet: what the translation made of it then is all that is known.
        let in_project = match (projects.is_empty(), own) {
            (false, Some(own)) => projects.contains(&own),
            _ => told.is_of(&self.provider.project),
        };
        in_project && (pipelines.is_empty() || of_pipeline())
    }
}
