//! A running gateway, asked over its API: what the commands use that need one.

use super::Failure;
use crate::{
    config::{Environment, Options},
    gateway::loopback_client,
};
use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;
use std::{net::IpAddr, time::Duration};
use url::Url;
use zeroize::Zeroizing;

/// How long an answer may take; what takes longer is begun by one request and watched by others.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// Which gateway.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the running gateway is reached [default: where `serve` with the same settings listens]; its token is
    /// `HOOKWELL_TOKEN`, or `HOOKWELL_ADMIN_TOKEN`
    #[arg(long, env = "HOOKWELL_GATEWAY")]
    gateway: Option<Url>,
}

/// A gateway and a token for it.
pub(super) struct Remote {
    client: reqwest::Client,
    base: Url,
    token: Zeroizing<String>,
}

impl Remote {
    pub(super) fn new(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<Self, Failure> {
        let token = environment.token.clone().or_else(|| environment.admin_token.clone());
        let token = token.ok_or_else(|| Failure::input("set HOOKWELL_TOKEN to a token of the gateway"))?;
        // Only on this machine is a certificate that names something else beyond doubt.
        let (base, client) = match &arguments.gateway {
            Some(url) => {
                crate::azure::client::use_ring();
                (url.clone(), reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build())
            }
            None => (here(options)?, loopback_client(ANSWER_TIMEOUT)),
        };
        Ok(Self { client: client.map_err(Failure::new)?, base, token })
    }

    /// One request; its JSON, or its problem as a failure. `path` begins with a slash and may have a query.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, value) = self.send(method, path, body).await?;
        if status.is_success() { Ok(value) } else { Err(self.problem(path, status, &value)) }
    }

    /// One request; its status and its JSON.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let failed = |reason: String| Failure::new(format!("{} {path}: {reason}", self.base));
        let url = self.base.join(path).map_err(|error| failed(error.to_string()))?;
        let mut request = self.client.request(method, url).bearer_auth(self.token.as_str());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| failed(error.without_url().to_string()))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| failed(error.without_url().to_string()))?;
        Ok((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or_default() }))
    }

    /// What a reply says is wrong; it is the input where the request is.
    pub(super) fn problem(&self, path: &str, status: StatusCode, value: &Value) -> Failure {
        let said = |value: &Value, member: &str| value[member].as_str().map(str::to_owned);
        let wrong = |error: &Value| {
            let name = said(error, "parameter").or_else(|| said(error, "pointer")).unwrap_or_default();
            format!("{} {}", name.trim_start_matches('/'), said(error, "detail").unwrap_or_default())
        };
        let errors: Vec<String> = value["errors"].as_array().into_iter().flatten().map(wrong).collect();
        let message = if errors.is_empty() {
            said(value, "detail").or_else(|| said(value, "title")).unwrap_or_else(|| status.to_string())
        } else {
            errors.join("; ")
        };
        let message = format!("{} {path}: {message}", self.base);
        match status {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                Failure::input(message)
            }
            _ => Failure::new(message),
        }
    }
}

/// Where `serve` listens with these settings, from this machine.
fn here(options: &Options) -> Result<Url, Failure> {
    let listen = options.listen().map_err(Failure::new)?;
    let mut address = listen.address;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}").parse().map_err(Failure::new)
}
