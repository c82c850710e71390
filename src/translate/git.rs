//! Pushes and check-ins.
//!
//! A change of a branch is said in one place, whether it was created, moved or deleted: the repository is the content's
//! `repository`; ref, objects, page and commits are in the custom data. Types of our own repeat what their content can hold.

use super::{
    binding::{About, Family, branch},
    frame::{Fact, Frame, custom, moment, person},
    place::{Place, repository},
};
use crate::{
    azure::{
        lenient::Text,
        resource::git::{Checkin, Commit, Push, RefUpdate},
    },
    domain::Slug,
    event::{
        Event,
        cdevents::{Content, LinkKind, Reference},
        members::Members,
    },
};
use std::{borrow::Cow, collections::BTreeSet};

/// Fewer commits than any cap of a push's list that was reported: a list as short as this is whole.
const WHOLE_COMMITS_MAX: usize = 20;

/// What happened to a ref.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Created,
    Deleted,
    Updated,
}

/// A push in its place.
struct Pushed<'b> {
    frame: &'b Frame<'b>,
    push: &'b Push<'b>,
    about: About<'b>,
    place: Place,
    /// `git/repositories/{guid}`.
    home: String,
    /// The objects whose branches brought the commits, where they can be told apart.
    owners: BTreeSet<&'b str>,
}

/// `git.push`: one event per ref. An update is no `change.merged`: completing a pull request pushes too, and
/// would be counted twice.
pub(super) fn push(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(push) = frame.resource::<Push<'_>>() else { return frame.unread() };
    frame.within(push.repository.project.id.as_str());
    let about = About::repository(&frame, &push.repository);
    let Some(pushed) = Pushed::new(&frame, &push, about) else {
        return frame.received(&about, Some("the push names no repository"));
    };
    let mut events: Vec<Event> = pushed.named().map(|(update, name)| pushed.moved(update, name)).collect();
    if push.ref_updates.is_empty() {
        return frame.received(&about, Some("the push updates no ref"));
    }
    if events.len() < push.ref_updates.len() {
        events.extend(frame.received(&about, Some("an update of the push names no ref")));
    }
    events
}

/// A push besides is `change.merged` of its head where bindings ask for it and no pull request brought it. Whether
/// one did, a push says only by the words that Azure gives a merge; whoever knows the pull requests looks again.
pub(super) fn merged_directly(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(push) = frame.resource::<Push<'_>>() else { return Vec::new() };
    frame.within(push.repository.project.id.as_str());
    let about = About::repository(&frame, &push.repository);
    let Some(pushed) = Pushed::new(&frame, &push, about) else { return Vec::new() };
    pushed.named().filter_map(|(update, name)| pushed.merged(update, name)).collect()
}

impl RefUpdate<'_> {
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

impl<'b> Pushed<'b> {
    fn new(frame: &'b Frame<'b>, push: &'b Push<'b>, about: About<'b>) -> Option<Self> {
        let id = push.repository.id.as_str()?;
        let place = Place::here(frame, id, &push.repository.project);
        Some(Self { frame, push, about, place, home: format!("git/repositories/{id}"), owners: owners(push) })
    }

    fn named(&self) -> impl Iterator<Item = (&'b RefUpdate<'b>, &'b str)> {
        self.push.ref_updates.iter().filter_map(|update| Some((&update.0, update.name.as_str()?)))
    }

    fn reference(&self) -> Reference<'_> {
        Reference { id: Cow::Borrowed(&self.home) }
    }

    /// The mark that tells this change of the ref from others of it.
    fn discriminator(&self, update: &RefUpdate<'_>) -> String {
        let number = self.push.push_id.0.map_or_else(|| self.frame.occasion(), |id| id.to_string());
        let (old, new) = (update.old_object_id.as_str(), update.new_object_id.as_str());
        format!("{number}:{}:{}", old.unwrap_or_default(), new.unwrap_or_default())
    }

    fn moved(&self, update: &'b RefUpdate<'b>, name: &'b str) -> Event {
        let about = About { branch: branch(Some(name)), ..self.about };
        let (new, turn, page) = (update.new_object_id.as_str(), update.turn(), self.page(update, name));
        let subject = format!("{}/{name}", self.home);
        let discriminator = self.discriminator(update);
        let reference = Members::new().text("id", Some(self.home.as_str()));
        let content = match (about.branch.is_some(), turn) {
            (true, Turn::Created) => Content::BranchCreated { repository: self.reference() },
            (true, Turn::Deleted) => Content::BranchDeleted { repository: self.reference() },
            (on_branch, turn) => {
                let content = objects(update, name).object("repository", reference).text("uri", Some(page.as_str()));
                custom(kind(on_branch, name, turn), content)
            }
        };
        let mut fact = Fact::new(content, &subject, &discriminator);
        fact.time = moment(self.push.date.as_str());
        fact.actor = self.push.pushed_by.handle();
        fact.extras = self.commits(objects(update, name).text("url", Some(page.as_str())), update).and(self.around());
        let is_commit = |id: &str| about.branch.is_some() || (name.starts_with("refs/tags/") && self.shows(id));
        let head = new.filter(|id| turn != Turn::Deleted && is_commit(id));
        fact.links.extend(head.map(|head| self.place.commit_link(self.frame, LinkKind::Commit, head)));
        self.frame.event(&about, fact)
    }

    /// Whether the push shows that an object is a commit: one that it brought, or one that a branch of it points to or did. A
    /// tag's object can be its annotation, and nothing in the payload tells the two apart.
    fn shows(&self, object: &str) -> bool {
        let is = |text: &Text<'_>| text.is(object);
        let of_branch = |update: &RefUpdate<'_>| {
            branch(update.name.as_str()).is_some() && (is(&update.new_object_id) || is(&update.old_object_id))
        };
        let push = self.push;
        push.commits.iter().any(|commit| is(&commit.commit_id)) || push.ref_updates.iter().any(|own| of_branch(own))
    }

    /// Where people see what it changed: the compared heads, the first of a new ref, the push of one that is gone.
    fn page(&self, update: &RefUpdate<'_>, name: &str) -> String {
        let (old, new) = (update.old_object_id.as_str(), update.new_object_id.as_str());
        match (update.turn(), old, new) {
            (Turn::Updated, Some(old), Some(new)) if branch(Some(name)).is_some() => self.place.compare(old, new),
            (Turn::Created | Turn::Updated, _, Some(new)) => match name.strip_prefix("refs/tags/") {
                Some(tag) => self.place.tag(tag),
                None => self.place.commit(new),
            },
            _ => match self.push.push_id.positive() {
                Some(number) => self.place.push(number, name),
                None => self.place.page(),
            },
        }
    }

    fn around(&self) -> Members<'b> {
        let push = self.push;
        let members = Members::new().int("pushId", push.push_id.0).object("pushedBy", person(&push.pushed_by));
        members.object("repository", repository(self.frame, &push.repository))
    }

    /// Those that the ref brought; where nobody can tell whose they are, only the number of the push's.
    fn commits(&self, details: Members<'b>, update: &RefUpdate<'_>) -> Members<'b> {
        let (commits, turn) = (&self.push.commits, update.turn());
        let new = update.new_object_id.as_str().filter(|_| turn != Turn::Deleted);
        let is_alone = self.push.ref_updates.len() == 1;
        if is_alone || new.is_some_and(|new| self.owners.contains(new) && (is_alone || self.is_head(update))) {
            // Nobody knows at how many Azure cuts the list, nor says it when it does.
            let may_be_cut = commits.len() > WHOLE_COMMITS_MAX;
            let details = details.objects("commits", commits.iter().map(|commit| self.commit(commit)));
            return details.flag("commitsMayBeCut", may_be_cut.then_some(true));
        }
        let count = i64::try_from(commits.len()).ok().filter(|count| *count > 0);
        details.int("commitsInPush", count.filter(|_| self.owners.is_empty() && turn != Turn::Deleted))
    }

    /// Whether commits are a branch's: where branches are pushed beside tags, they are the branches'.
    fn is_head(&self, update: &RefUpdate<'_>) -> bool {
        let is_branch = |update: &RefUpdate<'_>| branch(update.name.as_str()).is_some();
        is_branch(update) || !self.push.ref_updates.iter().any(|other| is_branch(other))
    }

    fn commit(&self, commit: &'b Commit<'b>) -> Members<'b> {
        let author = Members::new()
            .text("name", commit.author.name.as_str())
            .text("email", commit.author.email.as_str())
            .time("date", moment(commit.author.date.as_str()));
        Members::new()
            .text("commitId", commit.commit_id.as_str())
            .text("comment", commit.comment.as_str())
            .object("author", author)
            .text("url", commit.commit_id.as_str().map(|id| self.place.commit(id)))
    }

    /// The head as a change of its own, told to the projects that ask for it.
    fn merged(&self, update: &'b RefUpdate<'b>, name: &'b str) -> Option<Event> {
        let head = update.new_object_id.as_str().filter(|_| update.turn() != Turn::Deleted)?;
        let about = About { branch: Some(branch(Some(name))?), ..self.about };
        let projects: Vec<Slug> = about.projects_with(self.frame.context.bindings, |binding| binding.direct_pushes);
        if projects.is_empty() {
            return None;
        }
        let subject = format!("{}/commits/{head}", self.home);
        let discriminator = format!("{name}:{}", self.discriminator(update));
        let mut fact =
            Fact::new(Content::ChangeMerged { repository: Some(self.reference()) }, &subject, &discriminator);
        fact.time = moment(self.push.date.as_str());
        fact.actor = self.push.pushed_by.handle();
        fact.chain = Some(self.frame.chain(&subject));
        let details = objects(update, name).text("url", Some(self.page(update, name)));
        fact.extras = self.commits(details, update).flag("directPush", Some(true)).and(self.around());
        fact.links.push(self.place.commit_link(self.frame, LinkKind::Commit, head));
        fact.links.push(self.place.commit_link(self.frame, LinkKind::MergeCommit, head));
        Some(self.frame.event_of(projects, fact))
    }
}

fn objects<'a>(update: &'a RefUpdate<'_>, name: &'a str) -> Members<'a> {
    let (old, new) = (update.old_object_id.as_str(), update.new_object_id.as_str());
    let forced = update.forced.0.filter(|forced| *forced);
    Members::new().text("ref", Some(name)).text("oldObjectId", old).text("newObjectId", new).flag("forced", forced)
}

/// Whose the commits of a push are, by the new objects. The payload lists those of all its refs together, newest first.
///
/// They are a lone ref's that is left after the push; the branch's that was pushed with tags; and of several branches those
/// of the one whose head is among them, since the others brought nothing new. Branches with one head share them.
fn owners<'a>(push: &'a Push<'_>) -> BTreeSet<&'a str> {
    let left = || push.ref_updates.iter().filter(|update| update.turn() != Turn::Deleted);
    let heads = |branches: bool| -> BTreeSet<&'a str> {
        let of = left().filter(|update| !branches || branch(update.name.as_str()).is_some());
        of.filter_map(|update| update.new_object_id.as_str()).collect()
    };
    let branches = heads(true);
    let owners = if branches.is_empty() { heads(false) } else { branches };
    if owners.len() < 2 || push.commits.len() > WHOLE_COMMITS_MAX {
        return if owners.len() < 2 { owners } else { BTreeSet::new() };
    }
    let is_listed = |head: &&str| push.commits.iter().any(|commit| commit.commit_id.is(head));
    let listed: BTreeSet<&str> = owners.iter().copied().filter(is_listed).collect();
    if listed.len() == 1 { listed } else { BTreeSet::new() }
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
    fact.actor = checkin.checked_in_by.handle();
    fact.extras = Members::new()
        .int("changesetId", Some(changeset))
        .text("comment", checkin.comment.as_str())
        .text("url", Some(format!("{}/_versionControl/changeset/{changeset}", frame.source)))
        .object("author", person(&checkin.author))
        .object("checkedInBy", person(&checkin.checked_in_by));
    vec![frame.event(&about, fact)]
}
