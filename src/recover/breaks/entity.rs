//! What Azure's records tell of one entity, up to the event that waits.

use crate::{
    azure::{
        client::{
            AzureDevOps, Failure, Page, PageRequest, PageToken, PushRecord, RevisionRecord, UpdateRecord, Window,
        },
        time,
    },
    recover::{
        breaks::mend::Mender,
        compose::{self, Composed, Home},
        sweep::Stopped,
    },
    translate::order::Entity,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::future::Future;
use uuid::Uuid;

/// Updates of a work item that are read at most: one with more is left to the next sweep.
const UPDATES_MAX: usize = 4_000;
/// Pushes that are listed at most between two that are known; beyond is a sweep's work.
const PUSHES_LISTED_MAX: usize = 2_000;
const PAGE_ITEMS_MAX: u32 = 100;
/// A deployment is listed by when it was last changed, which is not when it was over.
const AROUND: SignedDuration = SignedDuration::from_hours(24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What they tell.
pub(super) enum Answer {
    /// What the hooks would have delivered, oldest first.
    Records(Vec<Composed>),
    /// There was nothing before it: a run that was cancelled while it waited never began.
    NothingBefore,
    /// They do not have it.
    Unknown,
}

/// Asks for the records of the break's entity.
pub(super) async fn ask(mender: &Mender<'_>, azure: &dyn AzureDevOps) -> Result<Answer, Stopped> {
    let (app, found, home, beginning) = (mender.app, mender.found, mender.home(), mender.beginning());
    let mut stopping = app.stopping();
    let project = home.project.to_string();
    let to = found.time.unwrap_or_else(|| app.clock.now()).saturating_add(SECOND).unwrap_or(Timestamp::MAX);
    let asking = async {
        let answer: Result<Answer, Failure> = match &found.entity {
            Entity::WorkItem { number, rev } => work_item(azure, home, &project, *number, *rev).await,
            Entity::Ref { repository, name, push, .. } => {
                let Ok(id) = Uuid::parse_str(repository) else { return Ok(Answer::Unknown) };
                let repository = Repository { azure, home, project: &project, id };
                let from = found.head.and_then(|head| head.time).map_or(beginning, |time| time.max(beginning));
                let window = Window { from: from.saturating_sub(SECOND).unwrap_or(Timestamp::MIN), to };
                match found.head {
                    Some(head) => repository.pushes_between(head.push, *push, window).await,
                    None => return repository.pushes_before(name, *push, window, mender).await,
                }
            }
            Entity::PullRequest { number, .. } => {
                let Some(record) = known(azure.pull_request(&project, *number)).await? else {
                    return Ok(Answer::Unknown);
                };
                Ok(Answer::Records(vec![compose::opened(home, &record)]))
            }
            Entity::Run { number } => run(azure, home, &project, *number).await,
            Entity::Release { number } => {
                let Some(record) = known(azure.release(&project, *number)).await? else { return Ok(Answer::Unknown) };
                Ok(Answer::Records(vec![compose::released(home, &record)]))
            }
            Entity::Deployment { release, environment, attempt } => {
                let from = found.time.unwrap_or(beginning).saturating_sub(AROUND).unwrap_or(Timestamp::MIN);
                let to = to.saturating_add(AROUND).unwrap_or(Timestamp::MAX);
                deployment(azure, home, &project, (*release, *environment, *attempt), Window { from, to }).await
            }
        };
        Ok(answer?)
    };
    tokio::select! {
        answer = asking => answer,
        _ = stopping.wait_for(|stopping| *stopping) => Err(Stopped::Stopping),
    }
}

/// What is not known to Azure is an answer, not a failure.
async fn known<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<Option<T>, Failure> {
    match call.await {
        Ok(found) => Ok(Some(found)),
        Err(Failure::NotFound { .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn work_item(
    azure: &dyn AzureDevOps,
    home: Home<'_>,
    project: &str,
    number: i64,
    rev: i64,
) -> Result<Answer, Failure> {
    let (mut updates, mut after) = (Vec::new(), 0);
    while after < rev - 1 {
        let Some(page) = known(azure.updates(project, number, after)).await? else { return Ok(Answer::Unknown) };
        let Some(last) = page.last() else { break };
        after = last.rev;
        updates.extend(page);
        if updates.len() > UPDATES_MAX {
            let detail = format!("work item {number} has more than {UPDATES_MAX} updates");
            return Err(Failure::Unexpected { detail, activity_id: None });
        }
    }
    let revisions = revisions(number, updates.into_iter().filter(|update| update.rev < rev));
    let composed = revisions.into_iter().flat_map(|(record, update)| {
        let told = match (record.rev, compose::written_as(&update)) {
            (1, _) => Some(compose::created(home, &record)),
            (_, change) if change.turns() => None,
            (_, change) => Some(compose::updated(home, &record, &change)),
        };
        told.into_iter().chain(compose::work_item_commented(home, &record))
    });
    Ok(Answer::Records(composed.collect()))
}

/// Each revision with all its fields, from what each update changed. An update that leaves the revision as it is (a link)
/// belongs to the fact that the first one tells.
fn revisions(number: i64, updates: impl Iterator<Item = UpdateRecord>) -> Vec<(RevisionRecord, UpdateRecord)> {
    let (mut all, mut fields): (Vec<(RevisionRecord, UpdateRecord)>, _) = (Vec::new(), Map::new());
    for update in updates {
        let own: Value = serde_json::from_str(update.json.get()).unwrap_or_default();
        for (name, change) in own["fields"].as_object().into_iter().flatten() {
            match change.get("newValue") {
                Some(value) => fields.insert(name.clone(), value.clone()),
                None => fields.remove(name),
            };
        }
        if all.last().is_some_and(|(record, _)| record.rev == update.rev) {
            continue;
        }
        // A comment is the revision's alone.
        if own["fields"].get("System.History").is_none() {
            fields.remove("System.History");
        }
        let item = json!({"id": number, "rev": update.rev, "fields": fields});
        let record = RevisionRecord {
            id: number,
            rev: update.rev,
            changed: fields.get("System.ChangedDate").and_then(|date| time::timestamp(date.as_str()?)),
            json: serde_json::value::to_raw_value(&item).expect("a JSON value is always written"),
        };
        all.push((record, update));
    }
    all
}

/// A repository whose pushes are missing.
struct Repository<'a> {
    azure: &'a dyn AzureDevOps,
    home: Home<'a>,
    project: &'a str,
    id: Uuid,
}

impl Repository<'_> {
    async fn page(
        &self,
        name: Option<&str>,
        within: Window,
        token: Option<PageToken>,
    ) -> Result<Option<Page<PushRecord>>, Failure> {
        let request = PageRequest { items_max: PAGE_ITEMS_MAX, from: token };
        known(self.azure.pushes(self.project, &self.id.to_string(), name, within, request)).await
    }

    /// All pushes between two, oldest first: what they did to other refs is missing as likely.
    async fn pushes_between(&self, after: i64, before: i64, within: Window) -> Result<Answer, Failure> {
        let (mut found, mut token): (Vec<PushRecord>, _) = (Vec::new(), None);
        loop {
            let Some(page) = self.page(None, within, token).await? else { return Ok(Answer::Unknown) };
            let is_over = page.items.iter().any(|push| push.id <= after);
            let between = |push: &PushRecord| push.id > after && (before == 0 || push.id < before);
            found.extend(page.items.into_iter().filter(|push| between(push) && compose::is_pushed(push)));
            token = page.next;
            if is_over || token.is_none() {
                break;
            }
            if found.len() >= PUSHES_LISTED_MAX {
                let detail = format!("more than {PUSHES_LISTED_MAX} pushes lie between two that are known");
                return Err(Failure::Unexpected { detail, activity_id: None });
            }
        }
        Ok(Answer::Records(self.whole(found).await?))
    }

    /// The pushes to a ref that nobody has heard of yet, oldest first, back to one that is in the log after all. One that
    /// was pushed to more often than we read is a new binding's: its own filling brings them, in their order.
    async fn pushes_before(
        &self,
        name: &str,
        before: i64,
        within: Window,
        mender: &Mender<'_>,
    ) -> Result<Answer, Stopped> {
        let (mut found, mut token): (Vec<PushRecord>, _) = (Vec::new(), None);
        let here = 'listing: loop {
            let Some(page) = self.page(Some(name), within, token).await? else { return Ok(Answer::Unknown) };
            for push in page.items.into_iter().filter(|push| before == 0 || push.id < before) {
                let composed = compose::push(self.home, self.id, &push);
                if mender.is_here(composed.clone()).await? {
                    break 'listing Some(composed);
                }
                found.push(push);
            }
            token = page.next;
            if token.is_none() {
                break None;
            }
            if found.len() >= PUSHES_LISTED_MAX {
                return Ok(Answer::NothingBefore);
            }
        };
        // It was not moved since we were to hear of it.
        if here.is_none() && found.is_empty() {
            return Ok(Answer::NothingBefore);
        }
        // What is here comes along: whether the chain holds is seen by where it left the ref.
        let missing = self.whole(found).await?;
        Ok(Answer::Records(here.into_iter().chain(missing).collect()))
    }

    /// With their commits, which a listing does not have.
    async fn whole(&self, mut found: Vec<PushRecord>) -> Result<Vec<Composed>, Failure> {
        found.sort_by_key(|push| push.id);
        let mut composed = Vec::new();
        for push in found {
            let whole = known(self.azure.push(self.project, &self.id.to_string(), push.id)).await?;
            composed.push(compose::push(self.home, self.id, &whole.unwrap_or(push)));
        }
        Ok(composed)
    }
}

async fn run(azure: &dyn AzureDevOps, home: Home<'_>, project: &str, number: i64) -> Result<Answer, Failure> {
    let Some(record) = known(azure.build(project, number)).await? else { return Ok(Answer::Unknown) };
    let Some(started) = compose::started(home, &record) else { return Ok(Answer::NothingBefore) };
    let timeline = known(azure.timeline(project, number)).await?.unwrap_or_default();
    let parts = compose::parts(home, &record, &timeline);
    Ok(Answer::Records(std::iter::once(started).chain(parts).collect()))
}

async fn deployment(
    azure: &dyn AzureDevOps,
    home: Home<'_>,
    project: &str,
    (release, environment, attempt): (i64, i64, i64),
    within: Window,
) -> Result<Answer, Failure> {
    let mut token = None;
    loop {
        let request = PageRequest { items_max: PAGE_ITEMS_MAX, from: token };
        let Some(page) = known(azure.deployments(project, within, request)).await? else { return Ok(Answer::Unknown) };
        for record in page.items.iter().filter(|record| record.release == release && record.attempt == attempt) {
            let json: Value = serde_json::from_str(record.json.get()).unwrap_or_default();
            if json["releaseEnvironment"]["id"] == environment {
                return Ok(match record.started {
                    Some(_) => Answer::Records(compose::deployment(home, record)),
                    None => Answer::NothingBefore,
                });
            }
        }
        token = page.next;
        if token.is_none() {
            return Ok(Answer::Unknown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(rev: i64, fields: &Value) -> UpdateRecord {
        UpdateRecord { rev, json: serde_json::value::to_raw_value(&json!({ "rev": rev, "fields": fields })).unwrap() }
    }

    #[test]
    fn updates_add_up_to_revisions() {
        let updates = [
            update(
                1,
                &json!({"System.Title": {"newValue": "a"}, "System.Tags": {"newValue": "x"}, "System.ChangedDate": {"newValue": "2026-01-01T00:00:00Z"}}),
            ),
            update(2, &json!({"System.Tags": {"oldValue": "x"}, "System.History": {"newValue": "said"}})),
            update(2, &json!({})),
            update(3, &json!({"System.Title": {"oldValue": "a", "newValue": "b"}})),
        ];
        let all = revisions(7, updates.into_iter());
        let fields = |at: usize| serde_json::from_str::<Value>(all[at].0.json.get()).unwrap()["fields"].clone();
        let date = "2026-01-01T00:00:00Z";
        assert_eq!(all.iter().map(|(record, _)| record.rev).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(fields(1), json!({"System.Title": "a", "System.History": "said", "System.ChangedDate": date}));
        assert_eq!(fields(2), json!({"System.Title": "b", "System.ChangedDate": date}));
        assert_eq!(all[0].0.changed, Some(date.parse().unwrap()));
    }
}
