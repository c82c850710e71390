//! What was received, and what became of it.

use super::{
    cursor,
    extract::{Call, Segment},
    left_out::LeftOut,
    problem::Problem,
    replay::{ReplayView, ToldView},
    reply::{large_json, linked},
};
use crate::{
    app::{
        notifications::{Filter, Seen, State, find, page},
        replay,
    },
    domain::{Disposition, KeySource, QuarantineReason, Recovered},
    store::Log,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// What became of a notification.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateView {
    /// It is or will be translated.
    Accepted,
    /// The Test button's sample: kept and shown, never an event.
    Test,
    /// Kept for the operator, never an event.
    Quarantined,
    /// Its translation was given up.
    Dead,
}

/// What the id was made of: which redeliveries it recognises.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySourceView {
    /// Connection, subscriptionId and notificationId.
    Delivery,
    /// Connection and the envelope's id.
    Envelope,
    /// Connection and the hash of the body.
    Body,
    /// Connection and the events that it tells: it was composed from Azure's records.
    Fact,
}

/// Why a notification is not translated.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonView {
    /// The body is not JSON.
    NotJson,
    /// The body is JSON but no service-hook envelope.
    NotAnEnvelope,
    /// The body was over the limit; only its head is kept.
    TooLarge,
    /// It speaks of another collection than the connection's.
    ForeignCollection,
    /// Its translation failed for good.
    Untranslatable,
}

/// Why a notification is in quarantine or dead.
#[derive(Debug, Serialize, ToSchema)]
pub struct TroubleView {
    /// The kind of trouble.
    pub reason: ReasonView,
    /// What exactly.
    #[schema(max_length = 4000)]
    pub detail: String,
}

/// A notification.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationView {
    /// Its id; a redelivery has the same.
    pub id: Uuid,
    /// What became of it.
    pub state: StateView,
    /// Whether the translation is through with it.
    pub settled: bool,
    /// Why it is in quarantine or dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<TroubleView>,
    /// Through which connection it came.
    pub connection: Uuid,
    /// When it was received.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub received_at: jiff::Timestamp,
    /// Its `eventType`.
    #[schema(max_length = 200, example = "git.push")]
    pub event_type: Option<String>,
    /// Its `subscriptionId`.
    #[schema(max_length = 200)]
    pub subscription_id: Option<String>,
    /// Its `notificationId`.
    pub notification_id: Option<i64>,
    /// How we came by it where no hook delivered it: `history` or `rest`.
    #[schema(max_length = 20)]
    pub recovered: Option<&'static str>,
    /// How many bytes were sent.
    pub size_bytes: u64,
}

/// How the sender proved itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationView {
    /// The subscription key in the Basic user name; `manual` for a hook made by hand.
    #[schema(max_length = 400)]
    pub subscription_key: String,
    /// The generation of the password that was used.
    pub generation: u32,
    /// Whether the body's signature was checked too.
    pub signature: bool,
}

/// The raw body, as text where it is UTF-8.
#[derive(Debug, Serialize, ToSchema)]
pub struct RawBodyView {
    /// `utf-8` or `base64`.
    #[schema(max_length = 10)]
    pub encoding: &'static str,
    /// The body, or its head when `truncated`.
    pub content: String,
    /// Whether it was over the limit, so that only its head is kept.
    pub truncated: bool,
}

/// A notification in full.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub notification: NotificationView,
    /// What the id was made of.
    pub key_source: KeySourceView,
    /// How the sender proved itself.
    pub verification: VerificationView,
    /// The reason in the hook's URL.
    #[schema(max_length = 100)]
    pub reason: Option<String>,
    /// Azure DevOps' own headers, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The events that it tells, translated as it would be today: `unchanged` ones came of it, and of those that are
    /// `told_by_another` an event was there before; `differences` says where that says something else.
    #[schema(max_items = 10000)]
    pub events: Vec<ToldView>,
    /// Why it tells none, where that is so.
    #[schema(max_length = 4000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
    /// The raw body, with `?body=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<RawBodyView>,
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationsPage {
    /// The notifications, oldest first. A page may be empty although there are more: with a filter only so much is
    /// looked at per request.
    #[schema(max_items = 1000)]
    pub data: Vec<NotificationView>,
    /// Send it as `after` to go on, now or later; always there, also at the end.
    #[schema(max_length = 64)]
    pub next: String,
    /// Notifications of this stretch that were stored and cannot be read any more; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1000)]
    pub left_out: Vec<LeftOut>,
}

impl From<&Seen> for NotificationView {
    fn from(seen: &Seen) -> Self {
        let record = &seen.notification;
        let trouble = match (&seen.dead, &record.disposition) {
            (Some(reason), _) => Some(TroubleView { reason: ReasonView::Untranslatable, detail: reason.clone() }),
            (None, Disposition::Quarantined { reason, detail }) => {
                Some(TroubleView { reason: (*reason).into(), detail: detail.clone() })
            }
            (None, Disposition::Accepted | Disposition::Test) => None,
        };
        let state = match seen.state() {
            State::Accepted => StateView::Accepted,
            State::Test => StateView::Test,
            State::Quarantined => StateView::Quarantined,
            State::Dead => StateView::Dead,
        };
        Self {
            id: record.id.0,
            state,
            settled: seen.settled,
            trouble,
            connection: record.connection.0,
            received_at: record.received_at,
            event_type: record.event_type.clone(),
            subscription_id: record.subscription_id.clone(),
            notification_id: record.notification_id,
            recovered: record.recovered.map(Recovered::word),
            size_bytes: record.size_bytes,
        }
    }
}

impl From<QuarantineReason> for ReasonView {
    fn from(reason: QuarantineReason) -> Self {
        match reason {
            QuarantineReason::NotJson => Self::NotJson,
            QuarantineReason::NotAnEnvelope => Self::NotAnEnvelope,
            QuarantineReason::TooLarge => Self::TooLarge,
            QuarantineReason::ForeignCollection => Self::ForeignCollection,
        }
    }
}

impl NotificationDetail {
    fn new(seen: &Seen, replay: ReplayView, with_body: bool) -> Self {
        let record = &seen.notification;
        let truncated = record.size_bytes > record.body.len() as u64;
        let body = with_body.then(|| match std::str::from_utf8(&record.body) {
            Ok(text) => RawBodyView { encoding: "utf-8", content: text.to_owned(), truncated },
            Err(_) => RawBodyView { encoding: "base64", content: BASE64_STANDARD.encode(&record.body), truncated },
        });
        Self {
            notification: seen.into(),
            key_source: match record.key_source {
                KeySource::Delivery => KeySourceView::Delivery,
                KeySource::Envelope => KeySourceView::Envelope,
                KeySource::Body => KeySourceView::Body,
                KeySource::Fact => KeySourceView::Fact,
            },
            verification: VerificationView {
                subscription_key: record.verified.subscription_key.clone(),
                generation: record.verified.generation,
                signature: record.verified.signature,
            },
            reason: record.reason.map(|reason| format!("{reason:?}")),
            headers: record.headers.clone(),
            events: replay.events,
            nothing: replay.nothing,
            body,
        }
    }
}

/// List notifications.
///
/// Oldest first, from `after` or from the oldest that is kept.
#[utoipa::path(get, path = "/v1/notifications", tag = "notifications", operation_id = "list_notifications",
    params(
        ("after" = Option<String>, Query, description = "A cursor: notifications after it. Without it, from the oldest kept.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$"),
        ("limit" = Option<u32>, Query, description = "Most notifications on the page; 100 when left out.", minimum = 1, maximum = 1000),
        ("state" = Option<StateView>, Query, description = "In this state."),
        ("connection" = Option<Uuid>, Query, description = "Through this connection."),
        ("type" = Option<String>, Query, description = "Of this `eventType`.", min_length = 1, max_length = 200, example = "git.push"),
    ),
    responses((status = 200, description = "A page.", body = NotificationsPage,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`."))),
        (status = 410, description = "What followed the cursor is no longer kept.")))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["after", "limit", "state", "connection", "type"])?;
    let state = query.text("state").map(str::to_owned);
    let state = state.and_then(|text| {
        let state = state_named(&text);
        if state.is_none() {
            query.wrong("state", "must be accepted, test, quarantined or dead");
        }
        state
    });
    let connection = query.parsed("connection", "a connection's id");
    let event_type = query.text("type").map(str::to_owned);
    if event_type.as_ref().is_some_and(|text| !(1..=200).contains(&text.chars().count())) {
        query.wrong("type", "must be 1 to 200 characters");
    }
    let limit = query.number("limit", 1..=1_000, 100);
    let after = query.text("after").map(str::to_owned);
    query.finish()?;
    let after = cursor::resume(call.app(), Log::Notifications, after.as_deref())?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = page(call.app(), &Filter { state, connection, event_type }, after, limit).await?;
    let next = cursor::encode(Log::Notifications, page.reached);
    let data = page.seen.iter().map(NotificationView::from).collect();
    let left_out = page.left_out.iter().map(LeftOut::from).collect();
    let page = large_json(&call, &NotificationsPage { data, next: next.clone(), left_out })?;
    Ok(linked(&call, &next, page))
}

/// Read a notification.
#[utoipa::path(get, path = "/v1/notifications/{id}", tag = "notifications", operation_id = "read_notification",
    params(("id" = Uuid, Path, description = "The notification's id."),
        ("body" = Option<bool>, Query, description = "`true` to have the raw body too.")),
    responses((status = 200, description = "The notification.", body = NotificationDetail)))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["body"])?;
    let with_body = query.parsed("body", "true or false").unwrap_or(false);
    query.finish()?;
    let seen = find(call.app(), id.names("notification")?).await?;
    let seen = seen.ok_or_else(|| Problem::not_found("notification"))?;
    // Not remembered from the first time: that would be a record for each notification.
    let told = replay::seen(call.app(), &seen).await?;
    large_json(&call, &NotificationDetail::new(&seen, told.into(), with_body))
}

fn state_named(text: &str) -> Option<State> {
    match text {
        "accepted" => Some(State::Accepted),
        "test" => Some(State::Test),
        "quarantined" => Some(State::Quarantined),
        "dead" => Some(State::Dead),
        _ => None,
    }
}
