//! The deployments of one code deployment to one environment, in order of time: pure.
//!
//! What a deployment is depends on what was there before it, and that can turn up later. So each has a place by its time and
//! id alone, and whoever puts one in learns which of those after it have to be told anew.

use crate::domain::{Deployment, Step, Telling};
use uuid::Uuid;

/// In order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series(Vec<Telling>);

/// What one is beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The one before it.
    pub previous: Option<Uuid>,
    /// What it is beside that.
    pub step: Step,
}

impl Default for Place {
    fn default() -> Self {
        Self { previous: None, step: Step::First }
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

    /// Whether this one is among them: by its place, which is found without looking at all.
    pub(super) fn has(&self, deployment: &Deployment) -> bool {
        let found = self.0.binary_search_by(|other| key(&other.deployment).cmp(&key(deployment)));
        found.is_ok()
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
        place(&self.0[..before], deployment)
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

    /// Those that are not what they were told to be, with what they are.
    pub(super) fn outdated(&self) -> Vec<(Telling, Place)> {
        let now = self.0.iter().enumerate().map(|(at, telling)| (telling, place(&self.0[..at], &telling.deployment)));
        let changed = now.filter(|(told, place)| (told.previous, told.step) != (place.previous, place.step));
        // The first that is kept was told beside one that is not any more.
        changed.filter(|(_, place)| place.previous.is_some()).map(|(told, place)| (told.clone(), place)).collect()
    }
}

fn key(deployment: &Deployment) -> (jiff::Timestamp, Uuid) {
    (deployment.at, deployment.id)
}

fn place(before: &[Telling], deployment: &Deployment) -> Place {
    let Some((last, earlier)) = before.split_last() else { return Place::default() };
    let same = |telling: &Telling| telling.deployment.revision == deployment.revision;
    let step = match () {
        () if same(last) => Step::Again,
        () if earlier.iter().any(same) => Step::Back,
        () => Step::Forward,
    };
    Place { previous: Some(last.deployment.id), step }
}
