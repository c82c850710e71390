//! What belongs together, as the simulated Azure DevOps keeps it, and as a server that answers oddly says it.

use super::{
    access as scripted_access, client,
    code::{PROJECT, Repo, SHOP},
    scripted::{Scripted, said},
};
use hookwell::{azure::client::Failure, simulator::Edit};
use serde_json::{Value, json};
use std::time::Duration;

const ANA: &str = "ana@fabrikam.example";
const MEI: &str = "mei@fabrikam.example";

#[tokio::test]
async fn pull_requests_are_found_by_the_commits_that_they_brought_and_by_their_merge() {
    let repo = Repo::new().await;
    let simulator = &repo.azure.simulator;
    let base = repo.commit("main", "Base", &["/a"]).await;
    let first = repo.commit("topic", "First", &["/b"]).await;
    let second = repo.commit("topic", "Second", &["/c"]).await;
    let number = simulator.create_pull_request(repo.repository, "topic", "main", "Roast longer").unwrap();
    let asked: Vec<String> = [&base, &first, &second].map(Clone::clone).to_vec();
    let before = repo.client.pull_requests_of(PROJECT, SHOP, &asked).await.unwrap();
    assert!(before.is_empty(), "one that is open has brought nothing: {before:?}");

    simulator.complete_pull_request(number, false).unwrap();
    let merge = repo.head("main").await;
    let asked: Vec<String> = [&base, &first, &second, &merge].map(Clone::clone).to_vec();
    let found = repo.client.pull_requests_of(PROJECT, SHOP, &asked).await.unwrap();
    let mut named = vec![first.as_str(), &second, &merge];
    named.sort_unstable();
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), named);
    for own in found.values() {
        assert_eq!(own.iter().map(|own| own.number).collect::<Vec<_>>(), [i64::from(number)]);
        assert_eq!((own[0].title.as_str(), own[0].status.as_str()), ("Roast longer", "completed"));
        assert_eq!(own[0].merge_commit.as_ref(), Some(&merge));
    }

    // More than one question holds.
    let many: Vec<String> = (0..150).map(|n| format!("{n:040}")).chain([second.clone()]).collect();
    let found = repo.client.pull_requests_of(PROJECT, SHOP, &many).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [second]);
}

#[tokio::test]
async fn the_first_review_is_the_first_word_or_vote_of_somebody_else() {
    let repo = Repo::new().await;
    let simulator = &repo.azure.simulator;
    repo.commit("topic", "First", &["/b"]).await;
    let number = simulator.create_pull_request(repo.repository, "topic", "main", "Roast longer").unwrap();
    // Whoever calls knows the author from the pull request, as it was found.
    let review = || repo.client.first_review(PROJECT, SHOP, i64::from(number), Some(ANA), &[]);
    assert_eq!(review().await, Ok(None));
    simulator.vote(number, ANA, 10).unwrap();
    assert_eq!(review().await, Ok(None), "an author's own vote is no review");
    let service = "Build\\9a1f0c3d-5e6f-4071-8293-a4b5c6d7e8f9";
    for (name, account) in [("Fabrikam Build Service", service), ("Reviewing Robot", "robot@fabrikam.example")] {
        simulator.hire(name, account, false);
        simulator.vote(number, account, 5).unwrap();
    }
    let without = |bots: &[&str]| bots.iter().map(|bot| (*bot).to_owned()).collect::<Vec<String>>();
    for bots in [without(&["robot@FABRIKAM.example"]), without(&["reviewing robot"])] {
        let review = repo.client.first_review(PROJECT, SHOP, i64::from(number), Some(ANA), &bots).await;
        assert_eq!(review, Ok(None), "neither a service nor a bot reviews");
    }
    assert_eq!(review().await, Ok(Some(repo.now())), "who is not known to be a bot is somebody");
    repo.clock.advance(Duration::from_hours(1));
    let at = repo.now();
    simulator.vote(number, MEI, -5).unwrap();
    repo.clock.advance(Duration::from_hours(1));
    simulator.vote(number, MEI, 10).unwrap();
    let bots = without(&["Reviewing Robot"]);
    let review = repo.client.first_review(PROJECT, SHOP, i64::from(number), Some(ANA), &bots).await;
    assert_eq!(review, Ok(Some(at)));
    let nowhere = repo.client.first_review(PROJECT, SHOP, 4_711, None, &[]).await;
    assert!(matches!(nowhere, Err(Failure::NotFound { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn work_items_are_found_by_pull_request_and_by_number_and_those_gone_are_left_out() {
    let repo = Repo::new().await;
    let simulator = &repo.azure.simulator;
    let project = simulator.project(PROJECT).unwrap();
    let bug = simulator.create_work_item(project, "Bug", "Too dark").unwrap();
    let edits = [
        ("System.AssignedTo".to_owned(), Edit::Person(MEI.to_owned())),
        ("System.Tags".to_owned(), Edit::Set("roast; urgent".into())),
    ];
    simulator.update_work_item(bug, ANA, &edits).unwrap();
    let gone = simulator.create_work_item(project, "Bug", "A double").unwrap();
    simulator.delete_work_item(gone).unwrap();
    let items = repo.client.work_items(&[i64::from(gone), i64::from(bug), 4_711]).await.unwrap();
    let [item] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((item.id, item.item_type.as_str(), item.title.as_str()), (i64::from(bug), "Bug", "Too dark"));
    assert_eq!((item.state.as_str(), item.rev), ("New", 2));
    assert_eq!(item.tags, ["roast", "urgent"]);
    assert!(item.created.is_some() && item.changed >= item.created && item.assigned_to.as_deref() == Some(MEI));

    repo.commit("topic", "First", &["/b"]).await;
    let number = simulator.create_pull_request(repo.repository, "topic", "main", "Roast longer").unwrap();
    let linked = || repo.client.pull_request_work_items(PROJECT, SHOP, i64::from(number));
    assert_eq!(linked().await, Ok(Vec::new()));
    let artifact = format!("vstfs:///Git/PullRequestId/{project}%2F{}%2F{number}", repo.repository);
    simulator.link_work_item(bug, "ArtifactLink", &artifact).unwrap();
    assert_eq!(linked().await, Ok(vec![i64::from(bug)]));
}

#[tokio::test]
async fn work_items_are_asked_for_by_two_hundred_at_a_time() {
    let server = Scripted::start(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let ids = body["ids"].as_array().unwrap();
        assert!(ids.len() <= 200 && body["errorPolicy"] == "omit");
        let item =
            |id| json!({ "id": id, "rev": 1, "fields": { "System.WorkItemType": "Bug", "System.State": "New" } });
        said(&json!({ "value": ids.iter().map(item).collect::<Vec<_>>() }))
    })
    .await;
    let ids: Vec<i64> = (1..=401).collect();
    let found = client(&scripted_access(&server.origin)).work_items(&ids).await.unwrap();
    assert_eq!(found.iter().map(|item| item.id).collect::<Vec<_>>(), ids);
}
