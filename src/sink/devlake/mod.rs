//! Apache DevLake: deployments, pull requests, issues and incidents, by its webhook plugin. Everything it takes is an
//! upsert by our ids, so what is delivered twice is there once.
//!
//! Source: backend/plugins/webhook of apache/incubator-devlake.

mod request;

use self::request::{ENVIRONMENTS, Request, request};
use super::{
    Attempt, Error, Outgoing, Secrets, Sink, Tools, Unusable,
    judged::{judged, unsaid, unsayable},
    told::Told,
    wire::{Settings, Wire},
};
use crate::domain::{self, DevLake, secret};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

const NAME: &str = "DevLake";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One connection of the webhook plugin.
pub(super) struct Engine {
    wire: Wire,
    settings: DevLake,
    authorization: HeaderValue,
}

impl Engine {
    /// Nothing is sent yet.
    pub(super) fn new(
        sink: &domain::Sink,
        settings: &DevLake,
        secrets: &Secrets,
        tools: &Tools,
    ) -> Result<Self, Unusable> {
        let unusable = |said: &str| Unusable(said.to_owned());
        let key = secrets.text(secret::API_KEY).ok_or_else(|| unusable("DevLake needs an API key"))?;
        let header = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {key}")));
        let mut authorization = header.map_err(|_| unusable("the key has characters that cannot be sent"))?;
        authorization.set_sensitive(true);
        if settings.url.cannot_be_a_base() {
            return Err(unusable("the URL has no path"));
        }
        if settings.environments.values().any(|known| !ENVIRONMENTS.contains(&known.as_str())) {
            return Err(Unusable(format!("the environments of DevLake are {}", ENVIRONMENTS.join(", "))));
        }
        let wire = Wire::new(
            &Settings {
                allow_private: sink.allow_private,
                allow_http: sink.allow_http,
                in_flight_max: sink.in_flight_max as usize,
                secrets: vec![key],
                timeouts: tools.timeouts,
                ..Settings::default()
            },
            Arc::clone(&tools.clock),
        )?;
        Ok(Self { wire, settings: settings.clone(), authorization })
    }

    async fn send(&self, event: &Outgoing) -> Attempt {
        let Some(told) = Told::read(&event.json) else { return unsayable("the event is no object") };
        let request = match request(&told, &self.settings) {
            Ok(Some(request)) => request,
            Ok(None) => return unsaid(NAME, &event.kind),
            Err(said) => return unsayable(said),
        };
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, JSON), (header::AUTHORIZATION, self.authorization.clone())]);
        let body = if request.body == Value::Null { Bytes::new() } else { request.body.to_string().into() };
        match self.wire.send(Method::POST, &self.address(&request), headers, body).await {
            Ok(answer) if answer.status == StatusCode::NOT_FOUND && request.body == Value::Null => {
                let said = "DevLake does not know the incident that is over".to_owned();
                answer.into_attempt_with(Err(Error::Permanent { said }))
            }
            Ok(answer) => judged(answer, NAME),
            Err(attempt) => attempt,
        }
    }

    /// The long form of the path: it alone is in the scope of a key that the plugin makes for its connection.
    fn address(&self, request: &Request) -> Url {
        let mut url = self.settings.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "rest", "plugins", "webhook", "connections"]);
            segments.push(&self.settings.connection.to_string()).extend(&request.path);
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
