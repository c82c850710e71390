//! Repositories: created, renamed, switched off and on, deleted, forked.

use super::{
    binding::{About, Family},
    frame::{Fact, Frame, first_uri, moment, person, repository, to_second},
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
    told(frame, &change, &change.repository, |repository| Turn {
        content: Content::RepositoryCreated(repository),
        once: true,
        extras: Members::new(),
    })
}

/// `git.repo.forked`: the fork is a new repository; the same fact as its `git.repo.created`.
pub(super) fn forked(frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    told(frame, &change, &change.target_repository, |fork| Turn {
        content: Content::RepositoryCreated(fork),
        once: true,
        extras: Members::new().object("forkOf", repository(&change.source_repository)),
    })
}

/// `git.repo.renamed`.
pub(super) fn renamed(frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    let extras = Members::new().text("oldName", change.old_name.as_str()).text("newName", change.new_name.as_str());
    told(frame, &change, &change.repository, |repository| Turn {
        content: Content::RepositoryModified(repository),
        once: false,
        extras,
    })
}

/// `git.repo.statuschanged`.
pub(super) fn switched(frame: Frame<'_>) -> Vec<Event> {
    let Some(change) = frame.resource::<RepositoryChange<'_>>() else { return frame.unread() };
    let extras = Members::new().flag("disabled", change.disabled.0);
    told(frame, &change, &change.repository, |repository| Turn {
        content: Content::RepositoryModified(repository),
        once: false,
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
    let turn = Turn {
        content: Content::RepositoryDeleted(cdevents::Repository { name, owner, ..cdevents::Repository::default() }),
        once: false,
        extras: Members::new().text("repositoryId", Some(id)).flag("isHardDelete", change.is_hard_delete.0),
    };
    vec![event(&frame, &about, &change, id, turn)]
}

/// What to say of it.
struct Turn<'a> {
    content: Content<'a>,
    /// It can happen to a repository only once, so its id needs no date.
    once: bool,
    extras: Members<'a>,
}

fn told<'b>(
    mut frame: Frame<'_>,
    change: &'b RepositoryChange<'_>,
    subject: &'b Repository<'_>,
    turn: impl FnOnce(cdevents::Repository<'b>) -> Turn<'b>,
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
    let uri = first_uri([subject.remote_url.as_str(), subject.url.as_str()])
        .unwrap_or_else(|| Cow::Owned(frame.address(&path(id))));
    let turn = turn(cdevents::Repository {
        name: name.or(Some(id)),
        owner: subject.project.name.as_str(),
        uri: Some(uri),
        view_url: first_uri([subject.web_url.as_str()]),
    });
    let turn = Turn { extras: turn.extras.object("repository", repository(subject)), ..turn };
    vec![event(&frame, &about, change, id, turn)]
}

fn event(frame: &Frame<'_>, about: &About<'_>, change: &RepositoryChange<'_>, id: &str, turn: Turn<'_>) -> Event {
    let subject = path(id);
    let time = moment(change.utc_timestamp.as_str());
    let discriminator = match time {
        _ if turn.once => String::new(),
        Some(time) => to_second(time),
        None => frame.occasion(),
    };
    let mut fact = Fact::new(turn.content, &subject, &discriminator);
    fact.time = time;
    fact.extras = turn.extras.object("initiatedBy", person(&change.initiated_by));
    let origin = &change.source_repository;
    if let (Some(project), Some(origin)) = (origin.project.id.as_str(), origin.id.as_str()) {
        fact.links.push(frame.link(LinkKind::ForkOf, &[project], "definition.repository", origin));
    }
    frame.event(about, fact)
}

fn path(id: &str) -> String {
    format!("git/repositories/{id}")
}
