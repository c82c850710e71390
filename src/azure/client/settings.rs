//! What an access says, made into an HTTP client and headers; what cannot be used is said before anything is sent.

use super::{Access, Failure, Unreachable, descriptors, redaction::Redaction, tls::use_ring};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Certificate, ClientBuilder, Proxy, redirect};
use std::{error::Error as _, time::Duration};
use url::Url;
use zeroize::Zeroizing;

use super::access::Credential;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than what servers and firewalls keep idle connections, so that few calls meet a dead one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// As many as the budget lets run at a time.
const IDLE_CONNECTIONS_MAX: usize = 4;
const USER_AGENT: &str = concat!("hookwell/", env!("CARGO_PKG_VERSION"));

/// Headers that make the message or the connection what it is: a given one would break it, or do nothing.
const STRUCTURAL: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::ACCEPT,
    header::PROXY_AUTHORIZATION,
];

fn unusable(what: &str, why: &str) -> Failure {
    Failure::Settings(format!("{what} {why}"))
}

/// The client: no redirects, no proxy but the one given, no header of its own that is secret.
pub(super) fn http_client(access: &Access, base: &Url) -> Result<reqwest::Client, Failure> {
    use_ring();
    let mut builder = ClientBuilder::new()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
    if let Some(proxy) = &access.proxy {
        builder = builder.proxy(self::proxy(proxy)?);
    }
    if let Some(bundle) = &access.ca_bundle {
        builder = builder.tls_certs_merge(certificates(bundle)?);
    } else if base.scheme() == "http" && access.proxy.is_none() && !is_principal(access) {
        // Nothing here speaks TLS: a machine without any roots can still reach a server without it.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| {
        if descriptors::used_up(error.source()) {
            let detail = descriptors::USED_UP.to_owned();
            return Failure::Unreachable { at: Unreachable::Descriptors, detail };
        }
        let bundle = access.ca_bundle.is_some();
        let what = if bundle { "the CA bundle" } else { "the system's list of certificate authorities" };
        unusable(what, "cannot be used")
    })
}

fn is_principal(access: &Access) -> bool {
    !matches!(access.credential, None | Some(Credential::Pat(_)))
}

fn certificates(bundle: &str) -> Result<Vec<Certificate>, Failure> {
    let wrong = || unusable("the CA bundle", "is not a list of certificates in PEM");
    let certificates = Certificate::from_pem_bundle(bundle.as_bytes()).map_err(|_| wrong())?;
    if certificates.is_empty() { Err(wrong()) } else { Ok(certificates) }
}

fn proxy(text: &str) -> Result<Proxy, Failure> {
    let wrong = || unusable("the proxy", "is not a URL like http://proxy.example:3128");
    let url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong());
    }
    Proxy::all(url).map_err(|_| wrong())
}

/// The extra headers, marked as secret.
pub(super) fn headers(access: &Access) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let what = format!("the header {name:?}");
        let name: HeaderName = name.parse().map_err(|_| unusable(&what, "has no name that can be sent"))?;
        if STRUCTURAL.contains(&name) || name == header::AUTHORIZATION && access.credential.is_some() {
            return Err(unusable(&what, "is one that we set ourselves"));
        }
        headers.append(name, secret(value).map_err(|()| unusable(&what, "has a value that cannot be sent"))?);
    }
    Ok(headers)
}

/// `Basic`, with the token as password and no user name, as Azure wants it.
pub(super) fn basic(token: &str) -> Result<HeaderValue, Failure> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable("the token", "has characters that no token has"));
    }
    let pair = Zeroizing::new(format!(":{token}"));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    secret(&text).map_err(|()| unusable("the token", "cannot be sent"))
}

/// A header value that nobody logs.
pub(super) fn secret(text: &str) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::from_str(text).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Everything secret of an access, in each form that is sent.
pub(super) fn redaction(access: &Access) -> Redaction {
    let mut redaction = Redaction::default();
    match &access.credential {
        Some(Credential::Pat(token)) => {
            redaction.add(token);
            redaction.add(&STANDARD.encode(format!(":{}", token.as_str())));
        }
        Some(Credential::ServicePrincipal { proof, .. }) => redaction.add(proof.secret()),
        Some(Credential::ManagedIdentity { .. }) | None => {}
    }
    for (_, value) in &access.headers {
        redaction.add(value);
    }
    if let Some(proxy) = &access.proxy {
        redaction.add(proxy);
        let password = Url::parse(proxy).ok().and_then(|url| url.password().map(str::to_owned));
        redaction.add(&password.unwrap_or_default());
    }
    redaction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::CollectionUrl;

    fn access() -> Access {
        let url = CollectionUrl::parse("https://tfs.example/Coll").unwrap();
        Access { url, credential: None, headers: Vec::new(), ca_bundle: None, proxy: None }
    }

    fn secret_text(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[test]
    fn what_cannot_be_used_names_the_field_and_not_the_value() {
        let header = |name: &str, value: &str| {
            let headers = vec![(name.to_owned(), secret_text(value))];
            headers_of(Access { headers, credential: Some(Credential::Pat(secret_text("pat"))), ..access() })
        };
        for (name, value) in
            [("a b", "planted"), ("X-A", "planted\r\nX-B: 1"), ("Host", "planted"), ("authorization", "planted")]
        {
            let said = header(name, value).unwrap_err().to_string();
            assert!(said.starts_with("the header ") && said.contains(name) && !said.contains("planted"), "{said}");
        }
        assert!(header("CF-Access-Client-Id", "planted").unwrap()["cf-access-client-id"].is_sensitive());
        for proxy in ["planted", "socks5://planted", "http://", "proxy.example:planted"] {
            let access = Access { proxy: Some(secret_text(proxy)), ..access() };
            let said = client(&access).unwrap_err();
            assert!(said.starts_with("the proxy ") && !said.contains("planted"), "{said}");
        }
        for bundle in ["", "planted", "-----BEGIN CERTIFICATE-----\nplanted!\n-----END CERTIFICATE-----\n"] {
            let said = client(&Access { ca_bundle: Some(bundle.to_owned()), ..access() }).unwrap_err();
            assert!(said.starts_with("the CA bundle ") && !said.contains("planted"), "{said}");
        }
        assert!(basic("pat with blanks").unwrap_err().to_string().starts_with("the token "));
    }

    fn headers_of(access: Access) -> Result<HeaderMap, Failure> {
        headers(&access)
    }

    fn client(access: &Access) -> Result<(), String> {
        let base = Url::parse(access.url.as_str()).unwrap();
        http_client(access, &base).map(|_| ()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_token_is_the_password_of_nobody() {
        let value = basic("abc").unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value.to_str().unwrap(), "Basic OmFiYw==");
    }
}
