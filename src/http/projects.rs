//! Projects.

use super::{
    extract::{Call, Segment},
    fields::{DESCRIPTION, NAME, SLUG, closed},
    members::Members,
    problem::{Kind, Problem},
    reply::{Tags, if_match, json, made, none_match, resource, tagged},
    views::{ProjectList, ProjectView, RemovedView, all},
};
use crate::{
    app::{
        change::Precondition,
        projects::{self, NewProject, Replaced},
    },
    domain::{Environment, Slug},
};
use serde_json::{Value, json as value};
use utoipa::ToSchema;
use warp::reply::Response;

/// Most environments of one project.
const ENVIRONMENTS_MAX: usize = 50;

/// In the document; [`schema`] says what it is.
#[derive(ToSchema)]
pub struct ProjectBody;

/// What putting one takes.
pub fn schema() -> Value {
    let environment = closed(
        &["slug", "name"],
        &value!({
            "slug": SLUG.schema("Unique in the project."),
            "name": NAME.schema("What people call it."),
        }),
    );
    closed(
        &["name"],
        &value!({
            "name": NAME.schema("What people call it."),
            "description": DESCRIPTION.nullable("What it is."),
            "environments": {
                "type": ["array", "null"], "items": environment, "maxItems": ENVIRONMENTS_MAX, "uniqueItems": true,
                "description": "In order of promotion; none has the slug of another.",
                "examples": [[{ "slug": "staging", "name": "Staging" }, { "slug": "production", "name": "Production" }]],
            },
        }),
    )
}

/// List projects.
#[utoipa::path(get, path = "/v1/projects", tag = "projects", operation_id = "list_projects",
    responses((status = 200, description = "All of them.", body = ProjectList)))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    Ok(json(&ProjectList { data: all(call.app().directory().projects.values(), |record| ProjectView::from(record)) }))
}

/// Read a project.
#[utoipa::path(get, path = "/v1/projects/{slug}", tag = "projects", operation_id = "read_project",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("If-None-Match" = Option<String>, Header, example = "\"1\"", description = "An ETag: 304 when it is still this one.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "The project.", body = ProjectView), (status = 304, description = "It is still this one.")))]
pub async fn show(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let kept = projects::find(&call.app().directory(), &slug.names("project")?)?;
    resource(&call, kept.version, &ProjectView::from(&*kept.record))
}

/// Make or replace a project.
///
/// A new one needs no `If-Match`; one that is there does. `If-None-Match: *` makes sure that it is new.
#[utoipa::path(put, path = "/v1/projects/{slug}", tag = "projects", operation_id = "put_project",
    params(("slug" = String, Path, description = "The project's slug: its name in URLs and events.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000),
        ("If-None-Match" = Option<String>, Header, example = "*", description = "`*`: only a new one. A list of ETags: not one of these.", min_length = 1, max_length = 1000)),
    request_body = ProjectBody,
    responses((status = 200, description = "Replaced.", body = ProjectView), (status = 201, description = "Made.", body = ProjectView),
        (status = 409, description = "There are as many projects as there may be.")))]
pub async fn put(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let slug: Slug = slug.names("project: a slug is 1 to 63 of a-z, 0-9 and inner hyphens")?;
    let (precondition, only_new) = (if_match(&call)?, only_new(&call, &slug)?);
    let new = read(&call.json().await?)?;
    let location = format!("/v1/projects/{slug}");
    match projects::put_at(call.app(), slug, precondition.as_ref(), only_new, new).await? {
        Some(Replaced::Changed(kept)) => Ok(tagged(kept.version, json(&ProjectView::from(&*kept.record)))),
        Some(Replaced::Made(kept)) => Ok(made(&location, kept.version, &ProjectView::from(&*kept.record))),
        None => Err(Problem::because(
            Kind::PreconditionRequired,
            "the project is there already: send If-Match with the ETag that GET gave to replace it",
        )),
    }
}

/// Remove a project.
///
/// Its bindings go with it; the reply names them. Events that were published stay and keep naming the project.
#[utoipa::path(delete, path = "/v1/projects/{slug}", tag = "projects", operation_id = "remove_project",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("If-Match" = Option<String>, Header, example = "*", description = "The ETag that reading it gave.", min_length = 1, max_length = 1000)),
    responses((status = 200, description = "It is gone, and with it these.", body = RemovedView)))]
pub async fn remove(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let precondition = if_match(&call)?.unwrap_or(Precondition::None);
    let removed = projects::remove(call.app(), &slug.names("project")?, &precondition).await?;
    Ok(json(&RemovedView { removed_bindings: removed.into_iter().map(|id| id.0).collect() }))
}

/// Whether only a new project is wanted.
fn only_new(call: &Call, slug: &Slug) -> Result<bool, Problem> {
    let Some(tags) = none_match(call)? else { return Ok(false) };
    let there = projects::find(&call.app().directory(), slug).ok();
    Ok(matches!(tags, Tags::Any) || there.is_some_and(|kept| tags.name(kept.version)))
}

fn read(body: &[u8]) -> Result<NewProject, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.text("name", &NAME);
    let name = members.required("name", given);
    let description = members.text("description", &DESCRIPTION).flatten();
    let mut slugs: Vec<Slug> = Vec::new();
    let environments = members.objects("environments", ENVIRONMENTS_MAX, |environment| {
        let given = environment.text("slug", &SLUG);
        let slug: Option<Slug> = environment.required("slug", given).and_then(|slug| slug.parse().ok());
        let given = environment.text("name", &NAME);
        let name = environment.required("name", given);
        if let Some(slug) = &slug {
            if slugs.contains(slug) {
                environment.wrong("slug", "is there twice");
            }
            slugs.push(slug.clone());
        }
        Some(Environment { slug: slug?, name: name? })
    });
    members.finish()?;
    let environments = environments.flatten().unwrap_or_default().into_iter().flatten().collect();
    let Some(name) = name else { unreachable!("what is required and absent is an error") };
    Ok(NewProject { name, description, environments })
}
