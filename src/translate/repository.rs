//! Repositories: created, renamed, switched off and on, deleted, forked.

use super::{
    binding::{About, Family},
    frame::{Fact, Frame, moment, person},
    place::{Place, repository},
};
use crate::{
    azure::resource::git::{Repository, RepositoryChange},
    event::{
        Event,
        cdevents::{self, Content, LinkKind},
        members::Members,
    },
};
use std::borrow::Cow;

const NO_REPOSITORY: &str = "the resource names no repository";

/// `git.repo.created`.
pub(super) fn created(frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    told(frame, &change, &change.repository, |_, repository| Turn {
        content: Content::RepositoryCreated(repository),
        once: None,
        extras: Members::new(),
    })
}

/// `git.repo.forked`: the fork is a new repository; the same fact as its `git.repo.created`.
pub(super) fn forked(frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    told(frame, &change, &change.target_repository, |frame, fork| Turn {
        content: Content::RepositoryCreated(fork),
        once: None,
        extras: Members::new().object("forkOf", repository(frame, &change.source_repository)),
    })
}

/// `git.repo.renamed`.
pub(super) fn renamed(frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    let (old, new) = (change.old_name.as_str(), change.new_name.as_str());
    let extras = Members::new().text("oldName", old).text("newName", new);
    let done = format!("renamed:{}:{}", old.unwrap_or_default(), new.unwrap_or_default());
    told(frame, &change, &change.repository, |_, repository| Turn {
        content: Content::RepositoryModified(repository),
        once: Some(done),
        extras,
    })
}

/// `git.repo.statuschanged`.
pub(super) fn switched(frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    let extras = Members::new().flag("disabled", change.disabled.0);
    let done = match change.disabled.0 {
        Some(true) => "disabled",
        Some(false) => "enabled",
        None => "switched",
    };
    told(frame, &change, &change.repository, |_, repository| Turn {
        content: Content::RepositoryModified(repository),
        once: Some(done.to_owned()),
        extras,
    })
}

/// `git.repo.deleted`: only the id and the name are left.
pub(super) fn deleted(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    frame.within(change.project.id.as_str());
    let (id, name) = (change.repository_id.as_str(), change.repository_name.as_str());
    let about = About { repository: [id, name], ..About::within(&frame, Family::Code, &change.project) };
    let Some(id) = id else { return frame.received(&about, Some(NO_REPOSITORY)) };
    let owner = change.project.name.as_str();
    let done = if change.is_hard_delete.0 == Some(true) { "purged" } else { "deleted" };
    let turn = Turn {
        content: Content::RepositoryDeleted(cdevents::Repository { name, owner, ..cdevents::Repository::default() }),
        once: Some(done.to_owned()),
        extras: Members::new().text("repositoryId", Some(id)).flag("isHardDelete", change.is_hard_delete.0),
    };
    vec![event(&frame, &about, &change, id, turn)]
}

/// What to say of it.
struct Turn<'a> {
    content: Content<'a>,
    /// The mark of a change that can be made again at another time; `None` of one that happens to a repository only once.
    once: Option<String>,
    extras: Members<'a>,
}

fn told<'b>(
    mut frame: Frame<'_>,
    change: &'b RepositoryChange<'_>,
    subject: &'b Repository<'_>,
    turn: impl FnOnce(&Frame<'_>, cdevents::Repository<'b>) -> Turn<'b>,
) -> Vec<Event> {
    // A fork can live in another project than the envelope's: its events belong to its own.
    if change.target_repository.id.as_str().is_some() {
        frame.moved_to(subject.project.id.as_str());
    }
    frame.within(subject.project.id.as_str());
    let about = About::repository(&frame, subject);
    let (Some(id), name) = (subject.id.as_str(), subject.name.as_str()) else {
        return frame.received(&about, Some(NO_REPOSITORY));
    };
    let page = Place::here(&frame, id, &subject.project).page();
    let turn = turn(
        &frame,
        cdevents::Repository {
            name: name.or(Some(id)),
            owner: subject.project.name.as_str(),
            uri: Some(Cow::Owned(page.clone())),
            view_url: Some(Cow::Owned(page)),
        },
    );
    let turn = Turn { extras: turn.extras.object("repository", repository(&frame, subject)), ..turn };
    vec![event(&frame, &about, change, id, turn)]
}

fn event(frame: &Frame<'_>, about: &About<'_>, change: &RepositoryChange<'_>, id: &str, turn: Turn<'_>) -> Event {
    let subject = format!("git/repositories/{id}");
    let time = moment(change.utc_timestamp.as_str());
    let at = || time.map_or_else(|| frame.occasion(), |time| time.to_string());
    let discriminator = turn.once.map(|done| format!("{done}:{}", at())).unwrap_or_default();
    let mut fact = Fact::new(turn.content, &subject, &discriminator);
    fact.time = time;
    fact.actor = change.initiated_by.handle();
    fact.extras = turn.extras.object("initiatedBy", person(&change.initiated_by));
    let origin = &change.source_repository;
    fact.links.extend(Place::of(frame, origin).map(|origin| origin.repository_link(frame, LinkKind::ForkOf)));
    frame.event(about, fact)
}
