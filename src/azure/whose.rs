//! Whose a notification is when its containers name no project: the GUID stands in the resource, or in its addresses.
//!
//! Only what names the project of the thing itself is looked at. People have addresses with the GUID of an account in the
//! place of a project's, and what was checked out, released or forked from can belong to another project.
//!
//! Source: captured run events of 2019 (neither `projectId` nor containers; the GUID in `_links` and `url`), check-ins
//! (`teamProjectIds`), stages and approvals of 2025 (`projectId` alone).

use super::guid::guid;
use serde_json::Value;
use std::collections::VecDeque;
use uuid::Uuid;

/// Values that are looked at: a resource of this size names its project early or not at all.
const VALUES_MAX: usize = 20_000;

/// Members below which other projects are named. Those that end in `By` and `For` are people, and the fields of a work item
/// hold whatever somebody wrote into them.
const ELSEWHERE: [&str; 21] = [
    "repositories",
    "resources",
    "artifacts",
    "triggeredByBuild",
    "triggerInfo",
    "forkSource",
    "sourceRepository",
    "relations",
    "author",
    "committer",
    "reviewers",
    "approver",
    "assignedApprover",
    "actualApprover",
    "owner",
    "identity",
    "queue",
    "parameters",
    "templateParameters",
    "variables",
    "fields",
];

/// Members that are a project.
const PROJECTS: [&str; 3] = ["project", "teamProject", "projectReference"];

/// The project's GUID: an id before an address, and what stands higher before what stands deeper.
pub(super) fn project(resource: &Value) -> Option<Uuid> {
    let values = breadth_first(resource);
    let by_id = values.iter().find_map(|(name, value)| match *name {
        "projectId" => guid(value.as_str()),
        "teamProjectIds" => value.as_array()?.iter().find_map(|id| guid(id.as_str())),
        name if PROJECTS.contains(&name) => guid(value["id"].as_str()),
        _ => None,
    });
    let mut addresses = values.iter().filter(|(name, _)| is_address(name));
    by_id.or_else(|| addresses.find_map(|(_, value)| of_address(value.as_str()?)))
}

/// Every member with its name; of a list, each item under the name of the list.
fn breadth_first(resource: &Value) -> Vec<(&str, &Value)> {
    let (mut seen, mut next) = (Vec::new(), VecDeque::from([("resource", resource)]));
    while let Some((name, value)) = next.pop_front().filter(|_| seen.len() < VALUES_MAX) {
        seen.push((name, value));
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().filter(|(name, _)| is_its_own(name)).collect();
                // Of equals the first by name, whatever order they were sent in.
                members.sort_unstable_by_key(|(name, _)| *name);
                next.extend(members.into_iter().map(|(name, value)| (name.as_str(), value)));
            }
            Value::Array(items) => next.extend(items.iter().map(|item| (name, item))),
            _ => {}
        }
    }
    seen
}

/// Not every text that is an address is one of the thing: a title or a description can be.
fn is_address(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["href", "url", "uri"].iter().any(|end| name.ends_with(end))
}

fn is_its_own(name: &str) -> bool {
    !ELSEWHERE.contains(&name) && !name.ends_with("By") && !name.ends_with("For")
}

/// The project of an address: the GUID before `_apis`, `_git`, `_build` and the like, or behind `_apis/projects`; and of a
/// project's own URI, which older bodies have beside its address.
pub(crate) fn of_address(address: &str) -> Option<Uuid> {
    if let Some(own) = address.strip_prefix("vstfs:///Classification/TeamProject/") {
        return guid(Some(own));
    }
    let (scheme, rest) = address.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').skip(1).filter(|segment| !segment.is_empty()).collect();
    let service = segments.iter().position(|segment| segment.starts_with('_'));
    let Some(service) = service else {
        // The base address of a project itself.
        return segments.last().filter(|_| segments.len() > 1).and_then(|last| guid(Some(last)));
    };
    let area = segments.get(service + 1).copied().unwrap_or_default();
    if area.eq_ignore_ascii_case("Identities") || area.eq_ignore_ascii_case("GraphProfile") {
        return None;
    }
    let behind = || segments.get(service + 2).filter(|_| area.eq_ignore_ascii_case("projects"));
    let before = service.checked_sub(1).and_then(|at| segments.get(at)).and_then(|own| guid(Some(own)));
    before.or_else(|| behind().and_then(|own| guid(Some(own)))).or_else(|| parameter(rest, "projectId"))
}

fn parameter(address: &str, name: &str) -> Option<Uuid> {
    let (_, query) = address.split_once('?')?;
    let mut pairs = query.split(['&', '#']).filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| own.eq_ignore_ascii_case(name)).and_then(|(_, value)| guid(Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OURS: &str = "efd47cfd-d35f-40ba-b424-e1ab432fdc68";
    const OTHER: &str = "0b7385b4-0000-4000-8000-000000000001";

    #[test]
    fn an_address_names_its_project_wherever_the_guid_stands() {
        for address in [
            format!("https://dev.azure.com/fabrikam/{OURS}/_apis/pipelines/7/runs/479"),
            format!("https://dev.azure.com/fabrikam/{OURS}/_build/results?buildId=479"),
            format!("https://vsrm.dev.azure.com/fabrikam/{OURS}/_apis/Release/releases/20"),
            format!("http://tfs:8080/tfs/Coll/{}/_release?releaseId=1", OURS.to_uppercase()),
            format!("https://dev.azure.com/fabrikam/_apis/projects/{OURS}"),
            format!(
                "https://dev.azure.com/fabrikam/_permalink/_build/index?collectionId={OTHER}&projectId={OURS}&buildId=2"
            ),
            format!("https://dev.azure.com/fabrikam/{OURS}/"),
            format!("vstfs:///Classification/TeamProject/{OURS}"),
        ] {
            assert_eq!(of_address(&address).map(|id| id.to_string()).as_deref(), Some(OURS), "{address}");
        }
        for address in [
            format!("https://spsprodweu1.vssps.visualstudio.com/{OTHER}/_apis/Identities/{OURS}"),
            format!("https://dev.azure.com/fabrikam/_apis/git/repositories/{OTHER}"),
            "https://dev.azure.com/fabrikam/Web Shop/_build/results?buildId=479".to_owned(),
            format!("https://{OTHER}/"),
            format!("vstfs:///Build/{OTHER}/_x"),
            "https://dev.azure.com/fabrikam/00000000-0000-0000-0000-000000000000/_apis/build".to_owned(),
            String::new(),
        ] {
            assert_eq!(of_address(&address), None, "{address}");
        }
    }

    #[test]
    fn a_resource_names_its_own_project_and_no_other() {
        let address = |project: &str| format!("https://dev.azure.com/fabrikam/{project}/_apis/x");
        for resource in [
            json!({"projectId": OURS, "url": address(OTHER)}),
            json!({"teamProjectIds": [OURS, OTHER]}),
            json!({"definition": {"project": {"id": OTHER}}, "project": {"id": OURS}}),
            json!({"run": {"_links": {"web": {"href": address(OURS)}}}, "requestedFor": {"url": address(OTHER)}}),
            json!({"pipeline": {"url": address(OURS)}, "repositories": [{"url": address(OTHER)}]}),
            json!({"release": {"projectReference": {"id": OURS}, "artifacts": [{"projectId": OTHER}]}}),
            json!({"comment": {"author": {"url": address(OTHER)}, "_links": {"self": {"href": address(OURS)}}}}),
        ] {
            assert_eq!(project(&resource).map(|id| id.to_string()).as_deref(), Some(OURS), "{resource}");
        }
        for resource in [
            json!({}),
            json!({"title": address(OTHER)}),
            json!(["x"]),
            json!({"triggeredByBuild": {"project": {"id": OTHER}}}),
            json!({"fields": {"Custom.DesignUrl": address(OTHER)}, "revision": {"fields": {"Custom.Uri": address(OTHER)}}}),
        ] {
            assert_eq!(project(&resource), None, "{resource}");
        }
    }
}
