//! A past in bulk: what a big organization has done, made quickly.

use super::{
    Build, Edit, Impossible, RefChange, World,
    build::{Job, Stage},
    next,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// Revisions of one work item.
const REVISIONS_EACH: usize = 10;
/// Work items that are changed in turns.
const OPEN_ITEMS: usize = 50;

/// How much of a past, and when. It is spread evenly with a little chance, the same for the same seed, in the project
/// `Fiber Café`: pushes to `main` of `web shop`, builds of `web shop CI` with their stages, work items of 10 revisions.
///
/// Ids grow with time as real ones do, so the past can only be written where nothing has happened yet: begin a simulation
/// that is old already ([`super::super::Options::age_days`]), or move its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Pushes of one commit each.
    #[serde(default)]
    pub pushes: usize,
    /// Builds, all of them finished.
    #[serde(default)]
    pub builds: usize,
    /// Revisions of work items.
    #[serde(default)]
    pub revisions: usize,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends; not later than now.
    pub to: Timestamp,
}

/// Chance that is the same each time: `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

impl Fill {
    /// The times of so many things, growing, each somewhere in its share of the whole.
    fn times(&self, count: usize, mut chance: Chance) -> impl Iterator<Item = Timestamp> + use<> {
        let (from, to) = (self.from.as_microsecond(), self.to.as_microsecond());
        let share = (to - from) / i64::try_from(count.max(1)).unwrap_or(i64::MAX);
        (0..i64::try_from(count).unwrap_or(i64::MAX)).map(move |n| {
            let within = i64::try_from(chance.below(share.unsigned_abs())).unwrap_or_default();
            Timestamp::from_microsecond(from + n * share + within).unwrap_or(Timestamp::MAX)
        })
    }
}

impl World {
    /// Writes a past; see [`Fill`].
    pub(crate) fn fill(&mut self, fill: &Fill) -> Result<(), Impossible> {
        if fill.from < self.written || self.now < fill.to || fill.to <= fill.from {
            let message = format!(
                "the past from {} to {} cannot be written: something happened at {}, and now is {}",
                fill.from, fill.to, self.written, self.now
            );
            return Err(Impossible::State(message));
        }
        let absent = || Impossible::Absent("project, repository or pipeline to fill".to_owned());
        let project = self.project("Fiber Café").map(|own| own.id).ok_or_else(absent)?;
        let repository = self.repository("web shop", Some(project)).map(|own| own.id).ok_or_else(absent)?;
        let definition = self.definitions.values().find(|own| own.name == "web shop CI").map(|own| own.id);
        let definition = definition.ok_or_else(absent)?;
        let now = self.now;
        self.is_quiet = true;
        let done = self
            .fill_pushes(fill, repository)
            .and_then(|()| self.fill_builds(fill, definition, repository))
            .and_then(|()| self.fill_revisions(fill, project));
        (self.is_quiet, self.now, self.written) = (false, now, fill.to);
        done
    }

    fn chance(&self, of: u64) -> Chance {
        Chance(self.seed.rotate_left(32) ^ of)
    }

    fn fill_pushes(&mut self, fill: &Fill, repository: Uuid) -> Result<(), Impossible> {
        let by: Vec<Uuid> = self.people.active().collect();
        for (n, at) in fill.times(fill.pushes, self.chance(1)).enumerate() {
            self.now = at;
            let change = RefChange::Commit {
                branch: "main".to_owned(),
                comment: format!("Step {n}"),
                paths: vec![format!("/src/part{}.rs", n % 100)],
            };
            self.push(repository, by[n % by.len()], &[change])?;
        }
        Ok(())
    }

    /// Each of the commit that was the newest then.
    fn fill_builds(&mut self, fill: &Fill, definition: u32, repository: Uuid) -> Result<(), Impossible> {
        let mut chance = self.chance(2);
        let stages = self.definitions[&definition].stages.clone();
        let own = self.repository_mut(repository)?;
        let tip = own.tip("refs/heads/main").unwrap_or_default().to_owned();
        let of_main = own.pushes.iter().filter_map(|push| {
            let update = push.updates.iter().find(|update| update.name == "refs/heads/main")?;
            Some((push.at, update.new.clone()))
        });
        let heads: Vec<(Timestamp, String)> = of_main.collect();
        // What ends at the end would be outside of it.
        let end = fill.to - SignedDuration::from_micros(1);
        for at in fill.times(fill.builds, self.chance(3)) {
            let head = heads.partition_point(|(pushed, _)| *pushed <= at).checked_sub(1).map(|last| &heads[last].1);
            let result = match chance.below(10) {
                0 => "failed",
                1 => "partiallySucceeded",
                2 => "canceled",
                _ => "succeeded",
            };
            let commit = head.unwrap_or(&tip).clone();
            let build = self.past_build((definition, &stages), commit, (at, end), result, &mut chance);
            self.by_date.note(&build);
            self.builds.insert(build.number, build);
        }
        Ok(())
    }

    fn past_build(
        &self,
        (definition, stages): (u32, &[String]),
        commit: String,
        (queued, end): (Timestamp, Timestamp),
        result: &'static str,
        chance: &mut Chance,
    ) -> Build {
        let mut wait = |seconds: u64| SignedDuration::from_secs(1 + i64::try_from(chance.below(seconds)).unwrap_or(0));
        let within = |at: Timestamp| at.min(end);
        let started = within(queued + wait(30));
        let mut at = started;
        let fails = matches!(result, "failed" | "canceled");
        let mut own = Vec::with_capacity(stages.len());
        for (n, name) in stages.iter().enumerate() {
            let runs = n == 0 || !fails;
            let begun = at;
            at = if runs { within(at + wait(300)) } else { at };
            let of_stage = match (runs, fails) {
                (false, _) => "skipped",
                (true, true) => result,
                (true, false) => "succeeded",
            };
            own.push((name, runs.then_some(begun), at, of_stage));
        }
        let stages = own.into_iter().map(|(name, started, finished, result)| Stage {
            id: chance.id(),
            name: name.clone(),
            attempt: 1,
            state: "completed",
            result: Some(result),
            started,
            finished: Some(finished),
            jobs: vec![Job { id: chance.id(), name: format!("{name} job") }],
        });
        Build {
            number: next(&self.builds, 100),
            definition,
            branch: "refs/heads/main".to_owned(),
            comment: String::new(),
            commit,
            reason: "individualCI",
            trigger: None,
            taken: Vec::new(),
            others: Vec::new(),
            by: self.people.first().id,
            queued,
            started: Some(started),
            finished: Some(at),
            result: Some(result),
            stages: stages.collect(),
            earlier: Vec::new(),
            approvals: Vec::new(),
        }
    }

    fn fill_revisions(&mut self, fill: &Fill, project: Uuid) -> Result<(), Impossible> {
        let by: Vec<Uuid> = self.people.active().collect();
        let mut open: Vec<(u32, usize)> = Vec::new();
        for (n, at) in fill.times(fill.revisions, self.chance(4)).enumerate() {
            self.now = at;
            let person = by[n % by.len()];
            let turn = n % OPEN_ITEMS;
            if let Some((number, revisions)) = open.get_mut(turn).filter(|(_, revisions)| *revisions < REVISIONS_EACH) {
                let state = if revisions.is_multiple_of(2) { "New" } else { "Active" };
                *revisions += 1;
                let edits = [
                    ("System.State".to_owned(), Edit::Set(json!(state))),
                    ("Microsoft.VSTS.Common.Priority".to_owned(), Edit::Set(json!(1 + n % 4))),
                ];
                let number = *number;
                self.update_work_item(number, person, &edits)?;
                continue;
            }
            let number = self.create_work_item(project, "Task", &format!("Errand {n}"), person)?;
            if turn < open.len() {
                open[turn] = (number, 1);
            } else {
                open.push((number, 1));
            }
        }
        Ok(())
    }
}
