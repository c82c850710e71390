//! From a binding to hooks that stay, whatever happens to them.

use super::{
    Pair,
    azure::{Fate, forbidden, unavailable},
    lines,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{
    azure::client::{Failure, SubscriptionStatus},
    domain::ConnectionId,
    reconcile::{Mode, Report, TroubleKind, reconcile, worker},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use uuid::Uuid;

/// Delivers through a hook as Azure DevOps would; answers what became of it.
async fn deliver(pair: &Pair, hook_id: &str, envelope: Value) -> Value {
    let (name, password, url) = {
        let world = pair.azure.world();
        let inputs = &world.hooks[hook_id].consumer_inputs;
        (inputs["basicAuthUsername"].clone(), world.passwords[hook_id].clone(), inputs["url"].clone())
    };
    let credentials = BASE64_STANDARD.encode(format!("{name}:{password}"));
    let path = url.strip_prefix("https://hooks.example.com").unwrap();
    let ask = pair.gateway.ask("POST", path).token(None).header("authorization", &format!("Basic {credentials}"));
    let reply = ask.body(envelope.to_string()).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["outcome"].clone()
}

fn kinds(report: &Report) -> Vec<TroubleKind> {
    report.troubles.iter().map(|trouble| trouble.kind).collect()
}

#[tokio::test]
async fn a_binding_becomes_hooks_with_credentials_of_their_own() {
    let pair = Pair::start().await;
    pair.bind_repository("REPO-0").await;
    let report = pair.run().await;
    assert_eq!(lines(&report), vec!["create missing done"; 11]);
    assert!(report.troubles.is_empty(), "{report:?}");
    let hooks = pair.hooks();
    let inputs = |name: &str| hooks.iter().map(|hook| hook.consumer_inputs[name].clone()).collect::<BTreeSet<_>>();
    assert_eq!(inputs("basicAuthUsername").len(), 11);
    assert_eq!(inputs("resourceDetailsToSend"), BTreeSet::from(["all".to_owned()]));
    assert_eq!(pair.azure.world().passwords.values().collect::<BTreeSet<_>>().len(), 11);
    for hook in &hooks {
        let reason = hook.publisher_inputs.get("notificationType");
        let query = reason.map(|reason| format!("?reason={reason}")).unwrap_or_default();
        assert_eq!(hook.consumer_inputs["url"], format!("{}{query}", pair.url));
        assert_eq!(hook.publisher_inputs["repository"], Uuid::from_u128(0xb0).to_string());
    }
    assert_eq!(pair.hook("ms.vss-code.git-pullrequest-comment-event").resource_version.as_deref(), Some("2.0"));
    assert_eq!(lines(&pair.run().await), Vec::<String>::new(), "nothing is left to do");

    let push = pair.hook("git.push");
    let envelope = json!({ "subscriptionId": push.id, "notificationId": 1, "id": "e", "eventType": "git.push" });
    assert_eq!(deliver(&pair, &push.id, envelope).await, "accepted");
    let list = pair.list().await;
    let of =
        |kind: &str| list["data"].as_array().unwrap().iter().find(|row| row["event_type"] == kind).unwrap().clone();
    assert_eq!((&of("git.push")["state"], &of("git.push")["azure_id"]), (&json!("active"), &json!(push.id)));
    assert_eq!(of("git.push")["last_arrival"], "2026-11-22T10:00:00Z");
    assert_eq!(of("git.push")["last_action"]["what"], "created");
    assert_eq!(of("git.pullrequest.created")["last_arrival"], Value::Null);
    assert_eq!(of("git.push")["azure_project_name"], "Fabrikam Fiber");
    let metrics = pair.gateway.get("/metrics").await;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains("hookwell_subscriptions{state=\"active\"} 11"), "{text}");
}

#[tokio::test]
async fn a_run_costs_one_listing_per_host_and_looks_little_up() {
    let pair = Pair::start().await;
    pair.bind("shop", json!({ "role": "build_provider" })).await;
    pair.run().await;
    let before = pair.azure.world().calls.clone();
    pair.advance(Duration::from_mins(5));
    pair.run().await;
    let world = pair.azure.world();
    let more: Vec<_> = world.calls.iter().filter(|(name, count)| before.get(*name) != Some(count)).collect();
    let more: Vec<_> = more.iter().map(|(name, count)| (**name, **count - before[*name])).collect();
    assert_eq!(more, [("connection_data", 1), ("list main", 1), ("list release", 1)]);
}

#[tokio::test]
async fn a_rotated_password_reaches_the_hooks_and_the_old_one_is_good_meanwhile() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    let old = pair.hook("git.push");
    pair.rotate().await;
    assert_eq!(deliver(&pair, &old.id, json!({ "id": "a", "eventType": "git.push" })).await, "accepted");
    assert_eq!(lines(&pair.run().await), vec!["replace generation done"; 11]);
    let new = pair.hook("git.push");
    assert!(new.id != old.id && new.consumer_inputs["basicAuthUsername"].ends_with(".2"));
    assert_eq!(pair.hooks().len(), 11);
    assert_eq!(deliver(&pair, &new.id, json!({ "id": "b", "eventType": "git.push" })).await, "accepted");
}

#[tokio::test]
async fn a_restricted_hook_is_made_anew_and_somebody_is_told() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    let sick = pair.hook("git.push");
    pair.set_status(&sick.id, SubscriptionStatus::OnProbation);
    assert_eq!(lines(&pair.run().await), ["replace on_probation done"]);
    let well = pair.hook("git.push");
    assert_ne!(well.id, sick.id);
    let attention = pair.gateway.get("/v1/integration").await.json()["attention"].clone();
    assert_eq!(attention[0]["kind"], "subscriptions_healed", "{attention}");
    // Restricted again at once: what makes it fail is still there, so it is not made anew again and again.
    pair.set_status(&well.id, SubscriptionStatus::OnProbation);
    assert_eq!(lines(&pair.run().await), ["leave on_probation done"]);
    let list = pair.gateway.get("/v1/subscriptions?state=on_probation").await.json();
    assert_eq!(list["data"][0]["azure_id"], well.id.as_str());
    pair.advance(Duration::from_mins(10));
    assert_eq!(lines(&pair.run().await), ["replace on_probation done"]);
    pair.advance(Duration::from_hours(24));
    let attention = pair.gateway.get("/v1/integration").await.json()["attention"].clone();
    // Nobody compares anything in this test, which is said by now.
    let others = attention.as_array().unwrap().iter().filter(|one| one["kind"] != "completeness_unknown").count();
    assert_eq!(others, 0, "{attention}");
}

#[tokio::test]
async fn what_a_person_switched_off_stays_so_until_nothing_wants_it() {
    let pair = Pair::start().await;
    let binding = pair.bind_repository("repo-0").await;
    pair.run().await;
    let hook = pair.hook("git.push");
    pair.set_status(&hook.id, SubscriptionStatus::DisabledByUser);
    pair.rotate().await;
    pair.run().await;
    assert_eq!(pair.hook("git.push").id, hook.id);
    let attention = pair.gateway.get("/v1/integration").await.json()["attention"].to_string();
    assert!(attention.contains("1 subscriptions are disabled_by_user"), "{attention}");
    pair.unbind(&binding).await;
    assert_eq!(lines(&pair.run().await), vec!["remove_undesired undesired done"; 11]);
    assert!(pair.hooks().is_empty());
    assert_eq!(pair.list().await["data"], json!([]));
}

#[tokio::test]
async fn without_a_complete_listing_nothing_is_touched() {
    let pair = Pair::start().await;
    pair.azure.world().always.insert("list main", unavailable());
    pair.bind("shop", json!({ "role": "build_provider" })).await;
    let report = pair.run().await;
    assert_eq!((kinds(&report), report.failed), (vec![TroubleKind::Unreachable], true));
    let publishers: BTreeSet<String> = pair.hooks().into_iter().map(|hook| hook.publisher).collect();
    assert_eq!(publishers, BTreeSet::from(["rm".to_owned()]), "the other host's are made");
    pair.azure.world().always.clear();
    assert_eq!(lines(&pair.run().await), vec!["create missing done"; 5]);
    let attention = pair.gateway.get("/v1/integration").await.json()["attention"].clone();
    assert_eq!(attention, json!([]), "it goes away with its cause");
}

#[tokio::test]
async fn who_may_not_make_hooks_hears_both_ways_out_and_is_not_hammered() {
    let pair = Pair::start().await;
    pair.azure.world().always.insert("create", forbidden());
    pair.bind_repository("repo-0").await;
    let report = pair.run().await;
    assert_eq!(kinds(&report), [TroubleKind::Forbidden]);
    let detail = &report.troubles[0].detail;
    assert!(detail.contains("Edit Subscription") && detail.contains("Project Collection Administrator"), "{detail}");
    assert!(detail.contains("manual"), "{detail}");
    assert_eq!(pair.azure.world().calls["create"], 1, "the rest would fail in the same way");
    let attention = pair.gateway.get("/v1/integration").await.json()["attention"].clone();
    assert_eq!(attention[0]["kind"], "subscriptions_trouble");
    let list = pair.list().await;
    assert_eq!(list["connections"][0]["troubles"][0]["kind"], "forbidden");
    let states: BTreeSet<&str> =
        list["data"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, BTreeSet::from(["failing", "pending"]));
    pair.azure.world().always.clear();
    pair.run().await;
    assert_eq!(pair.hooks().len(), 11);
}

#[tokio::test]
async fn a_binding_that_cannot_be_resolved_keeps_its_hooks_and_the_others_go_on() {
    let pair = Pair::start().await;
    let lost = pair.bind_repository("repo-0").await;
    pair.run().await;
    let there: BTreeSet<String> = pair.hooks().into_iter().map(|hook| hook.id).collect();
    pair.azure.world().repositories.remove(0);
    pair.advance(Duration::from_hours(2));
    pair.bind_repository("repo-1").await;
    let report = pair.run().await;
    assert_eq!(lines(&report), vec!["create missing done"; 11]);
    assert_eq!(kinds(&report), [TroubleKind::Unresolved]);
    assert_eq!(report.troubles[0].binding.unwrap().to_string(), lost);
    let now: BTreeSet<String> = pair.hooks().into_iter().map(|hook| hook.id).collect();
    assert!(now.is_superset(&there) && now.len() == 22);
    // A binding to nothing is never resolved, and is no reason to keep what others left behind.
    pair.unbind(&lost).await;
    pair.bind_repository("nowhere").await;
    assert_eq!(lines(&pair.run().await), vec!["remove_undesired undesired done"; 11]);
}

#[tokio::test]
async fn without_a_public_url_nothing_can_be_made_and_that_is_said() {
    let pair = Pair::with(None).await;
    pair.bind_repository("repo-0").await;
    let report = pair.run().await;
    assert_eq!(kinds(&report), [TroubleKind::NoPublicUrl]);
    assert!(report.troubles[0].detail.contains("--public-url"));
    assert!(pair.hooks().is_empty());
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    let path = format!("/v1/subscriptions/reconcile?connection={}&dry_run=true", pair.connection);
    let plan = pair.gateway.ask("POST", &path).send().await.json();
    let steps = plan["connections"][0]["steps"].as_array().unwrap();
    assert_eq!((plan["dry_run"].clone(), steps.len()), (json!(true), 11));
    assert!(steps.iter().all(|step| step["outcome"] == "planned" && step["step"] == "create"));
    assert_eq!((pair.hooks().len(), pair.list().await["data"].clone()), (0, json!([])));
    let done = pair.gateway.ask("POST", "/v1/subscriptions/reconcile").send().await.json();
    assert_eq!(done["connections"][0]["steps"][0]["outcome"], "done");
    assert_eq!(pair.hooks().len(), 11);
    for (query, wrong) in [("connection=x", "connection"), ("dry_run=yes", "dry_run")] {
        let reply = pair.gateway.ask("POST", &format!("/v1/subscriptions/reconcile?{query}")).send().await;
        assert_eq!((reply.status.as_u16(), reply.wrong()), (400, vec![wrong.to_owned()]));
    }
    let nowhere = format!("/v1/subscriptions/reconcile?connection={}", Uuid::from_u128(5));
    assert_eq!(pair.gateway.ask("POST", &nowhere).send().await.status, 400);
    assert_eq!(pair.gateway.get("/v1/subscriptions?state=fine").await.wrong(), ["state"]);
    assert!(reconcile(&pair.gateway.app, ConnectionId(Uuid::from_u128(5)), Mode::Mend).await.is_none());
}

#[tokio::test]
async fn releases_are_optional_and_are_kept_when_they_cannot_be_asked_for() {
    let pair = Pair::start().await;
    pair.azure.world().releases = false;
    pair.bind("shop", json!({ "role": "build_provider" })).await;
    let report = pair.run().await;
    assert_eq!((kinds(&report), report.failed), (vec![TroubleKind::NoReleases], false));
    assert_eq!(pair.hooks().len(), 5);
    let list = pair.gateway.get("/v1/subscriptions?state=not_offered").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 7, "six of releases, and the jobs that this server lacks");
    assert_eq!(pair.gateway.get("/v1/integration").await.json()["attention"], json!([]));
    pair.azure.world().releases = true;
    assert_eq!(lines(&pair.run().await), vec!["create missing done"; 6]);
    pair.azure.world().releases = false;
    reconcile(&pair.gateway.app, pair.connection, Mode::MendAnew).await.unwrap();
    assert_eq!(pair.hooks().len(), 11);
}

#[tokio::test]
async fn azures_wish_to_wait_ends_the_run() {
    let pair = Pair::start().await;
    let wait = Duration::from_secs(90);
    pair.azure.world().always.insert("create", Failure::Throttled { wait });
    pair.bind_repository("repo-0").await;
    let report = pair.run().await;
    assert_eq!((report.wait, kinds(&report)), (Some(wait), vec![TroubleKind::Throttled]));
    assert_eq!(pair.azure.world().calls["create"], 1);
    pair.azure.world().always.insert("list main", Failure::Throttled { wait });
    assert_eq!(pair.run().await.wait, Some(wait));
}

#[tokio::test]
async fn what_happened_unheard_is_adopted_and_never_made_twice() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    // Last first: identity, names, catalogue and listing are well, and then nobody hears of the first hook.
    let well = pair.calls_before_create().await;
    pair.azure.world().fate = [vec![Fate::Unheard], vec![Fate::Well; well]].concat();
    let report = pair.run().await;
    assert_eq!(lines(&report).iter().filter(|line| *line == "create missing failed").count(), 1);
    assert_eq!(pair.hooks().len(), 11, "it happened");
    assert_eq!(lines(&pair.run().await), ["adopt found done"]);
    assert_eq!(pair.hooks().len(), 11);
}

impl Pair {
    /// How many calls a first run makes before it makes a hook.
    async fn calls_before_create(&self) -> usize {
        reconcile(&self.gateway.app, self.connection, Mode::Look).await.unwrap();
        // Names and catalogue are remembered now.
        let count = self.azure.world().calls.values().sum::<u32>();
        reconcile(&self.gateway.app, self.connection, Mode::Look).await.unwrap();
        (self.azure.world().calls.values().sum::<u32>() - count).try_into().unwrap()
    }
}

#[tokio::test]
async fn a_hook_of_ours_may_call_its_collection_what_it_likes() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.change(|connection| connection.collection_id = Some(Uuid::from_u128(1))).await;
    pair.run().await;
    let push = pair.hook("git.push");
    let envelope = |subscription: &str, number: u32| {
        json!({
            "subscriptionId": subscription, "notificationId": number, "id": "e", "eventType": "git.push",
            "resourceContainers": { "collection": { "id": Uuid::from_u128(2) } },
        })
    };
    assert_eq!(deliver(&pair, &push.id, envelope(&push.id, 1)).await, "accepted");
    assert_eq!(deliver(&pair, &push.id, envelope(&pair.hook("git.repo.renamed").id, 2)).await, "quarantined");
}

#[tokio::test]
async fn a_new_server_address_and_another_owner_make_every_hook_anew() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    pair.azure.world().identity = Uuid::from_u128(2);
    assert_eq!(lines(&pair.run().await), vec!["replace owner done"; 11]);
    let url = pair.hook("git.push");
    pair.edit(&url.id, |hook| drop(hook.consumer_inputs.insert("url".into(), "https://elsewhere.example/x".into())));
    assert_eq!(lines(&pair.run().await), ["replace url done"]);
    assert_eq!(pair.hooks().len(), 11);
}

#[tokio::test]
async fn the_worker_runs_at_start_and_on_every_change() {
    let pair = Pair::start().await;
    let binding = pair.bind_repository("repo-0").await;
    let worker = tokio::spawn(worker::run(Arc::clone(&pair.gateway.app)));
    let until = |wanted: usize| {
        let pair = &pair;
        async move {
            let reached = async {
                while pair.hooks().len() != wanted || pair.list().await["data"].as_array().unwrap().len() != wanted {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), reached).await.expect("the worker runs");
        }
    };
    until(11).await;
    let other = pair.bind_repository("repo-1").await;
    until(22).await;
    pair.unbind(&binding).await;
    pair.unbind(&other).await;
    until(0).await;
    pair.gateway.app.stop();
    tokio::time::timeout(Duration::from_secs(10), worker).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn an_event_that_names_its_project_by_id_alone_finds_the_binding_that_names_it_by_name() {
    let pair = Pair::start().await;
    let binding = pair.bind("shop", json!({ "role": "build_provider" })).await;
    pair.run().await;
    let hook = pair.hook("ms.vss-pipelines.run-state-changed-event");
    let run = |number: u32| {
        json!({
            "subscriptionId": hook.id, "notificationId": number, "id": Uuid::new_v4(), "eventType": hook.event_type,
            "resource": {
                "projectId": hook.publisher_inputs["projectId"],
                "run": { "id": number, "state": "completed", "result": "succeeded", "finishedDate": "2026-11-22T10:00:00Z",
                    "pipeline": { "id": 7, "name": "CI" }, "url": "https://dev.azure.com/fabrikam/x" },
                "pipeline": { "id": 7, "name": "CI" },
            },
        })
    };
    let app = Arc::clone(&pair.gateway.app);
    let translated = async || {
        while hookwell::translate::step::step(&app).await.unwrap().count > 0 {}
        // The state of a run waits for its build, which nobody sends here.
        pair.gateway.advance(Duration::from_secs(30));
        while hookwell::translate::step::step(&app).await.unwrap().count > 0 {}
    };
    deliver(&pair, &hook.id, run(1)).await;
    translated().await;
    let projects = async || {
        let events = pair.gateway.get("/v1/events").await.json();
        let last = events["data"].as_array().unwrap().last().unwrap().clone();
        last["data"]["customData"]["hookwell"]["projects"].clone()
    };
    assert_eq!(projects().await, json!(["shop"]));

    // The binding is changed to mean something else: what its names meant before is not held against it.
    let other = json!({ "azure_project": "another" });
    let reply = pair.gateway.ask("PATCH", &format!("/v1/bindings/{binding}")).header("if-match", "*").json(&other);
    assert_eq!(reply.send().await.status, 200);
    deliver(&pair, &hook.id, run(2)).await;
    translated().await;
    assert_eq!(projects().await, json!([]));
}
