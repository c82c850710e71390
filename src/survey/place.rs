//! Where is asked: a few projects, and in each a repository that has something in it.

use super::{
    ask::Ask,
    asker::{Asker, Ended},
    seen::{id, items, text},
};
use serde_json::Value;

/// Projects in which is asked.
const PROJECTS_MAX: usize = 3;
/// Projects among which they are chosen.
const PROJECTS_LISTED: u32 = 50;

/// A project and a repository of it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) project: String,
    /// Whether it is the one in which things may be made.
    pub(super) is_scratch: bool,
    pub(super) repository: Option<Repository>,
}

#[derive(Debug, Clone)]
pub(super) struct Repository {
    pub(super) id: String,
    /// With `refs/heads/`.
    pub(super) branch: String,
}

/// The scratch project first, where there is one.
pub(super) async fn find(asker: &mut Asker<'_>, scratch: Option<&str>) -> Result<Vec<Place>, Ended> {
    let mut places = Vec::new();
    if let Some(name) = scratch {
        let seen = asker.see(&Ask::get("the project", "projects/{project}", &[name])).await?;
        if let Some(project) = seen.as_ref().and_then(|seen| id(&seen.body.as_ref()?["id"])) {
            places.push(place(asker, project, true).await?);
        }
    }
    let listed = asker.see(&Ask::get("projects", "projects", &[]).with("$top", PROJECTS_LISTED)).await?;
    for project in items(&listed).iter().filter_map(|own| id(&own["id"])) {
        if places.len() >= PROJECTS_MAX {
            break;
        }
        if !places.iter().any(|own: &Place| own.project == project) {
            places.push(place(asker, project, false).await?);
        }
    }
    Ok(places)
}

async fn place(asker: &mut Asker<'_>, project: String, is_scratch: bool) -> Result<Place, Ended> {
    let listed = asker.see(&Ask::get("repositories", "git/repositories", &[]).within(&project)).await?;
    let repository = items(&listed).iter().find_map(repository);
    Ok(Place { project, is_scratch, repository })
}

/// One that is neither empty nor disabled: in a disabled one everything is answered 404.
fn repository(own: &Value) -> Option<Repository> {
    let branch = text(own, "defaultBranch");
    let is_usable = own["isDisabled"] != true && branch.starts_with("refs/heads/");
    is_usable.then(|| id(&own["id"]))?.map(|id| Repository { id, branch: branch.to_owned() })
}
