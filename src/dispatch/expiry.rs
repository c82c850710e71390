//! Giving up what has passed its retention before the sink took it, so that a sink that is paused or broken for weeks
//! cannot keep the journal from being trimmed.

use super::{
    parcel,
    worker::{LEASE, Worker},
};
use crate::{
    domain::Sink,
    store::{Error, Log, PAGE_RECORDS_MAX, PageLimit, Position, Record, Settlement, Wanted},
};
use jiff::Timestamp;

/// The reason that is kept.
const EXPIRED: &str = "it had passed its retention before the sink took it";
/// Events looked at in one commit.
const PAGE: PageLimit = PageLimit { records_max: PAGE_RECORDS_MAX, body_bytes_max: 4 << 20 };
const WAITING_AT_ONCE: usize = 100;

/// Gives up everything that is older than events are kept.
pub(super) async fn expire(worker: &mut Worker, sink: &Sink) -> Result<(), Error> {
    let before = worker.app.clock.now().checked_sub(worker.app.settings.retention).unwrap_or(Timestamp::MIN);
    while !*worker.app.stopping().borrow() {
        let Some((wanted, count)) = old(worker, before).await? else { break };
        let (now, limit) = (worker.app.clock.now(), PageLimit { records_max: count, body_bytes_max: usize::MAX });
        let claim = worker.app.store.claim_of(&worker.consumer, &wanted, now, LEASE, limit).await?;
        if claim.records.is_empty() {
            break;
        }
        let are_late = matches!(wanted, Wanted::These(_));
        let is_wanted =
            |record: &Record| parcel::event(record).is_some_and(|event| parcel::unwanted(sink, &event).is_none());
        let settlements: Vec<Settlement> = claim
            .records
            .iter()
            .map(|claimed| {
                let missed = are_late || is_wanted(&claimed.record);
                if missed { Settlement::Dead { reason: EXPIRED.to_owned() } } else { Settlement::Done }
            })
            .collect();
        let positions: Vec<Position> = claim.records.iter().map(|claimed| claimed.record.position).collect();
        let dead = settlements.iter().filter(|settlement| matches!(settlement, Settlement::Dead { .. })).count() as u64;
        worker.app.store.settle(claim, settlements, Vec::new()).await?;
        for position in positions {
            worker.queue.remove(position);
        }
        if dead > 0 {
            worker.app.metrics.delivered(sink.id, "expired", dead);
            worker.app.dispatch.tell(sink.id, |doing| doing.expired += dead);
            tracing::warn!(sink = %sink.id, dead, "events had passed their retention before the sink took them");
        }
    }
    Ok(())
}

/// What to claim that is older: first of what waits, then of what is new. How many they are.
async fn old(worker: &Worker, before: Timestamp) -> Result<Option<(Wanted, usize)>, Error> {
    let store = &worker.app.store;
    let mut positions = Vec::new();
    for waiting in store.waiting(&worker.consumer, Position(0), WAITING_AT_ONCE).await? {
        let one = PageLimit { records_max: 1, body_bytes_max: 1 };
        let record = store.read(Log::Events, Position(waiting.position.0 - 1), one).await?;
        if record.first().is_none_or(|record| record.time >= before) {
            break;
        }
        positions.push(waiting.position);
    }
    if !positions.is_empty() {
        let count = positions.len();
        return Ok(Some((Wanted::These(positions), count)));
    }
    let cursor = store.cursor(&worker.consumer).await?;
    let count = store.read(Log::Events, cursor, PAGE).await?.iter().take_while(|record| record.time < before).count();
    Ok((count > 0).then_some((Wanted::Fresh, count)))
}
