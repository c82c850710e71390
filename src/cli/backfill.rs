//! `hookwell backfill`: begins, watches and cancels a backfill of a running gateway.

use super::{
    Failure, print,
    remote::{self, Remote, text},
};
use crate::config::{Environment, Options};
use clap::Args;
use http::{Method, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use std::{fmt::Write as _, io::IsTerminal as _, time::Duration};

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_secs(1);
/// Steps of the bar: a tenth of a percent each.
const STEPS: u64 = 1_000;

/// Of which binding, and what.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The binding, by its id
    #[arg(long, value_name = "ID")]
    binding: String,
    /// From when on, like 2026-11-22T00:00:00Z [default: as far back as new bindings are filled]
    #[arg(long, value_name = "TIME", conflicts_with = "cancel")]
    from: Option<String>,
    /// Up to when [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "cancel")]
    to: Option<String>,
    /// Cancel the one that runs; what it made good stays
    #[arg(long)]
    cancel: bool,
    /// Stay until it ends and show how far it is; one that runs already is watched
    #[arg(long, conflicts_with = "cancel")]
    watch: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

pub(super) async fn run(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<(), Failure> {
    let remote = Remote::new(&arguments.remote, options, environment)?;
    let id: uuid::Uuid = arguments.binding.parse().map_err(|_| Failure::input("--binding must be a binding's id"))?;
    let path = format!("/v1/bindings/{id}/backfill");
    if arguments.cancel {
        remote.ask(Method::DELETE, &path, None).await?;
        return print("it does not run any more; begun again it goes on where it was\n");
    }
    let given = [("from", &arguments.from), ("to", &arguments.to)];
    let body: Map<String, Value> =
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))).collect();
    let names_nothing = body.is_empty();
    let (status, answer) = remote.send(Method::POST, &path, Some(&body.into())).await?;
    let runs_already = status == StatusCode::CONFLICT && names_nothing && arguments.watch;
    if !status.is_success() && !runs_already {
        return Err(remote.problem(&path, status, &answer));
    }
    if !arguments.watch {
        return print(&format!("{}\n", line(&answer)));
    }
    let ended = watch(&remote, &path).await?;
    print(&format!("{}\n", line(&ended)))?;
    match text(&ended, "state") {
        "done" => Ok(()),
        "failed" => Err(Failure::new(text(&ended, "reason"))),
        other => Err(Failure::new(format!("it is {other}"))),
    }
}

/// Shows how far it is until it ends: a bar on a terminal, else a line whenever a whole percent is done.
async fn watch(remote: &Remote, path: &str) -> Result<Value, Failure> {
    let bar = std::io::stderr().is_terminal().then(bar);
    let mut said = None;
    loop {
        let job = remote.ask(Method::GET, path, None).await?;
        if !matches!(text(&job, "state"), "queued" | "running") {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            return Ok(job);
        }
        let tenths = tenths(&job);
        match &bar {
            Some(bar) => {
                bar.set_position(tenths);
                bar.set_message(rest(&job));
            }
            None if said != Some(tenths / 10) => {
                said = Some(tenths / 10);
                print(&format!("{}\n", line(&job)))?;
            }
            None => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} % {msg}");
    let bar = ProgressBar::new(STEPS);
    // The template is a constant; a bar in the default style would do as well.
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 100")]
fn tenths(job: &Value) -> u64 {
    (job["percent"].as_f64().unwrap_or_default().clamp(0.0, 100.0) * 10.0) as u64
}

fn line(job: &Value) -> String {
    let tenths = tenths(job);
    format!("{:<9} {:>3}.{} % {}", text(job, "state"), tenths / 10, tenths % 10, rest(job))
}

/// What was found, how fast, and how long it takes still.
fn rest(job: &Value) -> String {
    let sum = |member: &str| -> u64 {
        job["streams"].as_array().into_iter().flatten().filter_map(|stream| stream[member].as_u64()).sum()
    };
    let (found, repaired, unexplained) = (sum("found"), sum("repaired"), sum("unexplained"));
    let mut said = format!("{found} facts, {repaired} repaired, {unexplained} unexplained");
    if let Some(rate) = job["facts_per_second"].as_f64() {
        let _ = write!(said, ", {rate:.1} a second");
    }
    if let Some(left) = job["seconds_left"].as_u64() {
        let _ = write!(said, ", {}:{:02}:{:02} left", left / 3_600, left / 60 % 60, left % 60);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_says_how_far_it_is_and_how_long_it_takes_still() {
        let job = json!({
            "state": "running", "percent": 42.7, "facts_per_second": 81.25, "seconds_left": 3_725,
            "streams": [{ "found": 10, "repaired": 7, "unexplained": 1 }, { "found": 5, "repaired": 0, "unexplained": 0 }],
        });
        assert_eq!(line(&job), "running    42.7 % 15 facts, 7 repaired, 1 unexplained, 81.2 a second, 1:02:05 left");
        let new = json!({ "state": "queued", "percent": 0.0, "streams": [] });
        assert_eq!(line(&new), "queued      0.0 % 0 facts, 0 repaired, 0 unexplained");
    }
}
