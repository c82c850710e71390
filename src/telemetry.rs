//! Logging: to standard error, so that standard output stays the program's own.

use crate::{config::LogFormat, store::embedded};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Sets the process's logger; a second call changes nothing. Answers what is wrong with the filter, if it is.
///
/// # Errors
/// The filter's text cannot be read.
pub fn start(filter: &str, format: LogFormat) -> Result<(), String> {
    // h2 warns of each connection that is reset in its middle, which anybody may do as often as they like. What was asked
    // for comes later and so wins.
    let filter = EnvFilter::try_new(format!("h2=error,{filter}")).map_err(|e| format!("log: {e}"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    std::panic::set_hook(Box::new(report));
    Ok(())
}

/// Panics are lines of the log like all others. Those that the store's copy of the registry catches are said by whoever
/// caught them.
fn report(panic: &std::panic::PanicHookInfo<'_>) {
    if std::thread::current().name() == Some(embedded::STATE_THREAD) {
        return;
    }
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no text");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "a panic, which is a bug of hookwell: {text}");
}
