//! Replies against Microsoft's documented examples: every key that an example has, ours has too, with the same type.

use super::{Asker, CAFE};
use http::Method;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Keys whose names are data: of fields, of states, of variables.
const NAMED_BY_DATA: [&str; 3] = ["fields", "transitions", "inputs"];

/// What the examples have and we do not, and why.
const LEFT_OUT: [(&str, &str); 7] = [
    // What only attached files have.
    ("spec--workitem-updates.json", ".value[].relations.added[].attributes"),
    ("spec--releases.json", ".environments[].deployPhasesSnapshot[]"),
    ("spec--releases.json", ".environments[].preApprovalsSnapshot"),
    ("spec--releases.json", ".artifacts[].definitionReference"),
    ("spec--deployments.json", ".value[].release.artifacts[].definitionReference"),
    // Only releases of release definitions with variables and triggers have them; ours have none.
    ("spec--releases.json", ".variables"),
    ("spec--releases.json", ".environments[].variables"),
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Every path of a document with the types that it has there; elements of an array are one.
fn paths(value: &Value, at: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    found.entry(at.to_owned()).or_default().insert(kind(value));
    match value {
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), found)),
        Value::Object(members) => {
            for (name, member) in members {
                let below = format!("{at}.{name}");
                if NAMED_BY_DATA.contains(&name.as_str()) && member.is_object() {
                    found.entry(below).or_default().insert("object");
                } else {
                    paths(member, &below, found);
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn replies_have_the_shapes_of_the_documented_examples() {
    let Some(corpus) = std::env::var_os("HOOKWELL_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED: HOOKWELL_CORPUS is not set");
        return;
    };
    let asker = Asker::new().await;
    let project = asker.azure.simulator.project("Fiber Café").unwrap();
    let web = asker.azure.simulator.repository(project, "web shop").unwrap();
    for url in ["vstfs:///Git/PullRequestId/1", "vstfs:///Git/PullRequestId/2"] {
        asker.azure.simulator.link_work_item(1, "ArtifactLink", url).unwrap();
    }
    asker.azure.simulator.unlink_work_item(1, "vstfs:///Git/PullRequestId/2").unwrap();
    let repository = format!("_apis/git/repositories/{web}");
    let rows: [(&str, &str, &str, &str); 16] = [
        ("spec--projects.json", "GET", "_apis/projects", ""),
        ("spec--refs-list.json", "GET", &format!("{repository}/refs"), ""),
        ("spec--commits-list.json", "GET", &format!("{repository}/commits"), ""),
        ("spec--commits-any.json", "GET", &format!("{repository}/commits"), ""),
        ("spec--pushes-list.json", "GET", &format!("{repository}/pushes"), ""),
        ("spec--pushes-list-2.json", "GET", &format!("{repository}/pushes"), ""),
        ("spec--push-get.json", "GET", &format!("{repository}/pushes/2"), ""),
        ("spec--pullrequest-list.json", "GET", &format!("{CAFE}/_apis/git/pullRequests?searchCriteria.status=all"), ""),
        (
            "spec--wiql.json",
            "POST",
            "_apis/wit/wiql",
            r#"{"query":"SELECT [System.Id] FROM WorkItems ORDER BY [System.Id]"}"#,
        ),
        (
            "spec--workitemsbatch.json",
            "POST",
            "_apis/wit/workItemsBatch",
            r#"{"ids":[1,2],"fields":["System.Id","System.Title"]}"#,
        ),
        ("spec--workitem-updates.json", "GET", "_apis/wit/workItems/1/updates", ""),
        ("spec--reporting-revisions.json", "GET", "_apis/wit/reporting/workItemRevisions", ""),
        ("spec--workitem-types.json", "GET", &format!("{CAFE}/_apis/wit/workItemTypes"), ""),
        ("spec--workitem-type-states.json", "GET", &format!("{CAFE}/_apis/wit/workitemtypes/Bug/states"), ""),
        ("spec--releases.json", "GET", &format!("/_vsrm/fabrikam/{CAFE}/_apis/Release/releases/1"), ""),
        ("spec--deployments.json", "GET", &format!("/_vsrm/fabrikam/{CAFE}/_apis/Release/deployments"), ""),
    ];
    let mut wrong = Vec::new();
    for (file, method, path, body) in rows {
        let text = std::fs::read_to_string(corpus.join("azure-rest").join(file)).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let example = document["responses"].as_object().unwrap().values().next().unwrap()["body"].clone();
        let (mut theirs, mut ours) = (BTreeMap::new(), BTreeMap::new());
        paths(&example, "", &mut theirs);
        let body = Some(body).filter(|body| !body.is_empty());
        let got = asker.send(Method::from_bytes(method.as_bytes()).unwrap(), path, &[], body).await;
        assert_eq!(got.status, 200, "{file}: {got:?}");
        paths(&got.json(), "", &mut ours);
        for (path, kinds) in theirs {
            if LEFT_OUT.iter().any(|(of, left)| *of == file && path.starts_with(left)) {
                continue;
            }
            let unsure = kinds.contains("null");
            match ours.get(&path) {
                Some(own) if unsure || own.contains("null") || !own.is_disjoint(&kinds) => {}
                own => wrong.push(format!("{file} {path}: {kinds:?}, ours {own:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn identity_of_the_caller_and_kind_of_deployment_are_told() {
    use hookwell::simulator::{Options, ServerVersion};
    let asker = Asker::new().await;
    let data = asker.get("_apis/connectionData?api-version=7.1-preview").await.json();
    assert_eq!(data["deploymentType"], "hosted");
    assert_eq!(data["authenticatedUser"]["properties"]["Account"]["$value"], "ana@fabrikam.example");
    let options = Options {
        virtual_directory: Some("tfs".to_owned()),
        ..Options::server("Default Collection", ServerVersion::V2020)
    };
    let asker = Asker::at(options).await;
    assert!(asker.azure.url().ends_with("/tfs/Default%20Collection"), "{}", asker.azure.url());
    let data = asker.get("_apis/connectionData?api-version=6.0-preview").await.json();
    assert_eq!(data["deploymentType"], "onPremises");
    let collections = asker.get("/tfs/_apis/projectCollections").await.json();
    assert_eq!(collections["value"][0]["name"], "Default Collection");
    // Releases are on the same base there.
    let definitions = asker.get(&format!("{CAFE}/_apis/release/definitions")).await;
    assert_eq!((definitions.status.as_u16(), definitions.json()["count"].clone()), (200, 1.into()));
}

#[tokio::test]
async fn the_release_host_is_found_by_its_area_and_is_another_one() {
    let asker = Asker::new().await;
    let area = "_apis/resourceAreas/efc2f575-36ef-48e9-b672-0c6fb4a48ac5";
    let url = asker.get(&format!("{area}?api-version=7.1-preview.1")).await.json()["locationUrl"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(url, format!("{}/_vsrm/fabrikam/", asker.origin()));
    let path = format!("{CAFE}/_apis/release/definitions");
    assert_eq!(asker.get(&path).await.status, 404);
    let there = format!("{}{path}", url.strip_prefix(&asker.origin()).unwrap());
    assert_eq!(asker.read(&there).await["value"][0]["name"], "Web shop CD");
}

#[tokio::test]
async fn options_tells_where_each_resource_is() {
    let asker = Asker::new().await;
    let got = asker.send(Method::OPTIONS, "_apis", &[], None).await.json();
    let known: BTreeMap<String, &Value> =
        got["value"].as_array().unwrap().iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row)).collect();
    for (id, template) in [
        ("603fe2ac-9723-48b9-88ad-09305aa6c6e1", "_apis/{resource}/{*projectId}"),
        ("225f7195-f9c7-4d14-ab28-a83f7ff77e1f", "{project}/_apis/{area}/{resource}/{repositoryId}"),
        ("0cd358e1-9217-4d94-8269-1c1ee6f93dcf", "{project}/_apis/build/{resource}/{buildId}"),
        ("72c7ddf8-2cdc-4f60-90cd-ab71c14a399b", "{project}/_apis/{area}/{resource}/{id}"),
        ("e81700f7-3be2-46de-8624-2eb35882fcaa", "_apis/{resource}/{areaId}"),
    ] {
        assert_eq!(known[id]["routeTemplate"], template, "{id}");
    }
    // Only previews of it.
    assert_eq!(known["00d9565f-ed9c-4a06-9a50-00e7896ccab4"]["releasedVersion"], "0.0");
}
