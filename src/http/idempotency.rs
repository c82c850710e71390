//! `Idempotency-Key`: a POST that makes something is safe to repeat.

use super::{
    Surface,
    extract::Call,
    problem::{Kind, Problem},
    reply::{Tag, created},
};
use crate::{
    app::{
        App,
        idempotency::{Found, REPLIES_MAX, REPLIES_OF_TOKEN_MAX, Slot},
    },
    store::Change,
};
use http::HeaderName;
use serde::Serialize;
use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};
use warp::reply::Response;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key.
const KEY_CHARS_MAX: usize = 255;

/// A request that makes something: new, or a repeat.
pub enum Creation {
    /// Not seen before.
    New(Making),
    /// The reply to the first one.
    Again(Response),
}

/// A new creation under way; at most one per key.
pub struct Making {
    surface: Arc<Surface>,
    slot: Option<Slot>,
    location: String,
    body: Vec<u8>,
}

/// Looks the key up, and keeps it from being used twice at once.
pub fn begin(call: &Call, body: &[u8]) -> Result<Creation, Problem> {
    let surface = Arc::clone(&call.surface);
    let mut making = Making { surface, slot: None, location: String::new(), body: Vec::new() };
    let (Some(key), Some(caller)) = (key(call)?, call.caller) else { return Ok(Creation::New(making)) };
    let app = call.app();
    let slot = Slot::new(app, caller, &format!("{} {}", call.method, call.path), &key, body);
    if !call.surface.making.lock().unwrap_or_else(PoisonError::into_inner).insert(slot.id().to_owned()) {
        return Err(Problem::new(Kind::RequestInFlight).retry_after(Duration::from_secs(1)));
    }
    making.slot = Some(slot);
    match making.slot.as_ref().map_or(Found::Nothing, |slot| slot.find(app)) {
        Found::Nothing => match making.slot.as_ref().and_then(|slot| slot.wait(app)) {
            None => Ok(Creation::New(making)),
            Some(wait) => {
                let detail = format!(
                    "no more keys can be kept now: {REPLIES_OF_TOKEN_MAX} of one token and {REPLIES_MAX} in all are kept for \
                     24 hours each; wait, use another token, or leave the key out where twice does no harm"
                );
                Err(Problem::because(Kind::LimitReached, detail).retry_after(wait))
            }
        },
        Found::Other => {
            Err(Problem::because(Kind::KeyReused, "send a new key with a new request; a key is kept for 24 hours"))
        }
        Found::Reply(kept) => again(app, &kept).map(Creation::Again),
    }
}

/// The key, quoted as a structured field or bare.
fn key(call: &Call) -> Result<Option<String>, Problem> {
    let Some(value) = call.headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if !fits {
        let detail = format!("Idempotency-Key must be 1 to {KEY_CHARS_MAX} visible ASCII characters, such as a UUID");
        return Err(Problem::because(Kind::BadRequest, detail));
    }
    Ok(Some(key.to_owned()))
}

impl Making {
    /// Remembers the reply; answers the changes that keep it, for the commit that makes the thing.
    ///
    /// # Panics
    /// Never: a view is plain data.
    pub fn made(&mut self, location: String, view: &impl Serialize) -> Vec<Change> {
        self.location = location;
        self.body = serde_json::to_vec(view).expect("a view is plain data with string keys");
        let Some(slot) = &self.slot else { return Vec::new() };
        let kept = [self.location.as_bytes(), b"\n", &self.body].concat();
        slot.keep(&self.surface.app, &kept)
    }

    /// 201, with the `ETag` where the thing can be changed.
    pub fn reply(mut self, tag: Option<Tag>) -> Response {
        let body = std::mem::take(&mut self.body);
        created(&self.location, body, tag)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            self.surface.making.lock().unwrap_or_else(PoisonError::into_inner).remove(slot.id());
        }
    }
}

/// Without `ETag`: the thing may have changed since, and a version that does not belong to the body shown would let its
/// reader overwrite what they have not seen. What was removed since is not said to be there.
fn again(app: &App, kept: &[u8]) -> Result<Response, Problem> {
    let at = kept.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let location = String::from_utf8_lossy(&kept[..at]);
    if !is_there(app, &location) {
        return Err(Problem::because(
            Kind::Conflict,
            "what this Idempotency-Key made was removed since; send a new key",
        ));
    }
    Ok(created(&location, kept.get(at + 1..).unwrap_or_default().to_vec(), None))
}

fn is_there(app: &App, location: &str) -> bool {
    let directory = app.directory();
    let Some((list, id)) = location.rsplit_once('/') else { return false };
    match list {
        "/v1/connections" => id.parse().is_ok_and(|id| directory.connections.contains_key(&id)),
        "/v1/bindings" => id.parse().is_ok_and(|id| directory.bindings.contains_key(&id)),
        "/v1/sinks" => id.parse().is_ok_and(|id| directory.sinks.contains_key(&id)),
        "/v1/tokens" => id.parse().is_ok_and(|id| directory.tokens.contains_key(&id)),
        _ => false,
    }
}
