//! What is read from the ledger.

use super::{NOON, at, build_provider, compared, hours_ago, missing, received};
use crate::harness::Gateway;
use hookwell::{
    app::kind,
    azure::client::Window,
    domain::{Account, BindingId, Gap, Stream, Watermark},
    ledger::{note, verify},
    store::{Change, Expected, Registry as _},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

async fn put(gateway: &Gateway, kind: &'static str, id: &str, record: &impl serde::Serialize) {
    let value = Some(serde_json::to_vec(record).unwrap().into());
    let change = Change { kind, id: id.to_owned(), expected: Expected::Any, value };
    gateway.store.commit(vec![change]).await.unwrap();
}

/// Writes that a stream was compared over this time.
async fn watermark(gateway: &Gateway, binding: BindingId, stream: Stream, from: Timestamp, until: Timestamp) {
    let mark = Watermark {
        binding,
        stream,
        complete_from: from,
        complete_until: until,
        bookmark: None,
        updated_at: gateway.app.clock.now(),
    };
    put(gateway, kind::WATERMARK, &Watermark::id(binding, stream), &mark).await;
}

async fn ask(gateway: &Gateway, query: &str) -> Value {
    let reply = gateway.get(&format!("/v1/completeness{query}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// The only binding's entry.
async fn only(gateway: &Gateway, query: &str) -> Value {
    let page = ask(gateway, query).await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
    page["data"][0].clone()
}

async fn metric(gateway: &Gateway, beginning: &str) -> Option<i64> {
    let text = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    let line = text.lines().find(|line| line.starts_with(beginning))?;
    line.rsplit(' ').next().unwrap().parse().ok()
}

async fn attention(gateway: &Gateway) -> Vec<String> {
    let shown = gateway.get("/v1/integration").await.json();
    let kind = |attention: &Value| attention["kind"].as_str().unwrap().to_owned();
    let about = |kind: &String| ["events_missing", "completeness_unknown"].contains(&kind.as_str());
    shown["attention"].as_array().unwrap().iter().map(kind).filter(about).collect()
}

#[tokio::test]
async fn a_binding_that_was_never_compared_is_not_complete() {
    let gateway = Gateway::start().await;
    let (connection, binding) = build_provider(&gateway, "shop").await;
    let shown = only(&gateway, "").await;
    assert_eq!((&shown["is_complete"], &shown["complete_until"]), (&json!(false), &Value::Null));
    assert_eq!((&shown["binding"], &shown["connection"]), (&json!(binding.0), &json!(connection)));
    assert_eq!(shown["streams"], json!([{ "stream": "builds", "hours": [] }, { "stream": "releases", "hours": [] }]));
    assert_eq!(metric(&gateway, "hookwell_complete_until_seconds{").await, None);
    assert!(attention(&gateway).await.is_empty(), "it is new");
    gateway.advance(Duration::from_hours(2) + Duration::from_secs(1));
    assert_eq!(attention(&gateway).await, ["completeness_unknown"]);
}

#[tokio::test]
async fn what_was_compared_is_shown_by_hour_and_alerted_on_by_a_number() {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    let mixed = Account { expected: 6, received: 3, history: 1, rest: 2, ..Account::default() };
    compared(&gateway, binding, 3, &[received(5), mixed]).await;
    watermark(&gateway, binding, Stream::Builds, hours_ago(24), hours_ago(1)).await;
    let shown = only(&gateway, "?project=shop").await;
    assert_eq!((&shown["is_complete"], &shown["complete_until"]), (&json!(true), &json!(hours_ago(1))));
    assert_eq!(shown["complete_from"], json!(hours_ago(24)));
    let hours = shown["streams"][0]["hours"].as_array().unwrap();
    assert_eq!(hours.len(), 2);
    assert_eq!(
        hours[1],
        json!({
            "hour": hours_ago(2), "compared_at": NOON, "compared_until": hours_ago(1), "expected": 6, "received": 3,
            "recovered_by_history": 1, "recovered_by_rest": 2, "unexplained": 0,
        })
    );
    let labels = format!("{{binding=\"{binding}\",project=\"shop\"}}");
    let until = metric(&gateway, &format!("hookwell_complete_until_seconds{labels}")).await;
    assert_eq!(until, Some(hours_ago(1).as_second()));
    assert_eq!(metric(&gateway, &format!("hookwell_unexplained_facts{labels}")).await, Some(0));
    assert!(attention(&gateway).await.is_empty());
    // Asked for more than was compared.
    let query = format!("?from={}&to={}", hours_ago(25), hours_ago(1));
    assert_eq!(only(&gateway, &query).await["is_complete"], false, "it begins before the comparison");
    assert_eq!(
        only(&gateway, &format!("?from={}&to={NOON}", hours_ago(24))).await["is_complete"],
        false,
        "it ends after"
    );
    assert_eq!(only(&gateway, &format!("?from={}&to={}", hours_ago(24), hours_ago(1))).await["is_complete"], true);
    gateway.advance(Duration::from_mins(90));
    assert_eq!(only(&gateway, "").await["is_complete"], false, "nobody has looked for more than two hours");
    assert_eq!(attention(&gateway).await, ["completeness_unknown"]);
}

#[tokio::test]
async fn an_unexplained_fact_holds_back_until_a_later_look_explains_it_and_both_looks_are_kept() {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    watermark(&gateway, binding, Stream::Builds, hours_ago(24), at(NOON)).await;
    compared(&gateway, binding, 6, &[received(1), missing(&["build/builds/7", "build/builds/8"]), received(2)]).await;
    let shown = only(&gateway, "").await;
    assert_eq!((&shown["is_complete"], &shown["unexplained"]), (&json!(false), &json!(2)));
    assert_eq!((&shown["complete_until"], &shown["compared_until"]), (&json!(hours_ago(5)), &json!(NOON)));
    assert_eq!(shown["streams"][0]["hours"][1]["entities"], json!(["build/builds/7", "build/builds/8"]));
    let other = format!("?from={}&to={NOON}", hours_ago(4));
    assert_eq!(only(&gateway, &other).await["is_complete"], true, "nothing is missing in these hours");
    assert_eq!(metric(&gateway, "hookwell_unexplained_facts{").await, Some(2));
    assert_eq!(attention(&gateway).await, ["events_missing"]);

    let mended = Account { expected: 2, rest: 2, ..Account::default() };
    compared(&gateway, binding, 6, &[received(1), mended, received(2)]).await;
    let shown = only(&gateway, "").await;
    assert_eq!((&shown["is_complete"], &shown["complete_until"]), (&json!(true), &json!(NOON)));
    assert_eq!(shown["streams"][0]["hours"][1]["recovered_by_rest"], 2);
    assert!(attention(&gateway).await.is_empty());
    assert_eq!(verify(&gateway.app).await.unwrap().entries, 4, "what was the same again is not written again");
}

#[tokio::test]
async fn only_hours_that_were_seen_whole_are_written_and_a_running_one_when_something_is_missing_in_it() {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    let half = Duration::from_mins(30);
    let window = Window { from: hours_ago(3) + half, to: at(NOON) - half };
    let accounts = |last: Account| BTreeMap::from([(hours_ago(3), received(1)), (hours_ago(1), last)]);
    let of = (binding, Stream::Builds);
    note(&gateway.app, of, window, &accounts(received(2))).await.unwrap();
    let hours = async || only(&gateway, "").await["streams"][0]["hours"].as_array().unwrap().clone();
    let shown = hours().await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!((&shown[0]["hour"], &shown[0]["expected"]), (&json!(hours_ago(2)), &json!(0)), "it was quiet");

    note(&gateway.app, of, window, &accounts(missing(&["build/builds/9"]))).await.unwrap();
    let shown = hours().await;
    assert_eq!((shown.len(), &shown[1]["entities"]), (2, &json!(["build/builds/9"])));
    assert_eq!(shown[1]["compared_until"], json!(at(NOON) - half));
    // A look that saw less of the hour says nothing new of it.
    let less = Window { from: hours_ago(1), to: hours_ago(1) + Duration::from_mins(10) };
    note(&gateway.app, of, less, &BTreeMap::new()).await.unwrap();
    assert_eq!(hours().await[1]["unexplained"], 1);
    let whole = Window { from: hours_ago(1), to: at(NOON) };
    note(&gateway.app, of, whole, &BTreeMap::from([(hours_ago(1), received(4))])).await.unwrap();
    assert_eq!((&hours().await[1]["expected"], &hours().await[1]["unexplained"]), (&json!(4), &json!(0)));
}

#[tokio::test]
async fn a_binding_is_as_complete_as_the_least_of_its_streams() {
    let gateway = Gateway::start().await;
    gateway.project("shop").await;
    let (connection, _) = gateway.connection().await;
    let body =
        json!({ "role": "code_deployment", "connection": connection, "azure_project": "Fiber", "repository": "shop" });
    let binding =
        gateway.post("/v1/projects/shop/bindings", body).await.json()["id"].as_str().unwrap().parse().unwrap();
    watermark(&gateway, binding, Stream::Pushes, hours_ago(30), hours_ago(1)).await;
    assert_eq!(only(&gateway, "").await["complete_until"], Value::Null, "pull requests were never compared");
    watermark(&gateway, binding, Stream::PullRequests, hours_ago(20), hours_ago(2)).await;
    let shown = only(&gateway, "").await;
    assert_eq!((&shown["complete_from"], &shown["complete_until"]), (&json!(hours_ago(20)), &json!(hours_ago(2))));
    let streams: Vec<_> = shown["streams"].as_array().unwrap().iter().map(|stream| stream["stream"].clone()).collect();
    assert_eq!(streams, ["pushes", "pull_requests"]);
}

#[tokio::test]
async fn a_gap_holds_back_to_before_it_and_one_beyond_what_is_kept_does_not() {
    let gateway = Gateway::start().await;
    let (connection, binding) = build_provider(&gateway, "shop").await;
    watermark(&gateway, binding, Stream::Builds, hours_ago(24 * 40), at(NOON)).await;
    let gap = |entity: &str, after: Timestamp, before: Timestamp| Gap {
        connection: connection.parse().unwrap(),
        bindings: vec![binding],
        stream: Stream::Builds,
        entity: entity.into(),
        what: "it began".into(),
        after,
        before,
        found_at: at(NOON),
        filled_by: Vec::new(),
    };
    let old = gap("build/builds/1", hours_ago(24 * 32), hours_ago(24 * 31));
    put(&gateway, kind::GAP, "old", &old).await;
    assert_eq!(only(&gateway, "").await["complete_until"], NOON, "its events would not be kept either");
    put(&gateway, kind::GAP, "new", &gap("build/builds/12", hours_ago(5), hours_ago(4))).await;
    let others = Gap { bindings: vec![BindingId::random()], ..gap("build/builds/13", hours_ago(9), hours_ago(8)) };
    put(&gateway, kind::GAP, "others", &others).await;
    let shown = only(&gateway, "").await;
    assert_eq!((&shown["complete_until"], &shown["is_complete"]), (&json!(hours_ago(5)), &json!(false)));
    assert_eq!(
        shown["gaps"],
        json!([{ "stream": "builds", "entity": "build/builds/12", "what": "it began", "after": hours_ago(5), "before": hours_ago(4) }])
    );
    assert_eq!(metric(&gateway, "hookwell_gaps ").await, Some(3));
    assert_eq!(attention(&gateway).await, ["events_missing"]);
    let elsewhere = only(&gateway, &format!("?from={}&to={NOON}", hours_ago(3))).await;
    assert_eq!((&elsewhere["gaps"], &elsewhere["is_complete"]), (&json!([]), &json!(true)));
}

#[tokio::test]
async fn an_unexplained_hour_beyond_what_is_kept_holds_nothing_back() {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    compared(&gateway, binding, 5, &[missing(&["build/builds/1"])]).await;
    gateway.advance(Duration::from_hours(24 * 29));
    let now = gateway.app.clock.now();
    watermark(&gateway, binding, Stream::Builds, hours_ago(10), now).await;
    assert_eq!(only(&gateway, "").await["complete_until"], json!(hours_ago(5)));
    gateway.advance(Duration::from_hours(24));
    assert_eq!(only(&gateway, "").await["complete_until"], json!(now));
}

#[tokio::test]
async fn bindings_come_by_page_and_by_filter() {
    let gateway = Gateway::start().await;
    let (shop, blog) = (build_provider(&gateway, "shop").await, build_provider(&gateway, "blog").await);
    let third = build_provider(&gateway, "site").await;
    let mut all = vec![shop.1.to_string(), blog.1.to_string(), third.1.to_string()];
    all.sort();
    let (mut seen, mut path) = (Vec::new(), "/v1/completeness?limit=2".to_owned());
    for rest in [true, false] {
        let reply = gateway.get(&path).await;
        let page = reply.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|b| b["binding"].as_str().unwrap().to_owned()));
        assert_eq!((page["next"].is_string(), reply.headers.contains_key("link")), (rest, rest));
        if rest {
            let link = reply.header("link");
            path = link[1..link.find('>').unwrap()].to_owned();
        }
    }
    assert_eq!(seen, all);
    for query in [
        format!("?connection={}", blog.0),
        format!("?binding={}", blog.1),
        "?project=blog".to_owned(),
        format!("?project=blog&connection={}&binding={}", blog.0, blog.1),
    ] {
        assert_eq!(only(&gateway, &query).await["project"], "blog", "{query}");
    }
    assert_eq!(ask(&gateway, &format!("?project=blog&binding={}", shop.1)).await["data"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let gateway = Gateway::start().await;
    let (connection, binding) = build_provider(&gateway, "shop").await;
    let unknown = "00000000-0000-4000-8000-00000000dead";
    for (query, wrong) in [
        (format!("connection={unknown}&binding={unknown}&project=nothing"), vec!["binding", "connection", "project"]),
        (
            "connection=x&binding=x&project=No&after=x&limit=101".into(),
            vec!["after", "binding", "connection", "limit", "project"],
        ),
        ("from=yesterday&to=2026-13-01T00:00:00Z".into(), vec!["from", "to"]),
        (format!("from={NOON}"), vec!["from"]),
        (format!("from={}&to={}", hours_ago(1), hours_ago(1)), vec!["from"]),
        (format!("from={}&to={NOON}", hours_ago(24 * 31 + 1)), vec!["from"]),
        ("until=now".into(), vec!["until"]),
    ] {
        let reply = gateway.get(&format!("/v1/completeness?{query}")).await;
        let mut named = reply.wrong();
        named.sort();
        assert_eq!((reply.status.as_u16(), named), (400, wrong.into_iter().map(str::to_owned).collect()), "{query}");
    }
    let most = format!("?from={}&to={NOON}&connection={connection}&binding={binding}", hours_ago(24 * 31));
    assert_eq!(ask(&gateway, &most).await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_chain_is_shown_with_its_head() {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    let empty = ask(&gateway, "").await["chain"].clone();
    assert_eq!(empty, json!({ "verdict": "intact", "entries": 0, "head_number": 0, "head_hash": "0".repeat(64) }));
    compared(&gateway, binding, 3, &[received(1), received(2)]).await;
    let chain = ask(&gateway, "").await["chain"].clone();
    assert_eq!((&chain["verdict"], &chain["entries"], &chain["head_number"]), (&json!("intact"), &json!(2), &json!(2)));
    let lost = Change { kind: "ledger", id: "head".into(), expected: Expected::Any, value: None };
    gateway.store.commit(vec![lost]).await.unwrap();
    let chain = ask(&gateway, "").await["chain"].clone();
    assert_eq!(
        (&chain["verdict"], &chain["broken"]),
        (&json!("broken"), &json!({ "number": 2, "fault": "head_lost" }))
    );
}

#[tokio::test]
async fn nothing_is_written_of_a_binding_that_is_gone() {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    let reply = gateway.ask("DELETE", &format!("/v1/bindings/{binding}")).send().await;
    assert_eq!(reply.status, 204);
    compared(&gateway, binding, 3, &[received(1)]).await;
    assert_eq!(verify(&gateway.app).await.unwrap().entries, 0);
}
