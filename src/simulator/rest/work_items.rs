//! Work items, their updates and revisions; types, states and fields.
#![expect(clippy::unnecessary_wraps, reason = "every handler has the type of its row")]

use super::{
    Answer, Call, InProject, Listing, Outcome, Refusal, Route, WORK,
    call::read_time,
    locations::{FIELDS, REVISIONS, STATES, UPDATES, WORK_ITEM_TYPES, WORK_ITEMS, WORK_ITEMS_BATCH},
};
use crate::simulator::{
    Simulator, payload,
    payload::{Version, View},
    world::{Revision, WorkItem, WorkItemKind, World, kind_named, kinds},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most work items of one request.
const BATCH_MAX: usize = 200;
const PAGE: usize = 200;

pub(super) const ROUTES: &[Route] = &[
    get("wit/workitems", &WORK_ITEMS, many).costs(0.1),
    get("wit/workitems/{id}", &WORK_ITEMS, one),
    Route::new("POST", InProject::Maybe, "wit/workitemsbatch", &WORK_ITEMS_BATCH, WORK, batch).costs(0.1),
    get("wit/workitems/{id}/updates", &UPDATES, updates),
    get("wit/workitems/{id}/revisions", &REVISIONS, revisions),
    Route::new("GET", InProject::Always, "wit/workitemtypes", &WORK_ITEM_TYPES, WORK, types),
    Route::new("GET", InProject::Always, "wit/workitemtypes/{type}", &WORK_ITEM_TYPES, WORK, one_type),
    Route::new("GET", InProject::Always, "wit/workitemtypes/{type}/states", &STATES, WORK, states),
    get("wit/fields", &FIELDS, fields),
];

const fn get(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Maybe, path, location, WORK, handler)
}

/// Which items, and how much of them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    ids: Vec<u32>,
    fields: Option<Vec<String>>,
    #[serde(rename = "$expand")]
    expand: Option<Value>,
    as_of: Option<String>,
    error_policy: Option<Value>,
}

impl Wanted {
    /// Names of switches come as words, and from some clients as numbers.
    fn word(value: Option<&Value>) -> String {
        match value {
            Some(Value::String(word)) => word.to_lowercase(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }
}

pub(super) fn existing<'a>(world: &'a World, call: &Call, number: u32) -> Outcome<&'a WorkItem> {
    let visible = |item: &&WorkItem| !item.is_deleted && call.project.is_none_or(|project| item.project == project);
    world.work_items.get(&number).filter(visible).ok_or_else(|| Refusal::work_item(number))
}

/// What it was at a time; what came later was not there yet.
fn at<'a>(call: &Call, item: &'a WorkItem, time: Option<Timestamp>) -> Option<&'a Revision> {
    item.revisions.iter().rev().find(|revision| {
        time.is_none_or(|time| revision.at <= time) && !call.forgotten.revision(revision.at, item.number)
    })
}

fn shown(world: &World, call: &Call, wanted: &Wanted) -> Outcome {
    if wanted.ids.len() > BATCH_MAX {
        let message = "VS403474: The number of requested work items is over the limit of 200.";
        return Err(Refusal::bad_request("WorkItemBatchLimitExceededException", message));
    }
    let expand = Wanted::word(wanted.expand.as_ref());
    let expands = !matches!(expand.as_str(), "" | "none" | "0");
    if expands && wanted.fields.is_some() {
        let message = "The expand parameter can not be used with the fields parameter.";
        return Err(Refusal::bad_request("ConflictingParametersException", message));
    }
    let time = wanted.as_of.as_deref().and_then(read_time);
    let omits = matches!(Wanted::word(wanted.error_policy.as_ref()).as_str(), "omit" | "2");
    let view = world.view(&call.place);
    let mut items = Vec::new();
    for number in &wanted.ids {
        let found = existing(world, call, *number).and_then(|item| {
            let revision = at(call, item, time).ok_or_else(|| Refusal::work_item(*number))?;
            Ok(payload::work_item::item(view, item, revision, wanted.fields.as_deref(), expands))
        });
        match found {
            Ok(item) => items.push(item),
            Err(_) if omits => items.push(Value::Null),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(Answer::list(items))
}

fn many(simulator: &Simulator, call: &Call) -> Outcome {
    let text = |name: &str| call.query(name).map(str::to_owned);
    let list = |name: &str| text(name).map(|all| all.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>());
    let number = |text: &String| {
        text.parse().map_err(|_| Refusal::bad_request("ArgumentException", &format!("{text} is no work item id.")))
    };
    let wanted = Wanted {
        ids: list("ids").unwrap_or_default().iter().map(number).collect::<Outcome<_>>()?,
        fields: list("fields"),
        expand: text("$expand").map(Value::from),
        as_of: text("asOf"),
        error_policy: text("errorPolicy").map(Value::from),
    };
    shown(&simulator.instance.world(), call, &wanted)
}

fn batch(simulator: &Simulator, call: &Call) -> Outcome {
    shown(&simulator.instance.world(), call, &call.json()?)
}

fn one(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let item = existing(&world, call, call.parameter_as("id")?)?;
    let fields: Option<Vec<String>> = call.query("fields").map(|all| all.split(',').map(str::to_owned).collect());
    let revision = at(call, item, call.time("asOf")?).ok_or_else(|| Refusal::work_item(item.number))?;
    let expands = call.query("$expand").is_some_and(|word| !word.eq_ignore_ascii_case("none"));
    Ok(Answer::json(payload::work_item::item(world.view(&call.place), item, revision, fields.as_deref(), expands)))
}

fn updates(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let item = existing(&world, call, call.parameter_as("id")?)?;
    let view = world.view(&call.place);
    let made = item.revisions.iter().map(|own| (own.update, own.at));
    let mut all: Vec<_> = made.chain(item.links.iter().map(|own| (own.update, own.at))).collect();
    all.sort_unstable();
    let known = all.into_iter().filter(|(_, at)| !call.forgotten.revision(*at, item.number));
    Ok(Listing::of(call, PAGE, PAGE)?.silent_answer(known, |(number, _)| {
        payload::work_item::update(view, item, number, Version::New).unwrap_or_default()
    }))
}

fn revisions(simulator: &Simulator, call: &Call) -> Outcome {
    each(simulator, call, payload::work_item::revision)
}

fn each(simulator: &Simulator, call: &Call, show: impl Fn(View<'_>, &WorkItem, &Revision) -> Value) -> Outcome {
    let world = simulator.instance.world();
    let item = existing(&world, call, call.parameter_as("id")?)?;
    let view = world.view(&call.place);
    let known = item.revisions.iter().filter(|revision| !call.forgotten.revision(revision.at, item.number));
    Ok(Listing::of(call, PAGE, PAGE)?.silent_answer(known, |revision| show(view, item, revision)))
}

fn types(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let view = world.view(&call.place);
    let project = call.project.unwrap_or_default();
    Ok(Answer::list(kinds().iter().map(|kind| payload::work_item::kind(view, project, kind)).collect()))
}

fn known(call: &Call) -> Outcome<&'static WorkItemKind> {
    let name = call.parameter("type");
    kind_named(name).ok_or_else(|| {
        let message = format!(
            "VS402323: Work item type {name} does not exist in the project, or you do not have permission to access it."
        );
        Refusal::not_found("WorkItemTypeNotFoundException", &message)
    })
}

fn one_type(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let project = call.project.unwrap_or_default();
    Ok(Answer::json(payload::work_item::kind(world.view(&call.place), project, known(call)?)))
}

fn states(_: &Simulator, call: &Call) -> Outcome {
    Ok(Answer::list(payload::work_item::states(known(call)?)))
}

fn fields(_: &Simulator, call: &Call) -> Outcome {
    const KNOWN: [(&str, &str, &str); 11] = [
        ("System.Id", "ID", "integer"),
        ("System.Rev", "Rev", "integer"),
        ("System.Title", "Title", "string"),
        ("System.State", "State", "string"),
        ("System.WorkItemType", "Work Item Type", "string"),
        ("System.AssignedTo", "Assigned To", "string"),
        ("System.CreatedDate", "Created Date", "dateTime"),
        ("System.ChangedDate", "Changed Date", "dateTime"),
        ("System.Tags", "Tags", "plainText"),
        ("Microsoft.VSTS.Common.Priority", "Priority", "integer"),
        ("Microsoft.VSTS.Common.ClosedDate", "Closed Date", "dateTime"),
    ];
    let field = |(reference, name, kind): &(&str, &str, &str)| {
        json!({
            "name": name, "referenceName": reference, "description": null, "type": kind, "usage": "workItem",
            "readOnly": reference.starts_with("System.C"), "canSortBy": true, "isQueryable": true,
            "supportedOperations": [], "isIdentity": *reference == "System.AssignedTo", "isPicklist": false,
            "url": format!("{}/_apis/wit/fields/{reference}", call.place.base),
        })
    };
    Ok(Answer::list(KNOWN.iter().map(field).collect()))
}
