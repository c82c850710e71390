//! Keys of work items' facts: when two deliveries tell the same fact, and when two facts are different.
//!
//! A *revision* is what `rev` counts; an *update* is what `…/updates` counts, and there are more of them.
//!
//! | fact | its mark | the same for | source |
//! |---|---|---|---|
//! | an item is created | `created` | hook, first revision, first update | an item is created once; what `rev` a body that is rendered late has, nobody promises |
//! | a revision changed fields or attachments | `rev{N}` | hook, reporting revision, update | REST "Updates - List": each such update has `System.Rev` among its fields |
//! | a link to another item came or went | `update{N}` | hook and update, at either end | the same sample: updates 3, 4, 5 and 12 have `relations`, no `fields`, and the `rev` and date of the update before; ADO-History-Diff#3 |
//! | a comment was written | `comment:rev{N}` | hook at every version, revision with `System.History` | "Service hooks events": the text is `System.History`, which only the revision that it was saved with has |
//! | the same, where nothing was saved with it | `comment:rev{N}` | that hook, and the `workitem.updated` whose only change is the comment | the contract's a.11: a comment fires both |
//! | the same, of a body that has later fields | `comment{N}` | hooks from 5.1-preview.3 on | the same page: `commentVersionRef.commentId` |
//! | an item is deleted, or restored | `rev{N}` | hook, reporting revision | it is a revision that sets `System.IsDeleted`; a body without `rev` has its occasion |
//!
//! The event's type is a part of its id besides, so a revision that closed the item and one that deleted it differ by that
//! alone; and which updates close an item is a matter of settings, so a revision is looked for under each type it can have.
//!
//! An update without `fields` that adds an attachment is a revision all the same: attachments always make one (updates 10
//! and 11 of the sample), so its fields were only cut. One whose only fields count links is no revision.

use super::{super::identity::fact, changes::is_telling};
use crate::{
    azure::resource::work_item::{WorkItem, WorkItemUpdate},
    domain::without_version,
};
use uuid::Uuid;

const CREATED: &str = "dev.cdevents.ticket.created.0.0.0";
/// As which types an update can be told.
const UPDATED: [&str; 2] = ["dev.cdevents.ticket.updated.0.0.0", "dev.cdevents.ticket.closed.0.0.0"];
/// Away and back.
const TURNED: [&str; 2] =
    ["dev.cdeventsx.azuredevops-workitem.deleted.0.0.0", "dev.cdeventsx.azuredevops-workitem.restored.0.0.0"];

/// Fields that follow from links and are no sign of a revision.
const OF_LINKS: [&str; 5] = [
    "System.ExternalLinkCount",
    "System.HyperLinkCount",
    "System.Parent",
    "System.RelatedLinkCount",
    "System.RemoteLinkCount",
];

/// Fields that a comment changes.
const OF_COMMENTS: [&str; 2] = ["System.History", "System.CommentCount"];

/// The mark that tells a fact from the others of its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::translate) enum Key {
    /// The item was created.
    Created,
    /// This revision was made.
    Revision(i64),
    /// A link was changed by this update.
    Link(i64),
    /// The comment that was saved with this revision.
    Comment(i64),
    /// The comment of this number.
    CommentNumber(i64),
}

impl Key {
    /// Of an update. Nothing where it says neither its revision nor its own number.
    pub(super) fn of_update(update: &WorkItemUpdate<'_>, rev: Option<i64>) -> Option<Self> {
        if is_a_comment(update) {
            return rev.map(Self::Comment);
        }
        let number = || Self::update_number(update).map(Self::Link);
        if makes_a_revision(update) { rev.map(Self::Revision).or_else(number) } else { number() }
    }

    /// The number of an update, as its resource or its address has it.
    pub(super) fn update_number(update: &WorkItemUpdate<'_>) -> Option<i64> {
        let in_address = || {
            let (_, number) = update.url.as_str()?.rsplit_once("/updates/")?;
            number.parse().ok().filter(|number| *number > 0)
        };
        update.id.positive().or_else(in_address)
    }

    /// Of a comment.
    pub(super) fn of_comment(item: &WorkItem<'_>) -> Option<Self> {
        let text = item.fields.member("System.History").and_then(|value| value.text.as_str());
        let own = item.rev.positive().filter(|_| text.is_some());
        let number = || item.comment_version_ref.comment_id.positive().map(Self::CommentNumber);
        own.map(Self::Comment).or_else(number).or(item.rev.positive().map(Self::Comment))
    }

    /// As a part of ids.
    pub(in crate::translate) fn mark(self) -> String {
        match self {
            Self::Created => "created".to_owned(),
            Self::Revision(rev) => format!("rev{rev}"),
            Self::Link(update) => format!("update{update}"),
            Self::Comment(rev) => format!("comment:rev{rev}"),
            Self::CommentNumber(number) => format!("comment{number}"),
        }
    }
}

/// Whether it does nothing but comment.
fn is_a_comment(update: &WorkItemUpdate<'_>) -> bool {
    let relations = &update.relations;
    let mut telling = update.fields.0.iter().filter_map(|(name, _)| name.as_str()).filter(|name| is_telling(name));
    let text = update.fields.member("System.History").and_then(|change| change.new_value.text.as_str());
    text.is_some()
        && telling.all(|name| OF_COMMENTS.iter().any(|own| own.eq_ignore_ascii_case(name)))
        && relations.added.is_empty()
        && relations.removed.is_empty()
}

fn makes_a_revision(update: &WorkItemUpdate<'_>) -> bool {
    let mut names = update.fields.0.iter().filter_map(|(name, _)| name.as_str());
    // A field that is always changed along tells nothing; the revision's own number does.
    let is_own = |name: &str| name.eq_ignore_ascii_case("System.Rev");
    let is_of_links = |name: &str| OF_LINKS.iter().any(|own| own.eq_ignore_ascii_case(name));
    let changes = |name: &str| is_own(name) || (is_telling(name) && !is_of_links(name));
    let relations = &update.relations;
    let mut attached = relations.added.iter().chain(relations.removed.iter());
    names.any(changes) || attached.any(|relation| relation.rel.is("AttachedFile"))
}

/// An item's events, by their ids.
#[derive(Debug, Clone, Copy)]
pub(in crate::translate) struct Ids<'a> {
    pub(in crate::translate) source: &'a str,
    pub(in crate::translate) subject: &'a str,
}

impl Ids<'_> {
    fn of(self, kind: &str, key: Key) -> Uuid {
        fact(kind, self.source, self.subject, &key.mark())
    }

    /// Of its creation.
    pub(in crate::translate) fn created(self) -> Uuid {
        self.of(CREATED, Key::Created)
    }

    /// Of a revision of fields, however it was told.
    pub(in crate::translate) fn updated(self, rev: i64) -> [Uuid; 2] {
        UPDATED.map(|kind| self.of(kind, Key::Revision(rev)))
    }

    /// Of whatever made the revision.
    pub(in crate::translate) fn revision(self, rev: i64) -> Vec<Uuid> {
        let turned = TURNED.map(|kind| self.of(kind, Key::Revision(rev)));
        let created = (rev == 1).then(|| self.created());
        let commented = self.of(UPDATED[0], Key::Comment(rev));
        created.into_iter().chain(self.updated(rev)).chain(turned).chain([commented]).collect()
    }

    /// Of a deletion or restoration that another body has as made by the revision before or after: whether the hook's is
    /// the revision that did it is not recorded anywhere.
    pub(in crate::translate) fn turned_beside(self, kind: &str, rev: i64) -> [Uuid; 2] {
        [rev.saturating_sub(1), rev.saturating_add(1)].map(|rev| self.of(kind, Key::Revision(rev)))
    }

    /// Of a deletion that this revision made, the restoration; and the other way round.
    pub(in crate::translate) fn undone(self, kind: &str, rev: i64) -> Uuid {
        let other = TURNED.into_iter().find(|own| without_version(own) != without_version(kind));
        self.of(other.unwrap_or(TURNED[0]), Key::Revision(rev))
    }

    /// Which of an item's facts an update or a comment of this id tells.
    pub(in crate::translate) fn key(self, id: Uuid, kind: &str, rev: i64, update: Option<i64>) -> Option<Key> {
        let keys = [Some(Key::Revision(rev)), update.map(Key::Link), Some(Key::Comment(rev))];
        keys.into_iter().flatten().find(|key| self.of(kind, *key) == id)
    }
}
