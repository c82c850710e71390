//! Runs, stages and jobs of YAML pipelines.

use super::{
    binding::{About, Family},
    build::{ended, errors, outcome},
    frame::{Fact, Frame, custom, moment},
    run::Said,
};
use crate::{
    azure::{
        guid::guid,
        resource::pipeline::{Record, StateChange},
    },
    domain::Partial,
    event::{
        Event,
        cdevents::{Content, Reference, Run},
        members::Members,
    },
};
use jiff::Timestamp;
use std::borrow::Cow;

const NO_RUN: &str = "the resource names no run";
const NO_STATE: &str = "the state is none that is known";

/// A run in its place.
struct Running<'b> {
    frame: &'b Frame<'b>,
    change: &'b StateChange<'b>,
    about: About<'b>,
    partial: Partial,
    said: &'b Said<'b>,
    subject: String,
}

/// `run-state-changed-event`.
pub(super) fn run(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |running| {
        let (frame, change, said) = (running.frame, running.change, running.said);
        let (content, discriminator, time) = match &change.run.state {
            state if state.is("inProgress") => {
                (Content::PipelineRunStarted(running.named()), again("started", change), running.begun())
            }
            state if state.is("completed") => {
                let outcome = Some(outcome(said.result, running.partial));
                let errors = errors(said.result, running.partial);
                let run = Run { outcome, errors, ..running.named() };
                (Content::PipelineRunFinished(run), ended(frame, said.finished), said.finished)
            }
            state if state.is("canceling") => {
                let content = Members::new().text("pipelineName", said.definition[1]);
                let content = custom("dev.cdeventsx.azuredevops-pipelinerun.canceling.0.1.0", content);
                (content, again("canceling", change), None)
            }
            _ => return frame.received(&running.about, Some(NO_STATE)),
        };
        let is_over = matches!(content, Content::PipelineRunFinished(_));
        let mut fact = Fact::new(content, &running.subject, &discriminator);
        fact.time = time;
        // A beginning has no end and no result; the record that it is composed of knows both.
        let said = if is_over { said.clone() } else { Said { result: None, finished: None, ..said.clone() } };
        fact.extras = said.members(frame);
        vec![running.event(fact)]
    })
}

/// Tells the times apart that a run did this. Run again is what was over: then stages have further attempts, and only they
/// say so; each time there are more of them.
///
/// Source: captured run events of 2025 (`stages[].attempt`; the run itself has no number of its attempt). A body without its
/// stages was never captured of a run that began; it would be the first beginning, since nothing else in it says otherwise.
fn again(what: &str, change: &StateChange<'_>) -> String {
    let attempts = change.stages.iter().filter_map(|stage| stage.attempt.positive());
    let further = attempts.fold(0_i64, |sum, attempt| sum.saturating_add(attempt - 1));
    if further > 0 { format!("{what}:again:{further}") } else { what.to_owned() }
}

/// `stage-state-changed-event`.
pub(super) fn stage(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |running| task(running, Part::Stage, &running.change.stage))
}

/// `job-state-changed-event`.
pub(super) fn job(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |running| task(running, Part::Job, &running.change.job))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Stage,
    Job,
}

impl Part {
    fn waiting(self) -> &'static str {
        match self {
            Self::Stage => "dev.cdeventsx.azuredevops-stage.waiting.0.1.0",
            Self::Job => "dev.cdeventsx.azuredevops-job.waiting.0.1.0",
        }
    }

    fn skipped(self) -> &'static str {
        match self {
            Self::Stage => "dev.cdeventsx.azuredevops-stage.skipped.0.1.0",
            Self::Job => "dev.cdeventsx.azuredevops-job.skipped.0.1.0",
        }
    }

    /// The name in the run, over all attempts. The id is another with each attempt; of a stage the name is what
    /// stays, in hooks and records alike. The name of a job is the one that people see, and need not be the only one of its
    /// kind; what stays of it stands in the record alone (`identifier`).
    ///
    /// Source: `TimelineRecord.identifier` of Build 7.2 ("consistent across attempts"); actions/runner, whose generator makes
    /// the ids of captured stages of the name, and from the second attempt on of `name.attempt`.
    fn path(self, id: &str, name: Option<&str>) -> String {
        match self {
            // A name that people made up can hold what would split the subject.
            Self::Stage => format!("stages/{}", name.unwrap_or(id).replace('/', "%2F")),
            Self::Job => format!("jobs/{id}"),
        }
    }

    /// The page of a part. Source: `_links.web` of captured stages; the addresses of the pages of jobs.
    fn page(self, running: &Running<'_>, id: Option<&str>) -> String {
        let id = guid(id).map(|id| match self {
            Self::Stage => format!("&view=logs&s={id}"),
            Self::Job => format!("&view=logs&j={id}"),
        });
        format!("{}{}", running.said.page(running.frame), id.unwrap_or_default())
    }
}

fn task(running: &Running<'_>, part: Part, record: &Record<'_>) -> Vec<Event> {
    let frame = running.frame;
    let own_name = record.name.as_str();
    let name = if part == Part::Stage { own_name.or(running.change.stage_name.as_str()) } else { own_name };
    let Some(id) = record.id.as_str().or(name) else {
        return frame.received(&running.about, Some("the resource names no stage or job"));
    };
    let content = |more: Members<'static>| {
        Members::new().text("name", name).text("run", Some(running.subject.as_str())).and(more)
    };
    let task = || Run {
        task_name: record.display_name.as_str().or(name),
        uri: Some(Cow::Owned(part.page(running, record.id.as_str()))),
        pipeline_run: Some(Reference { id: Cow::Borrowed(&running.subject) }),
        ..Run::default()
    };
    let finished = moment(record.finish_time.as_str());
    let (step, content, time) = match &record.state {
        state if state.is("running") || state.is("inProgress") => {
            ("started", Content::TaskRunStarted(task()), moment(record.start_time.as_str()))
        }
        state if state.is("completed") && record.result.is("skipped") => {
            ("skipped", custom(part.skipped(), content(Members::new())), finished)
        }
        state if state.is("completed") => {
            let result = record.result.as_str();
            let refused = record.result.is("rejected").then_some(Cow::Borrowed("rejected by a check"));
            let errors = refused.or_else(|| errors(result, running.partial));
            let outcome = Some(outcome(result, running.partial));
            ("finished", Content::TaskRunFinished(Run { outcome, errors, ..task() }), finished)
        }
        state if state.is("waiting") => {
            ("waiting", custom(part.waiting(), content(Members::new().text("state", Some("waiting")))), None)
        }
        state if state.is("notStarted") || state.is("pending") => {
            ("notStarted", custom(part.waiting(), content(Members::new().text("state", Some("notStarted")))), None)
        }
        _ => return frame.received(&running.about, Some(NO_STATE)),
    };
    let subject = format!("{}/{}", running.subject, part.path(id, name));
    let discriminator = match record.attempt.positive() {
        // One attempt goes through each state once; `waiting` and `notStarted` share a type and need telling apart.
        Some(attempt) => format!("attempt:{attempt}:{step}"),
        None => frame.occasion(),
    };
    let mut fact = Fact::new(content, &subject, &discriminator);
    fact.entity = Some(&running.subject);
    fact.time = time;
    fact.extras = record_members(part, record, name).and(running.members(part));
    vec![running.event(fact)]
}

fn record_members<'a>(part: Part, record: &'a Record<'_>, name: Option<&'a str>) -> Members<'a> {
    // Of a stage the name is what stays.
    let of_stage = name.filter(|_| part == Part::Stage);
    let members = Members::new()
        .text("id", record.id.as_str())
        .text("name", name)
        .text("displayName", record.display_name.as_str())
        .text("identifier", record.identifier.as_str().or(of_stage))
        .int("attempt", record.attempt.positive())
        .text("state", record.state.as_str())
        .text("result", record.result.as_str())
        .time("startTime", moment(record.start_time.as_str()))
        .time("finishTime", moment(record.finish_time.as_str()));
    Members::new().object(if part == Part::Stage { "stage" } else { "job" }, members)
}

fn told(mut frame: Frame<'_>, tell: impl FnOnce(&Running<'_>) -> Vec<Event>) -> Vec<Event> {
    let Some(change) = frame.resource::<StateChange<'_>>() else { return frame.unread() };
    frame.within(change.project_id.as_str());
    let said = Said::of_state(&change);
    let about = About {
        repository: [said.repository.id, said.repository.name],
        branch: said.branch(),
        pipeline: said.definition,
        ..About::within(&frame, Family::Run, &change.build.project)
    };
    if said.number == 0 {
        return frame.received(&about, Some(NO_RUN));
    }
    let (subject, partial) = (said.subject(), about.partial(frame.context.bindings));
    tell(&Running { frame: &frame, change: &change, about, partial, said: &said, subject })
}

impl Running<'_> {
    /// Started needs a name; the payload has one but in adapted captures.
    fn named(&self) -> Run<'_> {
        let named = self.said.definition[1].map(Cow::Borrowed);
        let name = named.unwrap_or_else(|| Cow::Owned(format!("run {}", self.said.number)));
        Run { pipeline_name: Some(name), uri: Some(Cow::Owned(self.said.page(self.frame))), ..Run::default() }
    }

    /// When it began, as far as that is told: the date of the run is that of its queueing, and the notification is some
    /// seconds younger than the beginning.
    fn begun(&self) -> Option<Timestamp> {
        let stages = || self.change.stages.iter();
        let latest = stages().filter_map(|stage| stage.attempt.positive()).max();
        let of_latest = stages().filter(|stage| stage.attempt.positive() == latest);
        let first = of_latest.filter_map(|stage| moment(stage.start_time.as_str())).min();
        // Composed of the record of a run that was run again, the record's beginning is the first one.
        let own = self.said.started.filter(|_| latest.is_none_or(|latest| latest < 2));
        own.or(first).or_else(|| self.frame.notification.created()).or(self.said.queued)
    }

    /// Members of the run in the event of a part.
    fn members(&self, part: Part) -> Members<'_> {
        let said = self.said;
        let run = Members::new().int("id", Some(said.number)).text("name", said.name).time("createdDate", said.queued);
        let [id, name] = said.definition;
        let of_job = self.change.stage.name.as_str().or(self.change.stage_name.as_str());
        Members::new()
            .object("run", run)
            .object("pipeline", Members::new().text("id", id).text("name", name))
            .text("stageName", of_job.filter(|_| part == Part::Job))
            .text("repositoryId", said.repository.id)
            .text("sourceBranch", said.reference)
            .text("sourceVersion", said.commit)
            .object("resources", said.resources.members())
            .object("requestedFor", said.requested_for.map(super::frame::person).unwrap_or_default())
            .text("apiUrl", Some(self.frame.address(&self.subject)))
    }

    fn event<'f>(&'f self, mut fact: Fact<'f>) -> Event {
        fact.actor = self.said.actor();
        fact.chain = self.said.chain(self.frame);
        fact.links = self.said.links(self.frame);
        self.frame.event(&self.about, fact)
    }
}
