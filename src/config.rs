//! Settings as plain data.

use std::time::Duration;
use url::Url;

/// What the running gateway may be told. Defaults are what a single machine wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `public_url`: where Azure DevOps reaches us, without trailing slash; hooks' URLs begin with it.
    pub public_url: Option<Url>,
    /// `body_bytes_max`: the largest notification that is kept whole (10 MiB). Of a larger one the head is quarantined.
    pub body_bytes_max: usize,
    /// `retention_days`: how long notifications and events are kept (30 days), and so how long a repetition is recognised.
    pub retention: Duration,
    /// `hook_overlap_hours`: how long the previous hook password and signature secret are accepted after a rotation (7 days).
    pub hook_overlap: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { public_url: None, body_bytes_max: 10 << 20, retention: DAY * 30, hook_overlap: DAY * 7 }
    }
}
