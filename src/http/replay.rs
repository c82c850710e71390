//! Translating again what is kept.

use super::{
    cursor,
    extract::{Call, Segment},
    fields::{CURSOR, GUID, TIME, closed},
    members::Members,
    problem::Problem,
    reply::json,
};
use crate::{
    app::replay::{Asked, Became, Page, Replayed, Told, page, replay},
    domain::ConnectionId,
    store::{Log, Position},
};
use serde::Serialize;
use serde_json::{Value, json as value};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// Notifications of one request at most, and when it does not say.
const LIMIT_MAX: u64 = 500;
const LIMIT: u64 = 100;

/// What became of an event that was told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BecameView {
    /// There was none of this id.
    New,
    /// It says the same: nothing is appended.
    Unchanged,
    /// It says something else: a new revision, which names the event that it replaces.
    Changed,
    /// The fact was told first by another notification: nothing is appended.
    ToldByAnother,
}

/// An event that was told again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldView {
    /// Its id; of a changed one, the new revision's.
    pub id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(max_length = 200, example = "dev.cdevents.ticket.closed.0.2.0")]
    pub kind: String,
    /// What became of it.
    pub became: BecameView,
    /// The event that it replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Uuid>,
    /// The notification that told the fact first, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_by: Option<Uuid>,
    /// Where a changed one differs from the event that it replaces, or one that another notification told first from what
    /// that told, as JSON pointers: the first hundred.
    #[schema(max_items = 100)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
}

/// A notification that was translated again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayView {
    /// The notification.
    pub notification: Uuid,
    /// Its events.
    #[schema(max_items = 10000)]
    pub events: Vec<ToldView>,
    /// Why nothing comes of it, where that is so.
    #[schema(max_length = 4000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
}

/// A notification that was translated again, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneReplayView {
    /// Whether nothing was appended.
    pub dry_run: bool,
    /// What became of it.
    #[serde(flatten)]
    pub replay: ReplayView,
}

/// How much became what.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ReplayCounts {
    /// Notifications that were translated again.
    pub notifications: usize,
    /// Of those, of how many nothing comes.
    pub nothing: usize,
    /// Events that are new.
    pub new: usize,
    /// Events that say the same.
    pub unchanged: usize,
    /// Events that say something else.
    pub changed: usize,
    /// Events whose fact another notification told first.
    pub told_by_another: usize,
}

/// A stretch that was translated again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayPage {
    /// Whether nothing was appended.
    pub dry_run: bool,
    /// How much became what.
    pub counts: ReplayCounts,
    /// The notifications with something new or changed, and those of which nothing comes, oldest first.
    #[schema(max_items = 500)]
    pub data: Vec<ReplayView>,
    /// Send it as `after` to go on; absent at the end.
    #[schema(max_length = 64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// In the document; [`schema`] says what it is.
#[derive(ToSchema)]
pub struct ReplayBody;

/// What replaying a stretch takes.
pub fn schema() -> Value {
    closed(
        &["from", "to"],
        &value!({
            "from": TIME.schema("Notifications that were received from this time on."),
            "to": TIME.schema("And before this time."),
            "connection": GUID.nullable("Only those through this connection."),
            "after": CURSOR.nullable("Go on after what the page before reached: its `next`."),
            "limit": { "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT, "description": "Most notifications that are translated again by this request." },
            "dry_run": { "type": "boolean", "default": false, "description": "Whether nothing is to be appended." },
        }),
    )
}

impl From<Told> for ToldView {
    fn from(told: Told) -> Self {
        let Told { id, kind, became, replaces } = told;
        let (became, told_by, differences) = match became {
            Became::New => (BecameView::New, None, Vec::new()),
            Became::Unchanged => (BecameView::Unchanged, None, Vec::new()),
            Became::Changed(pointers) => (BecameView::Changed, None, pointers),
            Became::ToldByAnother(by, pointers) => (BecameView::ToldByAnother, Some(by.0), pointers),
        };
        Self { id, kind, became, replaces, told_by, differences }
    }
}

impl From<Replayed> for ReplayView {
    fn from(replayed: Replayed) -> Self {
        let Replayed { notification, events, nothing } = replayed;
        Self { notification: notification.0, events: events.into_iter().map(ToldView::from).collect(), nothing }
    }
}

impl ReplayPage {
    fn new(dry_run: bool, page: Page) -> Self {
        let (mut counts, mut data) = (ReplayCounts::default(), Vec::new());
        for view in page.replayed.into_iter().map(ReplayView::from) {
            counts.notifications += 1;
            counts.nothing += usize::from(view.nothing.is_some());
            for told in &view.events {
                *match told.became {
                    BecameView::New => &mut counts.new,
                    BecameView::Unchanged => &mut counts.unchanged,
                    BecameView::Changed => &mut counts.changed,
                    BecameView::ToldByAnother => &mut counts.told_by_another,
                } += 1;
            }
            let is_something = |told: &ToldView| matches!(told.became, BecameView::New | BecameView::Changed);
            if view.nothing.is_some() || view.events.iter().any(is_something) {
                data.push(view);
            }
        }
        let next = page.next.map(|position: Position| cursor::encode(Log::Notifications, position));
        Self { dry_run, counts, data, next }
    }
}

/// Translate a notification again.
///
/// From the kept bytes, with today's mapping, settings and bindings. What says the same as before has the same id and is
/// left alone; what says something else is appended as a new revision, an event of its own that names the one that it
/// replaces. A notification whose translation was given up becomes events where it can be translated today.
#[utoipa::path(post, path = "/v1/notifications/{id}/replay", tag = "notifications", operation_id = "replay_notification",
    params(("id" = Uuid, Path, description = "The notification's id."),
        ("dry_run" = Option<bool>, Query, description = "`true` to see the difference and append nothing.")),
    responses((status = 200, description = "What became of it, or would.", body = OneReplayView)))]
pub async fn one(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["dry_run"])?;
    let dry_run = query.parsed("dry_run", "true or false").unwrap_or(false);
    query.finish()?;
    let replayed = replay(call.app(), id.names("notification")?, dry_run).await?;
    let replayed = replayed.ok_or_else(|| Problem::not_found("notification"))?;
    Ok(json(&OneReplayView { dry_run, replay: replayed.into() }))
}

/// Translate a stretch of time again.
///
/// The notifications that were received in it, oldest first and a page at a time: go on with `next` until there is none.
/// The same replay once more appends nothing.
#[utoipa::path(post, path = "/v1/replay", tag = "notifications", operation_id = "replay_notifications",
    request_body = ReplayBody,
    responses((status = 200, description = "What became of a page of them, or would.", body = ReplayPage),
        (status = 410, description = "What followed the cursor is no longer kept.")))]
pub async fn stretch(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let body = call.json().await?;
    let (asked, after, limit) = read(&body)?;
    let after = after.map(|after| cursor::resume(call.app(), Log::Notifications, Some(&after))).transpose()?;
    let page = page(call.app(), &asked, after, limit).await?;
    Ok(json(&ReplayPage::new(asked.dry_run, page)))
}

fn read(body: &[u8]) -> Result<(Asked, Option<String>, usize), Problem> {
    let mut members = Members::parse(body)?;
    let time = |text: String| text.parse().expect("what is a time was checked");
    let given = members.text("from", &TIME);
    let from = members.required("from", given);
    let given = members.text("to", &TIME);
    let to = members.required("to", given);
    let connection = members.guid("connection").flatten().map(ConnectionId);
    let after = members.text("after", &CURSOR).flatten();
    let given = members.read("limit", |limit| match limit.as_u64() {
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(format!("must be a number from 1 to {LIMIT_MAX}")),
    });
    let limit = members.not_null("limit", given).unwrap_or(LIMIT);
    let given = members.read("dry_run", |dry_run| dry_run.as_bool().ok_or_else(|| "must be true or false".to_owned()));
    let dry_run = members.not_null("dry_run", given).unwrap_or(false);
    let (from, to) = (from.map(time), to.map(time));
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        members.wrong("to", "must be after from");
    }
    members.finish()?;
    let (Some(from), Some(to)) = (from, to) else { unreachable!("what is required and absent is an error") };
    Ok((Asked { from, to, connection, dry_run }, after, usize::try_from(limit).unwrap_or(usize::MAX)))
}
