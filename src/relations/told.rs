//! What is read of an event that was written: leniently, because events are kept for longer than a version of this program.

use crate::{
    azure::lenient::{Int, List, Object, Text},
    domain::{Slug, without_version},
};
use serde::Deserialize;
use std::borrow::Cow;

/// An event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Told<'a> {
    /// Its type, with version.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Where it happened.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// To whom.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    /// When it happened, as it says.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The rest.
    #[serde(borrow)]
    pub data: Data<'a>,
}

/// `data`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Data<'a> {
    /// `context`.
    #[serde(borrow)]
    pub context: Context<'a>,
    /// `subject`.
    #[serde(borrow)]
    pub subject: Subject<'a>,
    /// `customData`.
    #[serde(borrow)]
    pub custom_data: Custom<'a>,
}

/// `data.context`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Context<'a> {
    /// What it is related to.
    #[serde(borrow)]
    pub links: List<Object<Link<'a>>>,
}

/// A relation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Link<'a> {
    /// To what; links of other kinds have none.
    #[serde(borrow)]
    pub target: Object<Target<'a>>,
}

/// What a relation is to.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Target<'a> {
    /// Its domain id.
    #[serde(borrow)]
    pub domain_id: Text<'a>,
}

/// `data.subject`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Subject<'a> {
    /// What is said of it.
    #[serde(borrow)]
    pub content: Object<Content<'a>>,
}

/// The members of any subject's content that are looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Content<'a> {
    /// How a run ended.
    #[serde(borrow)]
    pub outcome: Text<'a>,
    /// Where it is.
    #[serde(borrow)]
    pub uri: Text<'a>,
    /// The title of a work item.
    #[serde(borrow)]
    pub summary: Text<'a>,
    /// The commits of a push, as events of another mapping have them here.
    #[serde(borrow)]
    pub commits: List<Object<Brought<'a>>>,
}

/// A commit of a push.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Brought<'a> {
    /// Its id.
    #[serde(borrow)]
    pub commit_id: Text<'a>,
}

/// `data.customData`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Custom<'a> {
    /// What Azure says more.
    #[serde(borrow)]
    pub azuredevops: Object<Azure<'a>>,
    /// What we say more.
    #[serde(borrow)]
    pub hookwell: Object<Hookwell<'a>>,
}

/// The member of our own part that is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hookwell<'a> {
    /// The projects whose bindings selected it.
    #[serde(borrow)]
    pub projects: List<Text<'a>>,
}

/// The members of Azure's part that are looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Azure<'a> {
    /// The commits of a push, as far as its hook told.
    #[serde(borrow)]
    pub commits: List<Object<Brought<'a>>>,
    /// The pipeline, as `build.complete` names it.
    #[serde(borrow)]
    pub definition: Object<Pipeline<'a>>,
    /// The pipeline, as the states of runs name it.
    #[serde(borrow)]
    pub pipeline: Object<Pipeline<'a>>,
    /// The commit that a run built.
    #[serde(borrow)]
    pub source_version: Text<'a>,
    /// The pull request that a run tried.
    #[serde(borrow)]
    pub pull_request: Object<Tried<'a>>,
    /// A work item's revision.
    pub rev: Int,
    /// A work item's type.
    #[serde(borrow)]
    pub work_item_type: Text<'a>,
    /// A work item's state.
    #[serde(borrow)]
    pub state: Text<'a>,
    /// Its state before.
    #[serde(borrow)]
    pub previous_state: Text<'a>,
    /// Who changed it.
    #[serde(borrow)]
    pub changed_by: Object<Person<'a>>,
    /// Who has it.
    #[serde(borrow)]
    pub assigned_to: Object<Person<'a>>,
}

/// The pull request that a run tried.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tried<'a> {
    /// The commit that somebody pushed.
    #[serde(borrow)]
    pub head: Text<'a>,
}

/// A person.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Person<'a> {
    /// The account.
    #[serde(borrow)]
    pub unique_name: Text<'a>,
    /// What people call it.
    #[serde(borrow)]
    pub display_name: Text<'a>,
}

impl Person<'_> {
    /// The account if it has one, else the name.
    pub fn handle(&self) -> Option<&str> {
        self.unique_name.as_str().or_else(|| self.display_name.as_str())
    }
}

/// A pipeline.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pipeline<'a> {
    /// Its number.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// Its name.
    #[serde(borrow)]
    pub name: Text<'a>,
}

impl<'a> Told<'a> {
    /// What the bytes say; nothing where they say it otherwise than we read it.
    pub fn read(json: &'a [u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }

    /// The type without its version.
    pub fn what(&self) -> &str {
        without_version(&self.kind)
    }

    /// Whether a binding of this project selected it when it was told.
    pub fn is_of(&self, project: &Slug) -> bool {
        self.data.custom_data.hookwell.projects.iter().any(|slug| slug.as_str() == Some(project.as_str()))
    }

    /// The pipeline that it names, if any.
    pub fn pipeline(&self) -> Option<&Pipeline<'a>> {
        let azure = &self.data.custom_data.azuredevops;
        [&azure.definition, &azure.pipeline]
            .into_iter()
            .map(|own| &own.0)
            .find(|own| own.id.as_str().is_some() || own.name.as_str().is_some())
    }
}
