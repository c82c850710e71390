//! One request to a receiver, over real HTTP: what is sent, and what came back, also as the texts of the history.

use super::{
    Misbehaviour,
    draft::Draft,
    misbehaviour::{Oversized, Silence},
    ruling::Answered,
};
use bytes::Bytes;
use reqwest::{Client, Response, redirect};
use std::{error::Error as _, fmt::Write as _, sync::OnceLock, time::Duration};
use uuid::Uuid;

/// How long a receiver may take where no switch says otherwise. The real limit is not documented.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most of a payload, in bytes, where no switch says otherwise.
const PAYLOAD_BYTES_MAX: usize = 2 << 20;
/// Most of an answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Headers that a subscription's `httpHeaders` do not override.
const OWN_HEADERS: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

/// The clients: one that trusts what the system trusts, one that trusts everybody.
#[derive(Default)]
pub(super) struct Poster {
    strict: OnceLock<Result<Client, String>>,
    trusting: OnceLock<Result<Client, String>>,
}

/// What an attempt came to.
pub(super) struct Posted {
    pub(super) answered: Answered,
    /// As the history shows them.
    pub(super) request: String,
    pub(super) response: String,
    pub(super) error: Option<String>,
}

/// What is posted.
pub(super) struct Parcel<'a> {
    pub(super) draft: &'a Draft,
    pub(super) subscription: Uuid,
    /// One for each attempt.
    pub(super) activity: Uuid,
    pub(super) body: Bytes,
}

impl Poster {
    fn client(&self, trusts_everybody: bool) -> Result<&Client, String> {
        let cell = if trusts_everybody { &self.trusting } else { &self.strict };
        let made = cell.get_or_init(|| {
            // reqwest takes the process's provider; that it is set already is no failure.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy();
            builder.danger_accept_invalid_certs(trusts_everybody).build().map_err(|error| error.to_string())
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Sends it once.
    pub(super) async fn post(&self, parcel: Parcel<'_>, switches: &Misbehaviour) -> Posted {
        let url = parcel.draft.consumer_input("url").unwrap_or_default();
        let headers = headers(&parcel, switches);
        let request = request_text(url, &headers);
        let failed = |answered, error: String| Posted {
            answered,
            request: request.clone(),
            response: String::new(),
            error: Some(error),
        };
        let trusts =
            parcel.draft.consumer_input("acceptUntrustedCerts").is_some_and(|own| own.eq_ignore_ascii_case("true"));
        let bytes_max = switches.payload_bytes_max.unwrap_or(PAYLOAD_BYTES_MAX);
        if parcel.body.len() > bytes_max && switches.oversized == Oversized::Fails {
            let error = format!("The payload of {} bytes is larger than {bytes_max} bytes.", parcel.body.len());
            return failed(Answered::Badly, error);
        }
        let client = match self.client(trusts) {
            Ok(client) => client,
            Err(error) => return failed(Answered::Badly, error),
        };
        let timeout = switches.timeout_milliseconds.map_or(TIMEOUT, Duration::from_millis);
        let mut sending = client.post(url).timeout(timeout);
        for (name, value) in &headers {
            sending = sending.header(name, value);
        }
        if let Some(password) = parcel.draft.consumer_input("basicAuthPassword") {
            let user = parcel.draft.consumer_input("basicAuthUsername").unwrap_or_default();
            sending = sending.basic_auth(user, Some(password));
        }
        match sending.body(parcel.body).send().await {
            Ok(response) => answered(response, request).await,
            Err(error) => failed(silence(&error, switches), in_words(&error)),
        }
    }
}

async fn answered(mut response: Response, request: String) -> Posted {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut text =
        format!("Status Code: {}\nReason Phrase: {reason}\nHTTP Version: 1.1\nHeaders:\n{{\n", status.as_u16());
    for (name, value) in response.headers() {
        let _ = writeln!(text, "  {name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text.push_str("}\n");
    let mut body = Vec::new();
    // The status decides; a body that breaks off changes nothing.
    while let Ok(Some(part)) = response.chunk().await {
        body.extend_from_slice(&part[..part.len().min(ANSWER_BYTES_MAX - body.len())]);
        if body.len() >= ANSWER_BYTES_MAX {
            break;
        }
    }
    text.push_str(&String::from_utf8_lossy(&body));
    let answered = Answered::with(status.as_u16());
    let error = (answered != Answered::Well).then(|| format!("{reason} ({})", status.as_u16()));
    Posted { answered, request, response: text, error }
}

/// All but the credentials.
fn headers(parcel: &Parcel<'_>, switches: &Misbehaviour) -> Vec<(String, String)> {
    let mut headers = vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
    if !switches.without_trace_headers {
        headers.push(("X-VSS-ActivityId".to_owned(), parcel.activity.to_string()));
        headers.push(("X-VSS-SubscriptionId".to_owned(), parcel.subscription.to_string()));
        headers.push(("Request-Id".to_owned(), format!("|{}.1.", parcel.activity.simple())));
    }
    let own = parcel.draft.consumer_input("httpHeaders").unwrap_or_default();
    for (name, value) in own.lines().filter_map(|line| line.split_once(':')) {
        let (name, value) = (name.trim(), value.trim());
        if !name.is_empty() && !OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}

/// The subscription's own headers are in it, as they are not confidential; the credentials are not.
fn request_text(url: &str, headers: &[(String, String)]) -> String {
    let mut text = format!("Method: POST\nURI: {url}\nHTTP Version: 1.1\nHeaders:\n{{\n");
    for (name, value) in headers {
        let _ = writeln!(text, "  {name}: {value}");
    }
    text.push_str("}\n");
    text
}

/// What no answer counts as. A certificate that is not trusted will not be in a second either.
fn silence(error: &reqwest::Error, switches: &Misbehaviour) -> Answered {
    if error.is_builder() || is_tls(error) {
        return Answered::Badly;
    }
    match switches.silence {
        Silence::Transient => Answered::Later,
        Silence::Enduring => Answered::Badly,
    }
}

fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(own) = cause {
        if own.is::<rustls::Error>() {
            return true;
        }
        // An I/O error's source is that of what it wraps, not what it wraps.
        let wrapped = own.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = wrapped.map_or_else(|| own.source(), |wrapped| Some(wrapped));
    }
    false
}

/// Without the URL: it may carry a secret, and the history has it anyway.
fn in_words(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "the receiver did not answer in time".to_owned()
    } else {
        "the receiver could not be reached".to_owned()
    };
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
