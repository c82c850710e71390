//! From what Azure DevOps answered to how the connection is doing. Pure: the same findings give the same words.

use super::{
    advice::{self, Advice, bounded},
    probe::{Entry, Findings, Probe},
};
use crate::{
    azure::client::{ApiVersion, Failure},
    domain::{AzureScope, Binding, Connection, Delivery, Grant, Health, HealthState, HookMode, Role, ScopeHealth},
};
use jiff::Timestamp;
use std::sync::Arc;

/// The oldest api-version that is spoken: Azure DevOps Server 2019.
const OLDEST: ApiVersion = ApiVersion { major: 5, minor: 0 };

/// How the connection is doing. `before` is what the last check found: what Azure cannot say right now stays as it was.
pub fn judge(
    connection: &Connection,
    bindings: &[Arc<Binding>],
    before: Option<&Health>,
    findings: &Findings,
    now: Timestamp,
) -> Health {
    let mut health = Health {
        connection: connection.id,
        state: HealthState::Enabled,
        cause: None,
        remedy: None,
        deployment: before.and_then(|before| before.deployment),
        api_version: before.and_then(|before| before.api_version),
        identity: before.and_then(|before| before.identity.clone()),
        instance_id: before.and_then(|before| before.instance_id),
        checked_at: now,
        scopes: Vec::new(),
    };
    let verdict = match &findings.entry {
        Entry::NoCredential => Some(no_credential(connection)),
        Entry::Failed(failure) => Some((state_of(failure), advice::on(failure, connection))),
        Entry::In { data, api_version } => {
            health.deployment = Some(data.deployment);
            health.instance_id = Some(data.instance_id);
            health.api_version = api_version.or(health.api_version);
            health.identity = Some(data.user.clone());
            health.scopes = scopes(connection, bindings, before, findings);
            let too_old = api_version.filter(|version| *version < OLDEST);
            if data.is_anonymous {
                let failure = Failure::Unauthorized { detail: Some("it treats us as nobody".to_owned()) };
                Some((HealthState::NeedsAttention, advice::on(&failure, connection)))
            } else if let Some(version) = too_old {
                Some((HealthState::NeedsAttention, advice::too_old(Some(&version.to_string()))))
            } else {
                lacking(connection, &health.scopes).map(|advice| (HealthState::NeedsAttention, advice))
            }
        }
    };
    if let Some((state, Advice { cause, remedy })) = verdict {
        (health.state, health.cause, health.remedy) = (state, Some(cause), Some(remedy.trim_end().to_owned()));
    }
    health
}

/// What Azure DevOps says against a credential, if it says anything.
pub fn refused_credential(connection: &Connection, findings: &Findings) -> Option<String> {
    match &findings.entry {
        Entry::Failed(failure @ Failure::Unauthorized { .. }) => {
            let Advice { cause, .. } = advice::on(failure, connection);
            Some(format!("{cause}; what was there before stays in use. ?check=false takes it all the same"))
        }
        _ => None,
    }
}

fn no_credential(connection: &Connection) -> (HealthState, Advice) {
    let patch = format!("PATCH /v1/connections/{}", connection.id);
    match connection.hooks {
        HookMode::Manual if connection.delivery == Delivery::Hooks => (
            HealthState::Unchecked,
            Advice::new(
                "there is no credential, so Azure DevOps is not asked; what its hooks deliver is taken all the same",
                format!("Nothing, if that is enough. Otherwise send a token with {patch}."),
            ),
        ),
        _ if connection.delivery == Delivery::Poll => (
            HealthState::NeedsAttention,
            Advice::new("there is no credential, so nothing can be asked for", format!("Send a token with {patch}.")),
        ),
        HookMode::Managed | HookMode::Manual => (
            HealthState::NeedsAttention,
            Advice::new(
                "there is no credential, so the service hooks cannot be made",
                format!("Send a token with {patch}, or set hooks to manual and make them by hand."),
            ),
        ),
    }
}

/// What may pass by itself is unreachable; what somebody has to mend needs attention.
fn state_of(failure: &Failure) -> HealthState {
    match failure {
        Failure::Throttled { .. } | Failure::Unavailable { .. } | Failure::Unreachable { .. } => {
            HealthState::Unreachable
        }
        Failure::Settings(_)
        | Failure::Unauthorized { .. }
        | Failure::Forbidden { .. }
        | Failure::NotFound { .. }
        | Failure::Refused { .. }
        | Failure::Unexpected { .. } => HealthState::NeedsAttention,
    }
}

fn scopes(
    connection: &Connection,
    bindings: &[Arc<Binding>],
    before: Option<&Health>,
    findings: &Findings,
) -> Vec<ScopeHealth> {
    let bound = |role| bindings.iter().any(|binding| binding.selection.role() == role);
    let managed = connection.hooks == HookMode::Managed;
    let scope = |(scope, probe): &(AzureScope, Probe)| {
        let required = match scope {
            AzureScope::Code => true,
            AzureScope::ProjectAndTeam => managed,
            AzureScope::ServiceHooks => managed && connection.delivery == Delivery::Hooks,
            AzureScope::Build => bound(Role::BuildProvider),
            AzureScope::WorkItems => bound(Role::IssueProvider),
            AzureScope::Release => false,
        };
        let (grant, detail) = granted(*scope, probe);
        let before = before.and_then(|before| before.scope(*scope));
        match before.filter(|_| passes(probe)) {
            Some(before) => ScopeHealth { required, ..before.clone() },
            None => ScopeHealth { scope: *scope, grant, required, detail: detail.map(bounded) },
        }
    };
    findings.probes.iter().map(scope).collect()
}

/// Whether trying it failed for something that says nothing about the scope.
fn passes(probe: &Probe) -> bool {
    matches!(probe, Probe::Failed { failure, .. } if state_of(failure) == HealthState::Unreachable)
}

fn granted(scope: AzureScope, probe: &Probe) -> (Grant, Option<String>) {
    let at = |project: &Option<String>| project.as_ref().map(|name| format!("in project {name}: ")).unwrap_or_default();
    match probe {
        Probe::Passed => (Grant::Ok, None),
        Probe::NotNeeded => (Grant::NotNeeded, None),
        Probe::Untried(why) => (Grant::Unknown, Some((*why).to_owned())),
        Probe::Denied { permission, project } => {
            (Grant::Missing, Some(format!("{}the permission {permission} is missing", at(project))))
        }
        Probe::Failed { project, failure } => {
            let grant = match failure {
                // What the call about permissions cannot tell is not a permission that is missing.
                _ if scope == AzureScope::ServiceHooks => Grant::Unknown,
                // A token without the scope: some areas of Azure say 401, some 403. That it is valid is known by now.
                Failure::Unauthorized { .. } | Failure::Forbidden { .. } => Grant::Missing,
                // A project that is not there, or where what is asked for is switched off, grants and refuses no scope: the
                // binding that names it is told, and nobody is sent to tick anything.
                _ => Grant::Unknown,
            };
            (grant, Some(format!("{}{failure}", at(project))))
        }
    }
}

fn lacking(connection: &Connection, scopes: &[ScopeHealth]) -> Option<Advice> {
    let missing: Vec<&ScopeHealth> =
        scopes.iter().filter(|found| found.required && found.grant == Grant::Missing).collect();
    let first = missing.first()?;
    let named: Vec<String> = missing
        .iter()
        .map(|found| {
            let detail = found.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}{detail}", advice::name(found.scope))
        })
        .collect();
    let also = if missing.len() > 1 { " The others are named in scopes, each with how to grant it." } else { "" };
    let remedy = format!("{}{also}", advice::how_to_grant(first.scope, connection));
    Some(Advice::new(format!("what is needed is not allowed: {}", named.join("; ")), remedy))
}
