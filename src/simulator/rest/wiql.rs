//! Queries for work items: the part of the language that a gateway uses, and a 400 for the rest.

use super::{Answer, Call, InProject, Outcome, Refusal, Route, WORK, call::read_time, locations::WIQL};
use crate::simulator::{
    Simulator,
    world::{Field, WorkItem, World},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// More rows than this are an error, whatever `$top` says.
const ROWS_MAX: usize = 20_000;

pub(super) const ROUTES: &[Route] = &[Route::new("POST", InProject::Maybe, "wit/wiql", &WIQL, WORK, query).costs(0.15)];

#[derive(Deserialize)]
struct Sent {
    query: String,
}

/// `[field] operator value`.
#[derive(Debug, PartialEq, Eq)]
struct Condition {
    field: String,
    operator: String,
    values: Vec<String>,
}

/// A query, taken apart: the columns, what must hold, and the order.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    columns: Vec<String>,
    conditions: Vec<Condition>,
    order: Vec<(String, bool)>,
}

fn syntax(what: &str) -> Refusal {
    Refusal::bad_request("VssServiceResponseException", &format!("TF51006: The query statement is {what}."))
}

fn query(simulator: &Simulator, call: &Call) -> Outcome {
    let sent: Sent = call.json()?;
    let query = read(&sent.query)?;
    let precise = call.is_on("timePrecision");
    let has_time = |condition: &Condition| {
        condition.field.ends_with("Date") && condition.values.iter().any(|value| value.contains('T'))
    };
    if !precise && query.conditions.iter().any(has_time) {
        let message = "You cannot supply a time with the date when running a query using date precision.";
        return Err(Refusal::bad_request("VssServiceResponseException", message));
    }
    let world = simulator.instance.world();
    let project = call.project.map(|id| world.project_of(id).name.clone());
    let holds = |item: &&WorkItem| {
        !item.is_deleted && query.conditions.iter().all(|own| satisfies(&world, item, own, project.as_deref(), precise))
    };
    let mut found: Vec<&WorkItem> = world.work_items.values().filter(holds).collect();
    for (field, descending) in query.order.iter().rev() {
        found.sort_by(|a, b| {
            let order = compare(&text(&world, a, field), &text(&world, b, field));
            if *descending { order.reverse() } else { order }
        });
    }
    let top: Option<usize> = call.query_as("$top")?;
    if found.len() > ROWS_MAX && top.is_none_or(|top| top > ROWS_MAX) {
        let message = "VS402337: The number of work items returned exceeds the size limit of 20000. Change the query to return fewer items.";
        return Err(Refusal::bad_request("WorkItemTrackingQueryResultSizeLimitExceededException", message));
    }
    found.truncate(top.unwrap_or(ROWS_MAX));
    let column = |name: &String| {
        json!({
            "referenceName": name, "name": name.rsplit('.').next(),
            "url": format!("{}/_apis/wit/fields/{name}", call.place.base),
        })
    };
    let rows = found.iter().map(
        |item| json!({"id": item.number, "url": format!("{}/_apis/wit/workItems/{}", call.place.base, item.number)}),
    );
    let sort = query.order.iter().map(|(name, descending)| json!({"field": column(name), "descending": descending}));
    Ok(Answer::json(json!({
        "queryType": "flat", "queryResultType": "workItem", "asOf": simulator.instance.now().to_string(),
        "columns": query.columns.iter().map(column).collect::<Vec<_>>(),
        "sortColumns": sort.collect::<Vec<_>>(), "workItems": rows.collect::<Vec<_>>(),
    })))
}

/// A field as text, identities as they are written in queries.
fn text(world: &World, item: &WorkItem, field: &str) -> String {
    let found = item.last().fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
    match found.map(|(_, value)| value) {
        Some(Field::Plain(Value::String(text))) => text.clone(),
        Some(Field::Plain(value)) => value.to_string(),
        Some(Field::Person(id)) => world.people.find(*id).map(|own| own.account.clone()).unwrap_or_default(),
        None => String::new(),
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return a.cmp(&b);
    }
    match (read_time(a), read_time(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.to_lowercase().cmp(&b.to_lowercase()),
    }
}

fn satisfies(world: &World, item: &WorkItem, own: &Condition, project: Option<&str>, precise: bool) -> bool {
    let mut actual = text(world, item, &own.field);
    // Without precision a date is its day.
    if own.field.ends_with("Date") && !precise {
        actual.truncate(10);
    }
    let order = |value: &String| {
        let value = if value.eq_ignore_ascii_case("@project") { project.unwrap_or_default() } else { value };
        compare(&actual, value)
    };
    let is = |wanted: Ordering| own.values.first().map(order) == Some(wanted);
    match own.operator.as_str() {
        "=" => is(Ordering::Equal),
        "<>" => !is(Ordering::Equal),
        ">" => is(Ordering::Greater),
        ">=" => !is(Ordering::Less),
        "<" => is(Ordering::Less),
        "<=" => !is(Ordering::Greater),
        "in" => own.values.iter().any(|value| order(value) == Ordering::Equal),
        _ => false,
    }
}

/// Words, names in brackets, and texts in quotes with their quote in front.
fn words(query: &str) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '[' => rest.find(']').map(|at| at + 1),
            '\'' => rest[1..].find('\'').map(|at| at + 2),
            ',' | '(' | ')' => Some(1),
            '<' | '>' | '=' => Some(rest.find(|c| !"<>=".contains(c)).unwrap_or(rest.len())),
            _ => Some(rest.find(|c: char| c.is_whitespace() || "[],()'<>=".contains(c)).unwrap_or(rest.len()).max(1)),
        };
        let (word, after) = rest.split_at(end.ok_or_else(|| syntax("not closed"))?);
        found.push(word.trim_end_matches('\'').trim_matches(|c| "[]".contains(c)).to_owned());
        rest = after.trim_start();
    }
    Ok(found)
}

fn read(query: &str) -> Outcome<Query> {
    let words = words(query)?;
    let mut words = words.into_iter().peekable();
    let is = |word: &str, name: &str| word.eq_ignore_ascii_case(name);
    if !words.next().is_some_and(|word| is(&word, "select")) {
        return Err(syntax("missing a SELECT clause"));
    }
    let mut columns = Vec::new();
    for word in words.by_ref() {
        match word.as_str() {
            "," => {}
            word if is(word, "from") => break,
            word => columns.push(word.to_owned()),
        }
    }
    if !words.next().is_some_and(|word| is(&word, "workitems")) {
        return Err(syntax("not one over workitems: links are not simulated"));
    }
    let (mut conditions, mut order) = (Vec::new(), Vec::new());
    while let Some(word) = words.next() {
        if is(&word, "where") || is(&word, "and") {
            let field = words.next().ok_or_else(|| syntax("incomplete"))?;
            let operator = words.next().ok_or_else(|| syntax("incomplete"))?.to_lowercase();
            if !matches!(operator.as_str(), "=" | "<>" | "<" | "<=" | ">" | ">=" | "in") {
                return Err(syntax(&format!("using the operator {operator}, which is not simulated")));
            }
            let mut values = Vec::new();
            if operator == "in" {
                for value in words.by_ref().take_while(|word| word != ")").filter(|word| word != "(" && word != ",") {
                    values.push(value.trim_start_matches('\'').to_owned());
                }
            } else {
                let value = words.next().ok_or_else(|| syntax("incomplete"))?;
                values.push(value.trim_start_matches('\'').to_owned());
            }
            conditions.push(Condition { field, operator, values });
        } else if is(&word, "order") {
            words.next();
            while let Some(field) = words.next() {
                let descending = words.next_if(|word| is(word, "desc") || is(word, "asc"));
                order.push((field, descending.is_some_and(|word| is(&word, "desc"))));
                words.next_if(|word| word == ",");
            }
        } else {
            return Err(syntax(&format!("not understood at {word}: it is not simulated")));
        }
    }
    Ok(Query { columns, conditions, order })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_taken_apart() {
        let query = read(
            "SELECT [System.Id], [System.Title] FROM WorkItems WHERE [System.ChangedDate] >= '2026-01-01' \
             AND [System.State] IN ('Closed', 'Not Done') ORDER BY [System.ChangedDate] DESC, [System.Id]",
        );
        let query = query.unwrap();
        assert_eq!(query.columns, ["System.Id", "System.Title"]);
        assert_eq!(query.conditions[0].values, ["2026-01-01"]);
        assert_eq!((query.conditions[1].operator.as_str(), query.conditions[1].values.len()), ("in", 2));
        assert_eq!(query.conditions[1].values[1], "Not Done");
        assert_eq!(query.order, [("System.ChangedDate".to_owned(), true), ("System.Id".to_owned(), false)]);
    }

    #[test]
    fn what_is_not_simulated_is_refused_and_not_guessed() {
        for text in
            ["SELECT [System.Id] FROM WorkItemLinks", "SELECT [System.Id] FROM WorkItems WHERE [A] UNDER 'x'", "DROP"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
