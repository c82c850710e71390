//! The Sink seam: engines that hand events on to somewhere else. What is delivered when, in which order, and what is done
//! about a failure is decided above, in `dispatch`; an engine makes one attempt and says how it went.
//!
//! Not promised: that an event arrives once. An attempt whose answer was lost is made again, with the same id.
//! An engine that retries by itself was not taken: its retries would be in nobody's books.

mod attempt;
mod devlake;
mod file;
mod judged;
mod nats;
mod outgoing;
mod secrets;
mod sleuth;
mod stdout;
#[cfg(test)]
mod testing;
mod told;
mod webhook;
pub mod wire;

pub use self::{
    attempt::{ANSWER_BYTES_MAX, Attempt, Error, SAID_CHARS_MAX},
    outgoing::Outgoing,
    secrets::Secrets,
    webhook::{new_secret, secret_is_good},
};

use crate::{
    clock::Clock,
    domain::{self, Target},
};
use async_trait::async_trait;
use std::{path::PathBuf, sync::Arc};

/// One place where events go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Most events that one call of [`Self::deliver`] is given. 1 means that each event is a request of its own, and then
    /// several calls run at once, one per entity; with more, calls come one after the other.
    fn batch_events_max(&self) -> usize {
        1
    }

    /// One attempt for each event, in their order; answers one [`Attempt`] for each, in the same order. An event that comes
    /// after a failed one of the same entity must not be delivered: it fails too (most engines fail all of the rest).
    ///
    /// It is bounded in time by itself, and dropping the future gives the attempt up.
    async fn deliver(&self, batch: &[Outgoing]) -> Vec<Attempt>;

    /// Lets go of connections and files. Called once, when nothing is under way any more.
    async fn close(&self) {}
}

/// What engines are given besides their settings.
#[derive(Clone)]
pub struct Tools {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The only directory that files may be written to; without it there are no files.
    pub directory: Option<PathBuf>,
    /// Who we are for a sink that asks: the host of the public URL.
    pub origin: String,
    /// How long one request may take.
    pub timeouts: wire::Timeouts,
}

/// Why a sink cannot be opened: its settings. Never says a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// The engine of a sink.
///
/// # Errors
/// What is wrong with its settings or secrets.
pub fn open(sink: &domain::Sink, secrets: &Secrets, tools: &Tools) -> Result<Arc<dyn Sink>, Unusable> {
    match &sink.target {
        Target::Webhook(settings) => Ok(Arc::new(webhook::Engine::new(sink, settings, secrets, tools)?)),
        Target::Sleuth(settings) => Ok(Arc::new(sleuth::Engine::new(sink, settings, secrets, tools)?)),
        Target::DevLake(settings) => Ok(Arc::new(devlake::Engine::new(sink, settings, secrets, tools)?)),
        Target::Nats(settings) => Ok(Arc::new(nats::Engine::new(sink, settings, secrets, tools)?)),
        Target::File(settings) => Ok(Arc::new(file::Files::open(settings, tools)?)),
        Target::Stdout => Ok(Arc::new(stdout::Stdout::open(Arc::clone(&tools.clock))?)),
    }
}
