//! Claimed notifications into events and their places, with what the directory knows at the moment.

use super::hold::{self, Candidate, Patience};
use crate::{
    app::{App, Directory},
    domain::{ConnectionId, Disposition, Notification, NotificationId, Recovered, SubscriptionState},
    event::Event,
    store::Claimed,
    translate::{
        Context, Settings, Untranslatable, compared, merged_directly,
        request::{self, Seen, Standing},
        translate,
        union::also_for,
    },
};
use jiff::Timestamp;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

/// The event type that tells that a run began; older servers have none.
const RUN_STATE_CHANGED: &str = "ms.vss-pipelines.run-state-changed-event";

/// The event type that tells of a run's end with all that its build knows.
const BUILD_COMPLETE: &str = "build.complete";

const CONNECTION_REMOVED: &str = "its connection was removed";

/// One notification as events.
pub(super) struct Translated {
    pub(super) connection: ConnectionId,
    pub(super) events: Vec<Event>,
    pub(super) candidate: Candidate,
    /// Acts of pull requests that other notifications may tell too.
    pub(super) acts: Vec<Seen>,
    /// The end of a pull request, where it tells one and no act.
    pub(super) end: Option<Seen>,
    /// Whether Azure is asked for what no payload says.
    pub(super) asks: bool,
    /// Events of direct pushes, where bindings want them and no pull request explains the push.
    pub(super) direct: Vec<Event>,
    /// How long it has been put off.
    pub(super) waited: Duration,
    /// Itself, where it may be translated once more.
    pub(super) notification: Option<Notification>,
}

impl Translated {
    /// An event of it is told by another notification.
    pub(super) fn leave_out(&mut self, event: Uuid) {
        self.events.retain(|own| own.id != event);
        self.forget(event);
    }

    /// An event of it is a revision of a fact, and replaces what was told last of that, for whom that was told too.
    pub(super) fn revise(&mut self, event: Uuid, id: Uuid, told: &Seen) {
        self.change(event, |own| also_for(own.replacing(id, told.id, told.fact()), &told.projects));
    }

    /// An event of it has another id.
    pub(super) fn put(&mut self, event: Uuid, id: Uuid) {
        self.change(event, |own| own.under(id));
    }

    fn change(&mut self, event: Uuid, change: impl Fn(Event) -> Event) {
        let events = std::mem::take(&mut self.events).into_iter();
        self.events = events.map(|own| if own.id == event { change(own) } else { own }).collect();
        self.forget(event);
    }

    /// Takes an event out of the order.
    fn forget(&mut self, event: Uuid) {
        self.candidate.tells.retain(|id| *id != event);
        self.candidate.places.retain(|place| place.id != event);
        self.acts.retain(|act| act.id != event);
    }

    /// The act that is told better when it is known how its pull request stood before.
    pub(super) fn open(&self) -> Option<&Seen> {
        self.acts.iter().find(|act| act.is_open())
    }
}

/// What all notifications of a batch are translated with.
pub(super) struct Translator<'a> {
    app: &'a App,
    directory: Arc<Directory>,
    settings: Settings,
}

impl<'a> Translator<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        let directory = app.directory();
        Self { app, directory, settings: super::settings(app) }
    }

    /// Pure, but for catching a panic: one body that we misjudged must not stop all others.
    pub(super) fn one(&self, claimed: &Claimed) -> Result<Translated, String> {
        guarded(|| self.unguarded(claimed))?
    }

    fn unguarded(&self, claimed: &Claimed) -> Result<Translated, String> {
        let (id, record) = (NotificationId(claimed.record.key), &claimed.record);
        let notification = Notification::from_stored(id, &record.body)
            .ok_or("the journal entry is not a notification of this release")?;
        let patience = self.patience(&notification, claimed.attempt);
        let mut translated = Translated {
            connection: notification.connection,
            events: Vec::new(),
            candidate: Candidate {
                notification: id,
                tells: Vec::new(),
                places: Vec::new(),
                patience,
                richer: None,
                has_waited: claimed.attempt > 1 && notification.recovered != Some(Recovered::Rest),
            },
            acts: Vec::new(),
            end: None,
            asks: false,
            direct: Vec::new(),
            waited: self.waited(notification.id),
            notification: None,
        };
        if notification.disposition != Disposition::Accepted {
            return Ok(translated);
        }
        translated.events = self.events(&notification)?;
        translated.acts = request::acts(&translated.events);
        translated.end = request::end(&translated.events).filter(|_| translated.acts.is_empty());
        translated.direct = self.direct(&notification)?;
        let kept = self.directory.connections.get(&notification.connection).ok_or(CONNECTION_REMOVED)?;
        if claimed.attempt == 1 && hold::is_ordered(&kept.record) {
            self.listen(&notification);
        }
        let is_ours = translated.events.iter().any(|event| !event.header.projects.is_empty());
        let may_wait = !self.app.settings.order_wait.is_zero();
        translated.asks = is_ours && may_wait && hold::is_ordered(&kept.record);
        if hold::is_ordered(&kept.record) && !self.app.settings.order_wait.is_zero() {
            let candidate = &mut translated.candidate;
            if self.builds_are_told(notification.connection) {
                let waited = self.waited(notification.id);
                candidate.richer = hold::richer(&translated.events, waited, claimed.attempt);
            }
            candidate.places = hold::places(&translated.events, || self.runs_are_told(notification.connection));
            candidate.tells.extend(translated.events.iter().map(|event| event.id));
            let moves = candidate.places.iter().filter_map(|place| place.moved);
            candidate.tells.extend(moves.map(|moved| moved.meets()));
        }
        translated.notification = translated.acts.iter().any(Seen::is_open).then_some(notification);
        Ok(translated)
    }

    /// What it tells, by the mapping, the settings and the bindings of this moment.
    pub(super) fn events(&self, notification: &Notification) -> Result<Vec<Event>, String> {
        self.with(notification, translate)
    }

    /// The merged changes that its pushes are, if nobody else explains them.
    pub(super) fn direct(&self, notification: &Notification) -> Result<Vec<Event>, String> {
        let bindings = self.directory.selecting(notification.connection);
        let is_wanted = bindings.iter().any(|binding| binding.direct_pushes);
        if is_wanted { self.with(notification, merged_directly) } else { Ok(Vec::new()) }
    }

    /// The same of a pull request that stood so before.
    pub(super) fn compared(&self, notification: &Notification, before: &Standing) -> Result<Vec<Event>, String> {
        self.with(notification, |body, context| compared(body, context, before))
    }

    fn with(
        &self,
        notification: &Notification,
        tell: impl FnOnce(&[u8], &Context<'_>) -> Result<Vec<Event>, Untranslatable>,
    ) -> Result<Vec<Event>, String> {
        let kept = self.directory.connections.get(&notification.connection).ok_or(CONNECTION_REMOVED)?;
        let context = Context {
            connection: notification.connection,
            source: &kept.record.url,
            notification: notification.id,
            received_at: notification.received_at,
            reason: notification.reason,
            recovered: notification.recovered,
            bindings: self.directory.selecting(notification.connection),
            processes: self.directory.processes(notification.connection),
            settings: &self.settings,
        };
        guarded(|| tell(&notification.body, &context))?.map_err(|error| error.to_string())
    }

    /// What a delivery of a subscription of ours says besides its event: that it speaks, and its number.
    fn listen(&self, notification: &Notification) {
        let (connection, key) = (notification.connection, notification.verified.subscription_key.as_str());
        let (Some(id), Some(number)) = (&notification.subscription_id, notification.notification_id) else { return };
        if !self.directory.knows_subscription(connection, key, id) {
            return;
        }
        self.app.numbers.saw((connection, id.to_lowercase()), number, notification.received_at);
        if notification.recovered.is_none() {
            self.app.rhythms.spoke(connection, key, notification.received_at);
        }
    }

    /// Whether the ends of builds are told as such, beside the states of their runs.
    fn builds_are_told(&self, connection: ConnectionId) -> bool {
        let mut subscriptions = self.directory.subscriptions_of(connection);
        subscriptions
            .any(|kept| kept.record.spec.event_type == BUILD_COMPLETE && kept.record.state == SubscriptionState::Active)
    }

    /// Whether anything tells that runs begin: a server that cannot delivers their end alone.
    fn runs_are_told(&self, connection: ConnectionId) -> bool {
        let mut subscriptions = self.directory.subscriptions_of(connection);
        subscriptions.any(|kept| kept.record.spec.event_type == RUN_STATE_CHANGED)
    }

    fn patience(&self, notification: &Notification, attempt: u32) -> Patience {
        let waited = self.waited(notification.id);
        hold::patience(notification.recovered, attempt, waited, self.app.settings.order_wait)
    }

    fn waited(&self, notification: NotificationId) -> Duration {
        let held = self.app.order.memory().since(notification);
        held.map(|held| since(self.app, held)).unwrap_or_default()
    }
}

fn guarded<T>(tell: impl FnOnce() -> T) -> Result<T, String> {
    let told = catch_unwind(AssertUnwindSafe(tell));
    told.map_err(|_| "translating it panicked; please report the notification".to_owned())
}

fn since(app: &App, time: Timestamp) -> Duration {
    Duration::try_from(app.clock.now().duration_since(time)).unwrap_or_default()
}
