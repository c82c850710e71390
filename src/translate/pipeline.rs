//! Runs, stages and jobs of YAML pipelines.

use super::{
    binding::{About, Family, branch},
    build::outcome,
    frame::{Fact, Frame, custom, first_uri, moment, person, to_second},
};
use crate::{
    azure::{
        lenient::{Object, Text},
        resource::pipeline::{Record, RepositoryResource, StateChange},
    },
    event::{
        Event,
        cdevents::{Content, LinkKind, Reference, Run},
        members::Members,
    },
};
use std::borrow::Cow;

const NO_RUN: &str = "the resource names no run";
const NO_STATE: &str = "the state is none that is known";

/// A run in its place.
struct Running<'b> {
    frame: &'b Frame<'b>,
    change: &'b StateChange<'b>,
    about: About<'b>,
    id: i64,
    subject: String,
}

/// `run-state-changed-event`.
pub(super) fn run(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |running| {
        let (frame, run) = (running.frame, &running.change.run);
        let created = moment(run.created_date.as_str());
        let finished = moment(run.finished_date.as_str());
        let (content, discriminator, time) = match &run.state {
            state if state.is("inProgress") => {
                (Content::PipelineRunStarted(running.named()), "started".to_owned(), created)
            }
            state if state.is("completed") => {
                let key = finished.map_or_else(|| frame.occasion(), |time| format!("finished:{}", to_second(time)));
                let outcome = Some(outcome(&run.result, frame));
                (Content::PipelineRunFinished(Run { outcome, ..running.named() }), key, finished)
            }
            state if state.is("canceling") => {
                let content = Members::new().text("pipelineName", running.pipeline_name());
                let content = custom("dev.cdeventsx.azuredevops-pipelinerun.canceling.0.1.0", content);
                (content, "canceling".to_owned(), None)
            }
            _ => return frame.received(&running.about, Some(NO_STATE)),
        };
        let mut fact = Fact::new(content, &running.subject, &discriminator);
        fact.time = time;
        vec![running.event(fact)]
    })
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

    fn path(self) -> &'static str {
        match self {
            Self::Stage => "stages",
            Self::Job => "jobs",
        }
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
        uri: first_uri([record.links.web.href.as_str(), running.change.run.links.web.href.as_str()]),
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
            let errors = record.result.is("rejected").then_some(Cow::Borrowed("rejected by a check"));
            let outcome = Some(outcome(&record.result, frame));
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
    let subject = format!("{}/{}/{id}", running.subject, part.path());
    let discriminator = match record.attempt.positive() {
        // One attempt goes through each state once; `waiting` and `notStarted` share a type and need telling apart.
        Some(attempt) => format!("attempt:{attempt}:{step}"),
        None => frame.occasion(),
    };
    let mut fact = Fact::new(content, &subject, &discriminator);
    fact.entity = Some(&running.subject);
    fact.time = time;
    fact.extras = record_members(part, record);
    vec![running.event(fact)]
}

fn record_members<'a>(part: Part, record: &'a Record<'_>) -> Members<'a> {
    let members = Members::new()
        .text("id", record.id.as_str())
        .text("name", record.name.as_str())
        .text("displayName", record.display_name.as_str())
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
    let (pipeline, own) = (&change.pipeline, &change.run.pipeline);
    let origin = own_repository(&change);
    let checkout = change.repositories.iter().find(|checkout| checkout.alias.is("self"));
    let checkout = checkout.or_else(|| change.repositories.first()).and_then(|checkout| checkout.id.as_str());
    let about = About {
        family: Family::Run,
        project: [frame.notification.project(), change.project_id.as_str(), None],
        repository: [origin.and_then(|origin| origin.repository.id.as_str()).or(checkout), None],
        branch: branch(origin.and_then(|origin| origin.ref_name.as_str())),
        pipeline: [pipeline.id.as_str().or(own.id.as_str()), pipeline.name.as_str().or(own.name.as_str())],
        ..About::default()
    };
    let Some(id) = run_id(&change) else { return frame.received(&about, Some(NO_RUN)) };
    let subject = format!("build/builds/{id}");
    tell(&Running { frame: &frame, change: &change, about, id, subject })
}

/// The run's number; the newest sample has it only at the end of the address.
fn run_id(change: &StateChange<'_>) -> Option<i64> {
    let run = &change.run;
    let of_address = |text: &Text<'_>| -> Option<i64> {
        let (_, number) = text.as_str()?.rsplit_once(['/', '='])?;
        number.parse().ok().filter(|number| *number > 0)
    };
    let addresses = [&run.url, &change.run_url, &run.links.itself.href, &run.links.web.href];
    run.id.positive().or(change.run_id.positive()).or_else(|| addresses.into_iter().find_map(of_address))
}

fn own_repository<'a>(change: &'a StateChange<'_>) -> Option<&'a RepositoryResource<'a>> {
    change.run.resources.repositories.member("self").map(|Object(repository)| repository)
}

impl Running<'_> {
    fn pipeline_name(&self) -> Option<&str> {
        self.about.pipeline[1]
    }

    /// Started needs a name and an address; the payload has both but in adapted captures.
    fn named(&self) -> Run<'_> {
        let run = &self.change.run;
        let name = self.pipeline_name().map_or_else(|| Cow::Owned(format!("run {}", self.id)), Cow::Borrowed);
        let uri = first_uri([run.links.web.href.as_str(), run.url.as_str(), self.change.run_url.as_str()]);
        Run {
            pipeline_name: Some(name),
            uri: Some(uri.unwrap_or_else(|| Cow::Owned(self.frame.address(&self.subject)))),
            ..Run::default()
        }
    }

    fn event<'f>(&'f self, mut fact: Fact<'f>) -> Event {
        let run = &self.change.run;
        let origin = own_repository(self.change);
        let own = |origin: &&RepositoryResource<'_>| {
            let kind = &origin.repository.kind;
            kind.as_str().is_none() || kind.is("azureReposGit") || kind.is("TfsGit")
        };
        if let Some((repository, commit)) =
            origin.filter(own).and_then(|origin| origin.repository.id.as_str().zip(origin.version.as_str()))
        {
            fact.links.push(self.frame.link_here(LinkKind::Commit, Some(repository), "commit", commit));
        }
        let pipeline = Members::new().text("id", self.about.pipeline[0]).text("name", self.about.pipeline[1]);
        let members = Members::new()
            .int("id", Some(self.id))
            .text("name", run.name.as_str())
            .text("state", run.state.as_str())
            .text("result", run.result.as_str())
            .time("createdDate", moment(run.created_date.as_str()))
            .time("finishedDate", moment(run.finished_date.as_str()));
        let before = std::mem::take(&mut fact.extras);
        fact.extras = before
            .object("run", members)
            .object("pipeline", pipeline)
            .text("repositoryId", self.about.repository[0])
            .text("sourceBranch", origin.and_then(|origin| origin.ref_name.as_str()))
            .text("sourceVersion", origin.and_then(|origin| origin.version.as_str()))
            .object("requestedFor", person(&self.change.requested_for));
        self.frame.event(&self.about, fact)
    }
}
