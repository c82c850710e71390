//! `hookwell doctor`: what is wrong, and the one thing to do; for people one line a step, for scripts the exit code and
//! `--json`.

use super::{
    Failure, print,
    remote::{self, Remote, text},
};
use crate::config::{Environment, Options};
use clap::Args;
use http::Method;
use serde_json::Value;
use std::fmt::Write as _;

/// Which connections, of which gateway.
// Groups are called after their structs, and so is the one within.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Only the connection of this name or id
    #[arg(long, value_name = "NAME|ID")]
    connection: Option<String>,
    /// Print what the API answers, in one JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

pub(super) async fn run(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<(), Failure> {
    let remote = Remote::new(&arguments.remote, options, environment)?;
    let connections = remote.ask(Method::GET, "/v1/connections", None).await?;
    let connections = wanted(&connections, arguments.connection.as_deref())?;
    let mut reports = Vec::new();
    for connection in &connections {
        let path = remote::path(&["v1", "connections", text(connection, "id"), "doctor"])?;
        let report = remote.ask(Method::POST, &path, None).await?;
        if !arguments.json {
            // Each as soon as it is there: one takes up to a minute.
            print(&shown(&report))?;
        }
        reports.push(report);
    }
    if arguments.json {
        print(&format!("{:#}\n", Value::Array(reports.clone())))?;
    } else if reports.is_empty() {
        print("there is no connection yet: POST /v1/connections makes one\n")?;
    }
    match reports.iter().filter(|report| report["state"] == "failed").count() {
        0 => Ok(()),
        1 if reports.len() == 1 => Err(Failure::new("something is wrong")),
        count => Err(Failure::new(format!("something is wrong with {count} of {} connections", reports.len()))),
    }
}

/// All of them, or those of this name or id.
pub(super) fn wanted(list: &Value, named: Option<&str>) -> Result<Vec<Value>, Failure> {
    let Some(all) = list["data"].as_array().cloned() else {
        return Err(Failure::new("what answers has no list of connections; is a gateway of Hookwell there?"));
    };
    let Some(named) = named else { return Ok(all) };
    let is_it = |one: &Value| text(one, "name") == named || text(one, "id").eq_ignore_ascii_case(named);
    let there = all.iter().map(|one| text(one, "name")).collect::<Vec<_>>().join(", ");
    let found: Vec<Value> = all.iter().filter(|one| is_it(one)).cloned().collect();
    if found.is_empty() {
        return Err(Failure::input(format!("there is no connection {named:?}; there are: {there}")));
    }
    Ok(found)
}

fn shown(report: &Value) -> String {
    let mut shown = format!("{}\n", text(report, "connection_name"));
    for step in report["steps"].as_array().into_iter().flatten() {
        let (name, state) = (text(step, "name"), text(step, "state"));
        let rest = match state {
            "warning" | "failed" => {
                format!("{}. → {}", text(step, "cause").trim_end_matches('.'), text(step, "remedy"))
            }
            "skipped" if step["because"].is_string() => format!("because of {}", text(step, "because")),
            _ => text(step, "found").to_owned(),
        };
        let _ = writeln!(shown, "  {state:<8} {name:<23} {rest}");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_step_is_a_line() {
        let report = json!({ "connection_name": "Fabrikam", "steps": [
            { "name": "public_url", "state": "ok", "found": "it is https://a.example" },
            { "name": "name", "state": "failed", "cause": "the name is not known", "remedy": "Make an entry." },
            { "name": "port", "state": "skipped", "because": "name" },
        ] });
        let lines = [
            "Fabrikam",
            "  ok       public_url              it is https://a.example",
            "  failed   name                    the name is not known. → Make an entry.",
            "  skipped  port                    because of name",
        ];
        assert_eq!(shown(&report), lines.map(|line| format!("{line}\n")).concat());
    }

    #[test]
    fn an_answer_without_a_list_is_not_that_of_a_gateway() {
        for answer in [json!({}), json!({ "data": 1 }), json!([]), Value::Null] {
            let failure = wanted(&answer, None).err();
            assert!(
                failure.is_some_and(|failure| failure.code == 1 && failure.message.contains("Hookwell")),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_connection_is_named_by_name_or_id() {
        let list = json!({ "data": [{ "id": "a1", "name": "Fabrikam" }, { "id": "b2", "name": "Contoso" }] });
        let ids = |named| {
            wanted(&list, named).map(|found| found.iter().map(|one| text(one, "id").to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(ids(None).unwrap_or_default(), ["a1", "b2"]);
        assert_eq!(ids(Some("Contoso")).unwrap_or_default(), ["b2"]);
        assert_eq!(ids(Some("A1")).unwrap_or_default(), ["a1"]);
        let failure = ids(Some("nobody")).err();
        assert!(failure.is_some_and(|failure| failure.code == 2 && failure.message.ends_with("Fabrikam, Contoso")));
    }
}
