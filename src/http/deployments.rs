//! Deployments: what was deployed where, and telling one by hand.

mod states;
mod view;

pub use self::{
    states::{EnvironmentStates, LookedView},
    view::{DeployedView, DeploymentDetailView, DeploymentPage},
};

use self::{
    states::{CurrentView, EnvironmentStateView},
    view::DetailsView,
};
use super::{
    bindings::{BindingChangeBody, read_change},
    cursor,
    extract::{Call, Query, Segment},
    fields::{BRANCH, GUID, NAME, SLUG, TIME, Text, closed, list as list_of},
    members::Members,
    problem::{Kind, Problem},
    reply::{created, json, large_json, linked, no_content},
};
use crate::{
    app::{bindings, projects},
    azure::client::{Version, Window},
    deployments::{
        again,
        query::{self, Detail, Filter},
        register::{Registered, Registration, register},
    },
    domain::{BindingId, Slug},
    store::Log,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json as value};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// Most deployments on a page, and how many without `limit`.
const LIMIT_MAX: u64 = 1_000;
const LIMIT_DEFAULT: u64 = 100;
const LINKS_MAX: usize = 50;
const TAGS_MAX: usize = 50;
const TIME_WORDS: &str = "a time like 2026-11-22T10:00:00Z";

const SHA: Text = Text::new(
    (40, 64),
    "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$",
    |text| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
    "the whole name of a commit",
);
const ADDRESS: Text = Text::new(
    (8, 2_000),
    r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$",
    |text| text.bytes().all(|b| b.is_ascii_graphic()) && url::Url::parse(text).is_ok_and(|url| url.has_host()),
    "an address like https://ci.example/runs/1",
);

/// In the document; [`schema`] says what it is.
#[derive(ToSchema)]
pub struct NewDeploymentBody;

/// What registering one takes.
pub fn schema() -> Value {
    let link = closed(
        &["name", "url"],
        &value!({ "name": NAME.schema("What people call it."), "url": ADDRESS.schema("Where it is.") }),
    );
    let one_of = |name: &str| value!({ "required": [name] });
    let mut schema = closed(
        &["environment"],
        &value!({
            "sha": SHA.schema("The commit."),
            "branch": BRANCH.schema("A branch, by its short name: the commit that it points to now."),
            "tag": BRANCH.schema("A tag, by its short name: the commit that it marks."),
            "environment": SLUG.schema("One of the project's environments."),
            "binding": GUID.nullable("The code deployment; needed where several reach the environment."),
            "date": TIME.nullable("When it was deployed, not in the future; now when left out."),
            "links": list_of(&link, LINKS_MAX, "Names and addresses to keep with it."),
            "tags": list_of(&NAME.schema("A word."), TAGS_MAX, "Words to keep with it."),
            "author": NAME.nullable("Who deployed it."),
            "if_duplicate": {
                "type": "string", "enum": ["refuse", "ignore", "again"], "default": "refuse",
                "description": "What to do when this revision is there already: refuse with 409, answer with the deployment that brought it, or tell it as another one.",
            },
        }),
    );
    schema["oneOf"] = value!([one_of("sha"), one_of("branch"), one_of("tag")]);
    schema["description"] = "One of sha, branch and tag says which revision.".into();
    schema
}

/// List the deployments of a project.
///
/// Newest first. Kept as long as the ledger (`ledger_days`), which is longer than events are.
#[utoipa::path(get, path = "/v1/projects/{slug}/deployments", tag = "deployments", operation_id = "list_deployments",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("environment" = Option<String>, Query, description = "To this environment.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("binding" = Option<Uuid>, Query, description = "By this code deployment."),
        ("from" = Option<String>, Query, description = "From this time on.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-22T00:00:00Z"),
        ("to" = Option<String>, Query, description = "Before this time.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-23T00:00:00Z"),
        ("after" = Option<Uuid>, Query, description = "As `next` gave it: those older than that one."),
        ("limit" = Option<u32>, Query, description = "Most deployments on the page; 100 when left out.", minimum = 1, maximum = 1000)),
    responses((status = 200, description = "A page of them.", body = DeploymentPage,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`; absent at the end.")))))]
pub async fn list(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["environment", "binding", "from", "to", "after", "limit"])?;
    let (filter, after) = (filter(&mut query), query.parsed("after", "what next gave"));
    let limit = usize::try_from(query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)).unwrap_or(usize::MAX);
    query.finish()?;
    let slug = known(&call, &slug)?;
    let (shown, next) = query::page(call.app(), &slug, &filter, after, limit).await?;
    let page = large_json(&call, &DeploymentPage { data: shown.into_iter().map(DeployedView::from).collect(), next })?;
    Ok(match next {
        Some(next) => linked(&call, &next.to_string(), page),
        None => page,
    })
}

/// Read a deployment with all that came with it.
///
/// Commits, files, pull requests and work items are as they were when the deployment was told; builds are as they were when
/// it was made, as far as events tell of them by now.
#[utoipa::path(get, path = "/v1/projects/{slug}/deployments/{id}", tag = "deployments", operation_id = "read_deployment",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("id" = Uuid, Path, description = "The deployment's id.")),
    responses((status = 200, description = "The deployment.", body = DeploymentDetailView)))]
pub async fn show(slug: Segment, id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    large_json(&call, &detailed(&call, &known(&call, &slug)?, id.names("deployment")?).await?)
}

/// Register a deployment.
///
/// For what pipelines outside Azure DevOps deploy. The revision must be in the code deployment's repository.
#[utoipa::path(post, path = "/v1/projects/{slug}/deployments", tag = "deployments", operation_id = "register_deployment",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("dry_run" = Option<bool>, Query, description = "Only check that it could be told.")),
    request_body = NewDeploymentBody,
    responses((status = 200, description = "It was there already.", body = DeploymentDetailView),
        (status = 204, description = "It could be told: it was a dry run."),
        (status = 201, description = "Told.", body = DeploymentDetailView),
        (status = 409, description = "This revision is there already, and `if_duplicate` is `refuse`.")))]
pub async fn create(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    let mut query = call.query(&["dry_run"])?;
    let dry_run = query.parsed("dry_run", "true or false").unwrap_or_default();
    query.finish()?;
    let slug = known(&call, &slug)?;
    let (registration, refuses) = read(&call.json().await?, slug.clone())?;
    match register(call.app(), &Registration { dry_run, ..registration }).await? {
        Registered::Fits => Ok(no_content()),
        Registered::Made(id) => {
            let body = serde_json::to_vec(&detailed(&call, &slug, id).await?).expect("a view is plain data");
            Ok(created(&format!("/v1/projects/{slug}/deployments/{id}"), body, None))
        }
        Registered::There(id) if refuses => Err(Problem::because(
            Kind::Conflict,
            format!("the revision is there already, by deployment {id}; send if_duplicate to ignore or tell that"),
        )),
        Registered::There(id) => Ok(json(&detailed(&call, &slug, id).await?)),
    }
}

/// Read what is deployed to the environments of a project.
///
/// In order of promotion, with how far each is behind the one before it.
#[utoipa::path(get, path = "/v1/projects/{slug}/environments", tag = "deployments", operation_id = "read_environments",
    params(("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")),
    responses((status = 200, description = "All of them.", body = EnvironmentStates)))]
pub async fn environments(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let kept = projects::find(&call.app().directory(), &slug.names("project")?)?;
    let found = query::environments(call.app(), &kept.record.slug, &kept.record.environments).await?;
    let data = found.into_iter().map(|(environment, current)| EnvironmentStateView {
        environment: environment.slug.to_string(),
        name: environment.name.clone(),
        current: current.into_iter().map(CurrentView::from).collect(),
    });
    Ok(json(&EnvironmentStates { data: data.collect() }))
}

/// Look again for the deployments of a code deployment.
///
/// For one that is new or was changed: what its rules make of the events that are kept and is not told yet is told, with the
/// times at which it happened. `dry_run=true` only shows it. What was told stays told. A look goes through 100000 events at
/// most: go on after `next`.
#[utoipa::path(post, path = "/v1/bindings/{id}/deployments", tag = "deployments", operation_id = "look_again_for_deployments",
    params(("id" = Uuid, Path, description = "The binding's id."),
        ("from" = Option<String>, Query, description = "Deployed from this time on.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-22T00:00:00Z"),
        ("to" = Option<String>, Query, description = "Deployed before this time; now when left out.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-23T00:00:00Z"),
        ("after" = Option<String>, Query, description = "As `next` gave it.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$"),
        ("dry_run" = Option<bool>, Query, description = "Only show what would be told.")),
    responses((status = 200, description = "What is told, or would be.", body = LookedView)))]
pub async fn look_again(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["from", "to", "after", "dry_run"])?;
    let window = window(&call, &mut query);
    let dry_run: bool = query.parsed("dry_run", "true or false").unwrap_or_default();
    let after = query.text("after").map(str::to_owned);
    query.finish()?;
    let after = cursor::resume(call.app(), Log::Events, after.as_deref())?;
    let binding = bindings::find(&call.app().directory(), id.names("binding")?)?.record;
    let looked = again::look(call.app(), &binding, window, after).await?;
    if !dry_run {
        again::tell(call.app(), &looked).await?;
    }
    Ok(json(&LookedView::new(looked, dry_run)))
}

/// Preview the deployments that a change of a code deployment would make.
///
/// The body is that of changing the binding; nothing is changed and nothing told. What builds would deploy of another
/// repository is not seen before the binding is changed and its names were looked up. A look goes through 100000 events at most:
/// go on after `next`.
#[utoipa::path(post, path = "/v1/bindings/{id}/deployments/preview", tag = "deployments", operation_id = "preview_deployments",
    params(("id" = Uuid, Path, description = "The binding's id."),
        ("from" = Option<String>, Query, description = "Deployed from this time on.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-22T00:00:00Z"),
        ("to" = Option<String>, Query, description = "Deployed before this time; now when left out.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-23T00:00:00Z"),
        ("after" = Option<String>, Query, description = "As `next` gave it.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")),
    request_body(content((BindingChangeBody = "application/json"), (BindingChangeBody = "application/merge-patch+json"))),
    responses((status = 200, description = "What would be told.", body = LookedView),
        (status = 409, description = "It contradicts another binding of the project.")))]
pub async fn preview(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    let mut query = call.query(&["from", "to", "after"])?;
    let (window, after) = (window(&call, &mut query), query.text("after").map(str::to_owned));
    query.finish()?;
    let after = cursor::resume(call.app(), Log::Events, after.as_deref())?;
    let there = bindings::find(&call.app().directory(), id.names("binding")?)?.record;
    let changed = read_change(&call.json().await?, (*there).clone(), &call.app().directory())?;
    let binding = bindings::changed(&call.app().directory(), Arc::unwrap_or_clone(there), changed)?;
    Ok(json(&LookedView::new(again::look(call.app(), &binding, window, after).await?, true)))
}

fn window(call: &Call, query: &mut Query) -> Window {
    let (from, to) = (query.parsed("from", TIME_WORDS), query.parsed("to", TIME_WORDS));
    Window { from: from.unwrap_or(Timestamp::MIN), to: to.unwrap_or_else(|| call.app().clock.now()) }
}

fn known(call: &Call, slug: &Segment) -> Result<Slug, Problem> {
    Ok(projects::find(&call.app().directory(), &slug.names("project")?)?.record.slug.clone())
}

async fn detailed(call: &Call, slug: &Slug, id: Uuid) -> Result<DeploymentDetailView, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Event {
        data: Data,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Data {
        custom_data: Custom,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Custom {
        hookwell: Own,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Own {
        deployment: DetailsView,
    }
    let found = query::detail(call.app(), slug, id).await?;
    let Detail { shown, event, builds } = found.ok_or_else(|| Problem::not_found("deployment"))?;
    let event: Event = serde_json::from_slice(&event).map_err(|error| Problem::internal(error.to_string()))?;
    let mut details = event.data.custom_data.hookwell.deployment;
    details.knows(builds);
    details.names_authors();
    Ok(DeploymentDetailView { deployment: shown.into(), details })
}

fn filter(query: &mut Query) -> Filter {
    Filter {
        environment: query.parsed("environment", "an environment's slug"),
        binding: query.parsed("binding", "a binding's id"),
        from: query.parsed("from", TIME_WORDS),
        to: query.parsed("to", TIME_WORDS),
    }
}

/// What is to be registered, and whether one that is there is refused.
fn read(body: &[u8], project: Slug) -> Result<(Registration, bool), Problem> {
    let mut members = Members::parse(body)?;
    let named = [
        members.text("sha", &SHA).flatten().map(|sha| Version::Commit(sha.to_ascii_lowercase())),
        members.text("branch", &BRANCH).flatten().map(Version::Branch),
        members.text("tag", &BRANCH).flatten().map(Version::Tag),
    ];
    let mut named = named.into_iter().flatten();
    let revision = match (named.next(), named.next()) {
        (Some(version), None) => Some(version),
        (None, _) => {
            members.wrong("sha", "is required, or branch or tag instead of it");
            None
        }
        (Some(_), Some(_)) => {
            members.wrong("sha", "only one of sha, branch and tag can be given");
            None
        }
    };
    let given = members.text("environment", &SLUG);
    let environment = members.required("environment", given).and_then(|slug| slug.parse().ok());
    let binding = members.guid("binding").flatten().map(BindingId);
    let at = members.text("date", &TIME).flatten().and_then(|text| text.parse().ok());
    let links = members.objects("links", LINKS_MAX, |link| {
        let (name, url) = (link.text("name", &NAME), link.text("url", &ADDRESS));
        Some((link.required("name", name)?, link.required("url", url)?))
    });
    let tags = members.texts("tags", &NAME, TAGS_MAX).flatten().unwrap_or_default();
    let by = members.text("author", &NAME).flatten();
    let duplicate = members.read("if_duplicate", |value| match value.as_str() {
        Some(word @ ("refuse" | "ignore" | "again")) => Ok(word.to_owned()),
        _ => Err("must be refuse, ignore or again".to_owned()),
    });
    let duplicate = members.not_null("if_duplicate", duplicate).unwrap_or_else(|| "refuse".to_owned());
    members.finish()?;
    let (Some(revision), Some(environment)) = (revision, environment) else {
        unreachable!("what is required and absent is an error")
    };
    let links = links.flatten().unwrap_or_default().into_iter().flatten().collect();
    let again = duplicate == "again";
    Ok((
        Registration { project, binding, environment, revision, at, links, tags, by, again, dry_run: false },
        duplicate == "refuse",
    ))
}
