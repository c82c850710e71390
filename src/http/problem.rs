//! RFC 9457 problem details: the one shape of every error reply, and the only place that maps errors to statuses.
//!
//! `type` is `urn:hookwell:problem:{word}`. Words are part of the contract and never change their meaning. A URN and not
//! an address: we have no address that answers for every gateway, and one that does not resolve would promise too much.
//!
//! What is internal (a store's reason, a damaged record) goes into the log together with the request's id, which the
//! client is shown too; the client gets neither source nor Debug text.

use crate::{
    app::{
        change::{Refusal, Wrong},
        discovery::Undiscovered,
    },
    azure::client::Failure,
    store,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::{borrow::Cow, time::Duration};
use utoipa::ToSchema;
use warp::{Reply, reply::Response};

/// Media type of every problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// How long to wait before the store is asked again.
const STORE_RETRY: Duration = Duration::from_secs(2);
/// The same for an Azure DevOps that cannot answer: its maintenance takes minutes, not seconds.
const AZURE_RETRY: Duration = Duration::from_mins(1);
/// Longest text about one problem.
const DETAIL_CHARS_MAX: usize = 2_000;

macro_rules! kinds {
    ($( $name:ident $status:ident $word:literal $title:literal; )+) => {
        /// The kinds of problem; the table is the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $(
            #[doc = $title]
            $name
        ),+ }

        impl Kind {
            /// All of them, in the table's order.
            pub const ALL: &[Self] = &[$( Self::$name ),+];

            /// The reply's status.
            pub fn status(self) -> StatusCode {
                match self { $( Self::$name => StatusCode::$status ),+ }
            }

            /// The `type` member.
            pub fn urn(self) -> &'static str {
                match self { $( Self::$name => concat!("urn:hookwell:problem:", $word) ),+ }
            }

            fn title(self) -> &'static str {
                match self { $( Self::$name => $title ),+ }
            }
        }
    };
}

#[rustfmt::skip]
kinds! {
    BadRequest           BAD_REQUEST            "bad-request"            "The request cannot be read";
    InvalidParameter     BAD_REQUEST            "invalid-parameter"      "A query parameter is wrong";
    InvalidCursor        BAD_REQUEST            "invalid-cursor"         "This is not a cursor of this log";
    Unauthenticated      UNAUTHORIZED           "unauthenticated"        "Credentials are missing or wrong";
    Forbidden            FORBIDDEN              "forbidden"              "The token's scope does not allow this";
    NotFound             NOT_FOUND              "not-found"              "There is no such thing";
    NoSuchRoute          NOT_FOUND              "no-such-route"          "There is no such path";
    MethodNotAllowed     METHOD_NOT_ALLOWED     "method-not-allowed"     "The path does not take this method";
    Conflict             CONFLICT               "conflict"               "This contradicts what is there";
    LimitReached         CONFLICT               "limit-reached"          "There are as many of these as there may be";
    ConfirmationRequired CONFLICT               "confirmation-required"  "The removal has to be confirmed";
    RequestInFlight      CONFLICT               "request-in-flight"      "A request with this Idempotency-Key is running";
    CursorExpired        GONE                   "cursor-expired"         "What followed this cursor is no longer kept";
    PreconditionFailed   PRECONDITION_FAILED    "precondition-failed"    "It was changed in the meantime";
    BodyTooLarge         PAYLOAD_TOO_LARGE      "body-too-large"         "The body is too large";
    UnsupportedMedia     UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body is of another media type";
    InvalidBody          UNPROCESSABLE_ENTITY   "invalid-body"           "Members of the body are wrong";
    KeyReused            UNPROCESSABLE_ENTITY   "idempotency-key-reused" "The Idempotency-Key belongs to another request";
    PreconditionRequired PRECONDITION_REQUIRED  "precondition-required"  "If-Match is required";
    TooManyFailures      TOO_MANY_REQUESTS      "too-many-failures"      "Too many wrong tokens from this address";
    AzureSettings        FAILED_DEPENDENCY      "azure-settings"         "A setting of the connection cannot be used";
    AzureUnauthorized    FAILED_DEPENDENCY      "azure-unauthorized"     "Azure DevOps does not accept the connection's credential";
    AzureForbidden       FAILED_DEPENDENCY      "azure-forbidden"        "Azure DevOps does not allow this to the connection";
    AzureNotFound        NOT_FOUND              "azure-not-found"        "Azure DevOps does not know this, or does not show it";
    AzureRefused         BAD_GATEWAY            "azure-refused"          "Azure DevOps refuses the request";
    AzureUnreachable     BAD_GATEWAY            "azure-unreachable"      "Azure DevOps cannot be reached";
    AzureUnexpected      BAD_GATEWAY            "azure-unexpected"       "The answer is not what Azure DevOps documents";
    AzureThrottled       SERVICE_UNAVAILABLE    "azure-throttled"        "Azure DevOps asks to wait";
    AzureUnavailable     SERVICE_UNAVAILABLE    "azure-unavailable"      "Azure DevOps cannot answer now";
    NotImplemented       NOT_IMPLEMENTED        "not-implemented"        "The gateway does not know how to read this";
    Internal             INTERNAL_SERVER_ERROR  "internal"               "Something is wrong with the gateway";
    Unavailable          SERVICE_UNAVAILABLE    "unavailable"            "The gateway cannot do this now";
}

/// How a problem is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logged<'a> {
    /// The client is at fault.
    Not,
    /// We are at fault, and each case is worth a line.
    Each,
    /// The cause passes, and until then it is the same for everybody: this text recognises it.
    NowAndThen(&'a str),
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Which member of the body, as a JSON Pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/url", max_length = 500)]
    pub pointer: Option<String>,
    /// Which query parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub parameter: Option<String>,
    /// What is wrong with it and what to give instead.
    #[schema(example = "names no organization; give https://dev.azure.com/your-organization", max_length = 2000)]
    pub detail: String,
}

impl FieldError {
    /// About a member of the body.
    pub fn member(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, detail: detail.into() }
    }

    /// About a query parameter or header.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.into()), detail: detail.into() }
    }
}

/// The body of every 4xx and 5xx reply (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body<'a> {
    /// What kind of problem: `urn:hookwell:problem:` and a word that never changes its meaning.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "urn:hookwell:problem:not-found", max_length = 100)]
    kind: &'a str,
    /// The same for every problem of this type.
    #[schema(max_length = 200)]
    title: &'a str,
    /// The reply's status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    detail: Option<&'a str>,
    /// The `X-Request-Id` of the reply: the gateway's log knows it.
    #[schema(max_length = 128)]
    request_id: &'a str,
    /// Everything that is wrong with the request, at once.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(max_items = 200)]
    errors: &'a [FieldError],
    /// With `cursor-expired`: the oldest cursor that still works.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    oldest: Option<&'a str>,
}

/// The schema's name in the document.
pub type ProblemBody = Body<'static>;

/// An error reply, made by the named constructors below. Boxed: it is the error type of every handler.
#[derive(Debug, Clone)]
pub struct Problem(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: Kind,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    oldest: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log, never for the client.
    cause: Option<String>,
}

impl Problem {
    /// Of a kind, without further words.
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(Details {
            kind,
            detail: None,
            errors: Vec::new(),
            oldest: None,
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// Of a kind, with what went wrong this time; never a secret.
    pub fn because(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut problem = Self::new(kind);
        problem.0.detail = Some(detail.into());
        problem
    }

    /// Of a kind, with everything that is wrong.
    pub fn listing(kind: Kind, errors: Vec<FieldError>) -> Self {
        let mut problem = Self::because(kind, "errors says what is wrong");
        problem.0.errors = errors;
        problem
    }

    /// There is no thing with this id.
    pub fn not_found(what: &'static str) -> Self {
        Self::because(Kind::NotFound, format!("there is no such {what}"))
    }

    /// The path takes other methods.
    ///
    /// # Panics
    /// Never for names of methods.
    pub fn method_not_allowed(allow: &str) -> Self {
        let allow = HeaderValue::from_str(allow).expect("names of methods and commas are a header value");
        Self::new(Kind::MethodNotAllowed).with(header::ALLOW, allow)
    }

    /// The cursor has missed what was trimmed.
    pub fn cursor_expired(oldest: String) -> Self {
        let mut problem = Self::because(
            Kind::CursorExpired,
            "events after this cursor have passed their retention; go on from the cursor in oldest, without after to say \
             the same, and take what is missing from Azure DevOps",
        );
        problem.0.oldest = Some(oldest);
        problem
    }

    /// The gateway cannot do it now; the client should try again.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self::because(Kind::Unavailable, detail).retry_after(retry_after)
    }

    /// Something is wrong with the gateway: `cause` is for the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::because(Kind::Internal, "the gateway's log says more under this request_id").caused_by(cause)
    }

    /// With its cause, for the log only.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// With `Retry-After`, in whole seconds, at least 1.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Whether it belongs into the log.
    pub(super) fn is_logged(&self) -> Logged<'_> {
        match self.0.kind {
            Kind::NotImplemented => Logged::Not,
            Kind::Unavailable => Logged::NowAndThen(self.0.detail.as_deref().unwrap_or_default()),
            kind if kind.status().is_server_error() => Logged::Each,
            _ => Logged::Not,
        }
    }

    /// Into the log, with how often the same was not said before.
    pub(super) fn log(&self, request_id: &str, unsaid: u64) {
        let Details { kind, detail, cause, .. } = &*self.0;
        let (status, kind, detail) = (kind.status().as_u16(), kind.urn(), detail.as_deref().unwrap_or_default());
        tracing::error!(request_id, status, kind, cause, detail, unsaid, "a request failed");
    }

    /// The whole reply.
    ///
    /// # Panics
    /// Never: a problem is plain data.
    pub fn into_reply(self, request_id: &str) -> Response {
        let Details { kind, detail, errors, oldest, headers, cause: _ } = *self.0;
        let status = kind.status();
        let body = Body {
            kind: kind.urn(),
            title: kind.title(),
            status: status.as_u16(),
            detail: detail.as_deref(),
            request_id,
            errors: &errors,
            oldest: oldest.as_deref(),
        };
        let body = serde_json::to_vec(&body).expect("a problem is plain data with string keys");
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response.headers_mut().extend(headers);
        response
    }
}

/// The reply is rendered at the end of the way, where the request's id is known: until then it travels as itself.
impl Reply for Problem {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Full => {
                Self::unavailable("the queue to the store is full; try again in a moment", STORE_RETRY)
            }
            store::Error::Unavailable { reason } => {
                Self::unavailable("the store cannot be used now; readyz says why", STORE_RETRY).caused_by(reason)
            }
            store::Error::Conflict => Self::new(Kind::PreconditionFailed),
            store::Error::Corrupt { .. } | store::Error::LeaseLost => Self::internal(error.to_string()),
            store::Error::TooLarge { .. } => {
                Self::because(Kind::BodyTooLarge, "the record would be larger than the store takes")
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(what) => Self::not_found(what),
            Refusal::Changed => Self::because(
                Kind::PreconditionFailed,
                "If-Match names another version than the one that is there; read it again and repeat the change",
            ),
            Refusal::Contradicts(detail) => Self::because(Kind::Conflict, detail),
            Refusal::Full { what, max } => {
                Self::because(Kind::LimitReached, format!("there may be at most {max} {what}; delete one first"))
            }
            Refusal::Unconfirmed(detail) => Self::because(Kind::ConfirmationRequired, detail),
            // The body is well formed: it is what is there that it does not fit.
            Refusal::Invalid(wrong) => Self::listing(
                Kind::Conflict,
                wrong.into_iter().map(|Wrong { pointer, detail }| FieldError::member(pointer, detail)).collect(),
            ),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl From<Undiscovered> for Problem {
    fn from(undiscovered: Undiscovered) -> Self {
        let (failure, advice) = match undiscovered {
            Undiscovered::Refused(refusal) => return refusal.into(),
            Undiscovered::Failed { failure, advice } => (failure, advice),
        };
        // What the connection's owner has to mend depends on the connection and is no fault on the way (424); what Azure or
        // the network does wrong is one (502); what passes is worth another try (503).
        let (kind, wait) = match failure {
            Failure::Settings(_) => (Kind::AzureSettings, None),
            Failure::Unauthorized { .. } => (Kind::AzureUnauthorized, None),
            Failure::Forbidden { .. } => (Kind::AzureForbidden, None),
            Failure::NotFound { .. } => (Kind::AzureNotFound, None),
            Failure::Refused { .. } => (Kind::AzureRefused, None),
            Failure::Unreachable { .. } => (Kind::AzureUnreachable, None),
            Failure::Unexpected { .. } => (Kind::AzureUnexpected, None),
            Failure::Throttled { wait } => (Kind::AzureThrottled, Some(wait)),
            Failure::Unavailable { .. } => (Kind::AzureUnavailable, Some(AZURE_RETRY)),
        };
        let detail: String = format!("{}. {}", advice.cause, advice.remedy).chars().take(DETAIL_CHARS_MAX).collect();
        let problem = Self::because(kind, detail.trim_end().to_owned());
        match wait {
            Some(wait) => problem.retry_after(wait),
            None => problem,
        }
    }
}
