//! Work items. Source: captured updates of one test project at three resource versions; the page's samples, in which
//! numbers are strings and `workItemId` is 0.

use super::{Identity, Links};
use crate::azure::lenient::{Int, List, Object, Pairs, Text};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::ops::Deref;

/// The value of a field: a text, a number, a truth value or a person, read as a text or a person, and beside it as it was
/// written, since a number is not a text of digits.
#[derive(Debug, Default)]
pub struct Value<'a> {
    read: Identity<'a>,
    /// The JSON; nothing where there is no value.
    pub raw: &'a str,
}

impl<'a> Deref for Value<'a> {
    type Target = Identity<'a>;

    fn deref(&self) -> &Identity<'a> {
        &self.read
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        // A number beyond all bounds is no value, and spoils no other.
        Ok(Self { read: serde_json::from_str(raw).unwrap_or_default(), raw })
    }
}

/// `workitem.created`, `commented`, `deleted`, `restored`, and the `revision` of an update.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct WorkItem<'a> {
    /// Its number, unique in the collection.
    pub id: Int,
    /// Its revision, from 1.
    pub rev: Int,
    /// By reference name; a text, a number or an identity.
    pub fields: Pairs<'a, Value<'a>>,
    /// The comment that the event is about.
    pub comment_version_ref: Object<CommentVersion>,
    /// REST address; of a deleted item in the recycle bin.
    pub url: Text<'a>,
    /// Links.
    #[serde(rename = "_links")]
    pub links: Object<Links<'a>>,
}

/// A comment's number.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CommentVersion {
    /// Its number.
    pub comment_id: Int,
}

/// `workitem.updated`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct WorkItemUpdate<'a> {
    /// The update's number, *not* the work item's.
    pub id: Int,
    /// The work item's number; 0 in the sample.
    pub work_item_id: Int,
    /// The revision it led to.
    pub rev: Int,
    /// Who; null in the sample.
    pub revised_by: Identity<'a>,
    /// When it was revised in its turn, `9999-…` of the last; of an update that made no revision, when it was made.
    pub revised_date: Text<'a>,
    /// What changed; absent when only links did.
    pub fields: Pairs<'a, Object<FieldChange<'a>>>,
    /// Which links changed.
    pub relations: Object<RelationChanges<'a>>,
    /// The whole item; in the sample as it was before.
    pub revision: Object<WorkItem<'a>>,
    /// REST address of the update.
    pub url: Text<'a>,
    /// Links.
    #[serde(rename = "_links")]
    pub links: Object<Links<'a>>,
}

/// A changed field; the old value is missing when it was empty, the new one when it was cleared.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct FieldChange<'a> {
    /// Before.
    pub old_value: Value<'a>,
    /// After.
    pub new_value: Value<'a>,
}

/// Changed links.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct RelationChanges<'a> {
    /// New ones.
    pub added: List<Object<Relation<'a>>>,
    /// Gone ones.
    pub removed: List<Object<Relation<'a>>>,
    /// Those that are there as before, with another comment.
    pub updated: List<Object<Relation<'a>>>,
}

/// A link of a work item.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Relation<'a> {
    /// `ArtifactLink`, `System.LinkTypes.Hierarchy-Forward`, …
    pub rel: Text<'a>,
    /// `vstfs:///Git/Commit/…` or a REST address.
    pub url: Text<'a>,
}
