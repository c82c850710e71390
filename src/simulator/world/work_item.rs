//! Work items of an Agile-like process: types, states, revisions, and the updates between them.

use super::{Edit, Facts, Impossible, World, next, work_item_link::LinkUpdate};
use crate::simulator::occurrence::Subject;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A link to something that is no work item, and the field that counts such.
pub(super) const ARTIFACT: &str = "ArtifactLink";
pub(super) const LINKS: &str = "System.ExternalLinkCount";

/// A type of work item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WorkItemKind {
    pub(crate) name: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) color: &'static str,
    pub(crate) icon: &'static str,
    /// Name, color and category, in order.
    pub(crate) states: &'static [(&'static str, &'static str, &'static str)],
}

const NEW: (&str, &str, &str) = ("New", "b2b2b2", "Proposed");
const ACTIVE: (&str, &str, &str) = ("Active", "007acc", "InProgress");
const RESOLVED: (&str, &str, &str) = ("Resolved", "ff9d00", "Resolved");
const CLOSED: (&str, &str, &str) = ("Closed", "339933", "Completed");
const REMOVED: (&str, &str, &str) = ("Removed", "ffffff", "Removed");

const KINDS: [WorkItemKind; 5] = [
    WorkItemKind {
        name: "Bug",
        reference: "Microsoft.VSTS.WorkItemTypes.Bug",
        color: "CC293D",
        icon: "icon_insect",
        states: &[NEW, ACTIVE, RESOLVED, CLOSED],
    },
    WorkItemKind {
        name: "Task",
        reference: "Microsoft.VSTS.WorkItemTypes.Task",
        color: "F2CB1D",
        icon: "icon_clipboard",
        states: &[NEW, ACTIVE, CLOSED, REMOVED],
    },
    WorkItemKind {
        name: "User Story",
        reference: "Microsoft.VSTS.WorkItemTypes.UserStory",
        color: "009CCC",
        icon: "icon_book",
        states: &[NEW, ACTIVE, RESOLVED, CLOSED, REMOVED],
    },
    WorkItemKind {
        name: "Issue",
        reference: "Microsoft.VSTS.WorkItemTypes.Issue",
        color: "B4009E",
        icon: "icon_traffic_cone",
        states: &[ACTIVE, CLOSED],
    },
    // As an organization adds to an inherited process, with words of its own.
    WorkItemKind {
        name: "Release Note",
        reference: "Custom.ReleaseNote",
        color: "E06C00",
        icon: "icon_megaphone",
        states: &[
            ("Draft", "b2b2b2", "Proposed"),
            ("Closed", "ff9d00", "Resolved"),
            ("Published", "339933", "Completed"),
            ("Dropped", "ffffff", "Removed"),
        ],
    },
];

/// The types of every project.
pub(crate) fn kinds() -> &'static [WorkItemKind] {
    &KINDS
}

/// The type of this name.
pub(crate) fn kind_named(name: &str) -> Option<&'static WorkItemKind> {
    KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
}

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field {
    Plain(Value),
    /// Shown as the resource version asks for.
    Person(Uuid),
}

/// A work item: all of its revisions, oldest first, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WorkItem {
    pub(crate) number: u32,
    pub(crate) project: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) is_deleted: bool,
    pub(crate) revisions: Vec<Revision>,
    /// Links that came and went, oldest first: none is a revision.
    pub(crate) links: Vec<LinkUpdate>,
}

/// What it was from one change to the next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Revision {
    pub(crate) rev: u32,
    /// The number of the update that made it.
    pub(crate) update: u32,
    pub(crate) at: Timestamp,
    pub(crate) by: Uuid,
    pub(crate) fields: BTreeMap<String, Field>,
    /// Links as it was made: kind and URL.
    pub(crate) relations: Vec<(String, String)>,
}

impl WorkItem {
    pub(crate) fn last(&self) -> &Revision {
        self.revisions.last().expect("a work item begins with a revision")
    }

    pub(crate) fn revision(&self, rev: u32) -> Option<&Revision> {
        // They are in order without a gap; the first need not be number 1.
        let first = self.revisions.first()?.rev;
        self.revisions.get(usize::try_from(rev.checked_sub(first)?).ok()?)
    }

    /// The number of the next update.
    pub(super) fn next_update(&self) -> u32 {
        let last = |number: Option<u32>| number.unwrap_or_default();
        let (made, linked) = (self.revisions.last().map(|own| own.update), self.links.last().map(|own| own.update));
        last(made).max(last(linked)) + 1
    }

    /// The links at a revision: as it was made, and as they were changed since.
    pub(crate) fn relations(&self, at: &Revision) -> Vec<(String, String)> {
        let mut all = at.relations.clone();
        for link in self.links.iter().filter(|link| link.rev == at.rev) {
            all.retain(|own| !link.removed.contains(own));
            all.extend(link.added.iter().cloned());
        }
        all
    }

    /// The revision before, and this one.
    pub(crate) fn step(&self, rev: u32) -> Option<(Option<&Revision>, &Revision)> {
        Some((self.revision(rev.saturating_sub(1)), self.revision(rev)?))
    }
}

impl Revision {
    /// A field that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name)? {
            Field::Plain(value) => value.as_str(),
            Field::Person(_) => None,
        }
    }
}

impl World {
    /// A new work item in the first state of its type; its number.
    pub(crate) fn create_work_item(
        &mut self,
        project: Uuid,
        kind: &str,
        title: &str,
        by: Uuid,
    ) -> Result<u32, Impossible> {
        self.create_work_item_with(project, kind, by, &[("System.Title".to_owned(), Edit::Set(title.into()))])
    }

    /// The same with these fields from the beginning.
    pub(crate) fn create_work_item_with(
        &mut self,
        project: Uuid,
        kind: &str,
        by: Uuid,
        edits: &[(String, Edit)],
    ) -> Result<u32, Impossible> {
        let kind = kind_named(kind).ok_or_else(|| Impossible::Absent(format!("work item type {kind}")))?;
        let number = next(&self.work_items, 1);
        let area = self.project_of(project).name.clone();
        let plain = [
            ("System.AreaPath", area.clone()),
            ("System.IterationPath", area.clone()),
            ("System.NodeName", area.clone()),
            ("System.TeamProject", area),
            ("System.WorkItemType", kind.name.to_owned()),
            ("System.State", kind.states[0].0.to_owned()),
            ("System.Reason", "New".to_owned()),
            ("System.CreatedDate", self.now.to_string()),
            ("Microsoft.VSTS.Common.StateChangeDate", self.now.to_string()),
        ];
        let mut fields: BTreeMap<String, Field> =
            plain.into_iter().map(|(name, text)| (name.to_owned(), Field::Plain(text.into()))).collect();
        fields.insert("System.Id".to_owned(), Field::Plain(number.into()));
        fields.insert("System.CommentCount".to_owned(), Field::Plain(0.into()));
        fields.insert("Microsoft.VSTS.Common.Priority".to_owned(), Field::Plain(2.into()));
        fields.insert("System.CreatedBy".to_owned(), Field::Person(by));
        let mut relations = Vec::new();
        self.edit(kind.name, &mut fields, &mut relations, edits)?;
        let item =
            WorkItem { number, project, kind: kind.name, is_deleted: false, revisions: Vec::new(), links: Vec::new() };
        self.work_items.insert(number, item);
        self.revise(number, by, fields, relations);
        self.work_item_event("workitem.created", number, "created", Facts::new());
        Ok(number)
    }

    pub(super) fn revise(
        &mut self,
        number: u32,
        by: Uuid,
        mut fields: BTreeMap<String, Field>,
        relations: Vec<(String, String)>,
    ) {
        let now = self.now;
        let watermark = self.revisions.len() + 1;
        let Some(item) = self.work_items.get_mut(&number) else { return };
        let rev = u32::try_from(item.revisions.len()).unwrap_or_default() + 1;
        let at = Field::Plain(now.to_string().into());
        fields.insert("System.Rev".to_owned(), Field::Plain(rev.into()));
        // Whoever imports says when it was changed elsewhere.
        let date = "System.ChangedDate";
        let before = item.revisions.last().and_then(|last| last.fields.get(date));
        if fields.get(date).is_none_or(|given| Some(given) == before) {
            fields.insert(date.to_owned(), at.clone());
        }
        fields.insert("System.AuthorizedDate".to_owned(), at);
        fields.insert("System.ChangedBy".to_owned(), Field::Person(by));
        fields.insert("System.AuthorizedAs".to_owned(), Field::Person(by));
        fields.insert("System.Watermark".to_owned(), Field::Plain(watermark.into()));
        let update = item.next_update();
        item.revisions.push(Revision { rev, update, at: now, by, fields, relations });
        self.revisions.push((number, rev));
    }

    pub(super) fn work_item_mut(&mut self, number: u32) -> Result<&mut WorkItem, Impossible> {
        let found = self.work_items.get_mut(&number);
        found.filter(|item| !item.is_deleted).ok_or_else(|| Impossible::Absent(format!("work item {number}")))
    }

    /// A comment and nothing else.
    pub(crate) fn comment_work_item(&mut self, number: u32, by: Uuid, text: &str) -> Result<(), Impossible> {
        self.update_work_item(number, by, &[("System.History".to_owned(), Edit::Set(text.into()))]).map(drop)
    }

    pub(crate) fn delete_work_item(&mut self, number: u32, by: Uuid) -> Result<(), Impossible> {
        let item = self.work_item_mut(number)?;
        let (fields, relations) = (item.last().fields.clone(), item.relations(item.last()));
        self.revise(number, by, with_deletion(fields, true), relations);
        self.work_item_event("workitem.deleted", number, "deleted", Facts::new());
        self.work_items.entry(number).and_modify(|item| item.is_deleted = true);
        Ok(())
    }

    pub(crate) fn restore_work_item(&mut self, number: u32, by: Uuid) -> Result<(), Impossible> {
        let found = self.work_items.get_mut(&number).filter(|item| item.is_deleted);
        let item = found.ok_or_else(|| Impossible::Absent(format!("deleted work item {number}")))?;
        item.is_deleted = false;
        let (fields, relations) = (item.last().fields.clone(), item.relations(item.last()));
        self.revise(number, by, with_deletion(fields, false), relations);
        self.work_item_event("workitem.restored", number, "restored", Facts::new());
        Ok(())
    }

    pub(super) fn revised_event(&mut self, number: u32, what: &str, links: bool) {
        if self.is_quiet {
            return;
        }
        let item = &self.work_items[&number];
        let changed = item.step(item.last().rev).map(|(before, now)| changed_fields(before, now)).unwrap_or_default();
        let facts = Facts::from([
            ("changedFields", changed.iter().map(|name| (*name).to_owned()).collect()),
            ("linksChanged", vec![links.to_string()]),
        ]);
        self.work_item_event("workitem.updated", number, what, facts);
    }

    pub(super) fn work_item_event(&mut self, event: &'static str, number: u32, what: &str, mut facts: Facts) {
        if self.is_quiet {
            return;
        }
        let item = &self.work_items[&number];
        let (project, last) = (item.project, item.last());
        let tags = last.text("System.Tags").unwrap_or_default().split(';').map(|tag| tag.trim().to_owned());
        facts.insert("tag", tags.filter(|tag| !tag.is_empty()).collect());
        facts.insert("areaPath", last.text("System.AreaPath").map(str::to_owned).into_iter().collect());
        facts.insert("workItemType", vec![item.kind.to_owned()]);
        facts.entry("linksChanged").or_insert_with(|| vec!["false".to_owned()]);
        let subject = Subject::WorkItem { number, rev: last.rev, update: item.next_update() - 1 };
        let title = format!("work item {number} {what} ({})", last.text("System.State").unwrap_or_default());
        self.occur(("tfs", event), project, title, facts, subject);
    }
}

fn with_deletion(mut fields: BTreeMap<String, Field>, deleted: bool) -> BTreeMap<String, Field> {
    fields.remove("System.History");
    fields.insert("System.IsDeleted".to_owned(), Field::Plain(json!(deleted)));
    fields
}

/// Names of the fields that differ. A comment is its revision's alone: it is always new, and never gone.
pub(crate) fn changed_fields<'a>(before: Option<&'a Revision>, now: &'a Revision) -> Vec<&'a str> {
    let is_comment = |name: &str| name == "System.History";
    let old = |name: &str| before.filter(|_| !is_comment(name)).and_then(|before| before.fields.get(name));
    let mut changed: Vec<&str> =
        now.fields.iter().filter(|(name, value)| old(name) != Some(value)).map(|(name, _)| name.as_str()).collect();
    let gone = before.into_iter().flat_map(|before| before.fields.keys());
    changed.extend(gone.map(String::as_str).filter(|name| !is_comment(name) && !now.fields.contains_key(*name)));
    changed
}
