//! Tokens that open several organizations.
//!
//! Source: "Retirement of global personal access tokens in Azure DevOps" (Azure DevOps blog) and the release notes of sprint
//! 270: tokens for all accessible organizations do not work from 1 December 2026 on. No call says of a token that it is one;
//! that it opens two organizations does.

use super::{App, checks::advice::is_services};
use crate::domain::ConnectionId;
use std::collections::{BTreeMap, BTreeSet};

/// Ids and names of the connections that have one token for several organizations, by token.
pub(super) fn global_tokens(app: &App) -> Vec<Vec<(ConnectionId, String)>> {
    let directory = app.directory();
    let mut by_token: BTreeMap<[u8; 32], BTreeMap<ConnectionId, (&str, &str)>> = BTreeMap::new();
    for kept in directory.connections.values().filter(|kept| is_services(&kept.record)) {
        let Some(digest) = app.token_digest(&kept.record) else { continue };
        let told = (kept.record.url.as_str(), kept.record.name.as_str());
        by_token.entry(digest).or_default().insert(kept.record.id, told);
    }
    let is_global = |own: &BTreeMap<ConnectionId, (&str, &str)>| {
        own.values().map(|(url, _)| url.trim_end_matches('/').to_lowercase()).collect::<BTreeSet<_>>().len() > 1
    };
    let named = |own: BTreeMap<ConnectionId, (&str, &str)>| {
        own.into_iter().map(|(id, (_, name))| (id, name.to_owned())).collect()
    };
    by_token.into_values().filter(is_global).map(named).collect()
}
