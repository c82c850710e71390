//! The outcome of a partly succeeded run, which is a matter of opinion: Azure's badges say it succeeded, many a team says it
//! did not (apache/incubator-devlake#8575, dotnet/dnceng#3673).

use serde::{Deserialize, Serialize};

/// The choice of a build provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partial {
    /// The run succeeded.
    #[default]
    Success,
    /// The run succeeded, and Azure's own word stands in `errors`.
    AsAzureSays,
    /// The run failed.
    Failure,
}

impl Partial {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Success, Self::AsAzureSays, Self::Failure];

    /// The word of the API and of the store for it.
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
