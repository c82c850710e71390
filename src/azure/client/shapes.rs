//! What is read of each of Azure's answers, and which of it cannot be missing.

use super::{
    BuildDefinition, ConnectionData, Deployment, EventType, Failure, GitRef, GitRepository, Identity,
    ReleaseDefinition, Subscription, SubscriptionStatus, TeamProject, WorkItemType,
    call::Reply,
    target::is_services,
    wire::{Model, one},
};
use crate::azure::lenient::{Flag, Int, List, Object, Pairs, Text};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

/// The id of nobody, as whom a public organization answers a call without credential.
const ANONYMOUS: Uuid = Uuid::from_u128(0xaaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa);
/// How the descriptors of nobody begin.
const PUBLIC_ACCESS: &str = "System:PublicAccess";

fn text(text: &Text<'_>) -> Option<String> {
    text.as_str().map(str::to_owned)
}

fn needed(value: &Text<'_>, member: &'static str) -> Result<String, &'static str> {
    text(value).ok_or(member)
}

fn guid(text: &Text<'_>) -> Option<Uuid> {
    Uuid::try_parse(text.as_str()?).ok()
}

macro_rules! raw {
    ($name:ident<$life:lifetime> { $($(#[$attribute:meta])* $member:ident: $type:ty,)* }) => {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name<$life> { $($(#[$attribute])* #[serde(borrow)] $member: $type,)* }
    };
}

raw!(Project<'a> { id: Text<'a>, name: Text<'a>, description: Text<'a>, state: Text<'a>, });

impl<'a> Model<'a> for Project<'a> {
    type Into = TeamProject;

    fn model(self) -> Result<TeamProject, &'static str> {
        Ok(TeamProject {
            id: guid(&self.id).ok_or("id")?,
            name: needed(&self.name, "name")?,
            description: text(&self.description),
            state: text(&self.state).unwrap_or_else(|| "wellFormed".to_owned()),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Repository<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    project: Object<Project<'a>>,
    #[serde(borrow)]
    default_branch: Text<'a>,
    #[serde(borrow)]
    web_url: Text<'a>,
    is_disabled: Flag,
}

impl<'a> Model<'a> for Repository<'a> {
    type Into = GitRepository;

    fn model(self) -> Result<GitRepository, &'static str> {
        Ok(GitRepository {
            id: guid(&self.id).ok_or("id")?,
            name: needed(&self.name, "name")?,
            project_id: guid(&self.project.id).ok_or("project.id")?,
            project_name: needed(&self.project.name, "project.name")?,
            default_branch: self.default_branch.as_str().map(|name| short(name).to_owned()),
            web_url: text(&self.web_url),
            is_disabled: self.is_disabled.0.unwrap_or_default(),
        })
    }
}

/// A branch's name without what all their names begin with.
fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or(name)
}

raw!(Branch<'a> { name: Text<'a>, object_id: Text<'a>, });

impl<'a> Model<'a> for Branch<'a> {
    type Into = GitRef;

    fn model(self) -> Result<GitRef, &'static str> {
        let name = short(self.name.as_str().ok_or("name")?).to_owned();
        Ok(GitRef { name, object_id: needed(&self.object_id, "objectId")? })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Definition<'a> {
    id: Int,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
}

impl Definition<'_> {
    fn parts(&self) -> Result<(i64, String, String), &'static str> {
        let path = text(&self.path).unwrap_or_else(|| "\\".to_owned());
        Ok((self.id.positive().ok_or("id")?, needed(&self.name, "name")?, path))
    }
}

/// A definition of builds.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct OfBuilds<'a>(#[serde(borrow)] Definition<'a>);

impl<'a> Model<'a> for OfBuilds<'a> {
    type Into = BuildDefinition;

    fn model(self) -> Result<BuildDefinition, &'static str> {
        self.0.parts().map(|(id, name, path)| BuildDefinition { id, name, path })
    }
}

/// A definition of releases.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct OfReleases<'a>(#[serde(borrow)] Definition<'a>);

impl<'a> Model<'a> for OfReleases<'a> {
    type Into = ReleaseDefinition;

    fn model(self) -> Result<ReleaseDefinition, &'static str> {
        self.0.parts().map(|(id, name, path)| ReleaseDefinition { id, name, path })
    }
}

raw!(State<'a> { name: Text<'a>, category: Text<'a>, });

impl<'a> Model<'a> for State<'a> {
    type Into = (String, Option<String>);

    fn model(self) -> Result<Self::Into, &'static str> {
        Ok((needed(&self.name, "name")?, text(&self.category)))
    }
}

raw!(ItemType<'a> { name: Text<'a>, reference_name: Text<'a>, states: List<Object<State<'a>>>, });

impl<'a> Model<'a> for ItemType<'a> {
    type Into = WorkItemType;

    fn model(self) -> Result<WorkItemType, &'static str> {
        let states = self.states.0.into_iter().filter_map(|state| state.0.model().ok());
        let (name, reference_name) = (needed(&self.name, "name")?, text(&self.reference_name));
        Ok(WorkItemType { name, reference_name, states: states.collect() })
    }
}

raw!(Catalogued<'a> { id: Text<'a>, supported_resource_versions: List<Text<'a>>, });

impl<'a> Model<'a> for Catalogued<'a> {
    type Into = EventType;

    fn model(self) -> Result<EventType, &'static str> {
        let resource_versions = self.supported_resource_versions.iter().filter_map(text).collect();
        Ok(EventType { id: needed(&self.id, "id")?, resource_versions })
    }
}

raw!(User<'a> {
    id: Text<'a>, descriptor: Text<'a>, subject_descriptor: Text<'a>, provider_display_name: Text<'a>,
    custom_display_name: Text<'a>, properties: Object<Properties<'a>>,
});

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties<'a> {
    #[serde(borrow, rename = "Account")]
    account: Object<Property<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Property<'a> {
    #[serde(borrow, rename = "$value")]
    value: Text<'a>,
}

raw!(Connected<'a> {
    authenticated_user: Object<User<'a>>, authorized_user: Object<User<'a>>, instance_id: Text<'a>, deployment_type: Text<'a>,
});

impl<'a> Model<'a> for Connected<'a> {
    type Into = (ConnectionData, bool);

    fn model(self) -> Result<Self::Into, &'static str> {
        let user = &self.authenticated_user;
        let id = guid(&user.id).or_else(|| guid(&self.authorized_user.id)).ok_or("authenticatedUser.id")?;
        let is_public = |text: &Text<'_>| text.as_str().is_some_and(|text| text.starts_with(PUBLIC_ACCESS));
        let deployment = if self.deployment_type.is("onPremises") { Deployment::Server } else { Deployment::Services };
        let data = ConnectionData {
            deployment,
            instance_id: guid(&self.instance_id).ok_or("instanceId")?,
            is_anonymous: id == ANONYMOUS || is_public(&user.descriptor) || is_public(&user.subject_descriptor),
            user: Identity {
                id,
                display_name: text(&user.custom_display_name).or_else(|| text(&user.provider_display_name)),
                account: text(&user.properties.account.value),
            },
        };
        Ok((data, self.deployment_type.as_str().is_some()))
    }
}

/// `connectionData`. Old servers do not say what they are: then the URL does.
pub(super) fn connection_data(reply: &Reply, base: &Url) -> Result<ConnectionData, Failure> {
    let (mut data, says) = one::<Connected<'_>>(reply, "connectionData")?;
    if !says && !is_services(base) {
        data.deployment = Deployment::Server;
    }
    Ok(data)
}

raw!(Named<'a> { display_name: Text<'a>, unique_name: Text<'a>, });

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Subscribed<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    publisher_id: Text<'a>,
    #[serde(borrow)]
    event_type: Text<'a>,
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow)]
    consumer_id: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    publisher_inputs: Pairs<'a, Text<'a>>,
    #[serde(borrow)]
    consumer_inputs: Pairs<'a, Text<'a>>,
    #[serde(borrow)]
    created_by: Object<User<'a>>,
    #[serde(borrow)]
    created_date: Text<'a>,
    #[serde(borrow)]
    modified_by: Object<Named<'a>>,
    #[serde(borrow)]
    modified_date: Text<'a>,
    #[serde(borrow)]
    last_successful_attempt_date: Text<'a>,
    probation_retries: Int,
}

impl<'a> Model<'a> for Subscribed<'a> {
    /// `None` for another consumer than a webhook: a server that ignores the filter lists them too.
    type Into = Option<Subscription>;

    fn model(self) -> Result<Option<Subscription>, &'static str> {
        if self.consumer_id.as_str().is_some() && !self.consumer_id.is("webHooks") {
            return Ok(None);
        }
        let inputs = |pairs: &Pairs<'_, Text<'_>>| {
            let pair = |(key, value): &(Text<'_>, Text<'_>)| Some((text(key)?, text(value).unwrap_or_default()));
            pairs.0.iter().filter_map(pair).collect()
        };
        let status = status(&self.status);
        Ok(Some(Subscription {
            id: needed(&self.id, "id")?,
            publisher: needed(&self.publisher_id, "publisherId")?,
            event_type: needed(&self.event_type, "eventType")?,
            resource_version: text(&self.resource_version),
            status,
            publisher_inputs: inputs(&self.publisher_inputs),
            consumer_inputs: inputs(&self.consumer_inputs),
            created_by: guid(&self.created_by.id),
            created_date: text(&self.created_date),
            modified_by: text(&self.modified_by.display_name).or_else(|| text(&self.modified_by.unique_name)),
            modified_date: text(&self.modified_date),
            unknown_status: text(&self.status).filter(|_| status == SubscriptionStatus::Unknown),
            last_success: text(&self.last_successful_attempt_date),
            probation_retries: self.probation_retries.0.and_then(|count| u32::try_from(count).ok()),
        }))
    }
}

fn status(text: &Text<'_>) -> SubscriptionStatus {
    let known = [
        ("enabled", SubscriptionStatus::Enabled),
        ("onProbation", SubscriptionStatus::OnProbation),
        ("disabledByUser", SubscriptionStatus::DisabledByUser),
        ("disabledBySystem", SubscriptionStatus::DisabledBySystem),
        ("disabledByInactiveIdentity", SubscriptionStatus::DisabledByInactiveIdentity),
    ];
    match text.as_str() {
        // It is the first of the enumeration, which old servers do not write.
        None => SubscriptionStatus::Enabled,
        Some(_) => known
            .into_iter()
            .find_map(|(word, status)| text.is(word).then_some(status))
            .unwrap_or(SubscriptionStatus::Unknown),
    }
}
