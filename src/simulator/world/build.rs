//! Pipelines, and what they run: a build is a run of the same number.

use super::{
    Facts, Impossible, World, next,
    record_ids::{job_id, stage_id},
    started::{CheckedOut, RunOf, Trigger},
};
use crate::{
    domain::Stream,
    simulator::{
        forget::{Entity, Of},
        occurrence::Subject,
    },
};
use jiff::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

const BUILD: (&str, &str) = ("tfs", "build.complete");
const RUN: (&str, &str) = ("pipelines", "ms.vss-pipelines.run-state-changed-event");
const STAGE: (&str, &str) = ("pipelines", "ms.vss-pipelines.stage-state-changed-event");
const JOB: (&str, &str) = ("pipelines", "ms.vss-pipelines.job-state-changed-event");
const APPROVAL_PENDING: (&str, &str) = ("pipelines", "ms.vss-pipelinechecks-events.approval-pending");
const APPROVAL_COMPLETED: (&str, &str) = ("pipelines", "ms.vss-pipelinechecks-events.approval-completed");

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildDefinition {
    /// Unique in the collection.
    pub(crate) id: u32,
    pub(crate) project: Uuid,
    pub(crate) repository: Uuid,
    pub(crate) name: String,
    /// `\`, or a folder.
    pub(crate) path: String,
    pub(crate) stages: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) by: Uuid,
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Build {
    /// Unique in the collection.
    pub(crate) number: u32,
    pub(crate) definition: u32,
    /// Full name of a ref.
    pub(crate) branch: String,
    pub(crate) commit: String,
    /// The commit's message.
    pub(crate) comment: String,
    /// `manual`, `individualCI`, `pullRequest`, `schedule`, `buildCompletion`, `resourceTrigger`.
    pub(crate) reason: &'static str,
    /// The run that started it.
    pub(crate) trigger: Option<Trigger>,
    /// Runs whose artifacts it takes, with their aliases.
    pub(crate) taken: Vec<(String, RunOf)>,
    /// The repositories that a run checks out besides its own.
    pub(crate) others: Vec<CheckedOut>,
    pub(crate) by: Uuid,
    pub(crate) queued: Timestamp,
    pub(crate) started: Option<Timestamp>,
    pub(crate) finished: Option<Timestamp>,
    /// `succeeded`, `partiallySucceeded`, `failed`, `canceled`.
    pub(crate) result: Option<&'static str>,
    pub(crate) stages: Vec<Stage>,
    /// Stages that were run again, as they were before.
    pub(crate) earlier: Vec<Stage>,
    pub(crate) approvals: Vec<Approval>,
}

/// A stage of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    /// `notStarted`, `waiting`, `running`, `completed`.
    pub(crate) state: &'static str,
    /// `succeeded`, `failed`, `canceled`, `skipped`, `rejected`.
    pub(crate) result: Option<&'static str>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) jobs: Vec<Job>,
}

/// A job of a stage; it starts and finishes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) name: String,
}

/// Somebody must say yes before a stage runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approval {
    pub(crate) id: Uuid,
    pub(crate) stage: String,
    pub(crate) environment: String,
    pub(crate) approver: Uuid,
    /// `pending`, `approved`, `rejected`.
    pub(crate) status: &'static str,
    pub(crate) created: Timestamp,
    pub(crate) decided: Option<Timestamp>,
}

impl Stage {
    fn new(name: &str) -> Self {
        let job = format!("{name} job");
        Self {
            id: stage_id(name, 1),
            name: name.to_owned(),
            attempt: 1,
            state: "notStarted",
            result: None,
            started: None,
            finished: None,
            jobs: vec![Job { id: job_id(name, &job, 1), name: job }],
        }
    }

    /// As it is before its next attempt, which has ids of its own.
    fn again(&self) -> Self {
        let attempt = self.attempt + 1;
        let job = |job: &Job| Job { id: job_id(&self.name, &job.name, attempt), name: job.name.clone() };
        let jobs = self.jobs.iter().map(job).collect();
        Self { attempt, id: stage_id(&self.name, attempt), jobs, ..Self::new(&self.name) }
    }
}

impl Build {
    /// What it belongs to.
    pub(crate) fn of(&self, repository: Uuid) -> Of {
        let entities = [Entity::Build(self.number), Entity::Pipeline(self.definition), Entity::Repository(repository)];
        Of::new(Stream::Builds, &entities)
    }

    /// `notStarted`, `inProgress`, `completed`, as builds say it.
    pub(crate) fn status(&self) -> &'static str {
        match (self.started, self.finished) {
            (_, Some(_)) => "completed",
            (Some(_), None) => "inProgress",
            (None, None) => "notStarted",
        }
    }

    /// One of its dates.
    pub(crate) fn date(&self, date: BuildDate) -> Option<Timestamp> {
        match date {
            BuildDate::Queued => Some(self.queued),
            BuildDate::Started => self.started,
            BuildDate::Finished => self.finished,
        }
    }

    /// What people call it: the day and a number.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.queued.to_string()[..10].replace('-', ""), self.number)
    }
}

/// Which of a build's dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuildDate {
    Queued,
    Started,
    Finished,
}

/// When, and the number of the build.
pub(crate) type Dated = (Timestamp, u32);

/// Builds by each of their dates.
#[derive(Debug, Default)]
pub(super) struct BuildsByDate {
    queued: BTreeSet<Dated>,
    started: BTreeSet<Dated>,
    finished: BTreeSet<Dated>,
}

impl BuildsByDate {
    /// Takes in what a build has by now.
    pub(super) fn note(&mut self, build: &Build) {
        self.queued.insert((build.queued, build.number));
        self.started.extend(build.started.map(|at| (at, build.number)));
        self.finished.extend(build.finished.map(|at| (at, build.number)));
    }

    /// It runs again.
    fn resumed(&mut self, finished: Dated) {
        self.finished.remove(&finished);
    }
}

impl World {
    /// Builds whose date lies from one on up to another, in that order or from its end.
    pub(crate) fn builds_by(
        &self,
        date: BuildDate,
        first: Dated,
        last: Dated,
        ascends: bool,
    ) -> impl Iterator<Item = (Dated, &Build)> {
        let all = match date {
            BuildDate::Queued => &self.by_date.queued,
            BuildDate::Started => &self.by_date.started,
            BuildDate::Finished => &self.by_date.finished,
        };
        // A range that ends before it begins is none.
        let some = (first <= last).then(|| all.range(first..=last));
        let (up, down) = if ascends { (some, None) } else { (None, some.map(Iterator::rev)) };
        let keys = up.into_iter().flatten().chain(down.into_iter().flatten());
        keys.filter_map(|key| Some((*key, self.builds.get(&key.1)?)))
    }

    pub(crate) fn create_definition(
        &mut self,
        repository: Uuid,
        name: &str,
        path: &str,
        stages: &[&str],
    ) -> Result<u32, Impossible> {
        let project = self.repository_mut(repository)?.project;
        let id = next(&self.definitions, 12);
        let definition = BuildDefinition {
            id,
            project,
            repository,
            name: name.to_owned(),
            path: path.to_owned(),
            stages: stages.iter().map(|stage| (*stage).to_owned()).collect(),
            created: self.now,
            by: self.people.first().id,
        };
        self.definitions.insert(id, definition);
        Ok(id)
    }

    pub(super) fn build_mut(&mut self, number: u32) -> Result<&mut Build, Impossible> {
        self.builds.get_mut(&number).ok_or_else(|| Impossible::Absent(format!("build {number}")))
    }

    /// A build of a branch as it is now, or of a ref by its full name; its number. Nothing is told of it before it starts.
    pub(crate) fn queue_build(
        &mut self,
        definition: u32,
        branch: &str,
        reason: &'static str,
        by: Uuid,
    ) -> Result<u32, Impossible> {
        let absent = || Impossible::Absent(format!("pipeline {definition}"));
        let own = self.definitions.get(&definition).cloned().ok_or_else(absent)?;
        let (name, commit) = self.source_of(own.repository, branch)?;
        let repository = self.repository_mut(own.repository)?;
        let comment = repository.commits.get(&commit).map(|commit| commit.comment.clone()).unwrap_or_default();
        let number = next(&self.builds, 100);
        let stages = own.stages.iter().map(|name| Stage::new(name)).collect();
        let build = Build {
            number,
            definition,
            branch: name,
            commit,
            comment,
            reason,
            trigger: None,
            taken: Vec::new(),
            others: Vec::new(),
            by,
            queued: self.now,
            started: None,
            finished: None,
            result: None,
            stages,
            earlier: Vec::new(),
            approvals: Vec::new(),
        };
        self.by_date.note(&build);
        self.builds.insert(number, build);
        Ok(number)
    }

    pub(crate) fn start_build(&mut self, number: u32) -> Result<(), Impossible> {
        let now = self.now;
        let build = self.build_mut(number)?;
        if build.started.is_some() {
            return Err(Impossible::State(format!("build {number} has started")));
        }
        build.started = Some(now);
        self.by_date.note(&self.builds[&number]);
        self.run_event(number, "InProgress", None);
        Ok(())
    }

    /// Brings a stage to a state: `waiting`, `running`, or `completed` with a result.
    pub(crate) fn move_stage(
        &mut self,
        number: u32,
        stage: &str,
        to: &'static str,
        result: Option<&'static str>,
    ) -> Result<(), Impossible> {
        let now = self.now;
        let stages = &mut self.build_mut(number)?.stages;
        let found = stages.iter_mut().find(|one| one.name == stage);
        let moved = found.ok_or_else(|| Impossible::Absent(format!("stage {stage} of build {number}")))?;
        // A part that is over begins again as another attempt only, and nothing begins twice.
        let ran = moved.started.is_some();
        if moved.state == to && to == "running" {
            return Ok(());
        }
        if moved.state == "completed" || (ran && result == Some("skipped")) {
            return Err(Impossible::State(format!("the stage {stage} of build {number} is {}", moved.state)));
        }
        (moved.state, moved.result) = (to, result);
        match to {
            "running" => moved.started = Some(now),
            "completed" => moved.finished = Some(now),
            _ => {}
        }
        let jobs: Vec<String> = moved.jobs.iter().map(|job| job.name.clone()).collect();
        let mut facts = self.pipeline_facts(number);
        facts.insert("stageNameId", vec![stage.to_owned()]);
        facts.insert("stageStateId", vec![capitalized(to)]);
        facts.insert("stageResultId", result.map(capitalized).into_iter().collect());
        let project = self.definitions[&self.builds[&number].definition].project;
        let title = format!("run {number}, stage {stage}: {}", result.unwrap_or(to));
        if to != "waiting" {
            for job in jobs {
                let mut facts = facts.clone();
                facts.insert("jobNameId", vec![job.clone()]);
                facts.insert("jobStateId", vec![capitalized(to)]);
                facts.insert("jobResultId", result.map(capitalized).into_iter().collect());
                let subject = Subject::Job { run: number, stage: stage.to_owned(), job };
                self.occur(JOB, project, title.clone(), facts, subject);
            }
        }
        self.occur(STAGE, project, title, facts, Subject::Stage { run: number, stage: stage.to_owned() });
        Ok(())
    }

    /// Ends a build; stages that did not run are skipped.
    pub(crate) fn finish_build(&mut self, number: u32, result: &'static str) -> Result<(), Impossible> {
        let now = self.now;
        let build = self.build_mut(number)?;
        if build.finished.is_some() {
            return Err(Impossible::State(format!("build {number} has finished")));
        }
        build.started.get_or_insert(now);
        build.finished = Some(now);
        build.result = Some(result);
        let open: Vec<(String, bool)> = build
            .stages
            .iter()
            .filter(|stage| stage.state != "completed")
            .map(|stage| (stage.name.clone(), stage.started.is_some()))
            .collect();
        self.by_date.note(&self.builds[&number]);
        for (stage, ran) in open {
            let result = if !ran {
                "skipped"
            } else if result == "partiallySucceeded" {
                "succeeded"
            } else {
                result
            };
            self.move_stage(number, &stage, "completed", Some(result))?;
        }
        let run_result = match result {
            "canceled" => "Canceled",
            "failed" => "Failed",
            _ => "Succeeded",
        };
        self.run_event(number, "Completed", Some(run_result));
        let definition = &self.definitions[&self.builds[&number].definition];
        let status = if result == "canceled" { "Stopped".to_owned() } else { capitalized(result) };
        let facts = Facts::from([("definitionName", vec![definition.name.clone()]), ("buildStatus", vec![status])]);
        let (project, title) = (definition.project, format!("build {number}: {result}"));
        self.occur(BUILD, project, title, facts, Subject::Build { number });
        Ok(())
    }

    /// A stage that is over runs once more, and with it a run that was over. What comes after it is to run again as well.
    ///
    /// Source: actions/runner, `PipelineAttemptBuilder`.
    pub(crate) fn retry_stage(&mut self, number: u32, stage: &str) -> Result<(), Impossible> {
        let build = self.build_mut(number)?;
        let absent = || Impossible::Absent(format!("stage {stage} of build {number} that is over"));
        let waits = |one: &Stage| one.state == "completed" || (one.state == "notStarted" && one.attempt > 1);
        let first = build.stages.iter().position(|one| one.name == stage && waits(one)).ok_or_else(absent)?;
        for again in build.stages[first..].iter_mut().filter(|one| one.state == "completed") {
            let anew = again.again();
            build.earlier.push(std::mem::replace(again, anew));
        }
        let finished = build.finished.take();
        build.result = None;
        if let Some(at) = finished {
            self.by_date.resumed((at, number));
            self.run_event(number, "InProgress", None);
        }
        self.move_stage(number, stage, "running", None)
    }

    /// A stage waits for somebody; the approval's id.
    pub(crate) fn request_approval(
        &mut self,
        number: u32,
        stage: &str,
        environment: &str,
        approver: Uuid,
    ) -> Result<Uuid, Impossible> {
        self.move_stage(number, stage, "waiting", None)?;
        let (id, now) = (self.new_id("approval"), self.now);
        self.build_mut(number)?.approvals.push(Approval {
            id,
            stage: stage.to_owned(),
            environment: environment.to_owned(),
            approver,
            status: "pending",
            created: now,
            decided: None,
        });
        self.approval_event(APPROVAL_PENDING, number, id);
        Ok(id)
    }

    /// They said yes, and the stage runs, or no, and it is rejected.
    pub(crate) fn decide_approval(&mut self, number: u32, id: Uuid, approved: bool) -> Result<(), Impossible> {
        let now = self.now;
        let found = self.build_mut(number)?.approvals.iter_mut().find(|own| own.id == id && own.decided.is_none());
        let approval = found.ok_or_else(|| Impossible::Absent(format!("pending approval {id}")))?;
        approval.decided = Some(now);
        approval.status = if approved { "approved" } else { "rejected" };
        let stage = approval.stage.clone();
        self.approval_event(APPROVAL_COMPLETED, number, id);
        if approved {
            self.move_stage(number, &stage, "running", None)
        } else {
            self.move_stage(number, &stage, "completed", Some("rejected"))
        }
    }

    fn pipeline_facts(&self, number: u32) -> Facts {
        Facts::from([("pipelineId", vec![self.builds[&number].definition.to_string()])])
    }

    fn run_event(&mut self, number: u32, state: &str, result: Option<&str>) {
        let mut facts = self.pipeline_facts(number);
        facts.insert("runStateId", vec![state.to_owned()]);
        facts.insert("runResultId", result.map(str::to_owned).into_iter().collect());
        let project = self.definitions[&self.builds[&number].definition].project;
        let title = format!("run {number}: {}", result.unwrap_or(state));
        self.occur(RUN, project, title, facts, Subject::Run { number });
    }

    fn approval_event(&mut self, event: (&'static str, &'static str), number: u32, id: Uuid) {
        let mut facts = self.pipeline_facts(number);
        if let Some(approval) = self.builds[&number].approvals.iter().find(|own| own.id == id) {
            facts.insert("stageName", vec![approval.stage.clone()]);
            facts.insert("environmentName", vec![approval.environment.clone()]);
        }
        let project = self.definitions[&self.builds[&number].definition].project;
        let title = format!("run {number}: approval");
        self.occur(event, project, title, facts, Subject::Approval { run: number, approval: id });
    }
}

/// As publisher inputs write a state or result.
pub(super) fn capitalized(word: &str) -> String {
    let (head, tail) = word.split_at(word.len().min(1));
    head.to_ascii_uppercase() + tail
}
