//! Edits of a work item's fields.

use super::{
    Facts, Field, Impossible, World,
    work_item::{ARTIFACT, LINKS, kind_named},
};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The value that an edit puts into a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A value.
    Set(Value),
    /// Somebody, by account.
    Person(String),
    /// Nothing.
    Clear,
}

/// How many comments it has.
fn comments(fields: &BTreeMap<String, Field>) -> u64 {
    match fields.get("System.CommentCount") {
        Some(Field::Plain(count)) => count.as_u64().unwrap_or_default(),
        _ => 0,
    }
}

impl World {
    /// Makes edits, also of links; whether a comment was among them. A state must be one of the type's.
    pub(super) fn edit(
        &self,
        kind: &str,
        fields: &mut BTreeMap<String, Field>,
        relations: &mut Vec<(String, String)>,
        edits: &[(String, Edit)],
    ) -> Result<Option<String>, Impossible> {
        let now = Field::Plain(self.now.to_string().into());
        for (name, edit) in edits {
            match edit {
                // The same edit can link.
                Edit::Set(Value::String(url)) if name == ARTIFACT => {
                    relations.push((name.clone(), url.clone()));
                    fields.insert(LINKS.to_owned(), Field::Plain(relations.len().into()))
                }
                Edit::Set(value) => fields.insert(name.clone(), Field::Plain(value.clone())),
                Edit::Person(account) => fields.insert(name.clone(), Field::Person(self.person_or_first(account))),
                Edit::Clear => fields.remove(name),
            };
            if name == "System.State" {
                let Edit::Set(Value::String(state)) = edit else {
                    return Err(Impossible::State("a work item has a state".to_owned()));
                };
                let states = kind_named(kind).map_or(&[][..], |kind| kind.states);
                let Some((_, _, category)) = states.iter().find(|(name, ..)| name == state) else {
                    return Err(Impossible::Absent(format!("state {state} of a {kind}")));
                };
                fields.insert("System.Reason".to_owned(), Field::Plain(format!("Moved to state {state}").into()));
                fields.insert("Microsoft.VSTS.Common.StateChangeDate".to_owned(), now.clone());
                if *category == "Completed" {
                    fields.insert("Microsoft.VSTS.Common.ClosedDate".to_owned(), now.clone());
                } else {
                    fields.remove("Microsoft.VSTS.Common.ClosedDate");
                }
            }
        }
        let comment = match fields.get("System.History") {
            Some(Field::Plain(text)) => text.as_str().map(str::to_owned),
            _ => None,
        };
        if comment.is_some() {
            fields.insert("System.CommentCount".to_owned(), Field::Plain((comments(fields) + 1).into()));
        }
        Ok(comment)
    }

    /// Changes fields, and links it where the name is `ArtifactLink`; the same edit can change its type. A `System.History` is
    /// a comment: Azure tells of that besides.
    pub(crate) fn update_work_item(
        &mut self,
        number: u32,
        by: Uuid,
        edits: &[(String, Edit)],
    ) -> Result<u32, Impossible> {
        let item = self.work_item_mut(number)?;
        let retyped = edits.iter().rev().find_map(|(name, edit)| match edit {
            Edit::Set(Value::String(kind)) if name == "System.WorkItemType" => Some(kind),
            _ => None,
        });
        if let Some(name) = retyped {
            let kind = kind_named(name).ok_or_else(|| Impossible::Absent(format!("work item type {name}")))?;
            item.kind = kind.name;
        }
        let (kind, mut relations) = (item.kind, item.relations(item.last()));
        let mut fields = item.last().fields.clone();
        // A comment is of one revision only.
        fields.remove("System.History");
        let comment = self.edit(kind, &mut fields, &mut relations, edits)?;
        self.revise(number, by, fields, relations);
        if let Some(text) = comment {
            let facts = Facts::from([("commentPattern", vec![text])]);
            self.work_item_event("workitem.commented", number, "commented", facts);
        }
        self.revised_event(number, "updated", false);
        Ok(self.work_items[&number].last().rev)
    }
}
