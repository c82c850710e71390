//! The service hooks: so far they only remember what happened.

use super::{instance::Instance, instance::locked, occurrence::Occurrence, rest::Route};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};

/// What the hooks do wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Misbehaviour {}

/// Rows of the table of routes.
pub(super) const ROUTES: &[Route] = &[];

/// The hooks of one simulated Azure DevOps.
#[derive(Clone)]
pub(crate) struct Hooks {
    happened: Arc<Mutex<Vec<Occurrence>>>,
}

impl Hooks {
    pub(super) fn new(_: &Arc<Instance>) -> Self {
        Self { happened: Arc::default() }
    }

    /// Something happened; whoever subscribed to it is told.
    pub(super) fn occurred(&self, occurrence: Occurrence) {
        locked(&self.happened).push(occurrence);
    }
}
