//! Looking once more at events that are kept, by rules that they did not meet then: a code deployment is new or was changed.
//!
//! What was told stays told, also where no rule would tell it any more: consumers have it.

use super::{rules::candidates, seen::can_deploy, step::consumer};
use crate::{
    app::{App, bindings, change::Refusal},
    azure::client::Window,
    domain::{BindingId, Deployment},
    event::Event,
    store::{Error, Log, PageLimit, Position, Record},
};

/// Events that one look goes through.
const SCANNED_MAX: u64 = 100_000;
/// Deployments that one look finds; the event that reaches it is the last.
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
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// Looks at the events after a position for deployments of a code deployment within a window, and has those told that are
/// not yet, unless it is a dry run.
///
/// # Errors
/// There is no such binding; the store's.
pub async fn look_again(
    app: &App,
    binding: BindingId,
    window: Window,
    after: Position,
    dry_run: bool,
) -> Result<Looked, Refusal> {
    bindings::find(&app.directory(), binding)?;
    app.deployments.read(&*app.store).await?;
    let (mut looked, mut reached, mut again) = (Looked::default(), after, Vec::new());
    let settled = app.store.cursor(&consumer()).await?;
    'reading: loop {
        let records = app.store.read(Log::Events, reached, READ).await?;
        if records.is_empty() || reached.0 - after.0 >= SCANNED_MAX {
            looked.next = (!records.is_empty()).then_some(reached);
            break;
        }
        for record in &records {
            // What the consumer has not come to it will see by itself, by the rules of then.
            if record.position > settled {
                break 'reading;
            }
            reached = record.position;
            let mut made = of_record(app, binding, record)?;
            made.retain(|deployment| (window.from..window.to).contains(&deployment.at));
            let all = made.len();
            made.retain(|deployment| !app.deployments.memory().knows(deployment.id));
            looked.told += all - made.len();
            if !made.is_empty() {
                again.push((record.position, 1));
                looked.found.append(&mut made);
            }
            if looked.found.len() >= FOUND_MAX {
                looked.next = Some(reached);
                break 'reading;
            }
        }
    }
    if !dry_run && !again.is_empty() {
        app.store.again(&consumer(), again, app.clock.now()).await?;
        app.deployments.changed.notify_one();
    }
    Ok(looked)
}

/// What a kept event makes of the binding now.
fn of_record(app: &App, binding: BindingId, record: &Record) -> Result<Vec<Deployment>, Error> {
    let corrupt = || Error::Corrupt { what: format!("event {} at {}", record.key, record.position) };
    let event = Event::from_stored(record.key, &record.body).ok_or_else(corrupt)?;
    if !can_deploy(&event.header.kind) {
        return Ok(Vec::new());
    }
    let directory = app.directory();
    let all = candidates(&event, directory.deploying(event.header.connection)).into_iter();
    Ok(all.map(|candidate| candidate.deployment).filter(|deployment| deployment.binding == binding).collect())
}
