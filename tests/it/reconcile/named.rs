//! Names in bindings that Azure DevOps does not have, or no longer has: told at the binding, and no trouble of the connection.

use crate::real::{Real, SHOP};
use hookwell::simulator::{Failing, Rule, When};
use serde_json::{Value, json};
use std::time::Duration;

/// The doubts about bindings: where to look, and what they are.
async fn said(real: &Real) -> Vec<(String, String)> {
    let all = real.gateway.get("/v1/integration").await.json();
    let word = |own: &Value, name: &str| own[name].as_str().unwrap().to_owned();
    let of = |own: &&Value| own["kind"] == "binding_names_nothing";
    let all = all["attention"].as_array().unwrap().iter().filter(of);
    all.map(|own| (word(own, "link"), word(own, "detail"))).collect()
}

async fn status(real: &Real) -> Value {
    let checked = real.gateway.ask("POST", &format!("/v1/connections/{}/check", real.connection)).send().await.json();
    assert_eq!(checked["check"]["remedy"], Value::Null, "nobody is sent to tick scopes: {checked}");
    checked["status"].clone()
}

#[tokio::test]
async fn each_binding_to_nothing_is_named_and_the_connection_is_in_order() {
    let real = Real::start().await;
    let mut expected = Vec::new();
    for (project, azure_project, body, names) in [
        ("one", "Fibre", json!({ "role": "build_provider" }), "project Fibre"),
        ("two", "Fibre", json!({ "role": "issue_provider" }), "project Fibre"),
        ("three", "Fibre", json!({ "role": "code_deployment", "repository": "web shop" }), "project Fibre"),
        ("four", SHOP, json!({ "role": "code_deployment", "repository": "web-shop" }), "repository web-shop"),
        ("five", SHOP, json!({ "role": "build_provider", "pipelines": ["CI of nothing"] }), "pipeline CI of nothing"),
    ] {
        expected.push((format!("/v1/bindings/{}", real.bind(project, azure_project, body).await), names));
    }
    real.run().await;
    let all = said(&real).await;
    assert_eq!(all.len(), expected.len(), "{all:?}");
    for (link, names) in expected {
        assert!(all.iter().any(|(at, detail)| *at == link && detail.contains(names)), "{link} {names}: {all:?}");
    }
    assert_eq!(status(&real).await, "enabled");
}

#[tokio::test]
async fn a_project_that_was_renamed_and_one_that_was_deleted_are_two_things() {
    let real = Real::start().await;
    let attic = real.simulator().create_project("Attic");
    let binding = real.bind("attic", "Attic", json!({ "role": "build_provider" })).await;
    real.settle().await;
    let hooks = real.ours().len();
    real.simulator().rename_project(attic, "Loft").unwrap();
    real.gateway.advance(Duration::from_hours(2));
    real.run().await;
    let all = said(&real).await;
    assert!(all.len() == 1 && all[0].1.contains("project Attic is called Loft now"), "{all:?}");
    assert!(all[0].1.contains(&attic.to_string()) && all[0].0.ends_with(&binding), "{all:?}");
    assert_eq!((real.ours().len(), status(&real).await), (hooks, json!("enabled")));

    // By its id it stays what it is, whatever it is called.
    let path = format!("/v1/bindings/{binding}");
    let rename = async |to: &str| {
        let change = real.gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "azure_project": to }));
        assert_eq!(change.send().await.status, 200);
        real.run().await;
    };
    rename("Loft").await;
    assert_eq!(said(&real).await, []);
    let gone = Rule::new("GET", "_apis/projects/", When::Always, Failing::NotFound);
    real.simulator().fail(|faults| faults.rules.push(gone));
    real.gateway.advance(Duration::from_hours(2));
    real.run().await;
    let all = said(&real).await;
    assert!(all.len() == 1 && all[0].1.contains("project Loft (its id was"), "{all:?}");
    assert!(all[0].1.contains("does not exist any more"), "{all:?}");
    real.simulator().fail(|faults| faults.rules.clear());
    rename(&attic.to_string()).await;
    assert_eq!((said(&real).await, real.ours().len()), (Vec::new(), hooks));
}
