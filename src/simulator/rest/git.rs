//! Repositories, refs, commits and pushes.
#![expect(clippy::unnecessary_wraps, reason = "every handler has the type of its row")]

use super::{
    Answer, CODE, Call, InProject, Listing, Outcome, Refusal, Route,
    call::read_time,
    locations::{CHANGES, COMMITS, COMMITS_BATCH, DIFFS, PUSHES, REFS, REPOSITORIES},
};
use crate::simulator::{
    CommitsPagedBy, Simulator, payload,
    payload::View,
    world::{Commit, GitRef, Project, Repository, World},
};
use serde::Deserialize;
use serde_json::{Value, json};

const PAGE: usize = 100;
const REFS_MAX: usize = 1_000;

pub(super) const ROUTES: &[Route] = &[
    row("git/repositories", &REPOSITORIES, repositories),
    row("git/repositories/{repository}", &REPOSITORIES, repository),
    row("git/repositories/{repository}/refs", &REFS, refs).costs(0.1),
    row("git/repositories/{repository}/commits", &COMMITS, commits).costs(0.1),
    Route::new("POST", InProject::Maybe, "git/repositories/{repository}/commitsbatch", &COMMITS_BATCH, CODE, batch)
        .costs(0.1),
    row("git/repositories/{repository}/commits/{commit}", &COMMITS, commit),
    row("git/repositories/{repository}/commits/{commit}/changes", &CHANGES, changes),
    row("git/repositories/{repository}/diffs/commits", &DIFFS, diffs),
    row("git/repositories/{repository}/pushes", &PUSHES, pushes).costs(0.1),
    row("git/repositories/{repository}/pushes/{push}", &PUSHES, push),
];

const fn row(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Maybe, path, location, CODE, handler)
}

/// The repository of the path, with its project. What is in a disabled one is not to be had.
pub(super) fn found<'a>(world: &'a World, call: &Call) -> Outcome<(&'a Repository, &'a Project)> {
    let name = call.parameter("repository");
    let own = world.repository(name, call.project).ok_or_else(|| Refusal::repository(name))?;
    if own.is_disabled {
        return Err(Refusal::repository(&own.name));
    }
    Ok((own, world.project_of(own.project)))
}

fn repositories(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let view = world.view(&call.place);
    let visible = world.repositories.iter().filter(|own| call.project.is_none_or(|project| own.project == project));
    Ok(Answer::list(visible.map(|own| payload::git::repository(view, own, world.project_of(own.project))).collect()))
}

fn repository(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let name = call.parameter("repository");
    let own = world.repository(name, call.project).ok_or_else(|| Refusal::repository(name))?;
    Ok(Answer::json(payload::git::repository(world.view(&call.place), own, world.project_of(own.project))))
}

fn refs(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, _) = found(&world, call)?;
    let view = world.view(&call.place);
    let prefix = call.query("filter").map(|filter| format!("refs/{filter}")).unwrap_or_default();
    // Of version 5.1 on; an older server takes no notice of it.
    let contains = call.query("filterContains").filter(|_| call.version.major > 5).unwrap_or_default().to_lowercase();
    let shown =
        own.refs.iter().filter(|(name, _)| name.starts_with(&prefix) && name.to_lowercase().contains(&contains));
    let ref_of = |(name, at): (&String, &GitRef)| {
        json!({
            "name": name,
            "objectId": at.object,
            "creator": view.person(at.creator),
            "url": format!("{}/refs?filter={}", payload::git::url(view, own), name.trim_start_matches("refs/").replace('/', "%2F")),
        })
    };
    Ok(Listing::of(call, PAGE, REFS_MAX)?.answer(shown, ref_of))
}

/// Commits of a branch, newest first, by time and author.
fn commits(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, project) = found(&world, call)?;
    let view = world.view(&call.place);
    let wanted = |name: &str| {
        let long = call.query(&format!("searchCriteria.{name}"));
        long.or_else(|| call.query(name))
    };
    let of_branch = |short: &str| own.tip(&format!("refs/heads/{short}")).map(str::to_owned);
    let kind = wanted("itemVersion.versionType").unwrap_or("branch").to_ascii_lowercase();
    let tip = match wanted("itemVersion.version") {
        Some(id) if kind == "commit" => Some(id.to_owned()),
        Some(short) => {
            let missing = || {
                let message = format!(
                    "TF401175:The version descriptor <Branch: {short} > could not be resolved to a version in the repository {}",
                    own.name
                );
                Refusal::not_found("GitUnresolvableToCommitException", &message)
            };
            Some(of_branch(short).ok_or_else(missing)?)
        }
        None => own.default_branch.as_deref().and_then(|name| own.tip(name)).map(str::to_owned),
    };
    let (from, to) = (call.time("searchCriteria.fromDate")?, call.time("searchCriteria.toDate")?);
    let author = wanted("author").map(str::to_lowercase);
    let is_by = |commit: &Commit| {
        let person = view.people.find(commit.author).map(|own| own.combined().to_lowercase()).unwrap_or_default();
        author.as_ref().is_none_or(|author| person.contains(author))
    };
    let history = tip.map(|tip| own.history(&tip)).unwrap_or_default();
    let shown = history.into_iter().filter(|commit| {
        from.is_none_or(|from| commit.at >= from) && to.is_none_or(|to| commit.at <= to) && is_by(commit)
    });
    Ok(named_page(call)?.silent_answer(shown, |commit| payload::git::commit(view, commit, own, project)))
}

/// What a POST asks for commits by.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Criteria {
    ids: Option<Vec<String>>,
    item_version: Option<Version>,
    compare_version: Option<Version>,
    author: Option<String>,
    from_date: Option<String>,
    to_date: Option<String>,
    #[serde(rename = "$skip", alias = "skip")]
    skip: Option<usize>,
    #[serde(rename = "$top", alias = "top")]
    top: Option<usize>,
}

/// A branch or a commit, as bodies name them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: String,
    #[serde(default)]
    version_type: Option<Value>,
}

impl Version {
    /// The commit that it means; types come as words, and from some clients as numbers.
    fn commit<'a>(&self, own: &'a Repository) -> Outcome<&'a Commit> {
        let is_commit = self.version_type.as_ref().is_some_and(|kind| {
            kind.as_str().is_some_and(|word| word.eq_ignore_ascii_case("commit")) || kind.as_u64() == Some(2)
        });
        let tip = own.tip(&format!("refs/heads/{}", self.version));
        known_commit(own, if is_commit { &self.version } else { tip.unwrap_or(&self.version) })
    }
}

/// Commits by their ids, or those of a version that another one does not have; newest first.
fn batch(simulator: &Simulator, call: &Call) -> Outcome {
    let criteria: Criteria = call.json()?;
    let world = simulator.instance.world();
    let (own, project) = found(&world, call)?;
    let view = world.view(&call.place);
    let date = |text: &Option<String>| text.as_deref().and_then(read_time);
    let (from, to) = (date(&criteria.from_date), date(&criteria.to_date));
    let all: Vec<&Commit> = match (&criteria.ids, &criteria.item_version, &criteria.compare_version) {
        (Some(ids), ..) => ids.iter().map(|id| known_commit(own, id)).collect::<Outcome<_>>()?,
        // Those that the compared version has and the item's has not.
        (None, Some(base), Some(target)) => own.ahead(&target.commit(own)?.id, &base.commit(own)?.id),
        (None, Some(version), None) => own.history(&version.commit(own)?.id),
        (None, None, _) => {
            let tip = own.default_branch.as_deref().and_then(|name| own.tip(name));
            tip.map(|tip| own.history(tip)).unwrap_or_default()
        }
    };
    let author = criteria.author.as_deref().map(str::to_lowercase);
    let shown = all.into_iter().filter(|commit| {
        let person = || view.people.find(commit.author).map(|own| own.combined().to_lowercase()).unwrap_or_default();
        from.is_none_or(|from| commit.at >= from)
            && to.is_none_or(|to| commit.at <= to)
            && author.as_ref().is_none_or(|author| person().contains(author))
    });
    let paged_by = simulator.instance.faults().commits_paged_by;
    let said = |name: &str, own: Option<usize>| -> Outcome<Option<usize>> {
        let asked: Option<usize> = call.query_as(name)?;
        Ok(match paged_by {
            CommitsPagedBy::Either => asked.or(own),
            CommitsPagedBy::Query => asked,
            CommitsPagedBy::Body => own,
        })
    };
    let (skip, top) = (said("$skip", criteria.skip)?, said("$top", criteria.top)?);
    let page = shown.skip(skip.unwrap_or_default()).take(top.unwrap_or(PAGE));
    Ok(Answer::list(page.map(|commit| payload::git::commit(view, commit, own, project)).collect()))
}

/// This route takes its page also as `searchCriteria.$top`.
fn named_page(call: &Call) -> Outcome<Listing> {
    Listing::named(call, "searchCriteria.$skip", "searchCriteria.$top", PAGE)
}

fn known_commit<'a>(own: &'a Repository, id: &str) -> Outcome<&'a Commit> {
    own.commits.get(id).ok_or_else(|| {
        let message = format!("TF401175: The commit {id} does not exist in repository {}.", own.name);
        Refusal::not_found("GitCommitDoesNotExistException", &message)
    })
}

fn commit(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, project) = found(&world, call)?;
    let commit = known_commit(own, call.parameter("commit"))?;
    let mut value = payload::git::commit(world.view(&call.place), commit, own, project);
    value["parents"] = json!(commit.parents);
    value["treeId"] = commit.id.chars().rev().collect::<String>().into();
    Ok(Answer::json(value))
}

fn changes(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, _) = found(&world, call)?;
    let commit = known_commit(own, call.parameter("commit"))?;
    let all = payload::git::changes(world.view(&call.place), commit, own);
    let (page, _) = Listing::named(call, "skip", "top", PAGE)?.page(all);
    let count = |kind: &str| commit.changes.iter().filter(|(_, own)| *own == kind).count();
    Ok(Answer::json(json!({
        "changeCounts": {"Add": count("add"), "Edit": count("edit"), "Delete": count("delete")},
        "changes": page,
    })))
}

/// What one version has that the other has not.
fn diffs(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, _) = found(&world, call)?;
    let side = |which: &str| -> Outcome<String> {
        let version = call.query(&format!("{which}Version")).unwrap_or_default();
        let is_commit =
            call.query(&format!("{which}VersionType")).is_some_and(|kind| kind.eq_ignore_ascii_case("commit"));
        if is_commit {
            known_commit(own, version).map(|commit| commit.id.clone())
        } else {
            let tip = own.tip(&format!("refs/heads/{version}")).map(str::to_owned);
            tip.ok_or_else(|| {
                Refusal::not_found(
                    "GitUnresolvableToCommitException",
                    &format!("TF401175: The branch {version} could not be resolved."),
                )
            })
        }
    };
    let (base, target) = (side("base")?, side("target")?);
    let view = world.view(&call.place);
    let (new, behind) = (own.ahead(&target, &base), own.ahead(&base, &target).len());
    let mut changes: Vec<Value> = Vec::new();
    for change in new.iter().flat_map(|commit| payload::git::changes(view, commit, own)) {
        if !changes.iter().any(|known| known["item"]["path"] == change["item"]["path"]) {
            changes.push(change);
        }
    }
    let (changes, more) = Listing::named(call, "$skip", "$top", PAGE)?.page(changes);
    Ok(Answer::json(json!({
        "allChangesIncluded": !more, "changeCounts": {"Edit": changes.len()}, "changes": changes,
        "commonCommit": base, "baseCommit": base, "targetCommit": target, "aheadCount": new.len(), "behindCount": behind,
    })))
}

/// Newest first.
fn pushes(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, project) = found(&world, call)?;
    let view: View<'_> = world.view(&call.place);
    let (from, to) = (call.time("searchCriteria.fromDate")?, call.time("searchCriteria.toDate")?);
    let name = call.query("searchCriteria.refName");
    let shown = own.pushes.iter().rev().filter(|push| {
        from.is_none_or(|from| push.at >= from)
            && to.is_none_or(|to| push.at <= to)
            && !call.forgotten.push(push.at, own.id)
            && name.is_none_or(|name| push.updates.iter().any(|update| update.name == name))
    });
    let with_refs = call.is_on("searchCriteria.includeRefUpdates");
    let shown_as = |push| {
        let mut value = payload::git::push_head(view, push, own, project);
        if with_refs {
            value["refUpdates"] = payload::git::ref_updates(push, own);
        }
        value
    };
    Ok(Listing::of(call, PAGE, usize::MAX)?.silent_answer(shown, shown_as))
}

fn push(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, project) = found(&world, call)?;
    let id: u32 = call.parameter_as("push")?;
    let known = own.push(id).filter(|push| !call.forgotten.push(push.at, own.id));
    let push = known.ok_or_else(|| {
        Refusal::not_found("GitPushNotFoundException", &format!("TF401180: The push {id} was not found."))
    })?;
    let commits_max: usize = call.query_as("includeCommits")?.unwrap_or(PAGE);
    let mut value = payload::git::push(world.view(&call.place), push, own, project, commits_max);
    if value.get("commits").is_none() {
        value["commits"] = json!([]);
    }
    if !call.is_on("includeRefUpdates") {
        value.as_object_mut().expect("a push is an object").remove("refUpdates");
    }
    Ok(Answer::json(value))
}
