//! What a partly succeeded run counts as, which is a matter of opinion: Azure's badges say it succeeded, many a team says it
//! did not (apache/incubator-devlake#8575, dotnet/dnceng#3673).

use serde::{Deserialize, Serialize};

/// The choice of a build provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partial {
    /// It succeeded.
    #[default]
    Success,
    /// It succeeded, and Azure's own word stands beside it as what was wrong.
    AsAzureSays,
    /// It failed.
    Failure,
}

impl Partial {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Success, Self::AsAzureSays, Self::Failure];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::AsAzureSays => "as_azure_says",
            Self::Failure => "failure",
        }
    }

    /// Whether it is the one that nobody need choose.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
