//! Repositories: paging of commits, and what a listing of pushes has.

use super::{
    ask::Ask,
    asker::{Asker, Ended},
    place::{Place, Repository},
    question::Finding,
    seen::{Answer, is_good, items, status, text},
};
use serde_json::json;

/// The path that the pages of commits are told by.
const BATCH: &str = "git/repositories/{repository}/commitsbatch";

pub(super) async fn ask(asker: &mut Asker<'_>, places: &[Place]) -> Result<(), Ended> {
    let usable: Vec<(&str, &Repository)> =
        places.iter().filter_map(|place| Some((place.project.as_str(), place.repository.as_ref()?))).collect();
    let mut paging = Finding::unsettled("commits_page", "there is no repository with three commits");
    for (project, repository) in &usable {
        let posted = |body| Ask::posted("commits", BATCH, &[&repository.id], body).within(project);
        let all = asker.see(&posted(json!({})).with("$top", 3)).await?;
        if items(&all).len() < 3 {
            continue;
        }
        let by_query = asker.see(&posted(json!({})).with("$top", 1).with("$skip", 1)).await?;
        let by_body = asker.see(&posted(json!({ "$top": 1, "$skip": 1 }))).await?;
        paging = commits_page(&all, &by_query, &by_body);
        break;
    }
    asker.found(paging);
    let mut listings = Vec::new();
    for (project, repository) in &usable {
        let ask = Ask::get("pushes", "git/repositories/{repository}/pushes", &[&repository.id]).within(project);
        let ask = ask.with("$top", 100).with("searchCriteria.includeRefUpdates", "true");
        listings.push(asker.see(&ask).await?);
    }
    asker.found(pushes(&listings));
    Ok(())
}

fn commits_page(all: &Answer, by_query: &Answer, by_body: &Answer) -> Finding {
    let key = "commits_page";
    if !is_good(by_query) || !is_good(by_body) {
        return Finding::unsettled(key, format!("status {} and {}", status(by_query), status(by_body)));
    }
    let second = text(&items(all)[1], "commitId");
    let is_second = |answer: &Answer| {
        let page = items(answer);
        page.len() == 1 && text(&page[0], "commitId") == second
    };
    match (is_second(by_query), is_second(by_body)) {
        (true, true) => Finding::as_assumed(key, "both are read"),
        (true, false) => {
            Finding::otherwise(key, "the query is read, the body is not").with("commits_paged_by", "query")
        }
        (false, true) => Finding::otherwise(key, "the body is read, the query is not").with("commits_paged_by", "body"),
        (false, false) => Finding::otherwise(key, "neither is read"),
    }
}

fn pushes(listings: &[Answer]) -> Finding {
    let (mut all, mut without, mut of_pulls) = (0_usize, 0_usize, 0_usize);
    for push in listings.iter().flat_map(items) {
        let updates = push["refUpdates"].as_array().map_or(&[][..], Vec::as_slice);
        all += 1;
        without += usize::from(updates.is_empty());
        of_pulls += usize::from(updates.iter().any(|update| text(update, "name").starts_with("refs/pull/")));
    }
    if all == 0 {
        return Finding::unsettled("pushes", "no push is listed");
    }
    let said = format!("of {all} pushes {without} name no ref, and {of_pulls} moved one of a pull request");
    Finding::told("pushes", without == 0, said)
}
