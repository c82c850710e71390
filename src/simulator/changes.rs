//! The levers: everything that a test, a person or a busy day can make happen.

use super::{
    Simulator,
    world::{Edit, Fill, Impossible, MergeStrategy, RefChange},
};
use uuid::Uuid;

type Done<T = ()> = Result<T, Impossible>;

impl Simulator {
    /// The GUID of the project of this name.
    pub fn project(&self, name: &str) -> Option<Uuid> {
        self.instance.world().project(name).map(|own| own.id)
    }

    /// The GUID of the repository of this name in a project.
    pub fn repository(&self, project: Uuid, name: &str) -> Option<Uuid> {
        self.instance.world().repository(name, Some(project)).map(|own| own.id)
    }

    /// The number of the build definition of this name in a project.
    pub fn definition(&self, project: Uuid, name: &str) -> Option<u32> {
        let world = self.instance.world();
        let found = world.definitions.values().find(|own| own.project == project && own.name == name);
        found.map(|own| own.id)
    }

    /// A new project.
    pub fn create_project(&self, name: &str) -> Uuid {
        self.change(|world| world.create_project(name, None))
    }

    /// Gives a project another name.
    pub fn rename_project(&self, id: Uuid, name: &str) -> Done<()> {
        self.change(|world| world.rename_project(id, name))
    }

    /// A new, empty repository.
    pub fn create_repository(&self, project: Uuid, name: &str) -> Uuid {
        self.change(|world| world.create_repository(project, name))
    }

    /// A fork of a repository in the same project.
    pub fn fork_repository(&self, of: Uuid, name: &str) -> Done<Uuid> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.fork_repository(of, by, name)
        })
    }

    /// Renames a repository.
    pub fn rename_repository(&self, repository: Uuid, name: &str) -> Done {
        self.change(|world| world.rename_repository(repository, name))
    }

    /// Disables or enables a repository.
    pub fn disable_repository(&self, repository: Uuid, disabled: bool) -> Done {
        self.change(|world| world.disable_repository(repository, disabled))
    }

    /// Deletes a repository.
    pub fn delete_repository(&self, repository: Uuid) -> Done {
        self.change(|world| world.delete_repository(repository))
    }

    /// One push of several changes by the person of this account; its number.
    pub fn push(&self, repository: Uuid, account: &str, changes: &[RefChange]) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first(account);
            world.push(repository, by, changes)
        })
    }

    /// A push of one commit that changes these paths.
    pub fn push_commit(&self, repository: Uuid, branch: &str, comment: &str, paths: &[&str]) -> Done<u32> {
        let change = RefChange::Commit {
            branch: branch.to_owned(),
            comment: comment.to_owned(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        self.push(repository, "", &[change])
    }

    /// A pull request between two branches, by short names; its number.
    pub fn create_pull_request(&self, repository: Uuid, source: &str, target: &str, title: &str) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.create_pull_request(repository, by, (None, source), target, title)
        })
    }

    /// A pull request from a branch of a fork to one of what it was forked from; its number.
    pub fn create_pull_request_of_fork(&self, fork: Uuid, source: &str, target: &str, title: &str) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first("");
            let of = world.repository_of(fork).and_then(|own| own.fork_of);
            let of = of.ok_or_else(|| Impossible::State(format!("the repository {fork} is no fork")))?;
            world.create_pull_request(of, by, (Some(fork), source), target, title)
        })
    }

    /// The server tries to merge: `succeeded`, `conflicts`, `rejectedByPolicy` or `failure`.
    pub fn attempt_merge(&self, number: u32, status: &'static str) -> Done {
        self.change(|world| world.attempt_merge(number, status))
    }

    /// Sets who reviews a pull request, by account.
    pub fn set_reviewers(&self, number: u32, accounts: &[&str]) -> Done {
        self.change(|world| {
            let people: Vec<Uuid> = accounts.iter().map(|account| world.person_or_first(account)).collect();
            world.set_reviewers(number, &people)
        })
    }

    /// A vote: 10, 5, 0, -5 or -10.
    pub fn vote(&self, number: u32, account: &str, vote: i8) -> Done {
        self.change(|world| {
            let person = world.person_or_first(account);
            world.vote(number, person, vote)
        })
    }

    /// Gives a pull request another title.
    pub fn edit_pull_request(&self, number: u32, title: &str) -> Done {
        self.change(|world| world.edit_pull_request(number, title))
    }

    /// Makes a pull request a draft, or publishes it.
    pub fn set_draft(&self, number: u32, is_draft: bool) -> Done {
        self.change(|world| world.set_draft(number, is_draft))
    }

    /// Gives a pull request another target.
    pub fn retarget(&self, number: u32, target: &str) -> Done {
        self.change(|world| world.retarget(number, target))
    }

    /// Merges a pull request without rewriting anything, and deletes its source branch if that is wanted.
    pub fn complete_pull_request(&self, number: u32, deletes_source: bool) -> Done {
        self.merge_pull_request(number, MergeStrategy::default(), deletes_source)
    }

    /// Merges a pull request in this way.
    pub fn merge_pull_request(&self, number: u32, strategy: MergeStrategy, deletes_source: bool) -> Done {
        self.change(|world| {
            let by = world.person_or_first("");
            world.complete(number, by, strategy, deletes_source)
        })
    }

    /// Gives a pull request up.
    pub fn abandon_pull_request(&self, number: u32) -> Done {
        self.change(|world| {
            let by = world.person_or_first("");
            world.abandon(number, by)
        })
    }

    /// Takes an abandoned pull request up again.
    pub fn reactivate_pull_request(&self, number: u32) -> Done {
        self.change(|world| world.reactivate(number))
    }

    /// A comment on a pull request; its thread.
    pub fn comment_pull_request(&self, number: u32, text: &str) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.comment_pull_request(number, by, text)
        })
    }

    /// A new pipeline of a repository, with these stages; its number.
    pub fn create_definition(&self, repository: Uuid, name: &str, stages: &[&str]) -> Done<u32> {
        self.change(|world| world.create_definition(repository, name, "\\", stages))
    }

    /// Queues a build of a branch; its number.
    pub fn queue_build(&self, definition: u32, branch: &str) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.queue_build(definition, branch, "individualCI", by)
        })
    }

    /// Starts a build.
    pub fn start_build(&self, number: u32) -> Done {
        self.change(|world| world.start_build(number))
    }

    /// Starts a stage.
    pub fn start_stage(&self, number: u32, stage: &str) -> Done {
        self.change(|world| world.move_stage(number, stage, "running", None))
    }

    /// Ends a stage: `succeeded`, `failed`, `canceled`, `skipped`, `rejected`.
    pub fn finish_stage(&self, number: u32, stage: &str, result: &'static str) -> Done {
        self.change(|world| world.move_stage(number, stage, "completed", Some(result)))
    }

    /// A stage that is over runs once more, as its next attempt, and with it a run that was over.
    pub fn retry_stage(&self, number: u32, stage: &str) -> Done {
        self.change(|world| world.retry_stage(number, stage))
    }

    /// Ends a build: `succeeded`, `partiallySucceeded`, `failed`, `canceled`.
    pub fn finish_build(&self, number: u32, result: &'static str) -> Done {
        self.change(|world| world.finish_build(number, result))
    }

    /// A stage waits for the person of this account; the approval's id.
    pub fn request_approval(&self, number: u32, stage: &str, environment: &str, account: &str) -> Done<Uuid> {
        self.change(|world| {
            let approver = world.person_or_first(account);
            world.request_approval(number, stage, environment, approver)
        })
    }

    /// The stage may run, or not.
    pub fn decide_approval(&self, number: u32, approval: Uuid, approved: bool) -> Done {
        self.change(|world| world.decide_approval(number, approval, approved))
    }

    /// A new classic release pipeline, with these environments; its number.
    pub fn create_release_definition(&self, project: Uuid, name: &str, builds: u32, environments: &[&str]) -> u32 {
        self.change(|world| world.create_release_definition(project, name, builds, environments))
    }

    /// A release of a build; its number.
    pub fn create_release(&self, definition: u32, build: u32) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.create_release(definition, build, by)
        })
    }

    /// Gives a release up.
    pub fn abandon_release(&self, release: u32) -> Done {
        self.change(|world| world.abandon_release(release))
    }

    /// Starts to deploy to an environment, after somebody was asked where an account is given.
    pub fn start_deployment(&self, release: u32, environment: &str, approver: Option<&str>) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first("");
            let approver = approver.map(|account| world.person_or_first(account));
            world.start_deployment(release, environment, by, approver)
        })
    }

    /// Whoever was asked says yes or no.
    pub fn decide_deployment(&self, release: u32, environment: &str, approved: bool) -> Done {
        self.change(|world| world.decide_deployment(release, environment, approved))
    }

    /// Ends a deployment: `succeeded`, `partiallySucceeded`, `rejected`, `canceled`.
    pub fn finish_deployment(&self, release: u32, environment: &str, status: &'static str) -> Done {
        self.change(|world| world.finish_deployment(release, environment, status))
    }

    /// A new work item of a type such as `Bug`; its number.
    pub fn create_work_item(&self, project: Uuid, kind: &str, title: &str) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first("");
            world.create_work_item(project, kind, title, by)
        })
    }

    /// Changes fields of a work item, by reference name, and links it (`ArtifactLink` with a URL); the new revision.
    pub fn update_work_item(&self, number: u32, account: &str, edits: &[(String, Edit)]) -> Done<u32> {
        self.change(|world| {
            let by = world.person_or_first(account);
            world.update_work_item(number, by, edits)
        })
    }

    /// Moves a work item to another of its type's states.
    pub fn move_work_item(&self, number: u32, state: &str) -> Done<u32> {
        self.update_work_item(number, "", &[("System.State".to_owned(), Edit::Set(state.into()))])
    }

    /// Comments a work item.
    pub fn comment_work_item(&self, number: u32, text: &str) -> Done {
        self.change(|world| {
            let by = world.person_or_first("");
            world.comment_work_item(number, by, text)
        })
    }

    /// Links a work item, as `ArtifactLink` or `System.LinkTypes.Related`, with a URL.
    pub fn link_work_item(&self, number: u32, kind: &str, url: &str) -> Done {
        self.change(|world| {
            let by = world.person_or_first("");
            world.link_work_item(number, by, kind, url)
        })
    }

    /// Takes away the links of a work item to a URL.
    pub fn unlink_work_item(&self, number: u32, url: &str) -> Done {
        self.change(|world| {
            let by = world.person_or_first("");
            world.unlink_work_item(number, by, url)
        })
    }

    /// Puts a work item into the bin.
    pub fn delete_work_item(&self, number: u32) -> Done {
        self.change(|world| {
            let by = world.person_or_first("");
            world.delete_work_item(number, by)
        })
    }

    /// Takes a work item out of the bin.
    pub fn restore_work_item(&self, number: u32) -> Done {
        self.change(|world| {
            let by = world.person_or_first("");
            world.restore_work_item(number, by)
        })
    }

    /// Advanced Security finds something, `low` to `critical`; the alert's number.
    pub fn raise_alert(&self, repository: Uuid, title: &str, severity: &str) -> Done<u32> {
        self.change(|world| world.raise_alert(repository, title, severity))
    }

    /// An alert has another state (`active`, `dismissed`, `fixed`), or was only seen again.
    pub fn change_alert(&self, number: u32, state: Option<&str>) -> Done {
        self.change(|world| world.change_alert(number, state))
    }

    /// Writes a past as it might have been: see [`Fill`]. Nobody is told of it.
    ///
    /// # Errors
    /// The time of it was lived through already, or there is nowhere to put it.
    pub fn fill(&self, fill: &Fill) -> Done {
        self.change(|world| world.fill(fill))
    }
}
