//! Which of the collections that a Server's URL can mean is there.

use crate::{
    app::App,
    azure::{CollectionUrl, client::Failure},
    domain::Connection,
};
use std::time::Duration;

/// How long the server is asked in all.
const ASKING_TIMEOUT: Duration = Duration::from_secs(10);

/// The record with the longest of these URLs that the server knows as a collection; as it was where it cannot say so. The call
/// that needs no scope is not there below a project, and not in a virtual directory without a collection either (its template
/// is `_apis/{resource}`, by the recorded `OPTIONS _apis` of the real service).
pub(super) async fn settled(app: &App, record: Connection, may_be: &[CollectionUrl]) -> Connection {
    if may_be.is_empty() || !record.has_credential() {
        return record;
    }
    let asking = async {
        for url in may_be {
            let tried = Connection { url: url.clone(), ..record.clone() };
            let Ok(client) = app.azure_unkept(&tried) else { return Ok(None) };
            match client.connection_data().await {
                Ok(_) => return Ok(Some(tried)),
                // Nothing is there, or something that is no Azure DevOps.
                Err(Failure::NotFound { .. } | Failure::Unexpected { .. } | Failure::Refused { .. }) => {}
                // A credential that is refused is not sent a second time: some directories lock the account.
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    };
    app.in_time(ASKING_TIMEOUT, asking).await.ok().flatten().unwrap_or(record)
}
