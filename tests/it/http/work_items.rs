//! A work item of a project's issue provider, as events told of it.

use crate::real::{Real, SHOP};
use hookwell::simulator::{Edit, TokenState, tokens};
use serde_json::{Value, json};
use std::time::Duration;

const ANA: &str = "ana@fabrikam.example";
const MEI: &str = "mei@fabrikam.example";

fn states(item: &Value) -> Vec<(&str, &str)> {
    let all = item["transitions"].as_array().unwrap().iter();
    all.map(|own| (own["state"].as_str().unwrap(), own["category"].as_str().unwrap_or("?"))).collect()
}

#[tokio::test]
async fn a_work_item_is_told_with_type_owner_and_each_change_of_state_and_its_category() {
    let real = Real::start().await;
    real.bind("shop", SHOP, json!({ "role": "issue_provider", "work_item_types": ["Bug"] })).await;
    real.settle().await;
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let number = simulator.create_work_item(project, "Bug", "Too dark").unwrap();
    let task = simulator.create_work_item(project, "Task", "Roast longer").unwrap();
    let edit = async |field: &str, to: Edit| {
        real.pass(Duration::from_secs(1)).await;
        simulator.update_work_item(number, ANA, &[(field.to_owned(), to)]).unwrap();
    };
    edit("System.State", Edit::Set("Active".into())).await;
    edit("System.AssignedTo", Edit::Person(MEI.to_owned())).await;
    edit("System.State", Edit::Set("Closed".into())).await;
    edit("System.State", Edit::Set("Active".into())).await;
    edit("System.Title", Edit::Set("Much too dark".into())).await;
    real.pass(Duration::from_secs(1)).await;
    real.events().await;

    let path = format!("/v1/projects/shop/work-items/{number}");
    simulator.set_token(tokens::FULL, TokenState::Revoked);
    let item = real.gateway.get(&path).await.json();
    assert_eq!(states(&item), [("New", "?"), ("Active", "?"), ("Closed", "?"), ("Active", "?")], "{item}");
    assert_eq!(item["category"], Value::Null, "Azure DevOps does not say it now");
    simulator.set_token(tokens::FULL, TokenState::Live);
    let item = real.gateway.get(&path).await.json();
    let wanted = [("New", "Proposed"), ("Active", "InProgress"), ("Closed", "Completed"), ("Active", "InProgress")];
    assert_eq!(states(&item), wanted, "{item}");
    for (member, value) in
        [("type", "Bug"), ("title", "Much too dark"), ("state", "Active"), ("category", "InProgress"), ("owner", MEI)]
    {
        assert_eq!(item[member], value, "{item}");
    }
    assert_eq!((&item["number"], &item["cut"]), (&json!(number), &json!(false)));
    let transitions = item["transitions"].as_array().unwrap();
    assert_eq!((&transitions[2]["previous"], &transitions[2]["by"]), (&json!("Active"), &json!(ANA)));
    let event = real.gateway.get(&format!("/v1/events/{}", transitions[2]["event"].as_str().unwrap())).await.json();
    assert_eq!(
        (&event["time"], &event["subject"]),
        (&transitions[2]["time"], &json!(format!("wit/workItems/{number}")))
    );

    // What it does not select, what is not there, and what no project takes.
    edit("System.AssignedTo", Edit::Clear).await;
    real.pass(Duration::from_secs(1)).await;
    real.events().await;
    assert_eq!(real.gateway.get(&path).await.json()["owner"], Value::Null);
    for missing in [task.to_string(), "4711".to_owned(), "x".to_owned(), "-1".to_owned()] {
        let reply = real.gateway.get(&format!("/v1/projects/shop/work-items/{missing}")).await;
        assert_eq!((reply.status.as_u16(), &*reply.problem()), (404, "not-found"), "{missing}");
    }
    assert_eq!(real.gateway.get(&format!("/v1/projects/nowhere/work-items/{number}")).await.status, 404);
    real.gateway.project("unbound").await;
    let unbound = real.gateway.get(&format!("/v1/projects/unbound/work-items/{number}")).await;
    assert!(unbound.json()["detail"].as_str().unwrap().contains("issue provider"), "{unbound:?}");
}
