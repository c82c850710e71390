//! Incidents: work items that a rule of an issue provider calls one. Reported with the first event that shows it as one,
//! resolved when it is closed.
//!
//! A work item that is opened again is not reported again: it is one incident of its environment for as long as it is kept.

use super::{
    binding::About,
    frame::{Fact, Frame},
};
use crate::{
    domain::{IncidentRule, Slug},
    event::{
        Event,
        cdevents::{Content, Incident, Reference},
        members::Members,
    },
};
use jiff::Timestamp;
use std::borrow::Cow;

/// What is known of the work item after the event.
pub(super) struct Ticket<'b> {
    pub(super) frame: &'b Frame<'b>,
    pub(super) about: &'b About<'b>,
    pub(super) subject: &'b str,
    pub(super) title: Option<&'b str>,
    pub(super) tags: &'b [&'b str],
    pub(super) uri: &'b str,
    pub(super) time: Option<Timestamp>,
    /// What else is said of the work item.
    pub(super) extras: Members<'b>,
    /// The revision that closed it, if this event did.
    pub(super) closed_by: Option<&'b str>,
}

/// What the rules make of it, one or two events for each project and environment.
pub(super) fn incidents(ticket: &Ticket<'_>) -> Vec<Event> {
    let mut places: Vec<(&Slug, &Slug)> = Vec::new();
    for binding in ticket.frame.context.bindings.iter().filter(|own| !own.incidents.is_empty()) {
        if ticket.about.selected_by(&binding.selection) {
            let rules = binding.incidents.iter().filter(|rule| is_incident(rule, ticket));
            places.extend(rules.map(|rule| (&binding.project, &rule.environment)));
        }
    }
    places.sort_unstable();
    places.dedup();
    places.into_iter().flat_map(|(project, environment)| of_place(ticket, project, environment)).collect()
}

fn of_place(ticket: &Ticket<'_>, project: &Slug, environment: &Slug) -> Vec<Event> {
    let content = |uri| Incident {
        description: ticket.title,
        environment: Reference { id: Cow::Borrowed(environment.as_str()) },
        ticket_uri: uri,
    };
    let event = |content: Content<'_>, discriminator: &str| {
        let mut fact = Fact::new(content, ticket.subject, discriminator);
        fact.time = ticket.time;
        fact.extras = ticket.extras.clone();
        ticket.frame.event_of(vec![project.clone()], fact)
    };
    let place = format!("{project}:{environment}");
    let mut events = vec![event(Content::IncidentReported(content(Some(ticket.uri))), &place)];
    if let Some(revision) = ticket.closed_by {
        events.push(event(Content::IncidentResolved(content(None)), &format!("{place}:{revision}")));
    }
    events
}

/// Everything that the rule names must hold.
fn is_incident(rule: &IncidentRule, ticket: &Ticket<'_>) -> bool {
    let is = |name: &str, known: &str| name.to_lowercase() == known.to_lowercase();
    let of_type = |kind: &String| ticket.about.of_type(kind);
    let tagged = |tag: &String| ticket.tags.iter().any(|own| is(own, tag));
    (rule.work_item_types.is_empty() || rule.work_item_types.iter().any(of_type))
        && (rule.tags.is_empty() || rule.tags.iter().any(tagged))
        && (rule.area_paths.is_empty() || rule.area_paths.iter().any(|area| ticket.about.below(area)))
}
