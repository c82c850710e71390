//! What is composed from a record is weighed: which events would it become, and are they here? What is missing is
//! appended, oldest first.
//!
//! Appends are begun in order and many at a time: the writer takes them in the order in which they were begun, so nothing
//! overtakes, and one sync serves many. When one fails, no other is begun.

use super::{Depth, Mending, Order, Stopped};
use crate::{
    app::{
        App, Directory,
        otherwise::{is_change, otherwise},
    },
    azure::client::Failure,
    domain::{BindingId, Connection, ConnectionId, NotificationId, Recovered, SubscriptionState},
    event::Event,
    intake::{self, Found, Outcome},
    recover::{
        compose::{Composed, Home},
        desk::Asked,
        in_order::in_order,
        pushes,
        tally::{Fate, Missing, Tally},
        wait::translated,
    },
    store::{Log, Record},
    translate::{self, Context, done::done_state, step, translate},
};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use std::{collections::HashSet, future::Future, sync::Arc};
use uuid::Uuid;

/// Look-ups and appends that are under way at once: one commit takes them all.
const AT_ONCE_MAX: usize = 256;

/// One event that a record tells.
struct Told {
    id: Uuid,
    bindings: Vec<BindingId>,
    /// Of what is here: whether a hook delivered it.
    fate: Option<Fate>,
}

/// What was composed, held against the journal.
pub(super) struct Weighed {
    pub(super) composed: Composed,
    events: Vec<Told>,
}

impl Weighed {
    /// Whether an event of it is not here.
    pub(super) fn is_missing(&self) -> bool {
        self.events.iter().any(|told| told.fate.is_none())
    }

    /// Whether an event of it is not here, or did not come by a hook: others of the same thing may be missing too.
    pub(super) fn is_suspicious(&self) -> bool {
        self.events.iter().any(|told| told.fate != Some(Fate::Received))
    }

    /// The ids of its events.
    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.events.iter().map(|told| told.id)
    }
}

/// One sweep's scale.
pub(super) struct Scale<'a> {
    pub(super) app: &'a App,
    pub(super) order: &'a Order,
    pub(super) tally: Tally,
    connection: Connection,
    directory: Arc<Directory>,
    settings: translate::Settings,
}

impl<'a> Scale<'a> {
    pub(super) fn new(app: &'a App, connection: Connection, order: &'a Order) -> Self {
        let settings = step::settings(app);
        Self { app, order, tally: Tally::default(), connection, directory: app.directory(), settings }
    }

    /// Whose records they are.
    pub(super) fn connection(&self) -> ConnectionId {
        self.connection.id
    }

    /// From when on the journal has everything that was appended.
    pub(super) fn oldest(&self) -> Timestamp {
        super::oldest(self.app)
    }

    pub(super) fn home(&self) -> Home<'_> {
        let Connection { url, collection_id, .. } = &self.connection;
        Home { url, collection: *collection_id, project: self.order.place.project }
    }

    /// Counts a call, and makes it unless the gateway stops.
    pub(super) async fn ask<T>(&mut self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Stopped> {
        self.tally.calls += 1;
        self.app.metrics.recovery_calls.inc();
        let mut stopping = self.app.stopping();
        tokio::select! {
            answer = call => Ok(answer?),
            _ = stopping.wait_for(|stopping| *stopping) => Err(Stopped::Stopping),
        }
    }

    /// The events that it becomes.
    fn events(&self, composed: &Composed) -> Vec<Event> {
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
        translate(&composed.body, &context).unwrap_or_default()
    }

    /// A state that means "done" for a work item of this type.
    pub(super) fn done_state(&self, kind: &str) -> &str {
        let project = self.order.place.project.to_string();
        done_state(&self.settings, self.directory.processes(self.connection.id), &project, kind)
    }

    /// The ids of the events that it becomes.
    pub(super) fn ids(&self, composed: &Composed) -> Vec<Uuid> {
        self.events(composed).iter().map(|event| event.id).collect()
    }

    fn told(&self, events: &[Event]) -> Vec<Told> {
        let selected = |event: &Event| -> Vec<BindingId> {
            let of = |id: &&BindingId| {
                let binding = self.directory.bindings.get(*id);
                binding.is_some_and(|kept| event.header.projects.contains(&kept.record.project))
            };
            self.order.bindings.iter().filter(of).copied().collect()
        };
        let told = |event: &Event| Told { id: event.id, bindings: selected(event), fate: None };
        events.iter().map(told).collect()
    }

    /// Whether hooks tell of this here: not where the server does not know the event type.
    pub(super) fn is_told(&self, event_type: &str) -> bool {
        let project = self.order.place.project;
        let mut records = self.directory.subscriptions_of(self.connection.id).map(|kept| &kept.record);
        !records.any(|record| {
            record.state == SubscriptionState::NotOffered
                && record.spec.project == project
                && record.spec.event_type == event_type
        })
    }

    /// Whether this was not asked before, as far as the process remembers and the order wants to know.
    pub(super) fn is_new(&self, asked: &Asked) -> bool {
        match self.order.depth {
            Depth::Evidence => false,
            Depth::Once => !self.app.recover.was_asked(self.connection.id, asked),
            Depth::Everything => true,
        }
    }

    /// Remembers that it was asked and what it told made good.
    pub(super) fn remember(&self, asked: &Asked) {
        if self.order.mending != Mending::Look {
            self.app.recover.asked(self.connection.id, asked);
        }
    }

    /// The event of this id, if it is here.
    pub(super) async fn find(&self, id: Uuid) -> Result<Option<Record>, Stopped> {
        self.app.store.find(Log::Events, id).await.map_err(|error| Stopped::Store(error.to_string()))
    }

    /// Whether any of these events is here.
    pub(super) async fn knows_any(&self, ids: &[Uuid]) -> Result<bool, Stopped> {
        for id in ids {
            if self.find(*id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether any of these events is here, and tells what a revision changed.
    pub(super) async fn knows_change(&self, ids: &[Uuid]) -> Result<bool, Stopped> {
        for id in ids {
            if self.find(*id).await?.is_some_and(|record| is_change(&record)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Pushes to one pull request with the ids of the events that tell them, or will; they are all that there are since `from`.
    /// Those that may have been told so long ago that nobody remembers under which id are left out.
    pub(super) async fn numbered(&self, composed: Vec<Composed>, from: Timestamp) -> Result<Vec<Composed>, Stopped> {
        let read = |composed: Composed| {
            let events = self.events(&composed);
            pushes::Read::new(composed, &events)
        };
        let numbered = pushes::numbered(self.app, composed.into_iter().filter_map(read).collect(), from).await;
        let numbered = numbered.map_err(|error| Stopped::Store(error.to_string()))?;
        let is_known = |own: &pushes::Numbered| own.is_told || self.oldest() <= own.composed.at;
        // A push that waits for its number is here, and comes in its turn.
        let held = |own: pushes::Numbered| match own.asked {
            Some(question) => own.composed.told_by(question),
            None => own.composed,
        };
        Ok(numbered.into_iter().filter(is_known).map(held).collect())
    }

    /// Holds what was composed against the journal, in the order in which it is given.
    pub(super) async fn weigh(&self, composed: Vec<Composed>) -> Result<Vec<Weighed>, Stopped> {
        let weighing: Vec<_> = composed.into_iter().map(|composed| self.weigh_one(composed).boxed()).collect();
        in_order(weighing, AT_ONCE_MAX).await
    }

    async fn weigh_one(&self, composed: Composed) -> Result<Weighed, Stopped> {
        let events = self.events(&composed);
        let mut all = self.told(&events);
        for (told, event) in all.iter_mut().zip(&events) {
            told.id = composed.event.unwrap_or(told.id);
            let record = match self.find(told.id).await? {
                None => otherwise(&*self.app.store, event).await.map_err(|error| Stopped::Store(error.to_string()))?,
                record => record,
            };
            // What waits for its order is here, and comes in its turn.
            let waits = || self.app.order.memory().is_held(told.id).then_some(Fate::Received);
            told.fate = record.map_or_else(waits, |record| Some(fate(&record)));
        }
        Ok(Weighed { composed, events: all })
    }

    /// Counts what was weighed, and appends what of it is missing, in the order in which it is given.
    pub(super) async fn settle(&mut self, weighed: Vec<Weighed>) -> Result<(), Stopped> {
        let mends = self.order.mending != Mending::Look;
        let app = self.app;
        let append = |one: &Weighed| match (mends && one.is_missing()).then(|| self.found(one)) {
            Some(found) => async move { append_found(app, found).await.map(Some) }.boxed(),
            None => std::future::ready(Ok(None)).boxed(),
        };
        let appending: Vec<_> = weighed.iter().map(append).collect();
        let appended = in_order(appending, AT_ONCE_MAX).await?;
        if self.order.mending == Mending::MendAndWait && appended.iter().any(Option::is_some) {
            translated(self.app).await.map_err(Stopped::Store)?;
        }
        let mut counted = HashSet::new();
        for (one, appended) in weighed.iter().zip(appended) {
            for told in one.events.iter().filter(|told| counted.insert(told.id)) {
                let mut fate = told.fate.or(appended).unwrap_or(Fate::Unexplained);
                let waited = self.order.mending == Mending::MendAndWait;
                if waited && told.fate.is_none() && self.find(told.id).await?.is_none() {
                    fate = Fate::Unexplained;
                }
                self.count(&one.composed, told, fate);
            }
        }
        Ok(())
    }

    /// Both at once.
    pub(super) async fn take(&mut self, composed: Vec<Composed>) -> Result<(), Stopped> {
        let weighed = self.weigh(composed).await?;
        self.settle(weighed).await
    }

    fn count(&mut self, composed: &Composed, told: &Told, fate: Fate) {
        if fate == Fate::Unexplained {
            let (entity, at) = (composed.entity.clone(), composed.at);
            self.tally.miss(Missing { event: told.id, entity, at });
        }
        self.tally.count(told.bindings.iter().copied(), composed.counted, fate);
    }

    fn found(&self, one: &Weighed) -> Found {
        Found {
            connection: self.connection.id,
            way: Recovered::Rest,
            subscription_key: String::new(),
            reason: one.composed.reason,
            tells: one.ids().collect(),
            body: one.composed.body.clone(),
        }
    }
}

async fn append_found(app: &App, found: Found) -> Result<Fate, Stopped> {
    match intake::recover(app, found).await {
        Ok(receipt) if receipt.outcome == Outcome::Accepted => {
            app.metrics.recovered(Recovered::Rest, 1);
            Ok(Fate::Recovered(Recovered::Rest))
        }
        // It was appended before and is on its way, unless it became nothing: whoever waits sees which.
        Ok(receipt) if receipt.outcome == Outcome::Duplicate => Ok(Fate::Recovered(Recovered::Rest)),
        Ok(_) => Ok(Fate::Unexplained),
        Err(intake::Refused::Signature) => Err(Stopped::Gone),
        Err(intake::Refused::Unavailable { reason, .. }) => Err(Stopped::Store(reason)),
    }
}

/// How an event came that is here.
fn fate(record: &Record) -> Fate {
    let event = Event::from_stored(record.key, &record.body);
    event.and_then(|event| event.header.recovered).map_or(Fate::Received, Fate::Recovered)
}
