//! `hookwell deployments import`: what was deployed before, from a CSV file, line by line.

mod lines;

use self::lines::{Line, Lines};
use super::{
    Failure, print,
    remote::{self, Remote},
};
use crate::config::{Environment, Options};
use clap::{Args, Subcommand};
use http::{Method, StatusCode};
use indicatif::ProgressBar;
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

/// Most bytes of one file.
const FILE_BYTES_MAX: u64 = 64 << 20;

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
    /// binding and author; a report for each line, exit code 1 when one was refused or could not be read, 2 for a file of
    /// which nothing can be told: an empty one, or one with a column of another name
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

pub(super) async fn run(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<(), Failure> {
    let Command::Import(import) = &arguments.command;
    let wrong = |why: String| Failure::input(format!("{}: {why}", import.file.display()));
    let Lines { told, unreadable } = contents(&import.file).and_then(|text| lines::read(&text)).map_err(wrong)?;
    let remote = Remote::new(&import.remote, options, environment)?;
    let project = remote::path(&["v1", "projects", &import.project, "deployments"])?;
    let path = format!("{project}?dry_run={}", import.dry_run);
    for (number, why) in &unreadable {
        print(&format!("line {number}: refused: {why}\n"))?;
    }
    let total = told.len() + unreadable.len();
    let bar = io::stderr().is_terminal().then(|| ProgressBar::new(total as u64));
    let mut refused = unreadable.len();
    for (at, (number, line)) in told.iter().enumerate() {
        let ended = |failure: Failure| {
            let rest = told.len() - at;
            let message = format!(
                "line {number}: {}; {rest} lines were not told. Begin again: what is there already is not told twice",
                failure.message
            );
            Failure { message, ..failure }
        };
        let (status, answer) = remote.send(Method::POST, &path, Some(&body(line, import))).await.map_err(ended)?;
        let said = match status {
            StatusCode::CREATED => format!("told {}", answer["id"].as_str().unwrap_or_default()),
            StatusCode::OK => format!("there already {}", answer["id"].as_str().unwrap_or_default()),
            StatusCode::NO_CONTENT => "could be told".to_owned(),
            // Nothing of the rest would be answered otherwise.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(ended(remote.problem(&path, status, &answer)));
            }
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
    print(&format!("{total} lines, {refused} refused\n"))?;
    if refused == 0 { Ok(()) } else { Err(Failure::new(format!("{refused} of {total} lines were refused"))) }
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let (mut text, file) = (Vec::new(), File::open(path).map_err(|error| error.to_string())?);
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {} MiB; divide it", FILE_BYTES_MAX >> 20));
    }
    Ok(text)
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
