//! Incidents: work items that a rule of an issue provider calls one. Reported by the event that makes a work item one, be it
//! made, tagged, moved or opened again; resolved by the one that closes it.
//!
//! What it was before is compared, and not what was told before: an edit of an old incident must not report it anew once the
//! journal has forgotten the first report.

use super::{
    binding::About,
    frame::{Fact, Frame},
};
use crate::{
    domain::{IncidentRule, Selection, Slug},
    event::{
        Event,
        cdevents::{Content, Incident, Reference},
        members::Members,
    },
};
use jiff::Timestamp;
use std::borrow::Cow;

/// A work item at one moment, as rules look at it.
pub(super) struct Look<'b> {
    pub(super) about: About<'b>,
    pub(super) tags: Vec<&'b str>,
    /// Whether its state means "done".
    pub(super) is_done: bool,
}

/// What happened to a work item.
pub(super) struct Ticket<'b> {
    pub(super) frame: &'b Frame<'b>,
    pub(super) subject: &'b str,
    /// Tells this event from others of the work item.
    pub(super) discriminator: &'b str,
    pub(super) title: Option<&'b str>,
    pub(super) uri: &'b str,
    pub(super) time: Option<Timestamp>,
    /// The person who did it.
    pub(super) actor: Option<&'b str>,
    /// What else is said of the work item.
    pub(super) extras: Members<'b>,
    pub(super) now: Look<'b>,
    /// Nothing of one that is new.
    pub(super) before: Option<Look<'b>>,
}

/// What the rules make of it, at most one event for each project and environment.
pub(super) fn incidents(ticket: &Ticket<'_>) -> Vec<Event> {
    let mut turns: Vec<(&Slug, &Slug, bool)> = Vec::new();
    for binding in ticket.frame.context.bindings {
        for rule in &binding.issues.incidents {
            let was = ticket.before.as_ref().is_some_and(|look| look.is_incident(&binding.selection, rule));
            let is = ticket.now.is_incident(&binding.selection, rule);
            // One that is none any more without being done was called one by mistake: nothing was resolved.
            if was != is && (is || ticket.now.is_done) {
                turns.push((&binding.project, &rule.environment, is));
            }
        }
    }
    turns.sort_unstable();
    turns.dedup();
    turns.into_iter().map(|(project, environment, is)| event(ticket, project, environment, is)).collect()
}

fn event(ticket: &Ticket<'_>, project: &Slug, environment: &Slug, is_reported: bool) -> Event {
    let incident = Incident {
        description: ticket.title,
        environment: Reference { id: Cow::Borrowed(environment.as_str()) },
        ticket_uri: is_reported.then_some(ticket.uri),
    };
    let content = if is_reported { Content::IncidentReported(incident) } else { Content::IncidentResolved(incident) };
    let discriminator = format!("{project}:{environment}:{}", ticket.discriminator);
    let mut fact = Fact::new(content, ticket.subject, &discriminator);
    fact.time = ticket.time;
    fact.actor = ticket.actor;
    fact.extras = ticket.extras.clone();
    ticket.frame.event_of(vec![project.clone()], fact)
}

impl Look<'_> {
    /// Everything that the rule names must hold, and the binding must select it.
    fn is_incident(&self, selection: &Selection, rule: &IncidentRule) -> bool {
        let tagged = |tag: &String| self.tags.iter().any(|own| own.to_lowercase() == tag.to_lowercase());
        !self.is_done
            && self.about.selected_by(selection)
            && (rule.work_item_types.is_empty() || rule.work_item_types.iter().any(|kind| self.about.of_type(kind)))
            && (rule.tags.is_empty() || rule.tags.iter().any(tagged))
            && (rule.area_paths.is_empty() || rule.area_paths.iter().any(|area| self.about.below(area)))
    }
}
