//! Work items are made, changed, linked, commented and put into the bin.

use super::{super::call::Call, refused, row};
use crate::simulator::{
    Simulator, payload,
    rest::{
        Answer, InProject, Listing, Outcome, Refusal, Route, WORK,
        locations::{WORK_ITEM_COMMENTS, WORK_ITEM_OF_TYPE, WORK_ITEMS},
        work_items::existing,
    },
    world::{Edit, World, kind_named},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

const COMMENTS: &str = "wit/workitems/{id}/comments";
const PAGE: usize = 200;
const ARTIFACT: &str = "ArtifactLink";

pub(super) const ROUTES: &[Route] = &[
    row("POST", InProject::Always, "wit/workitems/{type}", &WORK_ITEM_OF_TYPE, WORK, create),
    row("PATCH", InProject::Maybe, "wit/workitems/{id}", &WORK_ITEMS, WORK, change),
    row("DELETE", InProject::Maybe, "wit/workitems/{id}", &WORK_ITEMS, WORK, delete),
    row("GET", InProject::Always, COMMENTS, &WORK_ITEM_COMMENTS, WORK, comments),
    row("POST", InProject::Always, COMMENTS, &WORK_ITEM_COMMENTS, WORK, comment),
];

/// One operation of a JSON Patch.
#[derive(Deserialize)]
struct Operation {
    op: Value,
    path: String,
    #[serde(default)]
    value: Value,
}

/// The effect of a JSON Patch on a work item.
#[derive(Default)]
struct Patch {
    edits: Vec<(String, Edit)>,
    /// Links between work items, which make no revision: kind and address.
    links: Vec<(String, String)>,
    /// Places of links that go, as the list is when it is their turn.
    gone: Vec<usize>,
    /// The revision that it must be at.
    rev: Option<u64>,
}

impl Patch {
    /// Numbers of operations are those of azure-devops-node-api.
    fn read(world: &World, call: &Call) -> Outcome<Self> {
        let mut patch = Self::default();
        for Operation { op, path, value } in call.json::<Vec<Operation>>()? {
            let op = super::word(&op, &["add", "remove", "replace", "move", "copy", "test"])?;
            let parts: Vec<&str> = path.trim_start_matches('/').splitn(2, '/').collect();
            match (op, &parts[..]) {
                ("add" | "replace", ["fields", name]) => patch.edits.push(edit(world, name, value)?),
                ("remove", ["fields", name]) => patch.edits.push(((*name).to_owned(), Edit::Clear)),
                ("add", ["relations", "-"]) => {
                    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
                    let (kind, url) = (text("rel"), text("url"));
                    if kind == ARTIFACT {
                        patch.edits.push((kind, Edit::Set(url.into())));
                    } else {
                        patch.links.push((kind, url));
                    }
                }
                ("remove", ["relations", at]) => patch.gone.push(at.parse().map_err(|_| unreadable(&path))?),
                ("test", ["rev"]) => patch.rev = value.as_u64(),
                _ => return Err(unreadable(&path)),
            }
        }
        Ok(patch)
    }
}

fn unreadable(path: &str) -> Refusal {
    let message = format!("The path {path} of the patch document is not supported by the simulator.");
    Refusal::bad_request("VssPropertyValidationException", &message)
}

/// The value that is put into a field; people are named in several ways.
fn edit(world: &World, name: &str, value: Value) -> Outcome<(String, Edit)> {
    let edit = match (name, value) {
        (_, Value::Null) => Edit::Clear,
        ("System.AssignedTo", value) => {
            let text = value.as_str().or_else(|| value["uniqueName"].as_str()).unwrap_or_default();
            let account = text.split_once('<').map_or(text, |(_, rest)| rest.trim_end_matches('>'));
            match world.people.named(account).or_else(|| world.people.called(text)) {
                Some(person) => Edit::Person(person.account.clone()),
                None if text.is_empty() => Edit::Clear,
                None => {
                    let message =
                        format!("The identity value '{text}' for field 'Assigned To' is an unknown identity.");
                    return Err(Refusal::bad_request("RuleValidationException", &message));
                }
            }
        }
        (_, value) => Edit::Set(value),
    };
    Ok((name.to_owned(), edit))
}

fn create(simulator: &Simulator, call: &Call) -> Outcome {
    let name = call.parameter("type").strip_prefix('$').unwrap_or_default();
    let kind = kind_named(name).ok_or_else(|| {
        let message = format!(
            "VS402323: Work item type {name} does not exist in project or you do not have permission to access it."
        );
        Refusal::not_found("WorkItemTypeNotFoundException", &message)
    })?;
    let patch = Patch::read(&simulator.instance.world(), call)?;
    if !patch.edits.iter().any(|(name, edit)| name == "System.Title" && *edit != Edit::Set("".into())) {
        let message = "TF401320: Rule Error for field Title. Error code: Required, HasValues, InvalidEmpty.";
        return Err(Refusal::bad_request("RuleValidationException", message));
    }
    let (by, project) = (call.caller.person.id, call.project.unwrap_or_default());
    let made = simulator.change(|world| {
        let number = world.create_work_item_with(project, kind.name, by, &patch.edits)?;
        patch.links.iter().try_for_each(|(kind, url)| world.link_work_item(number, by, kind, url))?;
        Ok(number)
    });
    let number = made.map_err(|impossible| refused(&impossible, "RuleValidationException"))?;
    Ok(shown(&simulator.instance.world(), call, number))
}

/// The item as it is now.
fn shown(world: &World, call: &Call, number: u32) -> Answer {
    let item = &world.work_items[&number];
    let links_too = !item.relations(item.last()).is_empty();
    Answer::json(payload::work_item::item(world.view(&call.place), item, item.last(), None, links_too))
}

fn change(simulator: &Simulator, call: &Call) -> Outcome {
    let (number, patch) = {
        let world = simulator.instance.world();
        let item = existing(&world, call, call.parameter_as("id")?)?;
        let patch = Patch::read(&world, call)?;
        if patch.rev.is_some_and(|rev| rev != u64::from(item.last().rev)) {
            let message = "VS403351: Test Operation for path /rev failed.";
            let status = StatusCode::PRECONDITION_FAILED;
            return Err(Refusal::new(status, "TestPatchOperationFailedException", message));
        }
        (item.number, patch)
    };
    let by = call.caller.person.id;
    let done = simulator.change(|world| {
        if !patch.edits.is_empty() {
            world.update_work_item(number, by, &patch.edits)?;
        }
        patch.links.iter().try_for_each(|(kind, url)| world.link_work_item(number, by, kind, url))?;
        for at in &patch.gone {
            let item = &world.work_items[&number];
            if let Some((_, url)) = item.relations(item.last()).get(*at).cloned() {
                world.unlink_work_item(number, by, &url)?;
            }
        }
        Ok(())
    });
    done.map_err(|impossible| refused(&impossible, "RuleValidationException"))?;
    Ok(shown(&simulator.instance.world(), call, number))
}

/// Into the bin; what is thrown away for good is not told by any hook, so that nobody does it here.
///
/// Source: REST "Work Items - Delete".
fn delete(simulator: &Simulator, call: &Call) -> Outcome {
    let number = existing(&simulator.instance.world(), call, call.parameter_as("id")?)?.number;
    let by = call.caller.person.id;
    simulator.change(|world| world.delete_work_item(number, by))?;
    let world = simulator.instance.world();
    let (view, item) = (world.view(&call.place), &world.work_items[&number]);
    let last = item.last();
    let url = format!("{}/{}/_apis/wit/recyclebin/{number}", view.base(), item.project);
    let mut resource = payload::work_item::item(view, item, last, None, false);
    resource["url"] = url.clone().into();
    Ok(Answer::json(json!({
        "id": number, "type": item.kind, "name": last.text("System.Title"),
        "project": world.project_of(item.project).name, "deletedDate": last.at.to_string(),
        "deletedBy": view.people.find(by).map(crate::simulator::people::Person::combined), "code": 200, "url": url,
        "resource": resource,
    })))
}

fn all_comments(world: &World, call: &Call, number: u32) -> Vec<Value> {
    let item = &world.work_items[&number];
    let view = world.view(&call.place);
    // The newest is first.
    item.revisions.iter().rev().filter_map(|at| payload::work_item::comment(view, item, at)).collect()
}

fn comments(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let number = existing(&world, call, call.parameter_as("id")?)?.number;
    let all = all_comments(&world, call, number);
    let total = all.len();
    let (page, _) = Listing::of(call, PAGE, PAGE)?.page(all);
    Ok(Answer::json(json!({"totalCount": total, "count": page.len(), "comments": page})))
}

#[derive(Deserialize)]
struct Said {
    text: String,
}

fn comment(simulator: &Simulator, call: &Call) -> Outcome {
    let number = existing(&simulator.instance.world(), call, call.parameter_as("id")?)?.number;
    let (Said { text }, by): (Said, Uuid) = (call.json()?, call.caller.person.id);
    simulator.change(|world| world.comment_work_item(number, by, &text))?;
    let made = all_comments(&simulator.instance.world(), call, number);
    Ok(Answer::json(made.into_iter().next().unwrap_or_default()))
}
