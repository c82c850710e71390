//! Our project: the thing a user binds. Azure's own is always called `azure_project`.

use super::Slug;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A place where a project's revisions run. The order in the project is the order of promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Unique in the project.
    pub slug: Slug,
    /// What people call it.
    pub name: String,
}

/// As kept in the registry under kind `project`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its name in URLs and events.
    pub slug: Slug,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// In order of promotion.
    pub environments: Vec<Environment>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
