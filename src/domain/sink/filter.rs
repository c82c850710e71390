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
    /// About a work item of one of these types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub work_item_types: Vec<String>,
    /// About a work item that went from one state to another in one of these ways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state_changes: Vec<StateChange>,
    /// About one of these branches, by short name, or the beginning of one followed by `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
    /// About something that ended in one of these ways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<String>,
    /// About drafts of pull requests alone (`true`), or about none (`false`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drafts: Option<bool>,
}

/// A way from one state to another; what is not named can be any, but another than the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StateChange {
    /// The state before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The state after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Traits of an event that a filter compares. An event is not about a trait that it does not name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// The environment.
    pub environment: Option<String>,
    /// The type of the work item.
    pub work_item_type: Option<String>,
    /// The state of the work item before, where it changed, and after.
    pub states: Option<(String, String)>,
    /// The branch by its short name; of a pull request, the one that it goes to.
    pub branch: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Whether the pull request is a draft.
    pub is_draft: bool,
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
    /// `work_item_types`.
    WorkItemType,
    /// `state_changes`.
    StateChange,
    /// `branches`.
    Branch,
    /// `outcomes`.
    Outcome,
    /// `drafts`.
    Draft,
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
            Self::WorkItemType => "filter.work_item_types",
            Self::StateChange => "filter.state_changes",
            Self::Branch => "filter.branches",
            Self::Outcome => "filter.outcomes",
            Self::Draft => "filter.drafts",
            Self::AboutItself => "it is about a delivery to this very sink",
        }
    }
}

impl SinkFilter {
    /// The first condition that an event does not meet, if any. Its traits are only asked for where the filter compares one.
    pub fn unwanted(
        &self,
        kind: &str,
        projects: &[Slug],
        connection: ConnectionId,
        traits: impl FnOnce() -> Traits,
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
        if self.looks_inside() { self.without(&traits()) } else { None }
    }

    fn looks_inside(&self) -> bool {
        let lists = [&self.environments, &self.work_item_types, &self.branches, &self.outcomes];
        lists.iter().any(|list| !list.is_empty()) || !self.state_changes.is_empty() || self.drafts.is_some()
    }

    /// The condition on traits that the event does not meet.
    fn without(&self, traits: &Traits) -> Option<Unwanted> {
        let has = |wanted: &[String], own: Option<&String>, is_one: fn(&str, &str) -> bool| {
            wanted.is_empty() || own.is_some_and(|own| wanted.iter().any(|wanted| is_one(wanted, own)))
        };
        let went = |change: &StateChange| {
            traits.states.as_ref().is_some_and(|(from, to)| {
                let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| is_same(wanted, own));
                is(&change.from, from) && is(&change.to, to) && !is_same(from, to)
            })
        };
        let is_met = [
            (has(&self.environments, traits.environment.as_ref(), str::eq), Unwanted::Environment),
            (has(&self.work_item_types, traits.work_item_type.as_ref(), is_same), Unwanted::WorkItemType),
            (self.state_changes.is_empty() || self.state_changes.iter().any(went), Unwanted::StateChange),
            (has(&self.branches, traits.branch.as_ref(), is_branch), Unwanted::Branch),
            (has(&self.outcomes, traits.outcome.as_ref(), str::eq), Unwanted::Outcome),
            (self.drafts.is_none_or(|wanted| wanted == traits.is_draft), Unwanted::Draft),
        ];
        is_met.into_iter().find(|(is_met, _)| !is_met).map(|(_, unwanted)| unwanted)
    }
}

/// Names of types and states are compared without regard to case, as Azure does.
fn is_same(wanted: &str, own: &str) -> bool {
    wanted.eq_ignore_ascii_case(own) || (!wanted.is_ascii() && wanted.to_lowercase() == own.to_lowercase())
}

/// Exactly, as Git does; a `*` at the end stands for whatever follows.
fn is_branch(wanted: &str, own: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => own.starts_with(prefix),
        None => wanted == own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn connection(number: u128) -> ConnectionId {
        ConnectionId(Uuid::from_u128(number))
    }

    #[test]
    fn the_first_part_of_the_filter_that_an_event_does_not_pass_is_named() {
        let slug = |text: &str| text.parse::<Slug>().unwrap();
        let filter = SinkFilter {
            types: vec![TypePattern::new("dev.cdevents.service.*")],
            projects: vec![slug("shop")],
            connections: vec![connection(1)],
            environments: vec!["production".to_owned()],
            ..SinkFilter::default()
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
            let traits = || Traits { environment: environment.map(str::to_owned), ..Traits::default() };
            assert_eq!(filter.unwanted(kind, projects, connection(from), traits), unwanted);
        }
        let nobody_asks = || panic!("no traits are wanted");
        assert_eq!(SinkFilter::default().unwanted("anything", &[], connection(1), nobody_asks), None);
    }

    #[test]
    fn each_trait_is_looked_at_and_what_an_event_does_not_name_it_is_not_about() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let way = |from: Option<&str>, to: Option<&str>| StateChange {
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        let bugs = SinkFilter { work_item_types: list(&["bug", "Größe"]), ..SinkFilter::default() };
        let moves = |state_changes| SinkFilter { state_changes, ..SinkFilter::default() };
        let branches = SinkFilter { branches: list(&["main", "release/*"]), ..SinkFilter::default() };
        let failures = SinkFilter { outcomes: list(&["failure", "error"]), ..SinkFilter::default() };
        let drafts = |wanted| SinkFilter { drafts: Some(wanted), ..SinkFilter::default() };
        let both = SinkFilter { outcomes: list(&["failure"]), ..branches.clone() };

        let none = Traits::default();
        let kind = |word: &str| Traits { work_item_type: Some(word.to_owned()), ..Traits::default() };
        let went =
            |from: &str, to: &str| Traits { states: Some((from.to_owned(), to.to_owned())), ..Traits::default() };
        let on = |branch: &str| Traits { branch: Some(branch.to_owned()), ..Traits::default() };
        let ended = |outcome: &str| Traits { outcome: Some(outcome.to_owned()), ..Traits::default() };
        let draft = Traits { is_draft: true, ..Traits::default() };
        let (any, closed) = (way(None, None), way(None, Some("closed")));
        let reopened = way(Some("Closed"), Some("Active"));
        for (at, (filter, traits, unwanted)) in [
            (&bugs, kind("Bug"), None),
            (&bugs, kind("GRÖSSE"), Some(Unwanted::WorkItemType)),
            (&bugs, kind("größe"), None),
            (&bugs, kind("Task"), Some(Unwanted::WorkItemType)),
            (&bugs, none.clone(), Some(Unwanted::WorkItemType)),
            (&moves(vec![any.clone()]), went("New", "Active"), None),
            (&moves(vec![any]), none.clone(), Some(Unwanted::StateChange)),
            (&moves(vec![closed.clone()]), went("Active", "Closed"), None),
            (&moves(vec![closed.clone()]), went("Closed", "Active"), Some(Unwanted::StateChange)),
            (&moves(vec![closed, reopened.clone()]), went("Closed", "Active"), None),
            (&moves(vec![reopened]), went("Resolved", "Active"), Some(Unwanted::StateChange)),
            (&branches, on("main"), None),
            (&branches, on("release/2.0"), None),
            (&branches, on("Main"), Some(Unwanted::Branch)),
            (&branches, none.clone(), Some(Unwanted::Branch)),
            (&failures, ended("error"), None),
            (&failures, ended("success"), Some(Unwanted::Outcome)),
            (&failures, none.clone(), Some(Unwanted::Outcome)),
            (&drafts(false), none.clone(), None),
            (&drafts(false), draft.clone(), Some(Unwanted::Draft)),
            (&drafts(true), draft, None),
            (&drafts(true), none, Some(Unwanted::Draft)),
            (&both, Traits { branch: Some("main".to_owned()), ..ended("failure") }, None),
            (&both, Traits { branch: Some("other".to_owned()), ..ended("success") }, Some(Unwanted::Branch)),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(filter.unwanted("a", &[], connection(1), || traits), unwanted, "case {at}");
        }
    }

    #[test]
    fn a_filter_of_before_has_no_wishes_of_today() {
        let before = r#"{"types":["a"],"projects":[],"connections":[],"environments":[]}"#;
        let filter: SinkFilter = serde_json::from_str(before).unwrap();
        assert_eq!(serde_json::to_string(&filter).unwrap(), before);
    }
}
