//! A sweep: what Azure's records say happened at a place within a window is held against the journal, and what is missing
//! is made good.

mod builds;
mod pull_requests;
mod pushes;
mod releases;
mod scale;
mod work_item_links;
mod work_items;

use self::scale::Scale;
use super::{
    place::{Place, What},
    tally::Tally,
};
use crate::{
    app::{App, Kept},
    azure::client::{AzureDevOps, Failure, PageRequest, PageToken, Window},
    domain::{BindingId, Connection, Stream},
};
use jiff::Timestamp;
use std::{collections::BTreeSet, time::Duration};

/// How long Azure tries to deliver (183 s) and a delivery may be on its way: what is younger is not missing yet.
pub const GRACE: Duration = Duration::from_mins(5);

/// How closely is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What costs a call for each record (timelines, iterations, comments) is asked only where something of the record is
    /// missing, or came otherwise than by a hook. Only what was asked is counted.
    Evidence,
    /// It is asked, unless it was asked before and cannot be another since. Only what was asked is counted.
    Once,
    /// It is asked for each record of the window.
    Everything,
}

/// What is done about what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// It is appended.
    Mend,
    /// The same, and the sweep ends when it has become events (or is given up).
    MendAndWait,
    /// Nothing: it is only counted.
    Look,
}

/// What is to be swept.
#[derive(Debug, Clone)]
pub struct Order {
    /// Where.
    pub place: Place,
    /// The bindings that select it.
    pub bindings: BTreeSet<BindingId>,
    /// When. It is cut to what the journal keeps, and to what is older than the grace.
    pub window: Window,
    /// What is younger than this is not missing yet; [`GRACE`], or nothing where no hook delivers.
    pub grace: Duration,
    /// How closely.
    pub depth: Depth,
    /// What is done.
    pub mending: Mending,
    /// Where reading revisions goes on; the window's beginning where there is none.
    pub bookmark: Option<String>,
}

/// What was swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// What was found.
    pub tally: Tally,
    /// The window as it was cut. Everything in it that Azure's records tell is an event here, or named in the tally.
    pub window: Window,
    /// Where reading revisions goes on the next time.
    pub bookmark: Option<String>,
}

/// Why a sweep ended before its end. What it made good so far is good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Azure DevOps did not answer.
    #[error(transparent)]
    Azure(#[from] Failure),
    /// The store cannot be used now.
    #[error("{0}")]
    Store(String),
    /// The connection was removed.
    #[error("the connection is gone")]
    Gone,
    /// The gateway stops.
    #[error("the gateway stops")]
    Stopping,
}

/// Sweeps one place. Each call is `azure`'s, at its priority.
///
/// # Errors
/// [`Stopped`].
pub async fn sweep(
    app: &App,
    kept: &Kept<Connection>,
    azure: &dyn AzureDevOps,
    order: &Order,
) -> Result<Swept, Stopped> {
    let window = cut(app, order);
    let mut scale = Scale::new(app, Connection::clone(&kept.record), order);
    let mut bookmark = order.bookmark.clone();
    if window.from < window.to {
        app.metrics.sweep(order.place.stream.word());
        match (order.place.stream, &order.place.what) {
            (Stream::Pushes, What::Repository(repository)) => {
                pushes::sweep(&mut scale, azure, *repository, window).await?;
            }
            (Stream::PullRequests, What::Repository(repository)) => {
                pull_requests::sweep(&mut scale, azure, *repository, window).await?;
            }
            (Stream::Builds, what) => builds::sweep(&mut scale, azure, what, window).await?,
            (Stream::Releases, what) => releases::sweep(&mut scale, azure, what, window).await?,
            (Stream::WorkItems, _) => {
                bookmark = work_items::sweep(&mut scale, azure, bookmark, window).await?;
                work_item_links::sweep(&mut scale, azure, window).await?;
            }
            // Pushes and pull requests are a repository's, and `places` makes no others.
            (Stream::Pushes | Stream::PullRequests, _) => {}
        }
    }
    Ok(Swept { tally: scale.tally, window, bookmark })
}

/// The order's window without what is younger than the grace, and without what the journal may have forgotten: that would
/// be found missing and come a second time.
fn cut(app: &App, order: &Order) -> Window {
    let to = order.window.to.min(app.clock.now() - order.grace);
    Window { from: order.window.from.max(oldest(app)).min(to), to }
}

/// From when on nothing is forgotten: what happened later was appended later still, but for clocks that differ.
pub(super) fn oldest(app: &App) -> Timestamp {
    const MARGIN: Duration = Duration::from_hours(1);
    app.clock.now() - app.settings.retention.saturating_sub(MARGIN)
}

/// Records on one page.
const PAGE_ITEMS: u32 = 500;
/// Records that are read one by one at the same time: as many as an identity lets go in bulk, so that none waits for others.
const SINGLY_MAX: usize = 2;

fn page(from: Option<PageToken>) -> PageRequest {
    PageRequest { items_max: PAGE_ITEMS, from }
}
