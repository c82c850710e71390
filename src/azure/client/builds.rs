//! Builds of a window, page by page.
//!
//! Azure's own token for the next page does not help everywhere: with `finishTimeAscending` it is a date, and the first page
//! came again (vsts-rest-api-specs#178). So a page goes on at the date that the one before ended with, which is what the list
//! goes by, and leaves out what was on that one. The token is used only where a whole page is of one second.

use super::{
    BuildDate, BuildRecord, Failure, Page, PageRequest, PageToken, Window, calls::api, engine::Client, page::Start,
    records_calls::within, records_shapes as shapes, wire,
};
use jiff::Timestamp;

/// Most pipelines that are named in a URL; of more, the builds of all are listed and filtered here.
const DEFINITIONS_MAX: usize = 100;
/// Most builds of a page.
const ITEMS_MAX: u32 = 1_000;

fn date(build: &BuildRecord, by: BuildDate) -> Option<Timestamp> {
    match by {
        BuildDate::Queued => build.queued,
        BuildDate::Started => build.started,
        BuildDate::Finished => build.finished,
    }
}

/// Where to go on after these: from the second of the last one on, without those of that second. Nowhere new where all are
/// of the second that was asked for.
fn after(dates: &[(Timestamp, i64)], from: Timestamp) -> Option<PageToken> {
    let last = dates.iter().map(|(at, _)| at.as_second()).max().filter(|last| *last > from.as_second())?;
    let of_it: Vec<i64> = dates.iter().filter(|(at, _)| at.as_second() == last).map(|(_, id)| *id).collect();
    PageToken::since(last, &of_it)
}

impl Client {
    pub(super) async fn builds_by_date(
        &self,
        project: &str,
        definitions: &[i64],
        by: BuildDate,
        window: Window,
        page: PageRequest,
    ) -> Result<Page<BuildRecord>, Failure> {
        let (order, statuses) = match by {
            BuildDate::Queued => ("queueTimeAscending", "all"),
            BuildDate::Started => ("startTimeAscending", "all"),
            BuildDate::Finished => ("finishTimeAscending", "completed"),
        };
        let unknown = || {
            let detail = Some("the page token is not one that was given out".to_owned());
            Failure::Refused { kind: None, detail }
        };
        let (mut rest, mut known, mut token) = (window, Vec::new(), None);
        match page.from.as_ref().map(|from| from.start().ok_or_else(unknown)).transpose()? {
            None => {}
            Some(Start::Since(second, ids)) => {
                rest.from = Timestamp::from_second(second).map_err(|_| unknown())?.max(window.from);
                known = ids.split(',').filter_map(|id| id.parse::<i64>().ok()).collect();
            }
            Some(Start::Continuation(text)) => token = Some(text),
            Some(Start::Skip(_)) => return Err(unknown()),
        }
        let (from, to) = rest.asked();
        let mut call = api("builds", self.base(), Some(project), &["build", "builds"])?
            .with("minTime", &from)
            .with("maxTime", &to)
            .with("queryOrder", order)
            .with("statusFilter", statuses)
            .with("$top", &page.items_max.clamp(1, ITEMS_MAX).to_string());
        if !definitions.is_empty() && definitions.len() <= DEFINITIONS_MAX {
            let named: Vec<String> = definitions.iter().map(ToString::to_string).collect();
            call = call.with("definitions", &named.join(","));
        }
        let call = token.into_iter().fold(call, |call, token| call.with("continuationToken", token));
        let reply = self.ask(&call).await?;
        let builds = wire::records::<shapes::Build<'_>>(&reply, call.name)?;
        let dates: Vec<(Timestamp, i64)> =
            builds.items.iter().filter_map(|build| Some((date(build, by)?, build.id))).collect();
        let mut items = within(builds, window, false, |build| date(build, by)).items;
        items.retain(|build| {
            (definitions.is_empty() || definitions.contains(&build.definition)) && !known.contains(&build.id)
        });
        let next = match &reply.continuation {
            None => None,
            Some(_) if token.is_none() && after(&dates, rest.from).is_some() => after(&dates, rest.from),
            Some(next) if token == Some(next) => {
                return Err(reply.unexpected(call.name, "its continuation token repeats, so the list would never end"));
            }
            Some(next) => Some(
                PageToken::continuation(next)
                    .ok_or_else(|| reply.unexpected(call.name, "its continuation token is too long"))?,
            ),
        };
        Ok(Page { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_at_the_second_that_the_one_before_ended_with() {
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        let dates = [(at(1_000), 1), (at(2_100), 2), (at(2_900), 3)];
        let token = after(&dates, at(0)).unwrap();
        assert_eq!(token.start(), Some(Start::Since(2, "2,3")));
        assert_eq!(after(&dates, at(2_500)), None, "all that is new is of the second that was asked for");
        assert_eq!(after(&[], at(0)), None);
        let many: Vec<(Timestamp, i64)> = (0..1_000).map(|id| (at(2_000), 1_000_000 + id)).collect();
        assert_eq!(after(&many, at(0)), None, "too many of one second for a token of ours");
    }
}
