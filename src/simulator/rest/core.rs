//! Who and where we are, projects, permissions.
#![expect(clippy::unnecessary_wraps, reason = "every handler has the type of its row")]

use super::{
    Answer, Call, InProject, Listing, Outcome, Refusal, Route,
    locations::{COLLECTIONS, CONNECTION_DATA, PERMISSIONS, PROJECTS, RESOURCE_AREAS},
};
use crate::simulator::{Simulator, payload, people::Scope, site::Site};
use serde_json::{Value, json};
use uuid::Uuid;

/// The namespace of rights on hooks.
const SERVICE_HOOKS: &str = "cb594ebe-87dd-4fc9-ac2c-6a10a4c92046";
/// Projects on a page, as nothing else is asked.
const PAGE: usize = 100;
const PAGE_MAX: usize = 10_000;

const PROJECT: &[Scope] = &[Scope::Project, Scope::Profile, Scope::Code, Scope::Build, Scope::Work, Scope::Release];

pub(super) const ROUTES: &[Route] = &[
    Route::new("GET", InProject::Never, "connectionData", &CONNECTION_DATA, &[], connection_data).on_every_host(),
    Route::new("GET", InProject::Never, "resourceAreas", &RESOURCE_AREAS, &[], resource_areas).on_every_host(),
    Route::new("GET", InProject::Never, "resourceAreas/{area}", &RESOURCE_AREAS, &[], resource_area).on_every_host(),
    Route::new("GET", InProject::Never, "projectCollections", &COLLECTIONS, &[], collections),
    Route::new("GET", InProject::Never, "projects", &PROJECTS, PROJECT, projects),
    Route::new("GET", InProject::Never, "projects/{project}", &PROJECTS, PROJECT, project),
    Route::new("GET", InProject::Never, "permissions/{namespace}/{bits}", &PERMISSIONS, &[], permissions)
        .on_every_host(),
];

/// Area, its id as azure-devops-node-api has it, and the host that has it.
const AREAS: [(&str, &str, Site); 10] = [
    ("core", "79134c72-4a58-4b42-976c-04e7115f32bf", Site::Main),
    ("git", "4e080c62-fa21-4fbc-8fef-2a10a2b38049", Site::Main),
    ("build", "965220d5-5bb9-42cf-8d67-9b146df2a5a4", Site::Main),
    ("wit", "5264459e-e5e0-4bd8-b118-0985e68a4ec5", Site::Main),
    ("pipelines", "2e0bf237-8973-4ec9-a581-9c3d679d1776", Site::Main),
    ("distributedtask", "a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd", Site::Main),
    ("Security", "3fc5cb1e-22e9-4f88-82f4-8a8e6e1b6e4d", Site::Main),
    ("policy", "fb13a388-40dd-4a04-b530-013a739c72ef", Site::Main),
    ("Release", "efc2f575-36ef-48e9-b672-0c6fb4a48ac5", Site::Release),
    ("audit", "94ff054d-5ee1-413d-9341-3f4a7827de2e", Site::Audit),
];

fn connection_data(simulator: &Simulator, call: &Call) -> Outcome {
    let (instance, person) = (&simulator.instance, &call.caller.person);
    let user = json!({
        "id": person.id,
        "descriptor": format!("Microsoft.IdentityModel.Claims.ClaimsIdentity;{}", person.account),
        "subjectDescriptor": person.descriptor(),
        "providerDisplayName": person.name,
        "isActive": true,
        "properties": {"Account": {"$type": "System.String", "$value": person.account}},
        "resourceVersion": 2,
        "metaTypeId": 0,
    });
    Ok(Answer::json(json!({
        "authenticatedUser": user,
        "authorizedUser": user,
        "instanceId": call.place.collection,
        "deploymentId": instance.options.server_id(),
        "deploymentType": if instance.is_server() { "onPremises" } else { "hosted" },
        "locationServiceData": {
            "serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7",
            "defaultAccessMappingMoniker": "PublicAccessMapping",
            "lastChangeId": 1,
            "lastChangeId64": 1,
        },
    })))
}

fn area(call: &Call, (name, id, site): &(&str, &str, Site)) -> Value {
    let base = call.place.base_of(*site);
    json!({"id": id, "name": name, "locationUrl": format!("{base}/")})
}

/// A Server has none, for everything is at one place; it says so with a null.
///
/// Source: `_getResourceAreaUrl` of azure-devops-node-api.
fn resource_areas(simulator: &Simulator, call: &Call) -> Outcome {
    if simulator.instance.is_server() {
        return Ok(Answer::json(json!({"count": 0, "value": null})));
    }
    Ok(Answer::list(AREAS.iter().map(|row| area(call, row)).collect()))
}

fn resource_area(simulator: &Simulator, call: &Call) -> Outcome {
    let found = AREAS.iter().find(|(_, id, _)| id.eq_ignore_ascii_case(call.parameter("area")));
    match found.filter(|_| !simulator.instance.is_server()) {
        Some(row) => Ok(Answer::json(area(call, row))),
        // As the real one answers for an area that it has no place for.
        None => Ok(Answer::json(Value::Null)),
    }
}

fn collections(simulator: &Simulator, call: &Call) -> Outcome {
    let name = &simulator.instance.options.name;
    let url = format!("{}/_apis/projectCollections/{}", call.place.root, call.place.collection);
    Ok(Answer::list(vec![json!({"id": call.place.collection, "name": name, "url": url})]))
}

fn projects(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let mut all: Vec<_> = world.projects.iter().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let view = world.view(&call.place);
    let page = Listing::of(call, PAGE, PAGE_MAX)?;
    Ok(page.answer(all, |own| payload::project(view, own)))
}

fn project(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let name = call.parameter("project");
    let own = world.project(name).ok_or_else(|| Refusal::project(name))?;
    let mut value = payload::project(world.view(&call.place), own);
    if call.is_on("includeCapabilities") {
        value["capabilities"] = json!({
            "processTemplate": {"templateName": "Agile", "templateTypeId": "adcc42ab-9882-485e-a3ed-7678f01f66bc"},
            "versioncontrol": {"sourceControlType": "Git", "gitEnabled": "True", "tfvcEnabled": "False"},
        });
    }
    Ok(Answer::json(value))
}

/// Whether the caller holds the bits for each token, as `PublisherSecurity[/{project}]`.
fn permissions(simulator: &Simulator, call: &Call) -> Outcome {
    if simulator.instance.faults().permissions_need_full_access && call.caller.scopes.is_some() {
        return Ok(super::gate::refuse_scope(&simulator.instance, &call.caller));
    }
    let bits: u32 = call.parameter_as("bits")?;
    if !call.parameter("namespace").eq_ignore_ascii_case(SERVICE_HOOKS) {
        let message = format!("VS403281: The security namespace {} does not exist.", call.parameter("namespace"));
        return Err(Refusal::not_found("InvalidSecurityNamespaceException", &message));
    }
    let tokens = call.query("tokens").unwrap_or_default();
    let delimiter = call.query("delimiter").unwrap_or(",");
    let holds = |token: &str| {
        let project = token.split_once('/').and_then(|(_, id)| id.parse::<Uuid>().ok());
        let known = token == "PublisherSecurity" || project.is_some();
        Value::Bool(known && call.caller.person.may(project, bits))
    };
    Ok(Answer::list(tokens.split(delimiter).map(holds).collect()))
}
