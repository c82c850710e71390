//! Which events a sink wants, decided per event with the reason: "why was this not sent?" is asked of every gateway.

use super::super::{ConnectionId, Slug, TypePattern};
use serde::{Deserialize, Serialize};

/// Everything that is set must hold; an empty list means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SinkFilter {
    /// One of these types.
    pub types: Vec<TypePattern>,
    /// Of one of these projects.
    pub projects: Vec<Slug>,
    /// From one of these connections.
    pub connections: Vec<ConnectionId>,
    /// About one of these environments. An event that names no environment is about none.
    pub environments: Vec<String>,
}

/// Which part of a filter an event does not pass, the first in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unwanted {
    /// `types`.
    Type,
    /// `projects`.
    Project,
    /// `connections`.
    Connection,
    /// `environments`.
    Environment,
    /// It tells that a delivery to this very sink has died.
    AboutItself,
}

impl Unwanted {
    /// The member of the sink that says so, or why none does.
    pub fn words(self) -> &'static str {
        match self {
            Self::Type => "filter.types",
            Self::Project => "filter.projects",
            Self::Connection => "filter.connections",
            Self::Environment => "filter.environments",
            Self::AboutItself => "it is about a delivery to this very sink",
        }
    }
}

impl SinkFilter {
    /// What an event does not pass, if anything. `environment` is only asked for where the filter has environments.
    pub fn unwanted(
        &self,
        kind: &str,
        projects: &[Slug],
        connection: ConnectionId,
        environment: impl FnOnce() -> Option<String>,
    ) -> Option<Unwanted> {
        if !self.types.is_empty() && !self.types.iter().any(|pattern| pattern.matches(kind)) {
            return Some(Unwanted::Type);
        }
        if !self.projects.is_empty() && !self.projects.iter().any(|project| projects.contains(project)) {
            return Some(Unwanted::Project);
        }
        if !self.connections.is_empty() && !self.connections.contains(&connection) {
            return Some(Unwanted::Connection);
        }
        if !self.environments.is_empty() && environment().is_none_or(|named| !self.environments.contains(&named)) {
            return Some(Unwanted::Environment);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_first_part_of_the_filter_that_an_event_does_not_pass_is_named() {
        let connection = |number| ConnectionId(Uuid::from_u128(number));
        let slug = |text: &str| text.parse::<Slug>().unwrap();
        let filter = SinkFilter {
            types: vec![TypePattern::new("dev.cdevents.service.*")],
            projects: vec![slug("shop")],
            connections: vec![connection(1)],
            environments: vec!["production".to_owned()],
        };
        let kind = "dev.cdevents.service.deployed.0.3.0";
        let shop = [slug("shop")];
        for (kind, projects, from, environment, unwanted) in [
            (kind, &shop[..], 1, Some("production"), None),
            ("dev.cdevents.change.merged.0.3.0", &[], 2, None, Some(Unwanted::Type)),
            (kind, &[], 2, None, Some(Unwanted::Project)),
            (kind, &shop[..], 2, None, Some(Unwanted::Connection)),
            (kind, &shop[..], 1, Some("test"), Some(Unwanted::Environment)),
            (kind, &shop[..], 1, None, Some(Unwanted::Environment)),
        ] {
            let environment = || environment.map(str::to_owned);
            assert_eq!(filter.unwanted(kind, projects, connection(from), environment), unwanted);
        }
        let nobody_asks = || panic!("no environments are wanted");
        assert_eq!(SinkFilter::default().unwanted("anything", &[], connection(1), nobody_asks), None);
    }
}
