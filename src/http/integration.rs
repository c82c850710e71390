//! Azure DevOps as a whole.

use super::{extract::Call, problem::Problem, reply::json};
use crate::{
    app::{
        attention::{Attention, SinkTrouble, attention},
        collections::Foreign,
    },
    azure::client::OddRecords,
    domain::{ConnectionId, HealthState},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use warp::reply::Response;

/// Longest text about one thing.
const DETAIL_CHARS_MAX: usize = 2_000;

/// What wants attention.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// Notifications cannot be stored.
    StoreNotReady,
    /// Something that was stored cannot be read any more.
    StoreDamaged,
    /// Some of the newest notifications are in quarantine.
    NotificationsQuarantined,
    /// Notifications through a connection speak of another collection than its check found.
    CollectionDiffers,
    /// The translation of notifications was given up.
    NotificationsDead,
    /// Translation is far behind.
    TranslationBehind,
    /// The subscriptions of a connection cannot be looked after.
    SubscriptionsTrouble,
    /// Subscriptions are restricted, switched off or cannot be made.
    SubscriptionsNotDelivering,
    /// Subscriptions were made anew lately, after Azure DevOps had restricted or switched them off.
    SubscriptionsHealed,
    /// A sink takes no events.
    SinkNotTaking,
    /// Deliveries to a sink were given up.
    DeliveriesDead,
    /// Something that must have happened is no event, and nobody tells it.
    EventsMissing,
    /// A binding was not compared with Azure's records for two hours.
    CompletenessUnknown,
    /// Nobody knows which states of work items mean "done": the usual English names are taken.
    StatesUnknown,
    /// A binding names something that is not there, or that Azure DevOps does not show us.
    BindingNamesNothing,
    /// Records that Azure DevOps lists cannot be read, and are left out.
    RecordsUnreadable,
    /// One token opens several organizations, which ends on 1 December 2026.
    TokenForAllOrganizations,
    /// A rule of a code deployment names a pipeline, stage, job or environment that is not there, or can match nothing else.
    RuleMatchesNothing,
    /// Somebody has to do something about a connection.
    ConnectionNeedsAttention,
    /// A connection's Azure DevOps cannot be spoken with now.
    ConnectionUnreachable,
}

/// One thing to look at; it goes away by itself with its cause.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttentionView {
    /// What kind of thing.
    pub kind: AttentionKind,
    /// What is going on and where to look.
    #[schema(max_length = 2000)]
    pub detail: String,
    /// The one thing to do, where it does not go away by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub remedy: Option<String>,
    /// Where to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri-reference", max_length = 200, example = "/v1/notifications?state=dead")]
    pub link: Option<String>,
}

/// The integration with Azure DevOps.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntegrationView {
    /// Whether there is at least one connection.
    pub enabled: bool,
    /// How many connections there are.
    #[schema(maximum = 1000)]
    pub connections: usize,
    /// How many projects.
    #[schema(maximum = 1000)]
    pub projects: usize,
    /// How many bindings.
    #[schema(maximum = 5000)]
    pub bindings: usize,
    /// What an operator should look at.
    #[schema(max_items = 100)]
    pub attention: Vec<AttentionView>,
}

impl AttentionView {
    /// What is behind it is found out step by step.
    fn ask_the_doctor(self, connection: ConnectionId) -> Self {
        let remedy = format!(
            "Run `hookwell doctor --connection {connection}` (POST /v1/connections/{connection}/doctor): it finds the cause \
             and says the one thing to do."
        );
        Self { remedy: Some(remedy), ..self }
    }
}

/// By list, with the last one of each.
fn unreadable(odd: &[OddRecords]) -> String {
    let of = |one: &OddRecords| {
        let which = one.which.as_ref().map(|which| format!(" (last {which})")).unwrap_or_default();
        format!("{} of {}{which}: {}", one.count, one.list, one.lacks)
    };
    odd.iter().map(of).collect::<Vec<_>>().join("; ")
}

impl From<Attention> for AttentionView {
    #[expect(clippy::too_many_lines, reason = "one arm for each thing that wants attention")]
    fn from(attention: Attention) -> Self {
        let plain = |kind, detail: String, link: Option<&str>| {
            let detail = detail.chars().take(DETAIL_CHARS_MAX).collect();
            Self { kind, detail, remedy: None, link: link.map(str::to_owned) }
        };
        match attention {
            Attention::StoreNotReady(reason) => Self {
                remedy: Some(
                    "Free space on that disk, or mend what else is named. The gateway goes on by itself then, and Azure DevOps \
                     delivers again what was answered 503."
                        .to_owned(),
                ),
                ..plain(AttentionKind::StoreNotReady, reason, Some("/readyz"))
            },
            Attention::Damaged(damage) => Self {
                remedy: Some(
                    "Look after the disk, and restore journal/ from a backup if there is one. A backfill of the bindings \
                     (hookwell backfill, POST /v1/bindings/{id}/backfill) over that stretch of time brings back what Azure \
                     DevOps' records still tell."
                        .to_owned(),
                ),
                ..plain(AttentionKind::StoreDamaged, damage.to_string(), None)
            },
            Attention::MoreDamaged(count) => plain(
                AttentionKind::StoreDamaged,
                format!("and {count} more such stretches; the gateway's log names each"),
                None,
            ),
            Attention::Quarantined(count) => plain(
                AttentionKind::NotificationsQuarantined,
                format!("{count} of the newest notifications are in quarantine: /v1/notifications?state=quarantined"),
                Some("/v1/notifications?state=quarantined"),
            ),
            Attention::Collection(id, Foreign { ours, theirs, count, at }) => Self {
                remedy: Some(format!(
                    "If they are not yours, rotate the hook secret and set collection_id of the connection to {ours}: they are \
                     quarantined then. If they are, set it to {theirs}."
                )),
                ..plain(
                    AttentionKind::CollectionDiffers,
                    format!(
                        "{count} notifications through this connection, the last at {at}, speak of collection {theirs}, and \
                         its check found {ours}; they were taken"
                    ),
                    Some(&format!("/v1/connections/{id}")),
                )
            },
            Attention::Dead(count) => plain(
                AttentionKind::NotificationsDead,
                format!("{count} notifications could not be translated: /v1/notifications?state=dead"),
                Some("/v1/notifications?state=dead"),
            ),
            Attention::Backlog(count) => {
                plain(AttentionKind::TranslationBehind, format!("{count} notifications wait for translation"), None)
            }
            Attention::Subscriptions(connection, trouble) => {
                let link = format!("/v1/subscriptions?connection={connection}");
                plain(
                    AttentionKind::SubscriptionsTrouble,
                    format!("connection {connection}: {}", trouble.detail),
                    Some(&link),
                )
                .ask_the_doctor(connection)
            }
            Attention::SubscriptionsAre(connection, state, count) => plain(
                AttentionKind::SubscriptionsNotDelivering,
                format!("connection {connection}: {count} subscriptions are {}", state.word()),
                Some(&format!("/v1/subscriptions?connection={connection}&state={}", state.word())),
            )
            .ask_the_doctor(connection),
            Attention::SubscriptionsHealed(connection, count) => plain(
                AttentionKind::SubscriptionsHealed,
                format!(
                    "connection {connection}: {count} subscriptions were made anew in the last 24 hours, because Azure DevOps \
                     had restricted or disabled them; see whether it reaches the gateway without failures"
                ),
                Some(&format!("/v1/subscriptions?connection={connection}")),
            )
            .ask_the_doctor(connection),
            Attention::Sink(id, name, trouble) => Self {
                remedy: match trouble {
                    SinkTrouble::Unusable(_) => Some("Correct its settings with PATCH.".to_owned()),
                    SinkTrouble::Gone(_) => {
                        Some("Resume it when its receiver wants events again, or delete it.".to_owned())
                    }
                    SinkTrouble::Failing(_) => None,
                },
                ..plain(
                    AttentionKind::SinkNotTaking,
                    match trouble {
                        SinkTrouble::Unusable(why) => format!("{name} cannot be opened: {why}"),
                        SinkTrouble::Gone(said) => format!("{name} wants no more events: {said}"),
                        SinkTrouble::Failing(said) => format!("{name} fails and is tried now and then: {said}"),
                    },
                    Some(&format!("/v1/sinks/{id}")),
                )
            },
            Attention::SinkDead(id, name, count) => Self {
                remedy: Some(format!("Mend the cause and replay them: POST /v1/sinks/{id}/replay with dead: true.")),
                ..plain(
                    AttentionKind::DeliveriesDead,
                    format!("{count} deliveries to {name} were given up"),
                    Some(&format!("/v1/sinks/{id}/deliveries?state=dead")),
                )
            },
            Attention::Incomplete { binding, project, until, unexplained, gaps } => plain(
                AttentionKind::EventsMissing,
                format!(
                    "project {project}, binding {binding}: {unexplained} facts are unexplained and {gaps} gaps are open; {}",
                    complete(until)
                ),
                Some(&format!("/v1/completeness?binding={binding}")),
            ),
            Attention::Late(binding, project, compared_until) => plain(
                AttentionKind::CompletenessUnknown,
                format!(
                    "project {project}, binding {binding} was {} compared with Azure DevOps' records, so nobody knows \
                     whether something is missing since",
                    compared_until.map_or_else(|| "never".to_owned(), |until| format!("up to {until}"))
                ),
                Some(&format!("/v1/completeness?binding={binding}")),
            ),
            Attention::StatesUnknown(binding, project) => Self {
                remedy: Some(
                    "Let the connection read work items (scope Work items (Read)), or say with --completed-states which states \
                     mean done."
                        .to_owned(),
                ),
                ..plain(
                    AttentionKind::StatesUnknown,
                    format!(
                        "project {project}, binding {binding}: which states of its work items mean done could not be looked up, \
                         so the usual English names are taken; what was told by them stays told"
                    ),
                    Some(&format!("/v1/bindings/{binding}")),
                )
            },
            Attention::Unresolved(binding, project, detail) => Self {
                remedy: Some(
                    "Correct the binding with PATCH or remove it; or let the connection's identity see what it names."
                        .to_owned(),
                ),
                ..plain(
                    AttentionKind::BindingNamesNothing,
                    format!("project {project}, binding {binding}: {detail}"),
                    Some(&format!("/v1/bindings/{binding}")),
                )
            },
            Attention::Unreadable(connection, odd) => Self {
                remedy: Some(
                    "What they tell comes by hooks alone. If it goes on, look at the record at Azure DevOps, and report what it \
                     looks like."
                        .to_owned(),
                ),
                ..plain(
                    AttentionKind::RecordsUnreadable,
                    format!("of what Azure DevOps lists, this cannot be read and is left out: {}", unreadable(&odd)),
                    Some(&format!("/v1/connections/{connection}")),
                )
            },
            Attention::GlobalToken(connections) => {
                let names: Vec<&str> = connections.iter().map(|(_, name)| name.as_str()).collect();
                let link = connections.first().map(|(id, _)| format!("/v1/connections/{id}"));
                Self {
                    remedy: Some(
                        "Make a token for each organization alone and send it with PATCH to each connection, or give them a \
                         service principal."
                            .to_owned(),
                    ),
                    ..plain(
                        AttentionKind::TokenForAllOrganizations,
                        format!(
                            "the connections {} have one token, so it is one for all accessible organizations; such tokens do \
                             not work from 1 December 2026 on",
                            names.join(", ")
                        ),
                        link.as_deref(),
                    )
                }
            }
            Attention::Doubtful(binding, project, detail) => Self {
                remedy: Some("Correct the rule with PATCH, if it is not meant for what comes yet.".to_owned()),
                ..plain(
                    AttentionKind::RuleMatchesNothing,
                    format!("project {project}, binding {binding}: {detail}"),
                    Some(&format!("/v1/bindings/{binding}")),
                )
            },
            Attention::Connection { id, name, health } => Self {
                kind: match health.state {
                    HealthState::Unreachable => AttentionKind::ConnectionUnreachable,
                    _ => AttentionKind::ConnectionNeedsAttention,
                },
                detail: format!("{name}: {}", health.cause.unwrap_or_default()),
                remedy: health.remedy,
                link: Some(format!("/v1/connections/{id}")),
            },
        }
    }
}

fn complete(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "it was never complete".to_owned(), |until| format!("it is complete until {until}"))
}

/// Read the state of the integration.
#[utoipa::path(get, path = "/v1/integration", tag = "integration", operation_id = "read_integration",
    responses((status = 200, description = "The integration.", body = IntegrationView)))]
pub async fn show(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let directory = call.app().directory();
    let attention = attention(call.app()).await?;
    Ok(json(&IntegrationView {
        enabled: !directory.connections.is_empty(),
        connections: directory.connections.len(),
        projects: directory.projects.len(),
        bindings: directory.bindings.len(),
        attention: attention.into_iter().map(AttentionView::from).collect(),
    }))
}
