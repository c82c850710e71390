//! Work items: a ticket opened, changed, closed; deleted and restored, which tickets have no word for.

use super::{
    binding::{About, Family},
    done::{Done, done},
    frame::{Fact, Frame, custom, moment, person},
    incident::{self, incidents},
};
use crate::{
    azure::resource::{
        Identity, Links,
        work_item::{Relation, WorkItem, WorkItemUpdate},
    },
    event::{
        Event,
        cdevents::{Content, Link, LinkKind, Ticket},
        members::Members,
    },
};
use std::borrow::Cow;

const NO_NUMBER: &str = "the resource names no work item";

/// Fields that every update changes: they say nothing of what was done.
const NOISE: [&str; 6] = [
    "System.AuthorizedDate",
    "System.ChangedBy",
    "System.ChangedDate",
    "System.Rev",
    "System.RevisedDate",
    "System.Watermark",
];

/// A work item as it is after the event, in its place.
struct Item<'b> {
    frame: &'b Frame<'b>,
    about: About<'b>,
    id: i64,
    rev: Option<i64>,
    subject: String,
    flat: &'b WorkItem<'b>,
    update: Option<&'b WorkItemUpdate<'b>>,
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
        item.told(Content::TicketCreated(cleared(ticket)), time.or_else(|| item.changed()), Members::new())
    })
}

/// `workitem.updated`: closed when the state became one that means "done" and was none before.
pub(super) fn updated(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(update) = frame.resource::<WorkItemUpdate<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &update.revision, Some(&update));
    let number = update.work_item_id.positive().or(update.revision.id.positive());
    let number =
        number.or_else(|| number_in(update.url.as_str()).or_else(|| number_in(update.links.parent.href.as_str())));
    let Some(id) = number else { return frame.received(&about, Some(NO_NUMBER)) };
    let system_rev = update.fields.member("System.Rev").and_then(|change| change.new_value.text.as_str()?.parse().ok());
    let rev = update.rev.positive().or(system_rev).or(update.revision.rev.positive());
    let subject = format!("wit/workItems/{id}");
    let item = Item { frame: &frame, about, id, rev, subject, flat: &update.revision, update: Some(&update) };
    let extras = Members::new()
        .texts("changedFields", changed_fields(&update))
        .objects("relationsAdded", update.relations.added.iter().map(|relation| relation_members(relation)))
        .objects("relationsRemoved", update.relations.removed.iter().map(|relation| relation_members(relation)));
    let ticket = item.ticket();
    let content = match item.resolution(&update) {
        Some(resolution) => Content::TicketClosed(Ticket { resolution: Some(resolution), ..ticket }),
        None => Content::TicketUpdated(ticket),
    };
    item.told(content, item.changed(), extras)
}

/// `workitem.commented`: the same fact as the `workitem.updated` that the comment fires too.
pub(super) fn commented(frame: Frame<'_>) -> Vec<Event> {
    of_item(frame, |item| {
        let extras = Members::new().int("commentId", item.flat.comment_version_ref.comment_id.positive());
        item.told(Content::TicketUpdated(item.ticket()), item.changed(), extras)
    })
}

/// `workitem.deleted`.
pub(super) fn deleted(frame: Frame<'_>) -> Vec<Event> {
    of_item(frame, |item| item.turned("dev.cdeventsx.azuredevops-workitem.deleted.0.1.0"))
}

/// `workitem.restored`.
pub(super) fn restored(frame: Frame<'_>) -> Vec<Event> {
    of_item(frame, |item| item.turned("dev.cdeventsx.azuredevops-workitem.restored.0.1.0"))
}

fn of_item(mut frame: Frame<'_>, tell: impl FnOnce(&Item<'_>) -> Vec<Event>) -> Vec<Event> {
    let Some(flat) = frame.resource::<WorkItem<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &flat, None);
    let Some(id) = flat.id.positive().or_else(|| number_in(flat.url.as_str())) else {
        return frame.received(&about, Some(NO_NUMBER));
    };
    let subject = format!("wit/workItems/{id}");
    tell(&Item { frame: &frame, about, id, rev: flat.rev.positive(), subject, flat: &flat, update: None })
}

fn about<'a: 'b, 'b>(
    frame: &mut Frame<'a>,
    flat: &'b WorkItem<'_>,
    update: Option<&'b WorkItemUpdate<'_>>,
) -> About<'b> {
    let text = |name: &str| field(flat, update, name).and_then(|value| value.text.as_str());
    About {
        family: Family::WorkItem,
        project: [frame.notification.project(), text("System.TeamProject"), None],
        area_path: text("System.AreaPath"),
        work_item_type: text("System.WorkItemType"),
        ..About::default()
    }
}

/// The field after the event: the sample's `revision` is the one before, so a change comes first; a change without a
/// new value cleared the field.
fn field<'b>(flat: &'b WorkItem<'_>, update: Option<&'b WorkItemUpdate<'_>>, name: &str) -> Option<&'b Identity<'b>> {
    match update.and_then(|update| update.fields.member(name)) {
        Some(change) => Some(&change.new_value),
        None => flat.fields.member(name),
    }
}

/// The number in `…/workItems/{n}/…`.
fn number_in(address: Option<&str>) -> Option<i64> {
    let mut segments = address?.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case("workItems"))?;
    segments.next()?.parse().ok().filter(|number| *number > 0)
}

impl<'b> Item<'b> {
    fn field(&self, name: &str) -> Option<&'b Identity<'b>> {
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
            _ => done(self.frame.context, &self.about.project, kind, state),
        }
    }

    fn actor(&self) -> Option<&'b Identity<'b>> {
        let revised = self.update.map(|update| &update.revised_by).filter(|by| by.handle().is_some());
        revised.or_else(|| self.field("System.ChangedBy"))
    }

    fn changed(&self) -> Option<jiff::Timestamp> {
        moment(self.text("System.ChangedDate"))
    }

    fn uri(&self) -> Cow<'b, str> {
        // The item's own address: an update's and a revision's are others, and a deleted item's is in the recycle bin.
        let links: &Links<'_> = &self.flat.links;
        let flat = self.flat.url.as_str().filter(|_| self.update.is_none());
        super::frame::first_uri([links.html.href.as_str(), flat])
            .unwrap_or_else(|| Cow::Owned(self.frame.address(&self.subject)))
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
            uri: self.uri(),
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

    /// One event per revision and type: an update and a comment of the same revision are one fact.
    fn told(&self, content: Content<'_>, time: Option<jiff::Timestamp>, extras: Members<'_>) -> Vec<Event> {
        let discriminator = self.rev.map_or_else(|| self.frame.occasion(), |rev| format!("rev{rev}"));
        let mut fact = Fact::new(content, &self.subject, &discriminator);
        fact.time = time;
        fact.links = self.links();
        fact.extras = self.extras().and(extras);
        let is_new = matches!(fact.content, Content::TicketCreated(_));
        let mut events = vec![self.frame.event(&self.about, fact)];
        events.extend(incidents(&incident::Ticket {
            frame: self.frame,
            subject: &self.subject,
            discriminator: &discriminator,
            title: self.text("System.Title"),
            uri: &self.uri(),
            time,
            extras: self.extras(),
            now: self.look(|name| self.text(name)),
            before: (!is_new).then(|| self.look(|name| self.text_before(name))),
        }));
        events
    }

    /// Deleting and restoring need not make a revision, so the event itself tells two of them apart. Its date too is
    /// the event's: the item's is that of its last edit.
    fn turned(&self, kind: &'static str) -> Vec<Event> {
        let content = Members::new()
            .text("summary", self.text("System.Title"))
            .text("workItemType", self.text("System.WorkItemType"))
            .text("state", self.text("System.State"))
            .text("uri", Some(self.uri()))
            .text("updatedBy", self.actor().and_then(|actor| actor.handle()));
        let occasion = self.frame.occasion();
        let mut fact = Fact::new(custom(kind, content), &self.subject, &occasion);
        fact.extras = self.extras();
        vec![self.frame.event(&self.about, fact)]
    }

    fn extras(&self) -> Members<'b> {
        let old_state = self.update.and_then(|update| update.fields.member("System.State"));
        Members::new()
            .int("workItemId", Some(self.id))
            .int("rev", self.rev)
            .text("workItemType", self.text("System.WorkItemType"))
            .text("state", self.text("System.State"))
            .text("previousState", old_state.and_then(|change| change.old_value.text.as_str()))
            .text("reason", self.text("System.Reason"))
            .text("comment", self.text("System.History"))
            .object("changedBy", self.actor().map(person).unwrap_or_default())
            .object("assignedTo", self.field("System.AssignedTo").map(person).unwrap_or_default())
            .time("createdDate", moment(self.text("System.CreatedDate")))
    }

    fn links(&self) -> Vec<Link> {
        let added = self.update.map(|update| update.relations.added.iter()).into_iter().flatten();
        added.filter_map(|relation| link(self.frame, relation.url.as_str()?)).collect()
    }
}

/// What was changed on purpose.
fn changed_fields<'b>(update: &'b WorkItemUpdate<'_>) -> impl Iterator<Item = &'b str> {
    let names = update.fields.0.iter().filter_map(|(name, _)| name.as_str());
    names.filter(|name| !NOISE.contains(name))
}

/// A created ticket has no editor and no resolution.
fn cleared(ticket: Ticket<'_>) -> Ticket<'_> {
    Ticket { resolution: None, updated_by: None, ..ticket }
}

/// `vstfs:///Git/Commit/{project}%2F{repository}%2F{sha}` and its like, or the address of another work item.
fn link(frame: &Frame<'_>, address: &str) -> Option<Link> {
    let Some(artifact) = address.strip_prefix("vstfs:///") else {
        let number = number_in(Some(address))?;
        return Some(frame.link_here(LinkKind::Issue, None, "issue", &number.to_string()));
    };
    let (kind, id) = artifact.rsplit_once('/')?;
    let id = percent_encoding::percent_decode_str(id).decode_utf8().ok()?;
    let mut parts = id.splitn(3, '/');
    let (first, second, third) = (parts.next()?, parts.next(), parts.next());
    match kind {
        "Git/Commit" => Some(frame.link(LinkKind::Commit, &[first, second?], "commit", third?)),
        "Git/PullRequestId" => Some(frame.link(LinkKind::Change, &[first, second?], "pr", third?)),
        "Build/Build" => Some(frame.link_here(LinkKind::Run, None, "execution", first)),
        _ => None,
    }
}

fn relation_members<'a>(relation: &'a Relation<'_>) -> Members<'a> {
    Members::new().text("rel", relation.rel.as_str()).text("url", relation.url.as_str())
}

/// The vocabulary's word for a type of Microsoft's processes; any other type keeps its own.
fn ticket_type(kind: &str) -> &str {
    let words = [
        ("Bug", "bug"),
        ("Task", "task"),
        ("User Story", "enhancement"),
        ("Product Backlog Item", "enhancement"),
        ("Requirement", "enhancement"),
        ("Change Request", "enhancement"),
        ("Feature", "enhancement"),
        ("Epic", "enhancement"),
        ("Incident", "incident"),
        ("Question", "question"),
    ];
    words.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(kind)).map_or(kind, |(_, word)| word)
}

/// Azure counts priorities from 1, the highest, to 4.
fn priority(number: &str) -> &str {
    match number {
        "1" => "high",
        "2" => "medium",
        "3" | "4" => "low",
        other => other,
    }
}

/// Tags come as `one; two`.
fn labels(tags: Option<&str>) -> Vec<&str> {
    tags.unwrap_or_default().split(';').map(str::trim).filter(|tag| !tag.is_empty()).collect()
}
