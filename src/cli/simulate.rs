//! `hookwell simulate`: an Azure DevOps to try the gateway with, on this machine.

use super::{Failure, print, stop_signal};
use crate::{
    clock::{Clock, ManualClock, SystemClock},
    config::{self, Listen},
    metrics::Doors,
    serve::{self, Certificates},
    simulator::{self, Edition, ServerVersion, Simulator, tokens},
};
use clap::Args;
use std::{fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// Where it listens, unless it is told otherwise: beside a gateway at its own default.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);
/// Between two changes of a busy organization.
const BUSY_PERIOD: Duration = Duration::from_secs(5);

/// Which Azure DevOps is simulated. `--listen` (default 127.0.0.1:9090), `--tls-cert` and `--tls-key` are those of `serve`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A Server instead of Services
    #[arg(long)]
    server: bool,
    /// Which Server: 2019, 2020, 2022, 2022.1 or newer
    #[arg(long, default_value = "2022.1", requires = "server")]
    version: String,
    /// The Server's virtual directory, like tfs
    #[arg(long, requires = "server")]
    virtual_directory: Option<String>,
    /// The organization, or the Server's collection [default: fabrikam, or `DefaultCollection`]
    #[arg(long)]
    name: Option<String>,
    /// Another seed gives other ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many days ago it was founded: into that time a past can be written
    #[arg(long, default_value_t = 0, value_name = "DAYS")]
    age_days: u16,
    /// A header that each request must have, as 'Name: value'; without it a page is answered, as by a proxy in front
    #[arg(long = "require-header", value_name = "HEADER")]
    required_headers: Vec<String>,
    /// Time stands still until `POST /_simulator/clock` moves it
    #[arg(long)]
    manual_clock: bool,
    /// Somebody works there: something changes every few seconds
    #[arg(long)]
    busy: bool,
}

pub(super) async fn run(arguments: Arguments, options: &config::Options) -> Result<(), Failure> {
    let stop = stop_signal().map_err(Failure::new)?;
    let listen = Listen { address: options.listen.unwrap_or(ADDRESS), ..options.listen().map_err(Failure::new)? };
    let certificates = listen.tls.clone().map(|(cert, key)| Certificates::load(cert, key)).transpose();
    let certificates = certificates.map_err(Failure::new)?.map(Arc::new);
    let listener = TcpListener::bind(listen.address).await;
    let listener = listener.map_err(|reason| Failure::new(format!("cannot listen on {}: {reason}", listen.address)))?;
    let address = listener.local_addr().map_err(Failure::new)?;

    let simulator = simulator(&arguments)?;
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    simulator.moved_to(&format!("{scheme}://{address}"));
    simulator.trace(|line| drop(print(&format!("{line}\n"))));
    print(&welcome(&simulator, arguments.manual_clock, &format!("{scheme}://{address}")))?;

    let busy = arguments.busy.then(|| tokio::spawn(work(simulator.clone())));
    let reloading = certificates.clone().map(|certificates| tokio::spawn(certificates.watch()));
    let service = simulator::tower_service(simulator);
    serve::serve(service, listener, &listen, certificates, Doors::default(), stop).await;
    for task in [busy, reloading].into_iter().flatten() {
        task.abort();
    }
    Ok(())
}

fn simulator(arguments: &Arguments) -> Result<Simulator, Failure> {
    let edition = if arguments.server {
        let version = ServerVersion::read(&arguments.version);
        Edition::Server(version.ok_or_else(|| Failure::input("--version is 2019, 2020, 2022, 2022.1 or newer"))?)
    } else {
        Edition::Services
    };
    let header = |text: &String| {
        let (name, value) = text.split_once(':').ok_or_else(|| Failure::input("--require-header is 'Name: value'"))?;
        Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    let default = if arguments.server { "DefaultCollection" } else { "fabrikam" };
    let options = simulator::Options {
        edition,
        name: arguments.name.clone().unwrap_or_else(|| default.to_owned()),
        virtual_directory: arguments.virtual_directory.clone(),
        seed: arguments.seed,
        age_days: arguments.age_days,
        required_headers: arguments.required_headers.iter().map(header).collect::<Result<_, Failure>>()?,
    };
    let system = SystemClock::default();
    if !arguments.manual_clock {
        return Ok(Simulator::new(options, Arc::new(system)));
    }
    let clock = Arc::new(ManualClock::new(system.now()));
    let simulator = Simulator::new(options, Arc::clone(&clock) as Arc<dyn Clock>);
    simulator.wind(clock);
    Ok(simulator)
}

/// What a person needs to begin.
fn welcome(simulator: &Simulator, manual_clock: bool, origin: &str) -> String {
    let mut text = format!(
        "A simulated Azure DevOps. Connect to it with\n\n  URL   {}\n  PAT   {}\n\n\
         Or as a service principal: tenant {}, client id {},\n  secret {}, authority {origin}\n\n\
         Make something happen with\n\n",
        simulator.url(),
        tokens::FULL,
        tokens::TENANT,
        tokens::CLIENT_ID,
        tokens::CLIENT_SECRET,
    );
    text.push_str(&levers(manual_clock));
    text.push_str("\nWhat it is asked, and what it delivers:\n\n");
    text
}

/// The routes that make something happen, one a line.
pub(super) fn levers(manual_clock: bool) -> String {
    let mut text = String::new();
    for (route, about) in simulator::ADMIN_ROUTES {
        if manual_clock || !route.contains("/clock") {
            let _ = writeln!(text, "  {route:<50} {about}");
        }
    }
    text
}

async fn work(simulator: Simulator) {
    for change in 1_u32.. {
        if let Err(error) = simulator.do_something(change) {
            tracing::warn!(%error, "the busy day takes a break");
        }
        tokio::time::sleep(BUSY_PERIOD).await;
    }
}
