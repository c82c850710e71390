//! The words of the project: what is kept in the registry and in the notifications journal.

mod binding;
mod connection;
mod framing;
mod health;
mod id;
mod notification;
mod project;
mod recovered;
mod stream;
mod subscription;
mod token;

pub use self::{
    binding::{AzureRef, Binding, BranchRule, Meaning, Role, Selection},
    connection::{Connection, Delivery, Header, HookGeneration, HookMode, Sealed, ServicePrincipal, SignatureCheck},
    framing::{join, split},
    health::{AzureScope, Grant, Health, HealthState, ScopeHealth},
    id::{BindingId, ConnectionId, NotificationId, Slug, SlugError, TokenId},
    notification::{Disposition, KeySource, Notification, QuarantineReason, UpdateReason, Verified},
    project::{Environment, Project},
    recovered::Recovered,
    stream::{Gap, Stream, Watermark},
    subscription::{
        Action, AtAzure, Deed, Mishap, Spec, Subscription, SubscriptionKey, SubscriptionKeyError, SubscriptionState,
        Why, short_hex,
    },
    token::{Scope, Token},
};
