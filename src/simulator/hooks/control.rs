//! What people and fate do to subscriptions behind a client's back, for tests and the load generator.

use super::{Draft, Hooks, Notification, Totals, history::Wanted};
use crate::{
    azure::client::{Subscription, SubscriptionStatus},
    simulator::{instance::locked, options::Edition, site::Site},
};
use uuid::Uuid;

/// Where other people's web hooks go; nothing is ever sent there.
const FOREIGN_URL: &str = "https://elsewhere.example/hook";

impl Hooks {
    /// All subscriptions, of whatever host and consumer, with masked secrets.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.0.state().subscriptions.values().map(super::subscription::Subscription::to_client).collect()
    }

    /// The notifications of a subscription that the history still knows, by number.
    pub fn notifications(&self, id: Uuid) -> Vec<Notification> {
        let wanted = Wanted { subscriptions: [id].into(), ..Wanted::default() };
        let state = locked(&self.0.state);
        let mut found: Vec<Notification> = state.history.list(&wanted).into_iter().cloned().collect();
        found.sort_by_key(|own| own.id);
        found
    }

    /// What came of everything so far.
    pub fn totals(&self) -> Totals {
        locked(&self.0.state).totals
    }

    /// A person switches it off.
    pub fn disable_by_user(&self, id: Uuid) {
        self.set_status(id, SubscriptionStatus::DisabledByUser);
    }

    /// It failed for too long.
    pub fn disable_by_system(&self, id: Uuid) {
        self.set_status(id, SubscriptionStatus::DisabledBySystem);
    }

    /// It failed just now: its last notification is what the probes repeat, or the next one where it had none.
    pub fn put_on_probation(&self, id: Uuid) {
        self.set_status(id, SubscriptionStatus::OnProbation);
    }

    /// A person switches it on again.
    pub fn enable(&self, id: Uuid) {
        self.set_status(id, SubscriptionStatus::Enabled);
    }

    fn set_status(&self, id: Uuid, status: SubscriptionStatus) {
        let now = self.0.instance.now();
        self.0.state().set_status(id, status, now);
        self.stir();
    }

    /// A person edits it; nothing is checked. Whether it was there.
    pub fn edit(&self, id: Uuid, change: impl FnOnce(&mut Draft)) -> bool {
        let now = self.0.instance.now();
        let mut state = self.0.state();
        let Some(own) = state.subscriptions.get_mut(&id) else { return false };
        change(&mut own.draft);
        own.modified = now;
        true
    }

    /// A second subscription with the same settings and owner, as a client makes that asks twice.
    pub fn duplicate(&self, id: Uuid) -> Option<Uuid> {
        let (now, collection) = (self.0.instance.now(), self.0.instance.options.collection_id());
        let mut state = self.0.state();
        let own = state.subscriptions.get(&id)?;
        let (draft, host, by) = (own.draft.clone(), own.host, own.created_by);
        Some(state.add(draft, host, by, collection, now))
    }

    /// A person deletes it, history and all. Whether it was there.
    pub fn delete(&self, id: Uuid) -> bool {
        self.0.state().remove(id)
    }

    /// A subscription of somebody else, by account; nothing is checked. An account that nobody has is the first one's.
    pub fn create_foreign(&self, draft: Draft, account: &str) -> Uuid {
        let instance = &self.0.instance;
        let (now, collection) = (instance.now(), instance.options.collection_id());
        let by = instance.world().person_or_first(account);
        let host = if instance.options.edition == Edition::Services { Site::of(&draft.publisher) } else { Site::Main };
        self.0.state().add(draft, host, by, collection, now)
    }

    /// So many web hooks of somebody else for branches that nobody pushes to: what makes a listing long.
    pub fn add_bulk(&self, count: usize) {
        for number in 0..count {
            let draft = Draft {
                publisher: "tfs".to_owned(),
                event_type: "git.push".to_owned(),
                resource_version: Some("1.0".to_owned()),
                consumer: "webHooks".to_owned(),
                action: "httpRequest".to_owned(),
                publisher_inputs: [("branch".to_owned(), format!("nobody/pushes/here/{number}"))].into(),
                consumer_inputs: [("url".to_owned(), format!("{FOREIGN_URL}/{number}"))].into(),
            };
            self.create_foreign(draft, "");
        }
    }
}
