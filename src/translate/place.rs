//! Where people look at code: pages made from the connection's address and Azure's ids, never from what a payload gives as
//! its host (another organization's name stood there for weeks, and an API address is no page). Ids outlive a rename, and
//! hook, history and record have the same of them, but not all have the names.
//!
//! Source: the addresses of `message` and `detailedMessage` in Microsoft's sample payloads (`commit/`, `pullrequest/`,
//! `?discussionId=`); `branchCompare?baseVersion=GC…&targetVersion=GC…`, `pushes/{id}?refName=` and `?version=GB`, `GT` as
//! people copy them from their browsers into public repositories. Project and repository may be given by their GUIDs.

use super::{frame::Frame, identity::segment};
use crate::{
    azure::{
        guid::guid,
        resource::{Project, git::Repository},
    },
    event::{
        cdevents::{Link, LinkKind},
        members::Members,
    },
};

/// A repository's place: what pages and names of things in it are made of.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Of its project, or of the collection where that is not known.
    base: String,
    /// The project's GUID.
    project: Option<String>,
    /// The repository's, as links have it: in lower case.
    repository: String,
}

impl Place {
    /// Of the repository with this id, in the project of the event.
    pub(super) fn here(frame: &Frame<'_>, repository: &str, project: &Project<'_>) -> Self {
        let own = frame.project.map(|project| project.to_string());
        Self::at(frame, own, repository, project)
    }

    /// Of a repository wherever it is: a fork can be another project's.
    pub(super) fn of(frame: &Frame<'_>, repository: &Repository<'_>) -> Option<Self> {
        let own = guid(repository.project.id.as_str()).or(frame.project).map(|project| project.to_string());
        Some(Self::at(frame, own, repository.id.as_str()?, &repository.project))
    }

    fn at(frame: &Frame<'_>, id: Option<String>, repository: &str, project: &Project<'_>) -> Self {
        let collection = frame.collection();
        let base = match (&id, project.name.as_str()) {
            (Some(id), _) => format!("{collection}/{id}"),
            (None, Some(name)) => format!("{collection}/{}", segment(name)),
            (None, None) => collection.into_owned(),
        };
        Self { base, project: id, repository: canonical(repository) }
    }

    /// The repository's page, which is also an address that it can be cloned from.
    pub(super) fn page(&self) -> String {
        format!("{}/_git/{}", self.base, segment(&self.repository))
    }

    pub(super) fn commit(&self, sha: &str) -> String {
        format!("{}/commit/{}", self.page(), segment(sha))
    }

    pub(super) fn compare(&self, old: &str, new: &str) -> String {
        format!("{}/branchCompare?baseVersion=GC{}&targetVersion=GC{}", self.page(), segment(old), segment(new))
    }

    pub(super) fn push(&self, number: i64, reference: &str) -> String {
        format!("{}/pushes/{number}?refName={}", self.page(), segment(reference))
    }

    pub(super) fn tag(&self, name: &str) -> String {
        format!("{}?version=GT{}", self.page(), segment(name))
    }

    pub(super) fn pull_request(&self, number: i64) -> String {
        format!("{}/pullrequest/{number}", self.page())
    }

    pub(super) fn thread(&self, pull_request: i64, thread: Option<i64>) -> String {
        let page = self.pull_request(pull_request);
        thread.map(|thread| format!("{page}?discussionId={thread}")).unwrap_or(page)
    }

    /// A relation to something in this repository, under the one name that it has.
    pub(super) fn link(&self, frame: &Frame<'_>, kind: LinkKind, thing: &str, id: &str) -> Link {
        match &self.project {
            Some(project) => frame.link(kind, &[project, &self.repository], thing, id),
            None => frame.link(kind, &[&self.repository], thing, id),
        }
    }

    /// A relation to the repository itself.
    pub(super) fn repository_link(&self, frame: &Frame<'_>, kind: LinkKind) -> Link {
        frame.link(kind, &[self.project.as_deref().unwrap_or_default()], "definition.repository", &self.repository)
    }

    pub(super) fn commit_link(&self, frame: &Frame<'_>, kind: LinkKind, sha: &str) -> Link {
        self.link(frame, kind, "commit", sha)
    }
}

/// A GUID in lower case, whatever the payload writes; else as it is.
fn canonical(id: &str) -> String {
    guid(Some(id)).map_or_else(|| id.to_owned(), |guid| guid.to_string())
}

/// A repository. Its addresses are made as those of every event are: the record of a pull request has none of its
/// repository, and a hook's can be of a name that the organization had once.
pub(super) fn repository<'a>(frame: &Frame<'_>, repository: &'a Repository<'_>) -> Members<'a> {
    let (id, name) = (repository.project.id.as_str(), repository.project.name.as_str());
    let project = Members::new().text("id", id).text("name", name);
    let cloned = name.zip(repository.name.as_str()).map(|(project, repository)| {
        format!("{}/{}/_git/{}", frame.collection(), segment(project), segment(repository))
    });
    let place = Place::of(frame, repository);
    Members::new()
        .text("id", repository.id.as_str())
        .text("name", repository.name.as_str())
        .text("webUrl", place.as_ref().map(Place::page))
        .text("remoteUrl", cloned.or_else(|| place.as_ref().map(Place::page)))
        .text("defaultBranch", repository.default_branch.as_str())
        .object("project", project)
}
