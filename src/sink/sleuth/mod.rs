//! Sleuth: deployments are registered, incidents become custom incident impact. Everything else is not told.
//!
//! Source: Sleuth's API documentation (deploy registration; custom incident impact). The key of an impact stands in the
//! path, so no address of this engine is ever written down.

mod request;

use self::request::{Key, Request, request};
use super::{
    Attempt, Outgoing, Secrets, Sink, Tools, Unusable,
    judged::{judged, unsaid, unsayable},
    told::Told,
    wire::{Settings, Wire},
};
use crate::domain::{self, Sleuth, secret};
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, header};
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

const NAME: &str = "Sleuth";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One organization's code deployment.
pub(super) struct Engine {
    wire: Wire,
    settings: Sleuth,
    authorization: HeaderValue,
    /// The organization's API key, for where it goes into the path.
    key: Option<Zeroizing<String>>,
}

impl Engine {
    /// Nothing is sent yet.
    pub(super) fn new(
        sink: &domain::Sink,
        settings: &Sleuth,
        secrets: &Secrets,
        tools: &Tools,
    ) -> Result<Self, Unusable> {
        let unusable = |said: &str| Unusable(said.to_owned());
        let (token, key) = (secrets.text(secret::TOKEN), secrets.text(secret::API_KEY));
        // A token can be given for deployments alone; the key can do everything.
        let authorization = match (token, key) {
            (Some(token), _) => Zeroizing::new(format!("Bearer {token}")),
            (None, Some(key)) => Zeroizing::new(format!("apikey {key}")),
            (None, None) => return Err(unusable("Sleuth needs an access token or the organization's API key")),
        };
        let header = HeaderValue::from_str(&authorization);
        let mut authorization = header.map_err(|_| unusable("the key has characters that cannot be sent"))?;
        authorization.set_sensitive(true);
        if settings.impact.is_some() && key.is_none() {
            return Err(unusable("Sleuth takes incidents with the organization's API key only"));
        }
        if settings.url.cannot_be_a_base() {
            return Err(unusable("the URL has no path"));
        }
        let wire = Wire::new(
            &Settings {
                allow_private: sink.allow_private,
                allow_http: sink.allow_http,
                in_flight_max: sink.in_flight_max as usize,
                secrets: [token, key].into_iter().flatten().collect(),
                timeouts: tools.timeouts,
                ..Settings::default()
            },
            Arc::clone(&tools.clock),
        )?;
        let key = key.map(|key| Zeroizing::new(key.to_owned()));
        Ok(Self { wire, settings: settings.clone(), authorization, key })
    }

    async fn send(&self, event: &Outgoing) -> Attempt {
        let Some(told) = Told::read(&event.json) else { return unsayable("the event is no object") };
        let request = match request(&told, &self.settings) {
            Ok(Some(request)) => request,
            Ok(None) => return unsaid(NAME, &event.kind),
            Err(said) => return unsayable(said),
        };
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, JSON)]);
        if request.key == Key::Header {
            headers.insert(header::AUTHORIZATION, self.authorization.clone());
        }
        let body = request.body.to_string().into();
        match self.wire.send(Method::POST, &self.address(&request), headers, body).await {
            Ok(answer) => judged(answer, NAME),
            Err(attempt) => attempt,
        }
    }

    fn address(&self, request: &Request) -> Url {
        let mut url = self.settings.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&request.path);
            if let (Key::Path, Some(key)) = (request.key, &self.key) {
                segments.push(key);
            }
        }
        url
    }
}

#[async_trait]
impl Sink for Engine {
    async fn deliver(&self, batch: &[Outgoing]) -> Vec<Attempt> {
        let mut attempts = Vec::with_capacity(batch.len());
        for event in batch {
            attempts.push(self.send(event).await);
        }
        attempts
    }
}
