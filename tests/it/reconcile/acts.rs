//! What may happen to a gateway and to an Azure DevOps, in any order.

use crate::real::SHOP;
use hookwell::simulator::{Failing, Rule, Throttle, When};
use proptest::prelude::*;

/// Repositories with a branch, by project.
pub(super) const REPOSITORIES: [(&str, &str); 3] = [(SHOP, "web shop"), (SHOP, "röstplan"), ("Tools", "builder")];
/// Pipelines; none is all of the project.
pub(super) const PIPELINES: [(&str, Option<&str>); 4] =
    [(SHOP, Some("web shop CI")), (SHOP, None), ("Tools", Some("builder CI")), ("Tools", None)];
pub(super) const PROJECTS: [&str; 2] = [SHOP, "Tools"];

/// One thing that happens.
#[derive(Debug, Clone)]
pub(super) enum Act {
    BindRepository(usize),
    BindPipelines(usize),
    BindWorkItems(usize),
    Unbind(usize),
    Rotate,
    AnotherPerson,
    Run,
    Minutes(u8),
    Weather(Vec<(Call, Failing)>),
    Harm(usize, Harm),
    /// Somebody else's hook, or one of ours that a person made by hand.
    Foreign {
        by_hand: bool,
    },
    Push(usize),
    WorkItem(usize),
    Build(usize),
}

/// Which calls fail, half of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    Creating,
    Deleting,
    Listing,
    Any,
}

/// What is done to one of our hooks behind our back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Harm {
    Delete,
    DisableBySystem,
    DisableByUser,
    PutOnProbation,
    Duplicate,
    /// Still at our door, by another address.
    Redirect,
    /// To where nobody is.
    MoveAway,
    Narrow,
    Version,
    UserName,
}

fn weather() -> impl Strategy<Value = Act> {
    let call = prop_oneof![3 => Just(Call::Creating), 2 => Just(Call::Deleting), 1 => Just(Call::Listing), 1 => Just(Call::Any)];
    let block = Throttle::Block { retry_after_seconds: Some(20) };
    let failing = prop_oneof![
        3 => Just(Failing::CutAfter),
        2 => Just(Failing::Unavailable),
        1 => Just(Failing::Throttled(block)),
        1 => Just(Failing::Throttled(Throttle::Cut)),
        1 => Just(Failing::Internal),
        1 => Just(Failing::Forbidden),
        1 => Just(Failing::NotFound),
        1 => Just(Failing::Html),
        1 => Just(Failing::Broken),
    ];
    proptest::collection::vec((call, failing), 0..3).prop_map(Act::Weather)
}

fn harm() -> impl Strategy<Value = Harm> {
    use Harm::*;
    let all = [
        Delete,
        DisableBySystem,
        DisableByUser,
        PutOnProbation,
        Duplicate,
        Redirect,
        MoveAway,
        Narrow,
        Version,
        UserName,
    ];
    proptest::sample::select(all.to_vec())
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..REPOSITORIES.len()).prop_map(Act::BindRepository),
        2 => (0..PIPELINES.len()).prop_map(Act::BindPipelines),
        2 => (0..PROJECTS.len()).prop_map(Act::BindWorkItems),
        2 => any::<usize>().prop_map(Act::Unbind),
        1 => Just(Act::Rotate),
        1 => Just(Act::AnotherPerson),
        6 => Just(Act::Run),
        1 => (1..30_u8).prop_map(Act::Minutes),
        3 => weather(),
        6 => (any::<usize>(), harm()).prop_map(|(hook, harm)| Act::Harm(hook, harm)),
        1 => any::<bool>().prop_map(|by_hand| Act::Foreign { by_hand }),
        2 => (0..REPOSITORIES.len()).prop_map(Act::Push),
        2 => (0..PROJECTS.len()).prop_map(Act::WorkItem),
        2 => (0..PIPELINES.len()).prop_map(Act::Build),
    ]
}

/// The rule by which half of these calls fail.
pub(super) fn rule((call, answer): &(Call, Failing)) -> Rule {
    let (method, contains) = match call {
        Call::Creating => (Some("POST"), "hooks/subscriptions"),
        Call::Deleting => (Some("DELETE"), "hooks/subscriptions"),
        Call::Listing => (Some("GET"), "hooks/subscriptions"),
        Call::Any => (None, "_apis"),
    };
    Rule { method: method.map(str::to_owned), ..Rule::new("", contains, When::Probability(0.5), *answer) }
}
