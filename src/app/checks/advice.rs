//! What people are told: why a call failed, and the one thing to do about it. Words only; no decision is made here.

use crate::{
    azure::client::{Failure, Unreachable},
    domain::{AzureScope, Connection, PrincipalProof},
};

/// Longest text that Azure's words, or a collection's name, can grow one of ours to.
pub const TEXT_CHARS_MAX: usize = 1_500;
/// The scopes of a token for everything that we do.
const SCOPES: &str = "Code (Read), Build (Read), Work items (Read), Project and team (Read), and Release (Read) for \
                      classic releases";

/// The advice for an organization that nobody used.
///
/// Source: a recorded 503 ("This Azure DevOps organization has been deactivated due to inactivity").
const DEACTIVATED: &str = "has been deactivated";
/// The advice for a token that is too old.
const EXPIRED: &str = "has expired";

/// Why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Why it does not work.
    pub cause: String,
    /// The one thing to do.
    pub remedy: String,
}

impl Advice {
    /// Each cut to [`TEXT_CHARS_MAX`] characters.
    pub fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { cause: bounded(cause.into()), remedy: bounded(remedy.into()) }
    }
}

pub(super) fn bounded(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What a failed call means for the user of this connection.
pub fn on(failure: &Failure, connection: &Connection) -> Advice {
    let (url, patch) = (&connection.url, format!("PATCH /v1/connections/{}", connection.id));
    match failure {
        Failure::Settings(what) => Advice::new(
            format!("a setting of the connection cannot be used: {what}"),
            format!("Give it again with {patch}."),
        ),
        Failure::Unauthorized { detail } => unauthorized(connection, detail.as_deref(), &patch),
        Failure::Forbidden { permission, detail } => {
            let lacking = permission.as_ref().map(|named| format!(" ({named})")).unwrap_or_default();
            Advice::new(
                format!("Azure DevOps knows who we are but does not let us in{lacking}{}", said(detail.as_deref())),
                format!(
                    "Ask {} to add the identity to {url} with Basic access, and whether a policy refuses it (addresses, \
                     conditional access, personal access tokens). {}",
                    administrator(connection),
                    in_front(connection),
                ),
            )
        }
        Failure::NotFound { detail } => Advice::new(
            format!(
                "there is no organization or collection at {url}, or it is not shown to us{}",
                said(detail.as_deref())
            ),
            format!(
                "Open {url} in a browser; if that fails too, send the right url with {patch}, else ask {} for access.",
                administrator(connection)
            ),
        ),
        Failure::Refused { kind: Some(kind), .. } if kind.starts_with("VssVersion") => too_old(None),
        Failure::Refused { detail, .. } => Advice::new(
            format!("Azure DevOps refuses the request{}", said(detail.as_deref())),
            format!(
                "Check that {url} is the organization or collection itself; {patch} changes it. {}",
                in_front(connection)
            ),
        ),
        Failure::Throttled { wait } => Advice::new(
            format!("Azure DevOps asks us to wait {} seconds: this identity has used up its share", wait.as_secs()),
            "Nothing: it is asked again by itself. If it goes on, give Hookwell an identity of its own, because all that \
             use the same one share the limit.",
        ),
        Failure::Unavailable { detail } => Advice::new(
            format!("Azure DevOps is there but cannot answer now{}", said(detail.as_deref())),
            if detail.as_deref().is_some_and(|text| text.contains(DEACTIVATED)) {
                "Its owner has to sign in to it in a browser and activate it again; it is asked again by itself."
            } else if is_services(connection) {
                "Nothing: it is asked again by itself. https://status.dev.azure.com says whether it is Azure's trouble; \
                 an organization that was stopped has to be started by its owner."
            } else {
                "Nothing, if it is being maintained: it is asked again by itself. Otherwise look at the server's own log."
            },
        ),
        Failure::Unreachable { at, detail } => unreachable_at(*at, detail, connection, &patch),
        Failure::Unexpected { detail, activity_id } => {
            let activity = activity_id.as_ref().map(|id| format!(" (activity {id})")).unwrap_or_default();
            Advice::new(
                format!("what answers at {url} does not answer as Azure DevOps does: {detail}{activity}"),
                format!(
                    "Open {url}/_apis/projects in a browser: if that is not Azure DevOps, send the right url with {patch}. {}",
                    in_front(connection),
                ),
            )
        }
    }
}

/// What it means for somebody who wants a list that needs the scope `wanted`.
pub fn on_listing(failure: &Failure, wanted: AzureScope, connection: &Connection) -> Advice {
    match failure {
        Failure::Forbidden { detail, .. } => Advice::new(
            format!("the connection may not read this: {} is missing{}", name(wanted), said(detail.as_deref())),
            how_to_grant(wanted, connection),
        ),
        Failure::NotFound { detail } if wanted != AzureScope::ProjectAndTeam => Advice::new(
            format!("there is no such project or repository, or it is not shown to us{}", said(detail.as_deref())),
            format!("/v1/connections/{}/azure/projects lists the projects that are.", connection.id),
        ),
        _ => on(failure, connection),
    }
}

/// What an `ApiVersion` below the oldest that we speak means.
pub(super) fn too_old(spoken: Option<&str>) -> Advice {
    let spoken = spoken.map(|version| format!(" (it speaks {version})")).unwrap_or_default();
    Advice::new(
        format!("the server is older than Azure DevOps Server 2019{spoken}"),
        "Update it to Azure DevOps Server 2019 or newer, which speaks version 5.0 of the API.",
    )
}

fn unauthorized(connection: &Connection, detail: Option<&str>, patch: &str) -> Advice {
    let (url, detail, in_front) = (&connection.url, said(detail), in_front(connection));
    if let Some(identity) = &connection.managed_identity {
        let which = identity.client_id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        return Advice::new(
            format!("Azure DevOps or Microsoft Entra does not accept the machine's managed identity{detail}"),
            format!(
                "Look in the Azure portal (the machine, Security, Identity) whether the identity{which} is assigned to it, and \
                 in {url}/_settings/users whether it was added; send managed_identity with {patch}. {in_front}"
            ),
        );
    }
    if let Some(principal) = &connection.service_principal {
        let look = match principal.proof {
            PrincipalProof::ClientSecret(_) => "Certificates & secrets) whether its secret has expired",
            PrincipalProof::Certificate(_) => {
                "Certificates & secrets) whether the certificate was uploaded and has not expired"
            }
            PrincipalProof::FederatedToken {} => {
                "Certificates & secrets, Federated credentials) whether one names the issuer and the subject of the token, with \
                 the audience api://AzureADTokenExchange"
            }
        };
        return Advice::new(
            format!("Azure DevOps or Microsoft Entra does not accept the service principal{detail}"),
            format!(
                "Look in Entra (App registrations, the application, {look}, and in {url}/_settings/users whether it was added; \
                 send service_principal with {patch}. {in_front}"
            ),
        );
    }
    if connection.token.is_none() {
        return Advice::new(
            format!("Azure DevOps does not answer without a credential{detail}"),
            format!("Send a token with {patch}. {in_front}"),
        );
    }
    // An expired one cannot be extended since sprint 271; those for all organizations end (sprint 270), and new organizations
    // restrict who makes any (sprint 257): the release notes of Azure DevOps say so.
    let why = if detail.contains(EXPIRED) {
        "it has expired, and cannot be extended any more"
    } else {
        "it is wrong, has expired or was revoked"
    };
    let ends = if is_services(connection) {
        " Choose this organization alone for it: tokens for all accessible organizations do not work from 1 December 2026 on. \
         Where the organization lets nobody make tokens (new ones do not), ask an administrator or give a service principal."
    } else {
        ""
    };
    Advice::new(
        format!("Azure DevOps does not accept the token: {why}{detail}"),
        format!(
            "Make a new one at {url}/_usersSettings/tokens with the scopes {SCOPES}, and send it as token with {patch}.{ends} \
             {in_front}"
        ),
    )
}

fn unreachable_at(at: Unreachable, detail: &str, connection: &Connection, patch: &str) -> Advice {
    let url = &connection.url;
    match at {
        Unreachable::Name => Advice::new(
            format!("the name of the server in {url} is not known here: {detail}"),
            format!("Check the spelling, and that the gateway's machine can resolve it; {patch} changes url."),
        ),
        Unreachable::Connect => Advice::new(
            format!("nothing answers at {url}: {detail}"),
            format!(
                "Check that the server runs and that no firewall is between the gateway and it; if the way leads through a \
                 proxy, set proxy with {patch}."
            ),
        ),
        Unreachable::Tls => Advice::new(
            format!("no trusted TLS connection to {url} could be made: {detail}"),
            format!(
                "If the server's certificate is signed by an authority of your own, send that authority's certificate (PEM) as \
                 ca_bundle with {patch}."
            ),
        ),
        Unreachable::Proxy => Advice::new(
            format!("the proxy on the way to {url} refused or failed: {detail}"),
            format!("Check its address, user name and password, and send proxy again with {patch}."),
        ),
        Unreachable::Descriptors => Advice::new(
            format!("Azure DevOps was not asked: {detail}"),
            "Raise the limit or close what holds them; it is asked again by itself.",
        ),
        Unreachable::Silent => Advice::new(
            format!("{url} did not answer in time: {detail}"),
            "Check the network and whether the server is overloaded; it is asked again by itself.",
        ),
    }
}

/// What a refusal may have come from instead of Azure DevOps.
fn in_front(connection: &Connection) -> &'static str {
    match (connection.headers.is_empty(), is_services(connection)) {
        (false, _) => {
            "It may also be a proxy in front, such as Cloudflare Access, that refuses the extra headers: send headers again."
        }
        (true, false) => {
            "It may also be a proxy in front, such as Cloudflare Access, that wants headers: send them as headers."
        }
        (true, true) => "",
    }
}

/// Whether its URL says that it is in the cloud.
pub fn is_services(connection: &Connection) -> bool {
    connection.url.as_str().starts_with("https://dev.azure.com/")
}

/// How the hooks that we made are shown to us, whom to ask for it, and what to do where there are none any more.
pub fn how_to_see(connection: &Connection) -> String {
    bounded(format!(
        "ask {} to allow the identity View Subscriptions of the service hooks (security namespace ServiceHooks, token \
         PublisherSecurity/{{project id}}, bit 1; a Project Administrator has it). What the hooks deliver is taken all the \
         same. If somebody deleted them, remove the bindings and make them again",
        administrator(connection)
    ))
}

/// Whom to ask. The owner of an organization of their own is one of them.
pub(super) fn administrator(connection: &Connection) -> String {
    format!(
        "a Project Collection Administrator ({}/_settings/groups lists them; in an organization of your own, that is you)",
        connection.url
    )
}

fn said(detail: Option<&str>) -> String {
    detail.map(|detail| format!(": {detail}")).unwrap_or_default()
}

/// Azure's name for a scope.
pub fn name(scope: AzureScope) -> &'static str {
    match scope {
        AzureScope::ProjectAndTeam => "Project and team (Read)",
        AzureScope::Code => "Code (Read)",
        AzureScope::Build => "Build (Read)",
        AzureScope::WorkItems => "Work items (Read)",
        AzureScope::Release => "Release (Read)",
        AzureScope::ServiceHooks => "Service hooks (View and Edit Subscriptions)",
    }
}

/// What we need a scope for.
pub fn needed_for(scope: AzureScope) -> &'static str {
    match scope {
        AzureScope::ProjectAndTeam => "Lists the projects, and finds the one that a binding or a service hook names.",
        AzureScope::Code => {
            "Lists repositories and branches, and reads what was pushed or merged while no hook could tell."
        }
        AzureScope::Build => "Lists pipelines and reads builds, for projects whose build provider is this connection.",
        AzureScope::WorkItems => {
            "Reads work items and their types, for projects whose issue provider is this connection."
        }
        AzureScope::Release => "Reads classic release pipelines; only projects that use them need it.",
        AzureScope::ServiceHooks => {
            "Makes the service hooks of the bindings and looks after them; not needed with hooks manual."
        }
    }
}

/// How it is granted, click by click, and whom to ask where that is not ours to click.
pub fn how_to_grant(scope: AzureScope, connection: &Connection) -> String {
    let (url, principal) = (&connection.url, connection.has_credential() && connection.token.is_none());
    let (tick, place) = match scope {
        AzureScope::ProjectAndTeam => ("Project and team: Read", "Project settings, Permissions, Readers"),
        AzureScope::Code => ("Code: Read", "Project settings, Repositories, Security, Read"),
        AzureScope::Build => ("Build: Read", "Pipelines, the three dots, Manage security, View builds"),
        AzureScope::WorkItems => (
            "Work items: Read",
            "Project settings, Project configuration, Areas, Security, View work items in this node",
        ),
        AzureScope::Release => ("Release: Read", "Releases, the three dots, Security, View releases"),
        AzureScope::ServiceHooks => {
            return bounded(format!(
                "Ask {} to allow the identity View and Edit Subscriptions of the service hooks, most simply by making \
                 it a Project Administrator (Project settings, Permissions); or set hooks to manual with \
                 PATCH /v1/connections/{} and have somebody make them by hand.",
                administrator(connection),
                connection.id,
            ));
        }
    };
    let permission = format!("ask a Project Administrator to allow it ({place})");
    bounded(if principal {
        format!(
            "A service principal has no scopes: {permission}, and see in {url}/_settings/users that it has Basic access."
        )
    } else {
        format!(
            "{url}/_usersSettings/tokens, the token, Edit, tick {tick}, Save. If it is ticked, the identity itself may not: \
             {permission}."
        )
    })
}
