//! Looking at what was deployed: from memory, and from the log for what came with one.

use super::{
    book::Place,
    found::{Build, builds},
    series::Series,
};
use crate::{
    app::App,
    domain::{BindingId, Environment, Slug, Telling, split},
    store::{Error, Log},
};
use bytes::Bytes;
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// Which deployments are wanted; everything that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// To this environment.
    pub environment: Option<Slug>,
    /// By this code deployment.
    pub binding: Option<BindingId>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    fn wants(&self, telling: &Telling) -> bool {
        let own = &telling.deployment;
        self.environment.as_ref().is_none_or(|environment| *environment == own.environment)
            && self.binding.is_none_or(|binding| binding == own.binding)
            && self.from.is_none_or(|from| own.at >= from)
            && self.to.is_none_or(|to| own.at < to)
    }
}

/// A deployment, and the later one that went back to before it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// As it was told last.
    pub telling: Telling,
    /// The one that rolled it back.
    pub undone_by: Option<Uuid>,
}

impl Shown {
    fn of(telling: &Telling, series: &Series) -> Self {
        Self { telling: telling.clone(), undone_by: series.undone_by(telling.deployment.id) }
    }
}

/// What a code deployment has in an environment, and how far that is behind the environment before it.
#[derive(Debug, Clone)]
pub struct Current {
    /// The newest there.
    pub shown: Shown,
    /// Nothing where there is no environment before it, or what is here was never there.
    pub drift: Option<Drift>,
}

/// How far an environment is behind the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The one that is ahead.
    pub behind: Slug,
    /// Commits that are there and not here.
    pub commits: u64,
    /// Deployments there since the one of this revision.
    pub deployments: u64,
    /// Between that one and the newest there.
    pub time: Duration,
}

/// Deployments of a project, newest first, after the one with this id; and where to go on.
///
/// # Errors
/// The store's, while the log was not read yet.
pub async fn page(
    app: &App,
    project: &Slug,
    filter: &Filter,
    after: Option<Uuid>,
    limit: usize,
) -> Result<(Vec<Shown>, Option<Uuid>), Error> {
    app.deployments.read(&*app.store).await?;
    let memory = app.deployments.memory();
    let mut all: Vec<(&Telling, &Series)> =
        memory.of(project).flat_map(|(_, series)| series.all().iter().map(move |telling| (telling, series))).collect();
    let key = |telling: &Telling| (telling.deployment.at, telling.deployment.id);
    // One that is not known any more was the oldest: nothing comes after it.
    let from = after.map(|id| memory.find(project, id).map(|(telling, _)| key(telling)));
    all.retain(|(telling, _)| {
        from.is_none_or(|from| from.is_some_and(|from| key(telling) < from)) && filter.wants(telling)
    });
    all.sort_unstable_by_key(|(telling, _)| std::cmp::Reverse(key(telling)));
    let next = if all.len() > limit { all.get(limit - 1).map(|(telling, _)| telling.deployment.id) } else { None };
    Ok((all.iter().take(limit).map(|(telling, series)| Shown::of(telling, series)).collect(), next))
}

/// A deployment with what came with it.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The deployment.
    pub shown: Shown,
    /// The event that tells it.
    pub event: Bytes,
    /// The builds of its revision, as they were when it was deployed, as far as events tell of them by now.
    pub builds: Vec<Build>,
}

/// A deployment of a project; nothing when it is not known.
///
/// # Errors
/// The store's.
pub async fn detail(app: &App, project: &Slug, id: Uuid) -> Result<Option<Detail>, Error> {
    app.deployments.read(&*app.store).await?;
    let shown = app.deployments.memory().find(project, id).map(|(telling, series)| Shown::of(telling, series));
    let Some(shown) = shown else { return Ok(None) };
    let record = app.store.find(Log::Deployments, shown.telling.event).await?;
    // It can have passed its retention a moment ago.
    let event = record.and_then(|record| split::<Telling>(&record.body)).map(|(_, json)| json);
    let Some(event) = event else { return Ok(None) };
    let (builds, _) = builds(app, &shown.telling.deployment).await?;
    Ok(Some(Detail { shown, event, builds }))
}

/// What is deployed to each of a project's environments, in their order.
///
/// # Errors
/// The store's, while the log was not read yet.
pub async fn environments<'a>(
    app: &App,
    project: &Slug,
    environments: &'a [Environment],
) -> Result<Vec<(&'a Environment, Vec<Current>)>, Error> {
    app.deployments.read(&*app.store).await?;
    let memory = app.deployments.memory();
    let current = |at: usize, environment: &Environment| -> Vec<Current> {
        let here = memory.of(project).filter(|((.., of), _)| *of == environment.slug);
        let current = |((of, binding, _), series): (&Place, &Series)| {
            let newest = series.current()?;
            let before = at.checked_sub(1).map(|before| environments[before].slug.clone());
            let drift = before.and_then(|before| {
                let ahead = memory.at(&(of.clone(), *binding, before.clone()))?;
                drift(before, ahead, newest)
            });
            Some(Current { shown: Shown::of(newest, series), drift })
        };
        here.filter_map(current).collect()
    };
    Ok(environments.iter().enumerate().map(|(at, environment)| (environment, current(at, environment))).collect())
}

fn drift(behind: Slug, ahead: &Series, here: &Telling) -> Option<Drift> {
    let all = ahead.all();
    let at = all.iter().rposition(|telling| telling.deployment.revision == here.deployment.revision)?;
    let (there, since) = (&all[at], &all[at + 1..]);
    let newest = since.last().unwrap_or(there);
    Some(Drift {
        behind,
        commits: since.iter().map(|telling| u64::from(telling.commits)).sum(),
        deployments: since.len() as u64,
        time: newest.deployment.at.duration_since(there.deployment.at).try_into().unwrap_or_default(),
    })
}
