//! Who works there, and what proves it.

use super::options::Place;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

/// Rights in the security namespace `ServiceHooks`, as its bits.
pub(super) mod hook_rights {
    pub(crate) const VIEW: u32 = 1;
    pub(crate) const EDIT: u32 = 2;
    pub(crate) const DELETE: u32 = 4;
    pub(crate) const ALL: u32 = VIEW | EDIT | DELETE | 8;
}

/// An identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    /// Usually a mail address; a service principal's is its application id.
    pub(crate) account: String,
    /// Whether it still belongs to the organization.
    pub(crate) is_active: bool,
    /// Bits of [`hook_rights`] by project; `None` is the whole collection.
    pub(crate) hook_rights: BTreeMap<Option<Uuid>, u32>,
}

impl Person {
    /// A member without rights on hooks.
    pub(crate) fn new(collection: Uuid, name: &str, account: &str) -> Self {
        let id = Uuid::new_v5(&collection, format!("person {account}").as_bytes());
        let hook_rights = BTreeMap::from([(None, hook_rights::VIEW)]);
        Self { id, name: name.to_owned(), account: account.to_owned(), is_active: true, hook_rights }
    }

    /// Whether it holds all of `bits` for the project, or for the whole collection.
    pub(crate) fn may(&self, project: Option<Uuid>, bits: u32) -> bool {
        let whole = self.hook_rights.get(&None).copied().unwrap_or_default();
        let own = project.and_then(|id| self.hook_rights.get(&Some(id))).copied().unwrap_or_default();
        self.is_active && (whole | own) & bits == bits
    }

    /// By its kind: build services are service identities.
    pub(crate) fn descriptor(&self) -> String {
        let kind = if self.account.starts_with("Build\\") { "svc" } else { "aad" };
        format!("{kind}.{}", self.id.simple())
    }

    /// As an `IdentityRef`.
    pub(crate) fn identity_ref(&self, place: &Place) -> Value {
        let avatar = format!("{}/_apis/GraphProfile/MemberAvatars/{}", place.base, self.descriptor());
        json!({
            "displayName": self.name,
            "url": format!("https://spsprodweu1.vssps.visualstudio.com/A{}/_apis/Identities/{}", place.collection, self.id),
            "_links": {"avatar": {"href": avatar}},
            "id": self.id,
            "uniqueName": self.account,
            "imageUrl": avatar,
            "descriptor": self.descriptor(),
        })
    }

    /// As old resource versions of work items write it: `Name <account>`.
    pub(crate) fn combined(&self) -> String {
        format!("{} <{}>", self.name, self.account)
    }
}

/// What a token may be used for, by Azure's scope names without `vso.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Repositories, pushes, pull requests.
    Code,
    /// Builds and pipelines.
    Build,
    /// Classic releases.
    Release,
    /// Alerts of Advanced Security.
    AdvancedSecurity,
    /// Work items.
    Work,
    /// Projects and teams.
    Project,
    /// Identities.
    Profile,
    /// The audit log.
    AuditLog,
}

/// Whether a token is still one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It works.
    Live,
    /// It is known, and over.
    Expired,
    /// It is not known any more.
    Revoked,
}

/// A personal access token, or a bearer token of a service principal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) person: Arc<str>,
    /// `None` is full access.
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) state: TokenState,
    pub(crate) expires: Option<Timestamp>,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) at: Timestamp,
    pub(crate) who: String,
    pub(crate) action: String,
    pub(crate) details: String,
    pub(crate) about: Uuid,
}

/// Whose signature proves the service principal to Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Believed {
    /// In DER.
    pub(crate) certificate: Vec<u8>,
    /// Of a federated credential the issuer and the subject; `None` is a certificate of the application's own.
    pub(crate) subject: Option<(String, String)>,
}

/// Who makes a call, and how far its token goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) person: Person,
    /// `None` is full access.
    pub(crate) scopes: Option<Vec<Scope>>,
}

impl Caller {
    /// Whether its token has one of these scopes.
    pub(crate) fn has(&self, any: &[Scope]) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| any.is_empty() || any.iter().any(|scope| scopes.contains(scope)))
    }
}

/// Accounts of those who work there from the beginning; one name is not ASCII, as in life.
pub(super) const ANA: &str = "ana@fabrikam.example";
/// See [`ANA`].
pub(super) const JUERGEN: &str = "juergen@fabrikam.example";
/// May not edit subscriptions.
pub(super) const MEI: &str = "mei@fabrikam.example";
/// See [`ANA`].
pub(super) const SAM: &str = "sam@fabrikam.example";

/// Published, because what they open is simulated.
pub mod tokens {
    /// Everything, as a project collection administrator.
    pub const FULL: &str = "simulatedfullaccesstoken000000000000000000000000simu";
    /// The scope Code only; its owner may edit subscriptions.
    pub const CODE_ONLY: &str = "simulatedcodeonlytoken00000000000000000000000000simu";
    /// The scope Build only.
    pub const BUILD_ONLY: &str = "simulatedbuildonlytoken0000000000000000000000000simu";
    /// The scope Work items only.
    pub const WORK_ONLY: &str = "simulatedworkonlytoken00000000000000000000000000simu";
    /// Everything but Release.
    pub const WITHOUT_RELEASE: &str = "simulatedwithoutreleasetoken00000000000000000000simu";
    /// Every scope, of somebody without the permission Edit Subscription.
    pub const WITHOUT_EDIT: &str = "simulatedwithoutedittoken00000000000000000000000simu";
    /// It expired.
    pub const EXPIRED: &str = "simulatedexpiredtoken000000000000000000000000000simu";
    /// The tenant of the service principal.
    pub const TENANT: &str = "7d3f0f6e-1b43-4bb8-9f2e-0c1d5a6e7f80";
    /// The service principal's application id.
    pub const CLIENT_ID: &str = "1c9e2a54-6f0b-4c7e-8d5a-3b2f1e0d9c87";
    /// The service principal's secret.
    pub const CLIENT_SECRET: &str = "simulated-client-secret";
    /// The header that App Service wants to hear before it gives a token of the machine.
    pub const IDENTITY_HEADER: &str = "simulated-identity-header";
}
