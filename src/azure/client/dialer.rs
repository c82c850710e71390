//! The engine behind [`Dial`].

use super::{Access, AzureDevOps, Dial, Failure, Unreachable};
use crate::clock::Clock;
use std::sync::Arc;

/// Makes clients over real sockets.
pub struct Dialer {
    clock: Arc<dyn Clock>,
}

impl Dialer {
    /// With no client made yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl Dial for Dialer {
    fn dial(&self, _: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        let detail = format!("nothing can be reached at {}", self.clock.now());
        Err(Failure::Unreachable { at: Unreachable::Connect, detail })
    }
}
