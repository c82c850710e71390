//! Names in a binding that Azure DevOps does not have, and rules that can match nothing: it is asked when a binding is made or
//! changed, and now and then afterwards. A doubt is a word and no refusal: what is not there yet can come.

use super::{
    builds::{is_identified, is_named},
    ran::Wish,
    revision::{Asked, of_record},
};
use crate::{
    app::{App, change::Wrong},
    azure::{
        client::{AzureDevOps, BuildRecord, Failure, Page, PageRequest, Priority},
        resource::build::Build,
    },
    domain::{AzureRef, Binding, BindingId, BuildRule, ConnectionId, Deploys, Part, Selection, Tracking},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long somebody who makes a binding waits for it.
pub const WAIT: Duration = Duration::from_secs(8);
/// How long what was found is good for.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Bindings that one look asks about, those first that were not looked at for longest: each costs about ten calls.
const LOOKED_MAX: usize = 5;
/// Most that is said of one binding.
const DOUBTS_MAX: usize = 20;
/// Most names that a doubt says there are.
const NAMES_MAX: usize = 10;
const PAGE_ITEMS: u32 = 1_000;
const PAGES_MAX: usize = 10;
/// Where rules are in a binding.
const RULES: &str = "/deploys/environments";

/// At which version of the binding, when, and what.
type Found = (u64, Timestamp, Vec<Wrong>);

/// The doubts that were found last, by binding.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<BTreeMap<BindingId, Found>>);

impl Doubts {
    /// When a binding was looked at as it is, if ever.
    fn looked_at(&self, id: BindingId, version: u64) -> Option<Timestamp> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&id).filter(|(of, ..)| *of == version).map(|(_, at, _)| *at)
    }
}

/// Remembers what was found of a binding at a version of it.
pub fn note(app: &App, id: BindingId, version: u64, found: &[Wrong]) {
    let mut all = app.deployments.doubts.0.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = app.directory();
    all.retain(|id, _| directory.bindings.contains_key(id));
    all.insert(id, (version, app.clock.now(), found.to_vec()));
}

/// The doubts about the rules of bindings as they are now.
pub fn known(app: &App) -> Vec<(BindingId, String)> {
    let directory = app.directory();
    let all = app.deployments.doubts.0.lock().unwrap_or_else(PoisonError::into_inner);
    let is_now = |id: &BindingId, version: u64| directory.bindings.get(id).is_some_and(|kept| kept.version == version);
    let now = all.iter().filter(|(id, (version, ..))| is_now(id, *version));
    now.flat_map(|(id, (.., found))| {
        found.iter().filter(|wrong| wrong.pointer == RULES).map(|wrong| (*id, wrong.detail.clone()))
    })
    .collect()
}

/// Looks at the rules of the code deployments of a connection that were not looked at lately.
pub async fn look(app: &App, connection: ConnectionId) {
    let (directory, now) = (app.directory(), app.clock.now());
    let of = |binding: &Arc<Binding>| {
        let version = directory.bindings.get(&binding.id)?.version;
        let at = app.deployments.doubts.looked_at(binding.id, version);
        let is_due = at.is_none_or(|at| now.duration_since(at) >= GOOD_FOR) && rules(binding).is_some();
        is_due.then(|| (at, version, Arc::clone(binding)))
    };
    let mut due: Vec<_> = directory.bindings_of(connection).iter().filter_map(of).collect();
    due.sort_by_key(|(at, ..)| *at);
    for (_, version, binding) in due.iter().take(LOOKED_MAX) {
        let version = *version;
        match doubts(app, binding, Priority::Repair).await {
            Ok(found) => note(app, binding.id, version, &found),
            Err(failure) => {
                tracing::debug!(binding = %binding.id, %failure, "whether its rules match something is not known");
                return;
            }
        }
    }
}

fn rules(binding: &Binding) -> Option<&Deploys> {
    binding.deploys.as_ref().filter(|deploys| deploys.tracking == Tracking::Build)
}

/// A name in a binding that Azure DevOps does not have.
///
/// # Errors
/// Azure DevOps does not answer: then nothing is known.
pub async fn doubts(app: &App, binding: &Binding, priority: Priority) -> Result<Vec<Wrong>, Failure> {
    let directory = app.directory();
    let Some(connection) = directory.connections.get(&binding.connection) else { return Ok(Vec::new()) };
    let azure = app.azure(connection, priority)?;
    let AzureRef(project) = binding.selection.azure_project();
    let mut found = Vec::new();
    match azure.project(project).await {
        Err(Failure::NotFound { .. }) => {
            let detail = format!("there is no project {project}, or the connection may not see it");
            return Ok(vec![Wrong { pointer: "/azure_project", detail }]);
        }
        project => of_the_thing(project)?,
    };
    match &binding.selection {
        Selection::CodeDeployment { repository, .. } => {
            let all = of_the_thing(azure.repositories(Some(project)).await)?;
            let own =
                all.iter().flatten().find(|own| repository.names(&own.id.to_string()) || repository.names(&own.name));
            match (&all, own, rules(binding)) {
                (Some(all), None, _) => {
                    let names = listed(all.iter().map(|own| own.name.as_str()));
                    let detail = format!("project {project} has no repository {}{names}", repository.0);
                    found.push(Wrong { pointer: "/repository", detail });
                }
                (_, own, Some(deploys)) => {
                    let repository = own.map_or_else(|| repository.clone(), |own| AzureRef(own.id.to_string()));
                    of_rules(app, binding, deploys, &repository, priority, &mut found).await?;
                }
                _ => {}
            }
        }
        Selection::BuildProvider { pipelines, .. } if !pipelines.is_empty() => {
            if let Some(known) = Pipelines::of(&*azure, project).await? {
                let missing = pipelines.iter().filter(|own| !known.has(own));
                found.extend(missing.map(|own| Wrong { pointer: "/pipelines", detail: known.lacks(project, own) }));
            }
        }
        Selection::BuildProvider { .. } | Selection::IssueProvider { .. } => {}
    }
    found.truncate(DOUBTS_MAX);
    Ok(found)
}

/// A reply that does not name this one thing casts no doubt.
fn of_the_thing<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.is_of_the_thing() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let more = if names.len() > NAMES_MAX { ", …" } else { "" };
    names.truncate(NAMES_MAX);
    if names.is_empty() { String::new() } else { format!("; there are {}{more}", names.join(", ")) }
}

/// Pipelines of a project: number and name.
struct Pipelines {
    builds: Vec<(i64, String)>,
    /// Nothing where they may not be seen.
    releases: Option<Vec<(i64, String)>>,
}

impl Pipelines {
    async fn of(azure: &dyn AzureDevOps, project: &str) -> Result<Option<Self>, Failure> {
        let builds = all(|page| azure.pipelines(project, page)).await;
        let Some(builds) = of_the_thing(builds)? else { return Ok(None) };
        let releases = of_the_thing(all(|page| azure.release_definitions(project, page)).await)?;
        Ok(Some(Self {
            builds: builds.into_iter().map(|own| (own.id, own.name)).collect(),
            releases: releases.map(|all| all.into_iter().map(|own| (own.id, own.name)).collect()),
        }))
    }

    fn builds(&self, of: &AzureRef) -> impl Iterator<Item = i64> {
        let fits = |(id, name): &&(i64, String)| of.names(&id.to_string()) || of.names(name);
        self.builds.iter().filter(fits).map(|(id, _)| *id).collect::<Vec<_>>().into_iter()
    }

    fn has(&self, of: &AzureRef) -> bool {
        let is_release = |all: &Vec<(i64, String)>| all.iter().any(|(_, name)| of.names(name));
        self.builds(of).next().is_some() || self.releases.as_ref().is_some_and(is_release)
    }

    fn lacks(&self, project: &str, of: &AzureRef) -> String {
        let names = listed(self.builds.iter().chain(self.releases.iter().flatten()).map(|(_, name)| name.as_str()));
        let unseen = if self.releases.is_none() { " (classic releases cannot be seen)" } else { "" };
        format!("project {project} has no pipeline {}{unseen}{names}", of.0)
    }
}

async fn all<T, F: Future<Output = Result<Page<T>, Failure>>>(
    at: impl Fn(PageRequest) -> F,
) -> Result<Vec<T>, Failure> {
    let (mut items, mut from) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = at(PageRequest { items_max: PAGE_ITEMS, from }).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    Ok(items)
}

async fn of_rules(
    app: &App,
    binding: &Binding,
    deploys: &Deploys,
    repository: &AzureRef,
    priority: Priority,
    found: &mut Vec<Wrong>,
) -> Result<(), Failure> {
    let directory = app.directory();
    let Some(provider) = directory.build_provider(&binding.project, Some(binding.id)) else { return Ok(()) };
    let Some(connection) = directory.connections.get(&provider.record.connection) else { return Ok(()) };
    let azure = app.azure(connection, priority)?;
    let Selection::BuildProvider { azure_project: AzureRef(project), pipelines: selected } = &provider.record.selection
    else {
        return Ok(());
    };
    let Some(known) = Pipelines::of(&*azure, project).await? else { return Ok(()) };
    let asked = Asked { app, connection: connection.record.id, azure: &*azure };
    let mut seen: Vec<&BuildRule> = Vec::new();
    for rule in deploys.reaches.iter().flat_map(|reach| &reach.builds) {
        if seen.contains(&rule) || found.len() >= DOUBTS_MAX {
            continue;
        }
        seen.push(rule);
        let mut say = |detail: String| {
            if found.iter().all(|wrong: &Wrong| wrong.detail != detail) {
                found.push(Wrong { pointer: RULES, detail });
            }
        };
        if !known.has(&rule.pipeline) {
            say(known.lacks(project, &rule.pipeline));
            continue;
        }
        let numbers: Vec<String> = known.builds(&rule.pipeline).map(|id| id.to_string()).collect();
        let names = |own: &AzureRef| own.names(&rule.pipeline.0) || numbers.iter().any(|id| own.names(id));
        let is_called = |own: &AzureRef| known.builds(own).any(|id| numbers.contains(&id.to_string()));
        if !selected.is_empty() && !selected.iter().any(|own| names(own) || is_called(own)) {
            say(format!(
                "the build provider has not selected pipeline {}, so nobody hears of its runs",
                rule.pipeline.0
            ));
        }
        for number in &numbers {
            let newest = of_the_thing(azure.newest_build(project, number).await)?.flatten();
            let Some(newest) = newest else { continue };
            let beside = Newest { asked: &asked, project, record: &newest };
            for detail in [beside.part(rule).await?, beside.repository(rule, repository).await?].into_iter().flatten() {
                say(detail);
            }
        }
    }
    Ok(())
}

/// The newest run of a pipeline.
struct Newest<'a> {
    asked: &'a Asked<'a>,
    project: &'a str,
    record: &'a BuildRecord,
}

impl Newest<'_> {
    /// That no part of it is the one of a rule.
    async fn part(&self, rule: &BuildRule) -> Result<Option<String>, Failure> {
        let (azure, number, pipeline) = (self.asked.azure, self.record.id, &rule.pipeline.0);
        if let Part::AzureEnvironment(wanted) = &rule.part {
            return Ok(match azure.environments(self.project, "").await {
                Ok(known) if known.iter().any(|own| is_named(wanted, &own.name)) => None,
                Ok(known) => {
                    let names = listed(known.iter().map(|own| own.name.as_str()));
                    Some(format!("project {} has no environment {wanted}{names}", self.project))
                }
                Err(failure) if failure.is_of_the_thing() || matches!(failure, Failure::Unauthorized { .. }) => {
                    Some(format!(
                        "environments cannot be seen, so nothing deploys by {wanted}: give the token the scope Environment \
                         (Read & manage) ({failure})"
                    ))
                }
                Err(failure) => return Err(failure),
            });
        }
        let Some(timeline) = of_the_thing(azure.timeline(self.project, number).await)? else { return Ok(None) };
        let (kind, what, wanted) = match &rule.part {
            Part::Stage(wanted) => ("Stage", "stage", wanted),
            Part::Job(wanted) => ("Job", "job", wanted),
            Part::Run | Part::AzureEnvironment(_) => return Ok(None),
        };
        let parts = || timeline.iter().filter(|part| part.kind == kind);
        let is_it = |identifier: &String| match &rule.part {
            Part::Job(_) => is_identified(wanted, identifier),
            _ => is_named(wanted, identifier),
        };
        let mut fitting =
            parts().filter(|part| is_named(wanted, &part.name) || part.identifier.as_ref().is_some_and(is_it));
        if parts().next().is_none() || fitting.next().is_some() {
            return Ok(None);
        }
        let names = listed(parts().map(|part| part.name.as_str()));
        Ok(Some(format!("run {number} of pipeline {pipeline}, its newest, has no {what} {wanted}{names}")))
    }

    /// That it has nothing of the repository.
    async fn repository(&self, rule: &BuildRule, repository: &AzureRef) -> Result<Option<String>, Failure> {
        let build: Build<'_> = serde_json::from_str(self.record.json.get()).unwrap_or_default();
        let ran = of_record(self.project, self.record.id, self.record.definition, &build);
        let any =
            Wish { branches: Vec::new(), tags: Some("**".to_owned()), pull_requests: true, revision: rule.revision };
        if self.asked.wished(&ran, &any, repository).await?.is_some() {
            return Ok(None);
        }
        let of = build.repository.name.as_str().or(build.repository.id.as_str()).unwrap_or("another repository");
        Ok(Some(format!(
            "run {} of pipeline {}, its newest, was made of {of} and of nothing of this repository: such a run deploys nothing \
             here",
            self.record.id, rule.pipeline.0
        )))
    }
}
