//! `hookwell audit`: whether anything is missing, for people; scripts have the exit code.

use super::{
    Failure, print,
    remote::{self, Remote, text},
};
use crate::config::{Environment, Options};
use clap::Args;
use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use std::{fmt::Write as _, time::Duration};

/// Most requests for the rest of a chain that is long: each reads so much of it.
const CHAIN_ASKED_MAX: u32 = 1_000;
/// Most pages of bindings: each has one at least, and a gateway has fewer.
const PAGES_MAX: usize = 10_000;
/// The end of an hour and the beginning of the next one.
const HOUR: Duration = Duration::from_hours(1);

/// Of which bindings, and of when.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only bindings of this connection, by its id
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Only this binding, by its id
    #[arg(long, value_name = "ID")]
    binding: Option<String>,
    /// Only bindings of this project, by its slug
    #[arg(long, value_name = "SLUG")]
    project: Option<String>,
    /// Hours from this time on, like 2026-11-22T00:00:00Z [default: 24 hours before --to]; at most 31 days
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Hours before this time [default: as far as was compared]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    remote: remote::Arguments,
}

pub(super) async fn run(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<(), Failure> {
    let remote = Remote::new(&arguments.remote, options, environment)?;
    let (mut bindings, mut incomplete, mut after) = (0_usize, 0_usize, None);
    let mut pages = 0..PAGES_MAX;
    let mut page;
    loop {
        if pages.next().is_none() {
            return Err(Failure::new(format!("the bindings do not end after {PAGES_MAX} pages; is that a gateway?")));
        }
        page = remote.ask(Method::GET, &path(arguments, after.as_deref()), None).await?;
        for binding in members(&page, "data") {
            bindings += 1;
            incomplete += usize::from(binding["is_complete"] != true);
            print(&shown(binding))?;
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    if bindings == 0 {
        print("there is no such binding: what is bound to nothing is not compared\n")?;
    }
    for _ in 0..CHAIN_ASKED_MAX {
        if page["chain"]["verdict"] != "unfinished" {
            break;
        }
        page = remote.ask(Method::GET, "/v1/completeness?limit=1", None).await?;
    }
    let chain = &page["chain"];
    print(&ledger(chain))?;
    match (chain["verdict"] == "intact", incomplete) {
        (true, 0) => Ok(()),
        (true, count) => Err(Failure::new(format!("{count} of {bindings} bindings are not complete"))),
        (false, 0) => Err(Failure::new("the ledger is not as it was written")),
        (false, count) => Err(Failure::new(format!(
            "the ledger is not as it was written, and {count} of {bindings} bindings are not complete"
        ))),
    }
}

fn path(arguments: &Arguments, after: Option<&str>) -> String {
    let given = [
        ("connection", arguments.connection.as_deref()),
        ("binding", arguments.binding.as_deref()),
        ("project", arguments.project.as_deref()),
        ("from", arguments.from.as_deref()),
        ("to", arguments.to.as_deref()),
        ("after", after),
    ];
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    format!("/v1/completeness?{}", query.finish())
}

/// A binding: how far it is complete, its hours in stretches, and what is missing by name.
fn shown(binding: &Value) -> String {
    let mut shown = format!("{} ", text(binding, "project"));
    if let Some(name) = binding["name"].as_str() {
        let _ = write!(shown, "{name} ");
    }
    let verdict = if binding["is_complete"] == true { "complete" } else { "NOT COMPLETE" };
    let _ = writeln!(shown, "({})\n  {verdict}; {}", text(binding, "binding"), until(binding));
    let streams = members(binding, "streams");
    if streams.iter().any(|stream| !members(stream, "hours").is_empty()) {
        let _ = writeln!(shown, "  {HEADINGS}");
    }
    for stream in streams {
        for stretch in stretches(members(stream, "hours")) {
            let _ = writeln!(shown, "  {}", stretch.line(text(stream, "stream")));
        }
    }
    for stream in streams {
        for hour in members(stream, "hours").iter().filter(|hour| number(hour, "unexplained") > 0) {
            let named: Vec<&str> = members(hour, "entities").iter().filter_map(Value::as_str).collect();
            let (kind, from) = (text(stream, "stream"), text(hour, "hour"));
            let _ = writeln!(shown, "  unexplained {kind} in the hour from {from}: {}", named.join(", "));
        }
    }
    for gap in members(binding, "gaps") {
        let (entity, what) = (text(gap, "entity"), text(gap, "what"));
        let _ = writeln!(shown, "  gap: {entity}, {what}, between {} and {}", text(gap, "after"), text(gap, "before"));
    }
    shown
}

fn until(binding: &Value) -> String {
    match (binding["complete_until"].as_str(), binding["compared_until"].as_str()) {
        (Some(until), Some(compared)) if until == compared => format!("complete until {until}"),
        (Some(until), Some(compared)) => format!("complete until {until}, compared until {compared}"),
        _ => "it was not compared with Azure DevOps' records yet".to_owned(),
    }
}

const HEADINGS: &str =
    "kind           from                  to                    expected  received   history      rest  unexplained";

/// Hours one after the other, in none of which something is unexplained; or one in which something is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    /// Expected, received, by history, by rest, unexplained.
    counts: [u64; 5],
}

impl Stretch {
    fn line(&self, kind: &str) -> String {
        let Self { from, to, counts: [expected, received, history, rest, unexplained] } = self;
        let (from, to) = (from.to_string(), to.to_string());
        format!("{kind:<14} {from:<21} {to:<21} {expected:>8} {received:>9} {history:>9} {rest:>9} {unexplained:>12}")
    }
}

fn stretches(hours: &[Value]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for hour in hours {
        let names = ["expected", "received", "recovered_by_history", "recovered_by_rest", "unexplained"];
        let counts = names.map(|name| number(hour, name));
        let from: Timestamp = text(hour, "hour").parse().unwrap_or_default();
        match stretches.last_mut() {
            Some(last) if last.to == from && last.counts[4] == 0 && counts[4] == 0 => {
                last.to = from + HOUR;
                last.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            _ => stretches.push(Stretch { from, to: from + HOUR, counts }),
        }
    }
    stretches
}

fn ledger(chain: &Value) -> String {
    let (entries, number, hash) = (number(chain, "entries"), number(chain, "head_number"), text(chain, "head_hash"));
    let found = match text(chain, "verdict") {
        "intact" => format!("intact, {entries} entries"),
        "broken" => {
            let what = text(&chain["broken"], "fault").replace('_', " ");
            format!("BROKEN at entry {}: {what}", self::number(&chain["broken"], "number"))
        }
        other => format!("{other} after {entries} entries"),
    };
    format!(
        "ledger: {found}\nhead {number}: {hash} (noted elsewhere, it proves later that nothing before it was changed)\n"
    )
}

fn members<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value, member: &str) -> u64 {
    value[member].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hour(hour: &str, received: u64, entities: &[&str]) -> Value {
        let (from, missing) = (format!("2026-11-22T{hour}:00:00Z"), entities.len() as u64);
        json!({
            "hour": from, "expected": received + missing, "received": received, "recovered_by_history": 0,
            "recovered_by_rest": 0, "unexplained": missing, "entities": entities,
        })
    }

    #[test]
    fn hours_are_stretches_and_what_is_missing_has_its_name() {
        let binding = json!({
            "project": "shop", "binding": "b1", "name": "Builds", "is_complete": false,
            "complete_until": "2026-11-22T03:00:00Z", "compared_until": "2026-11-22T07:00:00Z",
            "streams": [{ "stream": "builds", "hours": [
                hour("01", 2, &[]), hour("02", 3, &[]), hour("03", 1, &["build/builds/7"]), hour("04", 0, &[]), hour("06", 4, &[]),
            ] }],
            "gaps": [{ "entity": "build/builds/8", "what": "it began", "after": "a", "before": "b" }],
        });
        let lines = [
            "shop Builds (b1)",
            "  NOT COMPLETE; complete until 2026-11-22T03:00:00Z, compared until 2026-11-22T07:00:00Z",
            "  kind           from                  to                    expected  received   history      rest  unexplained",
            "  builds         2026-11-22T01:00:00Z  2026-11-22T03:00:00Z         5         5         0         0            0",
            "  builds         2026-11-22T03:00:00Z  2026-11-22T04:00:00Z         2         1         0         0            1",
            "  builds         2026-11-22T04:00:00Z  2026-11-22T05:00:00Z         0         0         0         0            0",
            "  builds         2026-11-22T06:00:00Z  2026-11-22T07:00:00Z         4         4         0         0            0",
            "  unexplained builds in the hour from 2026-11-22T03:00:00Z: build/builds/7",
            "  gap: build/builds/8, it began, between a and b",
        ];
        assert_eq!(shown(&binding), lines.map(|line| format!("{line}\n")).concat());
    }

    #[test]
    fn the_ledgers_verdict_has_the_place_and_the_head() {
        let broken = json!({
            "verdict": "broken", "entries": 4, "head_number": 4, "head_hash": "ab",
            "broken": { "number": 5, "fault": "out_of_place" },
        });
        assert!(ledger(&broken).starts_with("ledger: BROKEN at entry 5: out of place\nhead 4: ab "));
        let intact = json!({ "verdict": "intact", "entries": 4, "head_number": 9, "head_hash": "ab" });
        assert!(ledger(&intact).starts_with("ledger: intact, 4 entries\nhead 9: ab "));
    }
}
