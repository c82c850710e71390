//! Both ways to page give each item once.

use super::{Asker, CAFE};
use serde_json::Value;

/// Every `key` of a list, read page by page by its continuation token.
async fn by_token(asker: &Asker, path: &str, key: &str) -> Vec<String> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let from = token.map(|token| format!("&continuationToken={token}")).unwrap_or_default();
        let got = asker.get(&format!("{path}{from}")).await;
        assert_eq!(got.status, 200, "{got:?}");
        found.extend(got.json()["value"].as_array().unwrap().iter().map(|item| item[key].to_string()));
        match got.header("x-ms-continuationtoken") {
            Some(next) => token = Some(next.to_owned()),
            None => return found,
        }
    }
}

fn once(mut found: Vec<String>, expected: usize) {
    assert_eq!(found.len(), expected, "{found:?}");
    found.sort();
    found.dedup();
    assert_eq!(found.len(), expected, "{found:?}");
}

#[tokio::test]
async fn a_continuation_token_leads_through_all_pages() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let project = simulator.project("Fiber Café").unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    for n in 0..25 {
        simulator.push_commit(web, &format!("many/{n:02}"), "One of many", &["/many.txt"]).unwrap();
    }
    let refs = format!("_apis/git/repositories/{web}/refs?filter=heads/&$top=4");
    once(by_token(&asker, &refs, "name").await, 28);
    let some = format!("_apis/git/repositories/{web}/refs?filter=heads/&filterContains=ANY/0&$top=3&api-version=7.1");
    once(by_token(&asker, &some, "name").await, 10);
    once(by_token(&asker, "_apis/projects?$top=2", "id").await, 3);
    once(by_token(&asker, &format!("{CAFE}/_apis/build/definitions?$top=1"), "id").await, 2);
    once(by_token(&asker, &format!("{CAFE}/_apis/build/builds?$top=2"), "id").await, 5);
    let deployments = format!("/_vsrm/fabrikam/{CAFE}/_apis/release/deployments?$top=1");
    once(by_token(&asker, &deployments, "id").await, 2);
}

#[tokio::test]
async fn pushes_and_pull_requests_are_paged_by_skip_and_say_nothing_of_more() {
    let asker = Asker::new().await;
    let project = asker.azure.simulator.project("Fiber Café").unwrap();
    let web = asker.azure.simulator.repository(project, "web shop").unwrap();
    let mut found = Vec::new();
    for skip in (0..20).step_by(3) {
        let got = asker.get(&format!("_apis/git/repositories/{web}/pushes?$top=3&$skip={skip}")).await;
        assert_eq!(got.header("x-ms-continuationtoken"), None);
        found.extend(got.json()["value"].as_array().unwrap().iter().map(|push| push["pushId"].to_string()));
    }
    let newest_first: Vec<u32> = found.iter().map(|id| id.parse().unwrap()).collect();
    assert!(newest_first.is_sorted_by(|a, b| a > b), "{newest_first:?}");
    once(found, 10);
    let all = asker.read(&format!("{CAFE}/_apis/git/pullrequests?searchCriteria.status=all&$top=1&$skip=1")).await;
    assert_eq!((&all["count"], &all["value"][0]["pullRequestId"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn a_watermark_goes_on_where_it_ended_also_another_day() {
    let asker = Asker::new().await;
    let path = "_apis/wit/reporting/workitemrevisions?$maxPageSize=3";
    let mut url = path.to_owned();
    let mut seen: Vec<(Value, Value)> = Vec::new();
    let last = loop {
        let page = asker.read(&url).await;
        seen.extend(page["values"].as_array().unwrap().iter().map(|own| (own["id"].clone(), own["rev"].clone())));
        let token = page["continuationToken"].as_str().unwrap().to_owned();
        if page["isLastBatch"] == true {
            break token;
        }
        url = format!("{path}&continuationToken={token}");
    };
    assert_eq!(seen.len(), 8, "{seen:?}");
    asker.azure.simulator.move_work_item(3, "Active").unwrap();
    let page = asker.read(&format!("{path}&continuationToken={last}")).await;
    assert_eq!(page["values"][0]["id"], 3);
    assert_eq!((page["values"].as_array().unwrap().len(), &page["isLastBatch"]), (1, &true.into()));
}

#[tokio::test]
async fn a_token_that_is_none_is_refused() {
    let got = Asker::new().await.get("_apis/projects?continuationToken=elsewhere").await;
    assert_eq!((got.status.as_u16(), got.kind().as_str()), (400, "InvalidContinuationTokenException"));
}
