//! Classic releases and their deployments.

use super::{Composed, Home, Kind, object};
use crate::azure::{
    client::{DeploymentRecord, ReleaseRecord},
    time,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const CREATED: Kind = of_release("ms.vss-release.release-created-event");
const ABANDONED: Kind = of_release("ms.vss-release.release-abandoned-event");
const STARTED: Kind = of_release("ms.vss-release.deployment-started-event");
const COMPLETED: Kind = of_release("ms.vss-release.deployment-completed-event");

const fn of_release(event_type: &'static str) -> Kind {
    Kind { event_type, publisher: "rm", version: "3.0-preview.1" }
}

/// `release-created-event`; of a draft too, as the hook does.
pub(crate) fn released(home: Home<'_>, record: &ReleaseRecord) -> Composed {
    let mut release = object(&record.json);
    // A release may have been given up since; nobody knows then whether it began as a draft.
    if record.status.eq_ignore_ascii_case("abandoned") {
        release["status"] = Value::Null;
    }
    // The maker changed it first; the last change, and its author, came later.
    release["modifiedBy"] = release["createdBy"].clone();
    let resource = json!({"release": release, "project": {"id": home.project}});
    home.compose(CREATED, record.created, format!("release/releases/{}", record.id), resource)
}

/// `release-abandoned-event`. When that was is not recorded: it was changed then, or later.
pub(crate) fn abandoned(home: Home<'_>, record: &ReleaseRecord) -> Option<Composed> {
    if !record.status.eq_ignore_ascii_case("abandoned") {
        return None;
    }
    let resource = json!({"release": object(&record.json), "project": {"id": home.project}});
    Some(home.compose(ABANDONED, record.modified, format!("release/releases/{}", record.id), resource))
}

/// `deployment-started-event` and `deployment-completed-event`, as far as it came.
pub(crate) fn deployment(home: Home<'_>, record: &DeploymentRecord) -> Vec<Composed> {
    let json = object(&record.json);
    let entity = || format!("release/releases/{}", record.release);
    let begun =
        record.started.filter(|_| was_let_through(&json, record)).map(|at| at.max(answered(&json).unwrap_or(at)));
    let started = begun.map(|at| {
        let mut resource = resource(home, record, &json, "inProgress");
        // As it was then: how it ended nobody knew.
        resource["deployment"]["deploymentStatus"] = "inProgress".into();
        for later in ["completedOn", "operationStatus", "lastModifiedOn"] {
            resource["deployment"][later] = Value::Null;
        }
        resource["environment"]["modifiedOn"] = json!(at);
        resource["deployment"]["startedOn"] = json!(at);
        home.compose(STARTED, at, entity(), resource)
    });
    let completed = record.completed.or_else(|| ended(&json, record)).map(|at| {
        let status = environment_status(&json, record);
        home.compose(COMPLETED, at, entity(), resource(home, record, &json, status))
    });
    started.into_iter().chain(completed).collect()
}

/// When it was over where the record does not say so: it was last changed then.
///
/// Source: the documented reply of `GET _apis/release/deployments`, in which no record has a `completedOn`, and the
/// specification, in which it is optional.
fn ended(json: &Value, record: &DeploymentRecord) -> Option<Timestamp> {
    let is_over =
        ["succeeded", "partiallySucceeded", "failed"].iter().any(|own| record.status.eq_ignore_ascii_case(own));
    json["lastModifiedOn"].as_str().filter(|_| is_over).and_then(time::timestamp)
}

/// Whether it began at all: its date is that of its turn in the queue, before anybody was asked.
fn was_let_through(json: &Value, record: &DeploymentRecord) -> bool {
    let waits = |approval: &Value| {
        let status = approval["status"].as_str().unwrap_or("approved");
        !["approved", "skipped"].iter().any(|word| status.eq_ignore_ascii_case(word))
    };
    match json["preDeployApprovals"].as_array() {
        Some(approvals) => !approvals.iter().any(waits),
        None => !record.status.eq_ignore_ascii_case("notDeployed"),
    }
}

/// When the last of those who were asked said yes; an automated approval was asked of nobody.
///
/// Source: `ReleaseApproval` of Release 7.1 (`isAutomated`, `modifiedOn`).
fn answered(json: &Value) -> Option<Timestamp> {
    let asked = json["preDeployApprovals"].as_array()?.iter().filter(|own| own["isAutomated"] != true);
    asked.filter_map(|own| time::timestamp(own["modifiedOn"].as_str()?)).max()
}

/// The environment's word for how it ended; the deployment's own has none for a canceled one.
fn environment_status(json: &Value, record: &DeploymentRecord) -> &'static str {
    let operation = json["operationStatus"].as_str().unwrap_or_default();
    let is = |word: &str| record.status.eq_ignore_ascii_case(word);
    if is("succeeded") {
        "succeeded"
    } else if is("partiallySucceeded") {
        "partiallySucceeded"
    } else if ["canceled", "phaseCanceled"].iter().any(|word| operation.eq_ignore_ascii_case(word)) {
        "canceled"
    } else {
        "rejected"
    }
}

fn resource(home: Home<'_>, record: &DeploymentRecord, json: &Value, status: &str) -> Value {
    let (environment, definition) = (&json["releaseEnvironment"], &json["releaseDefinition"]);
    let mut release = json["release"].clone();
    release["releaseDefinition"] = definition.clone();
    json!({
        "environment": {
            "id": environment["id"], "name": environment["name"], "status": status, "releaseId": record.release,
            "definitionEnvironmentId": json["definitionEnvironmentId"], "modifiedOn": json["lastModifiedOn"],
            "release": {"id": record.release, "name": json["release"]["name"]}, "releaseDefinition": definition,
        },
        "deployment": json,
        "release": release,
        "project": {"id": home.project},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::CollectionUrl;
    use uuid::Uuid;

    #[test]
    fn a_deployment_ends_by_its_last_change_where_its_record_has_no_date_of_its_end() {
        let url = CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap();
        let home = Home { url: &url, collection: None, project: Uuid::from_u128(1) };
        let (begun, over) = ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z");
        for (status, completed, ends) in [
            ("succeeded", None, Some(over)),
            ("partiallySucceeded", None, Some(over)),
            ("failed", None, Some(over)),
            ("inProgress", None, None),
            ("succeeded", Some("2026-01-01T00:04:00Z"), Some("2026-01-01T00:04:00Z")),
        ] {
            let json = json!({ "id": 5, "attempt": 1, "deploymentStatus": status, "lastModifiedOn": over,
                "release": { "id": 3, "name": "R-3" }, "releaseEnvironment": { "id": 7, "name": "Production" } });
            let record = DeploymentRecord {
                id: 5,
                release: 3,
                definition: 2,
                attempt: 1,
                started: begun.parse().ok(),
                completed: completed.map(|date| date.parse().unwrap()),
                status: status.to_owned(),
                json: serde_json::value::to_raw_value(&json).unwrap(),
            };
            let told = deployment(home, &record);
            assert_eq!(told[0].at, begun.parse().unwrap(), "{status}");
            assert_eq!(told.get(1).map(|end| end.at), ends.map(|date| date.parse().unwrap()), "{status} {completed:?}");
        }
    }
}
