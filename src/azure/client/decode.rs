//! Azure's answers as they come: members missing, null, or of another type, with lists in `value`.

use super::{
    BuildDefinition, ConnectionData, Deployment, EventType, GitRef, GitRepository, Identity, ReleaseDefinition,
    Subscription, SubscriptionStatus, TeamProject, WorkItemType,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Azure's list.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) value: Vec<T>,
}

/// Any object; what is read of it is asked member by member.
#[derive(Deserialize)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64().or_else(|| self.0.get(name)?.as_str()?.parse().ok())
    }

    fn guid(&self, name: &str) -> Option<Uuid> {
        Uuid::parse_str(self.0.get(name)?.as_str()?).ok()
    }

    fn object(&self, name: &str) -> Option<Self> {
        self.0.get(name)?.as_object().cloned().map(Self)
    }

    fn inputs(&self, name: &str) -> BTreeMap<String, String> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let members = self.0.get(name).and_then(Value::as_object);
        members.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
    }

    pub(super) fn connection_data(&self) -> Option<ConnectionData> {
        const ANONYMOUS: &str = "Microsoft.TeamFoundation.UnauthenticatedIdentity";
        let user = self.object("authenticatedUser")?;
        let account = user.object("properties").and_then(|all| all.object("Account")).and_then(|it| it.text("$value"));
        let is_server = self.text("deploymentType").is_some_and(|kind| kind.eq_ignore_ascii_case("onPremises"));
        Some(ConnectionData {
            deployment: if is_server { Deployment::Server } else { Deployment::Services },
            instance_id: self.guid("instanceId").unwrap_or_default(),
            is_anonymous: user.text("descriptor").is_some_and(|text| text.starts_with(ANONYMOUS))
                || user.guid("id").is_none_or(|id| id.is_nil()),
            user: Identity {
                id: user.guid("id").unwrap_or_default(),
                display_name: user.text("providerDisplayName").or_else(|| user.text("customDisplayName")),
                account,
            },
        })
    }

    pub(super) fn project(&self) -> Option<TeamProject> {
        Some(TeamProject {
            id: self.guid("id")?,
            name: self.text("name")?,
            description: self.text("description").filter(|text| !text.is_empty()),
            state: self.text("state").unwrap_or_else(|| "wellFormed".to_owned()),
        })
    }

    pub(super) fn repository(&self) -> Option<GitRepository> {
        let project = self.object("project")?;
        let branch = self.text("defaultBranch").map(|name| name.trim_start_matches("refs/heads/").to_owned());
        Some(GitRepository {
            id: self.guid("id")?,
            name: self.text("name")?,
            project_id: project.guid("id")?,
            project_name: project.text("name").unwrap_or_default(),
            default_branch: branch,
            web_url: self.text("webUrl").or_else(|| self.text("remoteUrl")),
            is_disabled: self.0.get("isDisabled").and_then(Value::as_bool).unwrap_or_default(),
        })
    }

    pub(super) fn branch(&self) -> Option<GitRef> {
        let name = self.text("name")?;
        let name = name.strip_prefix("refs/heads/").map_or(name.clone(), str::to_owned);
        Some(GitRef { name, object_id: self.text("objectId").unwrap_or_default() })
    }

    pub(super) fn pipeline(&self) -> Option<BuildDefinition> {
        let path = self.text("path").unwrap_or_else(|| "\\".to_owned());
        Some(BuildDefinition { id: self.int("id")?, name: self.text("name")?, path })
    }

    pub(super) fn release_definition(&self) -> Option<ReleaseDefinition> {
        let path = self.text("path").unwrap_or_else(|| "\\".to_owned());
        Some(ReleaseDefinition { id: self.int("id")?, name: self.text("name")?, path })
    }

    /// Without states where the list does not have them.
    pub(super) fn work_item_type(&self) -> Option<WorkItemType> {
        Some(WorkItemType {
            name: self.text("name")?,
            reference_name: self.text("referenceName"),
            states: self.list("states").iter().filter_map(Self::state).collect(),
        })
    }

    /// Name and category.
    pub(super) fn state(&self) -> Option<(String, Option<String>)> {
        Some((self.text("name")?, self.text("category")))
    }

    pub(super) fn event_type(&self) -> Option<EventType> {
        let versions = self.0.get("supportedResourceVersions").and_then(Value::as_array);
        let versions = versions.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Some(EventType { id: self.text("id")?, resource_versions: versions.collect() })
    }

    pub(super) fn subscription(&self) -> Option<Subscription> {
        let status = match self.text("status").unwrap_or_default().to_ascii_lowercase().as_str() {
            "enabled" => SubscriptionStatus::Enabled,
            "onprobation" => SubscriptionStatus::OnProbation,
            "disabledbyuser" => SubscriptionStatus::DisabledByUser,
            "disabledbysystem" => SubscriptionStatus::DisabledBySystem,
            "disabledbyinactiveidentity" => SubscriptionStatus::DisabledByInactiveIdentity,
            _ => SubscriptionStatus::Unknown,
        };
        Some(Subscription {
            id: self.text("id")?,
            publisher: self.text("publisherId")?,
            event_type: self.text("eventType")?,
            resource_version: self.text("resourceVersion"),
            status,
            publisher_inputs: self.inputs("publisherInputs"),
            consumer_inputs: self.inputs("consumerInputs"),
            created_by: self.object("createdBy").and_then(|by| by.guid("id")),
            created_date: self.text("createdDate"),
            last_success: self.text("lastSuccessfulAttemptDate"),
            probation_retries: self.int("probationRetries").and_then(|n| n.try_into().ok()),
        })
    }

    fn list(&self, name: &str) -> Vec<Self> {
        let all = self.0.get(name).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|value| value.as_object().cloned().map(Self)).collect()
    }
}
