//! The client for Azure DevOps, over real sockets: against a server that says what a test tells it to, and against the
//! simulated Azure DevOps.

mod documented;
mod entra;
mod failures;
mod hosts;
mod network;
mod paging;
mod patience;
mod reading;
mod scripted;
mod simulated;
mod versions;

use async_trait::async_trait;
use hookwell::{
    azure::{
        CollectionUrl,
        client::{Access, AzureDevOps, Credential, Dial, Dialer, PageRequest},
    },
    clock::{Clock, ManualClock},
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// The token of every client here.
const PAT: &str = "planted-token-of-the-tests";

/// A clock on which a sleep is over at once: waits cost no time, but are counted.
struct Hasty(ManualClock);

impl Hasty {
    fn new() -> Arc<Self> {
        Arc::new(Self(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap())))
    }
}

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
        tokio::task::yield_now().await;
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

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
