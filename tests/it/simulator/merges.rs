//! Ways to merge, and forks: what the target's history is afterwards.

use super::{Asker, changes::shop};
use hookwell::simulator::MergeStrategy;
use std::time::Duration;
use uuid::Uuid;

/// The messages of main's newest commits, with the dates on which they were written and came there; newest first.
async fn history(asker: &Asker, web: Uuid, count: usize) -> Vec<String> {
    let path = format!("_apis/git/repositories/{web}/commits?searchCriteria.itemVersion.version=main&$top={count}");
    let listed = asker.read(&path).await;
    let commits = listed["value"].as_array().unwrap().iter();
    let line = |own: &serde_json::Value| {
        let minute = |who: &str| own[who]["date"].as_str().unwrap()[14..16].to_owned();
        format!("{} {}-{}", own["comment"].as_str().unwrap(), minute("author"), minute("committer"))
    };
    commits.map(line).collect()
}

#[tokio::test]
async fn each_way_to_merge_leaves_a_history_of_its_own() {
    for (strategy, wanted) in [
        (MergeStrategy::NoFastForward, &["Merged PR N: Two steps 03-03", "two 02-02", "one 01-01"][..]),
        (MergeStrategy::Squash, &["Merged PR N: Two steps 03-03", "Write the README 00-00"]),
        (MergeStrategy::Rebase, &["two 02-03", "one 01-03"]),
        (MergeStrategy::RebaseMerge, &["Merged PR N: Two steps 03-03", "two 02-03", "one 01-03"]),
    ] {
        let (asker, _, web) = shop().await;
        let simulator = &asker.azure.simulator;
        simulator.push_commit(web, "main", "Write the README", &["/README.md"]).unwrap();
        for step in ["one", "two"] {
            asker.clock.advance(Duration::from_mins(1));
            simulator.push_commit(web, "feature/steps", step, &[&format!("/{step}")]).unwrap();
        }
        let number = simulator.create_pull_request(web, "feature/steps", "main", "Two steps").unwrap();
        asker.clock.advance(Duration::from_mins(1));
        simulator.merge_pull_request(number, strategy, true).unwrap();
        let lines = history(&asker, web, wanted.len()).await;
        let lines: Vec<String> = lines.iter().map(|line| line.replace(&format!("PR {number}:"), "PR N:")).collect();
        assert_eq!(lines, wanted, "{strategy:?}");
        let own = asker.read(&format!("_apis/git/pullrequests/{number}")).await;
        assert_eq!(
            (&own["status"], &own["completionOptions"]["mergeStrategy"]),
            (&"completed".into(), &strategy.word().into())
        );
        let main = asker.read(&format!("_apis/git/repositories/{web}/refs?filter=heads/main")).await;
        assert_eq!(main["value"][0]["objectId"], own["lastMergeCommit"]["commitId"]);
        let changed = asker
            .read(&format!(
                "_apis/git/repositories/{web}/commits/{}/changes",
                own["lastMergeCommit"]["commitId"].as_str().unwrap()
            ))
            .await;
        let count = if strategy == MergeStrategy::Rebase { 1 } else { 2 };
        assert_eq!(changed["changes"].as_array().unwrap().len(), count, "{strategy:?}");
    }
}

#[tokio::test]
async fn a_fork_goes_its_own_way_and_comes_back_by_a_pull_request() {
    let (asker, project, web) = shop().await;
    let simulator = &asker.azure.simulator;
    let fork = simulator.fork_repository(web, "web shop of Mei").unwrap();
    assert_eq!(simulator.repository(project, "web shop of Mei"), Some(fork));
    let of = asker.read(&format!("_apis/git/repositories/{fork}")).await;
    assert_eq!((&of["isFork"], &of["defaultBranch"]), (&true.into(), &"refs/heads/main".into()));
    simulator.acts("mei@fabrikam.example");
    simulator.push_commit(fork, "better", "Better prices", &["/src/prices.rs"]).unwrap();
    let number = simulator.create_pull_request_of_fork(fork, "better", "main", "Better").unwrap();
    simulator.push_commit(fork, "better", "Best prices", &["/src/prices.rs"]).unwrap();
    let path = format!("_apis/git/repositories/{web}/pullRequests/{number}");
    let own = asker.read(&path).await;
    assert_eq!(
        (&own["repository"]["id"], &own["forkSource"]["repository"]["id"]),
        (&web.to_string().into(), &fork.to_string().into())
    );
    assert_eq!(own["createdBy"]["uniqueName"], "mei@fabrikam.example");
    assert_eq!(asker.read(&format!("{path}/commits")).await["count"], 2);
    simulator.acts("");
    simulator.merge_pull_request(number, MergeStrategy::Squash, true).unwrap();
    assert!(history(&asker, web, 1).await[0].starts_with("Merged PR"));
    let gone = asker.read(&format!("_apis/git/repositories/{fork}/refs?filter=heads/better")).await;
    assert_eq!(gone["count"], 0, "the source was in the fork");
    assert!(simulator.create_pull_request_of_fork(web, "main", "main", "No").is_err(), "that is no fork");
}
