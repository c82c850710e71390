//! `hookwell survey`: what an organization does where nobody knows it, for people as a table, for who builds this as a report
//! that names nobody.

use super::{
    Failure, print,
    remote::{self, Remote, text},
    stop_signal,
};
use crate::config::{Environment, Options};
use clap::Args;
use http::Method;
use serde_json::{Map, Value};
use std::{fmt::Write as _, path::PathBuf, time::Duration};

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// How long it is waited for: what asking and removing may take, and as much again for that of another connection.
const WAIT_MAX: Duration = Duration::from_mins(22);
/// The same after it was told to stop, and only removes what it made.
const STOP_MAX: Duration = Duration::from_mins(4);

/// Of which connection, and what it may do.
// Groups are called after their structs, and so is the one within.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// The connection, by its name or id
    #[arg(long, value_name = "NAME|ID")]
    connection: String,
    /// A project in which hooks, a branch, a pull request and work items may be made; they are removed again
    #[arg(long, value_name = "NAME")]
    scratch_project: Option<String>,
    /// Where the report goes
    #[arg(long, value_name = "FILE", default_value = "survey.json")]
    output: PathBuf,
    #[command(flatten)]
    remote: remote::Arguments,
}

pub(super) async fn run(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<(), Failure> {
    let remote = Remote::new(&arguments.remote, options, environment)?;
    let connections = remote.ask(Method::GET, "/v1/connections", None).await?;
    let found = super::doctor::wanted(&connections, Some(&arguments.connection))?;
    let [connection] = &found[..] else {
        return Err(Failure::input(format!("several connections are called {:?}: give the id", arguments.connection)));
    };
    let path = remote::path(&["v1", "connections", text(connection, "id"), "survey"])?;
    let mut body = Map::new();
    if let Some(project) = &arguments.scratch_project {
        body.insert("scratch_project".to_owned(), project.clone().into());
    }
    // From now on a signal is not the end of us: what the survey makes is to be removed first.
    let stop = stop_signal().map_err(Failure::new)?;
    remote.ask(Method::POST, &path, Some(&body.into())).await?;
    let ended = tokio::select! {
        ended = end(&remote, &path, WAIT_MAX) => ended?,
        () = stop => {
            print("stopping; what it made is removed\n")?;
            // Whoever says it twice does not want to wait for that; the gateway does it all the same.
            let again = stop_signal().map_err(Failure::new)?;
            remote.ask(Method::DELETE, &path, None).await?;
            tokio::select! {
                ended = end(&remote, &path, STOP_MAX) => ended?,
                () = again => return Err(Failure::new("not waited for; the gateway removes what was made")),
            }
        }
    };
    print(&shown(&ended))?;
    if let Some(report) = ended.get("report") {
        let file = arguments.output.display();
        std::fs::write(&arguments.output, format!("{report:#}\n"))
            .map_err(|error| Failure::new(format!("{file}: {error}")))?;
        print(&format!("the report, which names nobody, is in {file}\n"))?;
    }
    match text(&ended, "state") {
        "done" => Ok(()),
        "queued" | "running" => Err(Failure::new("it does not end; DELETE stops it")),
        state => Err(Failure::new(format!("it is {state}: {}", text(&ended, "reason")))),
    }
}

/// The survey once it has ended, or as it is when that takes too long.
async fn end(remote: &Remote, path: &str, limit: Duration) -> Result<Value, Failure> {
    let looks = limit.as_millis() / LOOK.as_millis();
    let mut survey = remote.ask(Method::GET, path, None).await?;
    for _ in 0..looks {
        if !matches!(text(&survey, "state"), "queued" | "running") {
            break;
        }
        tokio::time::sleep(LOOK).await;
        survey = remote.ask(Method::GET, path, None).await?;
    }
    Ok(survey)
}

/// A line for each question, and what was left behind.
fn shown(survey: &Value) -> String {
    let mut shown = String::new();
    let lines = survey["lines"].as_array().map_or(&[][..], Vec::as_slice);
    for line in lines {
        let verdict = match text(line, "verdict") {
            "as_assumed" => "as assumed",
            "otherwise" => "OTHERWISE",
            _ => "unsettled",
        };
        let _ = writeln!(shown, "  {verdict:<10} {:<16} {}", text(line, "question"), text(line, "did"));
        if verdict == "OTHERWISE" {
            let _ = writeln!(shown, "  {:<27} assumed: {}", "", text(line, "assumed"));
        }
    }
    let count = |verdict: &str| lines.iter().filter(|line| text(line, "verdict") == verdict).count();
    let (assumed, otherwise, unsettled) = (count("as_assumed"), count("otherwise"), count("unsettled"));
    let _ = writeln!(shown, "{assumed} as assumed, {otherwise} otherwise, {unsettled} unsettled");
    for (member, words) in [("stays", "stays"), ("left_behind", "LEFT BEHIND")] {
        for named in survey[member].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let _ = writeln!(shown, "{words}: {named}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_says_what_was_done_and_only_what_is_otherwise_what_was_assumed() {
        let survey = json!({
            "lines": [
                { "question": "routes", "verdict": "as_assumed", "did": "status 200", "assumed": "a" },
                { "question": "nobody", "verdict": "otherwise", "did": "status 203", "assumed": "401" },
                { "question": "drafts", "verdict": "unsettled", "did": "no draft", "assumed": "b" },
            ],
            "stays": ["work item 7: it is in the recycle bin"], "left_behind": ["branch b"],
        });
        let lines = [
            "  as assumed routes           status 200",
            "  OTHERWISE  nobody           status 203",
            "                              assumed: 401",
            "  unsettled  drafts           no draft",
            "1 as assumed, 1 otherwise, 1 unsettled",
            "stays: work item 7: it is in the recycle bin",
            "LEFT BEHIND: branch b",
        ];
        assert_eq!(shown(&survey), lines.map(|line| format!("{line}\n")).concat());
    }
}
