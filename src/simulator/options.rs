//! Which Azure DevOps is simulated.

use super::site::Site;
use crate::azure::client::ApiVersion;
use uuid::Uuid;

/// A release of Azure DevOps Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerVersion {
    /// Azure DevOps Server 2019: api-version 5.0.
    V2019,
    /// Azure DevOps Server 2020: 6.0.
    V2020,
    /// Azure DevOps Server 2022: 7.0.
    V2022,
    /// Azure DevOps Server 2022.1: 7.1.
    V2022_1,
    /// The one after that, of which nobody knows yet what it speaks: 7.2 here, and nothing older less.
    Newer,
}

impl ServerVersion {
    /// From `2019`, `2020`, `2022`, `2022.1` or `newer`.
    pub fn read(text: &str) -> Option<Self> {
        Some(match text {
            "2019" => Self::V2019,
            "2020" => Self::V2020,
            "2022" => Self::V2022,
            "2022.1" => Self::V2022_1,
            "newer" => Self::Newer,
            _ => return None,
        })
    }
}

/// In the cloud, or on somebody's machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Azure DevOps Services.
    Services,
    /// Azure DevOps Server.
    Server(ServerVersion),
}

impl Edition {
    /// The newest api-version that is released there.
    pub fn released(self) -> ApiVersion {
        match self {
            Self::Services | Self::Server(ServerVersion::V2022_1) => ApiVersion { major: 7, minor: 1 },
            Self::Server(ServerVersion::Newer) => ApiVersion { major: 7, minor: 2 },
            Self::Server(ServerVersion::V2022) => ApiVersion { major: 7, minor: 0 },
            Self::Server(ServerVersion::V2020) => ApiVersion { major: 6, minor: 0 },
            Self::Server(ServerVersion::V2019) => ApiVersion { major: 5, minor: 0 },
        }
    }

    /// The newest api-version that is there at all: the cloud is one preview ahead of itself.
    pub fn latest(self) -> ApiVersion {
        match self {
            Self::Services => ApiVersion { major: 7, minor: 2 },
            Self::Server(_) => self.released(),
        }
    }
}

/// What a simulated Azure DevOps is made of. Two with the same options and the same clock say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Cloud or Server.
    pub edition: Edition,
    /// The organization, or the collection of a Server.
    pub name: String,
    /// The virtual directory of a Server, such as `tfs`.
    pub virtual_directory: Option<String>,
    /// Of every id and every throw of dice.
    pub seed: u64,
    /// How many days ago it was founded; what is there from the beginning is that old, and nothing happened since. A past
    /// can be written into that time ([`super::Fill`]).
    pub age_days: u16,
    /// Headers that a proxy in front wants on each request; without them it answers a 403 page of its own.
    pub required_headers: Vec<(String, String)>,
}

impl Options {
    /// An organization in the cloud.
    pub fn services(name: &str) -> Self {
        Self {
            edition: Edition::Services,
            name: name.to_owned(),
            virtual_directory: None,
            seed: 1,
            age_days: 0,
            required_headers: Vec::new(),
        }
    }

    /// A collection on a Server.
    pub fn server(collection: &str, version: ServerVersion) -> Self {
        Self { edition: Edition::Server(version), ..Self::services(collection) }
    }

    /// The organization's or collection's GUID.
    pub(super) fn collection_id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("collection/{}/{}", self.name, self.seed).as_bytes())
    }

    /// The GUID of the deployment that it is on.
    pub(super) fn server_id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("server/{}", self.seed).as_bytes())
    }
}

/// Under which addresses it is there; every URL in a reply or payload begins with one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The organization or collection, without a slash at the end.
    pub(crate) base: String,
    /// The same on the release host; a Server has only one.
    pub(crate) release_base: String,
    /// The same on the host of Advanced Security; a Server has only one.
    pub(crate) security_base: String,
    /// The same on the host of the audit log; a Server has no such log.
    pub(crate) audit_base: String,
    /// The deployment's root: of a Server, above its collections.
    pub(crate) root: String,
    pub(crate) collection: Uuid,
}

impl Place {
    /// Seen at `origin` (scheme and authority). The cloud's release host is a path prefix of the same origin, but for
    /// the real one's name, which has a host for it.
    pub(super) fn new(options: &Options, origin: &str) -> Self {
        let (name, collection) = (&options.name, options.collection_id());
        let name = segment(name);
        match options.edition {
            Edition::Services => {
                let on = |host: &str| match origin {
                    "https://dev.azure.com" => format!("https://{host}.dev.azure.com/{name}"),
                    _ => format!("{origin}/_{host}/{name}"),
                };
                Self {
                    base: format!("{origin}/{name}"),
                    release_base: on("vsrm"),
                    security_base: on("advsec"),
                    audit_base: on("auditservice"),
                    root: origin.to_owned(),
                    collection,
                }
            }
            Edition::Server(_) => {
                let root = match &options.virtual_directory {
                    Some(directory) => format!("{origin}/{directory}"),
                    None => origin.to_owned(),
                };
                let base = format!("{root}/{name}");
                Self {
                    release_base: base.clone(),
                    security_base: base.clone(),
                    audit_base: base.clone(),
                    base,
                    root,
                    collection,
                }
            }
        }
    }
}

impl Place {
    /// Where a host's paths begin.
    pub(super) fn base_of(&self, site: Site) -> &str {
        match site {
            Site::Main => &self.base,
            Site::Release => &self.release_base,
            Site::Security => &self.security_base,
            Site::Audit => &self.audit_base,
        }
    }
}

/// A name as a segment of a URL's path, as Azure writes it.
pub(super) fn segment(name: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(name, &KEPT).to_string()
}
