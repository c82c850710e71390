//! The front door: authenticate before the body is read, then make durable what was read, whatever it is.
//!
//! Azure DevOps disables a subscription for almost every answer that is not 2xx, and retries only 408, 502, 503 and 504.
//! So what is authentic is accepted once it is durable, also when we cannot make sense of it; and the only other answers
//! are 401 for wrong credentials and 503 while nothing can be stored.
//! Source: azure-devops-docs, "Troubleshoot service hooks".

mod claimed;
mod key;

pub(crate) use self::claimed::Claimed;
use self::key::{beside, key, told};
use crate::{
    app::{App, Directory},
    azure::envelope::{self, Envelope, EnvelopeError},
    domain::{
        Connection, ConnectionId, Disposition, KeySource, Notification, NotificationId, QuarantineReason, Recovered,
        UpdateReason, Verified,
    },
    secrets::{BodySignature, Unopenable},
    store::{Appended, Entry, Error, Log},
};
use bytes::Bytes;
use http::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use std::{borrow::Cow, collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// First part of the Basic user name of every hook: `hookwell.{subscription key}.{generation}`.
pub const USER_NAME_PREFIX: &str = "hookwell";
/// The subscription key of a hook that was made by hand.
pub const MANUAL_SUBSCRIPTION_KEY: &str = "manual";
/// The header of a relay's signature: `sha256=` and lower-case hex.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";
/// When a sender should try again that found us unable to store.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Most of Azure's own headers that are kept, and the most characters of each.
const KEPT_HEADERS_MAX: usize = 16;
const KEPT_HEADER_CHARS_MAX: usize = 256;
/// Most characters of the event type and subscription id that are kept for lists.
const KEPT_WORD_CHARS_MAX: usize = 200;
/// How many deliveries under one key are looked at for the same one.
const OTHERS_MAX: usize = 8;

/// A sender that knows the connection's hook credential. Only [`authenticate`] makes one, and only it can be accepted
/// from: unverified bytes cannot be journalled by mistake.
#[derive(Debug)]
pub struct Authentic {
    /// Whose credential it is.
    pub connection: ConnectionId,
    verified: Verified,
    /// Where the connection wants signed bodies.
    signature: Option<Result<BodySignature, Unopenable>>,
}

impl Authentic {
    /// To be told every piece of the body as it is read, also those that are not kept.
    pub fn reads(&mut self, piece: &[u8]) {
        if let Some(Ok(signature)) = &mut self.signature {
            signature.update(piece);
        }
    }
}

/// The credentials do not hold. It is not said which part: an unknown connection looks like a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hook's user name or password is wrong")]
pub struct Unauthentic;

/// The body as it was read.
#[derive(Debug, Clone)]
pub struct Received {
    /// The body, or its head when it was over the limit.
    pub body: Bytes,
    /// How many bytes were sent.
    pub size_bytes: u64,
    /// Whether `body` is only the head.
    pub truncated: bool,
}

/// What became of it; durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its id in our journal.
    pub notification: NotificationId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// New, and on its way to become events.
    Accepted,
    /// It was there before.
    Duplicate,
    /// The Test button's sample.
    Test,
    /// Kept for the operator to look at.
    Quarantined,
}

/// Why it was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The connection wants signed bodies and this signature does not hold.
    #[error("the body's signature is missing or wrong")]
    Signature,
    /// Nothing can be stored now: the sender must try again.
    #[error("notifications cannot be stored now: {reason}")]
    Unavailable {
        /// Why, for the operator.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
}

/// Checks the Basic credentials of a delivery to `connection` (the path segment as sent).
///
/// The password is computed for whatever is named, and compared in constant time, before anything else is decided: the
/// answer takes as long for a connection that does not exist as for one that does.
pub fn authenticate(app: &App, connection: &str, headers: &HeaderMap) -> Result<Authentic, Unauthentic> {
    let claimed = headers.get(AUTHORIZATION).and_then(|value| Claimed::read(value.as_bytes())).ok_or(Unauthentic)?;
    let id: ConnectionId = connection.parse().unwrap_or(ConnectionId(Uuid::nil()));
    let holds = app.hook_key.hook_password_holds(id, &claimed.subscription_key, claimed.generation, &claimed.password);
    let (directory, now) = (app.directory(), app.clock.now());
    let kept = directory.connections.get(&id).filter(|_| holds).ok_or(Unauthentic)?;
    if !generation_is_valid(&kept.record, claimed.generation, now) {
        return Err(Unauthentic);
    }
    let Claimed { subscription_key, generation, .. } = claimed;
    let verified = Verified { subscription_key, generation, signature: false };
    Ok(Authentic { connection: id, verified, signature: signature(app, &kept.record, headers, now) })
}

fn signature(
    app: &App,
    connection: &Connection,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Result<BodySignature, Unopenable>> {
    let check = connection.signature.as_ref()?;
    let in_overlap = check.previous_until.is_some_and(|until| now < until);
    let previous = check.previous.as_ref().filter(|_| in_overlap);
    let purpose = format!("connection/{}/signature", connection.id);
    let open = |sealed| app.keys.open(&purpose, sealed);
    let secrets: Result<Vec<_>, _> = [Some(&check.secret), previous].into_iter().flatten().map(open).collect();
    let header = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    Some(secrets.map(|secrets| BodySignature::new(&secrets, header)))
}

fn generation_is_valid(connection: &Connection, generation: u32, now: Timestamp) -> bool {
    let hook = connection.hook;
    let in_overlap = hook.previous_until.is_some_and(|until| now < until);
    generation == hook.current || (in_overlap && generation.checked_add(1) == Some(hook.current))
}

/// Makes it durable. The last await is the append: a caller that is cancelled has either stored it or not.
pub async fn accept(
    app: &App,
    sender: Authentic,
    headers: &HeaderMap,
    reason: Option<UpdateReason>,
    received: Received,
) -> Result<Receipt, Refused> {
    let directory = app.directory();
    let Authentic { connection: id, mut verified, signature } = sender;
    // A connection that was removed while the body was read takes nothing any more.
    directory.connections.get(&id).ok_or(Refused::Signature)?;
    let now = app.clock.now();
    if let Some(signature) = signature {
        // A master key that is not there is ours to mend; a 401 would cost the sender its subscription.
        let signature = signature.map_err(|error| {
            app.metrics.notification("unavailable");
            Refused::Unavailable { reason: error.to_string(), retry_after: RETRY_AFTER }
        })?;
        verified.signature = signature.holds();
        if !verified.signature {
            app.metrics.notification("unauthorized");
            return Err(Refused::Signature);
        }
    }
    let envelope = envelope::peek(&received.body);
    let known = |subscription: &str| directory.knows_subscription(id, &verified.subscription_key, subscription);
    let disposition = disposition(&directory, id, known, &envelope, &received);
    let envelope = envelope.unwrap_or_default();
    app.collections.note(&directory, id, &envelope, known, now);
    app.arrivals.saw(id, &verified.subscription_key, envelope.event_type.as_deref(), reason, now);
    let (notification, key_source) = key(id, &disposition, &envelope, &received);
    let notification = Notification {
        id: notification,
        connection: id,
        received_at: now,
        disposition,
        verified,
        recovered: None,
        key_source,
        event_type: envelope.event_type.as_deref().map(kept_word),
        subscription_id: envelope.subscription_id.as_deref().map(kept_word),
        notification_id: envelope.notification_id,
        reason,
        headers: kept_headers(headers),
        size_bytes: received.size_bytes,
        body: received.body.clone(),
    };
    append(app, &notification).await
}

/// What was learnt from Azure DevOps itself, asked with our own credential: nobody sent it, so nobody is to be authenticated.
#[derive(Debug, Clone)]
pub struct Found {
    /// Through which connection.
    pub connection: ConnectionId,
    /// How.
    pub way: Recovered,
    /// The key of the subscription that should have delivered it; empty where none is known.
    pub subscription_key: String,
    /// Which change of a pull request it tells.
    pub reason: Option<UpdateReason>,
    /// The ids of the events that it tells, where it is composed and so has no identity of Azure's.
    pub tells: Vec<Uuid>,
    /// The envelope: of the history as the hook would have delivered it, `subscriptionId` and `notificationId` included.
    pub body: Bytes,
}

/// Makes it durable in the same journal and under the same keys as if a hook had delivered it: what comes late after all is
/// a redelivery.
pub async fn recover(app: &App, found: Found) -> Result<Receipt, Refused> {
    let directory = app.directory();
    let Found { connection: id, way, subscription_key, reason, tells, mut body } = found;
    directory.connections.get(&id).ok_or(Refused::Signature)?;
    let size_bytes = body.len() as u64;
    let truncated = body.len() > app.settings.body_bytes_max;
    if truncated {
        body.truncate(app.settings.body_bytes_max);
    }
    let received = Received { body, size_bytes, truncated };
    let envelope = envelope::peek(&received.body);
    // It was asked of the connection's own collection, whatever it calls itself.
    let disposition = disposition(&directory, id, |_| true, &envelope, &received);
    let envelope = envelope.unwrap_or_default();
    let (notification, key_source) = match tells.as_slice() {
        [] => key(id, &disposition, &envelope, &received),
        tells => (told(id, tells), KeySource::Fact),
    };
    let notification = Notification {
        id: notification,
        connection: id,
        received_at: app.clock.now(),
        disposition,
        verified: Verified { subscription_key, generation: 0, signature: false },
        recovered: Some(way),
        key_source,
        event_type: envelope.event_type.as_deref().map(kept_word),
        subscription_id: envelope.subscription_id.as_deref().map(kept_word),
        notification_id: envelope.notification_id,
        reason,
        headers: BTreeMap::new(),
        size_bytes,
        body: received.body.clone(),
    };
    append(app, &notification).await
}

async fn append(app: &App, notification: &Notification) -> Result<Receipt, Refused> {
    let unavailable = |error| {
        app.metrics.notification("unavailable");
        refused(error)
    };
    let mut notification = Cow::Borrowed(notification);
    let mut appended = once(app, &notification).await.map_err(unavailable)?;
    // A number that begins anew (a collection restored from a backup), or one delivery that says two things: the second is
    // no redelivery, and is kept beside the first.
    for _ in 0..OTHERS_MAX {
        let Appended::Duplicate(_) = appended else { break };
        let there = app.store.find(Log::Notifications, notification.id.0).await.map_err(unavailable)?;
        let there = there.and_then(|record| Notification::from_stored(notification.id, &record.body));
        let Some(id) = there.and_then(|there| beside(&there, &notification)) else { break };
        notification.to_mut().id = id;
        appended = once(app, &notification).await.map_err(unavailable)?;
    }
    let notification = &*notification;
    let (outcome, counted) = match (appended, &notification.disposition) {
        (Appended::Duplicate(_), _) => (Outcome::Duplicate, "duplicate"),
        (Appended::New(_), Disposition::Accepted) => (Outcome::Accepted, "accepted"),
        (Appended::New(_), Disposition::Test) => (Outcome::Test, "test"),
        (Appended::New(_), Disposition::Quarantined { .. }) => (Outcome::Quarantined, "quarantined"),
    };
    app.metrics.notification(counted);
    Ok(Receipt { notification: notification.id, outcome })
}

async fn once(app: &App, notification: &Notification) -> Result<Appended, Error> {
    let entry = Entry { key: notification.id.0, time: notification.received_at, body: notification.to_stored() };
    app.store.append(Log::Notifications, entry).await
}

/// Every failure to store is one that the sender should retry: Azure DevOps does so for 503, and only for such.
fn refused(error: Error) -> Refused {
    Refused::Unavailable { reason: error.to_string(), retry_after: RETRY_AFTER }
}

fn disposition(
    directory: &Directory,
    id: ConnectionId,
    known: impl Fn(&str) -> bool,
    envelope: &Result<Envelope<'_>, EnvelopeError>,
    received: &Received,
) -> Disposition {
    let quarantined = |reason, detail: String| Disposition::Quarantined { reason, detail };
    if received.truncated {
        let detail = format!("the body has {} bytes; its first {} are kept", received.size_bytes, received.body.len());
        return quarantined(QuarantineReason::TooLarge, detail);
    }
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error @ EnvelopeError::NotJson(_)) => return quarantined(QuarantineReason::NotJson, error.to_string()),
        Err(error @ EnvelopeError::NotAnObject) => {
            return quarantined(QuarantineReason::NotAnEnvelope, error.to_string());
        }
    };
    if envelope.is_test() {
        return Disposition::Test;
    }
    let ours = directory.connections.get(&id).and_then(|kept| kept.record.collection_id);
    let theirs = envelope.collection_id.as_deref().and_then(|text| Uuid::parse_str(text).ok());
    match (ours, theirs) {
        // What comes from the very subscription that we made is ours, whatever it calls its collection.
        (Some(ours), Some(theirs)) if ours != theirs && !envelope.subscription_id.as_deref().is_some_and(known) => {
            let detail = format!("it speaks of collection {theirs}, the connection is to {ours}");
            quarantined(QuarantineReason::ForeignCollection, detail)
        }
        _ => Disposition::Accepted,
    }
}

fn kept_word(word: &str) -> String {
    word.chars().take(KEPT_WORD_CHARS_MAX).collect()
}

/// Azure's own headers: useful to find a delivery on their side, never required (one server was seen not to send them).
fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let azures = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-vss-") || *name == "request-id");
    azures
        .take(KEPT_HEADERS_MAX)
        .filter_map(|(name, value)| {
            let value = value.to_str().ok()?.chars().take(KEPT_HEADER_CHARS_MAX).collect();
            Some((name.as_str().to_owned(), value))
        })
        .collect()
}
