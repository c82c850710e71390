//! Between the answers and the wire.

use super::{Answer, Body, Request, answer, stamp};
use crate::simulator::Simulator;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{convert::Infallible, io};
use warp::{Filter, Reply as _, path::FullPath, reply::Response};

/// Largest body that is read.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The simulated Azure DevOps as what a server calls.
pub fn tower_service<B>(
    simulator: Simulator,
) -> impl tower::Service<http::Request<B>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    B: hyper::body::Body<Data: Send, Error: Into<tower::BoxError>> + Send + Sync + 'static,
{
    let raw_query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let body = warp::body::stream().then(read).or(warp::any().map(|| Some(Bytes::new()))).unify();
    let filter =
        warp::method().and(warp::path::full()).and(raw_query).and(warp::header::headers_cloned()).and(body).then(
            move |method: Method, path: FullPath, raw_query: String, headers: HeaderMap, body: Option<Bytes>| {
                let simulator = simulator.clone();
                async move {
                    let answer = match body {
                        Some(body) => {
                            let path = path.as_str().to_owned();
                            answer(&simulator, Request { method, path, raw_query, headers, body }).await
                        }
                        None => Answer::empty(StatusCode::PAYLOAD_TOO_LARGE),
                    };
                    let mut response = response(answer);
                    stamp(&simulator, response.headers_mut());
                    response
                }
            },
        );
    warp::service(filter)
}

/// `None` is too much, or cut.
async fn read(body: impl Stream<Item = Result<impl Buf, warp::Error>>) -> Option<Bytes> {
    let (mut body, mut whole) = (std::pin::pin!(body), BytesMut::new());
    while let Some(part) = body.next().await {
        let mut part = part.ok()?;
        if whole.len() + part.remaining() > BODY_BYTES_MAX {
            return None;
        }
        while part.has_remaining() {
            let head = part.chunk().len();
            whole.extend_from_slice(part.chunk());
            part.advance(head);
        }
    }
    Some(whole.freeze())
}

/// Writes the JSON, once, and gives the size of the body.
pub(super) fn prepare(answer: &mut Answer, version: Option<&str>) -> usize {
    if let Body::Json(value) = &answer.body {
        let written = serde_json::to_vec(value).expect("a JSON value is always written");
        let content_type = match version {
            Some(version) => format!("application/json; charset=utf-8; api-version={version}"),
            None => "application/json; charset=utf-8".to_owned(),
        };
        if let Ok(value) = HeaderValue::from_str(&content_type) {
            answer.headers.push((header::CONTENT_TYPE, value));
        }
        answer.body = Body::Raw(written.into());
    }
    if let Body::Raw(bytes) = &answer.body { bytes.len() } else { 0 }
}

fn response(mut answer: Answer) -> Response {
    prepare(&mut answer, None);
    let mut response = if let Body::Raw(bytes) = answer.body {
        Response::new(bytes.into())
    } else {
        // A body that fails ends the connection.
        let cut = stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
        warp::reply::stream(cut).into_response()
    };
    *response.status_mut() = answer.status;
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    response
}
