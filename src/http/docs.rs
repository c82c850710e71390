//! The document, and a page to read it that needs no other server.

use super::{
    extract::{Call, Segment},
    openapi::openapi_json,
    problem::Problem,
    reply::raw_json,
};
use bytes::Bytes;
use http::{HeaderValue, header};
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, LazyLock},
};
use utoipa_swagger_ui::Config;
use warp::{Reply as _, reply::Response};

/// The page itself.
const INDEX: &str = "index.html";
/// The page's own files, in the order that the page names them.
const FILES: [&str; 7] = [
    "swagger-ui.css",
    "index.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-32x32.png",
    "favicon-16x16.png",
];

/// The page asks nobody but us: the policy makes the browser hold it to that.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// Read the OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", operation_id = "openapi",
    responses((status = 200, description = "This document.", body = serde_json::Value)))]
pub async fn openapi(call: Result<Call, Problem>) -> Result<Response, Problem> {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi_json().into());
    call?.query(&[])?;
    Ok(raw_json(DOCUMENT.clone(), "application/json"))
}

/// Read the documentation.
///
/// A page for people; its files are under `/docs/` and come from this gateway alone.
#[utoipa::path(get, path = "/docs", tag = "operation", operation_id = "docs",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")))]
pub async fn page(call: Result<Call, Problem>) -> Result<Response, Problem> {
    call?.query(&[])?;
    file_named(INDEX)
}

/// Read a file of the documentation page.
#[utoipa::path(get, path = "/docs/{file}", tag = "operation", operation_id = "docs_file",
    params(("file" = String, Path, description = "The file's name.", max_length = 100, example = "swagger-ui.css")),
    responses((status = 200, description = "The file.", content(
        (String = "text/css"), (String = "text/javascript"), (String = "image/png")))))]
pub async fn file(file: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    call?.query(&[])?;
    if !FILES.contains(&file.0.as_str()) {
        return Err(Problem::not_found("file of the documentation page"));
    }
    file_named(&file.0)
}

fn file_named(name: &str) -> Result<Response, Problem> {
    static MADE: LazyLock<HashMap<&str, File>> =
        LazyLock::new(|| FILES.into_iter().chain([INDEX]).filter_map(|name| Some((name, made(name)?))).collect());
    let file = MADE.get(name).ok_or_else(|| Problem::internal("the documentation page lacks a file"))?;
    let mut response = raw_json(file.bytes.clone(), media_type(name));
    if file.is_gzipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response.into_response())
}

/// A file as everybody is sent it: anybody may ask for it, so it is in memory once and not once for each who asks.
struct File {
    bytes: Bytes,
    is_gzipped: bool,
}

fn made(name: &'static str) -> Option<File> {
    let config = Config::from("/openapi.json").validator_url("none").try_it_out_enabled(true);
    let file = utoipa_swagger_ui::serve(name, Arc::new(config)).ok()??;
    let bytes = match file.bytes {
        page if name == INDEX => relative_to_docs(&page).into(),
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Some(File { bytes, is_gzipped: file.gzpipped })
}

/// The page names its files relative to itself, which would be `/` for `/docs`.
fn relative_to_docs(page: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(page)
        .replace("\"./", "\"/docs/")
        .replace("\"index.css\"", "\"/docs/index.css\"")
        .into_bytes()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("png") => "image/png",
        _ => "text/html; charset=utf-8",
    }
}
