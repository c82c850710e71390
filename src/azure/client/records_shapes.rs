//! What is read of each of Azure's records, and which of it cannot be missing. The rest of a record is in its JSON, which
//! is copied as it came.
#![expect(clippy::struct_field_names, reason = "members are named as Azure names them")]

use super::{
    BuildRecord, CommentRecord, DeploymentRecord, Failure, Iteration, PullRequestRecord, PushRecord, RefUpdate,
    ReleaseRecord, RevisionRecord, TimelineRecord, UpdateRecord,
    call::Reply,
    wire::{self, Model, Record},
};
use crate::azure::{
    lenient::{Flag, Int, List, Object, Text},
    time,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;
use uuid::Uuid;

pub(super) fn text(text: &Text<'_>) -> Option<String> {
    text.as_str().map(str::to_owned)
}

pub(super) fn needed(value: &Text<'_>, member: &'static str) -> Result<String, &'static str> {
    text(value).ok_or(member)
}

pub(super) fn number(value: Int, member: &'static str) -> Result<i64, &'static str> {
    value.positive().ok_or(member)
}

/// The moment; `None` also for Azure's sentinels.
pub(super) fn date(text: &Text<'_>) -> Option<Timestamp> {
    time::timestamp(text.as_str()?)
}

pub(super) fn dated(text: &Text<'_>, member: &'static str) -> Result<Timestamp, &'static str> {
    date(text).ok_or(member)
}

macro_rules! raw {
    ($name:ident<$life:lifetime> { $($(#[$attribute:meta])* $member:ident: $type:ty,)* }) => {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name<$life> { $($(#[$attribute])* pub(super) $member: $type,)* }
    };
}
pub(super) use raw;

/// What something refers to by its number.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Numbered {
    id: Int,
}

/// What something refers to by GUID or name.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

raw!(Moved<'a> {
    #[serde(borrow)] name: Text<'a>,
    #[serde(borrow)] old_object_id: Text<'a>,
    #[serde(borrow)] new_object_id: Text<'a>,
});

impl Moved<'_> {
    fn update(&self) -> Result<RefUpdate, &'static str> {
        Ok(RefUpdate {
            name: needed(&self.name, "refUpdates[].name")?,
            old_object_id: needed(&self.old_object_id, "refUpdates[].oldObjectId")?,
            new_object_id: needed(&self.new_object_id, "refUpdates[].newObjectId")?,
        })
    }
}

raw!(Push<'a> {
    push_id: Int,
    #[serde(borrow)] date: Text<'a>,
    #[serde(borrow)] ref_updates: Option<List<Object<Moved<'a>>>>,
});

impl<'a> Record<'a> for Push<'a> {
    type Into = PushRecord;

    fn record(self, json: &'a RawValue) -> Result<PushRecord, &'static str> {
        // They are asked for. An empty list happened (an advisory of argo-cd): such a push tells nothing, and keeps nobody
        // from the others.
        let moved = self.ref_updates.ok_or("refUpdates")?;
        let ref_updates = moved.iter().map(|moved| moved.update());
        Ok(PushRecord {
            id: number(self.push_id, "pushId")?,
            date: dated(&self.date, "date")?,
            ref_updates: ref_updates.collect::<Result<_, _>>()?,
            json: json.to_owned(),
        })
    }
}

raw!(PullRequest<'a> {
    pull_request_id: Int,
    #[serde(borrow)] repository: Object<Named<'a>>,
    #[serde(borrow)] status: Text<'a>,
    #[serde(borrow)] creation_date: Text<'a>,
    #[serde(borrow)] closed_date: Text<'a>,
});

impl<'a> Record<'a> for PullRequest<'a> {
    type Into = PullRequestRecord;

    fn record(self, json: &'a RawValue) -> Result<PullRequestRecord, &'static str> {
        let repository = self.repository.id.as_str().and_then(|id| Uuid::try_parse(id).ok());
        Ok(PullRequestRecord {
            id: number(self.pull_request_id, "pullRequestId")?,
            repository: repository.ok_or("repository.id")?,
            status: needed(&self.status, "status")?,
            created: dated(&self.creation_date, "creationDate")?,
            closed: date(&self.closed_date),
            json: json.to_owned(),
        })
    }
}

raw!(Commit<'a> { #[serde(borrow)] commit_id: Text<'a>, });

raw!(OneIteration<'a> {
    id: Int,
    #[serde(borrow)] created_date: Text<'a>,
    #[serde(borrow)] source_ref_commit: Object<Commit<'a>>,
});

impl<'a> Model<'a> for OneIteration<'a> {
    type Into = Iteration;

    fn model(self) -> Result<Iteration, &'static str> {
        Ok(Iteration {
            id: number(self.id, "id")?,
            source_commit: needed(&self.source_ref_commit.commit_id, "sourceRefCommit.commitId")?,
            created: dated(&self.created_date, "createdDate")?,
        })
    }
}

raw!(Thread<'a> { id: Int, #[serde(borrow)] comments: List<&'a RawValue>, });

raw!(Comment<'a> {
    id: Int,
    #[serde(borrow)] last_updated_date: Text<'a>,
    #[serde(borrow)] published_date: Text<'a>,
    #[serde(borrow)] comment_type: Text<'a>,
});

impl<'a> Model<'a> for Thread<'a> {
    /// The comments of a thread, or what one lacks and which that is; a thread that is deleted has none.
    type Into = Vec<Result<CommentRecord, (&'static str, Option<String>)>>;

    fn model(self) -> Result<Self::Into, &'static str> {
        let thread = number(self.id, "id")?;
        let comments = self.comments.iter().map(|json| {
            let raw: Object<Comment<'_>> = serde_json::from_str(json.get()).unwrap_or_default();
            let last_updated = date(&raw.last_updated_date).or_else(|| date(&raw.published_date));
            let comment = || {
                Ok(CommentRecord {
                    thread,
                    id: number(raw.id, "id")?,
                    last_updated: last_updated.ok_or("lastUpdatedDate")?,
                    comment_type: text(&raw.comment_type).unwrap_or_else(|| "unknown".to_owned()),
                    json: RawValue::to_owned(json),
                })
            };
            // A number is one of its thread.
            comment().map_err(|member| (member, Some(format!("{thread}/{}", wire::which(json).unwrap_or_default()))))
        });
        Ok(comments.collect())
    }
}

raw!(Build<'a> {
    id: Int,
    definition: Object<Numbered>,
    #[serde(borrow)] repository: Object<Named<'a>>,
    #[serde(borrow)] queue_time: Text<'a>,
    #[serde(borrow)] start_time: Text<'a>,
    #[serde(borrow)] finish_time: Text<'a>,
});

impl<'a> Record<'a> for Build<'a> {
    type Into = BuildRecord;

    fn record(self, json: &'a RawValue) -> Result<BuildRecord, &'static str> {
        Ok(BuildRecord {
            id: number(self.id, "id")?,
            definition: number(self.definition.id, "definition.id")?,
            repository: text(&self.repository.id),
            queued: date(&self.queue_time),
            started: date(&self.start_time),
            finished: date(&self.finish_time),
            json: json.to_owned(),
        })
    }
}

raw!(Timeline<'a> { #[serde(borrow)] records: Option<&'a RawValue>, });

raw!(Earlier<'a> { #[serde(borrow)] timeline_id: Text<'a>, });

raw!(Attempts<'a> { #[serde(borrow)] previous_attempts: List<Object<Earlier<'a>>>, });

impl<'a> Record<'a> for Attempts<'a> {
    /// The timelines of earlier attempts.
    type Into = Vec<String>;

    fn record(self, _: &'a RawValue) -> Result<Vec<String>, &'static str> {
        Ok(self.previous_attempts.iter().filter_map(|earlier| text(&earlier.timeline_id)).collect())
    }
}

raw!(Part<'a> {
    #[serde(borrow)] id: Text<'a>,
    #[serde(borrow)] parent_id: Text<'a>,
    #[serde(borrow, rename = "type")] kind: Text<'a>,
    #[serde(borrow)] name: Text<'a>,
    #[serde(borrow)] identifier: Text<'a>,
    #[serde(borrow)] state: Text<'a>,
    #[serde(borrow)] result: Text<'a>,
    #[serde(borrow)] start_time: Text<'a>,
    #[serde(borrow)] finish_time: Text<'a>,
    attempt: Int,
});

impl<'a> Record<'a> for Part<'a> {
    type Into = TimelineRecord;

    fn record(self, _: &'a RawValue) -> Result<TimelineRecord, &'static str> {
        Ok(TimelineRecord {
            id: needed(&self.id, "id")?,
            parent_id: text(&self.parent_id),
            kind: needed(&self.kind, "type")?,
            name: text(&self.name).unwrap_or_default(),
            identifier: text(&self.identifier),
            state: needed(&self.state, "state")?,
            result: text(&self.result),
            started: date(&self.start_time),
            finished: date(&self.finish_time),
            // Servers before retries of stages do not count them.
            attempt: self.attempt.positive().unwrap_or(1),
        })
    }
}

raw!(Release<'a> {
    id: Int,
    release_definition: Object<Numbered>,
    #[serde(borrow)] status: Text<'a>,
    #[serde(borrow)] created_on: Text<'a>,
    #[serde(borrow)] modified_on: Text<'a>,
});

impl<'a> Record<'a> for Release<'a> {
    type Into = ReleaseRecord;

    fn record(self, json: &'a RawValue) -> Result<ReleaseRecord, &'static str> {
        let created = dated(&self.created_on, "createdOn")?;
        Ok(ReleaseRecord {
            id: number(self.id, "id")?,
            definition: number(self.release_definition.id, "releaseDefinition.id")?,
            status: needed(&self.status, "status")?,
            created,
            modified: date(&self.modified_on).unwrap_or(created),
            json: json.to_owned(),
        })
    }
}

raw!(Deployment<'a> {
    id: Int,
    release: Object<Numbered>,
    release_definition: Object<Numbered>,
    attempt: Int,
    #[serde(borrow)] deployment_status: Text<'a>,
    #[serde(borrow)] started_on: Text<'a>,
    #[serde(borrow)] completed_on: Text<'a>,
    #[serde(borrow)] last_modified_on: Text<'a>,
});

impl<'a> Record<'a> for Deployment<'a> {
    /// With when it was last changed.
    type Into = (Timestamp, DeploymentRecord);

    fn record(self, json: &'a RawValue) -> Result<Self::Into, &'static str> {
        let record = DeploymentRecord {
            id: number(self.id, "id")?,
            release: number(self.release.id, "release.id")?,
            definition: number(self.release_definition.id, "releaseDefinition.id")?,
            attempt: number(self.attempt, "attempt")?,
            started: date(&self.started_on),
            completed: date(&self.completed_on),
            status: needed(&self.deployment_status, "deploymentStatus")?,
            json: json.to_owned(),
        };
        Ok((dated(&self.last_modified_on, "lastModifiedOn")?, record))
    }
}

raw!(Batch<'a> {
    #[serde(borrow)] values: Option<&'a RawValue>,
    #[serde(borrow)] continuation_token: Text<'a>,
    #[serde(borrow)] next_link: Text<'a>,
    is_last_batch: Flag,
});

impl Batch<'_> {
    /// Where to read on, and whether there was no more.
    pub(super) fn place(&self, reply: &Reply, name: &str) -> Result<(String, bool), Failure> {
        // Old servers say it in the link alone.
        let in_link = || {
            let link = Url::parse(self.next_link.as_str()?).ok()?;
            let token = link.query_pairs().find(|(name, _)| name == "continuationToken")?.1.into_owned();
            (!token.is_empty()).then_some(token)
        };
        let next = text(&self.continuation_token).or_else(in_link);
        let next = next.ok_or_else(|| reply.unexpected(name, "continuationToken is missing"))?;
        Ok((next, self.is_last_batch.0.ok_or_else(|| reply.unexpected(name, "isLastBatch is missing"))?))
    }
}

/// The fields of a revision that are looked at.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields<'a> {
    #[serde(borrow, rename = "System.ChangedDate")]
    changed: Text<'a>,
}

raw!(Revision<'a> { id: Int, rev: Int, #[serde(borrow)] fields: Object<Fields<'a>>, });

impl<'a> Record<'a> for Revision<'a> {
    type Into = RevisionRecord;

    fn record(self, json: &'a RawValue) -> Result<RevisionRecord, &'static str> {
        Ok(RevisionRecord {
            id: number(self.id, "id")?,
            rev: number(self.rev, "rev")?,
            changed: date(&self.fields.changed),
            json: json.to_owned(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Update {
    rev: Int,
}

impl<'a> Record<'a> for Update {
    type Into = UpdateRecord;

    fn record(self, json: &'a RawValue) -> Result<UpdateRecord, &'static str> {
        Ok(UpdateRecord { rev: number(self.rev, "rev")?, json: json.to_owned() })
    }
}

raw!(Found<'a> { #[serde(borrow)] results: Option<&'a RawValue>, });
