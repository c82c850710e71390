//! Bindings, and the rules over several of them.

use super::{
    App, Directory,
    change::{Precondition, Refusal, Wrong, delete, put},
    directory::Kept,
    kind,
};
use crate::{
    backfill,
    domain::{Binding, BindingId, ConnectionId, Deploys, Issues, Meaning, Partial, Role, Selection, Slug, Tracking},
    store::{Change, Expected},
};

/// Most bindings of one gateway.
pub const BINDINGS_MAX: usize = 5_000;

/// What a binding is made of besides its project.
pub struct NewBinding {
    /// What people call it.
    pub name: Option<String>,
    /// Where it selects.
    pub connection: ConnectionId,
    /// What it selects.
    pub selection: Selection,
    /// Of a build provider: the code deployment that it serves alone.
    pub code_deployment: Option<BindingId>,
    /// Of a build provider: what a partly succeeded run counts as.
    pub partial: Partial,
    /// Of a code deployment: how its revisions get to environments.
    pub deploys: Option<Deploys>,
    /// Of a code deployment: whether a push that no pull request explains is a change that was merged.
    pub direct_pushes: bool,
    /// Of an issue provider: what it makes of its work items.
    pub issues: Issues,
}

/// A binding as it would be made.
pub fn proposed(app: &App, project: Slug, new: NewBinding) -> Binding {
    let now = app.clock.now();
    let NewBinding { name, connection, selection, code_deployment, partial, deploys, direct_pushes, issues } = new;
    let (id, created_at, updated_at) = (BindingId::random(), now, now);
    Binding {
        id,
        project,
        connection,
        name,
        selection,
        code_deployment,
        partial,
        deploys,
        direct_pushes,
        issues,
        created_at,
        updated_at,
    }
}

/// Makes a binding. `also` gives a change for the same commit, made from the record.
pub async fn create(
    app: &App,
    record: Binding,
    also: impl FnOnce(&Binding) -> Vec<Change>,
) -> Result<Kept<Binding>, Refusal> {
    let _changing = app.changing.lock().await;
    let directory = app.directory();
    if !directory.projects.contains_key(&record.project) {
        return Err(Refusal::NotFound("project"));
    }
    if directory.bindings.len() >= BINDINGS_MAX {
        return Err(Refusal::Full { what: "bindings", max: BINDINGS_MAX });
    }
    check(&directory, &record)?;
    let mut changes = vec![put(kind::BINDING, &record.id, Expected::Absent, &record)];
    changes.extend(backfill::control::first(app, &record));
    changes.extend(also(&record));
    let versions = app.change(changes).await?;
    app.backfills.changed();
    Ok(Kept::new(versions[0], record))
}

/// Replaces what a binding is made of; the role stays.
pub async fn edit(app: &App, id: BindingId, version: u64, new: NewBinding) -> Result<Kept<Binding>, Refusal> {
    let _changing = app.changing.lock().await;
    let directory = app.directory();
    let there = find(&directory, id)?;
    let record = Binding { updated_at: app.clock.now(), ..changed(&directory, Binding::clone(&there.record), new)? };
    // The version that the caller built upon: what was changed since must not be undone.
    let mut changes = vec![put(kind::BINDING, &id, Expected::Version(version), &record)];
    if (record.connection, &record.selection) != (there.record.connection, &there.record.selection) {
        // What it selects now has a past of its own.
        changes.extend(backfill::control::first(app, &record));
    }
    let versions = app.change(changes).await?;
    app.backfills.changed();
    Ok(Kept::new(versions[0], record))
}

/// What a binding would be, if it may be that.
pub fn changed(directory: &Directory, there: Binding, new: NewBinding) -> Result<Binding, Refusal> {
    let NewBinding { name, connection, selection, code_deployment, partial, deploys, direct_pushes, issues } = new;
    let record =
        Binding { connection, name, selection, code_deployment, partial, deploys, direct_pushes, issues, ..there };
    check(directory, &record)?;
    Ok(record)
}

/// Removes a binding.
pub async fn remove(app: &App, id: BindingId, precondition: &Precondition) -> Result<(), Refusal> {
    let _changing = app.changing.lock().await;
    let directory = app.directory();
    precondition.check(find(&directory, id)?.version)?;
    let going = with_their_own(&directory, |binding| binding.id == id);
    app.change(going.map(|kept| delete(kind::BINDING, &kept.record.id, kept.version)).collect()).await?;
    Ok(())
}

/// The bindings of which this is so, and the build providers that serve those alone.
pub fn with_their_own(directory: &Directory, is_so: impl Fn(&Binding) -> bool) -> impl Iterator<Item = &Kept<Binding>> {
    let serves = move |binding: &Binding| {
        let served = binding.code_deployment.and_then(|id| directory.bindings.get(&id));
        is_so(binding) || served.is_some_and(|served| is_so(&served.record))
    };
    directory.bindings.values().filter(move |kept| serves(&kept.record))
}

/// Keeps what the names in bindings mean, and forgets what belongs to no binding any more.
pub async fn keep_meanings(app: &App, mut meanings: Vec<Meaning>) -> Result<(), Refusal> {
    let directory = app.directory();
    for meaning in meanings.iter_mut().filter(|meaning| meaning.process.is_empty()) {
        // What Azure does not say today is what it said before.
        let is_same = |kept: &&Kept<Meaning>| kept.record.ids.azure_project() == meaning.ids.azure_project();
        let before = directory.meanings.get(&meaning.binding).filter(is_same);
        meaning.process = before.map(|kept| kept.record.process.clone()).unwrap_or_default();
    }
    let is_new = |meaning: &Meaning| {
        let kept = directory.meanings.get(&meaning.binding);
        directory.bindings.contains_key(&meaning.binding) && kept.is_none_or(|kept| *kept.record != *meaning)
    };
    let mut changes: Vec<Change> = meanings
        .iter()
        .filter(|meaning| is_new(meaning))
        .map(|meaning| put(kind::MEANING, &meaning.binding, Expected::Any, meaning))
        .collect();
    let orphans = directory.meanings.iter().filter(|(id, _)| !directory.bindings.contains_key(id));
    changes.extend(orphans.map(|(id, kept)| delete(kind::MEANING, id, kept.version)));
    if changes.is_empty() { Ok(()) } else { app.change(changes).await.map(drop) }
}

/// The binding with this id.
pub fn find(directory: &Directory, id: BindingId) -> Result<Kept<Binding>, Refusal> {
    directory.bindings.get(&id).cloned().ok_or(Refusal::NotFound("binding"))
}

fn check(directory: &Directory, binding: &Binding) -> Result<(), Refusal> {
    if !directory.connections.contains_key(&binding.connection) {
        let detail = "is no connection of this gateway; /v1/connections lists them".to_owned();
        return Err(Refusal::Invalid(vec![Wrong { pointer: "/connection", detail }]));
    }
    let role = binding.selection.role();
    let others = || directory.bindings_in(&binding.project).filter(|other| other.record.id != binding.id);
    let alone = match role {
        Role::CodeDeployment => None,
        Role::BuildProvider => Some("build provider"),
        Role::IssueProvider => Some("issue provider"),
    };
    let is_rival = |other: &&Kept<Binding>| {
        other.record.selection.role() == role && other.record.code_deployment == binding.code_deployment
    };
    if let Some(what) = alone
        && let Some(other) = others().find(is_rival)
    {
        let whose = match binding.code_deployment {
            Some(code) => format!("code deployment {code}"),
            None => format!("project {}", binding.project),
        };
        return Err(Refusal::Contradicts(format!(
            "{whose} has its {what} in binding {}; change or delete that one",
            other.record.id
        )));
    }
    if let Some(code) = binding.code_deployment
        && !others().any(|other| other.record.id == code && other.record.selection.role() == Role::CodeDeployment)
    {
        let detail = format!("is no code deployment of project {}; its bindings list them", binding.project);
        return Err(Refusal::Invalid(vec![Wrong { pointer: "/code_deployment", detail }]));
    }
    let same = |other: &&Kept<Binding>| {
        let Binding { connection, selection, code_deployment, deploys, .. } = &*other.record;
        (connection, selection) == (&binding.connection, &binding.selection)
            && (code_deployment, deploys) == (&binding.code_deployment, &binding.deploys)
    };
    if let Some(other) = others().find(same) {
        return Err(Refusal::Contradicts(format!("binding {} selects the same", other.record.id)));
    }
    if let Some(deploys) = &binding.deploys {
        let reached = deploys.reaches.iter().map(|reach| &reach.environment);
        known(directory, binding, "/deploys/environments", reached)?;
        heard_of(directory, binding, deploys.tracking)?;
    }
    known(directory, binding, "/incidents", binding.issues.incidents.iter().map(|rule| &rule.environment))
}

/// Environments are the project's.
fn known<'a>(
    directory: &Directory,
    binding: &Binding,
    pointer: &'static str,
    mut named: impl Iterator<Item = &'a Slug>,
) -> Result<(), Refusal> {
    let environments = directory.projects.get(&binding.project).map_or(&[][..], |kept| &kept.record.environments);
    match named.find(|slug| !environments.iter().any(|known| known.slug == **slug)) {
        Some(slug) => {
            let detail =
                format!("{slug} is no environment of project {}; PUT the project with it first", binding.project);
            Err(Refusal::Invalid(vec![Wrong { pointer, detail }]))
        }
        None => Ok(()),
    }
}

/// The news of builds come by a build provider.
fn heard_of(directory: &Directory, binding: &Binding, tracking: Tracking) -> Result<(), Refusal> {
    if tracking == Tracking::Build && directory.build_provider(&binding.project, Some(binding.id)).is_none() {
        return Err(Refusal::Contradicts(format!(
            "project {} has no build provider, so nobody would hear of builds; bind one first",
            binding.project
        )));
    }
    Ok(())
}
