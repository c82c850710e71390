//! The levers of runs that are of no branch, that others start, or that check out more than one repository.

use super::{
    Simulator,
    world::{Impossible, StartedBy},
};
use uuid::Uuid;

impl Simulator {
    /// The commit that a branch points to.
    pub fn head(&self, repository: Uuid, branch: &str) -> Option<String> {
        let world = self.instance.world();
        world.repository_of(repository)?.tip(&format!("refs/heads/{branch}")).map(str::to_owned)
    }

    /// Queues a build that validates a pull request; its number.
    pub fn queue_validation(&self, definition: u32, pull_request: u32) -> Result<u32, Impossible> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.queue_build(definition, &format!("refs/pull/{pull_request}/merge"), "pullRequest", by)
        })
    }

    /// Queues a build of a tag; its number.
    pub fn queue_tag_build(&self, definition: u32, tag: &str) -> Result<u32, Impossible> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.queue_build(definition, &format!("refs/tags/{tag}"), "individualCI", by)
        })
    }

    /// Somebody queues a build of a branch; its number.
    pub fn queue_by_hand(&self, definition: u32, branch: &str) -> Result<u32, Impossible> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.queue_build(definition, branch, "manual", by)
        })
    }

    /// Queues a build of a branch of its own pipeline, because another one is over; its number.
    pub fn queue_started(&self, definition: u32, branch: &str, by: u32, how: StartedBy) -> Result<u32, Impossible> {
        self.change(|world| {
            let person = world.person_or_first("");
            world.queue_started(definition, branch, (by, how), person)
        })
    }

    /// A build that was queued takes the artifacts of another one, as a pipeline resource.
    pub fn takes(&self, build: u32, from: u32) -> Result<(), Impossible> {
        self.change(|world| world.take(build, from))
    }

    /// A build that was queued checks out another repository, too: a branch, or a tag by its full name.
    pub fn checks_out(&self, build: u32, repository: Uuid, branch: &str) -> Result<(), Impossible> {
        self.change(|world| world.check_out(build, repository, branch))
    }
}
