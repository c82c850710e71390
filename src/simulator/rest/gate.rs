//! Who asks: credentials, and how they are refused.

use super::Answer;
use crate::simulator::{
    faults::{Refusal as Way, ScopeRefusal},
    instance::Instance,
    people::{Caller, Person, TokenState},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, StatusCode, header};

const SIGN_IN: &str = "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head>\
    <body>Sign in to your account to continue.</body></html>";
const EXPIRED: &str = "Access Denied: The Personal Access Token used has expired.";

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
