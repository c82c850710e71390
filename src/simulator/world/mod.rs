//! The model: what there is, and how it changes. No clock, no sockets.

mod alert;
mod build;
mod fill;
mod git;
mod merge;
mod populate;
mod pull_request;
pub(crate) mod record_ids;
mod release;
mod started;
mod work_item;
mod work_item_edit;
mod work_item_link;

pub(crate) use self::started::{RunOf, Trigger};
pub(crate) use self::{
    build::{Approval, Build, BuildDate, BuildDefinition, Stage},
    git::{Commit, GitRef, NO_OBJECT, Push, RefUpdate, Repository},
    pull_request::{Comment, DRAFT_CHANGED, PullRequest, Reviewer, Vote},
    release::{Deployment, Release, ReleaseDefinition, ReleaseEnvironment},
    work_item::{Field, Revision, WorkItem, WorkItemKind, changed_fields, kind_named, kinds},
    work_item_link::LinkUpdate,
};
pub use self::{fill::Fill, git::RefChange, merge::MergeStrategy, started::StartedBy, work_item_edit::Edit};

use super::{
    forget::{Entity, Of},
    occurrence::{Occurrence, Subject},
    options::Options,
    people::{Audit, Believed, Person, Token},
};
use crate::domain::Stream;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// What it is about is not there.
    #[error("there is no {0}")]
    Absent(String),
    /// It is not in a state for it.
    #[error("{0}")]
    State(String),
}

/// What happened, as filters compare it.
type Facts = BTreeMap<&'static str, Vec<String>>;

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) changed: Timestamp,
    pub(crate) revision: u32,
}

/// Everybody, also those who left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct People(Vec<Person>);

impl People {
    pub(crate) fn new(people: Vec<Person>) -> Self {
        Self(people)
    }

    /// Those who did not leave.
    pub(crate) fn active(&self) -> impl Iterator<Item = Uuid> {
        self.0.iter().filter(|person| person.is_active).map(|person| person.id)
    }

    pub(crate) fn find(&self, id: Uuid) -> Option<&Person> {
        self.0.iter().find(|person| person.id == id)
    }

    /// By account, without regard to case.
    pub(crate) fn named(&self, account: &str) -> Option<&Person> {
        self.0.iter().find(|person| person.account.eq_ignore_ascii_case(account))
    }

    /// By the name that is shown.
    pub(crate) fn called(&self, name: &str) -> Option<&Person> {
        self.0.iter().find(|person| person.name == name)
    }

    pub(crate) fn named_mut(&mut self, account: &str) -> Option<&mut Person> {
        self.0.iter_mut().find(|person| person.account.eq_ignore_ascii_case(account))
    }

    pub(crate) fn add(&mut self, person: Person) {
        self.0.push(person);
    }

    fn first(&self) -> &Person {
        &self.0[0]
    }
}

/// Everything there is.
pub(crate) struct World {
    /// When the change that is being made is made.
    pub(super) now: Timestamp,
    /// When something last happened: what was before it is written.
    written: Timestamp,
    /// Nobody is told of what happens.
    is_quiet: bool,
    /// Whether pushes to `refs/pull/…` are told.
    pub(super) pull_refs_fire_push: bool,
    collection: Uuid,
    seed: u64,
    pub(crate) people: People,
    /// Who does what is done without a name.
    pub(super) acting: Option<Uuid>,
    /// By the token's text.
    pub(super) tokens: HashMap<String, Token>,
    /// The audit log, in order.
    pub(super) audit: Vec<Audit>,
    /// Whom Entra believes about the service principal.
    pub(super) believed: Vec<Believed>,
    pub(crate) projects: Vec<Project>,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) pull_requests: BTreeMap<u32, PullRequest>,
    pub(crate) definitions: BTreeMap<u32, BuildDefinition>,
    pub(crate) builds: BTreeMap<u32, Build>,
    by_date: build::BuildsByDate,
    pub(crate) release_definitions: BTreeMap<u32, ReleaseDefinition>,
    pub(crate) releases: BTreeMap<u32, Release>,
    /// Of a deployment the release, and the places of its environment and of itself there.
    pub(crate) deployments: BTreeMap<u32, (u32, usize, usize)>,
    pub(crate) work_items: BTreeMap<u32, WorkItem>,
    alerts: BTreeMap<u32, alert::Alert>,
    /// Every revision in the order in which it came, for the reporting route: work item and revision.
    pub(crate) revisions: Vec<(u32, u32)>,
    /// Every change of a link between work items, in order.
    pub(crate) links: Vec<work_item_link::ChangedLink>,
    /// Of whatever must be new.
    made: u64,
    events: u64,
    outbox: Vec<Occurrence>,
}

impl World {
    pub(super) fn new(options: &Options, now: Timestamp) -> Self {
        let mut world = Self {
            now,
            written: now,
            is_quiet: false,
            pull_refs_fire_push: false,
            collection: options.collection_id(),
            seed: options.seed,
            people: People::default(),
            acting: None,
            tokens: HashMap::new(),
            audit: Vec::new(),
            believed: Vec::new(),
            projects: Vec::new(),
            repositories: Vec::new(),
            pull_requests: BTreeMap::new(),
            definitions: BTreeMap::new(),
            builds: BTreeMap::new(),
            by_date: build::BuildsByDate::default(),
            release_definitions: BTreeMap::new(),
            releases: BTreeMap::new(),
            deployments: BTreeMap::new(),
            work_items: BTreeMap::new(),
            alerts: BTreeMap::new(),
            revisions: Vec::new(),
            links: Vec::new(),
            made: 0,
            events: 0,
            outbox: Vec::new(),
        };
        world.now -= SignedDuration::from_hours(24 * i64::from(options.age_days));
        let begun = world.now;
        world.populate();
        (world.now, world.written) = (now, begun);
        // Nobody had subscribed yet.
        world.outbox.clear();
        world
    }

    /// What happened since this was last asked.
    pub(super) fn happened(&mut self) -> Vec<Occurrence> {
        std::mem::take(&mut self.outbox)
    }

    /// The project of this GUID or name.
    pub(crate) fn project(&self, name: &str) -> Option<&Project> {
        let id = name.parse::<Uuid>().ok();
        self.projects.iter().find(|project| Some(project.id) == id || project.name.eq_ignore_ascii_case(name))
    }

    /// The project of this GUID, which is there because something refers to it.
    pub(crate) fn project_of(&self, id: Uuid) -> &Project {
        self.projects.iter().find(|project| project.id == id).expect("projects are never removed")
    }

    pub(super) fn create_project(&mut self, name: &str, description: Option<&str>) -> Uuid {
        let id = self.new_id(&format!("project {name}"));
        self.projects.push(Project {
            id,
            name: name.to_owned(),
            description: description.map(str::to_owned),
            changed: self.now,
            revision: u32::try_from(self.projects.len()).unwrap_or_default() + 10,
        });
        id
    }

    /// Nothing is found by the name before it any more.
    pub(crate) fn rename_project(&mut self, id: Uuid, name: &str) -> Result<(), Impossible> {
        let now = self.now;
        let found = self.projects.iter_mut().find(|project| project.id == id);
        let project = found.ok_or_else(|| Impossible::Absent(format!("project {id}")))?;
        (project.name, project.changed, project.revision) = (name.to_owned(), now, project.revision + 1);
        Ok(())
    }

    /// The person of this account; where there is none of the name whoever acts, or else is first.
    pub(super) fn person_or_first(&self, account: &str) -> Uuid {
        self.people.named(account).map(|person| person.id).or(self.acting).unwrap_or_else(|| self.people.first().id)
    }

    /// A GUID that is the same in each simulation with this seed, and another one each time.
    fn new_id(&mut self, what: &str) -> Uuid {
        self.made += 1;
        Uuid::new_v5(&self.collection, format!("{}/{}/{what}", self.seed, self.made).as_bytes())
    }

    /// Forty hex digits that no other object has.
    fn new_object(&mut self) -> String {
        let (one, other) = (self.new_id("object"), self.new_id("object"));
        let mut name = format!("{}{}", one.simple(), other.simple());
        name.truncate(40);
        name
    }

    /// Puts down that something happened.
    fn occur(
        &mut self,
        (publisher, event_type): (&'static str, &'static str),
        project: Uuid,
        title: String,
        facts: Facts,
        subject: Subject,
    ) {
        if self.is_quiet {
            return;
        }
        self.written = self.now;
        self.events += 1;
        let of = self.of(&subject);
        let id = Uuid::new_v5(&self.collection, format!("{}/event/{}", self.seed, self.events).as_bytes());
        self.outbox.push(Occurrence { id, event_type, publisher, project, title, facts, of, subject });
    }

    /// What something belongs to.
    fn of(&self, subject: &Subject) -> Of {
        match subject {
            Subject::Push { repository, .. } => Of::new(Stream::Pushes, &[Entity::Repository(*repository)]),
            Subject::PullRequest { number } | Subject::PullRequestComment { number, .. } => {
                self.pull_requests.get(number).map(PullRequest::of).unwrap_or_default()
            }
            Subject::Build { number: run }
            | Subject::Run { number: run }
            | Subject::Stage { run, .. }
            | Subject::Job { run, .. }
            | Subject::Approval { run, .. } => {
                self.builds.get(run).map(|own| own.of(self.repository_of_build(own))).unwrap_or_default()
            }
            Subject::Release { number: release } | Subject::Deployment { release, .. } => {
                self.releases.get(release).map(Release::of).unwrap_or_default()
            }
            Subject::WorkItem { number, .. } => Of::new(Stream::WorkItems, &[Entity::WorkItem(*number)]),
            Subject::Repository { .. } | Subject::Fork { .. } | Subject::Frozen { .. } => Of::default(),
        }
    }

    /// The repository that a build is of.
    pub(crate) fn repository_of_build(&self, build: &Build) -> Uuid {
        self.definitions.get(&build.definition).map_or(Uuid::nil(), |definition| definition.repository)
    }
}

/// The number after the highest.
fn next<T>(map: &BTreeMap<u32, T>, first: u32) -> u32 {
    map.last_key_value().map_or(first, |(last, _)| last + 1)
}
