//! Alerts of Advanced Security. The REST side of them is not simulated: what is told of one is what it was then.

use super::{Facts, Impossible, World, next};
use crate::simulator::occurrence::Subject;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

const CREATED: (&str, &str) = ("advsec", "ms.vss-alerts.alert-created-event");
const UPDATED: (&str, &str) = ("advsec", "ms.vss-alerts.alert-updated-event");
const STATE_CHANGED: (&str, &str) = ("advsec", "ms.vss-alerts.alert-state-changed-event");

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) number: u32,
    pub(crate) repository: Uuid,
    pub(crate) title: String,
    /// `low`, `medium`, `high`, `critical`.
    pub(crate) severity: String,
    /// `active`, `dismissed`, `fixed`.
    pub(crate) state: String,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
}

impl World {
    /// Something was found in the code of a repository's default branch; the alert's number.
    pub(crate) fn raise_alert(&mut self, repository: Uuid, title: &str, severity: &str) -> Result<u32, Impossible> {
        self.repository_mut(repository)?;
        let (number, now) = (next(&self.alerts, 1), self.now);
        let alert = Alert {
            number,
            repository,
            title: title.to_owned(),
            severity: severity.to_owned(),
            state: "active".to_owned(),
            first_seen: now,
            last_seen: now,
        };
        self.alerts.insert(number, alert);
        self.alert_event(CREATED, number, "created");
        Ok(number)
    }

    /// It was seen again, or has another state.
    pub(crate) fn change_alert(&mut self, number: u32, state: Option<&str>) -> Result<(), Impossible> {
        let now = self.now;
        let found = self.alerts.get_mut(&number);
        let own = found.ok_or_else(|| Impossible::Absent(format!("alert {number}")))?;
        own.last_seen = now;
        match state {
            None => self.alert_event(UPDATED, number, "updated"),
            Some(state) => {
                state.clone_into(&mut own.state);
                self.alert_event(STATE_CHANGED, number, state);
            }
        }
        Ok(())
    }

    fn alert_event(&mut self, event: (&'static str, &'static str), number: u32, what: &str) {
        let own = self.alerts[&number].clone();
        let Some(repository) = self.repository_of(own.repository) else { return };
        let (project, branch) = (repository.project, repository.default_branch.clone().unwrap_or_default());
        let short = branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned();
        let facts = Facts::from([
            ("repository", vec![own.repository.to_string()]),
            ("branch", vec![short]),
            ("alertType", vec!["code".to_owned()]),
            ("severity", vec![own.severity.clone()]),
            ("state", vec![own.state.clone()]),
        ]);
        let resource = resource(&own, &repository.name, &branch);
        self.occur(event, project, format!("alert {number} {what}"), facts, Subject::Frozen { resource });
    }
}

fn resource(own: &Alert, repository: &str, branch: &str) -> Value {
    json!({
        "alertId": own.number, "severity": own.severity, "title": own.title, "alertType": "code", "state": own.state,
        "tools": [{"name": "codeql", "rules": [{"opaqueId": null, "friendlyName": own.title}]}],
        "dismissal": null, "repositoryUrl": format!("https://dev.azure.com/_git/{repository}"), "gitRef": branch,
        "firstSeenDate": own.first_seen.to_string(), "lastSeenDate": own.last_seen.to_string(), "fixedDate": null,
        "introducedDate": own.first_seen.to_string(), "physicalLocations": null, "logicalLocations": null,
    })
}
