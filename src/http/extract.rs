//! What a handler may ask of a request. Nothing here rejects: a bad request is a [`Problem`] that the handler receives,
//! so no later row is tried in its place.

use super::{
    Surface,
    problem::{FieldError, Kind, Problem},
};
use crate::{app::App, domain::TokenId};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use http::{HeaderMap, Method, header};
use std::{
    borrow::Cow,
    convert::Infallible,
    error::Error,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;
use warp::{Filter, path::FullPath};

/// Largest body of an API request.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The address at the other end of the connection, put into the request's extensions by whoever accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// A path segment, percent-decoded. It parses from anything, so that a segment which the handler dislikes is the
/// handler's 404 and not the fallback's 405.
#[derive(Debug)]
pub struct Segment(pub String);

impl FromStr for Segment {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()))
    }
}

impl Segment {
    /// The segment as an id or slug; what cannot be one names nothing.
    pub fn names<T: FromStr>(&self, what: &'static str) -> Result<T, Problem> {
        self.0.parse().map_err(|_| Problem::not_found(what))
    }
}

/// One request, its body not yet read.
pub struct Call {
    /// What all requests share.
    pub surface: Arc<Surface>,
    /// The method; `HEAD` on a row for `GET` is possible.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Who sent it.
    pub peer: IpAddr,
    /// The token that admitted it, where the row wants one.
    pub caller: Option<TokenId>,
    /// The body.
    pub body: Body,
    raw_query: String,
}

impl Call {
    /// The gateway.
    pub fn app(&self) -> &App {
        &self.surface.app
    }

    /// Whose share of the room for replies it takes: its token's.
    pub(super) fn reader(&self) -> Uuid {
        self.caller.map_or(Uuid::nil(), |token| token.0)
    }

    /// The query's parameters, of which only these are known. A parameter that we do not know is an error and not
    /// ignored: a misspelt filter would answer with everything.
    pub fn query(&self, known: &'static [&'static str]) -> Result<Query, Problem> {
        Query::parse(&self.raw_query, known)
    }

    /// Every parameter as sent.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        url::form_urlencoded::parse(self.raw_query.as_bytes())
    }

    /// The parameter as the receiver of hooks reads it: nothing there may fail.
    pub fn lenient_parameter(&self, name: &str) -> Option<String> {
        self.parameters().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The body of an API request, which must say that it is JSON: a form that a browser sends from another site is not.
    pub async fn json(&mut self) -> Result<Bytes, Problem> {
        let sent = self.header(header::CONTENT_TYPE).unwrap_or_default();
        let media_type = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(media_type.as_str(), "application/json" | "application/merge-patch+json") {
            return Err(Problem::because(Kind::UnsupportedMedia, "send Content-Type: application/json"));
        }
        std::mem::replace(&mut self.body, Body::empty()).read().await
    }

    /// A header's text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Every [`Call`] of the service.
pub fn call(surface: Arc<Surface>) -> impl Filter<Extract = (Call,), Error = Infallible> + Clone {
    let raw_query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let unread = warp::body::stream().map(Body::new);
    let already_read = warp::any().map(Body::empty);
    warp::method()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(raw_query)
        .and(unread.or(already_read).unify())
        .map(move |method, path: FullPath, headers, peer: Option<Peer>, raw_query, body| Call {
            surface: Arc::clone(&surface),
            method,
            path: path.as_str().to_owned(),
            headers,
            peer: peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0),
            caller: None,
            body,
            raw_query,
        })
}

/// A request body that nobody has read yet, so that a handler can refuse first. The mutex is never locked: it makes a
/// [`Call`] something that a handler may lend out across an await.
pub struct Body(Mutex<BoxStream<'static, Result<Bytes, warp::Error>>>);

impl Body {
    fn new<B: Buf>(stream: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> Self {
        Self(Mutex::new(stream.map_ok(|mut buf| buf.copy_to_bytes(buf.remaining())).boxed()))
    }

    fn empty() -> Self {
        Self(Mutex::new(futures_util::stream::empty().boxed()))
    }

    /// The next piece; `None` at the end, an error when the client hung up.
    pub async fn next(&mut self) -> Result<Option<Bytes>, warp::Error> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).try_next().await
    }

    /// Whether a body is none that HTTP knows, rather than one that did not come: its sender made it wrongly, and would again.
    pub fn is_malformed(error: &warp::Error) -> bool {
        let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
        causes.any(|cause| {
            let io = cause.downcast_ref::<io::Error>();
            io.is_some_and(|io| matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput))
        })
    }

    /// All of it, when it is not larger than [`BODY_BYTES_MAX`]. Counted while reading: `Content-Length` is only a claim.
    pub async fn read(mut self) -> Result<Bytes, Problem> {
        let mut bytes = BytesMut::new();
        let broken = |_| Problem::because(Kind::BadRequest, "the body ended before its end");
        while let Some(piece) = self.next().await.map_err(broken)? {
            if bytes.len() + piece.len() > BODY_BYTES_MAX {
                return Err(Problem::because(Kind::BodyTooLarge, format!("send at most {BODY_BYTES_MAX} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}

/// The parameters of a query, each at most once.
#[derive(Debug)]
pub struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    fn parse(raw: &str, known: &'static [&'static str]) -> Result<Self, Problem> {
        let mut query = Self { pairs: Vec::new(), errors: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
            if !known.contains(&&*name) {
                let name: String = name.chars().take(100).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                query.wrong(&name, format!("is not a parameter of this operation; it knows: {known}"));
            } else if query.pairs.iter().any(|(there, _)| *there == name) {
                query.wrong(&name, "may be given once");
            } else {
                query.pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        if known.is_empty() {
            query.finish()?;
            return Ok(Self { pairs: Vec::new(), errors: Vec::new() });
        }
        Ok(query)
    }

    /// Notes that a parameter is wrong.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::parameter(name, detail));
    }

    /// A parameter's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(there, _)| there == name).map(|(_, value)| &**value)
    }

    /// A parameter that parses; `expected` says what to give.
    pub fn parsed<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let parsed = self.text(name)?.parse();
        parsed.map_err(|_| self.wrong(name, format!("must be {expected}"))).ok()
    }

    /// A whole number within bounds.
    pub fn number(&mut self, name: &str, bounds: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(text) = self.text(name) else { return default };
        // `u64::from_str` takes a leading plus sign, which the document does not.
        let number = text.parse().ok().filter(|number| bounds.contains(number) && !text.starts_with('+'));
        number.unwrap_or_else(|| {
            self.wrong(name, format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
            default
        })
    }

    /// Everything that is wrong, or nothing.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::listing(Kind::InvalidParameter, self.errors)) }
    }
}
