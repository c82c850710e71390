//! The sources that a candidate deploys, where only Azure DevOps knows them: which run started which, what a run checked out,
//! which commit a tag marks. What Azure has forgotten, or cannot be asked for, is looked up in the log, which may have been told.

use super::{
    builds::{is_identified, is_named},
    ran::{Awaited, Ran, Source, Wish},
    rules::{Candidate, Origin},
    seen::Seen,
};
use crate::{
    app::{ANSWER_TIMEOUT, App},
    azure::{
        client::{AzureDevOps, Failure, RunPipeline, RunResources, Version},
        lenient::Text,
        resource::build::Build,
    },
    domain::{AzureRef, ConnectionId, Deployment, Revision},
    event::Event,
    relations::{self, thing::Thing},
};
use std::{future::Future, pin::Pin};

/// Most runs that started each other that are followed.
const CHAIN_MAX: usize = 5;
/// Most runs whose artifacts a run takes that are looked at.
const TAKEN_MAX: usize = 10;

/// Azure DevOps, as far as it answers.
pub(super) struct Asked<'a> {
    pub(super) app: &'a App,
    /// Whom events of runs came through.
    pub(super) connection: ConnectionId,
    pub(super) azure: &'a dyn AzureDevOps,
}

/// The outcome of asking for the sources of other runs.
enum Other {
    Is(Source),
    /// None of them is of the repository.
    None,
    /// One of them is not known any more.
    Unknown,
}

impl Asked<'_> {
    /// The answer; nothing where the reply does not name this one thing, or where nobody can ever be asked.
    async fn answer<T>(&self, answering: impl Future<Output = Result<T, Failure>>) -> Result<Option<T>, Failure> {
        let answer = if self.app.has_credential(self.connection) {
            answering.await
        } else {
            self.app.in_time(ANSWER_TIMEOUT, answering).await
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.is_of_the_thing() || self.app.is_hopeless(self.connection, &failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// A run by its number: by its record, else by what the log says of it.
    async fn run(&self, project: &str, number: i64) -> Result<Option<Ran>, Failure> {
        let record = self.answer(self.azure.build(project, number)).await?;
        if let Some(record) = record {
            let build: Build<'_> = serde_json::from_str(record.json.get()).unwrap_or_default();
            return Ok(Some(of_record(project, number, record.definition, &build)));
        }
        Ok(self.told(number).await)
    }

    async fn told(&self, number: i64) -> Option<Ran> {
        let directory = self.app.directory();
        let collection = directory.connections.get(&self.connection)?.record.url.as_str();
        let thing = Thing::of_subject(collection, &format!("build/builds/{number}"))?;
        let events = relations::events(self.app, &thing).await.ok()?.events;
        let whole = |event: &Event| {
            let seen = Seen::read(event)?;
            let ran = seen.ran(&AzureRef(String::new()))?;
            (ran.number == Some(number) && ran.own.commit.is_some()).then_some(ran)
        };
        events.iter().find_map(whole)
    }

    async fn resources(&self, ran: &Ran) -> Result<RunResources, Failure> {
        let (Some(pipeline), Some(number)) = (&ran.pipeline, ran.number) else { return Ok(RunResources::default()) };
        let resources = self.answer(self.azure.run_resources(&ran.project, pipeline, number)).await?;
        Ok(resources.unwrap_or_default())
    }

    /// With what its record says that the event did not.
    async fn completed(&self, ran: &Ran) -> Result<Ran, Failure> {
        let own = &ran.own;
        let is_told = ran.reason.is_some() && own.commit.is_some() && own.reference.is_some();
        let Some(number) = ran.number.filter(|_| !is_told) else { return Ok(ran.clone()) };
        let Some(record) = self.run(&ran.project, number).await? else { return Ok(ran.clone()) };
        Ok(Ran {
            pipeline: ran.pipeline.clone().or(record.pipeline),
            reason: ran.reason.clone().or(record.reason),
            own: Source {
                repository: [0, 1].map(|at: usize| own.repository[at].clone().or(record.own.repository[at].clone())),
                reference: own.reference.clone().or(record.own.reference),
                commit: own.commit.clone().or(record.own.commit),
            },
            trigger: ran.trigger.clone().or(record.trigger),
            ..ran.clone()
        })
    }

    /// The commit of this repository in the run that started this one, or whose artifacts this one takes.
    fn others<'b>(
        &'b self,
        ran: &'b Ran,
        repository: &'b AzureRef,
        left: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Other, Failure>> + Send + 'b>> {
        Box::pin(async move {
            if left == 0 || ran.trigger.is_none() && ran.is_by_code() {
                return Ok(Other::None);
            }
            let mut others: Vec<(String, i64)> = Vec::new();
            let own = |project: &Option<String>| project.clone().unwrap_or_else(|| ran.project.clone());
            if let Some((project, number)) = &ran.trigger {
                others.push((own(project), *number));
            } else {
                let asked = if ran.taken.is_empty() { self.resources(ran).await?.pipelines } else { Vec::new() };
                for RunPipeline { id, project, version } in ran.taken.iter().chain(&asked).take(TAKEN_MAX) {
                    let Some(pipeline) = id else { continue };
                    let project = own(project);
                    let number = self.answer(self.azure.build_called(&project, pipeline, version)).await?.flatten();
                    others.extend(number.map(|number| (project, number)));
                }
            }
            let mut became = Other::None;
            for (project, number) in others {
                let Some(other) = self.run(&project, number).await? else {
                    became = Other::Unknown;
                    continue;
                };
                // A run that another run started deploys the sources of that one.
                match self.others(&other, repository, left - 1).await? {
                    Other::Is(source) => return Ok(Other::Is(source)),
                    Other::Unknown => became = Other::Unknown,
                    Other::None => {}
                }
                if let Some(source) = self.checked_out(&other, repository).await? {
                    return Ok(Other::Is(source));
                }
            }
            Ok(became)
        })
    }

    /// The commit of the repository that the run itself checked out.
    async fn checked_out(&self, ran: &Ran, repository: &AzureRef) -> Result<Option<Source>, Failure> {
        let told = ran.checked_out(repository);
        if let Some(source) = told.filter(|source| source.commit.is_some()) {
            return Ok(Some(source.clone()));
        }
        let resources = self.resources(ran).await?;
        let asked = resources.repositories.into_iter().map(|own| Source {
            repository: [own.id, None],
            reference: own.reference,
            commit: own.version,
        });
        let found = asked.into_iter().find(|source| source.is_of(repository) && source.commit.is_some());
        Ok(found.map(|found| Source {
            reference: found.reference.or_else(|| told.and_then(|told| told.reference.clone())),
            ..found
        }))
    }

    /// The source of a run that a rule takes; nothing where it takes none.
    pub(super) async fn wished(
        &self,
        ran: &Ran,
        wish: &Wish,
        repository: &AzureRef,
    ) -> Result<Option<Source>, Failure> {
        let ran = self.completed(ran).await?;
        let others = match wish.revision {
            Revision::Own => Other::None,
            Revision::Automatic | Revision::TriggeringBuild => self.others(&ran, repository, CHAIN_MAX).await?,
        };
        let source = match others {
            Other::Is(source) => Some(source),
            // The commit that the run itself checked out would be a guess.
            Other::Unknown => {
                tracing::warn!(
                    run = ran.number,
                    "nobody knows any more what the run was made of that started this one"
                );
                None
            }
            Other::None if wish.revision == Revision::TriggeringBuild => None,
            Other::None => self.checked_out(&ran, repository).await?,
        };
        Ok(source.filter(|source| wish.allows(source)))
    }

    async fn is_so(&self, ran: &Ran, awaited: &Awaited) -> Result<bool, Failure> {
        let Some(number) = ran.number else { return Ok(false) };
        match awaited {
            Awaited::Job { id, wanted } => {
                let timeline = self.answer(self.azure.timeline(&ran.project, number)).await?.unwrap_or_default();
                let mut own = timeline.iter().filter(|part| part.kind == "Job" && part.id.eq_ignore_ascii_case(id));
                Ok(own.any(|part| part.identifier.as_ref().is_some_and(|own| is_identified(wanted, own))))
            }
            Awaited::Environment { stage, attempt, wanted } => {
                let asked = wanted.trim_end_matches('*');
                let known = self.answer(self.azure.environments(&ran.project, asked)).await?.unwrap_or_default();
                for environment in known.iter().filter(|own| is_named(wanted, &own.name)) {
                    let deployed = self.answer(self.azure.deployed_to(&ran.project, environment.id, number)).await?;
                    let mut deployed = deployed.unwrap_or_default().into_iter().filter(|own| {
                        let is_stage = |name: &String| stage.iter().any(|own| own.eq_ignore_ascii_case(name));
                        let attempts = [own.stage_attempt, *attempt];
                        own.stage.as_ref().is_none_or(is_stage)
                            && (attempts.contains(&None) || attempts[0] == attempts[1])
                    });
                    if deployed
                        .any(|own| own.result.is_none_or(|word| word.to_ascii_lowercase().starts_with("succeeded")))
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// The candidate with its revision; nothing when it turns out to be none: another repository or branch, or nothing that is
/// in the repository.
pub(super) async fn revision(asked: &Asked<'_>, candidate: &Candidate) -> Result<Option<Deployment>, Failure> {
    let mut deployment = candidate.deployment.clone();
    match &candidate.origin {
        Origin::Commit => {}
        Origin::Run { ran, wish, awaited } => {
            if let Some(awaited) = awaited
                && !asked.is_so(ran, awaited).await?
            {
                return Ok(None);
            }
            let repository = AzureRef(deployment.repository.clone());
            let Some(source) = asked.wished(ran, wish, &repository).await? else { return Ok(None) };
            source.fill(&mut deployment);
        }
        Origin::Tag => {
            // An annotated tag points to its annotation, which is no commit: then the tag's name says what it marks.
            let (project, repository) = (&deployment.azure_project, &deployment.repository);
            let commit = asked.answer(asked.azure.commit(project, repository, &deployment.revision)).await?;
            if matches!(commit, Some(None)) {
                let tag = Version::Tag(deployment.cause.tag.clone().unwrap_or_default());
                let Some(commit) = asked.azure.resolve(project, repository, &tag).await? else { return Ok(None) };
                deployment.revision = commit;
            }
        }
    }
    Ok(Some(deployment).filter(|deployment| !deployment.revision.is_empty()))
}

/// A run by its record.
pub(super) fn of_record(project: &str, number: i64, definition: i64, build: &Build<'_>) -> Ran {
    let word = |text: &Text<'_>| text.as_str().map(str::to_owned);
    let trigger = build.trigger().map(|(project, number)| (project.map(str::to_owned), number));
    Ran {
        project: project.to_owned(),
        number: Some(number),
        pipeline: Some(definition.to_string()),
        reason: word(&build.reason),
        own: Source {
            repository: [word(&build.repository.id), word(&build.repository.name)],
            reference: word(&build.source_branch),
            commit: word(&build.source_version),
        },
        trigger,
        ..Ran::default()
    }
}
