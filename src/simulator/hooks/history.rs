//! The notification history: what was to be sent, what was sent, and what came back. Kept for 7 days.
//!
//! A listing gives what it is asked for, 100 where nothing is said, the newest first, and leaves the oldest out. Whether
//! the real one has a limit of its own, and which it leaves out, is not known: both are switches
//! ([`super::Misbehaviour`]).

use super::{
    draft::{Draft, masked},
    subscription::{V7_2, date},
};
use crate::{
    azure::client::ApiVersion,
    simulator::{forget::Forgotten, occurrence::Occurrence, payload::present},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

/// How long a notification is remembered, by Microsoft's documentation of 2025; 14 days before.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most notifications that are remembered; the oldest are forgotten first.
const NOTIFICATIONS_MAX: usize = 50_000;

/// Where a notification is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationStatus {
    /// It waits for its first or next attempt.
    Queued,
    /// It is being prepared.
    Processing,
    /// The receiver has it.
    RequestInProgress,
    /// It is over.
    Completed,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationResult {
    /// Nothing yet.
    Pending,
    /// The receiver answered 2xx.
    Succeeded,
    /// It did not.
    Failed,
    /// It was not sent, because its subscription does not deliver any more.
    Filtered,
}

impl NotificationStatus {
    /// Azure's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::RequestInProgress => "requestInProgress",
            Self::Completed => "completed",
        }
    }
}

impl NotificationResult {
    /// Azure's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Filtered => "filtered",
        }
    }
}

/// One notification. Its debug output shows no password, as [`Draft`]'s does not.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its number, from 1 for each subscription.
    pub id: u32,
    /// Its subscription; all zeros is a test.
    pub subscription: Uuid,
    /// The event's id, as the envelope has it.
    pub event_id: Uuid,
    /// Where it is.
    pub status: NotificationStatus,
    /// What became of it.
    pub result: NotificationResult,
    /// How often it was sent.
    pub attempts: u32,
    /// The envelope, from its first attempt on.
    pub event: Option<Arc<Value>>,
    /// The last request as text, without its body and credentials.
    pub request: String,
    /// The last answer as text.
    pub response: String,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// When it was queued.
    pub created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) dequeued: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    pub(super) request_seconds: f64,
    pub(super) next_retry: Option<Timestamp>,
    pub(super) draft: Arc<Draft>,
    pub(super) occurrence: Arc<Occurrence>,
    /// It is sent twice at its first attempt.
    pub(super) twice: bool,
}

impl Notification {
    pub(super) fn new(
        (subscription, id): (Uuid, u32),
        event_id: Uuid,
        draft: Arc<Draft>,
        occurrence: Arc<Occurrence>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            subscription,
            event_id,
            status: NotificationStatus::Queued,
            result: NotificationResult::Pending,
            attempts: 0,
            event: None,
            request: String::new(),
            response: String::new(),
            error: None,
            created: now,
            modified: now,
            dequeued: None,
            completed: None,
            request_seconds: 0.0,
            next_retry: None,
            draft,
            occurrence,
            twice: false,
        }
    }

    /// It is over.
    pub(super) fn complete(&mut self, result: NotificationResult, now: Timestamp) {
        (self.status, self.result) = (NotificationStatus::Completed, result);
        (self.modified, self.completed, self.next_retry) = (now, Some(now), None);
    }

    /// As a REST reply shows it; event and body where details are asked for.
    pub(super) fn json(&self, version: ApiVersion, details: Option<(Value, Option<String>)>) -> Value {
        let is_newest = version >= V7_2;
        let waits_again = self.status == NotificationStatus::Queued && self.attempts > 0;
        let mut shown = json!({
            "id": self.id,
            "subscriptionId": self.subscription,
            "subscriberId": Uuid::nil(),
            "eventId": self.event_id,
            "status": if waits_again && is_newest { "queuedForRetry" } else { self.status.word() },
            "result": self.result.word(),
            "createdDate": date(self.created),
            "modifiedDate": date(self.modified),
        });
        if let Some((event, body)) = details {
            shown["details"] = self.details(event, body, is_newest);
        }
        shown
    }

    fn details(&self, event: Value, body: Option<String>, is_newest: bool) -> Value {
        let draft = &self.draft;
        // Source: a recorded `details.request` of 2023.
        let content =
            body.filter(|_| !self.request.is_empty()).map(|body| format!("Content:\n{body}\n")).unwrap_or_default();
        present(json!({
            "eventType": draft.event_type,
            "publisherId": draft.publisher,
            "consumerId": draft.consumer,
            "consumerActionId": draft.action,
            "publisherInputs": draft.publisher_inputs,
            "consumerInputs": masked(&draft.consumer_inputs),
            "event": event,
            "request": (self.attempts > 0).then(|| format!("{}{content}", self.request)),
            "response": (!self.response.is_empty()).then_some(&self.response),
            "errorMessage": self.error,
            "errorDetail": self.error,
            "queuedDate": date(self.created),
            "dequeuedDate": self.dequeued.map(date),
            "processedDate": self.dequeued.map(date),
            "completedDate": self.completed.map(date),
            "requestDuration": self.completed.map(|_| self.request_seconds),
            "requestAttempts": self.attempts,
            "nextRetryTime": self.next_retry.filter(|_| is_newest).map(date),
            "retryCount": is_newest.then(|| self.attempts.saturating_sub(1)),
        }))
    }
}

/// All notifications, by subscription and number.
#[derive(Debug)]
pub(super) struct History {
    /// How long a notification is remembered.
    kept: SignedDuration,
    notifications: BTreeMap<(Uuid, u32), Notification>,
    /// The same, the oldest first.
    by_age: BTreeSet<(Timestamp, Uuid, u32)>,
}

impl Default for History {
    fn default() -> Self {
        Self { kept: KEPT, notifications: BTreeMap::new(), by_age: BTreeSet::new() }
    }
}

/// What a listing is limited to.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Of none, all.
    pub(super) subscriptions: BTreeSet<Uuid>,
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) status: Option<String>,
    pub(super) result: Option<String>,
    pub(super) max: Option<usize>,
    pub(super) max_per_subscription: Option<usize>,
    pub(super) oldest_first: bool,
    /// What nobody knows of any more.
    pub(super) forgotten: Forgotten,
}

impl Wanted {
    fn has(&self, notification: &Notification) -> bool {
        let same =
            |asked: &Option<String>, word: &str| asked.as_ref().is_none_or(|asked| asked.eq_ignore_ascii_case(word));
        (self.subscriptions.is_empty() || self.subscriptions.contains(&notification.subscription))
            && self.from.is_none_or(|from| from <= notification.created)
            && self.until.is_none_or(|until| notification.created <= until)
            && same(&self.status, notification.status.word())
            && same(&self.result, notification.result.word())
            && !self.forgotten.hides(notification.created, &notification.occurrence.of)
    }
}

impl History {
    /// Remembers so many days; 7 where nothing is said.
    pub(super) fn keep(&mut self, days: Option<u16>) {
        self.kept = days.map_or(KEPT, |days| SignedDuration::from_hours(i64::from(days) * 24));
    }

    /// Takes one in, and forgets those that are too old.
    pub(super) fn add(&mut self, notification: Notification, now: Timestamp) {
        let key = (notification.subscription, notification.id);
        self.by_age.insert((notification.created, key.0, key.1));
        self.notifications.insert(key, notification);
        self.forget(now);
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        let limit = now - self.kept;
        while let Some((created, subscription, id)) = self.by_age.first().copied() {
            if limit <= created && self.notifications.len() <= NOTIFICATIONS_MAX {
                break;
            }
            self.by_age.pop_first();
            self.notifications.remove(&(subscription, id));
        }
    }

    pub(super) fn of(&self, subscription: Uuid, id: u32) -> Option<&Notification> {
        self.notifications.get(&(subscription, id))
    }

    pub(super) fn of_mut(&mut self, subscription: Uuid, id: u32) -> Option<&mut Notification> {
        self.notifications.get_mut(&(subscription, id))
    }

    pub(super) fn remove_subscription(&mut self, subscription: Uuid) {
        self.notifications.retain(|(own, _), _| *own != subscription);
        self.by_age.retain(|(_, own, _)| *own != subscription);
    }

    /// The newest first, or the oldest. What lies outside the time that is asked for is not looked at, and neither is what
    /// comes after as many as are wanted.
    pub(super) fn list(&self, wanted: &Wanted) -> Vec<&Notification> {
        let from = (wanted.from.unwrap_or(Timestamp::MIN), Uuid::nil(), 0);
        let until = (wanted.until.unwrap_or(Timestamp::MAX), Uuid::max(), u32::MAX);
        if until < from {
            return Vec::new();
        }
        let some = self.by_age.range(from..=until);
        let (up, down) = if wanted.oldest_first { (Some(some), None) } else { (None, Some(some.rev())) };
        let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
        up.into_iter()
            .flatten()
            .chain(down.into_iter().flatten())
            .filter_map(|(_, subscription, id)| self.notifications.get(&(*subscription, *id)))
            .filter(|own| wanted.has(own))
            .filter(|own| {
                let count = counts.entry(own.subscription).or_default();
                *count += 1;
                wanted.max_per_subscription.is_none_or(|max| *count <= max)
            })
            .take(wanted.max.unwrap_or(usize::MAX))
            .collect()
    }
}
