//! The events as they come: server-sent events.
//!
//! `id:` is the cursor, so what a client's library sends as `Last-Event-ID` resumes without gap or repeat, also at
//! another time, after a restart of the gateway.

use super::{
    Surface, cursor,
    events::filter,
    extract::Call,
    left_out::LeftOut,
    problem::{Kind, Problem},
};
use crate::{
    app::events::{Filter, Limit, Page, page_or_wait},
    domain::TokenId,
    store::{Error, Log, Position},
};
use bytes::Bytes;
use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use http::{HeaderName, HeaderValue, Method, header};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;
use warp::{Reply as _, reply::Response};

/// Streams open at once.
pub(super) const STREAMS_MAX: usize = 256;
/// The limits of one read of the log; each read is one piece of the stream.
const BATCH: Limit = Limit { events_max: 100, bytes_max: 512 << 10 };
/// When it is looked again whether there is room for the next piece.
const ROOM_PERIOD: Duration = Duration::from_millis(500);
/// A sign of life for proxies that close what is silent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon the stream of a token ends that was deleted, at the latest.
const TOKEN_PERIOD: Duration = Duration::from_secs(2);
/// Longest life of a stream, and the one without `timeout`.
const TIMEOUT_SECONDS_MAX: u64 = 3_600;
/// When a client that found no room should try again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Follow events.
///
/// A `text/event-stream`: for each event `id:` (its cursor), `event: cdevent` and `data:` (the CloudEvent in one line); for
/// events that were recorded and cannot be read any more, `event: left-out` with their number, times and cause. To
/// resume, send the last `id` as the header `Last-Event-ID`, as browsers do by themselves, or as `after`; the header
/// wins. Without either it begins with the oldest event that is kept. Every 15 seconds a comment shows that the stream
/// lives. It ends after `timeout` seconds, when the gateway stops, and soon after its token is deleted; connect again to
/// go on.
#[utoipa::path(get, path = "/v1/events/stream", tag = "events", operation_id = "stream_events",
    params(
        ("after" = Option<String>, Query, description = "A cursor: events after it.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$"),
        ("type" = Option<String>, Query, description = "As in the list of events.", min_length = 1, max_length = 4020, pattern = "^[A-Za-z0-9._-]{1,199}\\*?(,[A-Za-z0-9._-]{1,199}\\*?){0,19}$", example = "dev.cdevents.change.*"),
        ("project" = Option<String>, Query, description = "As in the list of events.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("connection" = Option<Uuid>, Query, description = "As in the list of events."),
        ("timeout" = Option<u32>, Query, description = "Seconds until the stream ends; 3600 when left out.", minimum = 1, maximum = 3600),
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that was seen; wins over `after`. Empty: none was.", max_length = 64, pattern = "^[A-Za-z0-9_-]*$"),
    ),
    responses((status = 200, description = "The stream.", body = String, content_type = "text/event-stream"),
        (status = 410, description = "What followed the cursor is no longer kept.")))]
pub async fn follow(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["after", "type", "project", "connection", "timeout"])?;
    let filter = filter(&mut query, &call.app().directory());
    let life = Duration::from_secs(query.number("timeout", 1..=TIMEOUT_SECONDS_MAX, TIMEOUT_SECONDS_MAX));
    let after = query.text("after").map(str::to_owned);
    query.finish()?;
    let last_seen = last_event_id(&call)?;
    let after = cursor::resume(call.app(), Log::Events, last_seen.or(after.as_deref()))?;
    let permit = Arc::clone(&call.surface.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable(format!("{STREAMS_MAX} streams are open, which is the most"), RETRY_AFTER))?;
    if call.method == Method::HEAD {
        return Ok(event_stream(stream::empty()));
    }
    let began = call.app().clock.monotonic();
    let surface = Arc::clone(&call.surface);
    let follower =
        Follower { surface, filter, after, caller: call.caller, ends: began + life, spoke: began, _permit: permit };
    Ok(event_stream(follower.pieces()))
}

fn last_event_id(call: &Call) -> Result<Option<&str>, Problem> {
    match call.headers.get("last-event-id").map(HeaderValue::to_str) {
        // An `EventSource` that has seen no id yet may send an empty one.
        None | Some(Ok("")) => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(Problem::because(Kind::InvalidCursor, "Last-Event-ID is not a cursor")),
    }
}

fn event_stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let pieces = Exclusive(Mutex::new(pieces.boxed()));
    let mut response = warp::reply::stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// One open stream.
struct Follower {
    surface: Arc<Surface>,
    filter: Filter,
    after: Position,
    /// The token that it was opened with.
    caller: Option<TokenId>,
    ends: Duration,
    /// When it last gave a sign of life.
    spoke: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn pieces(self) -> impl Stream<Item = Bytes> + Send {
        let opening = stream::iter([Bytes::from_static(b"retry: 5000\n\n")]);
        opening.chain(stream::unfold(self, |mut follower| async {
            let piece = follower.piece().await?;
            Some((piece, follower))
        }))
    }

    /// The next events or a heartbeat; `None` ends the stream. Only what was read is behind `after`, so a stream that is
    /// cut anywhere is resumed right there.
    async fn piece(&mut self) -> Option<Bytes> {
        let app = &self.surface.app;
        loop {
            let now = app.clock.monotonic();
            let left = self.ends.checked_sub(now).filter(|left| !left.is_zero())?;
            if *app.stopping().borrow() {
                return None;
            }
            let silent = (self.spoke + HEARTBEAT).saturating_sub(now);
            let wait = left.min(silent).min(TOKEN_PERIOD);
            let page = match page_or_wait(app, &self.filter, self.after, BATCH, wait).await {
                Ok(page) if app.store.trimmed(Log::Events) > self.after.max(page.reached) => return None,
                Ok(page) => page,
                Err(error) => {
                    log(&error);
                    return None;
                }
            };
            // After the wait: what came in the meantime is not for a token that went in the meantime.
            if !self.caller.is_none_or(|token| app.directory().tokens.contains_key(&token)) {
                return None;
            }
            let now = app.clock.monotonic();
            let is_sign = !page.events.is_empty() || now >= self.spoke + HEARTBEAT || now >= self.ends;
            if !is_sign {
                self.after = page.reached;
                continue;
            }
            // Other replies of its token may not be taken: this one waits for them, and misses nothing.
            let by = self.caller.map_or(Uuid::nil(), |token| token.0);
            let piece = render(&page);
            // A sign of life is small, and has to be given in time.
            let piece = if page.events.is_empty() { Ok(piece.into()) } else { self.surface.replies.keep(by, piece) };
            if let Ok(piece) = piece {
                (self.after, self.spoke) = (page.reached, now);
                return Some(piece);
            }
            app.clock.sleep(ROOM_PERIOD).await;
        }
    }
}

/// A client that comes back is told what is wrong by a status, which a running stream no longer has.
fn log(error: &Error) {
    tracing::error!(error = %error, "a stream ended because the events could not be read");
}

/// A heartbeat carries the cursor too: a stream whose filter matches nothing for a month must not fall behind what is
/// trimmed. (By the standard an `id` without data moves the last event id and dispatches nothing.)
fn render(page: &Page) -> Vec<u8> {
    let mut text = Vec::new();
    for damage in &page.left_out {
        let left_out = serde_json::to_string(&LeftOut::from(damage)).expect("numbers and texts are JSON");
        text.extend_from_slice(format!("event: left-out\ndata: {left_out}\n\n").as_bytes());
    }
    for event in &page.events {
        let id = cursor::encode(Log::Events, event.position);
        text.extend_from_slice(format!("id: {id}\nevent: cdevent\ndata: ").as_bytes());
        text.extend_from_slice(&event.json);
        text.extend_from_slice(b"\n\n");
    }
    if page.events.is_empty() {
        text.extend_from_slice(format!(": alive\nid: {}\n\n", cursor::encode(Log::Events, page.reached)).as_bytes());
    }
    text
}

/// Makes a stream `Sync`, which warp asks for, without a lock being taken: it is only ever polled through `&mut`.
struct Exclusive(Mutex<BoxStream<'static, Bytes>>);

impl Stream for Exclusive {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let stream = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        stream.poll_next_unpin(context).map(|piece| piece.map(Ok))
    }
}
