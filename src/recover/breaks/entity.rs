//! What Azure's records tell of one entity, up to the event that waits.

use crate::{
    azure::client::{
        AzureDevOps, Failure, Page, PageRequest, PageToken, PushRecord, RevisionRecord, RevisionsFrom, UpdateRecord,
        Window,
    },
    recover::{
        breaks::mend::Mender,
        compose::{self, Composed, Home},
        sweep::Stopped,
    },
    translate::order::Entity,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::future::Future;
use uuid::Uuid;

/// Updates of a work item that are read at most: one with more is left to the next sweep.
const UPDATES_MAX: usize = 4_000;
/// Batches of all revisions that are read for those of an item that was deleted since; what is older is left to the next sweep.
const REVISION_PAGES_MAX: usize = 20;
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
    /// All pushes to a pull request.
    Pushes(Vec<Composed>),
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
            Entity::WorkItem { number, rev } => {
                Item { azure, home, project: &project, number: *number, rev: *rev }.told(found.begun).await
            }
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
            Entity::PullRequest { repository, number } => {
                let Some(record) = known(azure.pull_request(&project, *number)).await? else {
                    return Ok(Answer::Unknown);
                };
                let iterations = known(azure.iterations(&project, repository, *number)).await?.unwrap_or_default();
                let head = compose::proposed(&iterations);
                Ok(Answer::Records(vec![compose::opened(home, &record, head.as_deref())]))
            }
            Entity::Iterations { repository, number } => {
                let record = known(azure.pull_request(&project, *number)).await?;
                let iterations = known(azure.iterations(&project, repository, *number)).await?;
                let Some((record, iterations)) = record.zip(iterations) else { return Ok(Answer::NothingBefore) };
                let later = iterations.iter().filter(|iteration| iteration.id > 1);
                Ok(Answer::Pushes(later.map(|own| compose::pushed(home, &record, own)).collect()))
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

/// Whether an update moved its item to another project.
fn is_move(update: &UpdateRecord) -> bool {
    let whole: serde_json::Value = serde_json::from_str(update.json.get()).unwrap_or_default();
    let change = &whole["fields"]["System.TeamProject"];
    change["oldValue"].is_string() && change["newValue"].is_string()
}

/// A work item that misses a revision.
struct Item<'a> {
    azure: &'a dyn AzureDevOps,
    home: Home<'a>,
    project: &'a str,
    number: i64,
    /// Revisions before this one are asked for.
    rev: i64,
}

impl Item<'_> {
    /// By its updates, which have its links too; `begun` is when it was created.
    async fn told(&self, begun: Option<Timestamp>) -> Result<Answer, Failure> {
        let (mut updates, mut after) = (Vec::new(), 0);
        while after < self.rev - 1 {
            let page = self.azure.updates(self.project, self.number, after);
            let Some(page) = known(page).await? else { return self.in_all_revisions(begun).await };
            let Some(last) = page.last() else { break };
            after = last.rev;
            updates.extend(page);
            if updates.len() > UPDATES_MAX {
                let detail = format!("work item {} has more than {UPDATES_MAX} updates", self.number);
                return Err(Failure::Unexpected { detail, activity_id: None });
            }
        }
        // The updates before it came here are another project's, and were told there.
        let came =
            updates.iter().filter(|update| update.rev <= self.rev && is_move(update)).map(|update| update.rev).max();
        let steps = compose::steps(self.home, self.number, updates);
        let before = steps.into_iter().filter(|step| step.rev < self.rev && came.is_none_or(|came| came <= step.rev));
        Ok(Answer::Records(before.flat_map(|step| step.composed).collect()))
    }

    /// A deleted item has no updates any more. Its revisions are among those of all items, from when it was created on.
    async fn in_all_revisions(&self, begun: Option<Timestamp>) -> Result<Answer, Failure> {
        let Some(begun) = begun else { return Ok(Answer::Unknown) };
        let (mut from, mut found): (_, Vec<RevisionRecord>) = (RevisionsFrom::Time(begun), Vec::new());
        for _ in 0..REVISION_PAGES_MAX {
            let Some(batch) = known(self.azure.revisions(self.project, &from)).await? else { break };
            let own = |record: &RevisionRecord| record.id == self.number && record.rev < self.rev;
            found.extend(batch.values.into_iter().filter(own));
            if batch.is_last || found.iter().any(|record| record.rev == self.rev - 1) {
                break;
            }
            from = RevisionsFrom::Bookmark(batch.next);
        }
        if found.is_empty() {
            return Ok(Answer::Unknown);
        }
        found.sort_by_key(|record| record.rev);
        let before = |at: usize| found.get(at.checked_sub(1)?).filter(|last| last.rev == found[at].rev - 1);
        let changed =
            |at: usize| before(at).map_or_else(compose::Change::unknown, |last| compose::between(last, &found[at]));
        let told = (0..found.len()).flat_map(|at| compose::revised(self.home, &found[at], &changed(at)));
        Ok(Answer::Records(told.collect()))
    }
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
    use serde_json::json;

    #[test]
    fn an_update_moves_an_item_where_it_had_another_project_before() {
        for (change, moves) in [
            (json!({ "oldValue": "Shop", "newValue": "Tools" }), true),
            (json!({ "newValue": "Shop" }), false),
            (json!(null), false),
        ] {
            let json = json!({ "id": 3, "rev": 3, "fields": { "System.TeamProject": change } });
            let update = UpdateRecord { rev: 3, json: serde_json::value::to_raw_value(&json).unwrap() };
            assert_eq!(is_move(&update), moves, "{json}");
        }
    }
}
