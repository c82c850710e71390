//! Builds and work items: ends of runs, pages by time, and what a window of revisions goes by.

use super::{
    ask::Ask,
    asker::{Asker, Ended},
    place::Place,
    question::Finding,
    seen::{Answer, document, id, is_good, items, time},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Runs whose ends are compared, in each project.
const RUNS_MAX: usize = 5;
/// How far back revisions are asked for.
const BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) async fn ask(asker: &mut Asker<'_>, places: &[Place]) -> Result<(), Ended> {
    let mut ends: Vec<(Option<Timestamp>, Option<Timestamp>)> = Vec::new();
    let mut paging = Finding::unsettled("builds_page", "no project has two builds that ended");
    for Place { project, .. } in places {
        let builds = || {
            Ask::get("builds", "build/builds", &[]).within(project).with("statusFilter", "completed").with("$top", 1)
        };
        let newest = Ask::get("builds", "build/builds", &[]).within(project).with("statusFilter", "completed");
        let newest = newest.with("$top", RUNS_MAX).with("queryOrder", "finishTimeDescending");
        let newest = asker.see(&newest).await?;
        for build in items(&newest).iter().take(RUNS_MAX) {
            let (Some(build_id), Some(pipeline)) = (id(&build["id"]), id(&build["definition"]["id"])) else { continue };
            let run = Ask::get("the run", "pipelines/{pipeline}/runs/{run}", &[&pipeline, &build_id]).within(project);
            let run = asker.see(&run).await?;
            ends.push((time(&build["finishTime"]), time(&document(&run)["finishedDate"])));
        }
        if paging.verdict == super::question::Verdict::Unsettled && items(&newest).len() >= 2 {
            let first = asker.see(&builds().with("queryOrder", "finishTimeAscending")).await?;
            let token = first.as_ref().and_then(|seen| seen.continuation.clone());
            let second = match &token {
                None => None,
                Some(token) => {
                    let next = builds().with("queryOrder", "finishTimeAscending").with("continuationToken", token);
                    asker.see(&next).await?
                }
            };
            paging = builds_page(&first, token.as_deref(), &second);
        }
    }
    asker.found(run_end(&ends));
    asker.found(paging);
    let from = crate::azure::time::second(asker.now() - BACK);
    let mut changed: Vec<Option<Timestamp>> = Vec::new();
    for Place { project, .. } in places {
        let ask = Ask::get("revisions", "wit/reporting/workitemrevisions", &[]).within(project).big();
        let ask = ask.with("startDateTime", from).with("fields", "System.ChangedDate").with("$maxPageSize", 200);
        let seen = asker.see(&ask).await?;
        let listed = document(&seen)["values"].as_array().map_or(&[][..], Vec::as_slice);
        changed.extend(listed.iter().map(|own: &Value| time(&own["fields"]["System.ChangedDate"])));
    }
    asker.found(revisions(from, &changed));
    Ok(())
}

fn run_end(ends: &[(Option<Timestamp>, Option<Timestamp>)]) -> Finding {
    let key = "run_end";
    let both = ends.iter().filter_map(|(build, run)| Some(((*build)?, (*run)?)));
    let (mut same, mut other, mut apart) = (0_usize, 0_usize, 0.0_f64);
    for (build, run) in both {
        if build.as_second() == run.as_second() {
            same += 1;
        } else {
            other += 1;
        }
        apart = apart.max(build.duration_since(run).as_secs_f64().abs());
    }
    if same + other == 0 {
        return Finding::unsettled(key, "no run that ended has both");
    }
    let said = format!("of {} runs {other} differ; at most {apart:.3} seconds lie between", same + other);
    Finding::told(key, other == 0, said)
}

fn builds_page(first: &Answer, token: Option<&str>, second: &Answer) -> Finding {
    let key = "builds_page";
    let Some(token) = token else {
        return if is_good(first) {
            Finding::otherwise(key, "there is no token, though there are more")
        } else {
            Finding::unsettled(key, "there was no page")
        };
    };
    // Source: microsoft/vsts-rest-api-specs#178 saw a date.
    let form = if token.parse::<u64>().is_ok() {
        "a number"
    } else if token.contains('T') && token.contains(':') {
        "a date"
    } else {
        "something else"
    };
    let (Some(before), Some(after)) = (items(first).first(), items(second).first()) else {
        return Finding::otherwise(key, format!("the token is {form}, and nothing is behind it"));
    };
    let is_new = before["id"] != after["id"];
    let then = if is_new { "another build" } else { "the same build again" };
    Finding::told(key, is_new, format!("the token is {form}, and behind it comes {then}"))
}

fn revisions(from: Timestamp, changed: &[Option<Timestamp>]) -> Finding {
    let older = changed.iter().flatten().filter(|at| **at < from).count();
    let said = format!("of {} revisions {older} have an older date than was asked for", changed.len());
    if older > 0 { Finding::as_assumed("revisions", said) } else { Finding::unsettled("revisions", said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn ends_are_compared_to_the_second() {
        let judged =
            |build: &str, run: &str| run_end(&[(Some(at(build)), Some(at(run))), (None, Some(at(run)))]).verdict.word();
        assert_eq!(judged("2026-11-22T10:00:00.9Z", "2026-11-22T10:00:00.1Z"), "as_assumed");
        assert_eq!(judged("2026-11-22T10:00:00.9Z", "2026-11-22T10:00:01Z"), "otherwise");
        assert_eq!(run_end(&[(None, None)]).verdict.word(), "unsettled");
    }

    #[test]
    fn only_an_older_date_says_what_a_window_goes_by() {
        let from = "2026-11-22T10:00:00Z";
        let judged = |dates: &[&str]| {
            let dates: Vec<_> = dates.iter().map(|date| Some(at(date))).collect();
            revisions(from.parse().unwrap(), &dates).verdict.word()
        };
        assert_eq!(judged(&["2026-11-22T10:00:00Z"]), "unsettled");
        assert_eq!(judged(&["2026-11-22T10:00:00Z", "2020-01-01T00:00:00Z"]), "as_assumed");
    }
}
