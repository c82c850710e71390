//! One of Azure's records made into the notification that a hook would have delivered, so that it becomes the same events
//! under the same ids. Pure.
//!
//! Only what has one identity in both can come back this way. These have not, and come back by the history alone: votes,
//! reviewers, edits and reactivations of pull requests, attempts to merge, pushes to a pull request from a fork, what a
//! stage or approval waited for, approvals, canceling runs, changes of repositories; of a run that was run again all
//! beginnings but the first and the last, and all ends but the last; of a pull request that was taken up again, that it was
//! given up. Of a comment that was edited twice, the last state comes back. What is composed says what was so then, as far as
//! that is known: `tests/it/histories/tables.rs` has each member that a record tells otherwise, with the source.
//!
//! An event of our own for these ("something changed") was not taken: once the hook's came late after all, there would be
//! two events of one fact.

mod build;
mod git;
mod pull_request;
mod release;
mod work_item;

pub(super) use self::{
    build::{finished, parts, started},
    git::{is_pushed, push},
    pull_request::{closed, commented, opened, proposed, pushed},
    release::{abandoned, deployment, released},
    work_item::{Change, Item, Step, after, between, deletes, revised, steps, updated, written_as},
};

use crate::{azure::CollectionUrl, domain::UpdateReason};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Where a record was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home<'a> {
    /// The connection's organization or collection.
    pub url: &'a CollectionUrl,
    /// Its GUID, where it is known.
    pub collection: Option<Uuid>,
    /// The project's GUID.
    pub project: Uuid,
}

/// A notification that nobody delivered.
#[derive(Debug, Clone)]
pub(super) struct Composed {
    /// Which change of a pull request it tells.
    pub reason: Option<UpdateReason>,
    /// When it happened.
    pub at: Timestamp,
    /// The date that its record was listed by: in the hour of this it counts.
    pub counted: Timestamp,
    /// What it is about.
    pub entity: String,
    /// The id of its event where that is not the one that its body gives: of a push whose head came before.
    pub event: Option<Uuid>,
    /// The envelope.
    pub body: Bytes,
}

impl Composed {
    /// Counted when its record was listed, not when it happened.
    pub(super) fn counted(self, counted: Timestamp) -> Self {
        Self { counted, ..self }
    }

    /// A push, as the `visit`th time that its head came.
    pub(super) fn visit(self, visit: u32) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if visit == 1 || !body["resource"].is_object() {
            return self;
        }
        body["resource"]["visit"] = visit.into();
        Self { body: body.to_string().into(), ..self }
    }

    /// As the event of this id.
    pub(super) fn told_by(self, event: Uuid) -> Self {
        Self { event: Some(event), ..self }
    }
}

/// A kind of notification.
#[derive(Debug, Clone, Copy)]
struct Kind {
    event_type: &'static str,
    publisher: &'static str,
    version: &'static str,
}

/// What the bodies of hooks have around their resource; no subscription and no number, since none delivered it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<R> {
    event_type: &'static str,
    publisher_id: &'static str,
    resource: R,
    resource_version: &'static str,
    resource_containers: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_date: Option<Timestamp>,
}

impl Home<'_> {
    /// A record without a date is before all others, and its envelope has none: its events are of when they are found.
    fn compose(
        &self,
        kind: Kind,
        at: impl Into<Option<Timestamp>>,
        entity: String,
        resource: impl Serialize,
    ) -> Composed {
        let created_date = at.into();
        let at = created_date.unwrap_or(Timestamp::UNIX_EPOCH);
        let mut containers = json!({"project": {"id": self.project}});
        if let Some(collection) = self.collection {
            containers["collection"] = json!({"id": collection});
        }
        let envelope = Envelope {
            event_type: kind.event_type,
            publisher_id: kind.publisher,
            resource,
            resource_version: kind.version,
            resource_containers: containers,
            created_date,
        };
        let body = serde_json::to_vec(&envelope).expect("JSON values and raw JSON are always written");
        Composed { reason: None, at, counted: at, entity, event: None, body: body.into() }
    }

    /// An address below the collection.
    fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.url.as_str().trim_end_matches('/'))
    }

    /// An address below the project.
    fn project_address(&self, path: &str) -> String {
        self.address(&format!("{}/{path}", self.project))
    }
}

/// A record's JSON taken apart; nothing where it is no object.
fn object(json: &serde_json::value::RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap_or_else(|_| json!({}))
}
