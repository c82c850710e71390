//! Requests that no row may see, because their form leaves in doubt what they mean.
//!
//! hyper has parsed them and takes them; a proxy in front may read them otherwise than we do. `Transfer-Encoding` beside
//! `Content-Length` is not among them: hyper removes the length before anybody can see it, reads the body as chunked and
//! closes the connection after it, which RFC 9112, 6.1 allows.

use super::{
    REQUEST_ID_NAME, Surface, finish,
    problem::{Kind, Problem},
};
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header, uri::Authority};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;
use warp::{Reply as _, reply::Response};

/// The service within, for requests that are fit for it.
#[derive(Clone)]
pub(super) struct Fit<S> {
    pub(super) surface: Arc<Surface>,
    pub(super) inner: S,
}

impl<S, B> Service<Request<B>> for Fit<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match unfit(request.method(), request.uri(), request.version(), request.headers()) {
            None => Either::Left(self.inner.call(request)),
            Some(problem) => {
                let sent_id = request.headers().get(REQUEST_ID_NAME);
                Either::Right(ready(Ok(finish(&self.surface, request.method(), sent_id, problem.into_response()))))
            }
        }
    }
}

/// Why a request is answered without a look at its path.
fn unfit(method: &Method, uri: &Uri, version: Version, headers: &HeaderMap) -> Option<Problem> {
    if method == Method::CONNECT {
        // RFC 9110, 10.2.1: an empty list says that there is no method for such a target.
        return Some(Problem::method_not_allowed(""));
    }
    // Authority-form, which is CONNECT's alone (RFC 9112, 3.2.3): warp would panic over it.
    if uri.path_and_query().is_none() {
        return Some(malformed("the request target has no path"));
    }
    if version > Version::HTTP_11 {
        let hosts = headers.get_all(header::HOST).iter().count();
        return (hosts > 1).then(|| malformed("there is more than one Host"));
    }
    transfer_coding(headers).or_else(|| host(version, headers))
}

/// RFC 9112, 6.1: a coding that is not understood is 501. `chunked` alone is; once more, or not at the end, hyper refuses
/// or we do.
fn transfer_coding(headers: &HeaderMap) -> Option<Problem> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let first = codings.next()?;
    if codings.next().is_none() && first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return None;
    }
    let refusal = Problem::because(Kind::NotImplemented, "the only Transfer-Encoding that is read is chunked");
    Some(refusal.with(header::CONNECTION, HeaderValue::from_static("close")))
}

/// RFC 9112, 3.2: HTTP/1.1 has exactly one, which names a host or is empty.
fn host(version: Version, headers: &HeaderMap) -> Option<Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => None,
        (None, _) => Some(malformed("there is no Host")),
        (Some(_), Some(_)) => Some(malformed("there is more than one Host")),
        (Some(host), None) => {
            let named = host.is_empty()
                || Authority::try_from(host.as_bytes()).is_ok_and(|authority| !authority.as_str().contains('@'));
            (!named).then(|| malformed("Host names no host"))
        }
    }
}

fn malformed(detail: &'static str) -> Problem {
    Problem::because(Kind::BadRequest, detail).with(header::CONNECTION, HeaderValue::from_static("close"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, uri: &str, version: Version, headers: &[(&'static str, &str)]) -> Option<u16> {
        let pair = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let headers: HeaderMap = headers.iter().map(pair).fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        });
        let problem = unfit(&method, &uri.parse().unwrap(), version, &headers)?;
        Some(problem.into_reply("id").status().as_u16())
    }

    #[test]
    fn what_is_in_doubt_is_refused_and_nothing_else() {
        let (one, host) = (Version::HTTP_11, ("host", "gateway.example:8080"));
        let te = |coding| ("transfer-encoding", coding);
        for (expected, method, uri, version, headers) in [
            (None, Method::GET, "/", one, vec![host]),
            (None, Method::GET, "http://gateway.example", one, vec![host]),
            (None, Method::OPTIONS, "*", one, vec![host]),
            (None, Method::GET, "/", one, vec![("host", "")]),
            (None, Method::GET, "/", one, vec![("host", "[::1]:80")]),
            (None, Method::GET, "/", Version::HTTP_10, vec![]),
            (None, Method::GET, "/", Version::HTTP_2, vec![]),
            (None, Method::POST, "/", one, vec![host, te("Chunked")]),
            (Some(405), Method::CONNECT, "a:80", one, vec![("host", "a:80")]),
            (Some(405), Method::CONNECT, "/", Version::HTTP_2, vec![]),
            (Some(400), Method::GET, "a:80", one, vec![host]),
            (Some(400), Method::GET, "/", one, vec![]),
            (Some(400), Method::GET, "/", one, vec![host, host]),
            (Some(400), Method::GET, "/", Version::HTTP_10, vec![host, host]),
            (Some(400), Method::GET, "/", Version::HTTP_2, vec![host, host]),
            (Some(400), Method::GET, "/", one, vec![("host", "a b")]),
            (Some(400), Method::GET, "/", one, vec![("host", "user@a")]),
            (Some(501), Method::POST, "/", one, vec![host, te("gzip, chunked")]),
            (Some(501), Method::POST, "/", one, vec![host, te("gzip"), te("chunked")]),
            (Some(501), Method::POST, "/", one, vec![host, te("chunked, chunked")]),
            (Some(501), Method::POST, "/", one, vec![host, te("identity")]),
        ] {
            assert_eq!(status(method.clone(), uri, version, &headers), expected, "{method} {uri} {headers:?}");
        }
    }
}
