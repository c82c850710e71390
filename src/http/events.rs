//! The events, page by page.

use super::{
    cursor,
    extract::{Call, Query, Segment},
    left_out::LeftOut,
    problem::Problem,
    reply::{large_raw_json, linked},
};
use crate::{
    app::{
        Directory,
        events::{Filter, Limit, PAGE_BYTES_MAX, page_or_wait},
    },
    domain::{Slug, TypePattern},
    event::Event,
    store::Log,
};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// Media type of one event.
const CLOUDEVENT: &str = "application/cloudevents+json";
/// Most events on a page, and how many without `limit`.
const LIMIT_MAX: u64 = 1_000;
const LIMIT_DEFAULT: u64 = 100;
/// Longest long poll.
const WAIT_SECONDS_MAX: u64 = 30;
/// Most patterns in one `type` filter and most characters of each.
const TYPES_MAX: usize = 20;
const TYPE_CHARS_MAX: usize = 200;

/// A CDEvent in a structured CloudEvent. `type` says which; `data` holds the CDEvent.
#[derive(Debug, Serialize, ToSchema)]
pub struct CloudEvent {
    /// Always `1.0`.
    #[schema(max_length = 10, example = "1.0")]
    specversion: String,
    /// One fact, one id, whichever way it came to us: whoever must not act twice remembers this.
    id: Uuid,
    /// The organization or collection, and its project.
    #[schema(format = "uri-reference", max_length = 4096)]
    source: String,
    /// The event's type with its version.
    #[serde(rename = "type")]
    #[schema(max_length = 300, example = "dev.cdevents.change.merged.0.3.0")]
    kind: String,
    /// Its place in this gateway's log: grows with every event, has gaps.
    #[schema(min_length = 20, max_length = 20, example = "00000000000000000042")]
    sequence: String,
    /// When this gateway recorded it.
    #[schema(format = DateTime, max_length = 40)]
    recordedtime: String,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsPage {
    /// The events, oldest first. A page may be empty although there are more: with a filter only so much is looked at
    /// per request.
    #[schema(max_items = 1000)]
    data: Vec<CloudEvent>,
    /// Send it as `after` to go on, now or later; always there, also at the end.
    #[schema(max_length = 64)]
    next: String,
    /// Events of this stretch that were recorded and cannot be read any more; left out when there are none. A backfill
    /// over their time brings back what Azure DevOps' records still tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1000)]
    left_out: Vec<LeftOut>,
}

/// List events.
///
/// Oldest first, from `after` or from the oldest that is kept. Keep `next` and send it as `after`: at the end of the log
/// too, where it waits for what comes. Without events to give, `wait` keeps the request open for up to that many seconds.
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "list_events",
    params(
        ("after" = Option<String>, Query, description = "A cursor: events after it. Without it, from the oldest kept.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$"),
        ("limit" = Option<u32>, Query, description = "Most events on the page; 100 when left out. The event with which the page reaches 4 MiB is its last, so that one has fewer where events are large.", minimum = 1, maximum = 1000),
        ("type" = Option<String>, Query, description = "Event types separated by commas; with or without version, or the beginning of one followed by `*`.", min_length = 1, max_length = 4020, pattern = "^[A-Za-z0-9._-]{1,199}\\*?(,[A-Za-z0-9._-]{1,199}\\*?){0,19}$", example = "dev.cdevents.change.*"),
        ("project" = Option<String>, Query, description = "Events that a binding of this project matches, by its slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("connection" = Option<Uuid>, Query, description = "Events of this connection."),
        ("wait" = Option<u32>, Query, description = "Seconds to wait for an event when there is none; 0 when left out.", minimum = 0, maximum = 30),
    ),
    responses((status = 200, description = "A page.", body = EventsPage,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))),
        (status = 410, description = "What followed the cursor is no longer kept.")))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["after", "limit", "type", "project", "connection", "wait"])?;
    let filter = filter(&mut query, &call.app().directory());
    let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    let wait = Duration::from_secs(query.number("wait", 0..=WAIT_SECONDS_MAX, 0));
    let after = query.text("after").map(str::to_owned);
    query.finish()?;
    let after = cursor::resume(call.app(), Log::Events, after.as_deref())?;
    let limit = Limit { events_max: usize::try_from(limit).unwrap_or(usize::MAX), bytes_max: PAGE_BYTES_MAX };
    let page = page_or_wait(call.app(), &filter, after, limit, wait).await?;
    // Joined, not re-encoded: an event is the same bytes for every reader.
    let mut body = b"{\"data\":[".to_vec();
    for (at, event) in page.events.into_iter().enumerate() {
        body.extend_from_slice(if at == 0 { b"" } else { b"," });
        body.extend_from_slice(&event.json);
    }
    let next = cursor::encode(Log::Events, page.reached);
    body.extend_from_slice(format!("],\"next\":\"{next}\"").as_bytes());
    if !page.left_out.is_empty() {
        let left_out: Vec<_> = page.left_out.iter().map(LeftOut::from).collect();
        body.extend_from_slice(b",\"left_out\":");
        serde_json::to_writer(&mut body, &left_out).expect("numbers and texts are JSON");
    }
    body.push(b'}');
    Ok(linked(&call, &next, large_raw_json(&call, body, "application/json")?))
}

/// Read an event.
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", operation_id = "read_event",
    params(("id" = Uuid, Path, description = "The event's id.")),
    responses((status = 200, description = "The event.", body = CloudEvent, content_type = CLOUDEVENT)))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let id: Uuid = id.names("event")?;
    let record = call.app().store.find(Log::Events, id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let event =
        Event::from_stored(id, &record.body).ok_or_else(|| Problem::internal(format!("event {id} is damaged")))?;
    large_raw_json(&call, event.served(record.position.0, record.time), CLOUDEVENT)
}

/// The filters that the list and the stream share.
pub(super) fn filter(query: &mut Query, directory: &Directory) -> Filter {
    let project: Option<Slug> = query.parsed("project", "a project's slug");
    if project.as_ref().is_some_and(|slug| !directory.projects.contains_key(slug)) {
        query.wrong("project", "is no project of this gateway; /v1/projects lists them");
    }
    let connection = query.parsed("connection", "a connection's id");
    let types: Vec<String> =
        query.text("type").map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let fits = |text: &String| {
        let name = text.strip_suffix('*').unwrap_or(text);
        (1..TYPE_CHARS_MAX).contains(&name.len()) && plain(name)
    };
    if types.len() > TYPES_MAX || !types.iter().all(fits) {
        query.wrong(
            "type",
            "must be 1 to 20 event types separated by commas, each of A-Z a-z 0-9 . _ - and perhaps a * at its end",
        );
    }
    Filter { types: types.iter().map(|text| TypePattern::new(text)).collect(), project, connection }
}
