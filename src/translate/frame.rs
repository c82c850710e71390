//! What every family needs: the place of the events, their envelope, and the event that is left when nothing else fits.

use super::{Context, MAPPING_VERSION, binding::About, identity};
use crate::{
    azure::{guid::guid, notification::Notification, resource::Identity, time},
    domain::{Recovered, Slug},
    event::{
        Event, Header,
        cdevents::{CdEvent, Content, Custom, Link, LinkKind},
        members::Members,
        uri::{escaped, uri},
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use std::borrow::Cow;
use uuid::Uuid;

/// Why a notification became `event.received` although its type is known.
pub(super) const NO_RESOURCE: &str = "the resource is absent or unreadable";

/// Where Services are, and where they keep releases.
///
/// Source: Release 7.1 of vsts-rest-api-specs (`host`); the event addresses of real release hooks.
const SERVICES: &str = "https://dev.azure.com/";
const RELEASES_OF_SERVICES: &str = "https://vsrm.dev.azure.com/";

/// One notification in its place.
pub(super) struct Frame<'a> {
    pub(super) notification: &'a Notification<'a>,
    pub(super) context: &'a Context<'a>,
    /// The project's GUID.
    pub(super) project: Option<Uuid>,
    /// `{collection}/{project GUID}`, or the collection alone.
    pub(super) source: String,
}

/// One fact to be told.
pub(super) struct Fact<'a> {
    /// What.
    pub(super) content: Content<'a>,
    /// To whom: the REST path below `{source}/_apis/`.
    pub(super) subject: &'a str,
    /// Tells this fact from others of the same type and subject.
    pub(super) discriminator: &'a str,
    /// The entity whose events stay in order, where it is not the subject.
    pub(super) entity: Option<&'a str>,
    /// When, as the resource says.
    pub(super) time: Option<Timestamp>,
    /// The person who did it, by the one word that [`Identity::handle`] has for a person at every resource version.
    pub(super) actor: Option<&'a str>,
    /// The change it follows from.
    pub(super) chain: Option<Uuid>,
    /// Relations.
    pub(super) links: Vec<Link>,
    /// Everything else.
    pub(super) extras: Members<'a>,
}

impl<'a> Fact<'a> {
    pub(super) fn new(content: Content<'a>, subject: &'a str, discriminator: &'a str) -> Self {
        Self {
            content,
            subject,
            discriminator,
            entity: None,
            time: None,
            actor: None,
            chain: None,
            links: Vec::new(),
            extras: Members::new(),
        }
    }
}

impl<'a> Frame<'a> {
    pub(super) fn new(notification: &'a Notification<'a>, context: &'a Context<'a>) -> Self {
        let project = notification.project_guid();
        let mut frame = Self { notification, context, project, source: String::new() };
        frame.source = match project {
            Some(project) => format!("{}/{project}", frame.collection()),
            None => frame.collection().into_owned(),
        };
        frame
    }

    /// The collection's address, which can hold what a URI must not (`|`, letters outside ASCII).
    pub(super) fn collection(&self) -> Cow<'a, str> {
        let collection = self.context.source.as_str();
        uri(collection).unwrap_or_else(|| escaped(collection))
    }

    /// Sets the project that the resource names, unless the envelope named one already: the envelope's is the only one
    /// that all event types of a project can have, and two of them must agree on the source.
    pub(super) fn within(&mut self, project: Option<&str>) {
        if self.project.is_some() {
            return;
        }
        if let Some(project) = guid(project) {
            self.project = Some(project);
            self.source = format!("{}/{project}", self.collection());
        }
    }

    /// Sets the project even if the envelope named another.
    pub(super) fn moved_to(&mut self, project: Option<&str>) {
        if guid(project).is_some() {
            self.project = None;
            self.within(project);
        }
    }

    pub(super) fn resource<T: Deserialize<'a> + Default>(&self) -> Option<T> {
        self.notification.resource()
    }

    /// Tells apart what nothing in the resource does: the event, by Azure's id for it. The event type is part of it
    /// since samples share one placeholder id.
    pub(super) fn occasion(&self) -> String {
        format!("{}:{}", self.notification.event_type().unwrap_or_default(), self.name())
    }

    /// What the event is called when nothing in the resource names it: Azure's id for it; without one what it says, which
    /// is the same for every subscription; and without that the delivery itself has to do.
    fn name(&self) -> String {
        let notification = self.notification;
        let said = || notification.canonical().map(|text| format!("said-{}", identity::fact("", "", "", &text)));
        let id = notification.id.as_str().map(str::to_owned);
        id.or_else(said).unwrap_or_else(|| format!("delivered-{}", self.context.notification))
    }

    /// The REST address of a thing: for machines, so for the custom data alone (`apiUrl`).
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}/_apis/{}", self.source, escaped(path))
    }

    /// The same of releases, which Services keep on a host of their own.
    pub(super) fn release_address(&self, path: &str) -> String {
        let address = self.address(path);
        match address.strip_prefix(SERVICES) {
            Some(rest) => format!("{RELEASES_OF_SERVICES}{rest}"),
            None => address,
        }
    }

    /// The page of a thing, for people: made from the connection's address, since payloads were seen to name other hosts
    /// and organizations than the one they came from; and the same whatever the body lacks.
    ///
    /// Source: the pages that Azure's own `_links.web` name; dotnet/arcade#7851 for the other organization.
    pub(super) fn page(&self, path: &str) -> String {
        format!("{}/{}", self.source, escaped(path))
    }

    /// A relation to something in this collection; `groups` is the project and, for what is in one, the repository.
    pub(super) fn link(&self, kind: LinkKind, groups: &[&str], thing: &str, id: &str) -> Link {
        Link { kind, domain_id: identity::domain(self.context.source.as_str(), groups, thing, id), event: None }
    }

    /// A relation to something in this project.
    pub(super) fn link_here(&self, kind: LinkKind, thing: &str, id: &str) -> Link {
        let project = self.project.map(|project| project.to_string()).unwrap_or_default();
        self.link(kind, &[&project], thing, id)
    }

    /// A relation to something at GitHub: host (none for github.com), owner, name.
    pub(super) fn link_at_github(kind: LinkKind, [host, owner, name]: [&str; 3], thing: &str, id: &str) -> Link {
        Link { kind, domain_id: identity::github(host, owner, name, thing, id), event: None }
    }

    /// The change's chain.
    pub(super) fn chain(&self, change: &str) -> Uuid {
        identity::chain(&self.source, change)
    }

    /// The change's chain, where it is another project's.
    pub(super) fn chain_of(&self, project: Uuid, change: &str) -> Uuid {
        identity::chain(&format!("{}/{project}", self.collection()), change)
    }

    /// The event that tells the fact.
    pub(super) fn event(&self, about: &About<'_>, fact: Fact<'_>) -> Event {
        self.event_of(about.projects(self.context.bindings), fact)
    }

    /// The event that tells these projects the fact.
    pub(super) fn event_of(&self, projects: Vec<Slug>, fact: Fact<'_>) -> Event {
        let kind = fact.content.kind();
        let id = identity::fact(kind, &self.source, fact.subject, fact.discriminator);
        let moment = fact.time.or_else(|| self.notification.created());
        let received_at = self.context.received_at;
        let slugs = projects.iter().map(Slug::as_str).collect();
        let json = CdEvent {
            id,
            source: &self.source,
            // A body without a single date cannot say when; it was not later than this.
            timestamp: moment.unwrap_or(received_at),
            chain: fact.chain,
            links: &fact.links,
            subject: fact.subject,
            content: &fact.content,
            custom_data: CustomData {
                azuredevops: Extras {
                    frame: self,
                    more: fact.extras,
                    actor: fact.actor,
                    time_unknown: moment.is_none(),
                },
                hookwell: Own {
                    connection: self.context.connection.0,
                    projects: slugs,
                    recovered: self.context.recovered,
                },
            },
            partition_key: fact.entity.unwrap_or(fact.subject),
        }
        .to_json();
        let header = Header {
            kind: kind.to_owned(),
            connection: self.context.connection,
            projects,
            notification: self.context.notification,
            recovered: self.context.recovered,
            filled: std::collections::BTreeMap::new(),
        };
        Event { id, header, json }
    }

    /// `event.received`: for what has no better word, and (with a reason) for what lacks what its event needs.
    pub(super) fn received(&self, about: &About<'_>, reason: Option<&str>) -> Vec<Event> {
        let notification = self.notification;
        let content = Members::new()
            .text("eventType", notification.event_type())
            .text("resourceVersion", notification.resource_version.as_str())
            .text("message", notification.message())
            .text("reason", reason);
        let subject = format!("hooks/events/{}", self.name());
        let content = custom("dev.cdeventsx.azuredevops-event.received.0.1.0", content);
        vec![self.event(about, Fact::new(content, &subject, &self.occasion()))]
    }

    /// The resource of a known type could not be read.
    pub(super) fn unread(&self) -> Vec<Event> {
        self.received(&About::project(self), Some(NO_RESOURCE))
    }
}

/// An event of our own.
pub(super) fn custom<'a>(kind: &'static str, content: Members<'a>) -> Content<'a> {
    Content::Custom(Custom { kind, content })
}

/// A date of the resource.
pub(super) fn moment(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(time::timestamp)
}

/// A date as part of a fact key: to the second.
pub(super) fn to_second(moment: Timestamp) -> String {
    time::second(moment).to_string()
}

/// The first of these that is an address.
pub(super) fn first_uri<const N: usize>(texts: [Option<&str>; N]) -> Option<Cow<'_, str>> {
    texts.into_iter().flatten().find_map(uri)
}

/// A person.
pub(super) fn person<'a>(identity: &'a Identity<'_>) -> Members<'a> {
    Members::new().text("id", identity.id()).text("displayName", identity.name()).text("uniqueName", identity.account())
}

#[derive(Serialize)]
struct CustomData<'a, 'b> {
    azuredevops: Extras<'a, 'b>,
    hookwell: Own<'b>,
}

#[derive(Serialize)]
struct Own<'a> {
    connection: Uuid,
    projects: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<Recovered>,
}

struct Extras<'a, 'b> {
    frame: &'b Frame<'a>,
    more: Members<'b>,
    actor: Option<&'b str>,
    time_unknown: bool,
}

impl Serialize for Extras<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let notification = self.frame.notification;
        let head = [
            ("eventType", notification.event_type()),
            ("eventId", notification.id.as_str()),
            ("resourceVersion", notification.resource_version.as_str()),
            ("subscriptionId", notification.subscription_id.as_str()),
        ];
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in head {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        map.serialize_entry("mapping", &MAPPING_VERSION)?;
        if self.time_unknown {
            map.serialize_entry("timeUnknown", &true)?;
        }
        if let Some(actor) = self.actor {
            map.serialize_entry("actor", actor)?;
        }
        self.more.entries(&mut map)?;
        map.end()
    }
}
