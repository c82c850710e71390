//! Projects.

use super::{
    App, Directory,
    change::{Precondition, Refusal, Wrong, delete, put},
    directory::Kept,
    kind,
};
use crate::{
    domain::{Binding, BindingId, Environment, Project, Slug},
    store::Expected,
};

/// Most projects of one gateway.
pub const PROJECTS_MAX: usize = 1_000;

/// What a project is made of besides its slug.
pub struct NewProject {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// In order of promotion.
    pub environments: Vec<Environment>,
}

/// What a PUT found.
pub enum Replaced {
    /// Nothing: the project is new.
    Made(Kept<Project>),
    /// An older version.
    Changed(Kept<Project>),
}

/// Puts a project at its slug. `precondition` says what may be there: `None` from the caller means that it gave none,
/// which only a new project may do without.
pub async fn put_at(
    app: &App,
    slug: Slug,
    precondition: Option<&Precondition>,
    only_new: bool,
    new: NewProject,
) -> Result<Option<Replaced>, Refusal> {
    let _changing = app.changing.lock().await;
    let (directory, now) = (app.directory(), app.clock.now());
    let there = directory.projects.get(&slug);
    let created_at = match (there, precondition) {
        (Some(_), _) if only_new => return Err(Refusal::Changed),
        (Some(_), None) => return Ok(None),
        (Some(there), Some(precondition)) => {
            precondition.check(there.version)?;
            there.record.created_at
        }
        (None, Some(_)) => return Err(Refusal::Changed),
        (None, None) if directory.projects.len() >= PROJECTS_MAX => {
            return Err(Refusal::Full { what: "projects", max: PROJECTS_MAX });
        }
        (None, None) => now,
    };
    let NewProject { name, description, environments } = new;
    let is_missing = |slug: &&Slug| !environments.iter().any(|environment| environment.slug == **slug);
    for kept in directory.bindings_in(&slug) {
        let Binding { id, deploys, issues, .. } = &*kept.record;
        let reached = deploys.iter().flat_map(|deploys| &deploys.reaches).map(|reach| &reach.environment);
        let named = reached.chain(issues.incidents.iter().map(|rule| &rule.environment));
        if let Some(environment) = { named }.find(is_missing) {
            let detail = format!("must keep {environment}, which binding {id} names; change that one first");
            return Err(Refusal::Invalid(vec![Wrong { pointer: "/environments", detail }]));
        }
    }
    let record = Project { slug: slug.clone(), name, description, environments, created_at, updated_at: now };
    let expected = there.map_or(Expected::Absent, |there| Expected::Version(there.version));
    let versions = app.change(vec![put(kind::PROJECT, &slug, expected, &record)]).await?;
    let kept = Kept::new(versions[0], record);
    Ok(Some(if there.is_some() { Replaced::Changed(kept) } else { Replaced::Made(kept) }))
}

/// Removes a project together with its bindings, whose ids are answered.
pub async fn remove(app: &App, slug: &Slug, precondition: &Precondition) -> Result<Vec<BindingId>, Refusal> {
    let _changing = app.changing.lock().await;
    let directory = app.directory();
    let kept = find(&directory, slug)?;
    precondition.check(kept.version)?;
    let bindings: Vec<_> = directory.bindings_in(slug).collect();
    let mut changes = vec![delete(kind::PROJECT, slug, kept.version)];
    changes.extend(bindings.iter().map(|binding| delete(kind::BINDING, &binding.record.id, binding.version)));
    app.change(changes).await?;
    Ok(bindings.iter().map(|binding| binding.record.id).collect())
}

/// The project with this slug.
pub fn find(directory: &Directory, slug: &Slug) -> Result<Kept<Project>, Refusal> {
    directory.projects.get(slug).cloned().ok_or(Refusal::NotFound("project"))
}
