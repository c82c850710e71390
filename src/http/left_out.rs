//! Records that a page had to leave out, because the disk lost them.

use crate::store::Damage;
use serde::Serialize;
use utoipa::ToSchema;

/// Records of a log that were stored and cannot be read any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeftOut {
    /// How many.
    #[schema(minimum = 1)]
    pub count: u64,
    /// They were recorded at or after this time, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub since: Option<String>,
    /// They were recorded at or before this time, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub until: Option<String>,
    /// Where they were and what became of it.
    #[schema(max_length = 2000)]
    pub cause: String,
}

impl From<&Damage> for LeftOut {
    fn from(damage: &Damage) -> Self {
        Self {
            count: damage.count(),
            since: damage.since.map(|since| since.to_string()),
            until: damage.until.map(|until| until.to_string()),
            cause: damage.cause.clone(),
        }
    }
}
