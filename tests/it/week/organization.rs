//! People who work all week, whatever happens to the gateway.

use super::dice::Dice;
use crate::real::SHOP;
use hookwell::simulator::{Edit, Impossible, RefChange, Simulator};
use serde_json::json;
use uuid::Uuid;

/// What is under way.
#[derive(Default)]
struct UnderWay {
    /// Repository, number, source branch.
    pull_requests: Vec<(usize, u32, String)>,
    /// Number, stages that are still to run, the one that runs.
    builds: Vec<(u32, Vec<&'static str>, Option<&'static str>)>,
    work_items: Vec<(Uuid, u32)>,
    /// Release and environment that is being deployed to.
    deployments: Vec<(u32, &'static str)>,
    finished_builds: Vec<u32>,
    branches: usize,
}

/// The organization and what its people have begun.
pub(super) struct Organization {
    simulator: Simulator,
    projects: [Uuid; 2],
    repositories: [Uuid; 3],
    pipelines: [(u32, &'static [&'static str]); 2],
    under_way: UnderWay,
}

/// Of which of the organization's repositories and projects the gateway is told.
pub(super) const REPOSITORIES: [(&str, &str); 3] = [(SHOP, "web shop"), (SHOP, "röstplan"), ("Tools", "builder")];

impl Organization {
    pub(super) fn new(simulator: &Simulator) -> Self {
        let projects = [SHOP, "Tools"].map(|name| simulator.project(name).unwrap());
        let repositories = REPOSITORIES.map(|(project, name)| {
            let project = simulator.project(project).unwrap();
            simulator.repository(project, name).unwrap()
        });
        let pipeline = |project, name| simulator.definition(project, name).unwrap();
        let pipelines = [
            (pipeline(projects[0], "web shop CI"), &["Build", "Deploy to production"][..]),
            (pipeline(projects[1], "builder CI"), &["__default"][..]),
        ];
        Self { simulator: simulator.clone(), projects, repositories, pipelines, under_way: UnderWay::default() }
    }

    /// Somebody does something; what cannot be done any more is left.
    pub(super) fn work(&mut self, dice: &mut Dice) {
        let done = match dice.roll(16) {
            0..=2 => self.push(dice),
            3 => self.push_several(dice),
            4 => self.open(dice),
            5 => self.push_to_pull_request(dice),
            6 => self.close(dice),
            7 => self.queue(dice),
            8..=10 => self.go_on_building(dice),
            11 => self.create_work_item(dice),
            12 | 13 => self.edit_work_item(dice),
            14 => self.release(dice),
            _ => self.finish_deployment(dice),
        };
        drop(done);
    }

    /// Something that was begun goes on to its end; false once nothing is half told any more.
    pub(super) fn wind_down(&mut self, dice: &mut Dice) -> bool {
        drop(self.go_on_building(dice));
        drop(self.finish_deployment(dice));
        !self.under_way.builds.is_empty() || !self.under_way.deployments.is_empty()
    }

    fn push(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let repository = *dice.pick(&self.repositories).unwrap();
        let branch = ["main", "main", "develop"][dice.roll(3)];
        self.simulator.push_commit(repository, branch, "A step", &["/src/a.rs"]).map(drop)
    }

    fn push_several(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let repository = *dice.pick(&self.repositories).unwrap();
        self.under_way.branches += 1;
        let commit = |branch: &str| RefChange::Commit {
            branch: branch.to_owned(),
            comment: "Two at once".to_owned(),
            paths: vec!["/src/b.rs".to_owned()],
        };
        let tag = RefChange::Tag { tag: format!("v{}", self.under_way.branches) };
        self.simulator.push(repository, "", &[commit("main"), commit("develop"), tag]).map(drop)
    }

    fn open(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let at = dice.roll(self.repositories.len());
        self.under_way.branches += 1;
        let branch = format!("feature/w{}", self.under_way.branches);
        self.simulator.push_commit(self.repositories[at], &branch, "An idea", &["/src/c.rs"])?;
        let number = self.simulator.create_pull_request(self.repositories[at], &branch, "main", "An idea")?;
        self.under_way.pull_requests.push((at, number, branch));
        Ok(())
    }

    fn push_to_pull_request(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let Some((at, _, branch)) = dice.pick(&self.under_way.pull_requests) else { return Ok(()) };
        self.simulator.push_commit(self.repositories[*at], branch, "A better idea", &["/src/c.rs"]).map(drop)
    }

    fn close(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        if self.under_way.pull_requests.is_empty() {
            return Ok(());
        }
        let at = dice.roll(self.under_way.pull_requests.len());
        let (_, number, _) = self.under_way.pull_requests.remove(at);
        if dice.once_in(4) {
            self.simulator.abandon_pull_request(number)
        } else {
            self.simulator.complete_pull_request(number, dice.once_in(2))
        }
    }

    fn queue(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let (definition, stages) = self.pipelines[dice.roll(2)];
        let number = self.simulator.queue_build(definition, "main")?;
        self.simulator.start_build(number)?;
        self.under_way.builds.push((number, stages.to_vec(), None));
        Ok(())
    }

    fn go_on_building(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        if self.under_way.builds.is_empty() {
            return Ok(());
        }
        let at = dice.roll(self.under_way.builds.len());
        let (number, stages, running) = &mut self.under_way.builds[at];
        let number = *number;
        if let Some(stage) = running.take() {
            return self.simulator.finish_stage(number, stage, "succeeded");
        }
        if stages.is_empty() {
            self.under_way.builds.remove(at);
            self.under_way.finished_builds.push(number);
            let result = ["succeeded", "succeeded", "failed", "partiallySucceeded", "canceled"][dice.roll(5)];
            return self.simulator.finish_build(number, result);
        }
        let stage = stages.remove(0);
        *running = Some(stage);
        self.simulator.start_stage(number, stage)
    }

    fn create_work_item(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let project = self.projects[dice.roll(2)];
        let kind = ["Bug", "Task", "User Story"][dice.roll(3)];
        let number = self.simulator.create_work_item(project, kind, "Something to do")?;
        self.under_way.work_items.push((project, number));
        Ok(())
    }

    fn edit_work_item(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let Some((_, number)) = dice.pick(&self.under_way.work_items).copied() else { return Ok(()) };
        match dice.roll(4) {
            0 => self.simulator.move_work_item(number, "Active").map(drop),
            1 => self.simulator.move_work_item(number, "Closed").map(drop),
            2 => {
                let title = [("System.Title".to_owned(), Edit::Set(json!(format!("Something {}", dice.roll(1_000)))))];
                self.simulator.update_work_item(number, "", &title).map(drop)
            }
            _ => self.simulator.comment_work_item(number, "How is it going?"),
        }
    }

    fn release(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        let Some(build) = dice.pick(&self.under_way.finished_builds).copied() else { return Ok(()) };
        let release = self.simulator.create_release(1, build)?;
        if dice.once_in(5) {
            return self.simulator.abandon_release(release);
        }
        let environment = ["Staging", "Production"][dice.roll(2)];
        self.simulator.start_deployment(release, environment, None)?;
        self.under_way.deployments.push((release, environment));
        Ok(())
    }

    fn finish_deployment(&mut self, dice: &mut Dice) -> Result<(), Impossible> {
        if self.under_way.deployments.is_empty() {
            return Ok(());
        }
        let (release, environment) = self.under_way.deployments.remove(dice.roll(self.under_way.deployments.len()));
        let status = ["succeeded", "succeeded", "rejected", "canceled"][dice.roll(4)];
        self.simulator.finish_deployment(release, environment, status)
    }
}
