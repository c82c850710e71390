//! The engine behind [`Dial`]: clients over real sockets.

use super::{
    Access, AzureDevOps, Credential, Dial, Failure,
    budget::{Budgets, Owner},
    calls::Client,
    place,
    session::Session,
    wire::Wire,
};
use crate::clock::Clock;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Makes clients, and knows the budgets of the identities that they have.
pub struct Dialer {
    clock: Arc<dyn Clock>,
    budgets: Arc<Budgets>,
}

impl Dialer {
    /// With no client made yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, budgets: Arc::default() }
    }
}

impl Dial for Dialer {
    fn dial(&self, access: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        let (wire, base) = (Wire::new(access)?, place::base(&access.url)?);
        let budget = self.budgets.of(owner(access), None);
        let session = Session::new(
            base,
            access.credential.clone(),
            wire,
            budget,
            Arc::clone(&self.budgets),
            Arc::clone(&self.clock),
        );
        Ok(Arc::new(Client::new(Arc::new(session))))
    }
}

/// Whose budget it is before Azure has said who we are. A digest, so that no map holds a credential.
fn owner(access: &Access) -> Owner {
    let mut digest = Sha256::new();
    digest.update(access.url.as_str().as_bytes());
    match &access.credential {
        None => digest.update([0]),
        Some(Credential::Pat(token)) => {
            digest.update([1]);
            digest.update(token.as_bytes());
        }
        Some(Credential::ServicePrincipal { tenant, client_id, .. }) => {
            digest.update([2]);
            digest.update(tenant.as_bytes());
            digest.update([0]);
            digest.update(client_id.as_bytes());
        }
    }
    Owner::Credential(digest.finalize().into())
}
