//! The receiver of service hooks.
//!
//! Azure DevOps punishes almost every answer but 2xx, 408, 502, 503 and 504 by disabling the subscription in the end, so
//! an authentic sender hears 200 or 503 and nothing else, whatever it sends.

use super::{
    Surface,
    extract::{Body, Call, Segment},
    problem::{Kind, Problem},
    reply,
    room::Held,
};
use crate::{
    domain::UpdateReason,
    intake::{self, Authentic, Outcome, Received, Refused},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, header};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// The part of each body that has room of its own, so that the usual small ones never wait for the rare large ones.
const HEAD_ROOM_BYTES: usize = 64 << 10;
/// All such parts in memory at once.
pub(super) const HEADS_BYTES_MAX: usize = 64 << 20;
/// All the rest of bodies in memory at once.
pub(super) const BODIES_BYTES_MAX: usize = 128 << 20;
/// What is kept of a body over the limit, for the operator to see what it was.
const HEAD_BYTES: usize = 64 << 10;
/// How much of a body is read and thrown away before we stop listening to it.
const DRAINED_BYTES_MAX: u64 = 256 << 20;
/// When a sender should try again that found no room for its body.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How much of a nonce counts.
const NONCE_CHARS_MAX: usize = 64;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeView {
    /// New, and on its way to become events.
    Accepted,
    /// It was there before.
    Duplicate,
    /// The Test button's sample.
    Test,
    /// Kept for the operator to look at.
    Quarantined,
}

/// The receipt of a delivery: it is durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiptView {
    /// Its id in `/v1/notifications`; the same for a redelivery.
    pub notification: Uuid,
    /// What became of it.
    pub outcome: OutcomeView,
}

/// Receive a service hook.
///
/// The URL that a service-hook subscription of Azure DevOps is given. The Basic credentials are checked before the body
/// is read. Whatever an authentic sender delivers is answered 200 once it is durable, also when it cannot be understood:
/// then it is in quarantine (`/v1/notifications?state=quarantined`). 503 means that nothing could be stored and that
/// the same delivery should be sent again. Parameters other than `reason` are ignored, and nothing of a delivery has a
/// bound whose breach would be an error.
#[utoipa::path(post, path = "/hooks/azure-devops/{connection}", tag = "hooks", operation_id = "receive_hook",
    params(
        ("connection" = String, Path, description = "The connection's id; its `hook.url` holds it.", max_length = 200),
        ("reason" = Option<String>, Query, example = "PushNotification",
            description = "What a `git.pullrequest.updated` subscription is filtered on; the payload does not say. Unknown ones are ignored."),
        ("X-Hub-Signature-256" = Option<String>, Header,
            description = "`sha256=` and the hex of HMAC-SHA256 over the body, where the connection has a signature secret."),
    ),
    request_body(content = serde_json::Value, description = "The notification. Any body is taken.", content_type = "application/json"),
    responses((status = 200, description = "Durable.", body = ReceiptView)))]
pub async fn receive(connection: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut sender = intake::authenticate(call.app(), &connection.0, &call.headers).map_err(|_| refuse(&call))?;
    let reason = call.lenient_parameter("reason").and_then(|word| UpdateReason::from_word(&word));
    let Call { surface, headers, body, .. } = call;
    // Until the append has returned, the room stays taken: the journal's queue holds the body too.
    let (received, _room) = read(&surface, body, &mut sender).await?;
    let receipt = intake::accept(&surface.app, sender, &headers, reason, received).await?;
    let outcome = receipt.outcome.into();
    Ok(reply::json(&ReceiptView { notification: receipt.notification.0, outcome }))
}

/// Whose door this is.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoView {
    /// What only this gateway's key can say of the nonce and of the header `Authorization` that came with it.
    #[schema(min_length = 43, max_length = 43)]
    pub echo: String,
}

/// Say whose door this is.
///
/// For `hookwell doctor`, which asks it through the public URL: whether it is this gateway that answers there, and whether
/// the header `Authorization` arrives. It tells nothing to anybody who has not the gateway's key. Parameters other than
/// `nonce` are ignored.
#[utoipa::path(get, path = "/hooks/azure-devops/who", tag = "hooks", operation_id = "say_whose_door",
    params(("nonce" = Option<String>, Query, description = "Anything; its first 64 characters count.")),
    responses((status = 200, description = "This gateway's.", body = WhoView)))]
pub async fn who(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let nonce: String = call.lenient_parameter("nonce").unwrap_or_default().chars().take(NONCE_CHARS_MAX).collect();
    let authorization = call.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    Ok(reply::json(&WhoView { echo: call.app().hook_key.echo(&nonce, authorization) }))
}

impl From<Outcome> for OutcomeView {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Test => Self::Test,
            Outcome::Quarantined => Self::Quarantined,
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Signature => unauthenticated(),
            Refused::Unavailable { reason, retry_after } => {
                Self::unavailable("notifications cannot be stored now; send it again", retry_after).caused_by(reason)
            }
        }
    }
}

/// 401 and nothing else: an address that fails too often is asked to close and to wait, but a rate limit's status would
/// mean the same to Azure DevOps and would tell a guesser when to go on.
fn refuse(call: &Call) -> Problem {
    let (app, now) = (call.app(), call.app().clock.monotonic());
    app.metrics.notification("unauthorized");
    app.hook_strangers.failed(call.peer, now);
    let refusal = unauthenticated();
    match app.hook_strangers.wait(call.peer, now) {
        Some(wait) => refusal.retry_after(wait).with(header::CONNECTION, HeaderValue::from_static("close")),
        None => refusal,
    }
}

fn unauthenticated() -> Problem {
    let challenge = HeaderValue::from_static("Basic realm=\"hookwell\"");
    Problem::because(Kind::Unauthenticated, "the hook's user name, password or signature is wrong")
        .with(header::WWW_AUTHENTICATE, challenge)
}

fn no_room() -> Problem {
    Problem::unavailable("too many large notifications are being received; send it again", RETRY_AFTER)
}

/// Azure DevOps sends no chunks that are none, so that whoever does may hear it.
fn broken(error: &warp::Error) -> Problem {
    if Body::is_malformed(error) {
        return Problem::because(Kind::BadRequest, "the body's chunks are not as HTTP has them");
    }
    Problem::unavailable("the body ended before its end", RETRY_AFTER)
}

/// The body up to `bytes_max`; of a larger one the head, while the rest is read and thrown away, because a sender that
/// is cut off counts as failed and would be disabled.
async fn read(surface: &Surface, mut body: Body, sender: &mut Authentic) -> Result<(Received, [Held; 2]), Problem> {
    let bytes_max = surface.app.settings.body_bytes_max;
    let connection = sender.connection.0;
    let (mut kept, mut head, mut rest) =
        (Kept::default(), surface.heads.hold(connection), surface.bodies.hold(connection));
    let (mut size_bytes, mut truncated) = (0_u64, false);
    loop {
        let piece = body.next().await.map_err(|error| broken(&error))?;
        let Some(piece) = piece else { break };
        sender.reads(&piece);
        size_bytes += piece.len() as u64;
        if truncated {
            if size_bytes > DRAINED_BYTES_MAX {
                break;
            }
        } else if kept.len() + piece.len() > bytes_max {
            let missing = HEAD_BYTES.saturating_sub(kept.len()).min(piece.len());
            kept.extend(piece.slice(..missing));
            kept.cut(HEAD_BYTES);
            rest.let_go();
            truncated = true;
        } else {
            let size = kept.len() + piece.len();
            head.grow_to(size.min(HEAD_ROOM_BYTES)).map_err(|_| no_room())?;
            rest.grow_to(size.saturating_sub(HEAD_ROOM_BYTES)).map_err(|_| no_room())?;
            kept.extend(piece);
        }
    }
    let body = kept.freeze();
    Ok((Received { body, size_bytes, truncated }, [head, rest]))
}

/// What is kept of a body. Nearly every one comes in one piece, and that is taken as it is instead of copied.
#[derive(Default)]
struct Kept {
    first: Bytes,
    more: BytesMut,
}

impl Kept {
    fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }

    fn extend(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        if !self.first.is_empty() {
            self.more.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.more.extend_from_slice(&piece);
    }

    /// Copied: a mere cut would keep all of the memory.
    fn cut(&mut self, bytes_max: usize) {
        let whole = std::mem::take(self).freeze();
        self.first = Bytes::copy_from_slice(&whole[..bytes_max.min(whole.len())]);
    }

    fn freeze(self) -> Bytes {
        if self.more.is_empty() { self.first } else { self.more.freeze() }
    }
}
