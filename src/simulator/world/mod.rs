//! The model: what there is, and how it changes. No clock, no sockets.

use super::{occurrence::Occurrence, options::Options, people::Person};
use jiff::Timestamp;
use uuid::Uuid;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    /// When the change that is being made is made.
    pub(super) now: Timestamp,
    collection: Uuid,
    people: Vec<Person>,
    outbox: Vec<Occurrence>,
}

impl World {
    pub(super) fn new(options: &Options, now: Timestamp) -> Self {
        Self { now, collection: options.collection_id(), people: Vec::new(), outbox: Vec::new() }
    }

    /// What happened since this was last asked.
    pub(super) fn happened(&mut self) -> Vec<Occurrence> {
        std::mem::take(&mut self.outbox)
    }

    /// The person with this GUID.
    pub(crate) fn person(&self, id: Uuid) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }
}
