//! All that the hooks of one simulated Azure DevOps remember, and how it changes; no clock, no sockets.

use super::{
    agenda::{Agenda, Job},
    draft::Draft,
    history::{History, Notification, NotificationResult, NotificationStatus},
    matching,
    misbehaviour::{Misbehaviour, OnProbation},
    post::Posted,
    ruling::{Answered, Attempted, Fate, PROBES_MINUTES, Standing, ruling},
    subscription::{Probation, Subscription},
};
use crate::{
    azure::client::SubscriptionStatus,
    simulator::{occurrence::Occurrence, site::Site, world::DRAFT_CHANGED},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

/// How late what is reordered comes.
const REORDERED_BY: SignedDuration = SignedDuration::from_secs(30);

/// What came of everything so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Notifications that were made; test notifications are not counted anywhere here.
    pub notifications: u64,
    /// Requests that were sent.
    pub attempts: u64,
    /// Notifications that were answered 2xx.
    pub delivered: u64,
    /// Notifications that failed for good, or were not sent any more. A probe may still deliver one of them.
    pub failed: u64,
    /// Events that a subscription should have been told of and that no notification was made for.
    pub lost: u64,
}

/// Everything.
#[derive(Default)]
pub(super) struct State {
    pub(super) subscriptions: BTreeMap<Uuid, Subscription>,
    pub(super) history: History,
    pub(super) agenda: Agenda,
    pub(super) totals: Totals,
    /// The last occurrence of each event type, for tests with real data.
    pub(super) latest: BTreeMap<&'static str, Arc<Occurrence>>,
    /// Test notifications so far.
    pub(super) tests: u32,
    /// Subscriptions so far, also those that are gone: an id is never given twice.
    pub(super) made: u64,
}

/// A request that is about to be made.
pub(super) struct Parting {
    pub(super) draft: Arc<Draft>,
    pub(super) occurrence: Arc<Occurrence>,
    pub(super) event_id: Uuid,
    pub(super) event: Option<Arc<Value>>,
    pub(super) occurred: Timestamp,
    pub(super) attempt: u32,
    pub(super) twice: bool,
}

impl State {
    /// Those whose owner is gone deliver nothing any more.
    pub(super) fn disable_orphans(&mut self, active: &BTreeSet<Uuid>) {
        for own in self.subscriptions.values_mut().filter(|own| own.is_live()) {
            if !active.contains(&own.created_by) {
                own.status = SubscriptionStatus::DisabledByInactiveIdentity;
                own.probation = None;
                self.agenda.forget_probes(own.id);
            }
        }
    }

    /// Puts down who is to be told of it.
    pub(super) fn occurred(
        &mut self,
        mut occurrence: Occurrence,
        switches: &Misbehaviour,
        now: Timestamp,
        dice: impl Fn() -> f64,
    ) {
        if occurrence.facts.remove(DRAFT_CHANGED).is_some() && switches.drafts_pass_no_filter {
            occurrence.facts.remove("notificationType");
        }
        let occurrence = Arc::new(occurrence);
        self.latest.insert(occurrence.event_type, Arc::clone(&occurrence));
        let latency = SignedDuration::from_millis(i64::try_from(switches.latency_milliseconds).unwrap_or(i64::MAX));
        for own in self.subscriptions.values_mut() {
            if !own.is_live() || !own.draft.is_web_hook() || !matching::wants(&own.draft, &occurrence) {
                continue;
            }
            let silenced = own.probation.is_some() && switches.on_probation == OnProbation::Probes;
            let is_probe = own.probation.as_mut().is_some_and(|probation| std::mem::take(&mut probation.is_due));
            if (silenced && !is_probe) || switches.lose.strike(own.id, &dice) {
                self.totals.lost += 1;
                continue;
            }
            own.notifications += 1;
            self.totals.notifications += 1;
            let event_id = if switches.an_id_per_subscription {
                Uuid::new_v5(&own.id, occurrence.id.as_bytes())
            } else {
                occurrence.id
            };
            let key = (own.id, own.notifications);
            let draft = Arc::new(own.draft.clone());
            let mut notification = Notification::new(key, event_id, draft, Arc::clone(&occurrence), now);
            notification.twice = switches.duplicate.strike(own.id, &dice);
            self.history.add(notification, now);
            if switches.stuck.strike(own.id, &dice) {
                continue;
            }
            let late = if switches.reorder.strike(own.id, &dice) { REORDERED_BY } else { SignedDuration::ZERO };
            let at = now.saturating_add(latency + late).unwrap_or(now);
            self.agenda.add(at, Job { subscription: own.id, notification: own.notifications, is_probe });
        }
    }

    /// What a job needs, if it is still to be done.
    pub(super) fn begin(&mut self, job: &Job, switches: &Misbehaviour, now: Timestamp) -> Option<Parting> {
        let draft = match self.subscriptions.get_mut(&job.subscription) {
            Some(own) => {
                let silenced = own.probation.is_some() && switches.on_probation == OnProbation::Probes;
                if job.is_probe {
                    let probation = own.probation.as_mut()?;
                    // Nothing failed yet, or nobody remembers: the next event is the probe.
                    probation.is_due = self.history.of(job.subscription, job.notification).is_none();
                }
                if !own.is_live() || (silenced && !job.is_probe) {
                    self.filter_out(job, now);
                    return None;
                }
                Some(Arc::new(own.draft.clone()))
            }
            None if job.subscription.is_nil() => None,
            None => return None,
        };
        let notification = self.history.of_mut(job.subscription, job.notification)?;
        // Whoever mends the URL mends what is still to be sent.
        let draft = draft.unwrap_or_else(|| Arc::clone(&notification.draft));
        notification.draft = Arc::clone(&draft);
        notification.attempts += 1;
        notification.status = NotificationStatus::Processing;
        notification.dequeued.get_or_insert(now);
        (notification.modified, notification.next_retry) = (now, None);
        if !job.subscription.is_nil() {
            self.totals.attempts += 1;
        }
        Some(Parting {
            draft,
            occurrence: Arc::clone(&notification.occurrence),
            event_id: notification.event_id,
            event: notification.event.clone(),
            occurred: notification.created,
            attempt: notification.attempts,
            twice: notification.twice && notification.attempts == 1,
        })
    }

    fn filter_out(&mut self, job: &Job, now: Timestamp) {
        if let Some(notification) = self.history.of_mut(job.subscription, job.notification)
            && notification.status != NotificationStatus::Completed
        {
            notification.complete(NotificationResult::Filtered, now);
            notification.error = Some("the subscription does not deliver any more".to_owned());
            self.totals.failed += 1;
        }
    }

    /// Puts down what came of a request, and what follows.
    pub(super) fn end(&mut self, job: &Job, posted: Posted, took: Duration, now: Timestamp) {
        let Some(notification) = self.history.of_mut(job.subscription, job.notification) else { return };
        notification.request_seconds = took.as_secs_f64();
        (notification.request, notification.response, notification.error) =
            (posted.request, posted.response, posted.error);
        let Some(own) = self.subscriptions.get_mut(&job.subscription) else {
            let result = if posted.answered == Answered::Well {
                NotificationResult::Succeeded
            } else {
                NotificationResult::Failed
            };
            notification.complete(result, now);
            return;
        };
        let attempted = if job.is_probe {
            let number = own.probation.map_or(PROBES_MINUTES.len(), |probation| probation.probes + 1);
            Attempted::Probe { number }
        } else {
            let retries = usize::try_from(notification.attempts - 1).unwrap_or(usize::MAX);
            Attempted::Event { retries, on_probation: own.probation.is_some() }
        };
        let (fate, standing) = ruling(attempted, posted.answered);
        // A probe repeats what was counted already.
        match notification.result {
            NotificationResult::Failed | NotificationResult::Filtered => self.totals.failed -= 1,
            NotificationResult::Succeeded => self.totals.delivered -= 1,
            NotificationResult::Pending => {}
        }
        match fate {
            Fate::Delivered => {
                notification.complete(NotificationResult::Succeeded, now);
                own.last_success = Some(now);
                self.totals.delivered += 1;
            }
            Fate::RetryAfter(wait) => {
                notification.status = NotificationStatus::Queued;
                (notification.modified, notification.next_retry) = (now, Some(now + wait));
                self.agenda.add(now + wait, *job);
            }
            Fate::Failed => {
                notification.complete(NotificationResult::Failed, now);
                self.totals.failed += 1;
            }
        }
        if job.is_probe
            && let Some(probation) = &mut own.probation
        {
            probation.last = Some(now);
        }
        // Somebody may have switched it off while the request was under way.
        if own.is_live() {
            self.settle_standing(job, standing, now);
        }
    }

    fn settle_standing(&mut self, job: &Job, standing: Standing, now: Timestamp) {
        let Some(own) = self.subscriptions.get_mut(&job.subscription) else { return };
        match standing {
            Standing::AsBefore => {}
            Standing::Enabled => {
                own.status = SubscriptionStatus::Enabled;
                own.probation = None;
                self.agenda.forget_probes(own.id);
            }
            Standing::OnProbation { probes, next } => {
                own.status = SubscriptionStatus::OnProbation;
                let last = own.probation.and_then(|probation| probation.last);
                own.probation = Some(Probation { probes, last, is_due: false });
                self.agenda.add(now + next, Job { is_probe: true, ..*job });
            }
            Standing::Disabled => {
                own.status = SubscriptionStatus::DisabledBySystem;
                if let Some(probation) = &mut own.probation {
                    probation.probes = PROBES_MINUTES.len();
                }
                self.agenda.forget_probes(own.id);
            }
        }
    }

    /// Sets a status as a person or the system does.
    pub(super) fn set_status(&mut self, id: Uuid, status: SubscriptionStatus, now: Timestamp) {
        let Some(own) = self.subscriptions.get_mut(&id) else { return };
        own.status = status;
        self.agenda.forget_probes(id);
        own.probation = None;
        if status == SubscriptionStatus::OnProbation {
            own.probation = Some(Probation { probes: 0, last: None, is_due: false });
            let next = now + Duration::from_mins(PROBES_MINUTES[0]);
            self.agenda.add(next, Job { subscription: id, notification: own.notifications, is_probe: true });
        }
    }

    /// Takes a subscription in; the server adds inputs of its own.
    pub(super) fn add(&mut self, mut draft: Draft, host: Site, by: Uuid, collection: Uuid, now: Timestamp) -> Uuid {
        self.made += 1;
        let id = Uuid::new_v5(&collection, format!("subscription/{}", self.made).as_bytes());
        let internal = Uuid::new_v5(&id, b"tfsSubscriptionId");
        draft.publisher_inputs.insert("tfsSubscriptionId".to_owned(), internal.to_string());
        draft.publisher_inputs.insert("hostId".to_owned(), collection.to_string());
        let subscription = Subscription {
            id,
            host,
            draft,
            status: SubscriptionStatus::Enabled,
            created_by: by,
            created: now,
            modified_by: by,
            modified: now,
            probation: None,
            last_success: None,
            notifications: 0,
            tracing: false,
        };
        self.subscriptions.insert(id, subscription);
        id
    }

    /// Removes a subscription with its history.
    pub(super) fn remove(&mut self, id: Uuid) -> bool {
        self.agenda.forget(id);
        self.history.remove_subscription(id);
        self.subscriptions.remove(&id).is_some()
    }
}
