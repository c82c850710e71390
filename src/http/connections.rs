//! Connections.

use super::{
    extract::{Call, Segment},
    fields::{DESCRIPTION, GUID, NAME, SECRET, SIGNATURE_SECRET, closed},
    headers,
    idempotency::{Creation, begin},
    members::Members,
    problem::Problem,
    reconcile_views::RemovedConnectionView,
    reply::{if_match, if_match_required, json, resource, secret, tagged},
    views::{ConnectionList, ConnectionView, RemovalView, all},
};
use crate::{
    app::{
        change::Precondition,
        connections::{self, ConnectionChange, NewConnection, Secret, hook_credentials},
    },
    azure::CollectionUrl,
    domain::{Connection, ConnectionId},
    reconcile::removal,
};
use http::header;
use serde_json::{Value, json as value};
use utoipa::ToSchema;
use warp::reply::Response;

/// Forms of URL that are taken for sure. The reader takes more (other ports and hosts, spaces around it): it is there to
/// understand what people paste, and a pattern for all of that would say nothing to anybody.
const URL_PATTERN: &str = concat!(
    "^https?://([A-Za-z0-9._-]{1,64}@)?",
    r"[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?(\.[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?){0,3}(:[1-9][0-9]{0,3})?",
    "/(tfs/)?[A-Za-z0-9]([A-Za-z0-9._-]|%[2-7][0-9A-E]){0,100}(/[A-Za-z0-9_-]([A-Za-z0-9._-]|%[2-7][0-9A-E]){0,100}){0,4}/?$",
);

/// In the document; [`new_schema`] says what it is.
#[derive(ToSchema)]
pub struct NewConnectionBody;

/// In the document; [`change_schema`] says what it is.
#[derive(ToSchema)]
pub struct ConnectionChangeBody;

fn url_schema() -> Value {
    value!({
        "type": "string", "maxLength": 2048, "pattern": URL_PATTERN,
        "description": "The organization or collection, in any form: https://dev.azure.com/…, https://….visualstudio.com, a \
                        server with or without /tfs and port, also a link to something inside it. Kept in its canonical form. \
                        Several connections may have the same one.",
        "examples": ["https://dev.azure.com/fabrikam"],
    })
}

/// What creating one takes.
pub fn new_schema() -> Value {
    closed(
        &["name", "url"],
        &value!({
            "name": NAME.schema("What people call it."),
            "description": DESCRIPTION.nullable("What it is for."),
            "url": url_schema(),
            "token": SECRET.nullable("The personal access token. Kept sealed, never shown."),
            "headers": headers::schema(true),
            "collection_id": GUID.nullable("The collection's GUID: notifications of another one are then quarantined."),
            "signature_secret": SIGNATURE_SECRET.nullable("Set it when a relay signs the bodies (`X-Hub-Signature-256`): unsigned deliveries are then refused."),
        }),
    )
}

/// What changing one takes.
pub fn change_schema() -> Value {
    closed(
        &[],
        &value!({
            "name": NAME.schema("What people call it."),
            "description": DESCRIPTION.nullable("What it is for; null takes it away."),
            "url": url_schema(),
            "token": SECRET.nullable("Another personal access token; null takes it away. Needed when url moves to another server."),
            "headers": headers::schema(true),
            "collection_id": GUID.nullable("The collection's GUID; null takes it away."),
            "signature_secret": SIGNATURE_SECRET.nullable("Another secret: the one before it is accepted for the overlap, 7 days unless configured otherwise. Null: deliveries need no signature any more."),
        }),
    )
}

/// List connections.
#[utoipa::path(get, path = "/v1/connections", tag = "connections", operation_id = "list_connections",
    responses((status = 200, description = "All of them.", body = ConnectionList)))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let gateway = gateway(&call);
    let data = all(call.app().directory().connections.values(), |record| ConnectionView::new(record, &gateway));
    Ok(json(&ConnectionList { data }))
}

/// Create a connection.
///
/// The reply shows the hook's URL, user name and, this once, its password. The credential for Azure DevOps is kept sealed
/// and not used yet, so the status is `unchecked`.
#[utoipa::path(post, path = "/v1/connections", tag = "connections", operation_id = "create_connection",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating it safe for 24 hours.", pattern = "^([!#-~]{1,255}|\"[!#-~]{1,255}\")$")),
    request_body = NewConnectionBody,
    responses((status = 201, description = "Made.", body = ConnectionView)))]
pub async fn create(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let body = call.json().await?;
    let mut making = match begin(&call, &body)? {
        Creation::Again(reply) => return Ok(reply),
        Creation::New(making) => making,
    };
    let (new, gateway) = (read_new(&body)?, gateway(&call));
    let show = |record: &Connection| {
        let view = ConnectionView::showing(record, &gateway, &hook_credentials(call.app(), record));
        making.made(format!("/v1/connections/{}", record.id), &view)
    };
    let kept = connections::create(call.app(), new, show).await?;
    Ok(making.reply(Some(kept.version)))
}

/// Read a connection.
#[utoipa::path(get, path = "/v1/connections/{id}", tag = "connections", operation_id = "read_connection",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ("If-None-Match" = Option<String>, Header, example = "\"1\"", description = "An ETag: 304 when it is still this one.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "The connection.", body = ConnectionView), (status = 304, description = "It is still this one.")))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let kept = connections::find(&call.app().directory(), id.names("connection")?)?;
    resource(&call, kept.version, &ConnectionView::new(&kept.record, &gateway(&call)))
}

/// Change a connection.
///
/// Members that are left out stay as they are (RFC 7396).
#[utoipa::path(patch, path = "/v1/connections/{id}", tag = "connections", operation_id = "change_connection",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ("If-Match" = String, Header, example = "*", description = "The ETag that reading it gave, or `*`.", min_length = 1, max_length = 1000)),
    request_body(content((ConnectionChangeBody = "application/json"), (ConnectionChangeBody = "application/merge-patch+json"))),
    responses((status = 200, description = "As it is now.", body = ConnectionView),
        (status = 409, description = "`url` moves to another server and secrets that were given for the first are not given again.")))]
pub async fn edit(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let id: ConnectionId = id.names("connection")?;
    connections::find(&call.app().directory(), id)?;
    let precondition = if_match_required(&call)?;
    let change = read_change(&call.json().await?)?;
    let kept = connections::edit(call.app(), id, &precondition, change).await?;
    Ok(tagged(kept.version, json(&ConnectionView::new(&kept.record, &gateway(&call)))))
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
    let kept = connections::rotate_hook_secret(call.app(), id.names("connection")?, &precondition).await?;
    let credentials = hook_credentials(call.app(), &kept.record);
    let view = ConnectionView::showing(&kept.record, &gateway(&call), &credentials);
    Ok(tagged(kept.version, secret(json(&view))))
}

fn read_new(body: &[u8]) -> Result<NewConnection, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.text("name", &NAME);
    let name = members.required("name", given);
    let given = members.read("url", read_url);
    let url = members.required("url", given);
    let description = members.text("description", &DESCRIPTION).flatten();
    let token = members.text("token", &SECRET).flatten().map(Secret::from);
    let headers = members.read("headers", headers::read).flatten().unwrap_or_default();
    let collection_id = members.guid("collection_id").flatten();
    let signature_secret = members.text("signature_secret", &SIGNATURE_SECRET).flatten().map(Secret::from);
    members.finish()?;
    let (Some(name), Some(url)) = (name, url) else { unreachable!("what is required and absent is an error") };
    Ok(NewConnection { name, description, url, token, headers, collection_id, signature_secret })
}

fn read_change(body: &[u8]) -> Result<ConnectionChange, Problem> {
    let mut members = Members::parse(body)?;
    let secret = |given: Option<Option<String>>| given.map(|value| value.map(Secret::from));
    let given = members.text("name", &NAME);
    let name = members.not_null("name", given);
    let given = members.read("url", read_url);
    let url = members.not_null("url", given);
    let change = ConnectionChange {
        name,
        url,
        description: members.text("description", &DESCRIPTION),
        token: secret(members.text("token", &SECRET)),
        headers: members.read("headers", headers::read).map(Option::unwrap_or_default),
        collection_id: members.guid("collection_id"),
        signature_secret: secret(members.text("signature_secret", &SIGNATURE_SECRET)),
    };
    members.finish()?;
    Ok(change)
}

fn read_url(value: Value) -> Result<CollectionUrl, String> {
    let Value::String(text) = value else { return Err("must be a text".to_owned()) };
    let url = CollectionUrl::parse(&text).map_err(|e| e.to_string())?;
    let mut escapes = url.as_str().split('%').skip(1);
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if escapes.all(is_escape) { Ok(url) } else { Err("has a % that two hexadecimal digits do not follow".to_owned()) }
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
