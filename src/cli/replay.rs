//! `hookwell replay`: a stretch of time translated again, a page at a time.

use super::{
    Failure, print,
    remote::{self, Remote},
};
use crate::config::{Environment, Options};
use clap::Args;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Notifications of one request.
const PAGE: u32 = 200;

/// Which notifications.
// Groups are called after their structs, and so is the one within.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Notifications received from this time on, like 2026-11-22T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// And before this time
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
    /// Only those through this connection, by its id
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Show the difference and append nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

pub(super) async fn run(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<(), Failure> {
    let remote = Remote::new(&arguments.remote, options, environment)?;
    let mut body = json!({
        "from": arguments.from.to_string(), "to": arguments.to.to_string(), "limit": PAGE, "dry_run": arguments.dry_run,
    });
    if let Some(connection) = &arguments.connection {
        body["connection"] = connection.as_str().into();
    }
    let mut totals = Totals::default();
    loop {
        let page = remote.ask(Method::POST, "/v1/replay", Some(&body)).await?;
        totals.add(&page["counts"]);
        print(&shown(&page))?;
        match page["next"].as_str() {
            Some(next) if body["after"] == next => {
                return Err(Failure::new("the gateway answers with the same page again; is it one of this version?"));
            }
            Some(next) => body["after"] = next.into(),
            None => break,
        }
    }
    print(&totals.shown(arguments.dry_run))
}

/// A line for every event that is new or changed, and for every notification of which nothing comes.
fn shown(page: &Value) -> String {
    let mut text = String::new();
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    for replayed in page["data"].as_array().into_iter().flatten() {
        let notification = word(&replayed["notification"]);
        if let Some(why) = replayed["nothing"].as_str() {
            let _ = writeln!(text, "{notification} nothing: {why}");
        }
        for told in replayed["events"].as_array().into_iter().flatten() {
            let (id, kind) = (word(&told["id"]), word(&told["type"]));
            match told["became"].as_str() {
                Some("new") => drop(writeln!(text, "{notification} new {kind} {id}")),
                Some("changed") => {
                    let differences: Vec<String> =
                        told["differences"].as_array().into_iter().flatten().map(word).collect();
                    let (replaces, differences) = (word(&told["replaces"]), differences.join(" "));
                    let _ = writeln!(text, "{notification} changed {kind} {id} replaces {replaces}: {differences}");
                }
                _ => {}
            }
        }
    }
    text
}

/// What all pages came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    notifications: u64,
    nothing: u64,
    new: u64,
    unchanged: u64,
    changed: u64,
}

impl Totals {
    fn add(&mut self, counts: &Value) {
        let of = |name: &str| counts[name].as_u64().unwrap_or_default();
        self.notifications += of("notifications");
        self.nothing += of("nothing");
        self.new += of("new");
        self.unchanged += of("unchanged") + of("told_by_another");
        self.changed += of("changed");
    }

    fn shown(&self, dry_run: bool) -> String {
        let Self { notifications, nothing, new, unchanged, changed } = self;
        let done = if dry_run { "would be translated again" } else { "translated again" };
        format!(
            "{notifications} notifications {done}: {new} events new, {changed} changed, {unchanged} unchanged; nothing comes of {nothing}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_by_what_is_different() {
        let page = json!({"data": [
            {"notification": "n1", "events": [
                {"id": "e1", "type": "t", "became": "new"},
                {"id": "e2", "type": "t", "became": "unchanged"},
                {"id": "e3", "type": "t", "became": "changed", "replaces": "e0", "differences": ["/a", "/b"]},
            ]},
            {"notification": "n2", "events": [], "nothing": "it is a sample"},
        ]});
        assert_eq!(shown(&page), "n1 new t e1\nn1 changed t e3 replaces e0: /a /b\nn2 nothing: it is a sample\n");
    }

    #[test]
    fn totals_add_up() {
        let mut totals = Totals::default();
        for _ in 0..2 {
            totals.add(&json!({"notifications": 3, "nothing": 1, "new": 1, "unchanged": 2, "changed": 1, "told_by_another": 1}));
        }
        let said =
            "6 notifications would be translated again: 2 events new, 2 changed, 6 unchanged; nothing comes of 2\n";
        assert_eq!(totals.shown(true), said);
    }
}
