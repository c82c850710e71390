//! The deployments of one code deployment to one environment, in order of time: pure.
//!
//! What a deployment is depends on what was there before it, and that can turn up later. So each has a place by its time and
//! id alone, and whoever puts one in learns which of those after it have to be told anew.

use crate::domain::{Deployment, Step, Telling};
use std::collections::HashSet;
use uuid::Uuid;

/// In order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series(Vec<Telling>);

/// What one is beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The one before it.
    pub(super) previous: Option<Uuid>,
    /// What it is beside that.
    pub(super) step: Step,
}

impl Default for Place {
    fn default() -> Self {
        Self { previous: None, step: Step::First }
    }
}

impl Place {
    fn after(last: &Telling, is_again: bool, was_there: impl FnOnce() -> bool) -> Self {
        let step = if is_again {
            Step::Again
        } else if was_there() {
            Step::Back
        } else {
            Step::Forward
        };
        Self { previous: Some(last.deployment.id), step }
    }
}

impl Series {
    /// All, oldest first.
    pub fn all(&self) -> &[Telling] {
        &self.0
    }

    /// What is there now.
    pub fn current(&self) -> Option<&Telling> {
        self.0.last()
    }

    /// The one with this id.
    pub fn find(&self, id: Uuid) -> Option<&Telling> {
        self.0.iter().find(|telling| telling.deployment.id == id)
    }

    /// The later one that went back to before this one, if any did.
    pub fn undone_by(&self, id: Uuid) -> Option<Uuid> {
        let at = self.0.iter().position(|telling| telling.deployment.id == id)?;
        let before = |telling: &&Telling| {
            let revision = &telling.deployment.revision;
            telling.step == Step::Back && self.0[..at].iter().any(|earlier| earlier.deployment.revision == *revision)
        };
        let found = self.0[at + 1..].iter().find(before)?;
        Some(found.deployment.id)
    }

    /// What a deployment that is not among them would be.
    pub(super) fn place(&self, deployment: &Deployment) -> Place {
        let before = self.0.partition_point(|other| key(&other.deployment) < key(deployment));
        let Some((last, earlier)) = self.0[..before].split_last() else { return Place::default() };
        let same = |telling: &Telling| telling.deployment.revision == deployment.revision;
        Place::after(last, same(last), || earlier.iter().any(same))
    }

    /// Puts a telling to its place, instead of an older one of the same deployment.
    pub(super) fn put(&mut self, telling: Telling) {
        if self.find(telling.deployment.id).is_some_and(|there| there.number > telling.number) {
            return;
        }
        self.0.retain(|other| other.deployment.id != telling.deployment.id);
        let before = self.0.partition_point(|other| key(&other.deployment) < key(&telling.deployment));
        self.0.insert(before, telling);
    }

    /// Takes out everything before a moment.
    pub(super) fn trim(&mut self, before: jiff::Timestamp) {
        let kept = self.0.partition_point(|telling| telling.deployment.at < before);
        self.0.drain(..kept);
    }

    /// The first that is not what it was told to be, with what it is. Goes through all once, since every telling asks.
    pub(super) fn outdated(&self) -> Option<(&Telling, Place)> {
        let (mut earlier, mut last): (HashSet<&str>, Option<&Telling>) = (HashSet::new(), None);
        for telling in &self.0 {
            let revision = telling.deployment.revision.as_str();
            let place = last.map_or_else(Place::default, |last| {
                let is_again = last.deployment.revision == revision;
                Place::after(last, is_again, || earlier.contains(revision))
            });
            // The first that is kept was told beside one that is not any more.
            if place.previous.is_some() && (telling.previous, telling.step) != (place.previous, place.step) {
                return Some((telling, place));
            }
            earlier.insert(revision);
            last = Some(telling);
        }
        None
    }
}

fn key(deployment: &Deployment) -> (jiff::Timestamp, Uuid) {
    (deployment.at, deployment.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BindingId, Cause, ConnectionId};
    use jiff::Timestamp;

    fn deployment(id: u128, second: i64, revision: &str) -> Deployment {
        Deployment {
            id: Uuid::from_u128(id),
            project: "web".parse().unwrap(),
            binding: BindingId(Uuid::nil()),
            name: String::new(),
            connection: ConnectionId(Uuid::nil()),
            environment: "production".parse().unwrap(),
            revision: revision.to_owned(),
            branch: None,
            at: Timestamp::from_second(second).unwrap(),
            cause: Cause::default(),
            source: String::new(),
            azure_project: String::new(),
            repository: String::new(),
            links: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// Tells one, and those after it once more that are something else because of it; how many tellings that took.
    fn tell(series: &mut Series, deployment: Deployment) -> usize {
        let place = series.place(&deployment);
        let telling = |deployment: Deployment, place: Place, number| Telling {
            event: deployment.id,
            number,
            previous: place.previous,
            step: place.step,
            commits: 0,
            deployment,
        };
        series.put(telling(deployment, place, 0));
        let mut told = 1;
        while let Some((old, place)) = series.outdated().map(|(old, place)| (old.clone(), place)) {
            series.put(telling(old.deployment, place, old.number + 1));
            told += 1;
        }
        told
    }

    fn steps(series: &Series) -> Vec<(String, Step, Option<Uuid>)> {
        let line = |telling: &Telling| (telling.deployment.revision.clone(), telling.step, telling.previous);
        series.all().iter().map(line).collect()
    }

    #[test]
    fn a_revision_that_was_there_before_another_is_a_step_back_and_says_what_it_undid() {
        let mut series = Series::default();
        for (at, revision) in [(1, "a"), (2, "b"), (3, "b"), (4, "a"), (5, "c")] {
            assert_eq!(tell(&mut series, deployment(at, at.try_into().unwrap(), revision)), 1);
        }
        let told: Vec<Step> = steps(&series).into_iter().map(|(_, step, _)| step).collect();
        assert_eq!(told, [Step::First, Step::Forward, Step::Again, Step::Back, Step::Forward]);
        let undone = |id| series.undone_by(Uuid::from_u128(id));
        assert_eq!((undone(2), undone(3)), (Some(Uuid::from_u128(4)), Some(Uuid::from_u128(4))));
        assert_eq!((undone(1), undone(4), undone(5)), (None, None, None));
    }

    #[test]
    fn one_that_turns_up_late_is_put_between_and_what_follows_is_told_once_more() {
        let mut series = Series::default();
        tell(&mut series, deployment(1, 1, "a"));
        tell(&mut series, deployment(3, 3, "a"));
        assert_eq!(steps(&series)[1].1, Step::Again);
        assert_eq!(tell(&mut series, deployment(2, 2, "b")), 2, "itself, and what is now a step back");
        assert_eq!(steps(&series)[2], ("a".to_owned(), Step::Back, Some(Uuid::from_u128(2))));
        assert_eq!(series.find(Uuid::from_u128(3)).unwrap().number, 1);
    }

    proptest::proptest! {
        #[test]
        fn in_whatever_order_they_come_they_end_as_the_same(
            (sorted, shuffled) in proptest::collection::vec((0_i64..20, 0_u8..4), 1..15).prop_flat_map(|all| {
                let all: Vec<Deployment> = all
                    .into_iter()
                    .enumerate()
                    .map(|(id, (second, revision))| deployment(id as u128, second, &revision.to_string()))
                    .collect();
                (proptest::strategy::Just(all.clone()), proptest::strategy::Just(all).prop_shuffle())
            })
        ) {
            let ended = |all: Vec<Deployment>| {
                let mut series = Series::default();
                for deployment in all {
                    tell(&mut series, deployment);
                }
                steps(&series)
            };
            proptest::prop_assert_eq!(ended(sorted), ended(shuffled));
        }
    }

    use proptest::strategy::Strategy as _;
}
