//! Looking once more at events that are kept, by rules that they did not meet then: a code deployment is new or was changed.
//!
//! What was told stays told, also where no rule would tell it any more: consumers have it.

use super::{rules::candidates, seen::can_deploy, step::consumer};
use crate::{
    app::{App, change::Refusal},
    azure::client::Window,
    domain::{Binding, Deployment},
    event::Event,
    store::{Error, Log, PageLimit, Position, Record},
};
use uuid::Uuid;

/// Events that one look goes through.
const SCANNED_MAX: u64 = 100_000;
/// Deployments that one look finds, also those that would not be told; the event that reaches it is the last.
const FOUND_MAX: usize = 500;
const READ: PageLimit = PageLimit { records_max: 1_000, body_bytes_max: 8 << 20 };

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// What was not told yet, as far as the events say it: without a revision where Azure DevOps has to be asked for it, and
    /// before anybody has looked at the changed files.
    pub found: Vec<Deployment>,
    /// How many of the others are told already.
    pub told: usize,
    /// What these events told, and what these rules would not make of them: it stays told.
    pub untold: Vec<Deployment>,
    /// The events that tell what was found.
    events: Vec<Position>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// Looks at the events after a position for deployments of a code deployment within a window, by its rules as they are
/// given: those that are kept, or others that would take their place.
///
/// # Errors
/// The store's.
pub async fn look(app: &App, binding: &Binding, window: Window, after: Position) -> Result<Looked, Refusal> {
    app.deployments.read(&*app.store).await?;
    let (mut looked, mut reached) = (Looked::default(), after);
    let (settled, caused) = (app.store.cursor(&consumer()).await?, app.deployments.memory().caused(binding.id));
    'reading: loop {
        let records = app.store.read(Log::Events, reached, READ).await?;
        let is_end = records.end == reached;
        if is_end || reached.0 - after.0 >= SCANNED_MAX {
            looked.next = (!is_end).then_some(reached);
            break;
        }
        for record in &records {
            // What the consumer has not come to it will see by itself, by the rules of then.
            if record.position > settled {
                break 'reading;
            }
            reached = record.position;
            let made = of_record(app, binding, record)?;
            let is_made = |id: Uuid| made.iter().any(|own| own.id == id);
            for id in caused.get(&record.key).into_iter().flatten().filter(|id| !is_made(**id)) {
                let memory = app.deployments.memory();
                let told = memory.find(&binding.project, *id).map(|(telling, _)| &telling.deployment);
                looked.untold.extend(told.filter(|own| holds(&window, own)).cloned());
            }
            let within: Vec<Deployment> = made.into_iter().filter(|own| holds(&window, own)).collect();
            let (told, found): (Vec<_>, Vec<_>) =
                within.into_iter().partition(|own| app.deployments.memory().knows(own.id));
            looked.told += told.len();
            if !found.is_empty() {
                looked.events.push(record.position);
                looked.found.extend(found);
            }
            if looked.found.len() + looked.untold.len() >= FOUND_MAX {
                looked.next = Some(reached);
                break 'reading;
            }
        }
        reached = records.end;
    }
    Ok(looked)
}

/// Has those told that a look found.
///
/// # Errors
/// The store's.
pub async fn tell(app: &App, looked: &Looked) -> Result<(), Refusal> {
    if !looked.events.is_empty() {
        let again = looked.events.iter().map(|position| (*position, 1)).collect();
        app.store.again(&consumer(), again, app.clock.now()).await?;
        app.deployments.changed.notify_one();
    }
    Ok(())
}

fn holds(window: &Window, deployment: &Deployment) -> bool {
    (window.from..window.to).contains(&deployment.at)
}

/// What a kept event makes of the binding.
fn of_record(app: &App, binding: &Binding, record: &Record) -> Result<Vec<Deployment>, Error> {
    let corrupt = || Error::Corrupt { what: format!("event {} at {}", record.key, record.position) };
    let event = Event::from_stored(record.key, &record.body).ok_or_else(corrupt)?;
    if !can_deploy(&event.header.kind) {
        return Ok(Vec::new());
    }
    let own = app.directory().would_deploy(binding, event.header.connection);
    Ok(candidates(&event, &own).into_iter().map(|candidate| candidate.deployment).collect())
}
