//! People, their tokens and their rights on hooks.

use super::{Wish, needed, no_lever, project};
use crate::simulator::{
    Simulator, TokenState,
    people::{ANA, hook_rights},
    rest::{Answer, Outcome},
};
use serde_json::json;

pub(super) fn pull(simulator: &Simulator, lever: &str, rest: &[&str], wish: &Wish) -> Outcome {
    let account = wish.account.as_deref().unwrap_or(ANA);
    match (lever, rest) {
        ("person", []) => {
            let account = wish.account.as_deref().unwrap_or("eve@fabrikam.example");
            let id = simulator.hire(wish.name.as_deref().unwrap_or("Eve Novak"), account, false);
            return Ok(Answer::json(json!({"account": account, "id": id})));
        }
        ("person", ["dismiss"]) => simulator.dismiss(account),
        ("person", ["reinstate"]) => simulator.reinstate(account),
        ("person", ["allow"]) => {
            let project = wish.project.is_some().then(|| project(simulator, wish)).transpose()?;
            simulator.allow_hooks(account, project, wish.bits.unwrap_or(hook_rights::ALL));
        }
        ("token", []) => return token(simulator, account, wish),
        ("principal", []) => {
            let subject = wish.issuer.clone().zip(wish.subject.clone());
            let certificate = needed(wish.certificate.as_ref(), "whose certificate, in PEM")?;
            simulator.believe(certificate, subject)?;
            return Ok(Answer::json(json!({"client_id": crate::simulator::tokens::CLIENT_ID})));
        }
        _ => return Err(no_lever(lever)),
    }
    Ok(Answer::json(json!({"account": account})))
}

/// A new one, or another state or end of one that is there.
fn token(simulator: &Simulator, account: &str, wish: &Wish) -> Outcome {
    let text = needed(wish.token.as_ref(), "which token")?;
    let is_known = simulator.instance.world().tokens.contains_key(text);
    if !is_known || wish.account.is_some() || wish.scopes.is_some() {
        simulator.issue_token(text, account, wish.scopes.as_deref());
    }
    let known = [("live", TokenState::Live), ("expired", TokenState::Expired), ("revoked", TokenState::Revoked)];
    let word = super::one_of(wish.state.as_deref(), &known.map(|(word, _)| word))?;
    match known.iter().find(|(own, _)| *own == word).map_or(TokenState::Live, |(_, state)| *state) {
        TokenState::Live => simulator.renew_token(text, wish.expires),
        state => simulator.set_token(text, state),
    }
    // Not the token itself: what is answered is printed and kept.
    Ok(Answer::json(json!({"state": word, "expires": wish.expires})))
}
