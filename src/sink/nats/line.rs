//! The connection to the servers: made when it is needed, to checked addresses only, and made anew rather than mended.
//!
//! Without TLS the address that was checked is the one that is connected to. With TLS the name is, because the
//! certificate must be for it: an address that the name got in between has no such certificate, and nothing is said to it
//! before it has shown one. Servers that the cluster tells of are not used: nobody named them here.

use crate::{
    domain::{self, Nats, secret},
    sink::{
        Error, Secrets, Unusable,
        wire::{Timeouts, not_public},
    },
};
use async_nats::{ConnectErrorKind, ConnectOptions, ServerAddr, connection::State, jetstream::Context};
use rustls::{
    ClientConfig,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

/// Most servers of one sink.
const SERVERS_MAX: usize = 16;
const PORT: u16 = 4222;

/// How we prove ourselves.
enum Proof {
    Nothing,
    Token(Zeroizing<String>),
    Password(String, Zeroizing<String>),
}

/// The way to a cluster.
pub(super) struct Line {
    servers: Vec<Url>,
    proof: Proof,
    tls: ClientConfig,
    allow_private: bool,
    timeouts: Timeouts,
    /// Held while connecting, which is bounded in time: whoever waits for it needs the very connection that is made.
    stream: Mutex<Option<Context>>,
}

impl Line {
    pub(super) fn new(
        sink: &domain::Sink,
        settings: &Nats,
        secrets: &Secrets,
        timeouts: Timeouts,
    ) -> Result<Self, Unusable> {
        let unusable = |said: &str| Err(Unusable(said.to_owned()));
        if settings.servers.is_empty() || settings.servers.len() > SERVERS_MAX {
            return unusable("between 1 and 16 servers can be named");
        }
        for server in &settings.servers {
            match server.scheme() {
                "tls" => {}
                "nats" if sink.allow_http => {}
                "nats" => return unusable("the server has no tls; an admin can allow nats:// for this sink"),
                _ => return unusable("a server is tls://host:port or nats://host:port"),
            }
            if server.host_str().is_none_or(str::is_empty)
                || !server.username().is_empty()
                || server.password().is_some()
            {
                return unusable("a server has a host and no password in its URL");
            }
        }
        let copied = |name| secrets.text(name).map(|secret| Zeroizing::new(secret.to_owned()));
        let proof = match (&settings.user, copied(secret::PASSWORD), copied(secret::TOKEN)) {
            (Some(user), Some(password), None) => Proof::Password(user.clone(), password),
            (None, None, Some(token)) => Proof::Token(token),
            (None, None, None) => Proof::Nothing,
            _ => return unusable("NATS takes a user with a password, or a token"),
        };
        Ok(Self {
            servers: settings.servers.clone(),
            proof,
            tls: tls(settings.ca_bundle.as_deref())?,
            allow_private: sink.allow_private,
            timeouts,
            stream: Mutex::new(None),
        })
    }

    /// A connection that was well when it was last looked at.
    pub(super) async fn stream(&self) -> Result<Context, Error> {
        let mut stream = self.stream.lock().await;
        if let Some(stream) = stream.as_ref().filter(|it| it.client().connection_state() == State::Connected) {
            return Ok(stream.clone());
        }
        let made = self.connect().await?;
        Ok(stream.insert(made).clone())
    }

    /// Lets go of a connection that has failed: the next one begins with the addresses.
    pub(super) async fn doubt(&self) {
        *self.stream.lock().await = None;
    }

    async fn connect(&self) -> Result<Context, Error> {
        let mut servers = Vec::with_capacity(self.servers.len());
        let mut refused = None;
        for server in &self.servers {
            match self.checked(server).await {
                Ok(address) => servers.push(address),
                Err(error) => refused = Some(error),
            }
        }
        if servers.is_empty() {
            return Err(refused.expect("a line has a server, and each is an address or a refusal"));
        }
        let options = ConnectOptions::new()
            .name("hookwell")
            .connection_timeout(self.timeouts.connect)
            .tls_client_config(self.tls.clone())
            .ignore_discovered_servers()
            .max_reconnects(servers.len());
        let options = match &self.proof {
            Proof::Nothing => options,
            Proof::Token(token) => options.token(token.to_string()),
            Proof::Password(user, password) => options.user_and_password(user.clone(), password.to_string()),
        };
        let client = options.connect(servers).await.map_err(|error| Error::transient(self.words(error.kind())))?;
        let mut stream = async_nats::jetstream::new(client);
        stream.set_timeout(self.timeouts.first_byte);
        Ok(stream)
    }

    fn words(&self, kind: ConnectErrorKind) -> &'static str {
        match kind {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => match self.proof {
                Proof::Nothing => "the server wants to know who we are; give the sink a user with password, or a token",
                Proof::Token(_) => "the server does not accept the sink's token",
                Proof::Password(..) => "the server does not accept the sink's user and password",
            },
            ConnectErrorKind::TimedOut => "the server did not answer in time",
            ConnectErrorKind::Tls => "the server's certificate is not accepted",
            ConnectErrorKind::Dns => "the server's name is not known to the name servers",
            _ => "the server cannot be reached",
        }
    }

    /// Where to connect to, once all addresses of the name have been looked at.
    async fn checked(&self, server: &Url) -> Result<ServerAddr, Error> {
        let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let unknown = |_| Error::transient("the server's name is not known to the name servers");
        let looked_up = tokio::net::lookup_host((host, server.port().unwrap_or(PORT))).await.map_err(unknown)?;
        let addresses: Vec<SocketAddr> = looked_up.collect();
        let private = addresses.iter().find_map(|address| not_public(address.ip()));
        if let Some(what) = private.filter(|_| !self.allow_private) {
            return Err(Error::transient(format!(
                "{host} is {what}; an admin can allow private addresses for this sink"
            )));
        }
        let first = addresses.first().ok_or_else(|| Error::transient("the server's name has no address"))?;
        let place = if server.scheme() == "tls" { server.to_string() } else { format!("nats://{first}") };
        place.parse().map_err(|_| Error::transient("the server's address cannot be used"))
    }
}

/// The same judge of certificates as the other sinks have.
fn tls(ca_bundle: Option<&str>) -> Result<ClientConfig, Unusable> {
    let unusable = || Unusable("the CA bundle cannot be used".to_owned());
    let bundle = CertificateDer::pem_slice_iter(ca_bundle.unwrap_or_default().as_bytes());
    let roots: Vec<_> = bundle.collect::<Result<_, _>>().map_err(|_| unusable())?;
    if ca_bundle.is_some() && roots.is_empty() {
        return Err(unusable());
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|_| unusable())?;
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|_| Unusable("this build has no TLS".to_owned()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}
