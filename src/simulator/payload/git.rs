//! Repositories, commits, pushes.

use super::{View, present, project_ref};
use crate::simulator::{
    options::segment,
    world::{Commit, Project, Push, Repository},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Most commits in a hook's payload. What the real limit is, is not documented; that there is one, users report.
pub(crate) const PUSH_COMMITS_MAX: usize = 25;

/// A repository's REST address.
pub(crate) fn url(view: View<'_>, repository: &Repository) -> String {
    format!("{}/{}/_apis/git/repositories/{}", view.base(), repository.project, repository.id)
}

/// A repository's page, which is also where it is cloned from.
pub(crate) fn web_url(view: View<'_>, repository: &Repository, project: &Project) -> String {
    format!("{}/{}/_git/{}", view.base(), segment(&project.name), segment(&repository.name))
}

/// A repository.
pub(crate) fn repository(view: View<'_>, repository: &Repository, project: &Project) -> Value {
    let web = web_url(view, repository, project);
    present(json!({
        "id": repository.id,
        "name": repository.name,
        "url": url(view, repository),
        "project": project_ref(view, project),
        "defaultBranch": repository.default_branch,
        "size": repository.commits.len() * 731,
        "remoteUrl": web,
        "sshUrl": format!("git@ssh.dev.azure.com:v3/{}/{}", segment(&project.name), segment(&repository.name)),
        "webUrl": web,
        "isDisabled": repository.is_disabled,
        "isInMaintenance": false,
        "isFork": repository.fork_of.map(|_| true),
    }))
}

/// A commit as lists have it.
pub(crate) fn commit(view: View<'_>, commit: &Commit, repository: &Repository, project: &Project) -> Value {
    let count = |kind: &str| commit.changes.iter().filter(|(_, own)| *own == kind).count();
    let mut value = short_commit(view, commit, repository);
    value["commentTruncated"] = false.into();
    value["changeCounts"] = json!({"Add": count("add"), "Edit": count("edit"), "Delete": count("delete")});
    value["remoteUrl"] = format!("{}/commit/{}", web_url(view, repository, project), commit.id).into();
    value
}

/// A commit as pushes and pull requests have it.
pub(crate) fn short_commit(view: View<'_>, commit: &Commit, repository: &Repository) -> Value {
    let author = view.people.find(commit.author);
    let signature = |at: Timestamp| {
        json!({
            "name": author.map(|author| author.name.as_str()),
            "email": author.map(|author| author.account.as_str()),
            "date": at.to_string(),
        })
    };
    json!({
        "commitId": commit.id,
        "author": signature(commit.authored),
        "committer": signature(commit.at),
        "comment": commit.comment,
        "url": format!("{}/commits/{}", url(view, repository), commit.id),
    })
}

/// What a commit changed, as `…/commits/{id}/changes` says it.
pub(crate) fn changes(view: View<'_>, commit: &Commit, repository: &Repository) -> Vec<Value> {
    let change = |(path, kind): &(String, &'static str)| {
        json!({
            "item": {
                "gitObjectType": "blob", "path": path, "commitId": commit.id,
                "url": format!("{}/items{}?versionType=Commit&version={}", url(view, repository), path, commit.id),
            },
            "changeType": kind,
        })
    };
    commit.changes.iter().map(change).collect()
}

/// A push with its refs and at most so many commits; without new commits it has no `commits`.
pub(crate) fn push(view: View<'_>, push: &Push, own: &Repository, project: &Project, commits_max: usize) -> Value {
    let found = push.commits.iter().filter_map(|id| own.commits.get(id)).take(commits_max);
    let commits: Vec<Value> = found.map(|commit| short_commit(view, commit, own)).collect();
    let mut value = push_head(view, push, own, project);
    value["refUpdates"] = ref_updates(push, own);
    if !commits.is_empty() {
        value["commits"] = commits.into();
    }
    let pushes = format!("{}/pushes/{}", url(view, own), push.id);
    value["_links"] = json!({
        "self": {"href": pushes},
        "repository": {"href": url(view, own)},
        "commits": {"href": format!("{pushes}/commits")},
        "pusher": {"href": value["pushedBy"]["url"]},
        "refs": {"href": format!("{}/refs", url(view, own))},
    });
    value
}

/// A push as lists have it: no refs, no commits.
pub(crate) fn push_head(view: View<'_>, push: &Push, own: &Repository, project: &Project) -> Value {
    json!({
        "repository": repository(view, own, project),
        "pushedBy": view.person(push.by),
        "pushId": push.id,
        "date": push.at.to_string(),
        "url": format!("{}/pushes/{}", url(view, own), push.id),
    })
}

/// The refs of a push.
pub(crate) fn ref_updates(push: &Push, own: &Repository) -> Value {
    let update = |update: &crate::simulator::world::RefUpdate| {
        json!({
            "repositoryId": own.id,
            "name": update.name,
            "oldObjectId": update.old,
            "newObjectId": update.new,
        })
    };
    push.updates.iter().map(update).collect::<Vec<_>>().into()
}
