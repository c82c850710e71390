//! `hookwell deployments import`: what was deployed before, from a CSV file, line by line.

use super::{
    Failure, print,
    remote::{self, Remote},
};
use crate::config::{Environment, Options};
use clap::{Args, Subcommand};
use http::{Method, StatusCode};
use indicatif::ProgressBar;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{io::IsTerminal as _, path::PathBuf};

/// Most lines of one file.
const LINES_MAX: usize = 100_000;

/// What is done.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the deployments of a CSV file with the columns sha (or tag, or branch) and date, and if wanted environment,
    /// binding and author; a report for each line, exit code 1 when one was refused
    Import(Import),
}

#[derive(Debug, Args)]
#[group(skip)]
struct Import {
    /// The file; its first line names the columns
    file: PathBuf,
    /// The project, by its slug
    #[arg(long, value_name = "SLUG")]
    project: String,
    /// The environment of lines that name none
    #[arg(long, value_name = "SLUG")]
    environment: Option<String>,
    /// The code deployment of lines that name none, by the id of its binding
    #[arg(long, value_name = "ID")]
    binding: Option<String>,
    /// Only check that each could be told
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Line {
    sha: Option<String>,
    tag: Option<String>,
    branch: Option<String>,
    date: Timestamp,
    environment: Option<String>,
    binding: Option<String>,
    author: Option<String>,
}

pub(super) async fn run(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<(), Failure> {
    let Command::Import(import) = &arguments.command;
    let file = std::fs::File::open(&import.file)
        .map_err(|error| Failure::input(format!("{}: {error}", import.file.display())))?;
    let lines = read(file).map_err(|error| Failure::input(format!("{}: {error}", import.file.display())))?;
    let remote = Remote::new(&import.remote, options, environment)?;
    let path = format!("/v1/projects/{}/deployments?dry_run={}", import.project, import.dry_run);
    let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(lines.len() as u64));
    let mut refused = 0;
    for (number, line) in &lines {
        let (status, answer) = remote.send(Method::POST, &path, Some(&body(line, import))).await?;
        let said = match status {
            StatusCode::CREATED => format!("told {}", answer["id"].as_str().unwrap_or_default()),
            StatusCode::OK => format!("there already {}", answer["id"].as_str().unwrap_or_default()),
            StatusCode::NO_CONTENT => "could be told".to_owned(),
            // Nothing of the rest would be answered otherwise.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(remote.problem(&path, status, &answer)),
            _ => {
                refused += 1;
                format!("refused: {}", remote.problem(&path, status, &answer).message)
            }
        };
        print(&format!("line {number}: {said}\n"))?;
        if let Some(bar) = &bar {
            bar.inc(1);
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let total = lines.len();
    print(&format!("{total} lines, {refused} refused\n"))?;
    if refused == 0 { Ok(()) } else { Err(Failure::new(format!("{refused} of {total} lines were refused"))) }
}

/// The lines with their numbers, oldest first: what comes in order need not be told twice.
fn read(file: impl std::io::Read) -> Result<Vec<(u64, Line)>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let number = record.position().map_or(0, csv::Position::line);
        let line: Line = record.deserialize(Some(&headers)).map_err(|error| format!("line {number}: {error}"))?;
        let named = [&line.sha, &line.tag, &line.branch].into_iter().flatten().count();
        if named != 1 {
            return Err(format!("line {number}: one of sha, tag and branch must be given"));
        }
        if lines.len() == LINES_MAX {
            return Err(format!("more than {LINES_MAX} lines; divide it"));
        }
        lines.push((number, line));
    }
    lines.sort_by_key(|(_, line)| line.date);
    Ok(lines)
}

fn body(line: &Line, import: &Import) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<&String>| {
        body.extend(value.map(|value| (name.to_owned(), Value::String(value.clone()))));
    };
    put("sha", line.sha.as_ref());
    put("tag", line.tag.as_ref());
    put("branch", line.branch.as_ref());
    put("date", Some(&line.date.to_string()));
    put("environment", line.environment.as_ref().or(import.environment.as_ref()));
    put("binding", line.binding.as_ref().or(import.binding.as_ref()));
    put("author", line.author.as_ref());
    put("if_duplicate", Some(&"ignore".to_owned()));
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_by_the_names_of_their_columns_and_put_in_order() {
        let text = "date, sha ,environment\n2026-02-01T00:00:00Z,b,production\n2026-01-01T00:00:00Z,a,\n";
        let lines = read(text.as_bytes()).unwrap();
        let told: Vec<_> = lines.iter().map(|(number, line)| (*number, line.sha.as_deref())).collect();
        assert_eq!(told, [(3, Some("a")), (2, Some("b"))]);
        assert_eq!(lines[0].1.environment, None);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_with_its_number() {
        for (text, expected) in [
            ("sha,date\na,yesterday\n", "line 2"),
            ("sha,tag,date\n,,2026-01-01T00:00:00Z\n", "line 2: one of sha, tag and branch"),
            ("sha,tag,date\na,b,2026-01-01T00:00:00Z\n", "line 2: one of sha, tag and branch"),
            ("sha\na\n", "date"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
