//! The command line: one word a command, every setting a flag. Standard output is what was asked for; the rest is log.

mod audit;
mod backfill;
mod check;
mod deployments;
mod doctor;
mod remote;
mod replay;
mod simulate;
mod survey;
mod translate;

use crate::{
    config::{Environment, Options},
    demo,
    gateway::Gateway,
    http, telemetry,
};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::{io::Write as _, path::PathBuf, process::ExitCode};

/// A self-hosted gateway that turns Azure DevOps service hooks into standard events, exactly once.
#[derive(Debug, Parser)]
#[command(name = "hookwell", version)]
struct Cli {
    /// Settings file [default: ./hookwell.toml if it exists]
    #[arg(long, env = "HOOKWELL_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve,
    /// Show a busy day: a gateway in a temporary directory, and an Azure DevOps that talks to it
    Demo {
        /// Stop after the day instead of staying up
        #[arg(long)]
        once: bool,
    },
    /// Run a simulated Azure DevOps to try the gateway with; it says what to connect to
    #[command(after_help = format!("It listens on 127.0.0.1:9090 unless --listen says otherwise. Make something happen there, without credentials:\n{}", simulate::levers(true)))]
    Simulate(simulate::Arguments),
    /// Translate one notification from standard input into events on standard output, one a line
    Translate {
        /// The organization or collection that events name as their source
        #[arg(long, default_value = "https://dev.azure.com/example")]
        source: String,
        /// The notificationType that the hook's subscription is filtered on
        #[arg(long)]
        reason: Option<String>,
    },
    /// Print the OpenAPI document
    Openapi,
    /// Check settings, data directory and keys; of a running gateway, whether it is ready
    Check,
    /// Whether anything is missing: how complete a running gateway's events are, hour by hour, and whether its ledger is as
    /// it was written; exit code 0 when all is complete and intact, 1 when not, 2 for bad input
    Audit(audit::Arguments),
    /// Fill a binding with what happened before it was there, or in a stretch of time; without --from and --to one that was
    /// cancelled or failed goes on where it was
    Backfill(backfill::Arguments),
    /// Deployments that a running gateway is told of from a file
    Deployments(deployments::Arguments),
    /// Find out what is wrong between Azure DevOps and a running gateway, and the one thing to do
    ///
    /// Walks from the public URL over Azure DevOps to the events, and has a test notification sent. Exit code 0: nothing is
    /// wrong, though there may be warnings; 1: something is; 2: it was called wrongly.
    Doctor(doctor::Arguments),
    /// Translate again what a running gateway received in a stretch of time, with today's mapping, settings and bindings;
    /// what says the same is left alone, what says something else is appended and names the event that it replaces
    Replay(replay::Arguments),
    /// Find out what an organization does where nobody who builds this has one to ask; for who has one
    ///
    /// Asks the connection of a running gateway, prints for each question what the service did, and writes a report that names
    /// nobody: shapes, statuses and counts. It reads; only with --scratch-project it makes hooks, a branch, a pull request and
    /// work items there, and removes them again. Exit code 0: it is through; 1: it is not; 2: it was called wrongly.
    Survey(survey::Arguments),
}

/// Commands that need no settings.
const WITHOUT_SETTINGS: [&str; 3] = ["demo", "translate", "openapi"];

/// What a command failed with.
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(message: impl ToString) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    /// Bad input rather than a bad day: scripts branch on it.
    fn input(message: impl ToString) -> Self {
        Self { code: 2, message: message.to_string() }
    }
}

/// Runs the process: parses, does, and answers its exit code. The last word of a failure is one line.
pub fn run() -> ExitCode {
    let command = command();
    let matches = command.clone().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match start(cli, &command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "hookwell: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// The command line. Of those that need no settings the help does not show them; they are taken, as everywhere.
fn command() -> clap::Command {
    let command = Cli::command();
    let settings = command.get_arguments().filter(|argument| argument.is_global_set());
    let hidden: Vec<_> = settings.map(|argument| argument.clone().hide(true)).collect();
    WITHOUT_SETTINGS.into_iter().fold(command, |command, name| command.mut_subcommand(name, |it| it.args(&hidden)))
}

fn start(cli: Cli, command: &clap::Command) -> Result<(), Failure> {
    // What needs neither settings nor a data directory works also where they are wrong.
    match &cli.command {
        Command::Translate { source, reason } => return translate::run(source, reason.as_deref()),
        Command::Openapi => return print(&http::openapi_json()),
        _ => {}
    }
    let environment = Environment::read(command).map_err(Failure::new)?;
    let options = cli.options.over_file(cli.config.as_deref()).map_err(Failure::new)?;
    telemetry::start(options.log.as_deref().unwrap_or("info"), options.log_format.unwrap_or_default())
        .map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve => serve(&options, &environment).await,
            Command::Demo { once } => demo::run(once).await.map_err(Failure::new),
            Command::Simulate(arguments) => simulate::run(arguments, &options).await,
            Command::Check => check::run(&options, &environment).await,
            Command::Audit(arguments) => audit::run(&arguments, &options, &environment).await,
            Command::Backfill(arguments) => backfill::run(&arguments, &options, &environment).await,
            Command::Deployments(arguments) => deployments::run(&arguments, &options, &environment).await,
            Command::Doctor(arguments) => doctor::run(&arguments, &options, &environment).await,
            Command::Replay(arguments) => replay::run(&arguments, &options, &environment).await,
            Command::Survey(arguments) => survey::run(&arguments, &options, &environment).await,
            Command::Translate { .. } | Command::Openapi => unreachable!("done above"),
        }
    })
}

async fn serve(options: &Options, environment: &Environment) -> Result<(), Failure> {
    // Before anything says that we run: whoever reads that may stop us at once.
    let stop = stop_signal().map_err(Failure::new)?;
    let gateway = Gateway::open(options, environment).await.map_err(Failure::new)?;
    let scheme = if options.tls_cert.is_some() { "https" } else { "http" };
    tracing::info!(address = %gateway.address, data_dir = %options.data_dir().display(), "listening; {scheme}://{}/docs", gateway.address);
    if let Some(token) = &gateway.new_token {
        // Once, on standard output and never in the log: a log is kept and shipped.
        print(&format!("Admin token, shown only this once: {}\n", **token))?;
    }
    gateway.run(stop).await.map_err(Failure::new)?;
    tracing::info!("stopped");
    Ok(())
}

/// Listens for SIGTERM and SIGINT from now on; ready at the first of them.
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// To standard output; a reader that has gone away is no failure of ours.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(error)),
        _ => Ok(()),
    }
}
