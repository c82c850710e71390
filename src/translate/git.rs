//! Pushes and check-ins.

use super::{
    binding::{About, Family, branch},
    frame::{Fact, Frame, custom, moment, person, repository},
};
use crate::{
    azure::resource::git::{Checkin, Commit, Push, RefUpdate},
    event::{
        Event,
        cdevents::{Content, LinkKind, Reference},
        members::Members,
    },
};
use std::borrow::Cow;

/// What happened to a ref.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Created,
    Deleted,
    Updated,
}

/// `git.push`: one event per ref. An update is no `change.merged`: completing a pull request pushes too, and
/// would be counted twice.
pub(super) fn push(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(push) = frame.resource::<Push<'_>>() else { return frame.unread() };
    frame.within(push.repository.project.id.as_str());
    let about = About::repository(&frame, &push.repository);
    let Some(repository_id) = push.repository.id.as_str() else {
        return frame.received(&about, Some("the push names no repository"));
    };
    let named = |update: &&_| <RefUpdate<'_>>::name_of(update).is_some();
    let mut events: Vec<Event> = push
        .ref_updates
        .iter()
        .map(|update| &update.0)
        .filter(named)
        .map(|update| ref_update(&frame, about, &push, repository_id, update))
        .collect();
    if push.ref_updates.is_empty() {
        return frame.received(&about, Some("the push updates no ref"));
    }
    if events.len() < push.ref_updates.len() {
        events.extend(frame.received(&about, Some("an update of the push names no ref")));
    }
    events
}

impl RefUpdate<'_> {
    fn name_of(&self) -> Option<&str> {
        self.name.as_str()
    }

    fn turn(&self) -> Turn {
        let none = |id: Option<&str>| id.is_some_and(|id| id.bytes().all(|byte| byte == b'0'));
        if none(self.new_object_id.as_str()) {
            Turn::Deleted
        } else if none(self.old_object_id.as_str()) {
            Turn::Created
        } else {
            Turn::Updated
        }
    }
}

fn ref_update(
    frame: &Frame<'_>,
    about: About<'_>,
    push: &Push<'_>,
    repository_id: &str,
    update: &RefUpdate<'_>,
) -> Event {
    let name = update.name_of().unwrap_or_default();
    let (old, new) = (update.old_object_id.as_str(), update.new_object_id.as_str());
    let about = About { branch: branch(Some(name)), ..about };
    let turn = update.turn();
    let home = format!("git/repositories/{repository_id}");
    let subject = format!("{home}/{name}");
    let push_id = push.push_id.0.map(|id| id.to_string()).unwrap_or_default();
    let discriminator = format!("{push_id}:{}:{}", old.unwrap_or_default(), new.unwrap_or_default());
    let details = Members::new().text("ref", Some(name)).text("oldObjectId", old).text("newObjectId", new);
    let details = commits(details, push);
    let surroundings = Members::new()
        .int("pushId", push.push_id.0)
        .object("pushedBy", person(&push.pushed_by))
        .object("repository", repository(&push.repository));
    let reference = || Reference { id: Cow::Borrowed(home.as_str()) };
    let (content, extras) = match (about.branch.is_some(), turn) {
        (true, Turn::Created) => (Content::BranchCreated { repository: reference() }, details.and(surroundings)),
        (true, Turn::Deleted) => (Content::BranchDeleted { repository: reference() }, details.and(surroundings)),
        (on_branch, turn) => (custom(kind(on_branch, name, turn), details), surroundings),
    };
    let mut fact = Fact::new(content, &subject, &discriminator);
    fact.time = moment(push.date.as_str());
    fact.extras = extras;
    if about.branch.is_some() && turn != Turn::Deleted {
        fact.links.extend(new.map(|new| frame.link_here(LinkKind::Commit, Some(repository_id), "commit", new)));
    }
    frame.event(&about, fact)
}

fn kind(on_branch: bool, name: &str, turn: Turn) -> &'static str {
    match (on_branch, name.starts_with("refs/tags/"), turn) {
        (true, ..) => "dev.cdeventsx.azuredevops-branch.updated.0.1.0",
        (false, true, Turn::Created) => "dev.cdeventsx.azuredevops-tag.created.0.1.0",
        (false, true, Turn::Deleted) => "dev.cdeventsx.azuredevops-tag.deleted.0.1.0",
        (false, true, Turn::Updated) => "dev.cdeventsx.azuredevops-tag.updated.0.1.0",
        (false, false, Turn::Created) => "dev.cdeventsx.azuredevops-ref.created.0.1.0",
        (false, false, Turn::Deleted) => "dev.cdeventsx.azuredevops-ref.deleted.0.1.0",
        (false, false, Turn::Updated) => "dev.cdeventsx.azuredevops-ref.updated.0.1.0",
    }
}

/// The payload lists the commits of the whole push: with one ref they are that ref's; with several nobody can tell
/// whose they are, and only their number is given.
fn commits<'a>(details: Members<'a>, push: &'a Push<'_>) -> Members<'a> {
    if push.ref_updates.len() == 1 {
        return details.objects("commits", push.commits.iter().map(|commit| of_commit(commit)));
    }
    let count = i64::try_from(push.commits.len()).ok().filter(|count| *count > 0);
    details.int("commitsInPush", count)
}

fn of_commit<'a>(commit: &'a Commit<'_>) -> Members<'a> {
    let author = Members::new()
        .text("name", commit.author.name.as_str())
        .text("email", commit.author.email.as_str())
        .time("date", moment(commit.author.date.as_str()));
    Members::new()
        .text("commitId", commit.commit_id.as_str())
        .text("comment", commit.comment.as_str())
        .object("author", author)
}

/// `tfvc.checkin`: a changeset is a change that is merged when it is made. The payload names no project.
pub(super) fn checkin(frame: &Frame<'_>) -> Vec<Event> {
    let Some(checkin) = frame.resource::<Checkin<'_>>() else { return frame.unread() };
    let about = About { family: Family::Code, ..About::project(frame) };
    let Some(changeset) = checkin.changeset_id.positive() else {
        return frame.received(&about, Some("the check-in names no changeset"));
    };
    let subject = format!("tfvc/changesets/{changeset}");
    let mut fact = Fact::new(Content::ChangeMerged { repository: None }, &subject, "");
    fact.time = moment(checkin.created_date.as_str());
    fact.extras = Members::new()
        .int("changesetId", Some(changeset))
        .text("comment", checkin.comment.as_str())
        .object("author", person(&checkin.author))
        .object("checkedInBy", person(&checkin.checked_in_by));
    vec![frame.event(&about, fact)]
}
