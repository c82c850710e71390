//! Who may call a row: every row of the table names its [`Access`], so none can be forgotten.

use super::{
    extract::Call,
    problem::{Kind, Problem},
};
use crate::domain::Scope;
use http::{HeaderValue, header};

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// A service hook; its handler checks the Basic credentials before it reads the body.
    Hook,
    /// A token of any scope.
    Read,
    /// A token of scope `admin`.
    Admin,
}

/// Lets the call pass or says why not.
///
/// The token itself is compared nowhere: its keyed hash is looked up, so the time it takes says nothing about it. A right
/// token passes whatever others at its address did: behind a proxy all have one address, and one script with an old token
/// must not lock everybody out. Guessing is hopeless by the tokens' length, the limit is there to say so early.
pub fn admit(access: Access, mut call: Call) -> Result<Call, Problem> {
    let admin = match access {
        Access::Public | Access::Hook => return Ok(call),
        Access::Read => false,
        Access::Admin => true,
    };
    let (app, now) = (call.app(), call.app().clock.monotonic());
    let Some(token) = bearer(&call) else {
        // No token is no guess: it is counted, but it does not bring the address nearer to its limit.
        app.metrics.strangers.inc();
        return Err(unauthenticated("send a token: Authorization: Bearer hw_…"));
    };
    let hash = app.token_key.token_hash(token);
    let Some((id, scope)) = app.directory().token_by_hash(&hash).map(|token| (token.id, token.scope)) else {
        app.metrics.strangers.inc();
        app.strangers.failed(call.peer, now);
        return Err(match app.strangers.wait(call.peer, now) {
            Some(wait) => Problem::new(Kind::TooManyFailures).retry_after(wait),
            None => unauthenticated("the token is not known"),
        });
    };
    if admin && scope != Scope::Admin {
        return Err(Problem::because(Kind::Forbidden, "this needs a token of scope admin"));
    }
    call.caller = Some(id);
    Ok(call)
}

fn bearer(call: &Call) -> Option<&str> {
    let (scheme, token) = call.header(header::AUTHORIZATION)?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unauthenticated(detail: &'static str) -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"hookwell\"");
    Problem::because(Kind::Unauthenticated, detail).with(header::WWW_AUTHENTICATE, challenge)
}
