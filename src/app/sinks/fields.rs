//! What a sink is made of, and what a change makes of it. Here the client's secrets are sealed.

use super::rotate;
use crate::{
    app::{App, change::Wrong, connections::Secret, events},
    domain::{Sink, SinkFilter, SinkId, SinkStart, SinkState, Target, secret},
    sink::new_secret,
    store::{Error, Log, Position},
};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Where a new sink begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    Now,
    /// With the oldest event that is kept.
    Beginning,
    /// After this place.
    After(Position),
    /// With the first event that was recorded at this time or later.
    Time(Timestamp),
}

impl Start {
    pub(super) async fn position(self, app: &App) -> Result<Position, Error> {
        Ok(match self {
            Self::Now => *app.store.tail(Log::Events).borrow(),
            Self::Beginning => app.store.trimmed(Log::Events),
            Self::After(position) => position,
            Self::Time(time) => events::before(app, time).await?,
        })
    }
}

/// What a new sink is made of.
pub struct NewSink {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it is.
    pub target: Target,
    /// Its secrets, by the names in [`secret`]. Without a signing secret a webhook gets a new one.
    pub secrets: Vec<(String, Secret)>,
    /// Which events it wants.
    pub filter: SinkFilter,
    /// Where it begins.
    pub start: Start,
    /// Whether it begins paused.
    pub paused: bool,
    /// Deliveries under way at once, at most.
    pub in_flight_max: u32,
    /// Deliveries begun per second, at most.
    pub per_second_max: Option<u32>,
    /// Whether addresses in private networks may be reached.
    pub allow_private: bool,
    /// Whether it may be reached without TLS.
    pub allow_http: bool,
}

/// Another target, or other settings of the same.
pub struct TargetChange {
    /// As it will be.
    pub target: Target,
    /// Secrets that are given; `None` takes one away. Others stay.
    pub secrets: Vec<(String, Option<Secret>)>,
}

/// What is changed; `None` leaves it, `Some(None)` takes it away.
#[derive(Default)]
pub struct SinkChange {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Its settings; of the same kind as they are.
    pub target: Option<TargetChange>,
    /// Which events it wants.
    pub filter: Option<SinkFilter>,
    /// Deliveries under way at once, at most.
    pub in_flight_max: Option<u32>,
    /// Deliveries begun per second, at most.
    pub per_second_max: Option<Option<u32>>,
    /// Whether addresses in private networks may be reached.
    pub allow_private: Option<bool>,
    /// Whether it may be reached without TLS.
    pub allow_http: Option<bool>,
}

impl NewSink {
    /// The record under a new id, and the signing secret where there is one.
    pub(super) fn record(self, app: &App, start: Position) -> (Sink, Option<Secret>) {
        let (id, now) = (SinkId::random(), app.clock.now());
        let mut secrets = self.secrets;
        if matches!(self.target, Target::Webhook(_)) && !secrets.iter().any(|(name, _)| name == secret::SIGNING) {
            secrets.push((secret::SIGNING.to_owned(), new_secret()));
        }
        let signing = secrets.iter().find(|(name, _)| name == secret::SIGNING).map(|(_, secret)| secret.clone());
        let sealed = secrets.iter().map(|(name, plain)| (name.clone(), seal(app, id, name, plain)));
        let record = Sink {
            id,
            name: self.name,
            description: self.description,
            target: self.target,
            secrets: sealed.collect(),
            previous_secret_until: None,
            filter: self.filter,
            filter_since: start.0,
            state: if self.paused { SinkState::Paused { since: now } } else { SinkState::Enabled },
            start: SinkStart(start.0),
            in_flight_max: self.in_flight_max,
            per_second_max: self.per_second_max,
            allow_private: self.allow_private,
            allow_http: self.allow_http,
            created_at: now,
            updated_at: now,
        };
        (record, signing)
    }
}

impl SinkChange {
    /// The record as it will be.
    pub(super) fn apply(self, app: &App, mut record: Sink) -> Result<Sink, Vec<Wrong>> {
        let id = record.id;
        record.name = self.name.unwrap_or(record.name);
        record.description = self.description.unwrap_or(record.description);
        if let Some(filter) = self.filter.filter(|filter| *filter != record.filter) {
            record.filter = filter;
            record.filter_since = app.store.tail(Log::Events).borrow().0;
        }
        record.in_flight_max = self.in_flight_max.unwrap_or(record.in_flight_max);
        record.per_second_max = self.per_second_max.unwrap_or(record.per_second_max);
        record.allow_private = self.allow_private.unwrap_or(record.allow_private);
        record.allow_http = self.allow_http.unwrap_or(record.allow_http);
        if let Some(TargetChange { target, secrets }) = self.target {
            unfollowed_secrets(&record, &target, &secrets)?;
            record.target = target;
            for (name, plain) in secrets {
                match plain {
                    Some(plain) if name == secret::SIGNING => rotate(app, &mut record, &plain),
                    Some(plain) => drop(record.secrets.insert(name.clone(), seal(app, id, &name, &plain))),
                    None => drop(record.secrets.remove(&name)),
                }
            }
            let names = header_names(&record.target);
            record.secrets.retain(|name, _| {
                name.strip_prefix(secret::HEADER).is_none_or(|header| names.iter().any(|name| name == header))
            });
        }
        Ok(record)
    }
}

fn seal(app: &App, id: SinkId, name: &str, plain: &str) -> crate::domain::Sealed {
    app.keys.seal(&Sink::purpose(id, name), plain.as_bytes())
}

fn header_names(target: &Target) -> &[String] {
    match target {
        Target::Webhook(webhook) => &webhook.header_names,
        _ => &[],
    }
}

/// Where our requests go, and with them secrets.
fn origins(target: &Target) -> Vec<url::Origin> {
    match target {
        Target::Webhook(settings) => vec![settings.url.origin()],
        Target::Sleuth(settings) => vec![settings.url.origin()],
        Target::DevLake(settings) => vec![settings.url.origin()],
        Target::Nats(settings) => settings.servers.iter().map(url::Url::origin).collect(),
        Target::File(_) | Target::Stdout => Vec::new(),
    }
}

/// Secrets were given for one server: another one gets them only from somebody who has them. The signing secret is no such
/// secret, for it never leaves.
fn unfollowed_secrets(record: &Sink, target: &Target, given: &[(String, Option<Secret>)]) -> Result<(), Vec<Wrong>> {
    let before = origins(&record.target);
    if origins(target).iter().all(|origin| before.contains(origin)) {
        return Ok(());
    }
    let given: BTreeSet<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
    let stays = |name: &&String| {
        let ours = [secret::SIGNING, secret::SIGNING_PREVIOUS, secret::IDENTITY].contains(&name.as_str());
        let header = name.strip_prefix(secret::HEADER);
        let dropped = header.is_some_and(|header| !header_names(target).iter().any(|name| name == header));
        !ours && !dropped && !given.contains(name.as_str())
    };
    match record.secrets.keys().find(stays) {
        None => Ok(()),
        Some(_) => Err(vec![Wrong {
            pointer: pointer(&record.target),
            detail: "its secrets must be given again (or null) when it moves to another server: secrets do not follow \
                     by themselves"
                .to_owned(),
        }]),
    }
}

fn pointer(target: &Target) -> &'static str {
    match target {
        Target::Webhook(_) => "/webhook",
        Target::Sleuth(_) => "/sleuth",
        Target::DevLake(_) => "/devlake",
        Target::Nats(_) => "/nats",
        Target::File(_) => "/file",
        Target::Stdout => "/stdout",
    }
}
