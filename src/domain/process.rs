//! What the states of work items mean in the process of an Azure project.

use super::AzureRef;
use serde::{Deserialize, Serialize};

/// Most bytes of one project's process that are kept, about.
pub const PROCESS_BYTES_MAX: usize = 64 << 10;

/// A type of work item with its states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemType {
    /// Such as `Bug`.
    pub name: String,
    /// Each with its category (`Proposed`, `InProgress`, `Resolved`, `Completed`, `Removed`), where the process gives one.
    pub states: Vec<(String, Option<String>)>,
}

/// The process of an Azure project, as it was when Azure DevOps was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The project: its GUID, and what it is bound by.
    pub project: [AzureRef; 2],
    /// Its types.
    pub types: Vec<ItemType>,
}

impl Process {
    /// The category of a state of a type, if the process has it; compared without regard to case, as Azure does.
    pub fn category(&self, kind: &str, state: &str) -> Option<&str> {
        let of_kind = |own: &&ItemType| own.name.to_lowercase() == kind.to_lowercase();
        let states = &self.types.iter().find(of_kind)?.states;
        states.iter().find(|(name, _)| name.to_lowercase() == state.to_lowercase())?.1.as_deref()
    }
}
