//! A classic release, as its events tell it.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Release {
    pub(super) name: Option<String>,
    pub(super) artifacts: Vec<Artifact>,
}

/// An artifact of a classic release. Events of before have neither ids nor the repository: their links say which builds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Artifact {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) branch: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) source_version: Option<String>,
    pub(super) version_id: Option<String>,
    pub(super) project_id: Option<String>,
    pub(super) repository_id: Option<String>,
    pub(super) is_primary: bool,
}
