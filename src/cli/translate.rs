//! `hookwell translate`: the pure core as a tool.

use super::{Failure, print};
use crate::{
    azure::CollectionUrl,
    clock::{Clock as _, SystemClock},
    domain::{ConnectionId, NotificationId, UpdateReason},
    translate::{Context, Settings, translate},
};
use std::io::Read as _;
use uuid::Uuid;

/// Most bytes of a notification that are read.
const INPUT_BYTES_MAX: u64 = 64 << 20;

pub(super) fn run(source: &str, reason: Option<&str>) -> Result<(), Failure> {
    let source = CollectionUrl::parse(source).map_err(|error| Failure::input(format!("--source {error}")))?;
    let reason = match reason {
        None => None,
        Some(word) => Some(UpdateReason::from_word(word).ok_or_else(|| {
            Failure::input(
                "--reason must be PushNotification, ReviewersUpdateNotification, StatusUpdateNotification or \
                 ReviewerVoteNotification",
            )
        })?),
    };
    let mut body = Vec::new();
    let read = std::io::stdin().take(INPUT_BYTES_MAX + 1).read_to_end(&mut body).map_err(Failure::input)?;
    if read as u64 > INPUT_BYTES_MAX {
        return Err(Failure::input(format!("the input is larger than {INPUT_BYTES_MAX} bytes")));
    }
    let settings = Settings::default();
    let context = Context {
        connection: ConnectionId(Uuid::nil()),
        source: &source,
        notification: NotificationId(Uuid::nil()),
        received_at: SystemClock::default().now(),
        reason,
        recovered: None,
        bindings: &[],
        processes: &[],
        settings: &settings,
    };
    let events = translate(&body, &context).map_err(Failure::input)?;
    let mut lines = String::new();
    for event in events {
        lines.push_str(&String::from_utf8_lossy(&event.json));
        lines.push('\n');
    }
    print(&lines)
}
