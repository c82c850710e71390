//! What the ledger says of a binding.

use super::{
    entry::{Entry, Hour},
    newest, open,
};
use crate::{
    app::App,
    azure::client::Window,
    domain::{Binding, Gap, Stream, hour_after, hour_of},
    store::Error,
};

/// What was found of a stream.
#[derive(Debug, Clone)]
pub struct StreamHours {
    /// Which.
    pub stream: Stream,
    /// What was found of each hour that was compared, oldest first.
    pub hours: Vec<Entry>,
}

/// How complete a binding is.
#[derive(Debug, Clone)]
pub struct Completeness {
    /// Which.
    pub binding: Binding,
    /// How far it is complete.
    pub reach: open::Reach,
    /// Each of its streams.
    pub streams: Vec<StreamHours>,
    /// The gaps in it.
    pub gaps: Vec<Gap>,
}

/// How complete a binding is, with the hours that touch `window`; `gaps` are all that are known.
///
/// # Errors
/// The store's.
pub async fn completeness(app: &App, binding: &Binding, window: Window, gaps: &[Gap]) -> Result<Completeness, Error> {
    let mut streams = Vec::new();
    for stream in open::streams(binding.selection.role()) {
        let (mut hour, mut hours) = (hour_of(window.from), Vec::new());
        while hour < window.to {
            let found = newest(app, Hour { binding: binding.id, stream: *stream, from: hour }).await?;
            hours.extend(found.map(|found| found.entry));
            hour = hour_after(hour);
        }
        streams.push(StreamHours { stream: *stream, hours });
    }
    let in_it = |gap: &&Gap| gap.bindings.contains(&binding.id) && gap.after < window.to && gap.before >= window.from;
    Ok(Completeness {
        binding: binding.clone(),
        reach: open::reach(app, binding, gaps),
        streams,
        gaps: gaps.iter().filter(in_it).cloned().collect(),
    })
}
