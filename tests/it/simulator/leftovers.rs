//! Routes that other clients than ours ask: values of inputs, environments, batches of commits, alerts, queries.

use super::{Asker, CAFE};
use hookwell::simulator::{Options, ServerVersion};
use serde_json::{Value, json};
use std::time::Duration;

fn values<'a>(of: &'a Value, name: &str) -> Vec<&'a str> {
    of["possibleValues"].as_array().unwrap().iter().map(|own| own[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn publishers_are_queried_by_their_ids() {
    let asker = Asker::new().await;
    let ask =
        async |body: Value| asker.post("_apis/hooks/publishersquery?api-version=7.1", &body.to_string()).await.json();
    let some = ask(json!({"publisherIds": ["TFS", "rm"], "publisherInputs": {}})).await;
    let ids = |own: &Value| -> Vec<String> {
        own["results"].as_array().unwrap().iter().map(|own| own["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&some), ["tfs"], "releases are on their own host");
    assert_eq!(some["publisherIds"], json!(["TFS", "rm"]), "the query comes back");
    assert_eq!(ids(&ask(json!({})).await), ["tfs", "pipelines"]);
}

#[tokio::test]
async fn the_values_of_inputs_depend_on_what_was_chosen_and_are_asked_for_in_both_ways() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let project = simulator.project("Fiber Café").unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    let ci = simulator.definition(project, "web shop CI").unwrap();
    let chosen = json!({"projectId": project, "repository": web, "pipelineId": ci.to_string()});
    let inputs = |all: &[&str]| -> Value { all.iter().map(|id| json!({"inputId": id})).collect() };
    let names = ["repository", "branch", "definitionName", "workItemType", "buildStatus", "nobodyKnows"];
    let by_publisher = json!({"currentValues": chosen, "inputValues": inputs(&names)});
    let path = "_apis/hooks/publishers/tfs/inputValuesQuery?api-version=7.1";
    let one = asker.post(path, &by_publisher.to_string()).await.json();
    let of = |own: &Value, at: usize| own["inputValues"][at].clone();
    assert_eq!(values(&of(&one, 0), "displayValue"), ["[Any]", "web shop", "röstplan", "empty", "attic"]);
    assert_eq!(values(&of(&one, 0), "value")[1], web.to_string());
    assert_eq!(values(&of(&one, 1), "value"), ["", "feature/2", "feature/3", "main"]);
    assert_eq!(values(&of(&one, 2), "value"), ["", "web shop CI", "nightly"]);
    assert!(values(&of(&one, 3), "value").contains(&"User Story"));
    let limited = |at: usize| of(&one, at)["isLimitedToPossibleValues"].clone();
    assert_eq!((limited(4), limited(0), values(&of(&one, 5), "value")), (json!(true), json!(false), vec![""]));

    let subscription = json!({"publisherId": "tfs", "publisherInputs": chosen});
    let by_subscription = json!({"subscription": subscription, "inputValues": inputs(&names)});
    let other = asker.post("_apis/hooks/inputValuesQuery?api-version=7.1", &by_subscription.to_string()).await.json();
    assert_eq!(other["inputValues"], one["inputValues"]);
    let pipelines = json!({"currentValues": chosen, "inputValues": inputs(&["pipelineId", "stageNameId"])});
    let path = "_apis/hooks/publishers/pipelines/inputValuesQuery?api-version=7.1";
    let got = asker.post(path, &pipelines.to_string()).await.json();
    assert_eq!(values(&of(&got, 1), "value"), ["", "Build", "Deploy to production"]);
    for (path, body) in [
        ("_apis/hooks/publishers/nobody/inputValuesQuery", by_publisher.to_string()),
        ("_apis/hooks/publishers/tfs/inputValuesQuery", "{}".to_owned()),
        ("_apis/hooks/inputValuesQuery", json!({"inputValues": []}).to_string()),
    ] {
        let status = asker.post(path, &body).await.status.as_u16();
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
}

#[tokio::test]
async fn commits_are_asked_for_by_id_or_as_those_that_a_version_has_more() {
    let asker = Asker::new().await;
    let path = format!("{CAFE}/_apis/git/repositories/web%20shop");
    let all = asker.read(&format!("{path}/commits")).await;
    let ids: Vec<&str> = all["value"].as_array().unwrap().iter().map(|own| own["commitId"].as_str().unwrap()).collect();
    let ask = async |body: Value| asker.post(&format!("{path}/commitsbatch?api-version=7.1"), &body.to_string()).await;
    let some = ask(json!({"ids": [ids[1], ids[0]]})).await.json();
    assert_eq!((&some["value"][0]["commitId"], &some["count"]), (&json!(ids[1]), &json!(2)));
    let version = |name: &str| json!({"version": name, "versionType": "branch"});
    let ahead = ask(json!({"itemVersion": version("main"), "compareVersion": version("feature/2")})).await.json();
    assert_eq!(ahead["count"], 1);
    assert_eq!(ahead["value"][0]["comment"], "Try idea 2");
    let paged = ask(json!({"itemVersion": version("main"), "$skip": 1, "$top": 1})).await.json();
    assert_eq!((&paged["count"], &paged["value"][0]["commitId"]), (&json!(1), &json!(ids[1])));
    assert_eq!(ask(json!({"ids": ["0".repeat(40)]})).await.status, 404);
}

#[tokio::test]
async fn environments_have_what_was_deployed_to_them() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let project = simulator.project("Fiber Café").unwrap();
    let ci = simulator.definition(project, "web shop CI").unwrap();
    asker.clock.advance(Duration::from_hours(1));
    let last = simulator.run_build(ci, "main", "succeeded").unwrap();
    for area in ["pipelines", "distributedtask"] {
        let all = asker.read(&format!("{CAFE}/_apis/{area}/environments")).await;
        assert_eq!((&all["count"], &all["value"][0]["name"]), (&json!(1), &json!("production")));
        let path = format!("{CAFE}/_apis/{area}/environments/{}", all["value"][0]["id"]);
        assert_eq!(asker.read(&path).await["name"], "production");
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let got = asker.get(&format!("{path}/environmentdeploymentrecords?top=2{token}")).await;
            found
                .extend(got.json()["value"].as_array().unwrap().iter().map(|own| own["owner"]["id"].as_u64().unwrap()));
            match got.header("x-ms-continuationtoken") {
                Some(next) => token = format!("&continuationToken={next}"),
                None => break,
            }
        }
        // Of the four builds before, one failed before it could be deployed.
        assert_eq!((found.len(), found[0]), (4, u64::from(last)));
        assert!(found.is_sorted_by(|a, b| a > b));
        let newest = asker.read(&format!("{path}/environmentdeploymentrecords?top=1")).await["value"][0].take();
        assert_eq!((&newest["stageName"], &newest["result"]), (&json!("Deploy to production"), &json!("succeeded")));
    }
    assert_eq!(asker.get(&format!("{CAFE}/_apis/pipelines/environments/77")).await.status, 404);
}

#[tokio::test]
async fn alerts_are_told_on_a_host_of_their_own() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let hooks = "/_advsec/fabrikam/_apis/hooks";
    let types = asker.read(&format!("{hooks}/publishers/advsec/eventtypes")).await;
    let ids: Vec<&str> = types["value"].as_array().unwrap().iter().map(|own| own["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    let project = simulator.project("Fiber Café").unwrap();
    let draft = |event: &str| {
        json!({
            "publisherId": "advsec", "eventType": event, "resourceVersion": "1.0", "consumerId": "webHooks",
            "consumerActionId": "httpRequest", "publisherInputs": {"projectId": project, "severity": "critical"},
            "consumerInputs": {"url": "http://127.0.0.1:1/"},
        })
    };
    let created = draft("ms.vss-alerts.alert-created-event").to_string();
    assert_eq!(asker.post("_apis/hooks/subscriptions?api-version=7.1", &created).await.status, 404, "not there");
    for event in &ids {
        let got = asker.post(&format!("{hooks}/subscriptions?api-version=7.1"), &draft(event).to_string()).await;
        assert_eq!(got.status, 200, "{got:?}");
    }
    assert_eq!(asker.read("_apis/hooks/subscriptions").await["count"], 0);
    assert_eq!(asker.read(&format!("{hooks}/subscriptions")).await["count"], 3);
    let web = simulator.repository(project, "web shop").unwrap();
    simulator.raise_alert(web, "Mild", "low").unwrap();
    let alert = simulator.raise_alert(web, "A password in the code", "critical").unwrap();
    simulator.change_alert(alert, None).unwrap();
    simulator.change_alert(alert, Some("fixed")).unwrap();
    assert_eq!(simulator.hooks().totals().notifications, 3);
    simulator.hooks().settle().await;
    let mut told: Vec<Value> = Vec::new();
    for own in simulator.hooks().subscriptions() {
        let all = simulator.hooks().notifications(own.id.parse().unwrap());
        told.extend(all.iter().map(|own| own.event.as_ref().unwrap()["resource"].clone()));
    }
    assert!(told.iter().all(|own| own["alertId"] == alert && own["gitRef"] == "refs/heads/main"), "{told:?}");
    assert!(told.iter().any(|own| own["state"] == "fixed"));

    let server = Asker::at(Options::server("Coll", ServerVersion::V2022_1)).await;
    assert_eq!(server.get("_apis/hooks/publishers/advsec").await.status, 404);
}

#[tokio::test]
async fn queries_combine_conditions_and_know_paths_words_and_days() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let project = simulator.project("Fiber Café").unwrap();
    let set = |number: u32, name: &str, value: &str| {
        let edit = hookwell::simulator::Edit::Set(value.into());
        simulator.update_work_item(number, "mei@fabrikam.example", &[(name.to_owned(), edit)]).unwrap();
    };
    asker.clock.advance(Duration::from_hours(24 * 10));
    let bug = simulator.create_work_item(project, "Bug", "Cold espresso").unwrap();
    set(bug, "System.AreaPath", "Fiber Café\\Bar\\Machine");
    asker.clock.advance(Duration::from_hours(24));
    let task = simulator.create_work_item(project, "Task", "Heat the espresso machine").unwrap();
    let ask = async |filter: &str| {
        let query =
            format!("SELECT [System.Id] FROM WorkItems WHERE [System.Id] >= {bug} AND ({filter}) ORDER BY [System.Id]");
        let got = asker.post(&format!("{CAFE}/_apis/wit/wiql"), &json!({"query": query}).to_string()).await;
        assert_eq!(got.status, 200, "{filter}: {got:?}");
        let got = got.json();
        got["workItems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|own| u32::try_from(own["id"].as_u64().unwrap()).unwrap())
            .collect::<Vec<_>>()
    };
    for (filter, expected) in [
        ("[System.WorkItemType] = 'Bug' OR [System.WorkItemType] = 'Task'", vec![bug, task]),
        ("NOT [System.WorkItemType] = 'Bug'", vec![task]),
        ("[System.WorkItemType] <> 'Task'", vec![bug]),
        ("[System.WorkItemType] NOT IN ('Bug', 'Epic')", vec![task]),
        ("[System.AreaPath] UNDER 'Fiber Café'", vec![bug, task]),
        ("[System.AreaPath] UNDER 'Fiber Café\\Bar'", vec![bug]),
        ("[System.AreaPath] NOT UNDER 'Fiber Café\\Bar'", vec![task]),
        ("[System.AreaPath] UNDER 'Fiber Café\\Ba'", vec![]),
        ("[System.Title] CONTAINS 'espresso' AND NOT [System.Title] CONTAINS 'cold'", vec![task]),
        ("[System.Title] CONTAINS WORDS 'machine heat'", vec![task]),
        ("[System.CreatedDate] = @today", vec![task]),
        ("[System.CreatedDate] >= @today - 1", vec![bug, task]),
        ("[System.CreatedDate] < @StartOfDay", vec![bug]),
        ("[System.ChangedBy] = @me", vec![task]),
        ("[System.AssignedTo] IS EMPTY AND [System.Title] IS NOT EMPTY", vec![bug, task]),
    ] {
        assert_eq!(ask(filter).await, expected, "{filter}");
    }
    let outside = json!({"query": "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project"});
    assert_eq!(asker.post("_apis/wit/wiql", &outside.to_string()).await.status, 400);
}
