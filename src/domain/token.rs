//! API tokens. The token itself is never kept, only its keyed hash.

use super::TokenId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// GET only.
    Read,
    /// Everything.
    Admin,
}

/// As kept in the registry under kind `token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Lower-case hex of HMAC-SHA256(token key, token).
    pub hash: String,
    /// When it was made.
    pub created_at: Timestamp,
}
