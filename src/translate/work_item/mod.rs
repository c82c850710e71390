//! Work items: a ticket opened, changed, closed; deleted and restored, which tickets have no word for.

mod changes;
pub(super) mod key;
mod links;
mod words;

pub(super) use self::changes::is_telling;

use self::{
    changes::{carried, changed_fields, changes},
    key::Key,
    links::{links, number_in, project_in, relations},
    words::{labels, priority, ticket_type},
};
use super::{
    binding::{About, Family},
    done::{Done, done},
    frame::{Fact, Frame, custom, moment, person},
    incident::{self, incidents},
};
use crate::{
    azure::resource::{
        Identity,
        work_item::{Value, WorkItem, WorkItemUpdate},
    },
    event::{
        Event,
        cdevents::{Content, Ticket},
        members::Members,
    },
};
use std::borrow::Cow;

const NO_NUMBER: &str = "the resource names no work item";

/// A work item as it is after the event, in its place.
struct Item<'b> {
    frame: &'b Frame<'b>,
    about: About<'b>,
    id: i64,
    rev: Option<i64>,
    subject: String,
    flat: &'b WorkItem<'b>,
    update: Option<&'b WorkItemUpdate<'b>>,
    is_new: bool,
}

/// `workitem.created`.
pub(super) fn created(frame: Frame<'_>) -> Vec<Event> {
    of_item(frame, |item| {
        let ticket = item.ticket();
        let named = || format!("{} {}", item.text("System.WorkItemType").unwrap_or("Work item"), item.id);
        let ticket = Ticket {
            summary: Some(ticket.summary.clone().unwrap_or_else(|| Cow::Owned(named()))),
            creator: Some(ticket.creator.or_else(|| item.actor()?.handle()).unwrap_or("unknown")),
            updated_by: None,
            ..ticket
        };
        let time = moment(item.text("System.CreatedDate"));
        let time = time.or_else(|| item.changed());
        item.told(Content::TicketCreated(cleared(ticket)), Some(Key::Created), time, Members::new())
    })
}

/// `workitem.updated`: closed when the state became one that means "done" and was none before.
pub(super) fn updated(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(update) = frame.resource::<WorkItemUpdate<'_>>() else { return frame.unread() };
    let addresses = [&update.url, &update.links.itself.href, &update.links.parent.href, &update.revision.url];
    frame.within(addresses.into_iter().find_map(|address| project_in(address.as_str()?)));
    let about = about(&mut frame, &update.revision, Some(&update));
    let number = update.work_item_id.positive().or(update.revision.id.positive());
    let number =
        number.or_else(|| number_in(update.url.as_str()).or_else(|| number_in(update.links.parent.href.as_str())));
    let Some(id) = number else { return frame.received(&about, Some(NO_NUMBER)) };
    let system_rev = update.fields.member("System.Rev").and_then(|change| change.new_value.text.as_str()?.parse().ok());
    let rev = update.rev.positive().or(system_rev).or(update.revision.rev.positive());
    let subject = format!("wit/workItems/{id}");
    let item =
        Item { frame: &frame, about, id, rev, subject, flat: &update.revision, update: Some(&update), is_new: false };
    let key = Key::of_update(&update, rev);
    let comment = update.fields.member("System.History").and_then(|change| change.new_value.text.as_str());
    if matches!(key, Some(Key::Comment(_))) && !update.revision.fields.0.is_empty() {
        // The comment is told as `workitem.commented` tells it.
        return Item { update: None, ..item }.said(key, comment);
    }
    // The revision's date is that of the last change of fields; a link has one of its own, or none but the envelope's.
    let (number, time) = match key {
        Some(Key::Link(number)) => (Some(number), moment(update.revised_date.as_str())),
        _ => (None, item.changed()),
    };
    let extras = Members::new()
        .int("updateNumber", number)
        .texts("changedFields", changed_fields(&update))
        .and(changes(&update))
        .text("comment", comment)
        .and(relations(&update));
    let ticket = item.ticket();
    let content = match item.resolution(&update) {
        Some(resolution) => Content::TicketClosed(Ticket { resolution: Some(resolution), ..ticket }),
        None => Content::TicketUpdated(ticket),
    };
    item.told(content, key, time, extras)
}

/// `workitem.commented`: beside the `workitem.updated` of the revision that it was saved with, which has the changes.
pub(super) fn commented(frame: Frame<'_>) -> Vec<Event> {
    of_item(frame, |item| item.said(Key::of_comment(item.flat), item.text("System.History")))
}

/// `workitem.deleted`.
pub(super) fn deleted(frame: Frame<'_>) -> Vec<Event> {
    of_item(frame, |item| item.turned("dev.cdeventsx.azuredevops-workitem.deleted.0.1.0", "wit/recyclebin"))
}

/// `workitem.restored`.
pub(super) fn restored(frame: Frame<'_>) -> Vec<Event> {
    of_item(frame, |item| item.turned("dev.cdeventsx.azuredevops-workitem.restored.0.1.0", "wit/workItems"))
}

fn of_item(mut frame: Frame<'_>, tell: impl FnOnce(&Item<'_>) -> Vec<Event>) -> Vec<Event> {
    let Some(flat) = frame.resource::<WorkItem<'_>>() else { return frame.unread() };
    let addresses = [&flat.url, &flat.links.itself.href];
    frame.within(addresses.into_iter().find_map(|address| project_in(address.as_str()?)));
    let about = about(&mut frame, &flat, None);
    let Some(id) = flat.id.positive().or_else(|| number_in(flat.url.as_str())) else {
        return frame.received(&about, Some(NO_NUMBER));
    };
    let subject = format!("wit/workItems/{id}");
    let is_new = frame.notification.event_type() == Some("workitem.created");
    tell(&Item { frame: &frame, about, id, rev: flat.rev.positive(), subject, flat: &flat, update: None, is_new })
}

fn about<'a: 'b, 'b>(
    frame: &mut Frame<'a>,
    flat: &'b WorkItem<'_>,
    update: Option<&'b WorkItemUpdate<'_>>,
) -> About<'b> {
    let text = |name: &str| field(flat, update, name).and_then(|value| value.text.as_str());
    About {
        family: Family::WorkItem,
        project: [None, text("System.TeamProject")],
        area_path: text("System.AreaPath"),
        work_item_type: text("System.WorkItemType"),
        ..About::project(frame)
    }
}

/// The field after the event: the sample's `revision` is the one before, so a change comes first; a change without a
/// new value cleared the field.
fn field<'b>(flat: &'b WorkItem<'_>, update: Option<&'b WorkItemUpdate<'_>>, name: &str) -> Option<&'b Value<'b>> {
    match update.and_then(|update| update.fields.member(name)) {
        Some(change) => Some(&change.new_value),
        None => flat.fields.member(name),
    }
}

impl<'b> Item<'b> {
    fn field(&self, name: &str) -> Option<&'b Value<'b>> {
        field(self.flat, self.update, name)
    }

    fn text(&self, name: &str) -> Option<&'b str> {
        self.field(name)?.text.as_str()
    }

    /// The field before the event.
    fn text_before(&self, name: &str) -> Option<&'b str> {
        match self.update.and_then(|update| update.fields.member(name)) {
            Some(change) => change.old_value.text.as_str(),
            None => self.text(name),
        }
    }

    /// As rules look at it, by its fields at one moment.
    fn look(&self, text: impl Fn(&str) -> Option<&'b str>) -> incident::Look<'b> {
        let (area_path, work_item_type) = (text("System.AreaPath"), text("System.WorkItemType"));
        incident::Look {
            about: About { area_path, work_item_type, ..self.about },
            tags: labels(text("System.Tags")),
            is_done: self.done(text).is_some(),
        }
    }

    /// Whether it is done, by its fields at one moment.
    fn done(&self, text: impl Fn(&str) -> Option<&'b str>) -> Option<Done> {
        let (kind, state, now) = (text("System.WorkItemType"), text("System.State"), self.text("System.TeamProject"));
        // Before it was moved to this project it was another one's.
        match text("System.TeamProject") {
            Some(before) if now.is_some_and(|now| now != before) => {
                done(self.frame.context, &[Some(before)], kind, state)
            }
            _ => {
                let guid = self.about.guid.map(|guid| guid.to_string());
                done(self.frame.context, &[guid.as_deref(), self.about.project[1]], kind, state)
            }
        }
    }

    fn actor(&self) -> Option<&'b Identity<'b>> {
        let revised = self.update.map(|update| &update.revised_by).filter(|by| by.handle().is_some());
        // A body of a creation can be a later one's, and an old one does not say who changed it.
        let names: &[&str] = match (self.is_new, self.rev) {
            (false, _) => &["System.ChangedBy"],
            (true, Some(1)) => &["System.ChangedBy", "System.CreatedBy"],
            (true, _) => &["System.CreatedBy", "System.ChangedBy"],
        };
        let by = |name: &&str| self.field(name).map(|value| &**value).filter(|by| by.handle().is_some());
        revised.or_else(|| names.iter().find_map(by))
    }

    fn changed(&self) -> Option<jiff::Timestamp> {
        moment(self.text("System.ChangedDate"))
    }

    /// The page for people, which is never taken from the payload: an update's own address is JSON, and its host need not
    /// be the connection's.
    fn page(&self) -> String {
        format!("{}/_workitems/edit/{}", self.frame.source, self.id)
    }

    fn ticket(&self) -> Ticket<'b> {
        let handle = |name: &str| self.field(name).and_then(|identity| identity.handle());
        Ticket {
            summary: self.text("System.Title").map(Cow::Borrowed),
            ticket_type: self.text("System.WorkItemType").map(ticket_type),
            group: self.text("System.AreaPath"),
            creator: handle("System.CreatedBy"),
            assignees: handle("System.AssignedTo").into_iter().collect(),
            priority: self.text("Microsoft.VSTS.Common.Priority").map(priority),
            labels: labels(self.text("System.Tags")),
            milestone: self.text("System.IterationPath"),
            uri: Cow::Owned(self.page()),
            resolution: None,
            updated_by: self.actor().and_then(|actor| actor.handle()),
        }
    }

    /// How it was closed, if this update closed it.
    fn resolution(&self, update: &'b WorkItemUpdate<'b>) -> Option<&'b str> {
        update.fields.member("System.State")?;
        let done = self.done(|name| self.text(name))?;
        if self.done(|name| self.text_before(name)).is_some() {
            return None;
        }
        let reason = self.text("System.Reason");
        Some(if reason.is_some_and(|reason| reason.to_ascii_lowercase().contains("duplicate")) {
            "duplicate"
        } else {
            match done {
                Done::Removed => "withdrawn",
                Done::Completed => "completed",
                Done::Chosen => reason.unwrap_or("completed"),
            }
        })
    }

    fn told(
        &self,
        content: Content<'_>,
        key: Option<Key>,
        time: Option<jiff::Timestamp>,
        extras: Members<'_>,
    ) -> Vec<Event> {
        let discriminator = key.map_or_else(|| self.frame.occasion(), Key::mark);
        let mut fact = Fact::new(content, &self.subject, &discriminator);
        fact.time = time;
        fact.actor = self.actor().and_then(|actor| actor.handle());
        fact.links = self.update.map(|update| links(self.frame, update)).unwrap_or_default();
        let own = self.extras();
        fact.extras = own.clone().and(extras).and(self.carried());
        let mut events = vec![self.frame.event(&self.about, fact)];
        events.extend(incidents(&incident::Ticket {
            frame: self.frame,
            subject: &self.subject,
            discriminator: &discriminator,
            title: self.text("System.Title"),
            uri: &self.page(),
            time,
            extras: own,
            actor: self.actor().and_then(|actor| actor.handle()),
            now: self.look(|name| self.text(name)),
            before: (!self.is_new).then(|| self.look(|name| self.text_before(name))),
        }));
        events
    }

    /// A comment.
    fn said(&self, key: Option<Key>, comment: Option<&str>) -> Vec<Event> {
        // A body of a later revision has that one's date.
        let time = self.changed().filter(|_| !matches!(key, Some(Key::CommentNumber(_))));
        let number = self.flat.comment_version_ref.comment_id.positive();
        let extras = Members::new().int("commentId", number).text("comment", comment);
        self.told(Content::TicketUpdated(self.ticket()), key, time, extras)
    }

    /// Away, or back. Its date is the event's: a hook's body can have that of the last edit.
    fn turned(&self, kind: &'static str, place: &str) -> Vec<Event> {
        let content = Members::new()
            .text("summary", self.text("System.Title"))
            .text("workItemType", self.text("System.WorkItemType"))
            .text("state", self.text("System.State"))
            .text("uri", Some(self.page()))
            .text("updatedBy", self.actor().and_then(|actor| actor.handle()));
        let mark = self.rev.map_or_else(|| self.frame.occasion(), |rev| Key::Revision(rev).mark());
        let mut fact = Fact::new(custom(kind, content), &self.subject, &mark);
        fact.actor = self.actor().and_then(|actor| actor.handle());
        fact.extras = self.at(place).and(self.carried());
        vec![self.frame.event(&self.about, fact)]
    }

    fn extras(&self) -> Members<'b> {
        self.at("wit/workItems")
    }

    /// Members of every event; the API has the item at `place`.
    fn at(&self, place: &str) -> Members<'b> {
        let old_state = self.update.and_then(|update| update.fields.member("System.State"));
        Members::new()
            .int("workItemId", Some(self.id))
            .int("rev", self.rev)
            .text("apiUrl", Some(self.frame.address(&format!("{place}/{}", self.id))))
            .text("workItemType", self.text("System.WorkItemType"))
            .text("state", self.text("System.State"))
            .text("previousState", old_state.and_then(|change| change.old_value.text.as_str()))
            .text("reason", self.text("System.Reason"))
            .object("changedBy", self.actor().map(person).unwrap_or_default())
            .object("assignedTo", self.field("System.AssignedTo").map(|own| person(own)).unwrap_or_default())
            .time("createdDate", moment(self.text("System.CreatedDate")))
    }

    /// The fields that the issue providers which select it ask for, as they are after the event.
    fn carried(&self) -> Members<'b> {
        let bindings = self.frame.context.bindings.iter().filter(|binding| self.about.selected_by(&binding.selection));
        let mut names: Vec<&'b String> = bindings.flat_map(|binding| &binding.issues.carried_fields).collect();
        names.sort_unstable();
        names.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        carried(names.into_iter().filter_map(|name| Some((name.as_str(), self.field(name)?))))
    }
}

/// A created ticket has no editor and no resolution.
fn cleared(ticket: Ticket<'_>) -> Ticket<'_> {
    Ticket { resolution: None, updated_by: None, ..ticket }
}
