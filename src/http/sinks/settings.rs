//! The settings of each kind of sink: the document's schema and the reader beside each other.

use super::super::{
    fields::{CA_BUNDLE, NAME, SECRET, Text, closed, list},
    headers,
    members::Members,
};
use crate::{
    app::{
        connections::{Secret, check_ca_bundle},
        sinks::TargetChange,
    },
    domain::{DevLake, FileLog, Mode, Nats, Sleuth, SleuthImpact, Target, Webhook, secret},
    sink::secret_is_good,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use url::Url;

/// Most entries of a map of names.
const NAMES_MAX: usize = 100;
const SERVERS_MAX: usize = 10;
const BATCH_EVENTS_MAX: u64 = 1_000;
const ROTATE_BYTES: (u64, u64) = (64 << 10, 10 << 30);
const FILES_KEPT_MAX: u64 = 1_000;

/// Headers that are ours to set; a sink may want an `Authorization` of its own.
const OURS: [&str; 4] = ["connection", "content-length", "host", "transfer-encoding"];

/// The kinds, in the order of the document.
pub(super) const KINDS: [&str; 6] = ["webhook", "sleuth", "devlake", "nats", "file", "stdout"];

/// Where events are pushed. The pattern has the forms that are taken for sure.
const URL: Text = Text::new(
    (1, 2_000),
    r"^https?://[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?(\.[A-Za-z][A-Za-z0-9]{0,30}(-[A-Za-z0-9]{1,30})?){0,3}(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~-]{1,100}){0,8}/?$",
    is_http,
    "a URL like https://receiver.example/events, without user, password and fragment",
);
const SERVER: Text = Text::new(
    (1, 500),
    r"^(nats|tls)://[A-Za-z][A-Za-z0-9]{0,30}(\.[A-Za-z][A-Za-z0-9]{0,30}){0,3}(:[1-9][0-9]{0,3})?$",
    is_nats,
    "a URL like nats://broker.example:4222, without user and password",
);
const SIGNING: Text = Text::new(
    (38, 94),
    r"^whsec_([A-Za-z0-9+/]{32}|[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{64})$",
    secret_is_good,
    "whsec_ and 24 to 64 bytes in base64",
);
const SLUG: Text = Text::new(
    (1, 100),
    "^[A-Za-z0-9_.-]+$",
    |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)),
    "letters, digits and any of _ . -",
);
const SUBJECT: Text = Text::new(
    (1, 200),
    "^[A-Za-z0-9_.{}-]+$",
    |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.{}-".contains(&b)),
    "letters, digits and any of _ . - { }",
);
const FILE_NAME: Text = Text::new(
    (1, 100),
    "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$",
    |text| !text.starts_with('.') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)),
    "letters, digits and any of _ . -, and no . at the beginning",
);
const IDENTITY: Text = Text::new(
    (1, 65_536),
    r"^[\t\n\r -~]+$",
    |text| text.bytes().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~')),
    "a certificate and its private key in PEM",
);

fn is_http(text: &str) -> bool {
    let plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let http = |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host();
    text.bytes().all(|b| b.is_ascii_graphic()) && Url::parse(text).is_ok_and(|url| http(&url) && plain(&url))
}

fn is_nats(text: &str) -> bool {
    let plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let nats = |url: &Url| matches!(url.scheme(), "nats" | "tls") && url.has_host();
    text.bytes().all(|b| b.is_ascii_graphic()) && Url::parse(text).is_ok_and(|url| nats(&url) && plain(&url))
}

fn names(description: &str) -> Value {
    json!({
        "type": "object", "maxProperties": NAMES_MAX, "propertyNames": NAME.schema("Ours."),
        "additionalProperties": NAME.schema("Theirs."), "description": description,
    })
}

fn number(bounds: (u64, u64), description: &str) -> Value {
    json!({ "type": "integer", "minimum": bounds.0, "maximum": bounds.1, "description": description })
}

/// What the settings of a kind take; for a change none of them is required, and secrets may be null.
pub(super) fn schema(kind: &str, change: bool) -> Value {
    let secret =
        |text: &Text, description: &str| if change { text.nullable(description) } else { text.schema(description) };
    let (required, properties) = match kind {
        "webhook" => (
            &["url"][..],
            json!({
                "url": URL.schema("Where to: https, unless allow_http."),
                "mode": { "type": "string", "enum": ["structured", "binary", "batch"], "description": "How: one CloudEvent as the body; its attributes as headers; or several in a list. structured when left out." },
                "batch_events_max": number((1, BATCH_EVENTS_MAX), "Most events in one request of mode batch; 100 when left out."),
                "headers": headers::schema(change),
                "ca_bundle": CA_BUNDLE.nullable("Certificates in PEM that are trusted besides the system's."),
                "identity": secret(&IDENTITY, "Certificate and private key in PEM with which the gateway proves itself; never shown again."),
                "secret": SIGNING.schema("A signing secret of your own. Without it a new sink gets a new one; given in a change it rotates the secret."),
                "handshake": { "type": "boolean", "description": "Whether the endpoint must allow deliveries first (OPTIONS), as the CloudEvents webhook specification has it." },
            }),
        ),
        "sleuth" => (
            &["organization", "deployment"][..],
            json!({
                "url": URL.schema("Where its API is; https://app.sleuth.io when left out."),
                "organization": SLUG.schema("The organization's slug."),
                "deployment": SLUG.schema("The code deployment's slug."),
                "environments": names("Our environments' names there, where they differ."),
                "impact": {
                    "description": "Where incidents go; none are sent without it.",
                    "anyOf": [
                        closed(&["project", "environment", "source"], &json!({
                            "project": SLUG.schema("The project's slug."),
                            "environment": SLUG.schema("The environment's slug."),
                            "source": SLUG.schema("The custom incident impact source's slug."),
                        })),
                        { "type": "null" },
                    ],
                },
                "api_key": secret(&SECRET, "The organization's API key, which incidents need; never shown again."),
                "token": secret(&SECRET, "An access token, for deployments; never shown again."),
            }),
        ),
        "devlake" => (
            &["url", "connection"][..],
            json!({
                "url": URL.schema("Where it is, without /api."),
                "connection": number((1, 1_000_000_000), "The number of the webhook connection."),
                "environments": names("Our environments' kinds there: PRODUCTION, STAGING, TESTING or DEVELOPMENT."),
                "pipelines": names("Pipelines that deploy, or stages as pipeline/stage, and the environment that each deploys to."),
                "api_key": secret(&SECRET, "The key of the connection; never shown again."),
            }),
        ),
        "nats" => (
            &["servers", "subject"][..],
            json!({
                "servers": list(&SERVER.schema("One of them."), SERVERS_MAX, "The servers; one at least."),
                "subject": SUBJECT.schema("The subject; {type}, {project} and {connection} are filled in."),
                "user": NAME.nullable("The user whose password is given."),
                "ca_bundle": CA_BUNDLE.nullable("Certificates in PEM that are trusted besides the system's."),
                "password": secret(&SECRET, "The password; never shown again."),
                "token": secret(&SECRET, "A token instead; never shown again."),
            }),
        ),
        "file" => (
            &["name"][..],
            json!({
                "name": FILE_NAME.schema("The file's name in the directory that is configured for sinks."),
                "rotate_bytes": number(ROTATE_BYTES, "A file of this size is put aside; 64 MiB when left out."),
                "files_kept": number((0, FILES_KEPT_MAX), "How many are kept beside the current one; 10 when left out."),
            }),
        ),
        _ => (&[][..], json!({})),
    };
    let mut schema = closed(if change { &[] } else { required }, &properties);
    schema["title"] = kind.into();
    schema
}

/// Reads the settings of a kind: all of them, or those that change of what is `there`. What is wrong is left in `members`.
pub(super) fn read(members: &mut Members, kind: &str, there: Option<&Target>) -> Option<TargetChange> {
    let mut reader = Reader { members, secrets: Vec::new() };
    let target = match (kind, there) {
        ("webhook", Some(Target::Webhook(there))) => reader.webhook(Some(there)).map(Target::Webhook),
        ("webhook", _) => reader.webhook(None).map(Target::Webhook),
        ("sleuth", Some(Target::Sleuth(there))) => reader.sleuth(Some(there)).map(Target::Sleuth),
        ("sleuth", _) => reader.sleuth(None).map(Target::Sleuth),
        ("devlake", Some(Target::DevLake(there))) => reader.devlake(Some(there)).map(Target::DevLake),
        ("devlake", _) => reader.devlake(None).map(Target::DevLake),
        ("nats", Some(Target::Nats(there))) => reader.nats(Some(there)).map(Target::Nats),
        ("nats", _) => reader.nats(None).map(Target::Nats),
        ("file", Some(Target::File(there))) => reader.file(Some(there)).map(Target::File),
        ("file", _) => reader.file(None).map(Target::File),
        _ => Some(Target::Stdout),
    };
    let Reader { secrets, .. } = reader;
    target.map(|target| TargetChange { target, secrets })
}

struct Reader<'a> {
    members: &'a mut Members,
    secrets: Vec<(String, Option<Secret>)>,
}

impl Reader<'_> {
    /// Required, unless it is there already.
    fn text(&mut self, name: &'static str, bounds: &Text, there: Option<String>) -> Option<String> {
        let given = self.members.text(name, bounds);
        match there {
            Some(there) => Some(self.members.not_null(name, given).unwrap_or(there)),
            None => self.members.required(name, given),
        }
    }

    /// May be left out, and taken away with null.
    fn optional(&mut self, name: &'static str, bounds: &Text, there: Option<String>) -> Option<String> {
        self.members.text(name, bounds).unwrap_or(there)
    }

    fn url(&mut self, there: Option<&Url>, default: Option<&str>) -> Option<Url> {
        let there = there.map(ToString::to_string).or_else(|| default.map(str::to_owned));
        self.text("url", &URL, there)?.parse().ok()
    }

    fn number(&mut self, name: &'static str, bounds: (u64, u64), there: u64) -> u64 {
        let given = self.members.read(name, |value| {
            let (min, max) = bounds;
            let fits = value.as_u64().filter(|number| (min..=max).contains(number));
            fits.ok_or_else(|| format!("must be a whole number from {min} to {max}"))
        });
        self.members.not_null(name, given).unwrap_or(there)
    }

    fn flag(&mut self, name: &'static str, there: bool) -> bool {
        let given = self.members.read(name, |value| value.as_bool().ok_or_else(|| "must be true or false".to_owned()));
        self.members.not_null(name, given).unwrap_or(there)
    }

    fn map(&mut self, name: &'static str, there: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
        let given = self.members.read(name, |value| {
            let Value::Object(object) = value else { return Err("must be an object".to_owned()) };
            if object.len() > NAMES_MAX {
                return Err(format!("must have at most {NAMES_MAX} members"));
            }
            let pair = |(ours, theirs): (String, Value)| match theirs {
                Value::String(theirs) => NAME.check(&ours).and(NAME.check(&theirs)).map(|()| (ours, theirs)),
                _ => Err("must have texts as values".to_owned()),
            };
            object.into_iter().map(pair).collect()
        });
        self.members.not_null(name, given).unwrap_or_else(|| there.cloned().unwrap_or_default())
    }

    fn secret(&mut self, member: &'static str, bounds: &Text, name: &str) {
        if let Some(given) = self.members.text(member, bounds) {
            self.secrets.push((name.to_owned(), given.map(Secret::new)));
        }
    }

    fn ca_bundle(&mut self, there: Option<String>) -> Option<String> {
        let given = self.members.read("ca_bundle", |value| {
            let Value::String(text) = value else { return Err("must be a text".to_owned()) };
            CA_BUNDLE.check(&text).and_then(|()| check_ca_bundle(&text)).map(|()| text)
        });
        given.unwrap_or(there)
    }

    fn webhook(&mut self, there: Option<&Webhook>) -> Option<Webhook> {
        let url = self.url(there.map(|there| &there.url), None);
        let mode = self.members.read("mode", |value| {
            serde_json::from_value::<Mode>(value).map_err(|_| "must be structured, binary or batch".to_owned())
        });
        let mode = self.members.not_null("mode", mode).unwrap_or_else(|| there.map_or(Mode::default(), |w| w.mode));
        let batch = there.and_then(|there| there.batch_events_max).unwrap_or(100);
        let batch = self.number("batch_events_max", (1, BATCH_EVENTS_MAX), batch.into());
        let mut header_names = there.map(|there| there.header_names.clone()).unwrap_or_default();
        if let Some(given) = self.members.read("headers", |value| headers::read_but(&OURS, value)) {
            let given = given.unwrap_or_default();
            header_names = given.iter().map(|(name, _)| name.clone()).collect();
            let secret = |(name, value): (String, Secret)| (format!("{}{name}", secret::HEADER), Some(value));
            self.secrets.extend(given.into_iter().map(secret));
        }
        let ca_bundle = self.ca_bundle(there.and_then(|there| there.ca_bundle.clone()));
        self.secret("identity", &IDENTITY, secret::IDENTITY);
        let given = self.members.text("secret", &SIGNING);
        let signing = self.members.not_null("secret", given);
        self.secrets.extend(signing.map(|text| (secret::SIGNING.to_owned(), Some(Secret::new(text)))));
        let handshake = self.flag("handshake", there.is_some_and(|there| there.handshake));
        let batch_events_max = u32::try_from(batch).ok();
        Some(Webhook { url: url?, mode, batch_events_max, header_names, ca_bundle, handshake })
    }

    fn sleuth(&mut self, there: Option<&Sleuth>) -> Option<Sleuth> {
        let url = self.url(there.map(|there| &there.url), Some("https://app.sleuth.io"));
        let organization = self.text("organization", &SLUG, there.map(|there| there.organization.clone()));
        let deployment = self.text("deployment", &SLUG, there.map(|there| there.deployment.clone()));
        let environments = self.map("environments", there.map(|there| &there.environments));
        let impact = self.members.object("impact", |members| {
            let mut part = |name: &'static str| {
                let given = members.text(name, &SLUG);
                members.required(name, given)
            };
            let (project, environment, source) = (part("project"), part("environment"), part("source"));
            Some(SleuthImpact { project: project?, environment: environment?, source: source? })
        });
        let impact = impact.map_or_else(|| there.and_then(|there| there.impact.clone()), Option::flatten);
        self.secret("api_key", &SECRET, secret::API_KEY);
        self.secret("token", &SECRET, secret::TOKEN);
        Some(Sleuth { url: url?, organization: organization?, deployment: deployment?, environments, impact })
    }

    fn devlake(&mut self, there: Option<&DevLake>) -> Option<DevLake> {
        let url = self.url(there.map(|there| &there.url), None);
        let connection = self.number("connection", (1, 1_000_000_000), there.map_or(0, |there| there.connection));
        if connection == 0 {
            self.members.required::<()>("connection", None);
        }
        let environments = self.map("environments", there.map(|there| &there.environments));
        let pipelines = self.map("pipelines", there.map(|there| &there.pipelines));
        self.secret("api_key", &SECRET, secret::API_KEY);
        Some(DevLake { url: url?, connection, environments, pipelines })
    }

    fn nats(&mut self, there: Option<&Nats>) -> Option<Nats> {
        let given = self.members.texts("servers", &SERVER, SERVERS_MAX);
        let servers = match there {
            Some(there) => {
                let there = there.servers.iter().map(ToString::to_string).collect();
                self.members.not_null("servers", given).or(Some(there))
            }
            None => self.members.required("servers", given),
        };
        if servers.as_ref().is_some_and(Vec::is_empty) {
            self.members.wrong("servers", "must have at least one element");
        }
        let subject = self.text("subject", &SUBJECT, there.map(|there| there.subject.clone()));
        let user = self.optional("user", &NAME, there.and_then(|there| there.user.clone()));
        let ca_bundle = self.ca_bundle(there.and_then(|there| there.ca_bundle.clone()));
        self.secret("password", &SECRET, secret::PASSWORD);
        self.secret("token", &SECRET, secret::TOKEN);
        let servers = servers?.iter().map(|server| server.parse().ok()).collect::<Option<Vec<Url>>>()?;
        Some(Nats { servers, subject: subject?, user, ca_bundle })
    }

    fn file(&mut self, there: Option<&FileLog>) -> Option<FileLog> {
        let name = self.text("name", &FILE_NAME, there.map(|there| there.name.clone()));
        let rotate_bytes = there.map_or(64 << 20, |there| there.rotate_bytes);
        let rotate_bytes = self.number("rotate_bytes", ROTATE_BYTES, rotate_bytes);
        let kept = there.map_or(10, |there| there.files_kept);
        let kept = self.number("files_kept", (0, FILES_KEPT_MAX), kept.into());
        Some(FileLog { name: name?, rotate_bytes, files_kept: u32::try_from(kept).unwrap_or(u32::MAX) })
    }
}
