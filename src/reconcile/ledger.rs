//! The records of one connection during a run: what is written is written at the version that was read.

use crate::{
    app::{App, Kept, change::Refusal, subscriptions},
    domain::{ConnectionId, Subscription, SubscriptionKey},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How old what only tells when something last happened may get before it is written down.
const WRITTEN_EVERY: Duration = Duration::from_mins(10);

/// The records, by key.
pub(super) struct Ledger<'a> {
    app: &'a App,
    connection: ConnectionId,
    versions: BTreeMap<SubscriptionKey, u64>,
    records: BTreeMap<SubscriptionKey, Subscription>,
}

impl<'a> Ledger<'a> {
    /// As the registry has them now.
    pub(super) fn open(app: &'a App, connection: ConnectionId) -> Self {
        let directory = app.directory();
        let kept = || directory.subscriptions_of(connection);
        Self {
            app,
            connection,
            versions: kept().map(|kept| (kept.record.key.clone(), kept.version)).collect(),
            records: kept().map(|kept| (kept.record.key.clone(), Subscription::clone(&kept.record))).collect(),
        }
    }

    /// The gateway.
    pub(super) fn app(&self) -> &'a App {
        self.app
    }

    /// Whose records they are.
    pub(super) fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// All of them.
    pub(super) fn records(&self) -> &BTreeMap<SubscriptionKey, Subscription> {
        &self.records
    }

    /// Writes those that say something new, and takes away others.
    ///
    /// # Errors
    /// The store's, or that the connection is gone. Nothing was written.
    pub(super) async fn write(&mut self, records: Vec<Subscription>, gone: &[SubscriptionKey]) -> Result<(), Refusal> {
        let version = |key: &SubscriptionKey| self.versions.get(key).copied().unwrap_or_default();
        let news = |record: &Subscription| self.records.get(&record.key).is_none_or(|before| is_news(before, record));
        let now = self.app.clock.now();
        let keep = |record: Subscription| Kept::new(version(&record.key), Subscription { updated_at: now, ..record });
        let written: Vec<Kept<Subscription>> = records.into_iter().filter(news).map(keep).collect();
        let taken = |key: &SubscriptionKey| self.records.get(key).map(|record| Kept::new(version(key), record.clone()));
        let gone: Vec<Kept<Subscription>> = gone.iter().filter_map(taken).collect();
        if written.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let versions = subscriptions::keep(self.app, self.connection, &written, &gone).await?;
        for (kept, version) in written.into_iter().zip(versions) {
            self.versions.insert(kept.record.key.clone(), version);
            self.records.insert(kept.record.key.clone(), Arc::unwrap_or_clone(kept.record));
        }
        for kept in gone {
            self.versions.remove(&kept.record.key);
            self.records.remove(&kept.record.key);
        }
        Ok(())
    }
}

/// A write is a commit that is synced, and every delivery moves the times of the last one: those alone can wait.
fn is_news(before: &Subscription, after: &Subscription) -> bool {
    let timeless = |record: &Subscription| {
        let mut record = record.clone();
        (record.last_arrival, record.updated_at) = (None, before.updated_at);
        if let Some(azure) = &mut record.azure {
            azure.last_success = None;
        }
        record
    };
    if timeless(before) != timeless(after) {
        return true;
    }
    let success = |record: &Subscription| record.azure.as_ref().and_then(|azure| azure.last_success.clone());
    let moved = before.last_arrival != after.last_arrival || success(before) != success(after);
    moved && after.updated_at.duration_since(before.updated_at).unsigned_abs() >= WRITTEN_EVERY
}
