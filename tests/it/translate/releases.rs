//! Classic deployments and approvals, and what holds for events of every family.

use super::{
    cases, events, json,
    runs::{PROJECT, azure, body_of, both_orders, links, merge, one, told},
};
use serde_json::{Value, json as literal};

#[test]
fn a_classic_deployment_is_told_by_its_attempt() {
    let start = |name: &str| told(&body_of(&format!("ms.vss-release.deployment-started-event/{name}"))).remove(0);
    let (one, again) = (start("without-deployment"), start("without-deployment-told-again"));
    assert_eq!(one.id, again.id, "two deliveries, one beginning");
    assert_eq!(azure(&one)["deployment"]["attempt"], 1);
    assert_eq!(json(&one)["time"], "2026-11-28T08:19:17.26Z");
    let base = body_of("ms.vss-release.deployment-started-event/without-deployment");
    for (name, more) in [
        ("a record", literal!({"deployment": {"id": 9, "attempt": 1, "startedOn": "2026-11-28T08:19:15Z"}})),
        ("steps", literal!({"environment": {"deploySteps": [{"attempt": 1}]}})),
        ("nothing but steps", literal!({"attemptId": null, "environment": {"deploySteps": [{"attempt": 1}]}})),
    ] {
        let mut body = base.clone();
        merge(&mut body["resource"], more);
        let other = told(&body).remove(0);
        assert_eq!(other.id, one.id, "{name}");
        let [one_way, other_way] = both_orders(&one, &other);
        assert_eq!(one_way, other_way, "{name}");
    }
    let mut second = base;
    second["resource"]["attemptId"] = 2.into();
    assert_ne!(told(&second).remove(0).id, one.id);
}

#[test]
fn a_deployment_says_what_it_deployed_also_without_a_release_of_its_own() {
    let event =
        one(&body_of("ms.vss-release.deployment-completed-event/release-within-deployment"), "taskrun.finished");
    let project = "d07908bc-118f-47d2-8a13-ff75601a6b1a";
    assert_eq!(
        links(&event, "RUN"),
        [format!("cdevents:v0:azure-devops:dev.azure.com:fabrikam:{project}:execution:2")]
    );
    let (value, azure) = (json(&event), azure(&event));
    assert_eq!(
        value["data"]["subject"]["content"]["uri"],
        format!("https://dev.azure.com/fabrikam/{project}/_release?releaseId=20&_a=release-summary")
    );
    assert_eq!(azure["actor"], "ada@example.com");
    assert_eq!(azure["release"]["artifacts"][0]["isPrimary"], true);
    assert_eq!(
        azure["release"]["apiUrl"],
        format!("https://vsrm.dev.azure.com/fabrikam/{project}/_apis/release/releases/20")
    );
    assert_eq!(
        (&azure["deployment"]["startedOn"], &value["time"]),
        (&literal!("2017-06-16T01:55:56.857Z"), &literal!("2017-06-16T01:56:43.06Z"))
    );
}

#[test]
fn an_approval_has_addresses_that_exist_and_who_gave_it() {
    let of_release =
        told(&body_of("ms.vss-release.deployment-approval-completed-event/by-a-member-of-a-group")).remove(0);
    assert_eq!(azure(&of_release)["actor"], "mei@example.com");
    assert_eq!(azure(&of_release)["comments"], "Change CHG-77 ok");
    assert_eq!(
        azure(&of_release)["apiUrl"],
        format!("https://vsrm.dev.azure.com/fabrikam/{PROJECT}/_apis/release/approvals/5")
    );
    let of_run = told(&body_of("ms.vss-pipelinechecks-events.approval-completed/by-another-than-asked")).remove(0);
    assert_eq!(azure(&of_run)["actor"], "mei@example.com");
    assert_eq!(azure(&of_run)["steps"][0]["comment"], "Looks fine");
    assert_eq!(json(&of_run)["source"], format!("https://dev.azure.com/fabrikam/{PROJECT}"));
    assert_eq!(
        json(&of_run)["data"]["subject"]["content"]["approvalDetailsUrl"],
        format!("https://dev.azure.com/fabrikam/{PROJECT}/_build/results?buildId=9100")
    );
    // The samples number approvals 0: there is no address below a release then.
    for case in cases().iter().filter(|case| case.name.contains("deployment-approval")) {
        for event in events(&case.name, &case.body).unwrap() {
            let address = azure(&event)["apiUrl"].as_str().unwrap_or_default().to_owned();
            assert!(!address.contains("/environments/"), "{}: {address}", case.name);
        }
    }
}

#[test]
fn what_has_no_date_has_that_of_its_receipt_and_says_so() {
    for case in cases() {
        let mut body: Value = serde_json::from_slice(&case.body).unwrap_or_default();
        if !body.is_object() {
            continue;
        }
        for date in [Value::Null, literal!("1970-01-01T00:00:00Z"), literal!("0001-01-01T00:00:00")] {
            undate(&mut body, &date);
            for event in events(&case.name, body.to_string().as_bytes()).unwrap() {
                let value = json(&event);
                assert_eq!(value["time"], "2026-11-28T10:00:06Z", "{}: {value:#}", case.name);
                assert_eq!(value["data"]["customData"]["azuredevops"]["timeUnknown"], true, "{}", case.name);
            }
        }
    }
}

/// Every date of it, however deep.
fn undate(value: &mut Value, date: &Value) {
    let is_date = |text: &str| {
        let pattern = "0000-00-00T";
        let head = text.get(..pattern.len()).unwrap_or_default();
        let fits = |(own, wanted): (u8, u8)| own == wanted || (wanted == b'0' && own.is_ascii_digit());
        head.len() == pattern.len() && head.bytes().zip(pattern.bytes()).all(fits)
    };
    match value {
        Value::Object(members) => members.values_mut().for_each(|value| undate(value, date)),
        Value::Array(items) => items.iter_mut().for_each(|value| undate(value, date)),
        Value::String(text) if is_date(text) => *value = date.clone(),
        _ => {}
    }
}
