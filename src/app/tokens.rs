//! API tokens.

use super::{
    App,
    change::{Refusal, delete, put},
    first_token, kind,
};
use crate::{
    domain::{Scope, Token, TokenId},
    secrets::new_token,
    store::{Change, Expected},
};
use zeroize::Zeroizing;

/// Most tokens of one gateway.
pub const TOKENS_MAX: usize = 1_000;

/// Makes a token and answers it with its record: the only time it can be seen.
pub async fn create(
    app: &App,
    name: String,
    scope: Scope,
    also: impl FnOnce(&Token, &str) -> Vec<Change>,
) -> Result<(Token, Zeroizing<String>), Refusal> {
    let _changing = app.changing.lock().await;
    if app.directory().tokens.len() >= TOKENS_MAX {
        return Err(Refusal::Full { what: "tokens", max: TOKENS_MAX });
    }
    let token = new_token();
    let hash = app.token_key.token_hash(&token);
    let record = Token { id: TokenId::random(), name, scope, hash, created_at: app.clock.now() };
    let mut changes = vec![put(kind::TOKEN, &record.id, Expected::Absent, &record)];
    changes.extend(also(&record, &token));
    app.change(changes).await?;
    Ok((record, token))
}

/// Removes a token, unless nobody could administrate any more, or it would be back at the next start.
pub async fn remove(app: &App, id: TokenId) -> Result<(), Refusal> {
    let _changing = app.changing.lock().await;
    let directory = app.directory();
    let there = directory.tokens.get(&id).ok_or(Refusal::NotFound("token"))?;
    if first_token::is_given(app, &there.record) {
        return Err(Refusal::Contradicts(
            "this token is in HOOKWELL_ADMIN_TOKEN of the process that runs, so it would be back at the next start; take it \
             out there (or put another one in) and start again, then remove it"
                .to_owned(),
        ));
    }
    let admins = || directory.tokens.values().filter(|kept| kept.record.scope == Scope::Admin);
    if there.record.scope == Scope::Admin && admins().count() == 1 {
        return Err(Refusal::Contradicts("this is the last token of scope admin; make another one first".to_owned()));
    }
    app.change(vec![delete(kind::TOKEN, &id, there.version)]).await?;
    Ok(())
}
