//! The names of those who switched our hooks off, and the hooks that Azure DevOps holds back: neither shows in the hook itself, the audit log
//! tells both where we may read it.
//!
//! Hooks are backed by subscriptions of notifications (`tfsSubscriptionId`), whose status has `jailedByNotificationsVolume`
//! (vsts-rest-api-specs, notification); that of hooks has no such word. Where the log may not be read, which takes a scope
//! (Audit Log: Read) and a permission (*View audit log*) that nothing else here needs, nothing is known, and it is not asked for
//! again before the connection is another one or a day is over.

use super::trouble::{Trouble, TroubleKind};
use crate::{
    app::{App, Kept},
    azure::client::{AuditEntry, AzureDevOps, Failure, Host, Subscription as Found, SubscriptionStatus, Window},
    domain::{Connection, Subscription, SubscriptionKey},
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeMap, time::Duration};

/// How often the log is read.
const EVERY: Duration = Duration::from_hours(1);
/// The same while a hook is off and nobody knows who did that.
const SOON: Duration = Duration::from_mins(10);
/// How long a refusal is remembered.
const REFUSED_FOR: Duration = Duration::from_hours(24);
/// How far back the log is read, and how long what it said is told.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Entries may be written late: so much is read again.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// Most hooks that are looked for in the log.
const HOOKS_MAX: usize = 5_000;

/// The knowledge from the log.
#[derive(Debug, Default)]
pub(super) struct Audited {
    /// At which version of the connection it was refused, and when.
    refused: Option<(u64, Duration)>,
    /// When it was last read, and up to when.
    read: Option<(Duration, Timestamp)>,
    /// The last change of a hook, by its id at Azure.
    changed: BTreeMap<String, (Timestamp, Option<String>)>,
    /// When a hook was last held back.
    throttled: BTreeMap<String, Timestamp>,
}

impl Audited {
    /// Somebody wants to know.
    pub(super) fn forget_refusal(self) -> Self {
        Self { refused: None, ..self }
    }

    fn is_due(&self, version: u64, now: Duration, is_pressing: bool) -> bool {
        let is_refused = |(of, at): (u64, Duration)| of == version && now.saturating_sub(at) < REFUSED_FOR;
        let every = if is_pressing { SOON } else { EVERY };
        !self.refused.is_some_and(is_refused) && self.read.is_none_or(|(at, _)| now.saturating_sub(at) >= every)
    }

    fn take(&mut self, found: &Found, entries: &[AuditEntry]) {
        let inner = found.publisher_inputs.get("tfsSubscriptionId").map(String::as_str).unwrap_or_default();
        for entry in entries.iter().filter(|entry| entry.names(&found.id) || entry.names(inner)) {
            if entry.throttles() {
                let last = self.throttled.entry(found.id.clone()).or_insert(entry.at);
                *last = entry.at.max(*last);
            } else {
                let last = self.changed.entry(found.id.clone()).or_insert_with(|| (entry.at, entry.who.clone()));
                if last.0 <= entry.at {
                    *last = (entry.at, entry.who.clone());
                }
            }
        }
    }

    /// Says in words what the log tells of one hook.
    pub(super) fn said(&self, found: &Found) -> Option<String> {
        let off = self.changed.get(&found.id).filter(|_| found.status == SubscriptionStatus::DisabledByUser);
        if let Some((at, who)) = off {
            let who = who.as_deref().unwrap_or("somebody without a name");
            return Some(format!("switched off by {who} on {at}, as the audit log says"));
        }
        let at = self.throttled.get(&found.id)?;
        Some(format!("held back by Azure DevOps on {at} for its volume, as the audit log says"))
    }

    /// That hooks are held back.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let (count, last) = (self.throttled.len(), self.throttled.values().max()?);
        let detail = format!(
            "Azure DevOps' audit log says that it held back {count} subscriptions of ours for their volume, last on {last}; what \
             they do not deliver is taken from its records. Bind less with one identity, or give busy projects connections of \
             their own; GET /v1/subscriptions says which they are"
        );
        Some(Trouble::new(TroubleKind::Failing, detail))
    }
}

/// Reads the log where that is due.
pub(super) async fn look(
    app: &App,
    kept: &Kept<Connection>,
    azure: &dyn AzureDevOps,
    (records, listed): (&BTreeMap<SubscriptionKey, Subscription>, &BTreeMap<Host, Vec<Found>>),
    audited: &mut Audited,
) {
    let (now, time) = (app.clock.monotonic(), app.clock.now());
    let oldest = time - TOLD_FOR;
    audited.throttled.retain(|_, at| *at >= oldest);
    let is_ours =
        |found: &&Found| records.values().any(|record| record.azure.as_ref().is_some_and(|azure| azure.id == found.id));
    let ours: Vec<&Found> = listed.values().flatten().filter(is_ours).take(HOOKS_MAX).collect();
    audited.changed.retain(|id, _| ours.iter().any(|found| found.id == *id));
    let unexplained =
        |found: &&Found| found.status == SubscriptionStatus::DisabledByUser && !audited.changed.contains_key(&found.id);
    let is_pressing = ours.iter().any(unexplained);
    if ours.is_empty() || !audited.is_due(kept.version, now, is_pressing) {
        return;
    }
    let from = audited.read.map_or(oldest, |(_, to)| (to - OVERLAP).max(oldest));
    match azure.audit_log(Window { from, to: time }).await {
        Ok((entries, is_whole)) => {
            for found in &ours {
                audited.take(found, &entries);
            }
            if !is_whole {
                tracing::info!(connection = %kept.record.id, "the audit log has more entries than are read of it");
            }
            audited.read = Some((now, time));
        }
        Err(failure) if failure.is_of_the_thing() || matches!(failure, Failure::Unauthorized { .. }) => {
            tracing::debug!(connection = %kept.record.id, %failure, "the audit log cannot be read");
            audited.refused = Some((kept.version, now));
        }
        Err(failure) => tracing::debug!(connection = %kept.record.id, %failure, "the audit log cannot be read now"),
    }
}
