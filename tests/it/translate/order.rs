//! What must come before the events of the fixtures.

use super::{cases, events};
use hookwell::{
    event::Event,
    translate::order::{Before, Entity, Place, otherwise_told, place},
};
use std::collections::BTreeMap;

fn of(name: &str) -> Vec<Event> {
    let case = cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name}"));
    events(&case.name, &case.body).unwrap()
}

fn place_of(name: &str) -> Place {
    of(name).iter().find_map(place).unwrap_or_else(|| panic!("{name} has no place"))
}

#[test]
fn every_family_has_its_place() {
    let mut told: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for case in cases() {
        for place in events(&case.name, &case.body).unwrap().iter().filter_map(place) {
            let family = match place.entity {
                Entity::WorkItem { .. } => "work item",
                Entity::Ref { .. } => "ref",
                Entity::PullRequest { .. } | Entity::Iterations { .. } => "pull request",
                Entity::Run { .. } => "run",
                Entity::Release { .. } => "release",
                Entity::Deployment { .. } => "deployment",
            };
            let kind = match &place.before {
                Before::Nothing => 0,
                Before::OneOf(ids) => {
                    assert!(!ids.contains(&place.id), "{}: nothing comes before itself", case.name);
                    1
                }
                Before::Head => 2,
            };
            told.entry(family).or_default()[kind] += 1;
            assert_eq!(place.moved.is_some(), kind == 2);
        }
    }
    let families: Vec<&str> = told.keys().copied().collect();
    assert_eq!(families, ["deployment", "pull request", "ref", "release", "run", "work item"]);
    assert!(
        told.iter().all(|(family, [_, ids, heads])| if *family == "ref" { *heads > 0 } else { *ids > 0 }),
        "{told:?}"
    );
}

#[test]
fn a_revision_follows_the_one_before_it_however_that_was_told() {
    let place = place_of("workitem.updated/closed-5.1.json");
    assert_eq!(place.entity, Entity::WorkItem { number: 42, rev: 7 });
    let Before::OneOf(before) = &place.before else { panic!("{place:?}") };
    // Changed, closed, deleted, restored, commented.
    assert_eq!((before.len(), place.need), (5, before[0]));
    let others = otherwise_told(&of("workitem.updated/closed-5.1.json")[0]);
    assert_eq!((others.len(), others.contains(&place.id)), (1, false));
}

#[test]
fn a_push_begins_where_the_ref_was() {
    let place = place_of("git.push/branch-updated.json");
    let moved = place.moved.unwrap();
    assert_eq!((place.before, moved.push, place.need), (Before::Head, 318, moved.needs()));
    assert_ne!(moved.needs(), moved.meets());
    let Entity::Ref { name, from, .. } = place.entity else { panic!("it is a ref") };
    assert_eq!((name.as_str(), from.as_str()), ("refs/heads/main", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"));
}
