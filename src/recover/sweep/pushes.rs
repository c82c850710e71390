//! Pushes to a repository. A listing has no commits; they are read of those that are missing, one call each.

use super::{Mending, SINGLY_MAX, Stopped, page, scale::Scale};
use crate::{
    azure::client::{AzureDevOps, PushRecord, Window},
    recover::{compose, in_order::in_order},
};
use uuid::Uuid;

/// Missing pushes that are read and appended in one go.
const CHUNK: usize = 64;

pub(super) async fn sweep(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    repository: Uuid,
    window: Window,
) -> Result<(), Stopped> {
    let (project, id) = (scale.order.place.project.to_string(), repository.to_string());
    let (mut missing, mut from) = (Vec::new(), None);
    loop {
        let listed = scale.ask(azure.pushes(&project, &id, None, window, page(from))).await?;
        let told: Vec<&PushRecord> = listed.items.iter().filter(|push| compose::is_pushed(push)).collect();
        let composed = told.iter().map(|push| compose::push(scale.home(), repository, push)).collect();
        let weighed = scale.weigh(composed).await?;
        let looks = scale.order.mending == Mending::Look;
        let (mut here, ids) = (Vec::new(), told.iter().map(|push| push.id));
        for (push, weighed) in ids.zip(weighed) {
            // They come newest first, so what is missing is kept until all is known; its number is enough.
            if weighed.is_missing() && !looks { missing.push(push) } else { here.push(weighed) }
        }
        scale.settle(here).await?;
        from = listed.next;
        if from.is_none() {
            break;
        }
    }
    missing.sort_unstable();
    missing.dedup();
    for chunk in missing.chunks(CHUNK) {
        scale.tally.calls += chunk.len() as u64 - 1;
        scale.app.metrics.recovery_calls.inc_by(chunk.len() as u64 - 1);
        let reading: Vec<_> = chunk.iter().map(|push| azure.push(&project, &id, *push)).collect();
        let read: Vec<PushRecord> = scale.ask(in_order(reading, SINGLY_MAX)).await?;
        scale.take(read.iter().map(|push| compose::push(scale.home(), repository, push)).collect()).await?;
    }
    Ok(())
}
