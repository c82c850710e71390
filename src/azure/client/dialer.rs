//! The engine behind [`Dial`].

use super::{Access, AzureDevOps, Dial, Failure, accounts::Accounts, client::Client};
use crate::clock::Clock;
use std::sync::Arc;

/// Makes clients over real sockets.
///
/// Waits between calls are on the clock it is given; the limits of a call that is on its way are in real time, because
/// sockets are.
pub struct Dialer {
    clock: Arc<dyn Clock>,
    accounts: Arc<Accounts>,
}

impl Dialer {
    /// With no client made yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { accounts: Arc::new(Accounts::new(Arc::clone(&clock))), clock }
    }
}

impl Dial for Dialer {
    fn dial(&self, access: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        Ok(Arc::new(Client::new(access, &self.clock, &self.accounts)?))
    }
}
