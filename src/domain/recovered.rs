//! How something was learnt that no delivery of a service hook told us.

use serde::{Deserialize, Serialize};

/// The way back in. Kept with a notification and with the events that it became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovered {
    /// From the notification history of one of our subscriptions: the bytes that the hook would have delivered.
    History,
    /// From Azure's own records: composed in the shape that the hook would have delivered.
    Rest,
}

impl Recovered {
    /// Both.
    pub const ALL: [Self; 2] = [Self::History, Self::Rest];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Rest => "rest",
        }
    }
}
