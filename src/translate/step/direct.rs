//! Pushes that bindings want to be told as merged changes, unless a pull request explains them.
//!
//! The push itself is told at once. Whether a pull request brought it is known when that is told to be merged, a moment
//! before or after; so what it is besides is put off for a minute, and nothing waits for it. What is told then stands: a pull
//! request that is found still later (its hook was lost) is one more merged change, with the same `mergeCommit`, since an event
//! cannot be taken back. `directPush` says which of the two was a guess.

use super::{acts::READING_WAIT_MAX, translator::Translated};
use crate::{
    app::App,
    event::{Event, kept::Kept},
    relations::{self, thing::Thing},
    store::{Error, Log},
};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// How long the pull request is awaited that explains a push.
const WAIT: Duration = Duration::from_mins(1);
/// Looks after which it is told, whatever the clock says.
const ATTEMPTS_MAX: u32 = 50;
const MERGED: &str = "dev.cdevents.change.merged.";

/// The fate of the `change.merged` of a direct push.
pub(super) enum Fate {
    /// The step looks again.
    Waits,
    /// These are told: none, where it is explained or was told before.
    Told(Vec<Event>),
}

/// Decides it; `fresh` is what is about to be appended.
pub(super) async fn look(app: &App, own: &Translated, attempt: u32, fresh: &[Event]) -> Result<Fate, Error> {
    if !relations::is_near(app) && own.waited < READING_WAIT_MAX {
        return Ok(Fate::Waits);
    }
    let ids: Vec<Uuid> = own.direct.iter().map(|event| event.id).collect();
    let kept = app.store.contains(Log::Events, &ids).await?;
    let mut left = Vec::new();
    for (event, is_kept) in own.direct.iter().zip(kept) {
        if !is_kept && !is_explained(app, event, fresh).await? {
            left.push(event.clone());
        }
    }
    let is_over = own.waited >= WAIT || attempt > ATTEMPTS_MAX;
    Ok(if left.is_empty() || is_over { Fate::Told(left) } else { Fate::Waits })
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Azure {
    pull_request_id: Option<i64>,
    target_ref_name: Option<String>,
    merge_commit: Option<String>,
    new_object_id: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    commits: Vec<Commit>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Commit {
    commit_id: Option<String>,
    comment: Option<String>,
}

impl Azure {
    /// Whether it is of a pull request into another branch than this; one that says no branch can be into any.
    fn is_into_another(&self, branch: Option<&str>) -> bool {
        self.target_ref_name.as_deref().zip(branch).is_some_and(|(own, branch)| own != branch)
    }

    /// The pull request that the words of the head name, which its completion writes; a cherry-pick by hand keeps them.
    fn named(&self, head: &str) -> Option<i64> {
        let newest = self.commits.iter().find(|commit| commit.commit_id.as_deref() == Some(head))?;
        let number = newest.comment.as_deref()?.strip_prefix("Merged PR ")?;
        number.split(|digit: char| !digit.is_ascii_digit()).next()?.parse().ok()
    }
}

/// Whether a pull request into this branch was completed with this head; or was surely, as its words say, though that is not told.
async fn is_explained(app: &App, event: &Event, fresh: &[Event]) -> Result<bool, Error> {
    let Some(own) = Kept::<Azure>::read(event) else { return Ok(false) };
    let Some(head) = own.azure.new_object_id.as_deref() else { return Ok(false) };
    let collection = own.source.rsplit_once('/').filter(|(_, project)| Uuid::try_parse(project).is_ok());
    let thing = Thing::commit(collection.map_or(own.source.as_str(), |(collection, _)| collection), head);
    let found = relations::events(app, &thing).await?;
    let (home, branch) = (own.subject.split("/commits/").next().unwrap_or_default(), own.azure.reference.as_deref());
    let is_of = |other: &Kept<Azure>| {
        let azure = &other.azure;
        let is_here =
            other.subject.starts_with(home) && azure.pull_request_id.is_some() && !azure.is_into_another(branch);
        is_here && azure.merge_commit.as_deref().is_some_and(|merge| merge.eq_ignore_ascii_case(head))
    };
    let merges = |other: &Event| other.header.kind.starts_with(MERGED) && Kept::read(other).as_ref().is_some_and(is_of);
    if found.events.iter().chain(fresh).any(merges) {
        return Ok(true);
    }
    let Some(number) = own.azure.named(head) else { return Ok(false) };
    let request = format!("{home}/pullRequests/{number}");
    let Some(thing) = Thing::of_subject(&own.source, &request) else { return Ok(true) };
    let found = relations::events(app, &thing).await?;
    let of_request = |other: &Event| Kept::<Azure>::read(other).filter(|other| other.subject == request);
    let known: Vec<Kept<Azure>> = found.events.iter().chain(fresh).filter_map(of_request).collect();
    // Of one that nobody heard of, the end is still to come: by its record, if by no hook.
    Ok(known.is_empty() || known.iter().any(|other| !other.azure.is_into_another(branch)))
}
