//! The hosts of the cloud, each a path prefix here. A Server serves everything on one.

/// Which host was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Site {
    /// `dev.azure.com`, and all of a Server.
    Main,
    /// `vsrm.dev.azure.com`: classic releases and the hooks of publisher `rm`.
    Release,
    /// `advsec.dev.azure.com`: the hooks of publisher `advsec`.
    Security,
    /// `auditservice.dev.azure.com`: the audit log.
    Audit,
}

impl Site {
    /// The host of a publisher.
    pub(crate) fn of(publisher: &str) -> Self {
        match publisher {
            "rm" => Self::Release,
            "advsec" => Self::Security,
            _ => Self::Main,
        }
    }
}
