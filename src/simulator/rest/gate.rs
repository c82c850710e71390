//! Who asks: credentials, and how they are refused.

use super::Answer;
use crate::simulator::{
    faults::{Refusal as Way, ScopeRefusal},
    instance::Instance,
    people::{Caller, Person, Token, TokenState, tokens},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, StatusCode, header};
use jiff::SignedDuration;
use serde_json::json;

const SIGN_IN: &str = "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head>\
    <body>Sign in to your account to continue.</body></html>";
const EXPIRED: &str = "Access Denied: The Personal Access Token used has expired.";
/// How long a bearer token is good.
const BEARER_LIFE: SignedDuration = SignedDuration::from_secs(3_599);
const WRONG_TENANT: &str = "AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID.";
const WRONG_SECRET: &str = "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request \
    is the client secret value, not the client secret ID.";

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// There was no credential at all.
    Nobody,
    /// The credential is not one, or not any more.
    Unknown,
    Expired,
}

/// Who sent it.
pub(super) fn caller(instance: &Instance, headers: &HeaderMap) -> Result<Caller, Stranger> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Stranger::Nobody)?;
    let (scheme, value) = sent.split_once(' ').ok_or(Stranger::Unknown)?;
    let text = if scheme.eq_ignore_ascii_case("bearer") {
        value.trim().to_owned()
    } else {
        let decoded = BASE64_STANDARD.decode(value.trim()).map_err(|_| Stranger::Unknown)?;
        let decoded = String::from_utf8(decoded).map_err(|_| Stranger::Unknown)?;
        // The user name says nothing.
        decoded.split_once(':').ok_or(Stranger::Unknown)?.1.to_owned()
    };
    if instance.faults().credentials_dead {
        return Err(Stranger::Unknown);
    }
    let (now, world) = (instance.now(), instance.world());
    let token = world.tokens.get(&text).ok_or(Stranger::Unknown)?;
    match token.state {
        TokenState::Live if token.expires.is_none_or(|at| now < at) => {}
        TokenState::Revoked => return Err(Stranger::Unknown),
        _ => return Err(Stranger::Expired),
    }
    let person = world.people.named(&token.person).filter(|person| person.is_active).ok_or(Stranger::Unknown)?;
    Ok(Caller { person: person.clone(), scopes: token.scopes.clone() })
}

/// Nobody, where nobody may ask.
pub(super) fn anonymous(instance: &Instance) -> Caller {
    let mut person = Person::new(instance.options.collection_id(), "Anonymous", "");
    person.hook_rights.clear();
    Caller { person, scopes: Some(Vec::new()) }
}

/// The answer to a stranger, in the form that the switches choose.
pub(super) fn refuse(instance: &Instance, stranger: Stranger, method: &Method, headers: &HeaderMap) -> Answer {
    let (way, suppressed) = {
        let faults = instance.faults();
        let asked = headers
            .get("x-tfs-fedauthredirect")
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"suppress"));
        (faults.refusal, asked && !faults.suppress_is_ignored)
    };
    let reads = matches!(*method, Method::GET | Method::POST);
    let answer = if instance.is_server() {
        Answer::text(StatusCode::UNAUTHORIZED, "text/html", "401 - Unauthorized: Access is denied.")
            .with("www-authenticate", "Negotiate")
            .with("www-authenticate", "NTLM")
    } else if suppressed || way == Way::Unauthorized {
        unauthorized(if stranger == Stranger::Expired { Some(EXPIRED) } else { None })
    } else if !reads {
        unauthorized(Some("TF400813: The user '' is not authorized to access this resource."))
    } else if way == Way::Redirect {
        let place = instance.place();
        Answer::html(StatusCode::FOUND, "<html><head><title>Object moved</title></head></html>")
            .with("location", &format!("{}/_signin?realm=app.vssps.visualstudio.com", place.base))
    } else {
        Answer::html(StatusCode::NON_AUTHORITATIVE_INFORMATION, SIGN_IN)
    };
    match stranger {
        Stranger::Expired => answer.with("x-tfs-serviceerror", &crate::simulator::options::segment(EXPIRED)),
        _ => answer,
    }
}

fn unauthorized(message: Option<&str>) -> Answer {
    let answer = match message {
        None => Answer::empty(StatusCode::UNAUTHORIZED),
        Some(message) => {
            let kind = if message == EXPIRED { "AccessCheckException" } else { "UnauthorizedRequestException" };
            super::Refusal::new(StatusCode::UNAUTHORIZED, kind, message).into()
        }
    };
    answer
        .with("www-authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/common")
        .with("www-authenticate", "Basic realm=\"https://tfsprodweu1.visualstudio.com/\"")
}

/// The answer to a token without the scope; it does not say which one is missing.
pub(super) fn refuse_scope(instance: &Instance, caller: &Caller) -> Answer {
    let message = format!("TF400813: The user '{}' is not authorized to access this resource.", caller.person.id);
    match instance.faults().scope_refusal {
        ScopeRefusal::Unauthorized => unauthorized(Some(&message)),
        ScopeRefusal::Forbidden => super::Refusal::forbidden("UnauthorizedRequestException", &message).into(),
        ScopeRefusal::SignInPage => Answer::html(StatusCode::NON_AUTHORITATIVE_INFORMATION, SIGN_IN),
    }
}

/// `POST /{tenant}/oauth2/v2.0/token`, of Microsoft Entra rather than of Azure DevOps.
pub(super) fn token(instance: &Instance, tenant: &str, form: &[u8]) -> Answer {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let refused = |error: &str, description: &str| {
        let body = json!({
            "error": error, "error_description": format!("{description} Trace ID: 0 Correlation ID: 0"),
            "error_codes": [], "timestamp": instance.now().to_string(),
        });
        Answer::json(body)
    };
    if tenant != tokens::TENANT {
        return refused("invalid_request", WRONG_TENANT).with_status(StatusCode::BAD_REQUEST);
    }
    if field("grant_type") != "client_credentials" {
        let description = "AADSTS70003: The app requested an unsupported grant type.";
        return refused("unsupported_grant_type", description).with_status(StatusCode::BAD_REQUEST);
    }
    if field("scope") != "499b84ac-1321-427f-aa17-267ca6975798/.default" {
        let description = "AADSTS1002012: The provided value for scope is not valid.";
        return refused("invalid_scope", description).with_status(StatusCode::BAD_REQUEST);
    }
    if field("client_id") != tokens::CLIENT_ID || field("client_secret") != tokens::CLIENT_SECRET {
        return refused("invalid_client", WRONG_SECRET).with_status(StatusCode::UNAUTHORIZED);
    }
    let expires = instance.now() + BEARER_LIFE;
    let mut world = instance.world();
    let text = format!("simulated-bearer-{}", world.tokens.len());
    let token =
        Token { person: tokens::CLIENT_ID.into(), scopes: None, state: TokenState::Live, expires: Some(expires) };
    world.tokens.insert(text.clone(), token);
    Answer::json(json!({
        "token_type": "Bearer", "expires_in": BEARER_LIFE.as_secs(), "ext_expires_in": BEARER_LIFE.as_secs(),
        "access_token": text,
    }))
}
