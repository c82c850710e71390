//! API tokens.

use super::{
    extract::{Call, Segment},
    fields::{NAME, closed},
    idempotency::{Creation, begin},
    members::Members,
    problem::Problem,
    reply::{json, no_content},
    views::{TokenList, TokenView, all},
};
use crate::{
    app::tokens,
    domain::{Scope, Token},
};
use serde_json::{Value, json as value};
use utoipa::ToSchema;
use warp::reply::Response;

/// In the document; [`schema`] says what it is.
#[derive(ToSchema)]
pub struct NewTokenBody;

/// What making one takes.
pub fn schema() -> Value {
    closed(
        &["name", "scope"],
        &value!({
            "name": NAME.schema("What people call it: who or what uses it."),
            "scope": { "type": "string", "enum": ["read", "admin"], "description": "`read` for GET, `admin` for everything." },
        }),
    )
}

/// List tokens.
///
/// Without the tokens themselves.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", operation_id = "list_tokens",
    responses((status = 200, description = "All of them.", body = TokenList)))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    Ok(json(&TokenList { data: all(call.app().directory().tokens.values(), |record| TokenView::new(record, None)) }))
}

/// Make a token.
///
/// The reply shows it, this once; only its keyed hash is kept.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", operation_id = "create_token",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating it safe for 24 hours.", pattern = "^([!#-~]{1,255}|\"[!#-~]{1,255}\")$")),
    request_body = NewTokenBody,
    responses((status = 201, description = "Made.", body = TokenView)))]
pub async fn create(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let body = call.json().await?;
    let mut making = match begin(&call, &body)? {
        Creation::Again(reply) => return Ok(reply),
        Creation::New(making) => making,
    };
    let (name, scope) = read(&body)?;
    let show = |record: &Token, token: &str| {
        making.made(format!("/v1/tokens/{}", record.id), &TokenView::new(record, Some(token)))
    };
    tokens::create(call.app(), name, scope, show).await?;
    Ok(making.reply(None))
}

/// Remove a token.
///
/// The gateway refuses the token from now on. The last token of scope `admin` cannot be removed, and neither can the one that
/// `HOOKWELL_ADMIN_TOKEN` gives the running process: it would be back at the next start.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens", operation_id = "remove_token",
    params(("id" = Uuid, Path, description = "The token's id.")),
    responses((status = 204, description = "It is gone."), (status = 409, description = "It is the last token of scope `admin`, or that of `HOOKWELL_ADMIN_TOKEN`.")))]
pub async fn remove(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    tokens::remove(call.app(), id.names("token")?).await?;
    Ok(no_content())
}

fn read(body: &[u8]) -> Result<(String, Scope), Problem> {
    let mut members = Members::parse(body)?;
    let given = members.text("name", &NAME);
    let name = members.required("name", given);
    let given = members.read("scope", |scope| match scope.as_str() {
        Some("read") => Ok(Scope::Read),
        Some("admin") => Ok(Scope::Admin),
        _ => Err("must be read or admin".to_owned()),
    });
    let scope = members.required("scope", given);
    members.finish()?;
    let (Some(name), Some(scope)) = (name, scope) else { unreachable!("what is required and absent is an error") };
    Ok((name, scope))
}
