//! The engine behind [`Dial`].

use super::{Access, AzureDevOps, Dial, Failure, Machine, accounts::Accounts, engine::Client};
use crate::clock::Clock;
use std::sync::Arc;

/// Makes clients over real sockets.
///
/// Waits between calls are on the clock it is given; the limits of a call that is on its way are in real time, because
/// sockets are.
pub struct Dialer {
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
    machine: Machine,
}

impl Dialer {
    /// With no client made yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { accounts: Arc::new(Accounts::new(Arc::clone(&clock), None)), clock, machine: Machine::default() }
    }

    /// With no client made yet; what reads in bulk waits once its identity made so many calls in 5 minutes.
    pub fn pacing(clock: Arc<dyn Clock>, bulk_calls_max: u32) -> Self {
        let accounts = Arc::new(Accounts::new(Arc::clone(&clock), Some(bulk_calls_max)));
        Self { accounts, clock, machine: Machine::default() }
    }

    /// On a machine that has an identity of its own.
    #[must_use]
    pub fn on(self, machine: Machine) -> Self {
        Self { machine, ..self }
    }
}

impl Dial for Dialer {
    fn dial(&self, access: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        Ok(Arc::new(Client::new(access, &self.clock, &self.accounts, &self.machine)?))
    }
}
