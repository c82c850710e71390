//! Settings: flags over `HOOKWELL_…` variables over `hookwell.toml` over defaults. The only module that reads the environment.
//!
//! One struct, [`Options`], is at once the flags, the variables and the keys of the file, so that none of the three can
//! know a setting that the others do not. Secrets are variables only: a flag would show in `ps`.

mod machine;

pub use self::machine::machine;

use clap::{Args, Command};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;
use zeroize::Zeroizing;

/// Read when no other file is named, if it exists.
pub const FILE_NAME: &str = "hookwell.toml";
/// The variables that hold secrets, and those that only the tests read.
const SECRET_VARIABLES: [&str; 3] = ["HOOKWELL_ADMIN_TOKEN", "HOOKWELL_MASTER_KEY", "HOOKWELL_TOKEN"];
const TEST_VARIABLES: [&str; 7] = [
    "HOOKWELL_BACKFILL_BUILDS",
    "HOOKWELL_CORPUS",
    "HOOKWELL_CRASH_ROUNDS",
    "HOOKWELL_POWER_CUT_ROUNDS",
    "HOOKWELL_STRANGERS",
    "HOOKWELL_WEEK_SEED",
    "HOOKWELL_WEEK_SEEDS",
];

/// A journal entry is the body and our own header, so the body stays well below the store's limit for an entry.
const BODY_BYTES_MAX_MAX: usize = 24 << 20;
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Every setting, as given; none of them required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "HOOKWELL_LISTEN", global = true)]
    pub listen: Option<SocketAddr>,
    /// Directory for the journal, the registry and the master key [default: ./hookwell-data]
    #[arg(long, env = "HOOKWELL_DATA_DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Where Azure DevOps reaches the gateway, like <https://hooks.example.com>; hooks' URLs begin with it
    #[arg(long, env = "HOOKWELL_PUBLIC_URL", global = true)]
    pub public_url: Option<Url>,
    /// Certificate chain in PEM; with --tls-key the gateway speaks https, and reloads both when they change
    #[arg(long, env = "HOOKWELL_TLS_CERT", global = true)]
    pub tls_cert: Option<PathBuf>,
    /// Private key in PEM
    #[arg(long, env = "HOOKWELL_TLS_KEY", global = true)]
    pub tls_key: Option<PathBuf>,
    /// File with the master keys, the current one first [default: `DATA_DIR/master.key`, made when missing]
    #[arg(long, env = "HOOKWELL_MASTER_KEY_FILE", global = true)]
    pub master_key_file: Option<PathBuf>,
    /// How long notifications and events are kept, in days [default: 30]
    #[arg(long, env = "HOOKWELL_RETENTION_DAYS", global = true)]
    pub retention_days: Option<u32>,
    /// How long the hourly ledger of completeness is kept, in days [default: 400]
    #[arg(long, env = "HOOKWELL_LEDGER_DAYS", global = true)]
    pub ledger_days: Option<u32>,
    /// How far back a new binding is filled with what happened before it, in days; 0 is not at all [default: 30, and never more than is kept]
    #[arg(long, env = "HOOKWELL_BACKFILL_DAYS", global = true)]
    pub backfill_days: Option<u32>,
    /// Calls to Azure DevOps by one identity in 5 minutes after which a backfill waits; a Server without limits bears more [default: 300]
    #[arg(long, env = "HOOKWELL_AZURE_BULK_CALLS_MAX", global = true)]
    pub azure_bulk_calls_max: Option<u32>,
    /// How long an event may be held back for what must come before it, in minutes [default: 15]
    #[arg(long, env = "HOOKWELL_ORDER_WAIT_MINUTES", global = true)]
    pub order_wait_minutes: Option<u32>,
    /// Largest notification that is kept whole, in bytes [default: 10485760]
    #[arg(long, env = "HOOKWELL_BODY_BYTES_MAX", global = true)]
    pub body_bytes_max: Option<usize>,
    /// How long the hook password before a rotation is still accepted, in hours [default: 168]
    #[arg(long, env = "HOOKWELL_HOOK_OVERLAP_HOURS", global = true)]
    pub hook_overlap_hours: Option<u32>,
    /// How long one request to a sink may take, in seconds [default: 30]
    #[arg(long, env = "HOOKWELL_SINK_TIMEOUT_SECONDS", global = true)]
    pub sink_timeout_seconds: Option<u32>,
    /// The only directory that sinks of kind file may write to [default: none, and there are no such sinks]
    #[arg(long, env = "HOOKWELL_SINK_DIR", global = true)]
    pub sink_dir: Option<PathBuf>,
    /// Connections open at once; for more, those make room that have waited longest for their other side [default: 4096]
    #[arg(long, env = "HOOKWELL_CONNECTIONS_MAX", global = true)]
    pub connections_max: Option<usize>,
    /// Connections of one address at once (of IPv6: of one /64 network); behind a proxy all have its address [default: three quarters of --connections-max]
    #[arg(long, env = "HOOKWELL_CONNECTIONS_PER_ADDRESS_MAX", global = true)]
    pub connections_per_address_max: Option<usize>,
    /// How long a connection may let the gateway wait, in seconds: for a handshake, a request's header, the next KiB of a body or of a reply that is taken, and idle [default: 30]
    #[arg(long, env = "HOOKWELL_HEADER_TIMEOUT_SECONDS", global = true)]
    pub header_timeout_seconds: Option<u32>,
    /// Appends that may wait for the store; more are answered 503 [default: 4096]
    #[arg(long, env = "HOOKWELL_STORE_QUEUE_ENTRIES_MAX", global = true)]
    pub store_queue_entries_max: Option<usize>,
    /// Disk space that is left alone, in bytes; below it notifications are answered 503 [default: 67108864]
    #[arg(long, env = "HOOKWELL_STORE_FREE_BYTES_MIN", global = true)]
    pub store_free_bytes_min: Option<u64>,
    /// Work item states that close a ticket, separated by commas [default: those that the process of each project has as
    /// completed or removed; while that is not known Closed,Done,Completed,Removed]
    #[arg(long, env = "HOOKWELL_COMPLETED_STATES", value_delimiter = ',', global = true)]
    pub completed_states: Option<Vec<String>>,
    /// Log format: text or json [default: text]
    #[arg(long, env = "HOOKWELL_LOG_FORMAT", value_enum, global = true)]
    pub log_format: Option<LogFormat>,
    /// What is logged, like info or hookwell=debug [default: info]
    #[arg(long, env = "HOOKWELL_LOG", global = true)]
    pub log: Option<String>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one object a line.
    Json,
}

/// What is wrong with the settings; each message names the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The operating system's word.
        reason: String,
    },
    /// The file is not what it should be: the parser's message names line and known keys.
    #[error("{path}: {message}")]
    Malformed {
        /// The file.
        path: String,
        /// The parser's message.
        message: String,
    },
    /// A `HOOKWELL_…` variable that nobody reads.
    #[error("unknown variable {name}; the known ones are {known}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// All that would be read.
        known: String,
    },
    /// A value outside its bounds.
    #[error("{setting}: {message}")]
    Invalid {
        /// The key.
        setting: &'static str,
        /// What it must be.
        message: String,
    },
}

/// What the running gateway is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where Azure DevOps reaches us; hooks' URLs begin with it.
    pub public_url: Option<Url>,
    /// The largest notification that is kept whole, in bytes. Of a larger one the head is quarantined.
    pub body_bytes_max: usize,
    /// How long notifications and events are kept, and so how long a repetition is recognised.
    pub retention: Duration,
    /// How long the ledger of completeness is kept.
    pub ledger_retention: Duration,
    /// How far back a new binding is filled.
    pub backfill: Duration,
    /// Calls by one identity in 5 minutes after which what reads in bulk waits.
    pub azure_bulk_calls_max: u32,
    /// How long an event may be held back for what must come before it.
    pub order_wait: Duration,
    /// How long the previous hook password and signature secret are accepted after a rotation.
    pub hook_overlap: Duration,
    /// How long one request to a sink may take.
    pub sink_timeout: Duration,
    /// The only directory that sinks of kind file may write to.
    pub sink_dir: Option<PathBuf>,
    /// Work item states that close a ticket; `None` is what the process of each project says.
    pub completed_states: Option<Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            body_bytes_max: 10 << 20,
            retention: DAY * 30,
            ledger_retention: DAY * 400,
            backfill: DAY * 30,
            azure_bulk_calls_max: 300,
            order_wait: Duration::from_mins(15),
            hook_overlap: DAY * 7,
            sink_timeout: Duration::from_secs(30),
            sink_dir: None,
            completed_states: None,
        }
    }
}

/// How the process listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// Certificate chain and key, both PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Connections open at once.
    pub connections_max: usize,
    /// Of those the ones of one address.
    pub connections_per_address_max: usize,
    /// How long a connection may let us wait for its other side.
    pub header_timeout: Duration,
}

impl Options {
    /// The flags and variables in `self` over the file: the named one, or `hookwell.toml` if it exists.
    pub fn over_file(self, named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(FILE_NAME));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if named.is_none() && e.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(e) => return Err(ConfigError::Unreadable { path: path.display().to_string(), reason: e.to_string() }),
        };
        let file: Self = toml::from_str(&text).map_err(|e| ConfigError::Malformed {
            path: path.display().to_string(),
            message: e.to_string().trim_end().to_owned(),
        })?;
        Ok(self.over(file))
    }

    fn over(self, file: Self) -> Self {
        macro_rules! over {
            ($($key:ident),+ $(,)?) => { Self { $( $key: self.$key.or(file.$key) ),+ } };
        }
        over! {
            listen, data_dir, public_url, tls_cert, tls_key, master_key_file, retention_days, ledger_days, backfill_days, azure_bulk_calls_max, order_wait_minutes, body_bytes_max,
            hook_overlap_hours, sink_timeout_seconds, sink_dir, connections_max, connections_per_address_max, header_timeout_seconds, store_queue_entries_max,
            store_free_bytes_min, completed_states, log_format, log,
        }
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| PathBuf::from("hookwell-data"))
    }

    /// The master key file.
    pub fn master_key_file(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| self.data_dir().join("master.key"))
    }

    /// The gateway's settings, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let defaults = Settings::default();
        let public_url = self.public_url.clone().map(checked_public_url).transpose()?;
        let days = bounded("retention_days", self.retention_days, 1, 3_650)?;
        let ledger = bounded("ledger_days", self.ledger_days, 1, 3_650)?;
        let backfill = bounded("backfill_days", self.backfill_days, 0, 3_650)?;
        let calls = bounded("azure_bulk_calls_max", self.azure_bulk_calls_max, 10, 1_000_000)?;
        let order = bounded("order_wait_minutes", self.order_wait_minutes, 0, 60 * 24)?;
        let hours = bounded("hook_overlap_hours", self.hook_overlap_hours, 0, 24 * 365)?;
        let timeout = bounded("sink_timeout_seconds", self.sink_timeout_seconds, 1, 60)?;
        let body = bounded("body_bytes_max", self.body_bytes_max, 1_024, BODY_BYTES_MAX_MAX)?;
        Ok(Settings {
            public_url,
            body_bytes_max: body.unwrap_or(defaults.body_bytes_max),
            retention: days.map_or(defaults.retention, |days| DAY * days),
            ledger_retention: ledger.map_or(defaults.ledger_retention, |days| DAY * days),
            backfill: backfill.map_or(defaults.backfill, |days| DAY * days),
            azure_bulk_calls_max: calls.unwrap_or(defaults.azure_bulk_calls_max),
            order_wait: order.map_or(defaults.order_wait, |minutes| Duration::from_mins(minutes.into())),
            hook_overlap: hours.map_or(defaults.hook_overlap, |hours| HOUR * hours),
            sink_timeout: timeout.map_or(defaults.sink_timeout, |seconds| Duration::from_secs(seconds.into())),
            sink_dir: self.sink_dir.clone(),
            completed_states: self.completed_states.clone(),
        })
    }

    /// How to listen, checked.
    pub fn listen(&self) -> Result<Listen, ConfigError> {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(invalid("tls_key", "is needed with tls_cert")),
            (None, Some(_)) => return Err(invalid("tls_cert", "is needed with tls_key")),
        };
        let connections_max = bounded("connections_max", self.connections_max, 16, 100_000)?.unwrap_or(4_096);
        let per_address = bounded("connections_per_address_max", self.connections_per_address_max, 1, connections_max)?;
        let seconds = bounded("header_timeout_seconds", self.header_timeout_seconds, 1, 3_600)?;
        Ok(Listen {
            address: self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            tls,
            connections_max,
            connections_per_address_max: per_address.unwrap_or(connections_max / 4 * 3),
            header_timeout: Duration::from_secs(seconds.unwrap_or(30).into()),
        })
    }

    /// What the store is told, checked.
    pub fn store(&self) -> Result<StoreLimits, ConfigError> {
        Ok(StoreLimits {
            queue_entries_max: bounded("store_queue_entries_max", self.store_queue_entries_max, 1, 1_000_000)?,
            free_bytes_min: self.store_free_bytes_min,
        })
    }
}

/// What the store may be told; what is not given is the engine's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreLimits {
    /// Appends that may wait.
    pub queue_entries_max: Option<usize>,
    /// Disk space that is left alone, in bytes.
    pub free_bytes_min: Option<u64>,
}

/// The secrets that only the environment may carry.
#[derive(Clone, Default)]
pub struct Environment {
    /// `HOOKWELL_ADMIN_TOKEN`.
    pub admin_token: Option<Zeroizing<String>>,
    /// `HOOKWELL_MASTER_KEY`: instead of the file.
    pub master_key: Option<Zeroizing<String>>,
    /// `HOOKWELL_TOKEN`: with which commands ask a running gateway.
    pub token: Option<Zeroizing<String>>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Environment {
    /// Reads them, after refusing every `HOOKWELL_…` variable that neither they nor `command` know.
    pub fn read(command: &Command) -> Result<Self, ConfigError> {
        let names = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        refuse_unknown(names.map(|(name, value)| (name, value.to_string_lossy().into_owned())), &known(command))?;
        let [admin_token, master_key, token] =
            SECRET_VARIABLES.map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Zeroizing::new));
        Ok(Self { admin_token, master_key, token })
    }
}

/// Where temporary files go on this system.
pub fn temporary_directory() -> PathBuf {
    std::env::temp_dir()
}

fn known(command: &Command) -> BTreeSet<String> {
    let arguments = command.get_subcommands().chain([command]).flat_map(Command::get_arguments);
    let flags = arguments.filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    flags.chain(SECRET_VARIABLES.into_iter().chain(TEST_VARIABLES).map(str::to_owned)).collect()
}

fn refuse_unknown(
    variables: impl Iterator<Item = (String, String)>,
    known: &BTreeSet<String>,
) -> Result<(), ConfigError> {
    for (name, value) in variables.filter(|(name, _)| name.starts_with("HOOKWELL_")) {
        // Kubernetes gives every pod variables like these for a Service that is called `hookwell`.
        let service_link =
            name.starts_with("HOOKWELL_SERVICE_") || (name.starts_with("HOOKWELL_PORT") && value.contains("://"));
        let service_link = service_link || name.starts_with("HOOKWELL_PORT_");
        if !known.contains(&name) && !service_link {
            let known = known.iter().filter(|name| !TEST_VARIABLES.contains(&name.as_str())).cloned();
            return Err(ConfigError::UnknownVariable { name, known: known.collect::<Vec<_>>().join(", ") });
        }
    }
    Ok(())
}

fn checked_public_url(mut url: Url) -> Result<Url, ConfigError> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("public_url", "must begin with https:// or http://"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("public_url", "must be without user, query and fragment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn bounded<T: PartialOrd + fmt::Display>(
    setting: &'static str,
    value: Option<T>,
    min: T,
    max: T,
) -> Result<Option<T>, ConfigError> {
    match value {
        Some(value) if value < min || value > max => {
            Err(ConfigError::Invalid { setting, message: format!("must be from {min} to {max}") })
        }
        value => Ok(value),
    }
}

fn invalid(setting: &'static str, message: &str) -> ConfigError {
    ConfigError::Invalid { setting, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Options, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, text).unwrap();
        Options::default().over_file(Some(&path))
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "retention_days = 7\nlisten = \"0.0.0.0:1\"\n").unwrap();
        let flags = Options { listen: Some("127.0.0.1:2".parse().unwrap()), ..Options::default() };
        let options = flags.over_file(Some(&path)).unwrap();
        assert_eq!(options.listen().unwrap().address, "127.0.0.1:2".parse().unwrap());
        assert_eq!(options.settings().unwrap().retention, DAY * 7);
        assert_eq!(options.settings().unwrap().body_bytes_max, 10 << 20);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_known_ones() {
        let error = file("retention = 7").unwrap_err().to_string();
        assert!(error.contains("`retention`") && error.contains("`retention_days`"), "{error}");
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_the_known_ones() {
        let known = BTreeSet::from(["HOOKWELL_LISTEN".to_owned()]);
        let one = |name: &str, value: &str| refuse_unknown([(name.into(), value.into())].into_iter(), &known);
        let error = one("HOOKWELL_LISTN", "x").unwrap_err().to_string();
        assert!(error.contains("HOOKWELL_LISTN") && error.contains("HOOKWELL_LISTEN"), "{error}");
        assert_eq!(one("HOOKWELL_LISTEN", "x"), Ok(()));
        assert_eq!(one("PATH", "x"), Ok(()));
        assert_eq!(one("HOOKWELL_PORT", "tcp://10.0.0.1:80"), Ok(()), "a Kubernetes service link");
        assert_eq!(one("HOOKWELL_SERVICE_HOST", "10.0.0.1"), Ok(()), "a Kubernetes service link");
    }

    #[test]
    fn values_outside_their_bounds_are_refused_by_name() {
        for text in
            ["retention_days = 0", "body_bytes_max = 1", "public_url = \"ftp://x\"", "hook_overlap_hours = 999999"]
        {
            let error = file(text).unwrap().settings().unwrap_err().to_string();
            assert!(error.starts_with(text.split(' ').next().unwrap()), "{error}");
        }
        assert!(file("tls_cert = \"a\"").unwrap().listen().is_err());
    }
}
