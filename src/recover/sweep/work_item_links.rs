//! Links between work items. They make no revision and no date at either end, so that the revisions do not show them: a list
//! of their own says whose were changed, and what each such item's updates tell of it is held against the journal.

use super::{Depth, Stopped, scale::Scale};
use crate::{
    azure::client::{AzureDevOps, Failure, LinkRecords, RevisionsFrom, Window},
    recover::{
        compose::{self, Composed, Step},
        desk::Asked,
    },
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Updates of an item that are read at most; one with more has its last links from the hooks alone, and the log says so.
///
/// Our choice, ten times the revisions that Azure DevOps Services lets an item have through its API: links make none.
/// Source: "Best integration practices", a limit of 10,000 revisions.
const UPDATES_MAX: usize = 100_000;

pub(super) async fn sweep(scale: &mut Scale<'_>, azure: &dyn AzureDevOps, window: Window) -> Result<(), Stopped> {
    // Each item costs a call, whatever is here of it: what its updates are numbered, only they say.
    if scale.order.depth == Depth::Evidence {
        return Ok(());
    }
    let project = scale.order.place.project.to_string();
    for (item, at) in linked(scale, azure, &project, window).await? {
        let asked = Asked::Links(item, at);
        if !scale.is_new(&asked) {
            continue;
        }
        let (composed, is_whole) = links(scale, azure, &project, (item, at), window).await?;
        scale.take(composed).await?;
        if is_whole {
            scale.remember(&asked);
        }
    }
    Ok(())
}

/// The items whose links were changed within, each with the last time.
async fn linked(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    project: &str,
    window: Window,
) -> Result<BTreeMap<i64, Option<Timestamp>>, Stopped> {
    let (mut items, mut from) = (BTreeMap::new(), RevisionsFrom::Time(window.from));
    loop {
        let batch = match scale.ask(azure.work_item_links(project, &from)).await {
            Err(Stopped::Azure(Failure::NotFound { .. })) => return Ok(items),
            batch => batch?,
        };
        let LinkRecords { values, next, is_last } = batch;
        let within = values.iter().filter(|link| link.changed.is_none_or(|at| window.holds(at)));
        for (end, at) in within.flat_map(|link| link.ends.map(|end| (end, link.changed))) {
            let last = items.entry(end).or_insert(at);
            *last = at.max(*last);
        }
        let is_over = values.iter().any(|link| link.changed.is_some_and(|at| at >= window.to));
        let stands = from == RevisionsFrom::Bookmark(next.clone());
        if is_last || is_over || stands {
            return Ok(items);
        }
        from = RevisionsFrom::Bookmark(next);
    }
}

/// The events of the item's links within the window; none where the item is gone, or another project's. Whether its updates
/// were read to their end.
async fn links(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    project: &str,
    (number, listed): (i64, Option<Timestamp>),
    window: Window,
) -> Result<(Vec<Composed>, bool), Stopped> {
    let (mut composed, mut read, mut after) = (Vec::new(), 0, 0);
    let mut item = compose::Item::new(number);
    loop {
        let page = match scale.ask(azure.updates(project, number, after)).await {
            Err(Stopped::Azure(Failure::NotFound { .. })) => return Ok((Vec::new(), true)),
            page => page?,
        };
        let Some(last) = page.last() else { return Ok((composed, true)) };
        if read >= UPDATES_MAX {
            tracing::warn!(
                work_item = number,
                UPDATES_MAX,
                "it has more updates than are read: its last links are told by hooks alone"
            );
            return Ok((composed, false));
        }
        (read, after) = (read + page.len(), last.rev);
        let steps = page.iter().map(|update| item.step(scale.home(), update));
        for Step { linked, composed: told, .. } in steps.filter(|step| step.is_link) {
            // Without a date it is of the time that its item was listed by.
            if linked.is_none_or(|when| window.holds(when)) {
                composed.extend(told.into_iter().map(|own| own.counted(linked.or(listed).unwrap_or(window.from))));
            }
        }
    }
}
