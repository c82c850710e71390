//! Somebody works there: whole stories in one call.

use super::{Simulator, world::Impossible};

impl Simulator {
    /// A build from queue to end, its stages run as far as the result lets them; its number.
    pub fn run_build(&self, definition: u32, branch: &str, result: &'static str) -> Result<u32, Impossible> {
        let number = self.queue_build(definition, branch)?;
        self.start_build(number)?;
        let stages: Vec<String> = {
            let world = self.instance.world();
            world.builds.get(&number).map(|own| own.stages.iter().map(|stage| stage.name.clone()).collect())
        }
        .unwrap_or_default();
        let fails = matches!(result, "failed" | "canceled");
        for stage in stages.iter().take(if fails { 1 } else { stages.len() }) {
            self.start_stage(number, stage)?;
            self.finish_stage(number, stage, if fails { result } else { "succeeded" })?;
        }
        self.finish_build(number, result)?;
        Ok(number)
    }

    /// The next thing of a busy day.
    ///
    /// # Errors
    /// Something that it works on is gone by now.
    pub fn do_something(&self, turn: u32) -> Result<(), Impossible> {
        let absent = |what: &str| Impossible::Absent(what.to_owned());
        let project = self.project("Fiber Café").ok_or_else(|| absent("project"))?;
        let repository = self.repository(project, "web shop").ok_or_else(|| absent("repository"))?;
        let branch = format!("busy/{}", turn / 6);
        match turn % 6 {
            0 => {
                let item = self.create_work_item(project, "Task", &format!("Errand {turn}"))?;
                self.move_work_item(item, "Active").map(drop)
            }
            1 => self.push_commit(repository, &branch, &format!("Step {turn}"), &["/src/busy.rs"]).map(drop),
            2 => {
                self.push_commit(repository, &branch, &format!("Step {turn}"), &["/src/busy.rs", "/README.md"])?;
                self.create_pull_request(repository, &branch, "main", &format!("Errand {turn}")).map(drop)
            }
            3 => {
                let open = self.open_pull_request();
                open.map_or(Ok(()), |number| self.vote(number, "juergen@fabrikam.example", 10))
            }
            4 => self.open_pull_request().map_or(Ok(()), |number| self.complete_pull_request(number, true)),
            _ => {
                let definition = self.definition(project, "web shop CI").ok_or_else(|| absent("pipeline"))?;
                let result = if turn.is_multiple_of(5) { "failed" } else { "succeeded" };
                self.run_build(definition, "main", result).map(drop)
            }
        }
    }

    /// The newest one that is open.
    fn open_pull_request(&self) -> Option<u32> {
        let world = self.instance.world();
        world.pull_requests.values().rev().find(|own| own.status == "active").map(|own| own.number)
    }
}
