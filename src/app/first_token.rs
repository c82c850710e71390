//! The first admin token: from the environment, or made when there is none.

use super::{App, kind};
use crate::{
    domain::{Scope, Token, TokenId},
    secrets::{TOKEN_CHARS_MAX, TOKEN_CHARS_MIN, new_token},
    store::{Change, Error, Expected},
};
use uuid::{Uuid, uuid};
use zeroize::Zeroizing;

/// The record of `HOOKWELL_ADMIN_TOKEN`, so that another value replaces it instead of standing beside it.
const ENVIRONMENT_TOKEN: TokenId = TokenId(uuid!("00000000-0000-4000-8000-000000000001"));

/// Why there is no first token.
#[derive(Debug, thiserror::Error)]
pub enum FirstTokenError {
    /// The given one is not fit.
    #[error(
        "HOOKWELL_ADMIN_TOKEN must be {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} visible ASCII characters; make one with: \
         openssl rand -base64 32"
    )]
    Unfit,
    /// It could not be kept.
    #[error("the admin token could not be stored")]
    Store(#[source] Error),
}

/// Makes sure that an administrator can get in. Answers the token that was made, for showing it once.
///
/// A given token is kept as it is; another value at a later start replaces it. Taking the variable away does not take
/// the token away: that is what `DELETE /v1/tokens/{id}` is for, which is refused while the variable has it.
pub async fn ensure(app: &App, given: Option<&str>) -> Result<Option<Zeroizing<String>>, FirstTokenError> {
    if let Some(given) = given {
        let fits =
            (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&given.len()) && given.bytes().all(|b| b.is_ascii_graphic());
        if !fits {
            return Err(FirstTokenError::Unfit);
        }
        let hash = app.token_key.token_hash(given);
        let known = app.directory().token_by_hash(&hash).is_some();
        // A second call is a second start.
        let _ = app.given_token.set(hash);
        if !known {
            keep(app, ENVIRONMENT_TOKEN, "HOOKWELL_ADMIN_TOKEN", given).await?;
        }
        return Ok(None);
    }
    if app.directory().tokens.values().any(|kept| kept.record.scope == Scope::Admin) {
        return Ok(None);
    }
    let made = new_token();
    keep(app, TokenId(Uuid::new_v4()), "first start", &made).await?;
    Ok(Some(made))
}

/// Whether it is what `HOOKWELL_ADMIN_TOKEN` has in this process, whichever way it was made.
pub fn is_given(app: &App, token: &Token) -> bool {
    app.given_token.get() == Some(&token.hash)
}

async fn keep(app: &App, id: TokenId, name: &str, token: &str) -> Result<(), FirstTokenError> {
    let record = Token {
        id,
        name: name.to_owned(),
        scope: Scope::Admin,
        hash: app.token_key.token_hash(token),
        created_at: app.clock.now(),
    };
    let value = serde_json::to_vec(&record).expect("a token is plain data");
    let change = Change { kind: kind::TOKEN, id: id.to_string(), expected: Expected::Any, value: Some(value.into()) };
    app.store.commit(vec![change]).await.map_err(FirstTokenError::Store)?;
    Ok(())
}
