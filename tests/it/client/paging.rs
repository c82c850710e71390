//! Lists over both of Azure's ways to page.

use super::{
    access, client,
    scripted::{Asked, Say, Scripted, reply, said},
};
use hookwell::azure::client::{AzureDevOps, Failure, GitRef, Page, PageRequest, PageToken};
use serde_json::{Value, json};
use std::sync::Arc;

fn branches(names: &[&str], token: Option<&str>) -> Say {
    let value: Vec<Value> =
        names.iter().map(|name| json!({ "name": format!("refs/heads/{name}"), "objectId": "ab" })).collect();
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(token.map(|token| ("x-ms-continuationtoken", token)));
    reply(200, &headers, json!({ "count": names.len(), "value": value }).to_string())
}

async fn page(
    client: &Arc<dyn AzureDevOps>,
    search: Option<&str>,
    from: Option<PageToken>,
) -> Result<Page<GitRef>, Failure> {
    client.branches("Fabrikam", "repo", search, PageRequest { items_max: 2, from }).await
}

fn names(page: &Page<GitRef>) -> Vec<&str> {
    page.items.iter().map(|branch| branch.name.as_str()).collect()
}

#[tokio::test]
async fn a_token_leads_from_page_to_page_and_over_empty_ones() {
    let server = Scripted::start(|asked| match asked.parameter("continuationToken") {
        "" => branches(&["main", "dev"], Some("a b&c=d")),
        "a b&c=d" => branches(&[], Some("third")),
        "third" => branches(&["release/1"], None),
        other => panic!("{other}"),
    })
    .await;
    let client = client(&access(&server.origin));
    let one = page(&client, None, None).await.unwrap();
    assert_eq!(names(&one), ["main", "dev"]);
    // As a caller keeps it: written and read again.
    let next = PageToken::read(&one.next.unwrap().to_string());
    let two = page(&client, None, next).await.unwrap();
    assert_eq!((names(&two), &two.next), (vec!["release/1"], &None));
    let asked = server.asked();
    assert!(asked.iter().skip(1).all(|asked| asked.parameter("$top") == "2" && asked.parameter("filter") == "heads/"));
}

#[tokio::test]
async fn a_list_that_would_never_end_is_a_failure() {
    let server = Scripted::start(|asked| match asked.parameter("continuationToken") {
        "one" => branches(&[], Some("two")),
        "two" => branches(&[], Some("one")),
        _ => branches(&["main"], Some("again")),
    })
    .await;
    let client = client(&access(&server.origin));
    let first = page(&client, None, None).await.unwrap();
    for from in [first.next, PageToken::read("t:one")] {
        let failure = page(&client, None, from).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unexpected { detail, .. } if detail.contains("never end")), "{failure:?}");
    }
}

#[tokio::test]
async fn empty_pages_are_gone_through_within_bounds() {
    let server = Scripted::start(|asked| {
        let number: u32 = asked.parameter("continuationToken").parse().unwrap_or(0);
        branches(&[], Some(&(number + 1).to_string()))
    })
    .await;
    let page = page(&client(&access(&server.origin)), None, None).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_some());
    assert_eq!(server.count("GET", "/refs"), 20);
}

#[tokio::test]
async fn a_server_that_does_not_know_the_search_is_searched_here() {
    let server = Scripted::start(|_| branches(&["main", "Feature/One", "feature/two"], None)).await;
    let page = page(&client(&access(&server.origin)), Some("feature"), None).await.unwrap();
    assert_eq!(names(&page), ["Feature/One", "feature/two"]);
    assert_eq!(server.asked().last().unwrap().parameter("filterContains"), "feature");
}

fn projects(asked: &Asked) -> Say {
    let skip: usize = asked.parameter("$skip").parse().unwrap_or(0);
    let top: usize = asked.parameter("$top").parse().unwrap();
    let project = |number: usize| json!({ "id": uuid::Uuid::from_u128(number as u128), "name": format!("P{number}") });
    said(&json!({ "value": (0..4).map(project).skip(skip).take(top).collect::<Vec<_>>() }))
}

#[tokio::test]
async fn without_tokens_projects_are_skipped_through() {
    let server = Scripted::start(projects).await;
    let client = client(&access(&server.origin));
    let (mut from, mut found) = (None, Vec::new());
    loop {
        let page = client.projects(PageRequest { items_max: 2, from }).await.unwrap();
        found.extend(page.items.into_iter().map(|project| project.name));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found, ["P0", "P1", "P2", "P3"]);
    assert_eq!(server.count("GET", "/_apis/projects"), 3);
}

#[tokio::test]
async fn a_token_of_somebody_else_is_refused_and_asks_nothing() {
    let server = Scripted::start(projects).await;
    let failure = page(&client(&access(&server.origin)), None, PageToken::read("nonsense")).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused { .. }), "{failure:?}");
    assert_eq!(server.count("GET", "/refs"), 0);
}
