//! The client for Azure DevOps, over real sockets: against a server that says what a test tells it to, and against the
//! simulated Azure DevOps.

mod code;
mod documented;
mod entra;
mod failures;
mod hosts;
pub(crate) mod identity;
mod links;
mod network;
mod paging;
mod patience;
mod reading;
mod record_answers;
mod records;
pub(crate) mod scripted;
mod simulated;
mod versions;

use crate::harness::Hasty;
use hookwell::azure::{
    CollectionUrl,
    client::{Access, AzureDevOps, Credential, Dial, Dialer, PageRequest},
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The token of every client here.
const PAT: &str = "planted-token-of-the-tests";

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// How to reach a server with the token.
fn access(origin: &str) -> Access {
    Access {
        url: CollectionUrl::parse(&format!("{origin}/Coll")).unwrap(),
        credential: Some(Credential::Pat(secret(PAT))),
        headers: Vec::new(),
        ca_bundle: None,
        proxy: None,
    }
}

/// A client with a dialer and a clock of its own.
fn client(access: &Access) -> Arc<dyn AzureDevOps> {
    Dialer::new(Hasty::new()).dial(access).unwrap()
}

/// The first page, of so many items.
fn first(items_max: u32) -> PageRequest {
    PageRequest { items_max, from: None }
}
