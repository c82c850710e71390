//! Queries for work items: the part of the language that clients use, and a 400 for the rest.

mod read;

use self::read::{Condition, Filter, Operator, Value as Wanted, read, syntax};
use super::{Answer, Call, InProject, Outcome, Refusal, Route, WORK, call::read_time, locations::WIQL};
use crate::simulator::{
    Simulator,
    world::{Field, Revision, WorkItem, World},
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// More rows than this are an error, whatever `$top` says.
const ROWS_MAX: usize = 20_000;

pub(super) const ROUTES: &[Route] = &[Route::new("POST", InProject::Maybe, "wit/wiql", &WIQL, WORK, query).costs(0.15)];

/// Whether a query can be read.
#[cfg(any(test, fuzzing))]
pub(in crate::simulator) fn reads(query: &str) -> bool {
    read(query).is_ok()
}

#[derive(Deserialize)]
struct Sent {
    query: String,
}

/// What a query is asked within.
struct Within<'a> {
    world: &'a World,
    now: Timestamp,
    /// Who asks, by account.
    me: &'a str,
    project: Option<String>,
    /// Whether dates are compared with their time.
    is_precise: bool,
}

fn query(simulator: &Simulator, call: &Call) -> Outcome {
    let sent: Sent = call.json()?;
    let query = read(&sent.query)?;
    let (now, world) = (simulator.instance.now(), simulator.instance.world());
    let within = Within {
        world: &world,
        now,
        me: &call.caller.person.account,
        project: call.project.map(|id| world.project_of(id).name.clone()),
        is_precise: call.is_on("timePrecision"),
    };
    if let Some(filter) = &query.filter {
        within.check(filter)?;
    }
    let mut found: Vec<(&WorkItem, &Revision)> = Vec::new();
    for item in world.work_items.values().filter(|item| !item.is_deleted) {
        let last = item.revisions.iter().rev().find(|own| !call.forgotten.revision(own.at, item.number));
        found.extend(
            last.filter(|last| query.filter.as_ref().is_none_or(|own| within.holds(own, last))).map(|own| (item, own)),
        );
    }
    for (field, descending) in query.order.iter().rev() {
        found.sort_by(|(_, a), (_, b)| {
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
        |(item, _)| json!({"id": item.number, "url": format!("{}/_apis/wit/workItems/{}", call.place.base, item.number)}),
    );
    let sort = query.order.iter().map(|(name, descending)| json!({"field": column(name), "descending": descending}));
    Ok(Answer::json(json!({
        "queryType": "flat", "queryResultType": "workItem", "asOf": now.to_string(),
        "columns": query.columns.iter().map(column).collect::<Vec<_>>(),
        "sortColumns": sort.collect::<Vec<_>>(), "workItems": rows.collect::<Vec<_>>(),
    })))
}

/// A field as text, identities as they are written in queries.
fn text(world: &World, of: &Revision, field: &str) -> String {
    let found = of.fields.get(field).or_else(|| {
        let same = of.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
        same.map(|(_, value)| value)
    });
    match found {
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

/// Whether an area or iteration is another one or lies below it.
fn is_under(path: &str, other: &str) -> bool {
    let (path, other) = (path.to_lowercase(), other.trim_matches('\\').to_lowercase());
    path.strip_prefix(&other).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

impl Within<'_> {
    /// Refuses what cannot be asked.
    fn check(&self, filter: &Filter) -> Outcome<()> {
        match filter {
            Filter::All(all) | Filter::Any(all) => all.iter().try_for_each(|one| self.check(one)),
            Filter::Not(inner) => self.check(inner),
            Filter::Condition(own) => {
                for value in &own.values {
                    let value = self.value(value)?;
                    if own.field.ends_with("Date") && !self.is_precise && value.contains('T') {
                        let message =
                            "You cannot supply a time with the date when running a query using date precision.";
                        return Err(Refusal::bad_request("VssServiceResponseException", message));
                    }
                }
                Ok(())
            }
        }
    }

    /// What a value stands for. Days are those of UTC here; the real one has time zones of people.
    fn value(&self, value: &Wanted) -> Outcome<String> {
        let (name, within, plus) = match value {
            Wanted::Text(text) => return Ok(text.clone()),
            Wanted::Macro(name, within, plus) => (name.as_str(), within.as_deref(), *plus),
        };
        let today = self.now.to_zoned(TimeZone::UTC).start_of_day().map_err(|_| syntax("about no day"))?;
        let first = |day: Result<Zoned, jiff::Error>| day.map_err(|_| syntax("about no day"));
        let day = match name {
            "project" => return self.project.clone().ok_or_else(|| syntax("using @project outside of one")),
            "me" => return Ok(self.me.to_owned()),
            "today" | "startofday" => today,
            "startofweek" => {
                let back = i64::from(today.weekday().to_sunday_zero_offset());
                first(today.checked_sub(back.days()))?
            }
            "startofmonth" => first(today.first_of_month())?,
            "startofyear" => first(today.first_of_year())?,
            other => return Err(syntax(&format!("using the macro @{other}, which is not simulated"))),
        };
        let days = within.map_or(Ok(0), days)? + plus;
        let at = day.timestamp().saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(self.now);
        let text = at.to_string();
        Ok(if self.is_precise { text } else { text[..10].to_owned() })
    }

    fn holds(&self, filter: &Filter, of: &Revision) -> bool {
        match filter {
            Filter::All(all) => all.iter().all(|one| self.holds(one, of)),
            Filter::Any(all) => all.iter().any(|one| self.holds(one, of)),
            Filter::Not(inner) => !self.holds(inner, of),
            Filter::Condition(own) => self.satisfies(own, of),
        }
    }

    fn satisfies(&self, own: &Condition, of: &Revision) -> bool {
        let mut actual = text(self.world, of, &own.field);
        // Without precision a date is its day.
        if own.field.ends_with("Date") && !self.is_precise {
            actual.truncate(10);
        }
        // They were looked at before.
        let mut values = own.values.iter().filter_map(|value| self.value(value).ok());
        if own.operator == Operator::IsEmpty {
            return actual.is_empty();
        }
        values.any(|value| match own.operator {
            Operator::Is | Operator::In => compare(&actual, &value) == Ordering::Equal,
            Operator::Less => compare(&actual, &value) == Ordering::Less,
            Operator::LessOrEqual => compare(&actual, &value) != Ordering::Greater,
            Operator::Greater => compare(&actual, &value) == Ordering::Greater,
            Operator::GreaterOrEqual => compare(&actual, &value) != Ordering::Less,
            Operator::Contains => actual.to_lowercase().contains(&value.to_lowercase()),
            Operator::ContainsWords => {
                let has = |word: &str| actual.split_whitespace().any(|own| own.eq_ignore_ascii_case(word));
                value.split_whitespace().all(has)
            }
            Operator::Under => is_under(&actual, &value),
            Operator::IsEmpty => false,
        })
    }
}

/// `-1d`, `+2`: days; weeks and months are not simulated.
fn days(text: &str) -> Outcome<i64> {
    let text = text.trim();
    let number = text.strip_suffix(['d', 'D']).unwrap_or(text);
    number
        .trim_start_matches('+')
        .parse()
        .map_err(|_| syntax(&format!("using the offset {text}, which is not simulated")))
}
