//! The webhook engine: `CloudEvents` over HTTP, signed as Standard Webhooks has it.
//!
//! Source: Standard Webhooks 1.0.0; the `CloudEvents` HTTP binding and webhook specification 1.0.

pub(super) mod binary;
mod halves;
mod handshake;
mod signature;

pub use self::signature::{new_secret, secret_is_good};

use self::{handshake::Handshake, signature::Signer};
use super::{
    Attempt, Error, Outgoing, Secrets, Sink, Tools, Unusable,
    wire::{Settings, Wire},
};
use crate::{
    clock::Clock,
    domain::{self, Mode, Webhook, secret},
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::{sync::Arc, time::Duration};
use url::Url;
use uuid::Uuid;

/// Most events in one request, whatever is asked for.
const BATCH_EVENTS_MAX: usize = 1_000;
const BATCH_EVENTS_DEFAULT: usize = 100;
/// A batch that is refused is not taken apart for longer.
const HALVING_TIMEOUT: Duration = Duration::from_mins(1);
const STRUCTURED: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
const BATCHED: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json; charset=utf-8");
/// Headers that are ours: the signature would not hold, or the message not be what it says.
const OURS: [&str; 9] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"];

/// One endpoint.
pub(super) struct Engine {
    wire: Wire,
    clock: Arc<dyn Clock>,
    url: Url,
    mode: Mode,
    batch_events_max: usize,
    headers: HeaderMap,
    signer: Signer,
    handshake: Option<Handshake>,
}

impl Engine {
    /// Nothing is sent yet.
    pub(super) fn new(
        sink: &domain::Sink,
        settings: &Webhook,
        secrets: &Secrets,
        tools: &Tools,
    ) -> Result<Self, Unusable> {
        let mut headers = HeaderMap::new();
        let mut hidden: Vec<&str> =
            [secret::SIGNING, secret::SIGNING_PREVIOUS].map(|name| secrets.text(name)).into_iter().flatten().collect();
        for name in &settings.header_names {
            let text = secrets.text(&format!("{}{name}", secret::HEADER)).unwrap_or_default();
            let (name, value) = own_header(name, text)?;
            hidden.push(text);
            headers.append(name, value);
        }
        let wire = Wire::new(
            &Settings {
                allow_private: sink.allow_private,
                allow_http: sink.allow_http,
                ca_bundle: settings.ca_bundle.as_deref(),
                identity: secrets.text(secret::IDENTITY),
                in_flight_max: sink.in_flight_max as usize,
                secrets: hidden,
                timeouts: tools.timeouts,
            },
            Arc::clone(&tools.clock),
        )?;
        let batch = settings.batch_events_max.map_or(BATCH_EVENTS_DEFAULT, |max| max as usize);
        Ok(Self {
            wire,
            clock: Arc::clone(&tools.clock),
            url: settings.url.clone(),
            mode: settings.mode,
            batch_events_max: if settings.mode == Mode::Batch { batch.clamp(1, BATCH_EVENTS_MAX) } else { 1 },
            headers,
            signer: Signer::new(secrets, sink.previous_secret_until)?,
            handshake: settings.handshake.then(|| Handshake::new(tools.origin.clone())),
        })
    }

    async fn send(&self, batch: &[Outgoing]) -> Attempt {
        if let Some(handshake) = &self.handshake
            && let Err(refused) = handshake.granted(&self.wire, &*self.clock, &self.url, &self.headers).await
        {
            return refused;
        }
        let mut headers = self.headers.clone();
        let (id, body) = match (self.mode, batch) {
            (Mode::Structured, [event]) => {
                headers.insert(header::CONTENT_TYPE, STRUCTURED);
                (event.id, event.json.clone())
            }
            (Mode::Binary, [event]) => {
                let Some(body) = binary::parts(&event.json, &mut headers) else {
                    let said = "the event cannot be put into binary mode".to_owned();
                    return Attempt::failed(Error::Permanent { said }, Duration::ZERO);
                };
                (event.id, body)
            }
            (_, events) => {
                headers.insert(header::CONTENT_TYPE, BATCHED);
                (batch_id(events), list(events))
            }
        };
        self.signer.sign(id, self.clock.now(), &body, &mut headers);
        match self.wire.send(Method::POST, &self.url, headers, body).await {
            Ok(answer) => answer.into_attempt(),
            Err(attempt) => attempt,
        }
    }
}

#[async_trait]
impl Sink for Engine {
    fn batch_events_max(&self) -> usize {
        self.batch_events_max
    }

    async fn deliver(&self, batch: &[Outgoing]) -> Vec<Attempt> {
        if self.mode == Mode::Batch {
            let began = self.clock.monotonic();
            let may_go_on = || self.clock.monotonic().saturating_sub(began) < HALVING_TIMEOUT;
            return halves::deliver(batch, may_go_on, |part| async move { self.send(&part).await }).await;
        }
        let mut attempts = Vec::with_capacity(batch.len());
        for event in batch {
            attempts.push(self.send(std::slice::from_ref(event)).await);
        }
        attempts
    }
}

/// A header of the user's: bytes that HTTP allows in a value and nothing else, so that no header can be smuggled in.
fn own_header(name: &str, text: &str) -> Result<(HeaderName, HeaderValue), Unusable> {
    let unusable = |why: &str| Unusable(format!("the header {name:?} {why}"));
    let ours = OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours));
    let lower = name.to_ascii_lowercase();
    if ours || lower.starts_with("webhook-") || lower.starts_with("ce-") {
        return Err(unusable("is one that we set ourselves"));
    }
    let parsed: HeaderName = name.parse().map_err(|_| unusable("has no name that can be sent"))?;
    let mut value = HeaderValue::from_str(text).map_err(|_| unusable("has a value that cannot be sent"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// The same events are the same batch, however often it is sent.
fn batch_id(events: &[Outgoing]) -> Uuid {
    let ids: Vec<u8> = events.iter().flat_map(|event| *event.id.as_bytes()).collect();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &ids)
}

fn list(events: &[Outgoing]) -> Bytes {
    let mut body = b"[".to_vec();
    for (at, event) in events.iter().enumerate() {
        body.extend_from_slice(if at == 0 { b"" } else { b"," });
        body.extend_from_slice(&event.json);
    }
    body.push(b']');
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_can_be_smuggled_in_or_stand_for_one_of_ours() {
        for (name, value) in [
            ("X-A", "a\r\nX-B: b"),
            ("X-A", "a\nb"),
            ("X-A", "a\0b"),
            ("X A", "a"),
            ("X-A\r\nX-B", "a"),
            ("", "a"),
            ("Host", "a"),
            ("content-type", "a"),
            ("Webhook-Signature", "v1,a"),
            ("ce-id", "a"),
        ] {
            let Unusable(said) = own_header(name, value).unwrap_err();
            assert!(!said.contains("X-B: b") && !said.contains('\n'), "{said}");
        }
        let (name, value) = own_header("Authorization", "Bearer abc").unwrap();
        assert!(name == header::AUTHORIZATION && value.is_sensitive());
    }
}
