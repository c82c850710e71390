//! The audit log of service hooks: who switched one off, and which Azure DevOps holds back.
//!
//! Sources: REST "Audit Log - Query" of audit 7.1 (preview; scope `vso.auditlog`, permission *View audit log*; the sample has
//! the entries below `value`, the clients read them beside it); azure-devops-docs, "Auditing events list" (only organizations
//! of Microsoft Entra have one) and the release notes of sprint 278 (service hooks are audited, throttling among it). What the
//! actions are called and where an entry names the hook is not documented: an entry is of the hook whose id is in it.

use super::{
    Failure, Window,
    calls::api,
    engine::Client,
    records_shapes::{date, raw, text},
    target,
    wire::{self, Record},
};
use crate::azure::lenient::{Flag, Text};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

/// The resource area of the audit log, by Microsoft's clients for Python and Go.
const AUDIT_AREA: &str = "94ff054d-5ee1-413d-9341-3f4a7827de2e";
/// Entries that are asked for at a time.
const BATCH: &str = "200";
/// Batches that are read of one window; a window that has more is not whole.
const BATCHES_MAX: usize = 5;

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The action, in Azure's own word.
    pub action: String,
    /// The name of whoever did it, as people know it.
    pub who: Option<String>,
    /// In words of people.
    pub details: Option<String>,
    /// The whole entry, in lower case.
    whole: String,
}

impl AuditEntry {
    /// Whether it is about what has this GUID.
    pub fn names(&self, id: &str) -> bool {
        !id.is_empty() && self.whole.contains(&id.to_lowercase())
    }

    /// Whether it says that something is held back because there is too much of it.
    pub fn throttles(&self) -> bool {
        let says = |text: &str| {
            let text = text.to_lowercase();
            ["throttl", "jail", "rate limit"].iter().any(|word| text.contains(word))
        };
        says(&self.action) || self.details.as_deref().is_some_and(says)
    }
}

raw!(Batch<'a> {
    #[serde(borrow)] value: Option<&'a RawValue>,
    #[serde(borrow)] decorated_audit_log_entries: Option<&'a RawValue>,
    #[serde(borrow)] continuation_token: Text<'a>,
    has_more: Flag,
});

raw!(Entry<'a> {
    #[serde(borrow)] timestamp: Text<'a>,
    #[serde(borrow)] action_id: Text<'a>,
    #[serde(borrow)] actor_display_name: Text<'a>,
    #[serde(borrow, rename = "actorUPN")] actor_upn: Text<'a>,
    #[serde(borrow)] details: Text<'a>,
});

impl<'a> Record<'a> for Entry<'a> {
    type Into = AuditEntry;

    fn record(self, json: &'a RawValue) -> Result<AuditEntry, &'static str> {
        Ok(AuditEntry {
            at: date(&self.timestamp).ok_or("timestamp")?,
            action: text(&self.action_id).ok_or("actionId")?,
            who: text(&self.actor_display_name).or_else(|| text(&self.actor_upn)),
            details: text(&self.details),
            whole: json.get().to_lowercase(),
        })
    }
}

impl Client {
    /// Everything that was written within, as far as five batches hold it; and whether that is all.
    pub(super) async fn audited(&self, within: Window) -> Result<(Vec<AuditEntry>, bool), Failure> {
        let root = self.audit_root().await?;
        let (from, to) = within.asked();
        let call = api("the audit log", &root, None, &["audit", "auditlog"])?
            .with("startTime", &from)
            .with("endTime", &to)
            .with("batchSize", BATCH);
        let mut call = super::call::Call { preview: true, ..call };
        let (mut found, first) = (Vec::new(), call.clone());
        for _ in 0..BATCHES_MAX {
            let reply = self.ask(&call).await?;
            let outer: Batch<'_> = wire::object(&reply, call.name)?;
            let inner = outer.value.and_then(|inner| serde_json::from_str::<Batch<'_>>(inner.get()).ok());
            let batch = inner.filter(|_| outer.decorated_audit_log_entries.is_none()).unwrap_or(outer);
            let entries = batch.decorated_audit_log_entries;
            found.extend(wire::records_in::<Entry<'_>>(entries, &reply, call.name, "decoratedAuditLogEntries")?);
            match text(&batch.continuation_token).filter(|token| !token.is_empty()) {
                Some(token) if batch.has_more.0 != Some(false) => {
                    call = first.clone().with("continuationToken", &token);
                }
                _ => return Ok((found, true)),
            }
        }
        Ok((found, false))
    }

    /// Where the audit log is, as the server says it; a Server has none.
    async fn audit_root(&self) -> Result<Url, Failure> {
        let base = self.base();
        if target::is_services(base) {
            return Ok(target::on_host(base, "auditservice.dev.azure.com"));
        }
        let none = || Failure::NotFound { detail: Some("there is no audit log here".to_owned()) };
        let named = self.located(AUDIT_AREA).await?.filter(|url| target::may_learn(base, url));
        named.ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> AuditEntry {
        let json: &RawValue = serde_json::from_str(json).unwrap();
        serde_json::from_str::<Entry<'_>>(json.get()).unwrap().record(json).unwrap()
    }

    #[test]
    fn an_entry_is_of_the_hook_whose_id_is_anywhere_in_it() {
        let id = "fd672255-8b6b-4769-9260-beea83d752ce";
        let own = entry(&format!(
            r#"{{"timestamp":"2026-11-29T10:00:00Z","actionId":"Hooks.SubscriptionModified","actorDisplayName":"Mei",
                "data":{{"Subscription":"{}"}}}}"#,
            id.to_uppercase()
        ));
        assert!(own.names(id) && !own.names("") && !own.names("fd672255-8b6b-4769-9260-beea83d752cf"));
        assert!(!own.throttles());
        assert_eq!(own.who.as_deref(), Some("Mei"));
        for text in [
            r#"{"timestamp":"2026-11-29T10:00:00Z","actionId":"ServiceHooks.SubscriptionThrottled"}"#,
            r#"{"timestamp":"2026-11-29T10:00:00Z","actionId":"x","details":"The subscription was jailed for its volume"}"#,
        ] {
            assert!(entry(text).throttles(), "{text}");
        }
    }
}
