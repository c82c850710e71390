//! What a sink is, with its settings; none of them is secret. A new kind of sink is a variant here, an engine in `sink`
//! and a reader in `http::sinks`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use url::Url;

/// Names of secrets in [`super::Sink::secrets`].
pub mod secret {
    /// Signs deliveries: `whsec_` and base64.
    pub const SIGNING: &str = "signing";
    /// The one before it, while both sign.
    pub const SIGNING_PREVIOUS: &str = "signing_previous";
    /// Certificate and key in PEM with which we prove ourselves.
    pub const IDENTITY: &str = "identity";
    /// The key of an API.
    pub const API_KEY: &str = "api_key";
    /// A password.
    pub const PASSWORD: &str = "password";
    /// A token.
    pub const TOKEN: &str = "token";
    /// Beginning of the name of an extra header's value; the header's name follows.
    pub const HEADER: &str = "header/";
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Target {
    /// An HTTP endpoint that takes `CloudEvents`, signed.
    Webhook(Webhook),
    /// Sleuth's deploy registration and custom incident impact.
    Sleuth(Sleuth),
    /// The webhook plugin of Apache `DevLake`.
    #[serde(rename = "devlake")]
    DevLake(DevLake),
    /// A stream of NATS `JetStream`.
    Nats(Nats),
    /// JSON lines in files.
    File(FileLog),
    /// JSON lines on the process's standard output.
    Stdout,
}

impl Target {
    /// Where its requests go, where they go by HTTP.
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::Webhook(webhook) => Some(&webhook.url),
            Self::Sleuth(sleuth) => Some(&sleuth.url),
            Self::DevLake(devlake) => Some(&devlake.url),
            Self::Nats(_) | Self::File(_) | Self::Stdout => None,
        }
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Sleuth(_) => "sleuth",
            Self::DevLake(_) => "devlake",
            Self::Nats(_) => "nats",
            Self::File(_) => "file",
            Self::Stdout => "stdout",
        }
    }
}

/// How an event is put into a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The whole `CloudEvent` as the body.
    #[default]
    Structured,
    /// Its attributes as headers, its data as the body.
    Binary,
    /// Several whole `CloudEvents` in a list.
    Batch,
}

/// Settings of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where to.
    pub url: Url,
    /// How.
    #[serde(default)]
    pub mode: Mode,
    /// Most events in one request of mode `batch`.
    #[serde(default)]
    pub batch_events_max: Option<u32>,
    /// Names of the extra headers; their values are secrets.
    #[serde(default)]
    pub header_names: Vec<String>,
    /// Certificates in PEM that are trusted besides the system's.
    #[serde(default)]
    pub ca_bundle: Option<String>,
    /// Whether it must allow deliveries first, as the `CloudEvents` webhook specification has it (`OPTIONS`).
    #[serde(default)]
    pub handshake: bool,
}

/// Settings of Sleuth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleuth {
    /// Where its API is.
    pub url: Url,
    /// The organization's slug.
    pub organization: String,
    /// The code deployment's slug there.
    pub deployment: String,
    /// Our environments' names there, where they differ.
    #[serde(default)]
    pub environments: BTreeMap<String, String>,
    /// Where incidents go; none are sent without it.
    #[serde(default)]
    pub impact: Option<SleuthImpact>,
}

/// A custom incident impact source of Sleuth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SleuthImpact {
    /// The project's slug there.
    pub project: String,
    /// The environment's slug there.
    pub environment: String,
    /// The impact source's slug there.
    pub source: String,
}

/// Settings of Apache `DevLake`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevLake {
    /// Where its API is, up to and without `/api`.
    pub url: Url,
    /// The number of the webhook connection there.
    pub connection: u64,
    /// Our environments' kinds there: `PRODUCTION`, `STAGING`, `TESTING` or `DEVELOPMENT`.
    #[serde(default)]
    pub environments: BTreeMap<String, String>,
    /// Pipelines that deploy, or stages as `pipeline/stage`, and the environment that each deploys to: for what no deploy
    /// rule of ours calls a deployment.
    #[serde(default)]
    pub pipelines: BTreeMap<String, String>,
}

/// Settings of NATS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nats {
    /// Where its servers are.
    pub servers: Vec<Url>,
    /// To which subject; `{type}` (without its version), `{project}` and `{connection}` are filled in.
    pub subject: String,
    /// The user whose password is the secret `password`.
    #[serde(default)]
    pub user: Option<String>,
    /// Certificates in PEM that are trusted besides the system's.
    #[serde(default)]
    pub ca_bundle: Option<String>,
}

/// Settings of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLog {
    /// The file's name in the directory that is configured for sinks.
    pub name: String,
    /// A file that has reached this size is put aside.
    pub rotate_bytes: u64,
    /// How many are kept beside the current one.
    pub files_kept: u32,
}
