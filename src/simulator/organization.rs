//! One organization with a project, a repository, a pipeline and work items, that says at once what its service hooks
//! would say: one envelope per change, new each time. Unlike [`super::Simulator`] it keeps nothing, so it can say a
//! million things.

mod envelope;

pub use self::envelope::Delivery;

use self::envelope::{Kind, PUSH, to_vec, word};
use super::{
    options::Place,
    payload::{self, Version, View, build::Around},
    people::Person,
    world::{
        Build, BuildDefinition, Commit, Field, NO_OBJECT, People, Project, PullRequest, Push, RefUpdate, Repository,
        Reviewer, Revision, Stage, WorkItem,
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::{Uuid, uuid};

const COLLECTION: Uuid = uuid!("2f0dd4c5-8a3c-4a52-9a3d-6f9a7c2b1e01");
const PROJECT: Uuid = uuid!("7c1e5d9a-52f4-4b8e-8f0e-1d2c3b4a5f02");
const REPOSITORY: Uuid = uuid!("b3f1c2d4-9e6a-4c7b-a1d0-5e4f3a2b1c03");
const PIPELINE: u32 = 12;
const MAIN: &str = "refs/heads/main";
const COMMENT: &str = "Cache the price list";
/// Everybody who works here; one name is not ASCII, as in life.
const PEOPLE: [(&str, &str); 4] = [
    ("Ana Souza", "ana@fabrikam.example"),
    ("Jürgen Weiß", "juergen@fabrikam.example"),
    ("Mei Chen", "mei@fabrikam.example"),
    ("Sam Okafor", "sam@fabrikam.example"),
];
/// The organization's state: just enough that what it says fits together.
#[derive(Debug, Clone)]
pub struct Organization {
    place: Place,
    people: People,
    project: Project,
    /// With the commits of the last change only.
    repository: Repository,
    definition: BuildDefinition,
    now: Timestamp,
    /// Changes so far; also what makes every id and object name new.
    changes: u64,
    /// Of a generator: different seeds give different ids.
    seed: u64,
    head: String,
    /// When and by whom pull requests were opened and closed: whoever tells it again says the same.
    opened: BTreeMap<u32, (Timestamp, Uuid)>,
    closed: BTreeMap<u32, (Timestamp, Uuid)>,
}

impl Organization {
    /// At `https://dev.azure.com/{name}`, where it is `now`. Two organizations with the same seed say the same.
    pub fn new(name: &str, seed: u64, now: Timestamp) -> Self {
        let person = |(name, account): &(&str, &str)| Person::new(COLLECTION, name, account);
        let people: Vec<Person> = PEOPLE.iter().map(person).collect();
        let by = people[0].id;
        Self {
            place: Place {
                base: format!("https://dev.azure.com/{name}"),
                release_base: format!("https://vsrm.dev.azure.com/{name}"),
                security_base: "https://advsec.dev.azure.com/fabrikam".to_owned(),
                audit_base: "https://auditservice.dev.azure.com/fabrikam".to_owned(),
                root: "https://dev.azure.com".to_owned(),
                collection: COLLECTION,
            },
            people: People::new(people),
            project: Project {
                id: PROJECT,
                name: "Fiber Café".to_owned(),
                description: None,
                changed: now,
                revision: 1,
            },
            repository: Repository {
                id: REPOSITORY,
                project: PROJECT,
                name: "web shop".to_owned(),
                default_branch: Some(MAIN.to_owned()),
                is_disabled: false,
                fork_of: None,
                refs: BTreeMap::new(),
                commits: BTreeMap::new(),
                pushes: Vec::new(),
                paths: BTreeSet::new(),
            },
            definition: BuildDefinition {
                id: PIPELINE,
                project: PROJECT,
                repository: REPOSITORY,
                name: "web shop CI".to_owned(),
                path: "\\".to_owned(),
                stages: Vec::new(),
                created: now,
                by,
            },
            now,
            changes: 0,
            seed,
            head: object_name(seed, 0),
            opened: BTreeMap::new(),
            closed: BTreeMap::new(),
        }
    }

    /// Its URL, as a connection takes it.
    pub fn url(&self) -> &str {
        &self.place.base
    }

    /// The project's GUID.
    pub fn project(&self) -> Uuid {
        PROJECT
    }

    /// The repository's GUID.
    pub fn repository(&self) -> Uuid {
        REPOSITORY
    }

    /// The pipeline's number.
    pub fn pipeline(&self) -> u32 {
        PIPELINE
    }

    /// A push of one commit to `branch`, which existed.
    pub fn push(&mut self, branch: &str) -> Delivery {
        let old = self.head.clone();
        self.commit();
        let update = update(&format!("refs/heads/{branch}"), &old, &self.head);
        self.pushed(&format!("push to {branch}"), vec![update])
    }

    /// A push that creates `branch` without a new commit: Azure then sends no `commits`.
    pub fn create_branch(&mut self, branch: &str) -> Delivery {
        self.change();
        let update = update(&format!("refs/heads/{branch}"), NO_OBJECT, &self.head);
        self.pushed(&format!("create branch {branch}"), vec![update])
    }

    /// A push that deletes `branch`.
    pub fn delete_branch(&mut self, branch: &str) -> Delivery {
        self.change();
        let update = update(&format!("refs/heads/{branch}"), &self.head, NO_OBJECT);
        self.pushed(&format!("delete branch {branch}"), vec![update])
    }

    /// One push of two tags.
    pub fn push_tags(&mut self, one: &str, other: &str) -> Delivery {
        self.change();
        let updates = [one, other].map(|tag| update(&format!("refs/tags/{tag}"), NO_OBJECT, &self.head));
        self.pushed(&format!("push tags {one} and {other}"), updates.into())
    }

    fn pushed(&self, title: &str, updates: Vec<RefUpdate>) -> Delivery {
        let id = u32::try_from(self.changes).unwrap_or(u32::MAX);
        let commits = self.repository.commits.keys().cloned().collect();
        let push = Push { id, by: self.who(), at: self.now, updates, commits };
        let most = payload::git::PUSH_COMMITS_MAX;
        let resource = payload::git::push(self.view(), &push, &self.repository, &self.project, most);
        self.deliver(title, &PUSH, &resource)
    }

    /// A pull request's notification: `created`, `updated` or `merged`, with the status it has by now.
    pub fn pull_request(&mut self, event: &str, number: u32, status: &str, reason: Option<&'static str>) -> Delivery {
        self.change();
        let by = self.who();
        let (created, author) = *self.opened.entry(number).or_insert((self.now - SignedDuration::from_mins(40), by));
        let object = |plus: u64| object_name(self.seed, u64::from(number) + plus);
        let own = PullRequest {
            number,
            repository: REPOSITORY,
            status: word(status),
            by: author,
            created,
            closed: (status != "active").then(|| *self.closed.entry(number).or_insert((self.now, by))),
            title: format!("Make the checkout faster ({number})"),
            description: "Caches the price list.\r\n\r\nFixes AB#17".to_owned(),
            fork: None,
            source: format!("refs/heads/feature/{number}"),
            target: MAIN.to_owned(),
            is_draft: false,
            merge_status: "succeeded",
            merge_id: Uuid::new_v5(&REPOSITORY, &number.to_be_bytes()),
            source_commit: object(1_000_000),
            target_commit: self.head.clone(),
            merge_commit: Some(object(2_000_000)),
            strategy: None,
            reviewers: vec![Reviewer { person: self.person(1), vote: 10, is_required: true }],
            comments: Vec::new(),
            votes: Vec::new(),
            iterations: Vec::new(),
        };
        let view = self.view();
        let of = payload::git::repository(view, &self.repository, &self.project);
        let page = payload::git::web_url(view, &self.repository, &self.project);
        let resource = payload::pull_request::pull_request(view, &own, &self.repository, of, &page);
        let event_type = match event {
            "created" => "git.pullrequest.created",
            "merged" => "git.pullrequest.merged",
            _ => "git.pullrequest.updated",
        };
        let kind = Kind { event_type, subscription: 2, reason, ..PUSH };
        self.deliver(&format!("pull request {number} {event} ({status})"), &kind, &resource)
    }

    /// A finished build, at resource version 2.0.
    pub fn build(&mut self, number: u32, result: &str) -> Delivery {
        self.change();
        let build = self.run_of(number, Some(result));
        let resource = payload::build::build(self.view(), &build, &self.around());
        let kind = Kind { event_type: "build.complete", version: "2.0", subscription: 3, ..PUSH };
        self.deliver(&format!("build {number} {result}"), &kind, &resource)
    }

    /// A run's change of state; its number is the build's.
    pub fn run(&mut self, number: u32, state: &str, result: Option<&str>) -> Delivery {
        self.change();
        let build = self.run_of(number, result);
        let mut resource = payload::pipeline::run_state(self.view(), &build, &self.around());
        resource["run"]["state"] = state.into();
        let event_type = "ms.vss-pipelines.run-state-changed-event";
        let kind = Kind { event_type, publisher: "pipelines", version: "5.1-preview.1", subscription: 4, ..PUSH };
        self.deliver(&format!("run {number} {state}"), &kind, &resource)
    }

    /// A stage's change of state.
    pub fn stage(&mut self, number: u32, stage: &str, to: &str, result: Option<&str>) -> Delivery {
        self.change();
        let mut build = self.run_of(number, None);
        build.stages.push(Stage {
            id: Uuid::new_v5(&PROJECT, format!("{number}/{stage}").as_bytes()),
            name: stage.to_owned(),
            attempt: 1,
            state: word(to),
            result: result.map(word),
            started: Some(self.now - SignedDuration::from_mins(2)),
            finished: result.map(|_| self.now),
            jobs: Vec::new(),
        });
        let resource = payload::pipeline::stage_state(self.view(), &build, &self.around(), stage);
        let event_type = "ms.vss-pipelines.stage-state-changed-event";
        let kind = Kind { event_type, publisher: "pipelines", version: "5.1-preview.1", subscription: 5, ..PUSH };
        let title = format!("stage {stage} of run {number} {}", result.unwrap_or(to));
        self.deliver(&title, &kind, &resource.expect("the stage was put in above"))
    }

    /// A new work item.
    pub fn create_work_item(&mut self, number: u32, title: &str) -> Delivery {
        self.change();
        let item = self.item(number, vec![self.revision(1, title, "New")]);
        let resource = payload::work_item::hook_item(self.view(), &item, 1, Version::New);
        let kind = Kind { event_type: "workitem.created", version: "5.1-preview.3", subscription: 6, ..PUSH };
        let resource = resource.expect("the revision was put in above");
        self.deliver(&format!("work item {number} created"), &kind, &resource)
    }

    /// A work item goes from one state to another.
    pub fn move_work_item(&mut self, number: u32, rev: u32, title: &str, from: &str, to: &str) -> Delivery {
        self.change();
        let revisions = vec![self.revision(rev - 1, title, from), self.revision(rev, title, to)];
        let resource = payload::work_item::updated(self.view(), &self.item(number, revisions), rev, Version::New);
        let kind = Kind { event_type: "workitem.updated", version: "5.1-preview.3", subscription: 7, ..PUSH };
        let resource = resource.expect("the revision was put in above");
        self.deliver(&format!("work item {number} {from} → {to}"), &kind, &resource)
    }

    /// What the Test button sends: a canned sample of long ago under the subscription of all zeros.
    pub fn test_button(&self) -> Delivery {
        let body = json!({
            "subscriptionId": "00000000-0000-0000-0000-000000000000", "notificationId": 1,
            "id": "03c164c2-8912-4d5e-8009-3707d5f83734", "eventType": "git.push", "publisherId": "tfs",
            "message": {"text": "A sample."}, "resource": {"refUpdates": []}, "resourceVersion": "1.0",
            "createdDate": "2016-09-19T13:03:27.0379153Z",
        });
        Delivery { title: "the Test button".to_owned(), reason: None, body: to_vec(&body) }
    }

    /// An event type that nobody has documented yet.
    pub fn unknown(&mut self) -> Delivery {
        self.change();
        let resource = json!({"id": self.changes, "mood": "good"});
        let kind = Kind { event_type: "ms.vss-next.mood-changed-event", publisher: "next", subscription: 8, ..PUSH };
        self.deliver("an event type of next year", &kind, &resource)
    }

    /// A body that was cut on its way.
    pub fn broken(&mut self) -> Delivery {
        let mut delivery = self.push("main");
        delivery.body.truncate(delivery.body.len() / 2);
        Delivery { title: "a body cut in half".to_owned(), ..delivery }
    }

    /// Time passes, and the next thing is another one.
    fn change(&mut self) {
        self.changes += 1;
        self.now += SignedDuration::from_millis(7_331);
        self.repository.commits.clear();
    }

    fn commit(&mut self) {
        self.change();
        self.head = object_name(self.seed, self.changes);
        let commit = Commit {
            id: self.head.clone(),
            parents: Vec::new(),
            author: self.who(),
            authored: self.now,
            at: self.now,
            made: self.changes,
            comment: format!("{COMMENT}, step {}", self.changes),
            changes: Vec::new(),
        };
        self.repository.commits.insert(self.head.clone(), commit);
    }

    fn view(&self) -> View<'_> {
        View { place: &self.place, people: &self.people }
    }

    fn around(&self) -> Around<'_> {
        Around {
            definition: &self.definition,
            project: &self.project,
            repository: &self.repository,
            pull_request: None,
            world: None,
        }
    }

    fn person(&self, at: usize) -> Uuid {
        self.people.named(PEOPLE[at].1).expect("everybody was hired").id
    }

    /// Whoever makes this change.
    fn who(&self) -> Uuid {
        self.person(usize::try_from(self.changes).unwrap_or_default() % PEOPLE.len())
    }

    fn run_of(&self, number: u32, result: Option<&str>) -> Build {
        Build {
            number,
            definition: PIPELINE,
            branch: MAIN.to_owned(),
            commit: self.head.clone(),
            comment: COMMENT.to_owned(),
            reason: "individualCI",
            trigger: None,
            taken: Vec::new(),
            others: Vec::new(),
            by: self.who(),
            queued: self.now - SignedDuration::from_mins(6),
            started: Some(self.now - SignedDuration::from_mins(5)),
            finished: result.map(|_| self.now),
            result: result.map(word),
            stages: Vec::new(),
            earlier: Vec::new(),
            approvals: Vec::new(),
        }
    }

    fn item(&self, number: u32, revisions: Vec<Revision>) -> WorkItem {
        WorkItem { number, project: self.project.id, kind: "Bug", is_deleted: false, revisions, links: Vec::new() }
    }

    fn revision(&self, rev: u32, title: &str, state: &str) -> Revision {
        let plain = json!({
            "System.AreaPath": "Fiber Café\\Checkout", "System.TeamProject": "Fiber Café",
            "System.IterationPath": "Fiber Café", "System.WorkItemType": "Bug", "System.State": state,
            "System.Reason": "As told", "System.Title": title, "System.CreatedDate": self.now.to_string(),
            "System.Rev": rev, "System.ChangedDate": self.now.to_string(), "Microsoft.VSTS.Common.Priority": 2,
            "System.Tags": "checkout; speed",
        });
        let Value::Object(plain) = plain else { unreachable!("an object was written above") };
        let people = ["System.CreatedBy", "System.ChangedBy", "System.AssignedTo"];
        let fields = plain
            .into_iter()
            .map(|(name, value)| (name, Field::Plain(value)))
            .chain(people.map(|name| (name.to_owned(), Field::Person(self.who()))))
            .collect();
        Revision { rev, update: rev, at: self.now, by: self.who(), fields, relations: Vec::new() }
    }
}

fn update(name: &str, old: &str, new: &str) -> RefUpdate {
    RefUpdate { name: name.to_owned(), old: old.to_owned(), new: new.to_owned() }
}

/// Forty hex digits that look like a commit and are new for every pair.
fn object_name(seed: u64, number: u64) -> String {
    let name = Uuid::new_v5(&REPOSITORY, format!("{seed}/{number}").as_bytes());
    let text = name.simple().to_string();
    format!("{text}{}", &text[..8])
}
