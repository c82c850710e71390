//! The simulated Azure DevOps over a real socket: whether it is as its contract says the real one is.

mod bad_days;
mod changes;
mod credentials;
mod hooks;
mod leftovers;
mod levers;
mod merges;
mod offers;
mod paging;
mod past;
mod renderings;
mod shapes;
mod tls;
mod versions;

use crate::azure::Azure;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{
    clock::ManualClock,
    simulator::{Options, tokens},
};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use std::sync::Arc;

/// A day like any other.
pub(crate) const MORNING: &str = "2026-11-04T08:00:00Z";
/// The project whose name is not ASCII and has a space, as it stands in a path.
pub(crate) const CAFE: &str = "Fiber%20Caf%C3%A9";

/// Somebody who asks.
pub(crate) struct Asker {
    pub(crate) azure: Azure,
    pub(crate) clock: Arc<ManualClock>,
    client: reqwest::Client,
    token: Option<String>,
}

/// What they got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `typeKey` of an error.
    pub(crate) fn kind(&self) -> String {
        self.json()["typeKey"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

impl Asker {
    /// Somebody with full access, in the cloud.
    pub(crate) async fn new() -> Self {
        Self::at(Options::services("fabrikam")).await
    }

    pub(crate) async fn at(options: Options) -> Self {
        let clock = Arc::new(ManualClock::new(MORNING.parse().unwrap()));
        let azure = Azure::start(options, Arc::clone(&clock) as Arc<_>).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { azure, clock, client, token: Some(tokens::FULL.to_owned()) }
    }

    /// The same with another token, or with none.
    pub(crate) fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = match path.strip_prefix('/') {
            Some(_) => format!("{}{path}", self.origin()),
            None => format!("{}/{path}", self.azure.url()),
        };
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => {
                request.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!(":{token}"))))
            }
            None => request,
        }
    }

    pub(crate) fn origin(&self) -> String {
        let url = self.azure.url();
        let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
        url[..end].to_owned()
    }

    /// A path without a slash in front is below the organization.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Got {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> reqwest::Result<Got> {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Got { status, headers, text: response.text().await? })
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Got {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// A GET that must succeed, with version 7.1.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let mark = if path.contains('?') { '&' } else { '?' };
        let got = self.get(&format!("{path}{mark}api-version=7.1")).await;
        assert_eq!(got.status, 200, "{got:?}");
        got.json()
    }
}
