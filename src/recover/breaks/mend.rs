//! What was composed for a break is held against the log, and what is missing of it is appended.

use crate::{
    app::{App, Directory, breaks::Break, notifications, order::Verdict, otherwise::otherwise},
    domain::{Binding, Connection, Gap, NotificationId, Recovered, Role, Stream},
    event::Event,
    intake::{self, Found, Outcome},
    recover::{
        compose::{Composed, Home},
        pushes::{self, Numbered},
        sweep::Stopped,
    },
    store::{Error, Log},
    translate::{
        Context, Settings,
        order::{self, Entity},
        step, translate,
    },
};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// What the journal may forget meanwhile would be found missing and come a second time.
const MARGIN: Duration = Duration::from_hours(1);

/// What became of what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mended {
    /// It is here.
    Here,
    /// It is on its way.
    Appended,
    /// It is known and not ours: older than what we were to hear of, or selected by no binding.
    NotOurs,
    /// It is not among the records, or it cannot become an event.
    Missing,
}

/// One break and what it is mended with.
pub(super) struct Mender<'a> {
    pub(super) app: &'a App,
    pub(super) found: &'a Break,
    connection: Connection,
    directory: Arc<Directory>,
    settings: Settings,
}

/// A composed notification as the events that it becomes.
struct Told {
    composed: Composed,
    events: Vec<Event>,
    /// Whether it tells what is missing.
    is_it: bool,
}

impl<'a> Mender<'a> {
    pub(super) fn new(app: &'a App, connection: Connection, found: &'a Break) -> Self {
        Self { app, found, connection, directory: app.directory(), settings: step::settings(app) }
    }

    pub(super) fn home(&self) -> Home<'_> {
        let Connection { url, collection_id, .. } = &self.connection;
        Home { url, collection: *collection_id, project: self.found.project.unwrap_or_default() }
    }

    /// Which kind of record is missing.
    pub(super) fn stream(&self) -> Stream {
        match self.found.entity {
            Entity::WorkItem { .. } => Stream::WorkItems,
            Entity::Ref { .. } => Stream::Pushes,
            Entity::PullRequest { .. } | Entity::Iterations { .. } => Stream::PullRequests,
            Entity::Run { .. } => Stream::Builds,
            Entity::Release { .. } | Entity::Deployment { .. } => Stream::Releases,
        }
    }

    /// The bindings that wait for it.
    pub(super) fn bindings(&self) -> impl Iterator<Item = &Binding> {
        let role = match self.stream() {
            Stream::WorkItems => Role::IssueProvider,
            Stream::Pushes | Stream::PullRequests => Role::CodeDeployment,
            Stream::Builds | Stream::Releases => Role::BuildProvider,
        };
        let all = self.directory.bindings_of(self.found.connection).iter().map(|binding| &**binding);
        all.filter(move |binding| {
            // A run belongs to the repository that it builds, too.
            let is_role = binding.selection.role() == role || self.stream() == Stream::Builds;
            is_role && self.found.projects.contains(&binding.project)
        })
    }

    /// From when on it was to be heard of: since the first of its bindings, and as far back as that one is filled.
    pub(super) fn beginning(&self) -> Timestamp {
        let now = self.app.clock.now();
        let back = |from: Timestamp, by: Duration| from.checked_sub(by).unwrap_or(Timestamp::MIN);
        let first = self.bindings().map(|binding| binding.created_at).min().unwrap_or(now);
        back(first, self.app.settings.backfill).max(back(now, self.app.settings.retention.saturating_sub(MARGIN)))
    }

    /// Whether what is missing is surely older than that.
    pub(super) fn is_before_us(&self) -> bool {
        let begins = match self.found.entity {
            // Only the first revision is as old as the item.
            Entity::WorkItem { rev, .. } => self.found.begun.filter(|_| rev == 2),
            Entity::Ref { .. } => None,
            _ => self.found.begun,
        };
        let latest = begins.or(self.found.time);
        self.found.project.is_none() || latest.is_some_and(|latest| latest < self.beginning())
    }

    fn told(&self, composed: Composed) -> Told {
        let context = Context {
            connection: self.connection.id,
            source: &self.connection.url,
            notification: NotificationId(Uuid::nil()),
            received_at: self.app.clock.now(),
            reason: composed.reason,
            recovered: Some(Recovered::Rest),
            bindings: self.directory.selecting(self.connection.id),
            processes: self.directory.processes(self.connection.id),
            settings: &self.settings,
        };
        // It is an object, since we made it.
        let events = translate(&composed.body, &context).unwrap_or_default();
        let brings = |event: &Event| order::place(event).and_then(|place| place.moved).map(|moved| moved.meets());
        let is_it = match self.found.missing.as_slice() {
            [] => events.iter().any(|event| brings(event) == Some(self.found.need)),
            missing => events.iter().any(|event| missing.contains(&event.id)),
        };
        Told { composed, events, is_it }
    }

    /// Whether this tells something, and all of it is in the log.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn is_here(&self, composed: Composed) -> Result<bool, Stopped> {
        let told = self.told(composed);
        Ok(!told.events.is_empty() && self.is_kept(&told).await?)
    }

    async fn is_kept(&self, told: &Told) -> Result<bool, Stopped> {
        let ids: Vec<Uuid> = told.events.iter().map(|event| event.id).collect();
        let failed = |error: Error| Stopped::Store(error.to_string());
        let kept = self.app.store.contains(Log::Events, &ids).await.map_err(failed)?;
        for (event, _) in told.events.iter().zip(kept).filter(|(_, is_kept)| !is_kept) {
            if otherwise(&*self.app.store, event).await.map_err(failed)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Appends what is missing and ours, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn mend(&self, composed: Vec<Composed>) -> Result<Mended, Stopped> {
        let beginning = self.beginning();
        let until = self.found.time.unwrap_or(Timestamp::MAX);
        let mut mended = Mended::Missing;
        for told in composed.into_iter().map(|composed| self.told(composed)) {
            let is_ours =
                told.composed.at >= beginning && told.events.iter().any(|event| !event.header.projects.is_empty());
            let became = if self.is_kept(&told).await? {
                Mended::Here
            } else if !is_ours {
                Mended::NotOurs
            } else if told.composed.at > until && !told.is_it {
                // A later push is delivered by its own hook, or found by a sweep.
                continue;
            } else {
                self.append(&told).await?
            };
            if told.is_it {
                mended = became;
            }
        }
        Ok(mended)
    }

    /// Numbers all pushes to a pull request: those that wait for their number get it, and what is missing and ours is appended,
    /// oldest first. What waits is decided once that is told: it can be the same push.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn number(&self, composed: Vec<Composed>) -> Result<Mended, Stopped> {
        let (mut mended, mut is_own) = (Mended::NotOurs, false);
        let read = |composed: Composed| {
            let events = self.told(composed.clone()).events;
            pushes::Read::new(composed, &events)
        };
        let records = composed.into_iter().filter_map(read).collect();
        let numbered = pushes::numbered(self.app, records, Timestamp::MIN).await;
        for Numbered { composed, is_told, asked } in numbered.map_err(|error| Stopped::Store(error.to_string()))? {
            let Some(id) = composed.event.filter(|_| !is_told) else { continue };
            if let Some(question) = asked {
                is_own |= question == self.found.need;
                self.app.order.memory().decide(question, Verdict::Own(id));
                continue;
            }
            // A later push is delivered by its own hook, or found by a sweep.
            let told = self.told(composed);
            let is_due = (self.beginning()..=self.found.time.unwrap_or(Timestamp::MAX)).contains(&told.composed.at);
            if is_due && told.events.iter().any(|event| !event.header.projects.is_empty()) {
                mended = Mended::Appended;
                self.append(&told).await?;
            }
        }
        if mended != Mended::Appended && !is_own {
            let mut memory = self.app.order.memory();
            // A push that was not remembered was not held against the records.
            let verdict = if memory.is_asking(self.found.need) { Verdict::Late } else { Verdict::Unknown };
            memory.decide(self.found.need, verdict);
        }
        Ok(mended)
    }

    async fn append(&self, told: &Told) -> Result<Mended, Stopped> {
        let found = Found {
            connection: self.connection.id,
            way: Recovered::Rest,
            subscription_key: String::new(),
            reason: told.composed.reason,
            tells: told.events.iter().map(|event| event.id).collect(),
            body: told.composed.body.clone(),
        };
        let receipt = match intake::recover(self.app, found).await {
            Ok(receipt) => receipt,
            Err(intake::Refused::Signature) => return Err(Stopped::Gone),
            Err(intake::Refused::Unavailable { reason, .. }) => return Err(Stopped::Store(reason)),
        };
        match receipt.outcome {
            Outcome::Accepted => Ok(Mended::Appended),
            // It was found before. If it could not become an event then, it cannot now.
            Outcome::Duplicate => {
                let seen = notifications::find(self.app, receipt.notification).await;
                let seen = seen.map_err(|error| Stopped::Store(error.to_string()))?;
                Ok(if seen.is_some_and(|seen| seen.dead.is_some()) { Mended::Missing } else { Mended::Appended })
            }
            Outcome::Test | Outcome::Quarantined => Ok(Mended::Missing),
        }
    }

    /// The gap that is left.
    pub(super) fn gap(&self) -> Gap {
        let (found, now) = (self.found, self.app.clock.now());
        let before = found.time.unwrap_or(now);
        // The last that is known of it: its beginning, or where its ref was.
        let known = found.head.and_then(|head| head.time).or(found.begun);
        let just_before = |time: Timestamp| time.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(time);
        let after = known.map_or(self.beginning(), just_before).max(self.beginning()).min(before);
        let filled_by = if found.missing.is_empty() { vec![found.need] } else { found.missing.clone() };
        Gap {
            connection: found.connection,
            bindings: self.bindings().map(|binding| binding.id).collect(),
            stream: self.stream(),
            entity: found.entity.subject(),
            what: what(&found.entity),
            after,
            before,
            found_at: now,
            filled_by,
        }
    }
}

/// What is missing, in words.
fn what(entity: &Entity) -> String {
    match entity {
        Entity::WorkItem { rev, .. } => format!("revision {}", rev - 1),
        Entity::Ref { name, from, .. } => format!("the push that left {name} at {from}"),
        Entity::PullRequest { .. } | Entity::Release { .. } => "its beginning".to_owned(),
        Entity::Iterations { .. } => "a push".to_owned(),
        Entity::Run { .. } => "its beginning, or that of one of its stages or jobs".to_owned(),
        Entity::Deployment { attempt, .. } => format!("the beginning of attempt {attempt}"),
    }
}
