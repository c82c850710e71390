//! One call: what is asked, and how much of it is borne.

use super::{Failure, odd::Odd, target};
use bytes::Bytes;
use http::Method;
use std::{sync::Arc, time::Duration};
use url::Url;
use zeroize::Zeroizing;

/// How long one attempt may take, answer included.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The listing of a big organization's subscriptions takes more than a minute.
const LISTING_TIMEOUT: Duration = Duration::from_mins(2);
/// How long all attempts together may take.
const ATTEMPTS_TIMEOUT: Duration = Duration::from_mins(1);
const LISTING_ATTEMPTS_TIMEOUT: Duration = Duration::from_mins(3);
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Listings of 13 MB are known.
const LISTING_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Limits of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) attempt: Duration,
    pub(super) attempts: Duration,
    pub(super) body_bytes: usize,
}

/// What is asked.
#[derive(Clone)]
pub(super) struct Call {
    /// What is called, for people and to remember what of it is in preview.
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
    /// The media type of the body.
    pub(super) media_type: &'static str,
    /// Whether the resource is in preview on every server.
    pub(super) preview: bool,
    /// Whether it may be sent again when nobody knows whether it arrived.
    pub(super) repeatable: bool,
    /// Whether it needs no right but a valid credential: then a refusal is one of the credential.
    pub(super) proves: bool,
    pub(super) bounds: Bounds,
    /// What is secret in the body.
    pub(super) secret: Option<Zeroizing<String>>,
}

impl Call {
    /// `GET {root}/{segments}`.
    ///
    /// # Errors
    /// [`Failure::NotFound`] for a name that none can have.
    pub(super) fn get(name: &'static str, root: &Url, segments: &[&str]) -> Result<Self, Failure> {
        let unknown = || Failure::NotFound { detail: Some("nothing has an empty name, or one of dots".to_owned()) };
        let url = target::below(root, segments).ok_or_else(unknown)?;
        let bounds = Bounds { attempt: TIMEOUT, attempts: ATTEMPTS_TIMEOUT, body_bytes: BODY_BYTES_MAX };
        let method = Method::GET;
        Ok(Self {
            name,
            method,
            url,
            body: None,
            media_type: "application/json",
            preview: false,
            repeatable: true,
            proves: false,
            bounds,
            secret: None,
        })
    }

    /// With this parameter.
    pub(super) fn with(mut self, parameter: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(parameter, value);
        self
    }

    /// With this in its body, not to be seen in what is said about it.
    pub(super) fn hiding(mut self, secret: &str) -> Self {
        self.secret = Some(Zeroizing::new(secret.to_owned()));
        self
    }

    /// With bounds for a big listing.
    pub(super) fn big(mut self) -> Self {
        self.bounds =
            Bounds { attempt: LISTING_TIMEOUT, attempts: LISTING_ATTEMPTS_TIMEOUT, body_bytes: LISTING_BODY_BYTES_MAX };
        self
    }
}

/// A good answer.
pub(super) struct Reply {
    /// Where what cannot be read is noted.
    pub(super) odd: Arc<Odd>,
    pub(super) body: Vec<u8>,
    /// `x-ms-continuationtoken`.
    pub(super) continuation: Option<String>,
    pub(super) activity_id: Option<String>,
}

impl Reply {
    /// The body was not as documented.
    pub(super) fn unexpected(&self, name: &str, detail: &str) -> Failure {
        Failure::Unexpected { detail: format!("{name}: {detail}"), activity_id: self.activity_id.clone() }
    }
}
