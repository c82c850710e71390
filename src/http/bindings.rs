//! Bindings.

pub mod deploys;
pub(super) mod doubts;
mod duties;
pub mod issues;
mod partial;

use self::duties::Duties;
use super::{
    extract::{Call, Segment},
    fields::{AREA_PATH, AZURE_REF, BRANCH, GUID, NAME, REPOSITORY, WORK_ITEM_TYPE, closed, list as list_of},
    idempotency::{Creation, begin},
    members::{Given, Members},
    problem::Problem,
    reply::{if_match, if_match_required, json, no_content, resource, tagged},
    views::{BindingList, BindingView, all},
};
use crate::{
    app::{
        Directory,
        bindings::{self, NewBinding},
        change::Precondition,
        projects,
    },
    azure::RepositoryUrl,
    domain::{AzureRef, Binding, BindingId, BranchRule, ConnectionId, Role, Selection, Slug},
};
use serde_json::{Value, json as value};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// Most elements of each of a binding's lists.
const SELECTED_MAX: usize = 100;
/// What each role takes besides what all take.
const CODE: [&str; 5] = ["repository", "branch", "branch_prefix", "deploys", "direct_pushes"];
const BUILD: [&str; 3] = ["pipelines", "code_deployment", partial::NAME];
const ISSUE: [&str; 6] =
    ["area_paths", "work_item_types", "incidents", "strict_mentions", "lead_time_states", "carried_fields"];

/// In the document; [`new_schema`] says what it is.
#[derive(ToSchema)]
pub struct NewBindingBody;

/// In the document; [`change_schema`] says what it is.
#[derive(ToSchema)]
pub struct BindingChangeBody;

fn property(name: &str) -> Value {
    match name {
        "connection" => GUID.schema("The connection's id."),
        "name" => NAME.nullable("What people call it."),
        "azure_project" => {
            AZURE_REF.schema("The Azure DevOps project that holds it, by id (survives renames) or name; of a code deployment it can be left out where the repository is given by an address.")
        }
        "repository" => REPOSITORY.schema(
            "The repository, by id (survives renames), name, or any address that it is cloned or looked at by.",
        ),
        "branch" => {
            BRANCH.nullable("Exactly this branch, by its short name. Without it and branch_prefix: all branches.")
        }
        "branch_prefix" => BRANCH.nullable("Branches whose short name begins so."),
        "deploys" => deploys::schema(),
        "direct_pushes" => deploys::direct_schema(),
        "incidents" | "strict_mentions" | "lead_time_states" | "carried_fields" => issues::schema(name),
        partial::NAME => partial::schema(),
        "code_deployment" => GUID.nullable(
            "The binding of the code deployment that it serves alone, instead of the project's build provider; left out or null: it is the project's.",
        ),
        "pipelines" => {
            list_of(&AZURE_REF.schema("By id or name."), SELECTED_MAX, "The pipelines; empty or left out means all.")
        }
        "area_paths" => list_of(
            &AREA_PATH.schema("With all below it."),
            SELECTED_MAX,
            "The area paths; empty or left out means all.",
        ),
        "work_item_types" => {
            list_of(&WORK_ITEM_TYPE.schema("Such as Bug."), SELECTED_MAX, "The types; empty or left out means all.")
        }
        _ => unreachable!("only names of this file are asked for"),
    }
}

fn both_branches() -> Value {
    value!({ "properties": { "branch": {}, "branch_prefix": {} }, "required": ["branch", "branch_prefix"] })
}

/// What creating one takes: one form per role.
pub fn new_schema() -> Value {
    let form = |role: &str, own: &[&str], required: &[&str]| {
        let mut properties = value!({ "role": { "type": "string", "enum": [role] } });
        for name in ["connection", "name", "azure_project"].iter().chain(own) {
            properties[*name] = property(name);
        }
        let mut schema = closed(&[&["role", "connection"], required].concat(), &properties);
        schema["title"] = role.into();
        schema
    };
    let mut code = form("code_deployment", &CODE, &["repository"]);
    code["not"] = both_branches();
    value!({
        "description": "What the project takes from a connection, by role. branch and branch_prefix exclude each other.",
        "oneOf": [code, form("build_provider", &BUILD, &["azure_project"]), form("issue_provider", &ISSUE, &["azure_project"])],
    })
}

/// What changing one takes.
pub fn change_schema() -> Value {
    let mut properties = value!({});
    for name in ["connection", "name", "azure_project"].iter().chain(&CODE).chain(&BUILD).chain(&ISSUE) {
        properties[*name] = property(name);
    }
    let mut schema = closed(&[], &properties);
    schema["not"] = both_branches();
    schema["description"] = "Members of another role than the binding's are errors; role and project stay.".into();
    schema
}

/// List the bindings of a project.
#[utoipa::path(get, path = "/v1/projects/{slug}/bindings", tag = "bindings", operation_id = "list_bindings",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")),
    responses((status = 200, description = "All of them.", body = BindingList)))]
pub async fn list(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let (slug, directory) = (slug.names("project")?, call.app().directory());
    projects::find(&directory, &slug)?;
    Ok(json(&BindingList { data: all(directory.bindings_in(&slug), |record| BindingView::from(record)) }))
}

/// Create a binding.
///
/// A project has at most one build provider and one issue provider; code deployments as many as it likes, each with at most
/// one build provider of its own.
#[utoipa::path(post, path = "/v1/projects/{slug}/bindings", tag = "bindings", operation_id = "create_binding",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("strict" = Option<bool>, Query, description = "Refuse it where what it names is not there, or a rule can match nothing, instead of saying so in `warnings`."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating it safe for 24 hours.", pattern = "^([!#-~]{1,255}|\"[!#-~]{1,255}\")$")),
    request_body = NewBindingBody,
    responses((status = 201, description = "Made.", body = BindingView)))]
pub async fn create(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    let strict = doubts::strict(&call)?;
    let slug: Slug = slug.names("project")?;
    projects::find(&call.app().directory(), &slug)?;
    let body = call.json().await?;
    let mut making = match begin(&call, &body)? {
        Creation::Again(reply) => return Ok(reply),
        Creation::New(making) => making,
    };
    let new = read_new(&body, &call.app().directory())?;
    let record = bindings::proposed(call.app(), slug, new);
    let doubts = doubts::of(call.app(), &record, strict).await?;
    let show =
        |record: &Binding| making.made(format!("/v1/bindings/{}", record.id), &BindingView::from(record).with(&doubts));
    let kept = bindings::create(call.app(), record, show).await?;
    doubts.note(call.app(), &kept);
    Ok(making.reply(Some(kept.version.into())))
}

/// Read a binding.
#[utoipa::path(get, path = "/v1/bindings/{id}", tag = "bindings", operation_id = "read_binding",
    params(("id" = Uuid, Path, description = "The binding's id."),
        ("If-None-Match" = Option<String>, Header, example = "\"1\"", description = "An ETag: 304 when it is still this one.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "The binding.", body = BindingView), (status = 304, description = "It is still this one.")))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let kept = bindings::find(&call.app().directory(), id.names("binding")?)?;
    resource(&call, kept.version, &BindingView::from(&*kept.record))
}

/// Change a binding.
///
/// Members that are left out stay as they are (RFC 7396). Giving one of `branch` and `branch_prefix` takes the other away.
#[utoipa::path(patch, path = "/v1/bindings/{id}", tag = "bindings", operation_id = "change_binding",
    params(("id" = Uuid, Path, description = "The binding's id."),
        ("strict" = Option<bool>, Query, description = "Refuse it where what it names is not there, or a rule can match nothing, instead of saying so in `warnings`."),
        ("If-Match" = String, Header, example = "*", description = "The ETag that reading it gave, or `*`.", min_length = 1, max_length = 1000)),
    request_body(content((BindingChangeBody = "application/json"), (BindingChangeBody = "application/merge-patch+json"))),
    responses((status = 200, description = "As it is now.", body = BindingView),
        (status = 409, description = "It contradicts another binding of the project.")))]
pub async fn edit(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    let strict = doubts::strict(&call)?;
    let id: BindingId = id.names("binding")?;
    let there = bindings::find(&call.app().directory(), id)?;
    if_match_required(&call)?.check(there.version)?;
    let body = call.json().await?;
    let directory = call.app().directory();
    let read = || read_change(&body, Binding::clone(&there.record), &directory);
    let proposed = bindings::changed(&directory, Binding::clone(&there.record), read()?)?;
    let doubts = doubts::of(call.app(), &proposed, strict).await?;
    let kept = bindings::edit(call.app(), id, there.version, read()?).await?;
    doubts.note(call.app(), &kept);
    Ok(tagged(kept.version, json(&BindingView::from(&*kept.record).with(&doubts))))
}

/// Remove a binding.
///
/// The build provider that serves only this code deployment goes with it.
#[utoipa::path(delete, path = "/v1/bindings/{id}", tag = "bindings", operation_id = "remove_binding",
    params(("id" = Uuid, Path, description = "The binding's id."),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 204, description = "It is gone.")))]
pub async fn remove(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let precondition = if_match(&call)?.unwrap_or(Precondition::None);
    bindings::remove(call.app(), id.names("binding")?, &precondition).await?;
    Ok(no_content())
}

fn read_new(body: &[u8], directory: &Directory) -> Result<NewBinding, Problem> {
    let mut members = Members::parse(body)?;
    let role = members.read("role", |role| match role.as_str() {
        Some("code_deployment") => Ok(Role::CodeDeployment),
        Some("build_provider") => Ok(Role::BuildProvider),
        Some("issue_provider") => Ok(Role::IssueProvider),
        _ => Err("must be code_deployment, build_provider or issue_provider".to_owned()),
    });
    let role = members.required("role", role);
    let given = members.guid("connection");
    let connection = members.required("connection", given).map(ConnectionId);
    let name = members.text("name", &NAME).flatten();
    let given = members.text("azure_project", &AZURE_REF);
    let (mut azure_project, mut repository) = (None, None);
    if role == Some(Role::CodeDeployment) {
        let named = members.text("repository", &REPOSITORY);
        let named = members.required("repository", named);
        let code = named.and_then(|named| at(&mut members, named, connection, directory, given.clone().flatten()));
        (azure_project, repository) = code.map_or((None, None), |(project, repository)| (project, Some(repository)));
    }
    if azure_project.is_none() {
        azure_project = members.required("azure_project", given).map(AzureRef);
    }
    let duties = role.map(|role| Duties::default().changed(&mut members, role)).unwrap_or_default();
    let selection = if let Some(role) = role {
        // Read also when the project is missing: what is wrong in the rest is worth saying at once.
        select(&mut members, role, azure_project, repository)
    } else {
        // Without the role nobody knows which of these belong there: only the role is wrong.
        for name in CODE.iter().chain(&BUILD).chain(&ISSUE) {
            members.take(name);
        }
        None
    };
    members.finish()?;
    let (Some(connection), Some(selection)) = (connection, selection) else {
        unreachable!("what is required and absent is an error")
    };
    let Duties { code_deployment, partial, deploys, direct_pushes, issues } = duties;
    Ok(NewBinding { name, connection, selection, code_deployment, partial, deploys, direct_pushes, issues })
}

/// The repository that is given, and the project if its address says which: that must not be another one than is given.
fn at(
    members: &mut Members,
    text: String,
    connection: Option<ConnectionId>,
    directory: &Directory,
    project: Option<String>,
) -> Option<(Option<AzureRef>, AzureRef)> {
    if !RepositoryUrl::is_address(&text) {
        if let Err(detail) = AZURE_REF.check(&text) {
            members.wrong("repository", detail);
        }
        return Some((None, AzureRef(text)));
    }
    let Some(address) = RepositoryUrl::parse(&text) else {
        members.wrong("repository", "names no repository; give an id, a name, or an address like https://dev.azure.com/organization/project/_git/repository");
        return None;
    };
    let connection = connection.and_then(|id| directory.connections.get(&id));
    let address = match connection {
        Some(kept) => address.within(&kept.record.url),
        None => address,
    };
    if let Some(detail) =
        [&address.project, &address.repository].into_iter().find_map(|part| AZURE_REF.check(part).err())
    {
        members.wrong("repository", detail);
    }
    if connection.is_some_and(|kept| !address.is_in(&kept.record.url)) {
        members.wrong("repository", "is in another organization or collection than the connection's");
    }
    // By an id nobody can tell here whether it is that one.
    let is_other = |given: &String| Uuid::parse_str(given).is_err() && !AzureRef(given.clone()).names(&address.project);
    if project.as_ref().is_some_and(is_other) {
        members.wrong("azure_project", "is another one than in the repository's address; it can be left out");
    }
    Some((Some(AzureRef(project.unwrap_or(address.project))), AzureRef(address.repository)))
}

fn select(
    members: &mut Members,
    role: Role,
    azure_project: Option<AzureRef>,
    repository: Option<AzureRef>,
) -> Option<Selection> {
    match role {
        Role::CodeDeployment => {
            let branch = branch_rule(members).unwrap_or(BranchRule::Any);
            Some(Selection::CodeDeployment { azure_project: azure_project?, repository: repository?, branch })
        }
        Role::BuildProvider => {
            let pipelines = texts(members, "pipelines", &AZURE_REF).unwrap_or_default();
            let pipelines = pipelines.into_iter().map(AzureRef).collect();
            Some(Selection::BuildProvider { azure_project: azure_project?, pipelines })
        }
        Role::IssueProvider => {
            let area_paths = texts(members, "area_paths", &AREA_PATH).unwrap_or_default();
            let work_item_types = texts(members, "work_item_types", &WORK_ITEM_TYPE).unwrap_or_default();
            Some(Selection::IssueProvider { azure_project: azure_project?, area_paths, work_item_types })
        }
    }
}

fn texts(members: &mut Members, name: &'static str, bounds: &super::fields::Text) -> Option<Vec<String>> {
    let given = members.texts(name, bounds, SELECTED_MAX);
    members.not_null(name, given)
}

/// The rule, when either member says something.
fn branch_rule(members: &mut Members) -> Option<BranchRule> {
    let short = |branch: String| branch.strip_prefix("refs/heads/").map_or(branch.clone(), str::to_owned);
    let exact: Given<String> = members.text("branch", &BRANCH);
    let prefix: Given<String> = members.text("branch_prefix", &BRANCH);
    match (exact, prefix) {
        (Some(Some(_)), Some(Some(_))) => {
            members.wrong("branch_prefix", "cannot be given together with branch");
            None
        }
        (Some(Some(branch)), _) => Some(BranchRule::Exact(short(branch))),
        (_, Some(Some(prefix))) => Some(BranchRule::Prefix(short(prefix))),
        (None, None) => None,
        _ => Some(BranchRule::Any),
    }
}

pub(super) fn read_change(body: &[u8], there: Binding, directory: &Directory) -> Result<NewBinding, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.guid("connection");
    let connection = members.not_null("connection", given).map_or(there.connection, ConnectionId);
    let duties = Duties::of(&there).changed(&mut members, there.selection.role());
    let name = members.text("name", &NAME).unwrap_or(there.name);
    let given = members.text("azure_project", &AZURE_REF);
    let moved = members.not_null("azure_project", given).map(AzureRef);
    let selection = match there.selection {
        Selection::CodeDeployment { azure_project, repository, branch } => {
            let given = moved.as_ref().map(|project| project.0.clone());
            let named = members.text("repository", &REPOSITORY);
            let named = members.not_null("repository", named);
            let code = named.and_then(|named| at(&mut members, named, Some(connection), directory, given));
            let (project, named) = code.map_or((None, None), |(project, named)| (project, Some(named)));
            let project = project.or(moved);
            Selection::CodeDeployment {
                azure_project: project.unwrap_or(azure_project),
                repository: named.unwrap_or(repository),
                branch: branch_rule(&mut members).unwrap_or(branch),
            }
        }
        Selection::BuildProvider { azure_project, pipelines } => {
            let changed = texts(&mut members, "pipelines", &AZURE_REF);
            let changed = changed.map(|all| all.into_iter().map(AzureRef).collect());
            Selection::BuildProvider {
                azure_project: moved.unwrap_or(azure_project),
                pipelines: changed.unwrap_or(pipelines),
            }
        }
        Selection::IssueProvider { azure_project, area_paths, work_item_types } => Selection::IssueProvider {
            azure_project: moved.unwrap_or(azure_project),
            area_paths: texts(&mut members, "area_paths", &AREA_PATH).unwrap_or(area_paths),
            work_item_types: texts(&mut members, "work_item_types", &WORK_ITEM_TYPE).unwrap_or(work_item_types),
        },
    };
    members.finish()?;
    let Duties { code_deployment, partial, deploys, direct_pushes, issues } = duties;
    Ok(NewBinding { name, connection, selection, code_deployment, partial, deploys, direct_pushes, issues })
}
