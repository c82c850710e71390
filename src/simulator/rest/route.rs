//! Rows of the table of routes, and the locations that `OPTIONS _apis` tells of.

use super::{Answer, Call, Outcome};
use crate::{
    azure::client::ApiVersion,
    simulator::{Simulator, options::Edition, people::Scope, site::Site},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Answers a call.
pub(crate) type Handler = fn(&Simulator, &Call) -> Outcome<Answer>;

/// A resource as clients find it: by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location(pub(crate) Uuid);

/// Whether a path names a project before `_apis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InProject {
    Never,
    Maybe,
    Always,
}

/// One row.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) in_project: InProject,
    /// What follows `_apis/`; `{name}` takes a segment.
    pub(crate) path: &'static str,
    pub(crate) location: &'static Location,
    /// Any of these scopes does; none is needed where there are none.
    pub(crate) scopes: &'static [Scope],
    /// Only on this host of the cloud; a Server serves all on one.
    pub(crate) host: Option<Site>,
    /// What a call costs in throughput units, besides its size.
    pub(crate) tstu: f64,
    pub(crate) handler: Handler,
}

impl Location {
    fn capped((major, minor): (u16, u16), edition: Edition) -> ApiVersion {
        ApiVersion { major, minor }.min(edition.latest())
    }

    pub(crate) fn min(&self) -> ApiVersion {
        let (major, minor) = self.resource().min;
        ApiVersion { major, minor }
    }

    pub(crate) fn max(&self, edition: Edition) -> ApiVersion {
        Self::capped(self.resource().max, edition)
    }

    pub(crate) fn released(&self, edition: Edition) -> ApiVersion {
        Self::capped(self.resource().released, edition)
    }

    /// Whether a deployment has it at all.
    pub(crate) fn is_there(&self, edition: Edition) -> bool {
        self.min() <= edition.latest()
    }
}

impl Route {
    /// The path's parameters, if it is this row's. Literals are compared without regard to case, as IIS does.
    pub(crate) fn parameters(&self, segments: &[String]) -> Option<BTreeMap<&'static str, String>> {
        let mut found = BTreeMap::new();
        let mut sent = segments.iter();
        for part in self.path.split('/') {
            let sent = sent.next()?;
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => drop(found.insert(name, sent.clone())),
                None if part.eq_ignore_ascii_case(sent) => {}
                None => return None,
            }
        }
        sent.next().is_none().then_some(found)
    }
}

/// Scopes by area.
pub(crate) const CODE: &[Scope] = &[Scope::Code];
pub(crate) const BUILD: &[Scope] = &[Scope::Build];
pub(crate) const WORK: &[Scope] = &[Scope::Work];
pub(crate) const RELEASE: &[Scope] = &[Scope::Release];
/// Hooks take any of these; none of their own can be chosen in the dialogue for tokens.
pub(crate) const HOOKS: &[Scope] = &[Scope::Code, Scope::Work, Scope::Build];

impl Route {
    /// A row of the main host, at the cost of a small read.
    pub(crate) const fn new(
        method: &'static str,
        in_project: InProject,
        path: &'static str,
        location: &'static Location,
        scopes: &'static [Scope],
        handler: Handler,
    ) -> Self {
        Self { method, in_project, path, location, scopes, host: Some(Site::Main), tstu: 0.05, handler }
    }

    /// On every host of the cloud.
    pub(crate) const fn on_every_host(self) -> Self {
        Self { host: None, ..self }
    }

    /// On the release host.
    pub(crate) const fn on_release_host(self) -> Self {
        Self { host: Some(Site::Release), ..self }
    }

    /// Costs so many throughput units.
    pub(crate) const fn costs(self, tstu: f64) -> Self {
        Self { tstu, ..self }
    }
}

impl Route {
    /// Whether a path like this one may be this row's.
    pub(super) fn is_on(&self, target: &super::target::Target, edition: Edition) -> bool {
        let project = match self.in_project {
            InProject::Never => target.project.is_none(),
            InProject::Maybe => true,
            InProject::Always => target.project.is_some(),
        };
        project && self.is_on_host(target, edition)
    }

    /// Whether the host serves it at all.
    pub(super) fn is_on_host(&self, target: &super::target::Target, edition: Edition) -> bool {
        let of_collection = *self.location != super::locations::COLLECTIONS;
        let host = match (edition, self.host) {
            (Edition::Services, host) => host.is_none_or(|host| host == target.host),
            // A Server has no audit log.
            (Edition::Server(_), host) => host != Some(Site::Audit),
        };
        host && of_collection == target.is_collection && self.location.is_there(edition)
    }
}
