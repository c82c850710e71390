//! Every call for what belongs together. What is read is read as the hooks' payloads are: the shapes are the same.

use super::{
    CommitRecord, Failure, LinkRecord, LinkRecords, Links, PageRequest, PullRequestDetail, Reviewer, RevisionsFrom,
    WorkItemRecord,
    call::Reply,
    calls::{api, posted},
    code_calls::Commit,
    engine::{Client, Paging},
    records_shapes::{Batch, date, needed, raw, text},
    wire::{self, Model, Record},
};
use crate::azure::{
    lenient::{Flag, Int, List, Object, Pairs, Text},
    resource::{
        Identity,
        pull_request::{Comment, PullRequest},
        work_item::WorkItem,
    },
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::collections::BTreeMap;

/// Commits of one question; Azure takes a thousand, in ten lists.
const COMMITS_ASKED_MAX: usize = 100;
/// Work items of one question: Azure's limit.
const WORK_ITEMS_ASKED_MAX: usize = 200;
/// Most commits of a pull request that are looked at, the newest.
const PULL_REQUEST_COMMITS_MAX: u32 = 500;
/// The kinds of question: what merged a commit, and what a commit is the merge of.
const KINDS: [&str; 2] = ["commit", "lastMergeCommit"];

fn handle(identity: &Identity<'_>) -> Option<String> {
    identity.handle().map(str::to_owned)
}

impl<'a> Model<'a> for PullRequest<'a> {
    type Into = PullRequestDetail;

    fn model(self) -> Result<PullRequestDetail, &'static str> {
        let reviewers = self.reviewers.iter().filter_map(|own| {
            let name = own.unique_name.as_str().or_else(|| own.display_name.as_str())?;
            Some(Reviewer { name: name.to_owned(), vote: own.vote.0.unwrap_or_default() })
        });
        Ok(PullRequestDetail {
            number: self.pull_request_id.positive().ok_or("pullRequestId")?,
            title: text(&self.title).unwrap_or_default(),
            description: text(&self.description),
            status: needed(&self.status, "status")?,
            is_draft: self.is_draft.0.unwrap_or_default(),
            author: handle(&self.created_by),
            source: text(&self.source_ref_name),
            target: text(&self.target_ref_name),
            source_commit: text(&self.last_merge_source_commit.commit_id),
            merge_commit: text(&self.last_merge_commit.commit_id),
            created: date(&self.creation_date),
            closed: date(&self.closed_date),
            labels: self.labels.iter().filter_map(|label| text(&label.name)).collect(),
            reviewers: reviewers.collect(),
        })
    }
}

raw!(Answers<'a> {
    #[serde(borrow)] results: Option<List<Pairs<'a, List<Object<PullRequest<'a>>>>>>,
});

raw!(Value<'a> { #[serde(borrow, rename = "$value")] value: Text<'a>, });

raw!(Thread<'a> {
    #[serde(borrow)] published_date: Text<'a>,
    #[serde(borrow)] comments: List<Object<Comment<'a>>>,
    #[serde(borrow)] properties: Pairs<'a, Object<Value<'a>>>,
    is_deleted: Flag,
});

impl<'a> Model<'a> for Thread<'a> {
    /// Who reviewed by it, and when; a comment's author twice, if need be.
    type Into = Vec<(Reviewed, Timestamp)>;

    fn model(self) -> Result<Self::Into, &'static str> {
        let is_vote = self.properties.member("CodeReviewThreadType").is_some_and(|kind| kind.value.is("VoteUpdate"));
        let reviews = self.comments.iter().filter_map(|comment| {
            let is_said = comment.comment_type.is("text") && self.is_deleted.0 != Some(true);
            let at = date(&comment.published_date).or_else(|| date(&self.published_date))?;
            (is_said || is_vote).then(|| (Reviewed::by(&comment.author), at))
        });
        Ok(reviews.collect())
    }
}

/// The people who commented on a pull request.
pub(super) struct Reviewed {
    handle: Option<String>,
    name: Option<String>,
    is_service: bool,
}

impl Reviewed {
    fn by(author: &Identity<'_>) -> Self {
        Self { handle: handle(author), name: author.name().map(str::to_owned), is_service: author.is_service() }
    }

    /// Whether it is a person, other than the author and none of these.
    fn counts(&self, author: Option<&str>, bots: &[String]) -> bool {
        let is = |own: &Option<String>, other: &str| {
            own.as_ref().is_some_and(|own| own.to_lowercase() == other.to_lowercase())
        };
        let is_bot = bots.iter().any(|bot| is(&self.handle, bot) || is(&self.name, bot));
        self.handle.is_some() && self.handle.as_deref() != author && !self.is_service && !is_bot
    }
}

raw!(Linked<'a> { id: Int, #[serde(borrow)] url: Text<'a>, });

impl<'a> Model<'a> for Linked<'a> {
    type Into = i64;

    fn model(self) -> Result<i64, &'static str> {
        let of_url = || self.url.as_str()?.rsplit('/').next()?.parse().ok().filter(|id| *id > 0);
        self.id.positive().or_else(of_url).ok_or("id")
    }
}

impl<'a> Model<'a> for WorkItem<'a> {
    /// `None` where Azure writes null for what is not there.
    type Into = Option<WorkItemRecord>;

    fn model(self) -> Result<Self::Into, &'static str> {
        let Some(id) = self.id.positive() else { return Ok(None) };
        let field = |name: &str| self.fields.member(name);
        let word = |name: &str| field(name).and_then(|value| text(&value.text));
        let tags = word("System.Tags").unwrap_or_default();
        Ok(Some(WorkItemRecord {
            id,
            rev: self.rev.positive().ok_or("rev")?,
            item_type: word("System.WorkItemType").ok_or("fields.System.WorkItemType")?,
            title: word("System.Title").unwrap_or_default(),
            state: word("System.State").ok_or("fields.System.State")?,
            assigned_to: field("System.AssignedTo").and_then(|value| handle(value)),
            area: word("System.AreaPath"),
            tags: tags.split(';').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            created: field("System.CreatedDate").and_then(|value| date(&value.text)),
            changed: field("System.ChangedDate").and_then(|value| date(&value.text)),
        }))
    }
}

/// The fields that a [`WorkItemRecord`] is made of.
const FIELDS: [&str; 9] = [
    "System.Id",
    "System.WorkItemType",
    "System.Title",
    "System.State",
    "System.AssignedTo",
    "System.AreaPath",
    "System.Tags",
    "System.CreatedDate",
    "System.ChangedDate",
];

raw!(LinkEnds<'a> {
    source_id: Int,
    target_id: Int,
    #[serde(borrow)] changed_date: Text<'a>,
});

raw!(ChangedLink<'a> {
    #[serde(borrow)] attributes: Object<LinkEnds<'a>>,
    // Where there are no attributes yet, before 5.1, they are members of the link.
    source_id: Int,
    target_id: Int,
    #[serde(borrow)] changed_date: Text<'a>,
});

impl<'a> Record<'a> for ChangedLink<'a> {
    type Into = LinkRecord;

    fn record(self, _: &'a RawValue) -> Result<LinkRecord, &'static str> {
        let end = |inner: Int, own: Int, member| inner.positive().or(own.positive()).ok_or(member);
        let Object(inner) = self.attributes;
        let ends =
            [end(inner.source_id, self.source_id, "sourceId")?, end(inner.target_id, self.target_id, "targetId")?];
        Ok(LinkRecord { ends, changed: date(&inner.changed_date).or_else(|| date(&self.changed_date)) })
    }
}

#[async_trait]
impl Links for Client {
    async fn pull_requests_of(
        &self,
        project: &str,
        repository: &str,
        shas: &[String],
    ) -> Result<BTreeMap<String, Vec<PullRequestDetail>>, Failure> {
        let mut found: BTreeMap<String, Vec<PullRequestDetail>> = BTreeMap::new();
        for shas in shas.chunks(COMMITS_ASKED_MAX) {
            let queries = KINDS.map(|kind| json!({ "type": kind, "items": shas }));
            let call = self.git("pull requests of commits", (project, repository), &["pullrequestquery"])?;
            let call = posted(call, &json!({ "queries": queries }));
            let reply = self.ask(&call).await?;
            let answers = wire::object::<Answers<'_>>(&reply, call.name)?.results;
            let answers = answers.ok_or_else(|| reply.unexpected(call.name, "results is not a list"))?;
            for (sha, pull_requests) in answers.0.into_iter().flat_map(|answer| answer.0) {
                let Some(sha) = text(&sha) else { continue };
                let known = found.entry(sha).or_default();
                for pull_request in pull_requests.0 {
                    let member = |member| reply.unexpected(call.name, &format!("results[].{member} is missing"));
                    let own = pull_request.0.model().map_err(member)?;
                    if known.iter().all(|other| other.number != own.number) {
                        known.push(own);
                    }
                }
            }
        }
        found.retain(|_, own| !own.is_empty());
        Ok(found)
    }

    async fn first_review(
        &self,
        project: &str,
        repository: &str,
        number: i64,
        author: Option<&str>,
        bots: &[String],
    ) -> Result<Option<Timestamp>, Failure> {
        let path = ["pullRequests", &number.to_string(), "threads"];
        let call = self.git("threads", (project, repository), &path)?;
        let threads = wire::list::<Thread<'_>>(&self.ask(&call).await?, call.name)?;
        let by_others = threads.into_iter().flatten().filter(|(by, _)| by.counts(author, bots));
        Ok(by_others.map(|(_, at)| at).min())
    }

    async fn pull_request_commits(
        &self,
        project: &str,
        repository: &str,
        number: i64,
    ) -> Result<Vec<CommitRecord>, Failure> {
        // Source: `Pull Request Commits - Get Pull Request Commits` of Git 7.1, with `$top` and a continuation token.
        let path = ["pullRequests", &number.to_string(), "commits"];
        let call = self.git("commits of a pull request", (project, repository), &path)?;
        let page = PageRequest { items_max: PULL_REQUEST_COMMITS_MAX, from: None };
        let read = |reply: &Reply| Ok(wire::list::<Commit<'_>>(reply, "commits of a pull request")?.into());
        Ok(self.parts(call, page, Paging::TokenOrSkip, read).await?.items)
    }

    async fn pull_request_work_items(&self, project: &str, repository: &str, number: i64) -> Result<Vec<i64>, Failure> {
        let path = ["pullRequests", &number.to_string(), "workitems"];
        let call = self.git("work items of a pull request", (project, repository), &path)?;
        Ok(wire::list::<Linked<'_>>(&self.ask(&call).await?, call.name)?.items)
    }

    async fn work_items(&self, ids: &[i64]) -> Result<Vec<WorkItemRecord>, Failure> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(WORK_ITEMS_ASKED_MAX) {
            let call = api("work items", self.base(), None, &["wit", "workitemsbatch"])?;
            let call = posted(call, &json!({ "ids": ids, "fields": FIELDS, "errorPolicy": "omit" }));
            found.extend(wire::list::<WorkItem<'_>>(&self.ask(&call).await?, call.name)?.into_iter().flatten());
        }
        Ok(found)
    }

    async fn work_item_links(&self, project: &str, from: &RevisionsFrom) -> Result<LinkRecords, Failure> {
        let call = api("links of work items", self.base(), Some(project), &["wit", "reporting", "workitemlinks"])?;
        let call = match from {
            RevisionsFrom::Time(time) => call.with("startDateTime", &crate::azure::time::second(*time).to_string()),
            RevisionsFrom::Bookmark(bookmark) => call.with("continuationToken", bookmark),
        };
        let call = call.big();
        let reply = self.ask(&call).await?;
        let batch: Batch<'_> = wire::object(&reply, call.name)?;
        let values = wire::records_in::<ChangedLink<'_>>(batch.values, &reply, call.name, "values")?.items;
        let (next, is_last) = batch.place(&reply, call.name)?;
        Ok(LinkRecords { values, next, is_last })
    }
}
