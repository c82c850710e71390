//! The answers of a bad day.

use super::{Answer, Refusal};
use crate::simulator::{
    faults::{Failing, RateLimit, Throttle},
    instance::Instance,
};
use http::StatusCode;
use serde_json::json;
use std::time::Duration;

/// What a request that is meant to fail gets; `None` lets it pass. Throttling is not among it: see [`throttled`].
pub(super) async fn answer(failing: Failing) -> Option<Answer> {
    let json = |status, kind, message: &str| Some(Answer::from(Refusal::new(status, kind, message)));
    match failing {
        Failing::Unavailable => {
            let message = "TF24668: The following team project collection is stopped: fabrikam. Start the collection \
                           and then try again.";
            let body = format!(
                "\u{feff}{}",
                json!({"$id": "1", "innerException": null, "message": message,
                "typeName": "Microsoft.TeamFoundation.Framework.Server.HostShutdownException, Microsoft.TeamFoundation.Framework.Server",
                "typeKey": "HostShutdownException", "errorCode": 0, "eventId": 3000})
            );
            let answer = Answer::text(StatusCode::SERVICE_UNAVAILABLE, "application/json; charset=utf-8", body);
            Some(answer.with("x-tfs-serviceerror", "TF24668"))
        }
        Failing::BadGateway => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body>The gateway could not reach the server.</body></html>";
            Some(Answer::html(StatusCode::BAD_GATEWAY, page))
        }
        Failing::Internal => {
            json(StatusCode::INTERNAL_SERVER_ERROR, "InternalErrorException", "An internal error has occurred.")
        }
        Failing::Forbidden => json(StatusCode::FORBIDDEN, "AccessCheckException", "VS403403: Access is denied."),
        Failing::NotFound => json(StatusCode::NOT_FOUND, "VssServiceResponseException", "Page not found."),
        Failing::Html => Some(Answer::html(StatusCode::OK, "<!DOCTYPE html><html><body>Hello.</body></html>")),
        Failing::Broken => {
            Some(Answer::text(StatusCode::OK, "application/json; charset=utf-8", "{\"count\":2,\"value\":[{\"id\":"))
        }
        Failing::OtherShape => Some(Answer::json(json!({"count": "many", "value": {"surprise": true}}))),
        Failing::Slow { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            None
        }
        // The one has headers for whatever answer there is, the other comes after it.
        Failing::Throttled(_) | Failing::CutAfter => None,
    }
}

/// Headers about the limit, and the answer where the request goes no further.
pub(super) async fn throttled(
    instance: &Instance,
    throttle: Throttle,
    limit: Option<(RateLimit, f64)>,
) -> (Vec<(&'static str, String)>, Option<Answer>) {
    let mut headers = limit.map(|(limit, used)| about(instance, limit, used)).unwrap_or_default();
    match throttle {
        Throttle::Delay { seconds, milliseconds } => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            headers.push(("retry-after", seconds.to_string()));
            headers.push(("x-ratelimit-delay", format!("{seconds}.000")));
            (headers, None)
        }
        Throttle::Block { retry_after_seconds } => {
            let message = "TF400733: The request has been canceled: Request was blocked due to exceeding usage of \
                           resource <Concurrency> in namespace <User>.";
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "RequestBlockedException", message);
            headers.extend(retry_after_seconds.map(|seconds| ("retry-after", seconds.to_string())));
            (headers, Some(refusal.into()))
        }
        Throttle::Cut => (headers, Some(Answer::cut())),
    }
}

/// What the headers say of a limit that is near.
pub(super) fn about(instance: &Instance, limit: RateLimit, used: f64) -> Vec<(&'static str, String)> {
    let reset = instance.now().as_second() + 300;
    vec![
        ("x-ratelimit-resource", "Services/usersimulated".to_owned()),
        ("x-ratelimit-limit", format!("{:.0}", limit.tstu)),
        ("x-ratelimit-remaining", format!("{:.0}", (limit.tstu - used).max(0.0))),
        ("x-ratelimit-reset", reset.to_string()),
    ]
}
