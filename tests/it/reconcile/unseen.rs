//! Subscriptions that we made and that Azure DevOps does not show us: none is made again and again.

use super::{
    Pair,
    azure::{PROJECT, unavailable},
};
use crate::real::{Real, SHOP};
use hookwell::{
    azure::client::{Failure, SubscriptionStatus},
    config::Settings,
    reconcile::{Report, TroubleKind},
    simulator::{Failing, Options, Rule, Scope, ServerVersion, UnknownPublisher, Unviewed, When},
};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

const ACCOUNT: &str = "hooks@fabrikam.example";
const VIEW: u32 = 1;
const EDIT: u32 = 2;
/// The scopes that README asks a token for.
const SCOPES: [Scope; 5] = [Scope::Code, Scope::Build, Scope::Work, Scope::Project, Scope::Release];

/// Gives the connection a token with the scopes that README names, of somebody with these rights on hooks.
async fn with_rights(real: &Real, bits: u32) {
    real.simulator().hire("Hook Well", ACCOUNT, false);
    real.simulator().allow_hooks(ACCOUNT, None, bits);
    real.simulator().issue_token("scoped", ACCOUNT, Some(&SCOPES));
    let path = format!("/v1/connections/{}?check=false", real.connection);
    let reply =
        real.gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "token": "scoped" })).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn bind(real: &Real, repository: &str) -> String {
    real.bind(&format!("of-{}", repository.len()), SHOP, json!({ "role": "code_deployment", "repository": repository }))
        .await
}

fn keys(real: &Real) -> BTreeSet<String> {
    let key = |name: &String| name.rsplit_once('.').unwrap().0.to_owned();
    real.ours().iter().map(|hook| key(&hook.consumer_inputs["basicAuthUsername"])).collect()
}

fn kinds(report: &Report) -> Vec<TroubleKind> {
    report.troubles.iter().map(|trouble| trouble.kind).collect()
}

/// Each way in which the address of a hook may answer who may not view it, with and without a word on permissions.
fn ways() -> impl Iterator<Item = (Unviewed, bool)> {
    [Unviewed::Refused, Unviewed::Absent, Unviewed::Own].into_iter().flat_map(|way| [(way, false), (way, true)])
}

#[tokio::test]
async fn ten_runs_without_view_subscriptions_make_no_hook_twice() {
    for (unviewed, silent) in ways() {
        let real = Real::start().await;
        real.simulator().fail(|faults| {
            (faults.hooks.unviewed, faults.permissions_need_full_access) = (unviewed, silent);
        });
        with_rights(&real, EDIT).await;
        bind(&real, "web shop").await;
        let mut last = Report::default();
        for _ in 0..10 {
            last = real.run().await;
            real.pass(Duration::from_mins(6)).await;
        }
        assert_eq!((real.ours().len(), keys(&real).len()), (11, 11), "{unviewed:?} {silent}");
        assert_eq!((kinds(&last), last.failed, last.steps.len()), (vec![TroubleKind::NotShown], false, 0), "{last:?}");
        let detail = &last.troubles[0].detail;
        assert!(
            detail.contains("View Subscriptions") && detail.contains("Project Collection Administrator"),
            "{detail}"
        );
        let attention = real.gateway.get("/v1/integration").await.json()["attention"].to_string();
        assert!(attention.contains("View Subscriptions"), "{attention}");
        // Nothing more is made, whatever else is wanted, and everything goes on once the right is there.
        bind(&real, "röstplan").await;
        real.run().await;
        assert_eq!(real.ours().len(), 11);
        let id = real.ours()[0].id.clone();
        real.simulator().allow_hooks(ACCOUNT, None, VIEW | EDIT);
        let report = real.run().await;
        assert!(report.troubles.is_empty(), "{report:?}");
        assert_eq!((real.ours().len(), keys(&real).len()), (22, 22));
        assert!(real.ours().iter().any(|hook| hook.id == id), "what was there stays");
        assert!(real.listed().await.iter().all(|row| row["state"] == "active"));
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_later_makes_no_hook_twice_either() {
    for (unviewed, silent) in ways() {
        let real = Real::start().await;
        with_rights(&real, VIEW | EDIT).await;
        bind(&real, "web shop").await;
        real.run().await;
        real.pass(Duration::from_mins(30)).await;
        real.simulator().fail(|faults| {
            (faults.hooks.unviewed, faults.permissions_need_full_access) = (unviewed, silent);
        });
        real.simulator().allow_hooks(ACCOUNT, None, EDIT);
        for _ in 0..10 {
            assert_eq!(kinds(&real.run().await), [TroubleKind::NotShown], "{unviewed:?} {silent}");
            real.pass(Duration::from_mins(6)).await;
        }
        assert_eq!((real.ours().len(), keys(&real).len()), (11, 11), "{unviewed:?} {silent}");
        let states: BTreeSet<String> =
            real.listed().await.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect();
        let state = if unviewed == Unviewed::Own { "active" } else { "not_shown" };
        assert_eq!(states, BTreeSet::from([state.to_owned()]));
        // The doctor's part.
        let look = real.gateway.ask("POST", "/v1/subscriptions/reconcile?dry_run=true").send().await.json();
        assert_eq!(look["connections"][0]["troubles"][0]["kind"], "not_shown", "{look}");
    }
}

#[tokio::test]
async fn what_nobody_wants_is_deleted_by_its_id_where_it_is_not_listed() {
    for (unviewed, left) in [(Unviewed::Own, 0), (Unviewed::Refused, 11)] {
        let real = Real::start().await;
        real.simulator().fail(|faults| faults.hooks.unviewed = unviewed);
        with_rights(&real, EDIT).await;
        let binding = bind(&real, "web shop").await;
        real.run().await;
        real.unbind(&binding).await;
        real.run().await;
        assert_eq!((real.ours().len(), real.listed().await.len()), (left, left), "{unviewed:?}");
    }
}

#[tokio::test]
async fn hooks_that_somebody_deleted_are_made_again_where_we_see_that_they_are_gone() {
    for silent in [false, true] {
        let real = Real::start().await;
        real.simulator().fail(|faults| faults.permissions_need_full_access = silent);
        with_rights(&real, VIEW | EDIT).await;
        let binding = bind(&real, "web shop").await;
        real.run().await;
        real.pass(Duration::from_mins(2)).await;
        let delete = |count: usize| {
            for hook in real.ours().iter().take(count) {
                assert!(real.simulator().hooks().delete(hook.id.parse().unwrap()));
            }
        };
        delete(5);
        let report = real.run().await;
        assert!(report.troubles.is_empty() && real.ours().len() == 11, "the others show that we see: {report:?}");
        real.pass(Duration::from_mins(2)).await;
        delete(11);
        let report = real.run().await;
        if !silent {
            assert!(report.troubles.is_empty() && real.ours().len() == 11, "Azure says that we may: {report:?}");
            continue;
        }
        // Nobody can tell: it is said, and a person decides.
        assert_eq!((kinds(&report), real.ours().len()), (vec![TroubleKind::NotShown], 0));
        real.unbind(&binding).await;
        real.run().await;
        real.bind("again", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
        let report = real.run().await;
        assert!(report.troubles.is_empty() && real.ours().len() == 11, "{report:?}");
    }
}

#[tokio::test]
async fn a_hook_that_is_listed_late_is_made_once() {
    for known_late in [None, Some(30)] {
        let real = Real::start().await;
        real.simulator().fail(|faults| {
            (faults.hooks.listed_late_seconds, faults.hooks.known_late_seconds) = (Some(120), known_late);
        });
        bind(&real, "web shop").await;
        for seconds in [0, 5, 20, 40, 60, 60, 300] {
            let report = real.run().await;
            assert!(report.troubles.is_empty(), "{known_late:?} {report:?}");
            assert_eq!((real.ours().len(), keys(&real).len()), (11, 11), "{known_late:?} {seconds}");
            real.pass(Duration::from_secs(seconds)).await;
        }
        assert!(real.run().await.steps.is_empty());
    }
}

#[tokio::test]
async fn answers_that_never_come_make_no_hooks_without_end() {
    let real = Real::start().await;
    real.simulator().fail(|faults| {
        faults.permissions_need_full_access = true;
        faults.rules = vec![Rule::new("POST", "hooks/subscriptions", When::Always, Failing::CutAfter)];
    });
    with_rights(&real, EDIT).await;
    bind(&real, "web shop").await;
    for _ in 0..10 {
        real.run().await;
        real.pass(Duration::from_mins(31)).await;
    }
    let made = real.ours().len();
    for _ in 0..10 {
        assert!(kinds(&real.run().await).contains(&TroubleKind::NotShown));
        real.pass(Duration::from_mins(31)).await;
    }
    assert_eq!(real.ours().len(), made);
    assert!(made <= 3 * keys(&real).len(), "{made}");
    real.simulator().fail(|faults| faults.rules.clear());
    real.simulator().allow_hooks(ACCOUNT, None, VIEW | EDIT);
    real.settle().await;
    assert_eq!((real.ours().len(), keys(&real).len()), (11, 11));
}

#[tokio::test]
async fn while_its_address_does_not_answer_nothing_of_the_host_is_touched() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    let lost = pair.hook("git.push");
    pair.azure.world().hooks.remove(&lost.id);
    pair.azure.world().always.insert("one", unavailable());
    pair.advance(Duration::from_mins(2));
    let report = pair.run().await;
    assert_eq!((kinds(&report), report.failed), (vec![TroubleKind::Unreachable], true));
    assert_eq!(pair.hooks().len(), 10);
    pair.azure.world().always.clear();
    assert!(pair.run().await.troubles.is_empty());
    assert_eq!(pair.hooks().len(), 11);
    assert_eq!(pair.hook("git.push").publisher_inputs["projectId"], PROJECT.to_string());
}

#[tokio::test]
async fn deleting_takes_the_right_to_edit_and_where_it_takes_another_that_is_said() {
    for its_own in [false, true] {
        let real = Real::start().await;
        real.simulator().fail(|faults| faults.hooks.delete_needs_its_own_right = its_own);
        with_rights(&real, VIEW | EDIT).await;
        let binding = bind(&real, "web shop").await;
        real.run().await;
        let path = format!("/v1/connections/{}", real.connection);
        let checked = real.gateway.ask("POST", &format!("{path}/check")).send().await.json();
        assert_eq!(checked["status"], "enabled", "{checked}");
        real.unbind(&binding).await;
        let report = real.run().await;
        if its_own {
            assert_eq!((kinds(&report), real.ours().len()), (vec![TroubleKind::Forbidden], 11));
            assert!(report.troubles[0].detail.contains("Delete Subscriptions"), "{report:?}");
        } else {
            assert!(report.troubles.is_empty() && real.ours().is_empty(), "{report:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_a_publisher_keeps_nobody_from_the_others() {
    use UnknownPublisher::{BadRequest, Empty, Internal, NotFound};
    for (answer, troubles) in [(Empty, 0), (NotFound, 0), (BadRequest, 0), (Internal, 1)] {
        let real = Real::with(Settings::default(), Options::server("Coll", ServerVersion::V2019)).await;
        real.simulator().fail(|faults| faults.hooks.unknown_publisher = answer);
        real.bind("shop", SHOP, json!({ "role": "build_provider" })).await;
        let report = real.run().await;
        assert_eq!(report.troubles.len(), troubles, "{answer:?} {report:?}");
        let types: BTreeSet<String> = real.ours().into_iter().map(|hook| hook.publisher).collect();
        assert_eq!(types, ["rm".to_owned(), "tfs".to_owned()].into(), "{answer:?}");
        let rows = real.listed().await;
        let runs = rows.iter().filter(|row| row["publisher"] == "pipelines");
        assert!(runs.clone().count() == 5 && runs.clone().all(|row| row["state"] == "not_offered"), "{rows:?}");
    }
}

#[tokio::test]
async fn a_hook_that_a_person_made_theirs_is_listed_and_hides_nothing() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    pair.advance(Duration::from_hours(1));
    let theirs = pair.hook("git.push");
    pair.edit(&theirs.id, |hook| {
        drop(hook.consumer_inputs.insert("basicAuthUsername".to_owned(), "hookwell.manual.1".to_owned()));
    });
    pair.bind_repository("repo-1").await;
    let report = pair.run().await;
    assert!(report.troubles.is_empty(), "{report:?}");
    assert_eq!(pair.hooks().len(), 11 + 11 + 1, "one in its place, those of another binding, and theirs");
}

#[tokio::test]
async fn a_catalogue_that_fails_keeps_only_its_own_events() {
    let pair = Pair::start().await;
    pair.azure.world().always.insert("event_types of tfs", Failure::Unavailable { detail: None });
    pair.bind("shop", json!({ "role": "build_provider" })).await;
    let report = pair.run().await;
    assert_eq!(kinds(&report), [TroubleKind::Failing]);
    assert!(report.troubles[0].detail.contains("tfs"), "{report:?}");
    assert_eq!(pair.hooks().len(), 10, "four of runs, six of releases");
    pair.azure.world().always.clear();
    pair.run().await;
    assert_eq!(pair.hooks().len(), 11);
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_told_and_who_switched_one_off_is_named() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    let (push, created) = (pair.hook("git.push"), pair.hook("git.pullrequest.created"));
    pair.edit(&push.id, |hook| {
        hook.status = SubscriptionStatus::Unknown;
        hook.unknown_status = Some("jailedByNotificationsVolume".to_owned());
    });
    pair.edit(&created.id, |hook| {
        hook.status = SubscriptionStatus::DisabledByUser;
        (hook.modified_by, hook.modified_date) = (Some("Mei".to_owned()), Some("2026-11-22T09:00:00Z".to_owned()));
    });
    let report = pair.run().await;
    assert_eq!(kinds(&report), [TroubleKind::Failing]);
    assert!(report.troubles[0].detail.contains("jailedByNotificationsVolume"), "{report:?}");
    let rows = pair.list().await["data"].clone();
    let detail =
        |id: &str| rows.as_array().unwrap().iter().find(|row| row["azure_id"] == id).unwrap()["detail"].clone();
    assert_eq!(detail(&push.id), "Azure DevOps says that it is jailedByNotificationsVolume");
    assert_eq!(detail(&created.id), "changed last by Mei on 2026-11-22T09:00:00Z");
    pair.set_status(&created.id, SubscriptionStatus::Enabled);
    pair.edit(&push.id, |hook| (hook.status, hook.unknown_status) = (SubscriptionStatus::Enabled, None));
    assert!(pair.run().await.troubles.is_empty());
    let rows = pair.list().await["data"].clone();
    assert!(rows.as_array().unwrap().iter().all(|row| row["detail"].is_null()), "{rows}");
}
