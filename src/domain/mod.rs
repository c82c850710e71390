//! The words of the project: what is kept in the registry and in the notifications journal.

mod account;
mod backfill;
mod binding;
mod connection;
mod deployment;
mod framing;
mod health;
mod id;
pub mod mentions;
mod notification;
mod partial;
mod pattern;
mod process;
mod project;
mod recovered;
mod sink;
mod stream;
mod subscription;
mod token;
mod tracking;

pub use self::{
    account::{Account, UNEXPLAINED_NAMED_MAX, hour_after, hour_of},
    backfill::{Backfill, BackfillState, BackfillStream},
    binding::{AzureRef, Binding, BranchRule, Meaning, Role, Selection},
    connection::{
        Connection, Delivery, Header, HookGeneration, HookMode, ManagedIdentity, PrincipalProof, Sealed,
        ServicePrincipal, SignatureCheck,
    },
    deployment::{Cause, Deployment, Person, Step, Telling},
    framing::{join, split},
    health::{AzureScope, Grant, Health, HealthState, ScopeHealth},
    id::{BindingId, ConnectionId, NotificationId, SinkId, Slug, SlugError, TokenId},
    notification::{Disposition, KeySource, Notification, QuarantineReason, UpdateReason, Verified},
    partial::Partial,
    pattern::{TypePattern, without_version},
    process::{ItemType, PROCESS_BYTES_MAX, Process},
    project::{Environment, Project},
    recovered::Recovered,
    sink::{
        DevLake, FileLog, Mode, Nats, Sink, SinkFilter, SinkStart, SinkState, Sleuth, SleuthImpact, StateChange,
        Target, Traits, Unwanted, Webhook, secret,
    },
    stream::{Gap, Stream, Watermark},
    subscription::{
        Action, AtAzure, Deed, Mishap, Spec, Subscription, SubscriptionKey, SubscriptionKeyError, SubscriptionState,
        Why, short_hex,
    },
    token::{Scope, Token},
    tracking::{BuildRule, Deploys, Ignored, IncidentRule, Issues, Part, Reach, Revision, Tracking},
};
