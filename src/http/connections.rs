//! Connections.

mod body;
mod check_view;
mod view;

pub use self::{
    body::{ConnectionChangeBody, NewConnectionBody, change_schema, new_schema},
    view::{ConnectionList, ConnectionView},
};

use self::body::{read_change, read_new};
use super::{
    extract::{Call, Query, Segment},
    idempotency::{Creation, begin},
    problem::Problem,
    reconcile_views::RemovedConnectionView,
    reply::{Tag, if_match, if_match_required, json, resource, secret, tagged},
    views::RemovalView,
};
use crate::{
    app::{
        change::Precondition,
        checks,
        connections::{self, Known, hook_credentials},
        discovery,
    },
    azure::client::Priority,
    domain::{Connection, ConnectionId, Health},
    reconcile::removal,
    recover::Request,
};
use http::{StatusCode, header};
use warp::reply::Response;

/// List connections.
#[utoipa::path(get, path = "/v1/connections", tag = "connections", operation_id = "list_connections",
    responses((status = 200, description = "All of them.", body = ConnectionList)))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let (gateway, directory) = (gateway(&call), call.app().directory());
    let view = |(id, kept): (&ConnectionId, &crate::app::Kept<Connection>)| {
        let health = directory.health.get(id).map(|kept| &*kept.record);
        ConnectionView::new(call.app(), &gateway, &kept.record, health)
    };
    Ok(json(&ConnectionList { data: directory.connections.iter().map(view).collect() }))
}

/// Create a connection.
///
/// It is checked first, which takes at most 20 seconds, and made whatever the check finds: `status` and `check` say how it
/// is doing and what to do. The reply shows the hook's URL, user name and, this once, its password. Credentials for Azure
/// DevOps are kept sealed.
#[utoipa::path(post, path = "/v1/connections", tag = "connections", operation_id = "create_connection",
    params(("check" = Option<bool>, Query, description = "`false` makes it without waiting for the check, which then follows by itself."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating it safe for 24 hours.", pattern = "^([!#-~]{1,255}|\"[!#-~]{1,255}\")$")),
    request_body = NewConnectionBody,
    responses((status = 201, description = "Made.", body = ConnectionView)))]
pub async fn create(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    let check = checking(call.query(&["check"])?)?;
    let body = call.json().await?;
    let mut making = match begin(&call, &body)? {
        Creation::Again(reply) => return Ok(reply),
        Creation::New(making) => making,
    };
    let (new, gateway) = (read_new(&body)?, gateway(&call));
    let show = |record: &Connection, health: Option<&Health>| {
        let view = ConnectionView::new(call.app(), &gateway, record, health);
        let view = view.showing(&hook_credentials(call.app(), record));
        making.made(format!("/v1/connections/{}", record.id), &view)
    };
    let known = connections::create(call.app(), new, check, show).await?;
    Ok(making.reply(Some(tag(&known))))
}

/// Read a connection.
#[utoipa::path(get, path = "/v1/connections/{id}", tag = "connections", operation_id = "read_connection",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ("If-None-Match" = Option<String>, Header, example = "\"1\"", description = "An ETag: 304 when it is still this one.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "The connection.", body = ConnectionView), (status = 304, description = "It is still this one.")))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let known = connections::find_known(&call.app().directory(), id.names("connection")?)?;
    resource(&call, tag(&known), &view(&call, &known))
}

/// Change a connection.
///
/// Members that are left out stay as they are (RFC 7396). It is checked first, which takes at most 20 seconds. A new
/// credential that Azure DevOps does not accept is refused, and the old one stays in use; anything else that the check finds
/// is kept with the change.
#[utoipa::path(patch, path = "/v1/connections/{id}", tag = "connections", operation_id = "change_connection",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ("check" = Option<bool>, Query, description = "`false` changes it without waiting for the check, which then follows by itself."),
        ("If-Match" = String, Header, example = "*", description = "The ETag that reading it gave, or `*`.", min_length = 1, max_length = 1000)),
    request_body(content((ConnectionChangeBody = "application/json"), (ConnectionChangeBody = "application/merge-patch+json"))),
    responses((status = 200, description = "As it is now.", body = ConnectionView),
        (status = 409, description = "Azure DevOps does not accept the new credential; or `url` or `proxy` moves elsewhere and secrets that were given for the first place are not given again.")))]
pub async fn edit(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    let check = checking(call.query(&["check"])?)?;
    let id: ConnectionId = id.names("connection")?;
    connections::find(&call.app().directory(), id)?;
    let precondition = if_match_required(&call)?;
    let change = read_change(&call.json().await?)?;
    let known = connections::edit(call.app(), id, &precondition, change, check).await?;
    Ok(tagged(tag(&known), json(&view(&call, &known))))
}

/// Check a connection.
///
/// Now, in at most 20 seconds: whether Azure DevOps is reached, who we are there, and each scope by itself. A connection that
/// passes again is `enabled` again. The same happens in the background every ten minutes, and sooner while it fails.
#[utoipa::path(post, path = "/v1/connections/{id}/check", tag = "connections", operation_id = "check_connection",
    params(("id" = Uuid, Path, description = "The connection's id.")),
    responses((status = 200, description = "As it was found.", body = ConnectionView)))]
pub async fn check(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let known = checks::check(call.app(), id.names("connection")?, Priority::Interactive).await?;
    Ok(tagged(tag(&known), json(&view(&call, &known))))
}

/// Synchronize a connection.
///
/// Checks it, forgets the lists that were read through it, has the service hooks at Azure DevOps compared with the bindings,
/// and has what they lost looked for closely: in the history of notifications, and in Azure's own records of the last day.
/// That goes on behind the reply.
#[utoipa::path(post, path = "/v1/connections/{id}/sync", tag = "connections", operation_id = "synchronize_connection",
    params(("id" = Uuid, Path, description = "The connection's id.")),
    responses((status = 202, description = "Begun; this is what the check found.", body = ConnectionView)))]
pub async fn sync(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let id = id.names("connection")?;
    let known = checks::check(call.app(), id, Priority::Interactive).await?;
    discovery::forget(call.app(), id);
    call.app().reconcile.notify_one();
    call.app().recover.ask(id, Request { since: None, closely: true });
    let mut response = json(&view(&call, &known));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Preview the removal of a connection.
///
/// What would go with it, and the confirmation to send.
#[utoipa::path(get, path = "/v1/connections/{id}/removal", tag = "connections", operation_id = "preview_connection_removal",
    params(("id" = Uuid, Path, description = "The connection's id.")),
    responses((status = 200, description = "What would go.", body = RemovalView)))]
pub async fn removal(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let id = id.names("connection")?;
    let hooks = removal::preview(call.app(), id);
    Ok(json(&RemovalView::new(connections::removal(call.app(), id)?, hooks)))
}

/// Remove a connection.
///
/// With its bindings, in one step. Needs the confirmation that `/v1/connections/{id}/removal` gives, so that nobody removes
/// what they have not seen. Events that were published stay. Its subscriptions at Azure DevOps are then deleted there, for
/// at most 20 seconds; those that could not be are listed, for a person to delete.
#[utoipa::path(delete, path = "/v1/connections/{id}", tag = "connections", operation_id = "remove_connection",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ("confirm" = Option<String>, Query, description = "The confirmation; required in practice, but its lack is explained by a 409.", max_length = 100),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "It is gone, and with it these.", body = RemovedConnectionView),
        (status = 409, description = "Not confirmed, or something else would go than what was confirmed.")))]
pub async fn remove(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["confirm"])?;
    if query.text("confirm").is_some_and(|text| text.chars().count() > 100) {
        query.wrong("confirm", "must be at most 100 characters");
    }
    let confirmation = query.text("confirm").map(str::to_owned);
    query.finish()?;
    let precondition = if_match(&call)?.unwrap_or(Precondition::None);
    let id = id.names("connection")?;
    let (removed, cleared) = removal::remove(call.app(), id, &precondition, confirmation.as_deref()).await?;
    let bindings = removed.bindings.iter().map(|binding| binding.id.0).collect();
    Ok(json(&RemovedConnectionView::new(bindings, cleared)))
}

/// Rotate the hook secret of a connection.
///
/// Makes a new password for hooks and shows it this once. The one before it is accepted for the overlap, 7 days unless
/// configured otherwise; rotating again ends it at once.
#[utoipa::path(post, path = "/v1/connections/{id}/rotate-hook-secret", tag = "connections", operation_id = "rotate_hook_secret",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "With the new password.", body = ConnectionView)))]
pub async fn rotate(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let precondition = if_match(&call)?.unwrap_or(Precondition::None);
    let known = connections::rotate_hook_secret(call.app(), id.names("connection")?, &precondition).await?;
    let credentials = hook_credentials(call.app(), &known.connection.record);
    Ok(tagged(tag(&known), secret(json(&view(&call, &known).showing(&credentials)))))
}

fn view(call: &Call, known: &Known) -> ConnectionView {
    let health = known.health.as_ref().map(|kept| &*kept.record);
    ConnectionView::new(call.app(), &gateway(call), &known.connection.record, health)
}

/// The status is shown with the connection and changes without it.
fn tag(known: &Known) -> Tag {
    Tag::beside(known.connection.version, known.health.as_ref().map(|kept| kept.version))
}

/// Whether the check is wanted: yes, unless it is said not to be.
fn checking(mut query: Query) -> Result<bool, Problem> {
    let check = query.parsed("check", "true or false");
    query.finish()?;
    Ok(check.unwrap_or(true))
}

/// Where the gateway is reached: as configured, or as this client reached it.
pub(super) fn gateway(call: &Call) -> String {
    if let Some(url) = &call.app().settings.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = call.header(header::HOST).filter(|host| host.len() <= 255 && plain_host(host)).unwrap_or("localhost");
    let https = call.header("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    format!("{}://{host}", if https { "https" } else { "http" })
}

fn plain_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
}
