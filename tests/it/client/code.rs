//! What is in a repository, as the simulated Azure DevOps keeps it, and as a server that answers oddly says it.

use super::{
    access as scripted_access, client,
    scripted::{Asked, Scripted, said},
    secret,
};
use crate::azure::Azure;
use hookwell::{
    azure::{
        CollectionUrl,
        client::{Access, AzureDevOps, COMMITS_MAX, Commits, Credential, Failure, Version},
    },
    clock::{Clock, ManualClock},
    simulator::{CommitsPagedBy, Options, RefChange, tokens},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

pub(super) const PROJECT: &str = "Fiber Café";
pub(super) const SHOP: &str = "web shop";
const NOBODY: &str = "1234567890123456789012345678901234567890";

/// A repository, its simulated server, and a client of it.
pub(super) struct Repo {
    pub(super) azure: Azure,
    pub(super) clock: Arc<ManualClock>,
    pub(super) client: Arc<dyn AzureDevOps>,
    pub(super) repository: Uuid,
}

impl Repo {
    pub(super) async fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-04T08:00:00Z".parse().unwrap()));
        let azure = Azure::start(Options::services("fabrikam"), Arc::clone(&clock) as Arc<_>).await;
        let client = client(&Access {
            url: CollectionUrl::parse(&azure.url()).unwrap(),
            credential: Some(Credential::Pat(secret(tokens::FULL))),
            headers: Vec::new(),
            ca_bundle: None,
            proxy: None,
        });
        let project = azure.simulator.project(PROJECT).unwrap();
        let repository = azure.simulator.repository(project, SHOP).unwrap();
        clock.advance(Duration::from_mins(1));
        Self { azure, clock, client, repository }
    }

    /// Commits to a branch; the new commit.
    pub(super) async fn commit(&self, branch: &str, comment: &str, paths: &[&str]) -> String {
        self.azure.simulator.push_commit(self.repository, branch, comment, paths).unwrap();
        self.clock.advance(Duration::from_mins(1));
        self.head(branch).await
    }

    /// Where a branch is.
    pub(super) async fn head(&self, branch: &str) -> String {
        self.resolve(Version::Branch(branch.to_owned())).await.unwrap()
    }

    /// What time it is there.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn resolve(&self, version: Version) -> Option<String> {
        self.client.resolve(PROJECT, SHOP, &version).await.unwrap()
    }

    async fn between(&self, base: Option<&str>, target: &str) -> Commits {
        self.client.commits_between(PROJECT, SHOP, base, target).await.unwrap()
    }
}

fn ids(found: &Commits) -> Vec<&str> {
    found.commits.iter().map(|commit| commit.id.as_str()).collect()
}

#[tokio::test]
async fn a_name_means_the_commit_that_it_points_to_and_no_longer_name_that_begins_alike() {
    let repo = Repo::new().await;
    let longer = repo.commit("release/10", "Ten", &["/ten"]).await;
    let shorter = repo.commit("release/1", "One", &["/one"]).await;
    assert_ne!(longer, shorter);
    assert_eq!(repo.resolve(Version::Branch("release/1".to_owned())).await, Some(shorter.clone()));
    assert_eq!(repo.resolve(Version::Branch("release".to_owned())).await, None);
    assert_eq!(repo.resolve(Version::Tag("v1".to_owned())).await, None);

    let head = repo.commit("main", "On main", &["/main"]).await;
    repo.azure.simulator.push(repo.repository, "", &[RefChange::Tag { tag: "v1".to_owned() }]).unwrap();
    assert_eq!(repo.resolve(Version::Tag("v1".to_owned())).await, Some(head.clone()));
    assert_eq!(repo.resolve(Version::Branch("v1".to_owned())).await, None);
    assert_eq!(repo.resolve(Version::Commit(head.clone())).await, Some(head));
    assert_eq!(repo.resolve(Version::Commit(NOBODY.to_owned())).await, None);
}

#[tokio::test]
async fn a_commit_is_told_whole_and_one_that_is_not_there_is_none() {
    let repo = Repo::new().await;
    let parent = repo.commit("main", "Before", &["/a"]).await;
    let id = repo.commit("main", "Roast longer\n\nAB#12", &["/a"]).await;
    let found = repo.client.commit(PROJECT, SHOP, &id).await.unwrap().unwrap();
    assert_eq!((found.id, found.comment.as_str()), (id, "Roast longer\n\nAB#12"));
    assert_eq!(found.parents, [parent]);
    assert_eq!(found.authored, Some("2026-11-04T08:02:00Z".parse().unwrap()));
    assert_eq!(found.committed, found.authored);
    assert!(found.author.is_some() && found.author_email.is_some() && !found.is_comment_cut);
    assert_eq!(repo.client.commit(PROJECT, SHOP, NOBODY).await, Ok(None));
    assert_eq!(repo.client.commit(PROJECT, "nowhere", NOBODY).await, Ok(None));
}

#[tokio::test]
async fn commits_between_are_the_target_s_own_newest_first() {
    let repo = Repo::new().await;
    let base = repo.commit("main", "Base", &["/a"]).await;
    let fork = repo.commit("topic", "Topic", &["/b"]).await;
    let one = repo.commit("main", "One", &["/c"]).await;
    let two = repo.commit("main", "Two", &["/d"]).await;
    assert_eq!(ids(&repo.between(Some(&base), &two).await), [two.as_str(), &one]);
    assert_eq!(ids(&repo.between(Some(&two), &fork).await), [fork.as_str()]);
    assert_eq!(repo.between(Some(&two), &base).await, Commits::default());
    let all = repo.between(None, &two).await;
    assert_eq!(ids(&all)[..3], [two.as_str(), &one, &base]);
    assert!(!all.cut && !ids(&all).contains(&fork.as_str()));
    let unknown = repo.client.commits_between(PROJECT, SHOP, Some(NOBODY), &two).await;
    assert!(matches!(unknown, Err(Failure::NotFound { .. })), "{unknown:?}");
}

#[tokio::test]
async fn commits_over_several_pages_are_all_there() {
    let repo = Repo::new().await;
    let base = repo.commit("main", "Base", &["/a"]).await;
    let mut made = Vec::new();
    for n in 0..105 {
        made.push(repo.commit("main", &format!("Step {n}"), &["/a"]).await);
    }
    made.reverse();
    for paged_by in [CommitsPagedBy::Either, CommitsPagedBy::Query, CommitsPagedBy::Body] {
        repo.azure.simulator.fail(|faults| faults.commits_paged_by = paged_by);
        let found = repo.between(Some(&base), &made[0]).await;
        assert_eq!(ids(&found), made, "{paged_by:?}");
        assert!(!found.cut);
    }
}

#[tokio::test]
async fn changed_files_are_told_of_a_commit_and_of_the_way_between_two() {
    let repo = Repo::new().await;
    let base = repo.commit("main", "Base", &["/api/a"]).await;
    repo.commit("main", "One", &["/web/é b", "/api/a"]).await;
    let two = repo.commit("main", "Two", &["/docs/c", "/api/a"]).await;
    let changed = repo.client.changed_paths(PROJECT, SHOP, &two).await.unwrap();
    assert_eq!((changed.paths.as_slice(), changed.cut), (&["/api/a".to_owned(), "/docs/c".to_owned()][..], false));
    let between = repo.client.diff_paths(PROJECT, SHOP, &base, &two).await.unwrap();
    assert_eq!(between.paths, ["/api/a", "/docs/c", "/web/é b"]);
    assert!(!between.cut);
    let many: Vec<String> = (0..1_200).map(|n| format!("/many/{n:04}")).collect();
    let paths: Vec<&str> = many.iter().map(String::as_str).collect();
    let big = repo.commit("main", "Many", &paths).await;
    assert_eq!(repo.client.changed_paths(PROJECT, SHOP, &big).await.unwrap().paths, many);
    assert_eq!(repo.client.diff_paths(PROJECT, SHOP, &two, &big).await.unwrap().paths, many);
}

#[tokio::test]
async fn a_server_that_walks_the_other_way_is_a_failure_and_no_wrong_commits() {
    let server = Scripted::start(|_| said(&json!({ "value": [{ "commitId": NOBODY }] }))).await;
    let found = client(&scripted_access(&server.origin)).commits_between("p", "r", Some(NOBODY), "t").await;
    assert!(matches!(found, Err(Failure::Unexpected { .. })), "{found:?}");
}

/// A page of so many commits.
fn page(asked: &Asked, all: usize) -> Value {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let number = |name: &str| usize::try_from(body[name].as_u64().unwrap()).unwrap();
    let commits = (0..all).skip(number("$skip")).take(number("$top"));
    json!({ "value": commits.map(|n| json!({ "commitId": format!("{n:040}") })).collect::<Vec<_>>() })
}

#[tokio::test]
async fn more_commits_than_are_given_are_said_to_be_cut_and_exactly_as_many_are_not() {
    for (all, cut) in [(COMMITS_MAX, false), (COMMITS_MAX + 1, true)] {
        let server = Scripted::start(move |asked| said(&page(asked, all))).await;
        let found = client(&scripted_access(&server.origin)).commits_between("p", "r", None, NOBODY).await.unwrap();
        assert_eq!((found.commits.len(), found.cut), (COMMITS_MAX, cut));
    }
}

#[tokio::test]
async fn a_server_that_says_the_same_page_again_is_a_failure_and_no_double_commits() {
    let commits: Vec<Value> = (0..100).map(|n| json!({ "commitId": format!("{n:040}") })).collect();
    let server = Scripted::start(move |_| said(&json!({ "value": commits }))).await;
    let found = client(&scripted_access(&server.origin)).commits_between("p", "r", None, NOBODY).await;
    assert!(matches!(found, Err(Failure::Unexpected { .. })), "{found:?}");
}

#[tokio::test]
async fn an_annotated_tag_means_its_commit_and_folders_are_no_changed_files() {
    let server = Scripted::start(|asked| {
        said(&if asked.path.contains("/refs") {
            json!({ "value": [{ "name": "refs/tags/v1", "objectId": "annotation", "peeledObjectId": "commit" }] })
        } else {
            json!({ "changes": [
                { "item": { "path": "/src", "gitObjectType": "tree", "isFolder": true }, "changeType": "edit" },
                { "item": { "path": "/src/new", "gitObjectType": "blob" }, "changeType": "rename",
                    "sourceServerItem": "/lib/old" },
            ] })
        })
    })
    .await;
    let client = client(&scripted_access(&server.origin));
    let tag = client.resolve("p", "r", &Version::Tag("v1".to_owned())).await.unwrap();
    assert_eq!(tag.as_deref(), Some("commit"));
    assert_eq!(client.changed_paths("p", "r", NOBODY).await.unwrap().paths, ["/lib/old", "/src/new"]);
}
