//! Sinks: where events are pushed.

mod body;
mod delivery_view;
mod settings;
mod view;

pub use self::{
    body::{
        NewSinkBody, SinkChangeBody, SinkReplayBody, SinkTestBody, change_schema, new_schema, replay_schema,
        test_schema,
    },
    delivery_view::{DeliveryPage, DeliveryView, EventDeliveries, SampleView, SinkReplayView, SinkTestView},
    view::{SinkList, SinkView},
};

use self::body::{read_change, read_new, read_replay, read_test};
use super::{
    cursor,
    extract::{Call, Segment},
    idempotency::{Creation, begin},
    problem::{Kind, Problem},
    reply::{if_match, if_match_required, json, large_json, linked, no_content, secret, tagged},
};
use crate::{
    app::{
        Kept,
        change::Precondition,
        sinks::{self, deliveries},
    },
    dispatch::{self, Lag},
    domain::{Sink, SinkId},
    store::Log,
};
use uuid::Uuid;
use warp::reply::Response;

/// Most deliveries on a page, and how many without `limit`.
const LIMIT_MAX: u64 = 100;
const LIMIT_DEFAULT: u64 = 50;

/// List sinks.
#[utoipa::path(get, path = "/v1/sinks", tag = "sinks", operation_id = "list_sinks",
    responses((status = 200, description = "All of them.", body = SinkList)))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let mut data = Vec::new();
    for kept in call.app().directory().sinks.values() {
        data.push(view(&call, &kept.record).await?);
    }
    Ok(json(&SinkList { data }))
}

/// Make a sink.
///
/// Events go to it at once, from `start` on. The reply shows the signing secret of a webhook, this once.
#[utoipa::path(post, path = "/v1/sinks", tag = "sinks", operation_id = "create_sink",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating it safe for 24 hours.", pattern = "^([!#-~]{1,255}|\"[!#-~]{1,255}\")$")),
    request_body = NewSinkBody,
    responses((status = 201, description = "Made.", body = SinkView)))]
pub async fn create(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let body = call.json().await?;
    let mut making = match begin(&call, &body)? {
        Creation::Again(reply) => return Ok(reply),
        Creation::New(making) => making,
    };
    let new = read_new(call.app(), &body)?;
    let show = |record: &Sink, signing: Option<&crate::app::connections::Secret>| {
        let view = SinkView::new(call.app(), record, Lag::default()).showing(signing);
        making.made(format!("/v1/sinks/{}", record.id), &view)
    };
    let kept = sinks::create(call.app(), new, show).await?;
    Ok(making.reply(Some(kept.version.into())))
}

/// Read a sink.
#[utoipa::path(get, path = "/v1/sinks/{id}", tag = "sinks", operation_id = "read_sink",
    params(("id" = Uuid, Path, description = "The sink's id.")),
    responses((status = 200, description = "The sink, and how it is doing.", body = SinkView)))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let kept = sinks::find(&call.app().directory(), id.names("sink")?)?;
    shown(&call, &kept).await
}

/// Change a sink.
///
/// Members that are left out stay as they are (RFC 7396). What waited for its time is tried at once.
#[utoipa::path(patch, path = "/v1/sinks/{id}", tag = "sinks", operation_id = "change_sink",
    params(("id" = Uuid, Path, description = "The sink's id."),
        ("If-Match" = String, Header, example = "*", description = "The ETag that reading it gave, or `*`.", min_length = 1, max_length = 1000)),
    request_body(content((SinkChangeBody = "application/json"), (SinkChangeBody = "application/merge-patch+json"))),
    responses((status = 200, description = "As it is now.", body = SinkView),
        (status = 409, description = "It cannot be used so.")))]
pub async fn edit(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let id: SinkId = id.names("sink")?;
    let there = sinks::find(&call.app().directory(), id)?;
    if_match_required(&call)?.check(there.version)?;
    let change = read_change(&call.json().await?, &there.record.target)?;
    let kept = sinks::edit(call.app(), id, &Precondition::Versions(vec![there.version]), change).await?;
    shown(&call, &kept).await
}

/// Remove a sink.
///
/// What it had not got it never gets. Its attempts are kept for their time.
#[utoipa::path(delete, path = "/v1/sinks/{id}", tag = "sinks", operation_id = "remove_sink",
    params(("id" = Uuid, Path, description = "The sink's id."),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 204, description = "It is gone.")))]
pub async fn remove(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let precondition = if_match(&call)?.unwrap_or(Precondition::None);
    sinks::remove(call.app(), id.names("sink")?, &precondition).await?;
    Ok(no_content())
}

/// Pause a sink.
///
/// Events wait for it, but no longer than events are kept.
#[utoipa::path(post, path = "/v1/sinks/{id}/pause", tag = "sinks", operation_id = "pause_sink",
    params(("id" = Uuid, Path, description = "The sink's id."),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "As it is now.", body = SinkView)))]
pub async fn pause(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    set_paused(id, call, true).await
}

/// Resume a sink.
///
/// Also one that said that it wants no more events. What waits is tried at once.
#[utoipa::path(post, path = "/v1/sinks/{id}/resume", tag = "sinks", operation_id = "resume_sink",
    params(("id" = Uuid, Path, description = "The sink's id."),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "As it is now.", body = SinkView)))]
pub async fn resume(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    set_paused(id, call, false).await
}

async fn set_paused(id: Segment, call: Result<Call, Problem>, paused: bool) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let precondition = if_match(&call)?.unwrap_or(Precondition::None);
    let kept = sinks::pause(call.app(), id.names("sink")?, paused, &precondition).await?;
    shown(&call, &kept).await
}

/// Rotate the signing secret of a sink.
///
/// Makes a new secret and shows it this once. Deliveries are signed by both for the overlap, 7 days unless configured
/// otherwise; rotating again ends it at once.
#[utoipa::path(post, path = "/v1/sinks/{id}/rotate-secret", tag = "sinks", operation_id = "rotate_sink_secret",
    params(("id" = Uuid, Path, description = "The sink's id."),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "With the new secret.", body = SinkView),
        (status = 409, description = "It signs nothing.")))]
pub async fn rotate(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let precondition = if_match(&call)?.unwrap_or(Precondition::None);
    let (kept, fresh) = sinks::rotate_secret(call.app(), id.names("sink")?, &precondition).await?;
    let view = view(&call, &kept.record).await?.showing(Some(&fresh));
    Ok(tagged(kept.version, secret(json(&view))))
}

/// Try a sink out.
///
/// Sends the newest event of each type that is asked for and that its filter wants, at most 10, and says how each went.
/// Nothing of it is kept. Where there is no such event, one that is about nothing is sent.
#[utoipa::path(post, path = "/v1/sinks/{id}/test", tag = "sinks", operation_id = "test_sink",
    params(("id" = Uuid, Path, description = "The sink's id.")),
    request_body = SinkTestBody,
    responses((status = 200, description = "How it went.", body = SinkTestView),
        (status = 409, description = "Its settings cannot be used.")))]
pub async fn test(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let kept = sinks::find(&call.app().directory(), id.names("sink")?)?;
    let types = read_test(&call.json().await?)?;
    match dispatch::test(call.app(), &kept.record, &types).await? {
        Ok(samples) => Ok(json(&SinkTestView { data: samples.into_iter().map(SampleView::from).collect() })),
        Err(unusable) => Err(Problem::because(Kind::Conflict, unusable.0)),
    }
}

/// Send events to a sink once more.
///
/// One event, a stretch of the log or what was given up, as far as the filter wants it. At most 10,000 events are looked at;
/// `next` says where to go on. What the sink has yet to get, and what waits already, is left as it is.
#[utoipa::path(post, path = "/v1/sinks/{id}/replay", tag = "sinks", operation_id = "replay_to_sink",
    params(("id" = Uuid, Path, description = "The sink's id.")),
    request_body = SinkReplayBody,
    responses((status = 200, description = "They wait to be sent.", body = SinkReplayView),
        (status = 409, description = "The filter does not want the event.")))]
pub async fn replay(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let id: SinkId = id.names("sink")?;
    sinks::find(&call.app().directory(), id)?;
    let body = call.json().await?;
    let what = read_replay(call.app(), &body).await?;
    let replayed = sinks::replay(call.app(), id, what).await?;
    let next = replayed.next.map(|next| cursor::encode(Log::Events, next));
    Ok(json(&SinkReplayView { replayed: replayed.count, next }))
}

/// List the deliveries of a sink.
///
/// Without `state`, every attempt that is kept (7 days), oldest first; `waiting` and `dead` are by event, with all attempts
/// of each. With `event`, what became of that one: whatever it is, or only if it is in `state`.
#[utoipa::path(get, path = "/v1/sinks/{id}/deliveries", tag = "sinks", operation_id = "list_deliveries",
    params(("id" = Uuid, Path, description = "The sink's id."),
        ("state" = Option<String>, Query, description = "Only these: `delivered`, `waiting` or `dead`.", pattern = "^(delivered|waiting|dead)$", example = "dead"),
        ("event" = Option<Uuid>, Query, description = "Only this event."),
        ("after" = Option<String>, Query, description = "A cursor of the same list: deliveries after it.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$"),
        ("limit" = Option<u32>, Query, description = "Most deliveries on the page; 50 when left out.", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page.", body = DeliveryPage,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`, where there is one."))),
        (status = 410, description = "What followed the cursor is no longer kept.")))]
pub async fn list_deliveries(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["state", "event", "after", "limit"])?;
    let wanted = match query.text("state") {
        None => deliveries::Wanted::Attempts,
        Some("delivered") => deliveries::Wanted::Delivered,
        Some("waiting") => deliveries::Wanted::Waiting,
        Some("dead") => deliveries::Wanted::Dead,
        Some(_) => {
            query.wrong("state", "must be delivered, waiting or dead");
            deliveries::Wanted::Attempts
        }
    };
    let event: Option<Uuid> = query.parsed("event", "an event's id");
    let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    let after = query.text("after").map(str::to_owned);
    query.finish()?;
    let kept = sinks::find(&call.app().directory(), id.names("sink")?)?;
    if let Some(event) = event {
        let record = call.app().store.find(Log::Events, event).await?.ok_or_else(|| Problem::not_found("event"))?;
        let delivery = deliveries::of_event(call.app(), &kept.record, &record).await?;
        let found = Some(delivery).filter(|delivery| wanted.takes(&delivery.fate));
        let data = found.into_iter().map(|delivery| DeliveryView::new(&kept.record, delivery)).collect();
        return Ok(json(&DeliveryPage { data, next: None }));
    }
    let after = cursor::resume(call.app(), wanted.log(), after.as_deref())?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (found, next) = deliveries::page(call.app(), &kept.record, wanted, after, limit).await?;
    let next = next.map(|next| cursor::encode(wanted.log(), next));
    let data = found.into_iter().map(|delivery| DeliveryView::new(&kept.record, delivery)).collect();
    let page = large_json(&call, &DeliveryPage { data, next: next.clone() })?;
    Ok(match next {
        Some(next) => linked(&call, &next, page),
        None => page,
    })
}

/// Read what became of an event at each sink.
///
/// Whether it arrived, waits, was given up or was not wanted, and why.
#[utoipa::path(get, path = "/v1/events/{id}/deliveries", tag = "sinks", operation_id = "read_event_deliveries",
    params(("id" = Uuid, Path, description = "The event's id.")),
    responses((status = 200, description = "By sink.", body = EventDeliveries)))]
pub async fn of_event(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let id: Uuid = id.names("event")?;
    let record = call.app().store.find(Log::Events, id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let mut data = Vec::new();
    for kept in call.app().directory().sinks.values() {
        let delivery = deliveries::of_event(call.app(), &kept.record, &record).await?;
        data.push(DeliveryView::new(&kept.record, delivery));
    }
    Ok(json(&EventDeliveries { data }))
}

async fn shown(call: &Call, kept: &Kept<Sink>) -> Result<Response, Problem> {
    Ok(tagged(kept.version, json(&view(call, &kept.record).await?)))
}

async fn view(call: &Call, record: &Sink) -> Result<SinkView, Problem> {
    Ok(SinkView::new(call.app(), record, dispatch::lag(call.app(), record).await?))
}
