//! Events that have no better word: agent queues, pools, service connections, security alerts, team rooms, manual
//! interventions, and whatever Azure invents next.

use super::{binding::About, frame::Frame};
use crate::event::Event;

/// Any of them.
pub(super) fn received(frame: &Frame<'_>) -> Vec<Event> {
    let about = About::project(frame);
    frame.received(&about, None)
}
