//! All revisions of all work items, and all links between them, in order: the routes for those who copy.

use super::{
    Answer, Call, InProject, Outcome, Refusal, Route, WORK,
    call::read_time,
    locations::{REPORTING_LINKS, REPORTING_REVISIONS},
};
use crate::simulator::{Simulator, payload, payload::Version};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

const PAGE: usize = 200;
const PAGE_MAX: usize = 1_000;

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", InProject::Maybe, "wit/reporting/workitemrevisions", &REPORTING_REVISIONS, WORK, read).costs(0.2),
    Route::new("POST", InProject::Maybe, "wit/reporting/workitemrevisions", &REPORTING_REVISIONS, WORK, filtered)
        .costs(0.2),
    Route::new("GET", InProject::Maybe, "wit/reporting/workitemlinks", &REPORTING_LINKS, WORK, links).costs(0.2),
];

/// What a POST says beside the query.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    fields: Option<Vec<String>>,
    types: Option<Vec<String>>,
    include_identity_ref: bool,
    include_deleted: bool,
    include_latest_only: bool,
}

/// Long texts, which are left out unless `$expand=fields` asks for them.
const LONG_TEXTS: [&str; 2] = ["System.History", "System.Description"];

fn read(simulator: &Simulator, call: &Call) -> Outcome {
    let list = |name: &str| call.query(name).map(|all| all.split(',').map(str::to_owned).collect());
    let filter = Filter {
        fields: list("fields"),
        types: list("types"),
        include_identity_ref: call.is_on("includeIdentityRef"),
        include_deleted: call.is_on("includeDeleted"),
        include_latest_only: call.is_on("includeLatestOnly"),
    };
    page(simulator, call, &filter)
}

fn filtered(simulator: &Simulator, call: &Call) -> Outcome {
    page(simulator, call, &call.json()?)
}

/// From a token on, which stays good for ever: whoever keeps the last one reads on from there another day.
fn page(simulator: &Simulator, call: &Call, filter: &Filter) -> Outcome {
    let world = simulator.instance.world();
    let (from, since) = place(call)?;
    let with_long_texts = call.query("$expand").is_some_and(|word| word.eq_ignore_ascii_case("fields"));
    let size: Option<usize> = call.query_as("$maxPageSize")?;
    let size = size.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let version = if filter.include_identity_ref { Version::New } else { Version::Old };
    let view = world.view(&call.place);
    let (mut values, mut next) = (Vec::new(), world.revisions.len());
    for (at, (number, rev)) in world.revisions.iter().enumerate().skip(from) {
        if values.len() == size {
            next = at;
            break;
        }
        let Some(item) = world.work_items.get(number) else { continue };
        let Some(revision) = item.revision(*rev) else { continue };
        let wanted = call.project.is_none_or(|project| item.project == project)
            && since.is_none_or(|since| revision.at >= since)
            && !call.forgotten.revision(revision.at, *number)
            && (filter.include_deleted || !item.is_deleted)
            && (!filter.include_latest_only || item.last().rev == *rev)
            && filter.types.as_ref().is_none_or(|types| types.iter().any(|kind| kind.eq_ignore_ascii_case(item.kind)));
        if wanted {
            let mut fields = payload::work_item::fields(view, revision, version, filter.fields.as_deref());
            let revised =
                item.revision(rev + 1).map_or_else(|| "9999-01-01T00:00:00Z".to_owned(), |next| next.at.to_string());
            if filter.fields.is_none() {
                if let Some(members) = fields.as_object_mut().filter(|_| !with_long_texts) {
                    members.retain(|name, _| !LONG_TEXTS.contains(&name.as_str()));
                }
                fields["System.RevisedDate"] = Value::from(revised);
            }
            values.push(json!({"id": number, "rev": rev, "fields": fields}));
        }
    }
    let is_last = next == world.revisions.len();
    let url = format!("{}/_apis/wit/reporting/workItemRevisions?continuationToken={next}", call.place.base);
    Ok(Answer::json(json!({
        "values": values, "nextLink": url, "continuationToken": next.to_string(), "isLastBatch": is_last,
    })))
}

/// Where a batch begins, and since when what it has was changed.
fn place(call: &Call) -> Outcome<(usize, Option<Timestamp>)> {
    let wrong = || Refusal::bad_request("InvalidReportingQueryException", "The continuation token is not valid.");
    Ok(match (call.query("continuationToken"), call.query("startDateTime")) {
        (Some(token), _) => (token.parse::<usize>().map_err(|_| wrong())?, None),
        (None, Some(text)) => (0, Some(read_time(text).ok_or_else(wrong)?)),
        (None, None) => (0, None),
    })
}

/// Links with an end in the project, each as often as it was changed.
fn links(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (from, since) = place(call)?;
    let view = world.view(&call.place);
    let is_known = |number: u32, at| !call.forgotten.revision(at, number);
    let (mut values, mut next) = (Vec::new(), world.links.len());
    for (at, link) in world.links.iter().enumerate().skip(from) {
        if values.len() == PAGE {
            next = at;
            break;
        }
        let projects = link.ends.map(|number| world.work_items.get(&number).map(|item| item.project));
        let wanted = call.project.is_none_or(|project| projects.contains(&Some(project)))
            && since.is_none_or(|since| link.at >= since)
            && link.ends.iter().any(|number| is_known(*number, link.at));
        if wanted {
            values.push(json!({"rel": link.kind, "attributes": {
                "sourceId": link.ends[0], "targetId": link.ends[1], "isActive": link.is_active,
                "changedDate": link.at.to_string(), "changedBy": view.person(link.by), "comment": null,
                "changedOperation": if link.is_active { "create" } else { "remove" },
                "sourceProjectId": projects[0], "targetProjectId": projects[1],
            }}));
        }
    }
    let is_last = next == world.links.len();
    let url = format!("{}/_apis/wit/reporting/workItemLinks?continuationToken={next}", call.place.base);
    Ok(Answer::json(json!({
        "values": values, "nextLink": url, "continuationToken": next.to_string(), "isLastBatch": is_last,
    })))
}
