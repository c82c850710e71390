//! The resources that the simulated one says that it has: as recorded of the real one, and honestly where it has no route.

use super::{Asker, CAFE};
use hookwell::simulator::{Options, ServerVersion};
use http::Method;
use serde_json::Value;
use std::path::PathBuf;

async fn offered(asker: &Asker, path: &str) -> Vec<Value> {
    let got = asker.send(Method::OPTIONS, path, &[], None).await.json();
    let all = got["value"].as_array().unwrap().clone();
    assert_eq!(got["count"], all.len());
    all
}

#[tokio::test]
async fn options_tells_each_resource_as_it_was_recorded_of_the_real_one() {
    let Some(corpus) = std::env::var_os("HOOKWELL_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED: HOOKWELL_CORPUS is not set");
        return;
    };
    let recorded = std::fs::read(corpus.join("azure-rest/real--options-apis.json")).unwrap();
    let recorded: Value = serde_json::from_slice(&recorded).unwrap();
    let ours = offered(&Asker::new().await, "_apis").await;
    for theirs in recorded["value"].as_array().unwrap() {
        let own = ours.iter().find(|own| own["id"] == theirs["id"]);
        assert_eq!(own, Some(theirs));
    }
    assert_eq!(ours.len(), recorded["value"].as_array().unwrap().len(), "nothing is offered that was not recorded");
}

#[tokio::test]
async fn an_area_is_told_alone_and_its_name_in_any_case() {
    let asker = Asker::new().await;
    let build = offered(&asker, "_apis/BUILD").await;
    assert!(build.len() > 30 && build.iter().all(|own| own["area"].as_str().unwrap().eq_ignore_ascii_case("build")));
    assert!(offered(&asker, "_apis/nosuch").await.is_empty());
    let release = offered(&asker, "/_vsrm/fabrikam/_apis/Release").await;
    assert_eq!(release.len(), 3);
}

#[tokio::test]
async fn a_server_offers_no_version_that_it_does_not_speak() {
    let asker = Asker::at(Options::server("DefaultCollection", ServerVersion::V2020)).await;
    let all = offered(&asker, "_apis").await;
    let newest = |own: &Value, name: &str| own[name].as_str().unwrap().parse::<f64>().unwrap();
    assert!(all.iter().all(|own| newest(own, "maxVersion") <= 6.0 && newest(own, "minVersion") <= 6.0));
    // All is on one host there.
    assert!(all.iter().any(|own| own["area"] == "Release"));
}

#[tokio::test]
async fn what_has_no_route_is_said_in_a_header() {
    let asker = Asker::new().await;
    let said = async |method: Method, path: &str| {
        let got = asker.send(method, path, &[], None).await;
        (got.status.as_u16(), got.headers.get("x-hookwell-simulator").map(|own| own.to_str().unwrap().to_owned()))
    };
    let route = format!("{CAFE}/_apis/wiki/wikis");
    let expected = "no route; Azure DevOps has wiki/wikis there".to_owned();
    assert_eq!(said(Method::GET, &route).await, (404, Some(expected)));
    let expected = "no route; none is known of Azure DevOps either".to_owned();
    assert_eq!(said(Method::GET, "_apis/nosuch/thing").await, (404, Some(expected)));
    assert_eq!(said(Method::DELETE, "_apis/projects").await, (405, Some("no DELETE here".to_owned())));
    assert_eq!(said(Method::GET, "_apis/projects").await, (200, None));
    // Something that is not there is Azure DevOps' own answer.
    assert_eq!(said(Method::GET, "_apis/wit/workItems/999").await, (404, None));
}
