//! The rules about api-version.

use super::{Asker, CAFE};
use hookwell::simulator::{Options, ServerVersion};
use http::Method;

#[tokio::test]
async fn a_version_that_is_too_new_is_refused_with_the_newest_there_is() {
    let asker = Asker::at(Options::server("DefaultCollection", ServerVersion::V2022)).await;
    let got = asker.get("_apis/projects?api-version=7.1").await;
    assert_eq!((got.status.as_u16(), got.kind().as_str()), (400, "VssVersionOutOfRangeException"));
    assert_eq!(
        got.json()["message"],
        "The requested REST API version of 7.1 is out of range for this server. The latest REST API version this \
         server supports is 7.0."
    );
    assert_eq!(asker.get("_apis/projects?api-version=7.0").await.status, 200);
}

#[tokio::test]
async fn a_preview_wants_to_be_called_one() {
    let asker = Asker::new().await;
    let got = asker.get("_apis/connectionData?api-version=7.1").await;
    assert_eq!((got.status.as_u16(), got.kind().as_str()), (400, "VssInvalidPreviewVersionException"));
    assert_eq!(asker.get("_apis/connectionData?api-version=7.1-preview.1").await.status, 200);
}

#[tokio::test]
async fn the_version_comes_in_the_query_or_in_accept_and_goes_back_in_the_content_type() {
    let asker = Asker::new().await;
    let accept = [("accept", "application/json;api-version=6.0-preview.1")];
    let got = asker.send(Method::GET, "_apis/projects", &accept, None).await;
    assert_eq!(got.header("content-type"), Some("application/json; charset=utf-8; api-version=6.0-preview.1"));
    let got = asker.send(Method::GET, "_apis/projects?api-version=7.0", &accept, None).await;
    assert_eq!(got.header("content-type"), Some("application/json; charset=utf-8; api-version=7.0"));
    // Nothing said is the oldest.
    let got = asker.get("_apis/projects").await;
    assert_eq!(got.header("content-type"), Some("application/json; charset=utf-8; api-version=1.0"));
}

#[tokio::test]
async fn an_old_server_lacks_what_came_later() {
    let asker = Asker::at(Options::server("DefaultCollection", ServerVersion::V2019)).await;
    assert_eq!(asker.get(&format!("{CAFE}/_apis/pipelines?api-version=5.0")).await.status, 404);
    assert_eq!(asker.get(&format!("{CAFE}/_apis/build/definitions?api-version=5.0")).await.status, 200);
    // It takes no notice of a filter that it does not know.
    let project = asker.azure.simulator.project("Fiber Café").unwrap();
    let web = asker.azure.simulator.repository(project, "web shop").unwrap();
    let refs = asker.get(&format!("_apis/git/repositories/{web}/refs?filterContains=feature&api-version=5.0")).await;
    assert_eq!(refs.json()["count"], 4);
}

#[tokio::test]
async fn before_7_1_nobody_asks_for_pull_requests_by_time() {
    let asker = Asker::new().await;
    let path = format!("{CAFE}/_apis/git/pullrequests?searchCriteria.status=all&searchCriteria.minTime=2027-01-01");
    assert_eq!(asker.get(&format!("{path}&api-version=7.1")).await.json()["count"], 0);
    assert_eq!(asker.get(&format!("{path}&api-version=7.0")).await.json()["count"], 2);
}
