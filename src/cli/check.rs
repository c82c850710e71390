//! `hookwell check`: what the container's HEALTHCHECK and an operator call.
//!
//! A gateway that runs holds the data directory's lock, so then its `/readyz` is asked; otherwise the data directory
//! and the keys are read here, the journal from end to end. Nothing is created or changed.

use super::{Failure, print};
use crate::{
    azure::client::why_unreachable,
    clock::{Clock as _, SystemClock},
    config::{Environment, Listen, Options},
    gateway::{self, GatewayError},
    store::OpenError,
};
use std::{io::Write as _, net::IpAddr, time::Duration};

/// How often it says how far the reading is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(2);

/// How long the running gateway may take to answer.
const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// Most of its answer that is read, in bytes, and shown.
const ANSWER_BYTES_MAX: usize = 500;

pub(super) async fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    options.settings().map_err(Failure::new)?;
    let listen = options.listen().map_err(Failure::new)?;
    match gateway::check(options, environment, progress()).await {
        Ok(wrong) if wrong.is_empty() => {
            print("settings, data directory and keys are in order; no gateway is running on them\n")
        }
        Ok(wrong) => {
            print(&(wrong.join("\n") + "\n"))?;
            Err(Failure::new("a gateway would start, and something is wrong with what it starts on: see above"))
        }
        Err(GatewayError::Open(OpenError::Locked { .. })) => running(&listen).await,
        Err(error) => Err(Failure::new(error)),
    }
}

/// Says now and then how far the reading is, on standard error; never for what is read at once.
fn progress() -> impl FnMut(u64, u64) + Send + 'static {
    let clock = SystemClock::default();
    let mut said = clock.monotonic();
    move |done, total| {
        let now = clock.monotonic();
        if now >= said + PROGRESS_PERIOD {
            said = now;
            let _ = writeln!(std::io::stderr(), "{} of {} MiB of the journal are read", done >> 20, total >> 20);
        }
    }
}

async fn running(listen: &Listen) -> Result<(), Failure> {
    let mut address = listen.address;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}/readyz");
    let failed = |reason: String| Failure::new(format!("the gateway at {url} is not ready: {reason}"));
    let unheard = |why: &str| {
        Failure::new(format!(
            "a gateway is running on the data directory, and none answers at {url} ({why}): give --listen as it has it; if \
             it is only starting, or another `hookwell check` is reading, try again"
        ))
    };
    // We ask ourselves by address, whatever name the certificate has: there is nobody in between.
    let client = crate::gateway::loopback_client(READY_TIMEOUT).map_err(|e| failed(e.to_string()))?;
    let mut response = client.get(&url).send().await.map_err(|e| unheard(&why_unreachable(&e, false).1))?;
    if response.status().is_success() {
        return print("the gateway is running and ready\n");
    }
    let mut answer = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await
        && answer.len() < ANSWER_BYTES_MAX
    {
        answer.extend_from_slice(&piece);
    }
    answer.truncate(ANSWER_BYTES_MAX);
    Err(failed(String::from_utf8_lossy(&answer).into_owned()))
}
