//! Where stories happen: a simulated Azure DevOps, and what was begun in it.

use super::act::Act;
use crate::real::SHOP;
use hookwell::simulator::{Edit, Impossible, RefChange, Simulator};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

const PEOPLE: [&str; 3] = ["ana@fabrikam.example", "juergen@fabrikam.example", "mei@fabrikam.example"];
const BRANCHES: [&str; 4] = ["main", "topic/1", "topic/2", "release/1"];
const STAGES: [&str; 2] = ["Build", "Deploy to production"];
const ENVIRONMENTS: [&str; 2] = ["Staging", "Production"];
const STATES: [&str; 3] = ["Active", "Closed", "New"];
const KINDS: [&str; 3] = ["Bug", "Task", "User Story"];

/// Where stories happen.
pub(super) struct World {
    simulator: Simulator,
    project: Uuid,
    web: Uuid,
    /// Of which nothing else depends.
    other: Uuid,
    ci: u32,
    cd: u32,
    done: usize,
    pulls: Vec<u32>,
    runs: Vec<u32>,
    over: BTreeSet<u32>,
    asked: Vec<(u32, Uuid)>,
    releases: Vec<u32>,
    items: Vec<u32>,
}

fn of<T: Copy>(all: &[T], at: u8) -> Result<T, Impossible> {
    let found = all.get(usize::from(at) % all.len().max(1)).copied();
    found.ok_or_else(|| Impossible::Absent("one of them".to_owned()))
}

impl World {
    pub(super) fn new(simulator: &Simulator) -> Self {
        let project = simulator.project(SHOP).unwrap();
        let repository = |name| simulator.repository(project, name).unwrap();
        let (web, other) = (repository("web shop"), repository("röstplan"));
        let ci = simulator.definition(project, "web shop CI").unwrap();
        Self {
            simulator: simulator.clone(),
            project,
            web,
            other,
            ci,
            cd: 1,
            done: 0,
            pulls: Vec::new(),
            runs: Vec::new(),
            over: BTreeSet::new(),
            asked: Vec::new(),
            releases: Vec::new(),
            items: Vec::new(),
        }
    }

    pub(super) fn repositories(&self) -> [Uuid; 2] {
        [self.web, self.other]
    }

    /// Does it; what cannot be done is left.
    pub(super) fn act(&mut self, act: Act) {
        self.done += 1;
        self.simulator.acts(PEOPLE[self.done % PEOPLE.len()]);
        drop(self.attempt(act));
    }

    /// One of each is there for what follows.
    pub(super) const BEGINNING: [Act; 5] = [Act::Item(0), Act::Item(1), Act::Open(0), Act::Queue, Act::Release];

    /// Nothing is left that cannot be looked at.
    pub(super) fn end(&self) {
        self.simulator.disable_repository(self.other, false).unwrap();
    }

    fn attempt(&mut self, act: Act) -> Result<(), Impossible> {
        match act {
            Act::Push(_)
            | Act::PushSeveral(_)
            | Act::Back(_)
            | Act::Branch(_)
            | Act::Unbranch(_)
            | Act::Tag(_)
            | Act::Untag(_) => self.push(act),
            Act::RenameAndSwitch => {
                self.simulator.rename_repository(self.other, &format!("röstplan {}", self.done))?;
                self.simulator.disable_repository(self.other, self.done.is_multiple_of(2))
            }
            Act::Queue
            | Act::Stage(..)
            | Act::EndStage(..)
            | Act::EndRun(..)
            | Act::Rerun(..)
            | Act::Ask(..)
            | Act::Answer(..) => self.run(act),
            Act::Release | Act::GiveUp(_) | Act::Deploy(..) | Act::Decide(..) | Act::Deployed(..) => self.release(act),
            Act::Open(_)
            | Act::Comment(_)
            | Act::Reviewers(_)
            | Act::Vote(..)
            | Act::Draft(..)
            | Act::Retitle(_)
            | Act::Retarget(_)
            | Act::Abandon(_)
            | Act::Reactivate(_)
            | Act::Complete(..) => self.pull_request(act),
            _ => self.item(act),
        }
    }

    fn push(&self, act: Act) -> Result<(), Impossible> {
        let commit = |branch: &str| RefChange::Commit {
            branch: branch.to_owned(),
            comment: format!("Step {}", self.done),
            paths: vec!["/src/a.rs".to_owned()],
        };
        // The first is the default branch, which stays.
        let topic = |at: u8| BRANCHES[1 + usize::from(at) % 3].to_owned();
        let tag = |at: u8| format!("v{at}");
        let changes = match act {
            Act::Push(at) => vec![commit(of(&BRANCHES, at)?)],
            Act::PushSeveral(at) => {
                vec![commit("main"), commit(&topic(at)), RefChange::Tag { tag: format!("s{}", self.done) }]
            }
            Act::Back(at) => vec![RefChange::Back { branch: of(&BRANCHES, at)?.to_owned() }],
            Act::Branch(at) => vec![RefChange::Create { branch: topic(at) }],
            Act::Unbranch(at) => vec![RefChange::Delete { name: format!("refs/heads/{}", topic(at)) }],
            Act::Tag(at) => vec![RefChange::Tag { tag: tag(at) }],
            Act::Untag(at) => vec![RefChange::Delete { name: format!("refs/tags/{}", tag(at)) }],
            _ => return Ok(()),
        };
        self.simulator.push(self.web, "", &changes).map(drop)
    }

    fn pull_request(&mut self, act: Act) -> Result<(), Impossible> {
        let simulator = &self.simulator;
        match act {
            Act::Open(at) => {
                let source = BRANCHES[1 + usize::from(at) % 3];
                let _ = simulator.push_commit(self.web, source, "An idea", &["/src/b.rs"]);
                let title = format!("Idea {}", self.done);
                self.pulls.push(simulator.create_pull_request(self.web, source, "main", &title)?);
                Ok(())
            }
            Act::Comment(one) => simulator.comment_pull_request(of(&self.pulls, one)?, "Why?").map(drop),
            Act::Reviewers(one) => {
                simulator.set_reviewers(of(&self.pulls, one)?, &PEOPLE[..=usize::from(one) % PEOPLE.len()])
            }
            Act::Vote(one, vote) => {
                let vote = [10, -5, 0, 5][usize::from(vote) % 4];
                simulator.vote(of(&self.pulls, one)?, of(&PEOPLE, one)?, vote)
            }
            Act::Draft(one, is_draft) => simulator.set_draft(of(&self.pulls, one)?, is_draft),
            Act::Retitle(one) => {
                simulator.edit_pull_request(of(&self.pulls, one)?, &format!("Better idea {}", self.done))
            }
            Act::Retarget(one) => simulator.retarget(of(&self.pulls, one)?, ["release/1", "main"][self.done % 2]),
            Act::Abandon(one) => simulator.abandon_pull_request(of(&self.pulls, one)?),
            Act::Reactivate(one) => simulator.reactivate_pull_request(of(&self.pulls, one)?),
            Act::Complete(one, deletes) => simulator.complete_pull_request(of(&self.pulls, one)?, deletes),
            _ => Ok(()),
        }
    }

    fn run(&mut self, act: Act) -> Result<(), Impossible> {
        let simulator = &self.simulator;
        let stage = |at: u8| STAGES[usize::from(at) % STAGES.len()];
        match act {
            Act::Queue => {
                let run = simulator.queue_build(self.ci, "main")?;
                self.runs.push(run);
                simulator.start_build(run)
            }
            Act::Stage(run, at) => simulator.start_stage(of(&self.runs, run)?, stage(at)),
            Act::EndStage(run, at, how) => {
                let how = ["succeeded", "failed", "skipped", "canceled"][usize::from(how) % 4];
                simulator.finish_stage(of(&self.runs, run)?, stage(at), how)
            }
            Act::EndRun(run, how) => {
                let how = ["succeeded", "failed", "partiallySucceeded", "canceled"][usize::from(how) % 4];
                let run = of(&self.runs, run)?;
                simulator.finish_build(run, how)?;
                self.over.insert(run);
                Ok(())
            }
            // Of a run that is over: of one that is not, a timeline cannot say whether it was.
            Act::Rerun(run, at) => {
                let run = of(&self.runs, run)?;
                if !self.over.contains(&run) {
                    return Err(Impossible::State("it is not over".to_owned()));
                }
                simulator.retry_stage(run, stage(at))?;
                self.over.remove(&run);
                Ok(())
            }
            Act::Ask(run, at) => {
                let run = of(&self.runs, run)?;
                let asked = simulator.request_approval(run, stage(at), "production", PEOPLE[1])?;
                self.asked.push((run, asked));
                Ok(())
            }
            Act::Answer(at, yes) => {
                let (run, asked) = of(&self.asked, at)?;
                simulator.decide_approval(run, asked, yes)
            }
            _ => Ok(()),
        }
    }

    fn release(&mut self, act: Act) -> Result<(), Impossible> {
        let simulator = &self.simulator;
        let place = |at: u8| ENVIRONMENTS[usize::from(at) % ENVIRONMENTS.len()];
        match act {
            // Of a build of the past.
            Act::Release => {
                self.releases.push(simulator.create_release(self.cd, 103)?);
                Ok(())
            }
            Act::GiveUp(one) => simulator.abandon_release(of(&self.releases, one)?),
            Act::Deploy(one, at, asks) => {
                simulator.start_deployment(of(&self.releases, one)?, place(at), asks.then_some(PEOPLE[1])).map(drop)
            }
            Act::Decide(one, at, yes) => simulator.decide_deployment(of(&self.releases, one)?, place(at), yes),
            Act::Deployed(one, at, how) => {
                let how = ["succeeded", "rejected", "partiallySucceeded", "canceled"][usize::from(how) % 4];
                simulator.finish_deployment(of(&self.releases, one)?, place(at), how)
            }
            _ => Ok(()),
        }
    }

    fn item(&mut self, act: Act) -> Result<(), Impossible> {
        let simulator = &self.simulator;
        let set = |name: &str, value: String| (name.to_owned(), Edit::Set(json!(value)));
        let title = || set("System.Title", format!("Title {}", self.done));
        let state = |at: u8| set("System.State", STATES[usize::from(at) % STATES.len()].to_owned());
        let comment = || set("System.History", format!("Said {}", self.done));
        let address = |item: u32| format!("{}/_apis/wit/workItems/{item}", simulator.url());
        let commit = || format!("vstfs:///Git/Commit/{}%2F{}%2F{}", self.project, self.web, "ab".repeat(20));
        match act {
            Act::Item(kind) => {
                let kind = KINDS[usize::from(kind) % KINDS.len()];
                let made = simulator.create_work_item(self.project, kind, &format!("Item {}", self.done))?;
                self.items.push(made);
                Ok(())
            }
            Act::Edit(one) => simulator.update_work_item(of(&self.items, one)?, "", &[title()]).map(drop),
            Act::Move(one, to) => simulator.update_work_item(of(&self.items, one)?, "", &[state(to)]).map(drop),
            Act::Say(one) => simulator.update_work_item(of(&self.items, one)?, "", &[comment()]).map(drop),
            Act::EditAndSay(one, to) => {
                simulator.update_work_item(of(&self.items, one)?, "", &[title(), state(to), comment()]).map(drop)
            }
            Act::EditAndLink(one) => {
                let link = set(
                    "ArtifactLink",
                    format!("vstfs:///Git/Commit/{}%2F{}%2F{:040}", self.project, self.web, self.done),
                );
                simulator.update_work_item(of(&self.items, one)?, "", &[title(), link]).map(drop)
            }
            Act::Retype(one, kind) => {
                let kind = set("System.WorkItemType", KINDS[usize::from(kind) % KINDS.len()].to_owned());
                simulator.update_work_item(of(&self.items, one)?, "", &[kind, state(0)]).map(drop)
            }
            Act::Attach(one) => simulator.link_work_item(of(&self.items, one)?, "ArtifactLink", &commit()),
            Act::Detach(one) => simulator.unlink_work_item(of(&self.items, one)?, &commit()),
            Act::Link(one, other) => {
                let other = address(of(&self.items, other)?);
                simulator.link_work_item(of(&self.items, one)?, "System.LinkTypes.Related", &other)
            }
            Act::Unlink(one, other) => {
                simulator.unlink_work_item(of(&self.items, one)?, &address(of(&self.items, other)?))
            }
            Act::Delete(one) => simulator.delete_work_item(of(&self.items, one)?),
            Act::Restore(one) => simulator.restore_work_item(of(&self.items, one)?),
            _ => Ok(()),
        }
    }
}
