//! Sleuth, against a receiver that refuses what its documentation says is refused.

use super::{exchange, golden, local, open, outgoing, own_events, translated};
use crate::client::scripted::{Asked, Say, Scripted, reply};
use hookwell::{
    domain::{Sink, Sleuth, SleuthImpact, Target, secret},
    sink::Error,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

const KEY: &str = "a-planted-api-key-of-sleuth";
const TOKEN: &str = "a-planted-token-of-sleuth";

/// What Sleuth's documentation says of an organization `fabrikam` with the code deployment `storefront` and the impact
/// source `incidents`. Members that it does not name are refused: a word that is spelt wrong would be lost.
struct Documented {
    registered: Mutex<BTreeSet<(String, String)>>,
}

type Refused = Result<(), (u16, String)>;

impl Documented {
    fn answer(&self, asked: &Asked) -> Say {
        let taken = self.take(asked);
        let (status, text) = taken.map_or_else(|refusal| refusal, |()| (200, "Success".to_owned()));
        reply(status, &[("content-type", "text/plain")], text)
    }

    fn take(&self, asked: &Asked) -> Refused {
        let segments: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        check(asked.method == "POST", 405, "POST")?;
        check(asked.header("content-type") == "application/json", 400, "not JSON")?;
        let body: Value = serde_json::from_str(&asked.body).map_err(|error| (400, error.to_string()))?;
        match segments.as_slice() {
            ["api", "1", "deployments", organization, deployment, "register_deploy"] => {
                let key = asked.header("authorization");
                check(key == format!("apikey {KEY}") || key == format!("Bearer {TOKEN}"), 401, "API key not valid")?;
                check((*organization, *deployment) == ("fabrikam", "storefront"), 401, "the deployment is not there")?;
                self.deploy(&body)
            }
            ["api", "1", "deployments", "fabrikam", "shop", "production", source, "register_impact", key] => {
                check(*key == KEY, 401, "Unauthorized")?;
                check(*source == "incidents", 404, "IncidentImpactSource Not Found")?;
                impact(&body)
            }
            _ => Err((404, "Not Found".to_owned())),
        }
    }

    fn deploy(&self, body: &Value) -> Refused {
        const MEMBERS: &str = "sha environment date branch tags ignore_if_duplicate email links commits files author";
        only(body, MEMBERS)?;
        let sha = text(body, "sha")?.ok_or((400, "sha is required".to_owned()))?;
        check(is_sha(sha), 400, "sha does not exist in the remote system")?;
        let environment = text(body, "environment")?.unwrap_or("production");
        check(["production", "staging", "Test", "prod-eu", "blue"].contains(&environment), 400, "no such environment")?;
        check(text(body, "branch")?.is_none_or(|branch| branch == "main"), 400, "branch does not match")?;
        date(body, "date")?;
        check(text(body, "email")?.is_none_or(is_email), 400, "author is not a valid email")?;
        for tag in list(body, "tags", 1_000)? {
            let name = tag.as_str().and_then(|tag| tag.strip_prefix('#')).unwrap_or_default();
            let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
            check(!name.is_empty() && name.bytes().all(good), 400, "a tag is #[a-z0-9_-]+")?;
        }
        for link in body["links"].as_object().into_iter().flatten() {
            check(link.1.as_str().is_some_and(|link| url::Url::parse(link).is_ok()), 400, "a link is no address")?;
        }
        for commit in list(body, "commits", 250)? {
            only(commit, "revision message author date files parents url")?;
            check(text(commit, "revision")?.is_some_and(is_sha), 400, "a commit has no revision")?;
            date(commit, "date")?;
            for path in list(commit, "files", 200)?.iter().chain(list(commit, "parents", 200)?) {
                check(path.is_string(), 400, "files and parents are texts")?;
            }
        }
        for file in list(body, "files", 200)? {
            only(file, "path url additions deletions")?;
            check(text(file, "path")?.is_some(), 400, "a file has no path")?;
            check(file["additions"].is_u64() && file["deletions"].is_u64(), 400, "a file counts its lines")?;
        }
        let new = self.registered.lock().unwrap().insert((environment.to_owned(), sha.to_owned()));
        check(new || body["ignore_if_duplicate"] == "true", 400, "the sha has already been registered")
    }
}

fn impact(body: &Value) -> Refused {
    only(body, "type id date ended_date title url")?;
    let kind = text(body, "type")?.unwrap_or_default();
    check(["triggered", "resolved", "reopened"].contains(&kind), 400, "type is not valid")?;
    date(body, "date")?;
    for member in ["id", "title", "url"] {
        text(body, member)?;
    }
    Ok(())
}

fn check(holds: bool, status: u16, text: &str) -> Refused {
    if holds { Ok(()) } else { Err((status, text.to_owned())) }
}

fn only(object: &Value, members: &str) -> Refused {
    let known: Vec<&str> = members.split(' ').collect();
    let unknown = object.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
    check(object.is_object() && unknown.is_none(), 400, &format!("unknown member {unknown:?}"))
}

fn text<'a>(object: &'a Value, member: &str) -> Result<Option<&'a str>, (u16, String)> {
    match &object[member] {
        Value::Null => Ok(None),
        Value::String(text) if !text.is_empty() => Ok(Some(text)),
        _ => Err((400, format!("{member} is no text"))),
    }
}

fn list<'a>(object: &'a Value, member: &str, max: usize) -> Result<&'a [Value], (u16, String)> {
    match &object[member] {
        Value::Null => Ok(&[]),
        Value::Array(list) if list.len() <= max => Ok(list),
        _ => Err((400, format!("{member} is no list of at most {max}"))),
    }
}

fn date(object: &Value, member: &str) -> Refused {
    let good = text(object, member)?.is_none_or(|date| date.len() == 25 && date.parse::<jiff::Timestamp>().is_ok());
    check(good, 400, &format!("{member} format isn't valid"))
}

fn is_sha(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

async fn sleuth() -> Scripted {
    let documented = Documented { registered: Mutex::default() };
    Scripted::all(move |asked| documented.answer(asked)).await
}

fn sink(origin: &str) -> Sink {
    let impact = SleuthImpact {
        project: "shop".to_owned(),
        environment: "production".to_owned(),
        source: "incidents".to_owned(),
    };
    local(Target::Sleuth(Sleuth {
        url: origin.parse().unwrap(),
        organization: "fabrikam".to_owned(),
        deployment: "storefront".to_owned(),
        environments: BTreeMap::from([("preproduction".to_owned(), "staging".to_owned())]),
        impact: Some(impact),
    }))
}

#[tokio::test]
async fn sleuth_takes_deployments_and_incidents_as_its_documentation_has_them() {
    let mut differ = Vec::new();
    for (case, event) in own_events().into_iter().chain(translated("git.push/branch-updated")) {
        let server = sleuth().await;
        let engine = open(&sink(&server.origin), &[(secret::API_KEY, KEY)]).unwrap();
        let attempts = engine.deliver(&[outgoing(&event)]).await;
        assert!(!format!("{attempts:?}").contains(KEY), "{case}: {attempts:?}");
        differ.extend(golden("sleuth", &case, &exchange(&server.asked(), &attempts[0], KEY)));
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[tokio::test]
async fn a_deployment_that_is_told_twice_is_taken_twice() {
    let server = sleuth().await;
    let engine = open(&sink(&server.origin), &[(secret::TOKEN, TOKEN), (secret::API_KEY, KEY)]).unwrap();
    let (_, event) = own_events().into_iter().find(|(name, _)| name == "service-deployed").unwrap();
    for _ in 0..2 {
        let attempts = engine.deliver(&[outgoing(&event)]).await;
        assert_eq!((&attempts[0].result, attempts[0].status), (&Ok(()), Some(200)));
    }
    assert_eq!(server.asked()[0].header("authorization"), format!("Bearer {TOKEN}"));
}

/// More than Sleuth takes is cut to what it takes, and not refused.
#[tokio::test]
async fn a_large_deployment_is_cut_to_what_sleuth_takes() {
    let server = sleuth().await;
    let engine = open(&sink(&server.origin), &[(secret::API_KEY, KEY)]).unwrap();
    let (_, mut event) = own_events().into_iter().find(|(name, _)| name == "service-deployed").unwrap();
    let deployment = &mut event["data"]["customData"]["hookwell"]["deployment"];
    let commit = deployment["commits"][0].clone();
    deployment["commits"] = vec![commit; 400].into();
    deployment["commits"][0]["files"] = vec![Value::from("/a"); 900].into();
    let file = deployment["files"][0].clone();
    deployment["files"] = vec![file; 900].into();
    let attempts = engine.deliver(&[outgoing(&event)]).await;
    assert_eq!(attempts[0].result, Ok(()), "{attempts:?}");
    let body: Value = serde_json::from_str(&server.asked()[0].body).unwrap();
    let length = |pointer: &str| body.pointer(pointer).unwrap().as_array().unwrap().len();
    assert_eq!([length("/commits"), length("/files"), length("/commits/0/files")], [250, 200, 200]);
}

#[tokio::test]
async fn what_is_wrong_with_the_event_is_dead_at_once_and_what_may_pass_is_tried_again() {
    let (_, event) = own_events().into_iter().find(|(name, _)| name == "service-deployed").unwrap();
    for (status, dead) in [
        (400, true),
        (413, true),
        (415, true),
        (422, true),
        (401, false),
        (403, false),
        (404, false),
        (408, false),
        (500, false),
        (502, false),
        (307, false),
    ] {
        let server = Scripted::all(move |_| reply(status, &[], format!("sha not found; your key is {KEY}"))).await;
        let engine = open(&sink(&server.origin), &[(secret::API_KEY, KEY)]).unwrap();
        let attempt = engine.deliver(&[outgoing(&event)]).await.remove(0);
        let permanent = matches!(attempt.result, Err(Error::Permanent { .. }));
        assert!(attempt.result.is_err() && permanent == dead, "{status}: {attempt:?}");
        assert!(!format!("{attempt:?}").contains(KEY), "{status}: {attempt:?}");
    }
    let server = Scripted::all(|_| reply(429, &[("retry-after", "120")], "once every 120 seconds")).await;
    let engine = open(&sink(&server.origin), &[(secret::API_KEY, KEY)]).unwrap();
    let (_, incident) = own_events().into_iter().find(|(name, _)| name == "incident-reported").unwrap();
    let attempt = engine.deliver(&[outgoing(&incident)]).await.remove(0);
    let Err(Error::Transient { after, .. }) = attempt.result else { panic!("{attempt:?}") };
    assert_eq!(after, Some(Duration::from_mins(2)));
}

/// The key of an impact is part of the address, so an address must not be in what is said of a failure.
#[tokio::test]
async fn a_server_that_is_away_is_told_without_the_key() {
    let mut away = sink("http://127.0.0.1:9");
    let (_, incident) = own_events().into_iter().find(|(name, _)| name == "incident-reported").unwrap();
    let attempt = open(&away, &[(secret::API_KEY, KEY)]).unwrap().deliver(&[outgoing(&incident)]).await.remove(0);
    let said = format!("{attempt:?}");
    assert!(matches!(attempt.result, Err(Error::Transient { .. })) && !said.contains(KEY), "{said}");
    away.allow_private = false;
    let attempt = open(&away, &[(secret::API_KEY, KEY)]).unwrap().deliver(&[outgoing(&incident)]).await.remove(0);
    assert!(attempt.result.unwrap_err().to_string().contains("loopback"));
}
