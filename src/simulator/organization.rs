//! One organization with a project, a repository, a pipeline and work items, that changes when it is told to and says
//! so as a service hook would: one envelope per subscription and change, in the shapes that Microsoft documents.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

const COLLECTION: Uuid = uuid!("2f0dd4c5-8a3c-4a52-9a3d-6f9a7c2b1e01");
const PROJECT: Uuid = uuid!("7c1e5d9a-52f4-4b8e-8f0e-1d2c3b4a5f02");
const REPOSITORY: Uuid = uuid!("b3f1c2d4-9e6a-4c7b-a1d0-5e4f3a2b1c03");
const PIPELINE: u32 = 12;
const NO_OBJECT: &str = "0000000000000000000000000000000000000000";
/// Everybody who works here; one name is not ASCII, as in life.
const PEOPLE: [(&str, &str); 4] =
    [("Ana Souza", "ana"), ("Jürgen Weiß", "juergen"), ("Mei Chen", "mei"), ("Sam Okafor", "sam")];

/// One notification, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What happened, in a few words for people.
    pub title: String,
    /// `notificationType` of the subscription it belongs to, for the hook's `?reason=`.
    pub reason: Option<&'static str>,
    /// The body as sent.
    pub body: Vec<u8>,
}

/// The organization's state: just enough that what it says fits together.
#[derive(Debug, Clone)]
pub struct Organization {
    base: String,
    now: Timestamp,
    /// Changes so far; also what makes every id and object name new.
    changes: u64,
    /// Of a generator: different seeds give different ids.
    seed: u64,
    head: String,
}

impl Organization {
    /// At `https://dev.azure.com/{name}`, where it is `now`. Two organizations with the same seed say the same.
    pub fn new(name: &str, seed: u64, now: Timestamp) -> Self {
        Self { base: format!("https://dev.azure.com/{name}"), now, changes: 0, seed, head: object_name(seed, 0) }
    }

    /// Its URL, as a connection takes it.
    pub fn url(&self) -> &str {
        &self.base
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
        let commit = self.commit();
        let update = json!({"name": format!("refs/heads/{branch}"), "oldObjectId": old, "newObjectId": self.head});
        self.pushed(&format!("push to {branch}"), &[update], &[commit])
    }

    /// A push that creates `branch` without a new commit: Azure then sends no `commits`.
    pub fn create_branch(&mut self, branch: &str) -> Delivery {
        self.change();
        let update =
            json!({"name": format!("refs/heads/{branch}"), "oldObjectId": NO_OBJECT, "newObjectId": self.head});
        self.pushed(&format!("create branch {branch}"), &[update], &[])
    }

    /// A push that deletes `branch`.
    pub fn delete_branch(&mut self, branch: &str) -> Delivery {
        self.change();
        let update =
            json!({"name": format!("refs/heads/{branch}"), "oldObjectId": self.head, "newObjectId": NO_OBJECT});
        self.pushed(&format!("delete branch {branch}"), &[update], &[])
    }

    /// One push of two tags.
    pub fn push_tags(&mut self, one: &str, other: &str) -> Delivery {
        self.change();
        let update =
            |tag: &str| json!({"name": format!("refs/tags/{tag}"), "oldObjectId": NO_OBJECT, "newObjectId": self.head});
        let updates = [update(one), update(other)];
        self.pushed(&format!("push tags {one} and {other}"), &updates, &[])
    }

    fn pushed(&self, title: &str, updates: &[Value], commits: &[Value]) -> Delivery {
        let mut resource = json!({
            "refUpdates": updates,
            "repository": self.repository_json(),
            "pushedBy": self.person(),
            "pushId": self.changes,
            "date": self.now.to_string(),
            "url": format!("{}/_apis/git/repositories/{REPOSITORY}/pushes/{}", self.base, self.changes),
        });
        if !commits.is_empty() {
            resource["commits"] = commits.into();
        }
        self.deliver(title, "git.push", "tfs", "1.0", 1, None, &resource)
    }

    /// A pull request's notification: `created`, `updated` or `merged`, with the status it has by now.
    pub fn pull_request(&mut self, event: &str, number: u32, status: &str, reason: Option<&'static str>) -> Delivery {
        self.change();
        let closed = (status != "active").then(|| self.now.to_string());
        let resource = json!({
            "pullRequestId": number,
            "codeReviewId": number,
            "status": status,
            "createdBy": self.person(),
            "creationDate": (self.now - SignedDuration::from_mins(40)).to_string(),
            "closedDate": closed,
            "title": format!("Make the checkout faster ({number})"),
            "description": "Caches the price list.\r\n\r\nFixes AB#17",
            "sourceRefName": format!("refs/heads/feature/{number}"),
            "targetRefName": "refs/heads/main",
            "mergeStatus": "succeeded",
            "isDraft": false,
            "lastMergeSourceCommit": {"commitId": object_name(self.seed, u64::from(number) + 1_000_000)},
            "lastMergeTargetCommit": {"commitId": self.head},
            "lastMergeCommit": {"commitId": object_name(self.seed, u64::from(number) + 2_000_000)},
            "reviewers": [{"id": person_id(1), "displayName": PEOPLE[1].0, "uniqueName": "juergen@fabrikam.example", "vote": 10, "isRequired": true}],
            "repository": self.repository_json(),
            "url": format!("{}/_apis/git/repositories/{REPOSITORY}/pullRequests/{number}", self.base),
            "_links": {"web": {"href": format!("{}/Fiber%20Caf%C3%A9/_git/web%20shop/pullrequest/{number}", self.base)}},
        });
        let title = format!("pull request {number} {event} ({status})");
        self.deliver(&title, &format!("git.pullrequest.{event}"), "tfs", "1.0", 2, reason, &resource)
    }

    /// A finished build, at resource version 2.0.
    pub fn build(&mut self, number: u32, result: &str) -> Delivery {
        self.change();
        let resource = json!({
            "id": number,
            "buildNumber": format!("20261104.{number}"),
            "status": "completed",
            "result": result,
            "reason": "individualCI",
            "sourceBranch": "refs/heads/main",
            "sourceVersion": self.head,
            "queueTime": (self.now - SignedDuration::from_mins(6)).to_string(),
            "startTime": (self.now - SignedDuration::from_mins(5)).to_string(),
            "finishTime": self.now.to_string(),
            "definition": {"id": PIPELINE, "name": "web shop CI", "path": "\\", "project": project_json()},
            "project": project_json(),
            "repository": {"id": REPOSITORY, "type": "TfsGit", "name": "web shop", "url": self.repository_json()["remoteUrl"]},
            "requestedFor": self.person(),
            "requestedBy": self.person(),
            "triggerInfo": {"ci.sourceBranch": "refs/heads/main", "ci.sourceSha": self.head, "ci.message": "Cache the price list"},
            "tags": [],
            "uri": format!("vstfs:///Build/Build/{number}"),
            "url": format!("{}/{PROJECT}/_apis/build/Builds/{number}", self.base),
            "_links": {"web": {"href": format!("{}/{PROJECT}/_build/results?buildId={number}", self.base)}},
        });
        self.deliver(&format!("build {number} {result}"), "build.complete", "tfs", "2.0", 3, None, &resource)
    }

    /// A run's change of state; its number is the build's.
    pub fn run(&mut self, number: u32, state: &str, result: Option<&str>) -> Delivery {
        self.change();
        let finished = result.map(|_| self.now.to_string());
        let resource = json!({
            "run": {
                "id": number, "name": format!("20261104.{number}"), "state": state, "result": result,
                "createdDate": (self.now - SignedDuration::from_mins(5)).to_string(), "finishedDate": finished,
                "url": format!("{}/{PROJECT}/_apis/pipelines/{PIPELINE}/runs/{number}", self.base),
                "pipeline": self.pipeline_json(),
                "resources": {"repositories": {"self": {"repository": {"id": REPOSITORY, "type": "azureReposGit"}, "refName": "refs/heads/main", "version": self.head}}},
                "_links": {"web": {"href": format!("{}/{PROJECT}/_build/results?buildId={number}", self.base)}},
            },
            "pipeline": self.pipeline_json(), "runId": number, "projectId": PROJECT, "repositories": [],
        });
        let event = "ms.vss-pipelines.run-state-changed-event";
        self.deliver(&format!("run {number} {state}"), event, "pipelines", "5.1-preview.1", 4, None, &resource)
    }

    /// A stage's change of state.
    pub fn stage(&mut self, number: u32, stage: &str, to: &str, result: Option<&str>) -> Delivery {
        self.change();
        let id = Uuid::new_v5(&PROJECT, format!("{number}/{stage}").as_bytes());
        let finished = result.map(|_| self.now.to_string());
        let resource = json!({
            "stage": {"id": id, "name": stage, "displayName": stage, "attempt": 1, "state": to, "result": result,
                "startTime": (self.now - SignedDuration::from_mins(2)).to_string(), "finishTime": finished},
            "run": {"id": number, "name": format!("20261104.{number}"), "state": "inProgress", "pipeline": self.pipeline_json(),
                "_links": {"web": {"href": format!("{}/{PROJECT}/_build/results?buildId={number}", self.base)}}},
            "pipeline": self.pipeline_json(), "runId": number, "stageName": stage, "projectId": PROJECT,
            "repositories": [{"alias": "self", "id": REPOSITORY, "type": "Git", "change": {"message": "Cache the price list", "version": self.head}}],
        });
        let event = "ms.vss-pipelines.stage-state-changed-event";
        let title = format!("stage {stage} of run {number} {}", result.unwrap_or(to));
        self.deliver(&title, event, "pipelines", "5.1-preview.1", 5, None, &resource)
    }

    /// A new work item.
    pub fn create_work_item(&mut self, number: u32, title: &str) -> Delivery {
        self.change();
        let resource = json!({
            "id": number, "rev": 1, "fields": self.fields(title, "New", 1),
            "url": format!("{}/{PROJECT}/_apis/wit/workItems/{number}", self.base),
        });
        self.deliver(
            &format!("work item {number} created"),
            "workitem.created",
            "tfs",
            "5.1-preview.3",
            6,
            None,
            &resource,
        )
    }

    /// A work item goes from one state to another.
    pub fn move_work_item(&mut self, number: u32, rev: u32, title: &str, from: &str, to: &str) -> Delivery {
        self.change();
        let resource = json!({
            "id": rev, "workItemId": number, "rev": rev, "revisedBy": self.person(), "revisedDate": "9999-01-01T00:00:00Z",
            "fields": {
                "System.Rev": {"oldValue": rev - 1, "newValue": rev},
                "System.ChangedDate": {"newValue": self.now.to_string()},
                "System.State": {"oldValue": from, "newValue": to},
            },
            "revision": {"id": number, "rev": rev, "fields": self.fields(title, to, rev),
                "url": format!("{}/{PROJECT}/_apis/wit/workItems/{number}/revisions/{rev}", self.base)},
            "url": format!("{}/{PROJECT}/_apis/wit/workItems/{number}/updates/{rev}", self.base),
        });
        self.deliver(
            &format!("work item {number} {from} → {to}"),
            "workitem.updated",
            "tfs",
            "5.1-preview.3",
            7,
            None,
            &resource,
        )
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
        self.deliver("an event type of next year", "ms.vss-next.mood-changed-event", "next", "1.0", 8, None, &resource)
    }

    /// A body that was cut on its way.
    pub fn broken(&mut self) -> Delivery {
        let mut delivery = self.push("main");
        delivery.body.truncate(delivery.body.len() / 2);
        Delivery { title: "a body cut in half".to_owned(), ..delivery }
    }

    #[expect(clippy::too_many_arguments, reason = "these are the envelope's own members")]
    fn deliver(
        &self,
        title: &str,
        event_type: &str,
        publisher: &str,
        version: &str,
        subscription: u8,
        reason: Option<&'static str>,
        resource: &Value,
    ) -> Delivery {
        let text = format!("{}: {title}", PEOPLE[self.who()].0);
        let body = json!({
            "subscriptionId": Uuid::new_v5(&COLLECTION, &[subscription]),
            "notificationId": self.changes,
            "id": Uuid::new_v5(&COLLECTION, format!("{}/{}", self.seed, self.changes).as_bytes()),
            "eventType": event_type, "publisherId": publisher,
            "message": {"text": text, "html": text, "markdown": text},
            "detailedMessage": {"text": text, "html": text, "markdown": text},
            "resource": resource, "resourceVersion": version,
            "resourceContainers": {
                "collection": {"id": COLLECTION, "baseUrl": format!("{}/", self.base)},
                "account": {"id": COLLECTION, "baseUrl": format!("{}/", self.base)},
                "project": {"id": PROJECT, "baseUrl": format!("{}/", self.base)},
            },
            "createdDate": self.now.to_string(),
        });
        Delivery { title: title.to_owned(), reason, body: to_vec(&body) }
    }

    /// Time passes, and the next thing is another one.
    fn change(&mut self) {
        self.changes += 1;
        self.now += SignedDuration::from_millis(7_331);
    }

    fn commit(&mut self) -> Value {
        self.change();
        self.head = object_name(self.seed, self.changes);
        let person = json!({"name": PEOPLE[self.who()].0, "email": format!("{}@fabrikam.example", PEOPLE[self.who()].1), "date": self.now.to_string()});
        json!({
            "commitId": self.head, "author": person, "committer": person, "comment": format!("Cache the price list, step {}", self.changes),
            "url": format!("{}/_apis/git/repositories/{REPOSITORY}/commits/{}", self.base, self.head),
        })
    }

    fn who(&self) -> usize {
        usize::try_from(self.changes).unwrap_or_default() % PEOPLE.len()
    }

    fn person(&self) -> Value {
        let (name, mailbox) = PEOPLE[self.who()];
        json!({
            "displayName": name, "uniqueName": format!("{mailbox}@fabrikam.example"), "id": person_id(self.who()),
            "url": format!("https://spsprodweu1.vssps.visualstudio.com/A{COLLECTION}/_apis/Identities/{}", person_id(self.who())),
            "descriptor": format!("aad.{mailbox}"),
        })
    }

    fn pipeline_json(&self) -> Value {
        json!({"id": PIPELINE, "revision": 3, "name": "web shop CI", "folder": "\\",
            "url": format!("{}/{PROJECT}/_apis/pipelines/{PIPELINE}?revision=3", self.base)})
    }

    fn repository_json(&self) -> Value {
        json!({
            "id": REPOSITORY, "name": "web shop", "url": format!("{}/_apis/git/repositories/{REPOSITORY}", self.base),
            "project": project_json(), "defaultBranch": "refs/heads/main",
            "remoteUrl": format!("{}/Fiber%20Caf%C3%A9/_git/web%20shop", self.base),
        })
    }

    fn fields(&self, title: &str, state: &str, rev: u32) -> Value {
        json!({
            "System.AreaPath": "Fiber Café\\Checkout", "System.TeamProject": "Fiber Café", "System.IterationPath": "Fiber Café",
            "System.WorkItemType": "Bug", "System.State": state, "System.Reason": "As told", "System.Title": title,
            "System.CreatedDate": self.now.to_string(), "System.CreatedBy": self.person(), "System.Rev": rev,
            "System.ChangedDate": self.now.to_string(), "System.ChangedBy": self.person(), "System.AssignedTo": self.person(),
            "Microsoft.VSTS.Common.Priority": 2, "System.Tags": "checkout; speed",
        })
    }
}

fn project_json() -> Value {
    json!({"id": PROJECT, "name": "Fiber Café", "state": "wellFormed", "visibility": "unchanged", "lastUpdateTime": "0001-01-01T00:00:00"})
}

fn person_id(who: usize) -> Uuid {
    Uuid::new_v5(&COLLECTION, format!("person {who}").as_bytes())
}

/// Forty hex digits that look like a commit and are new for every pair.
fn object_name(seed: u64, number: u64) -> String {
    let name = Uuid::new_v5(&REPOSITORY, format!("{seed}/{number}").as_bytes());
    let text = name.simple().to_string();
    format!("{text}{}", &text[..8])
}

fn to_vec(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value is always written")
}
