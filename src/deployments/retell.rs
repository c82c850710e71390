//! Telling a deployment: what came with it is found, and what follows it in its environment is told once more where it is
//! something else because of it.

use super::{
    code::Code,
    found::{Found, Manner, builds, found},
    started::work_started,
    tell::{Beside, told},
};
use crate::{
    app::{ANSWER_TIMEOUT, App},
    azure::client::{AzureDevOps, Failure},
    domain::{ConnectionId, Deployment, NotificationId, Telling},
    event::Event,
};
use std::{collections::BTreeSet, time::Duration};

/// How long a deployment waits for an Azure DevOps that does not answer, before it is told without what only that knows.
pub const PATIENCE: Duration = Duration::from_hours(1);

/// What is done while Azure DevOps does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// After [`PATIENCE`] it is told without what only that knows.
    Ends,
    /// Nothing is told: somebody waits, and can be told why.
    IsTheirs,
}

/// A connection that cannot be asked now.
pub(super) struct Silent {
    pub(super) connection: ConnectionId,
    pub(super) failure: Failure,
}

impl Silent {
    pub(super) fn on(connection: ConnectionId) -> impl Fn(Failure) -> Self {
        move |failure| Self { connection, failure }
    }
}

/// Whether a connection that does not answer may be waited for. Counted from its silence and not from the event, which can
/// be old when a rule that is new looks at it.
fn is_patient(app: &App, connection: ConnectionId) -> bool {
    let now = app.clock.now();
    now.duration_since(app.deployments.silent_since(connection, now)) < PATIENCE.try_into().unwrap_or_default()
}

/// Tells a deployment, and once more those after it which are something else because of it. With the lock of the telling.
pub(super) async fn tell(
    app: &App,
    azure: &dyn AzureDevOps,
    deployment: &Deployment,
    notification: NotificationId,
    patience: Patience,
    made: &mut Vec<(Telling, Event)>,
) -> Result<(), Silent> {
    let of = (deployment.project.clone(), deployment.binding, deployment.environment.clone());
    let place = app.deployments.memory().at(&of).map(|series| series.place(deployment)).unwrap_or_default();
    let provider = app.directory().issue_provider(&deployment.project).map(|kept| kept.record.clone());
    let manner = Manner::of(app, deployment, provider.as_ref().map(|provider| &provider.issues));
    // Whoever was given up once is not waited for again in this telling.
    let mut hopeless = BTreeSet::new();
    let mut gives_up = |on: ConnectionId, failure: &Failure| {
        if patience == Patience::Ends && (app.is_hopeless(on, failure) || !is_patient(app, on)) {
            hopeless.insert(on);
        }
        hopeless.contains(&on)
    };
    let mut fresh = Vec::new();
    // Found in full before anything is remembered: a failure leaves everything as it was.
    let mut series = app.deployments.memory().at(&of).cloned().unwrap_or_default();
    let mut next = Some((deployment.clone(), place, None::<Telling>));
    while let Some((deployment, place, replaces)) = next.take() {
        let previous = place.previous.and_then(|id| Some(series.find(id)?.deployment.revision.clone()));
        let code = Code::new(azure, &app.deployments.code, &deployment);
        let own = deployment.connection;
        let finding = found(azure, &code, &deployment, previous.as_deref(), &manner);
        let finding = if app.has_credential(own) { finding.await } else { app.in_time(ANSWER_TIMEOUT, finding).await };
        let mut found = match finding {
            Err(failure) if app.is_hopeless(own, &failure) && gives_up(own, &failure) => Found::nothing(format!(
                "commits, files, pull requests and work items: the connection has no credential to ask with ({failure})"
            )),
            Err(failure) if gives_up(own, &failure) => Found::nothing(failure.to_string()),
            Err(failure) => return Err(Silent::on(own)(failure)),
            Ok(found) => {
                app.deployments.answers(own);
                found
            }
        };
        if let Some(provider) = &provider {
            match work_started(app, provider, &deployment, &mut found).await {
                // Whoever registers something by hand does not wait for somebody else's connection.
                Err(failure) if patience == Patience::IsTheirs || gives_up(provider.connection, &failure) => {
                    found.missing.push(format!("work_started: {failure}"));
                }
                Err(failure) => return Err(Silent::on(provider.connection)(failure)),
                Ok(true) => app.deployments.answers(provider.connection),
                Ok(false) => {}
            }
        }
        match builds(app, &deployment).await {
            Ok((builds, is_behind)) => {
                found.builds = builds;
                found.missing.extend(is_behind.then(|| "builds: newer events were not read yet".to_owned()));
            }
            Err(error) => found.missing.push(format!("builds: {error}")),
        }
        let beside = Beside {
            place,
            previous_revision: previous.as_deref(),
            found: &found,
            replaces: replaces.as_ref(),
            notification,
        };
        let (telling, event) = told(&deployment, &beside);
        series.put(telling.clone());
        fresh.push((telling, event));
        next = series.outdated().map(|(old, place)| (old.deployment.clone(), place, Some(old.clone())));
    }
    let mut memory = app.deployments.memory();
    for (telling, _) in &fresh {
        memory.put(telling.clone());
    }
    drop(memory);
    made.extend(fresh);
    Ok(())
}
