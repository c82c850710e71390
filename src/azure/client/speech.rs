//! Speaking the version that the server takes: asked once, remembered, and asked again when it no longer takes it.

use super::{
    ApiVersion, Failure, Priority,
    call::{Call, Reply},
    line::Line,
    version::{NEWEST, not_released, of_routes, out_of_range},
};
use http::Method;
use std::{
    collections::BTreeSet,
    sync::{Mutex as StdMutex, PoisonError},
};
use tokio::sync::Mutex;

/// What is known of how a server wants to be spoken to.
#[derive(Default)]
pub(super) struct Speech {
    version: Mutex<Option<ApiVersion>>,
    /// Calls that are in preview on this server though they are released on newer ones.
    previews: StdMutex<BTreeSet<&'static str>>,
}

impl Speech {
    /// The version, negotiated if it is not known; who waits for it waits for one negotiation.
    pub(super) async fn version(&self, line: &Line, priority: Priority) -> Result<ApiVersion, Failure> {
        let mut version = self.version.lock().await;
        if let Some(version) = *version {
            return Ok(version);
        }
        let negotiated = negotiate(line, priority).await?;
        *version = Some(negotiated);
        Ok(negotiated)
    }

    /// Makes a call in a version that the server takes.
    pub(super) async fn ask(&self, line: &Line, call: &Call, priority: Priority) -> Result<Reply, Failure> {
        let mut version = self.version(line, priority).await?;
        let (mut renegotiated, mut preview) = (false, call.preview || self.is_preview(call.name));
        loop {
            let spoken = format!("{version}{}", if preview { "-preview" } else { "" });
            let failure = match line.persist(call, Some(&spoken), priority).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if let Some(said) = out_of_range(&failure)
                && !renegotiated
            {
                let now = self.renew(line, version, said, priority).await?;
                (renegotiated, version) = (now != version, now);
                if renegotiated {
                    continue;
                }
            }
            if not_released(&failure) && !preview {
                preview = true;
                self.previews.lock().unwrap_or_else(PoisonError::into_inner).insert(call.name);
                continue;
            }
            return Err(failure);
        }
    }

    fn is_preview(&self, name: &str) -> bool {
        self.previews.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// The version after `old` was out of range: as the server said it, or negotiated again.
    async fn renew(
        &self,
        line: &Line,
        old: ApiVersion,
        said: Option<ApiVersion>,
        priority: Priority,
    ) -> Result<ApiVersion, Failure> {
        let mut version = self.version.lock().await;
        if let Some(known) = *version
            && known != old
        {
            return Ok(known);
        }
        let renewed = match said {
            Some(said) => said,
            None => negotiate(line, priority).await?,
        };
        // What is in preview differs by version.
        self.previews.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *version = Some(renewed);
        Ok(renewed)
    }
}

/// Asks the server for its routes; where something on the way does not let that through, tries the newest version and
/// takes the one that the refusal names.
async fn negotiate(line: &Line, priority: Priority) -> Result<ApiVersion, Failure> {
    let call = Call::get("the list of routes", &line.base, &["_apis"])?;
    let call = Call { method: Method::OPTIONS, proves: true, ..call };
    match line.persist(&call, None, priority).await {
        Ok(reply) => {
            if let Some(version) = of_routes(&reply.body) {
                return Ok(version);
            }
        }
        Err(
            Failure::Refused { .. } | Failure::NotFound { .. } | Failure::Forbidden { .. } | Failure::Unexpected { .. },
        ) => {}
        Err(failure) => return Err(failure),
    }
    let newest = format!("{NEWEST}-preview");
    match line.persist(&line.connection_data_call()?, Some(&newest), priority).await {
        Ok(_) => Ok(NEWEST),
        Err(failure) => out_of_range(&failure).flatten().ok_or(failure),
    }
}
