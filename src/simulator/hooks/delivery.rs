//! The engine: sends what is due, puts down what came of it, and waits on the simulator's clock for what is next.

use super::{
    Hooks, Shared,
    agenda::Job,
    envelope::envelope,
    history::{Notification, NotificationStatus},
    post::Parcel,
    state::Parting,
};
use crate::{clock::Clock, simulator::instance::locked};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use std::{
    pin::pin,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};
use tokio::{runtime::Handle, sync::watch};
use uuid::Uuid;

/// A clock that moved by this much while nobody looked was moved by somebody.
const JUMP: Duration = Duration::from_millis(1);

/// A request that is under way, until it is dropped.
struct UnderWay {
    shared: Arc<Shared>,
    job: Job,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        locked(&self.shared.state).agenda.done(&self.job);
        self.shared.raise();
    }
}

impl Hooks {
    /// Returns when everything that is due by now was attempted and put down. On a clock that moves by itself there may
    /// be something due again.
    pub async fn settle(&self) {
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.borrow_and_update();
            Shared::start(&self.0);
            if locked(&self.0.state).agenda.is_idle(self.0.instance.now()) {
                return;
            }
            // The sender lives as long as `self`, which this future borrows, so the wait cannot fail.
            let _ = changed.changed().await;
        }
    }

    /// When the next attempt is due; perhaps it is overdue.
    pub fn next_due(&self) -> Option<Timestamp> {
        locked(&self.0.state).agenda.next()
    }

    /// Wakes the worker, and starts it where there is a runtime for it and none runs yet. Without a runtime everything
    /// waits for [`Self::settle`].
    pub(super) fn stir(&self) {
        self.0.raise();
        let Ok(runtime) = Handle::try_current() else { return };
        let mut worker = self.0.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
            let clock = Arc::clone(&self.0.instance.clock);
            *worker = Some(runtime.spawn(work(Arc::downgrade(&self.0), clock, self.0.changed.subscribe())));
        }
    }
}

/// Until the hooks are gone.
async fn work(shared: Weak<Shared>, clock: Arc<dyn Clock>, mut changed: watch::Receiver<u64>) {
    loop {
        changed.borrow_and_update();
        let before = clock.monotonic();
        let wait = {
            let Some(shared) = shared.upgrade() else { return };
            Shared::start(&shared);
            let (now, next) = (clock.now(), locked(&shared.state).agenda.next());
            // What is overdue waits for a request that is under way.
            next.filter(|next| now < *next).and_then(|next| Duration::try_from(next.duration_since(now)).ok())
        };
        let Some(wait) = wait else {
            if changed.changed().await.is_err() {
                return;
            }
            continue;
        };
        let mut sleep = pin!(clock.sleep(wait));
        // The sleep begins to count when it is polled first, and a manual clock may have been moved before.
        tokio::select! {
            biased;
            () = &mut sleep => continue,
            () = std::future::ready(()) => {}
        }
        if clock.monotonic().saturating_sub(before) >= JUMP {
            continue;
        }
        tokio::select! {
            () = &mut sleep => {}
            gone = changed.changed() => if gone.is_err() { return },
        }
    }
}

impl Shared {
    pub(super) fn raise(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Starts everything that is due.
    fn start(shared: &Arc<Self>) {
        loop {
            let now = shared.instance.now();
            let Some(job) = locked(&shared.state).agenda.take(now) else { return };
            let under_way = UnderWay { shared: Arc::clone(shared), job };
            tokio::spawn(async move {
                let shared = Arc::clone(&under_way.shared);
                shared.send(&under_way.job).await;
                drop(under_way);
                Self::start(&shared);
            });
        }
    }

    async fn send(&self, job: &Job) {
        let (switches, clock) = (self.switches(), &self.instance.clock);
        let begun = self.state().begin(job, &switches, clock.now());
        let Some(parting) = begun else { return };
        let event = self.event_of(job, &parting);
        let body = Bytes::from(serde_json::to_vec(&*event).expect("a JSON value is always written"));
        let parcel = |attempt: u32| Parcel {
            draft: &parting.draft,
            subscription: job.subscription,
            activity: Uuid::new_v5(&parting.event_id, format!("{}/{attempt}", job.subscription).as_bytes()),
            body: body.clone(),
        };
        let started = clock.monotonic();
        let posted = self.poster.post(parcel(parting.attempt), &switches).await;
        let took = clock.monotonic().saturating_sub(started);
        if parting.twice {
            // Whatever the second answer is, the first one counts.
            self.poster.post(parcel(parting.attempt + 1), &switches).await;
        }
        let result = posted.response.lines().next().or(posted.error.as_deref()).unwrap_or_default();
        let test = if job.subscription.is_nil() { "test " } else { "" };
        self.instance.say(&format!("{test}hook {} → {result}", parting.occurrence.title));
        locked(&self.state).end(job, posted, took, clock.now());
    }

    /// The envelope: made at the first attempt, and the same ever after.
    fn event_of(&self, job: &Job, parting: &Parting) -> Arc<Value> {
        let key = (job.subscription, job.notification);
        let made = || {
            let (id, occurrence) = (parting.event_id, &parting.occurrence);
            Arc::new(envelope(&self.instance, key, &parting.draft, id, occurrence, parting.occurred))
        };
        let event = parting.event.clone().unwrap_or_else(made);
        if let Some(notification) = locked(&self.state).history.of_mut(key.0, key.1) {
            notification.event = Some(Arc::clone(&event));
            notification.status = NotificationStatus::RequestInProgress;
        }
        event
    }

    /// A notification's event as the history shows it; of one that was not sent yet, as it would be sent now.
    pub(super) fn shown_event(&self, notification: &Notification) -> Value {
        if self.switches().history_without_events {
            return Value::Null;
        }
        let key = (notification.subscription, notification.id);
        let mut event = if let Some(event) = &notification.event {
            Value::clone(event)
        } else {
            let (draft, occurrence) = (&notification.draft, &notification.occurrence);
            envelope(&self.instance, key, draft, notification.event_id, occurrence, notification.created)
        };
        if let Value::Object(members) = &mut event {
            members.remove("subscriptionId");
            members.remove("notificationId");
            if self.switches().history_resources_are_words {
                members.insert("resource".to_owned(), "La ressource est trop grande pour l'historique".into());
            }
        }
        event
    }

    /// The body of a notification's request, if it was sent and is shown.
    pub(super) fn shown_body(&self, notification: &Notification) -> Option<String> {
        let event = notification.event.as_ref().filter(|_| !self.switches().history_requests_without_body)?;
        serde_json::to_string_pretty(event).ok()
    }
}
