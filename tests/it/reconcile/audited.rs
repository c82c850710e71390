//! Hooks of which only the audit log tells who switched one off, and which are held back.

use crate::real::{Real, SHOP};
use hookwell::{
    config::Settings,
    simulator::{Options, Scope, ServerVersion},
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The scopes that README asks a token for, and the one for the audit log.
const SCOPES: [Scope; 6] = [Scope::Code, Scope::Build, Scope::Work, Scope::Project, Scope::Release, Scope::AuditLog];

async fn with_scopes(real: &Real, token: &str, scopes: &[Scope]) {
    real.simulator().issue_token(token, "hooks@fabrikam.example", Some(scopes));
    let path = format!("/v1/connections/{}?check=false", real.connection);
    let change = json!({ "token": token });
    let reply = real.gateway.ask("PATCH", &path).header("if-match", "*").json(&change).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// A connection whose hooks are there, and the first two of them.
async fn hooked(scopes: &[Scope]) -> (Real, [Uuid; 2]) {
    let real = Real::start().await;
    real.simulator().hire("Hook Well", "hooks@fabrikam.example", true);
    with_scopes(&real, "scoped", scopes).await;
    real.bind("shop", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
    real.run().await;
    let ids = [0, 1].map(|at| real.ours()[at].id.parse().unwrap());
    (real, ids)
}

/// How often the log was asked for.
fn asked(real: &Real) -> usize {
    real.simulator().calls().iter().filter(|call| call.target.contains("/audit/auditlog")).count()
}

async fn detail_of(real: &Real, id: Uuid) -> String {
    let listed = real.listed().await;
    let own = listed.iter().find(|row: &&Value| row["azure_id"] == id.to_string());
    own.unwrap_or_else(|| panic!("{id} in {listed:?}"))["detail"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn who_switched_a_hook_off_and_which_are_held_back_is_told_where_the_log_may_be_read() {
    for is_below_value in [false, true] {
        let (real, [off, throttled]) = hooked(&SCOPES).await;
        real.simulator().fail(|faults| faults.audit_log_is_below_value = is_below_value);
        real.simulator().hooks().disable_by_user(off);
        real.simulator().audits("mei@fabrikam.example", "ServiceHooks.SubscriptionUpdated", "updated", off);
        real.simulator().audits("somebody", "Security.ModifyPermission", "throttled elsewhere", Uuid::nil());
        real.pass(Duration::from_hours(2)).await;
        let report = real.run().await;
        let said = detail_of(&real, off).await;
        assert!(
            said.starts_with("switched off by Mei Chen on 20") && said.ends_with("as the audit log says"),
            "{said}"
        );
        assert!(report.troubles.is_empty(), "{report:?}");

        real.pass(Duration::from_hours(2)).await;
        real.simulator().audits("Azure DevOps", "ServiceHooks.SubscriptionThrottled", "", throttled);
        let report = real.run().await;
        let said = detail_of(&real, throttled).await;
        assert!(said.starts_with("held back by Azure DevOps on 20"), "{said}");
        let detail = &report.troubles[0].detail;
        assert!(detail.contains("held back 1 subscriptions"), "{detail}");
        let attention = real.gateway.get("/v1/integration").await.json()["attention"].to_string();
        assert!(attention.contains("held back 1 subscriptions"), "{attention}");
        assert!(detail_of(&real, off).await.contains("Mei Chen"), "what was read once is known");

        // Attention is told for a day.
        for _ in 0..30 {
            real.pass(Duration::from_hours(1)).await;
            real.run().await;
        }
        assert!(real.run().await.troubles.is_empty());
        assert_eq!(detail_of(&real, throttled).await, "");
    }
}

#[tokio::test]
async fn a_token_without_that_scope_costs_one_call_a_day_and_works_as_before() {
    let (real, [off, _]) = hooked(&SCOPES[..5]).await;
    real.simulator().hooks().disable_by_user(off);
    for _ in 0..20 {
        real.pass(Duration::from_mins(5)).await;
        let report = real.run().await;
        assert!(report.troubles.is_empty(), "{report:?}");
    }
    assert_eq!(asked(&real), 1);
    assert!(detail_of(&real, off).await.starts_with("changed last by"));
    real.pass(Duration::from_hours(24)).await;
    real.run().await;
    assert_eq!(asked(&real), 2);
    // Another token may be allowed to.
    with_scopes(&real, "wider", &SCOPES).await;
    real.simulator().audits("mei@fabrikam.example", "ServiceHooks.SubscriptionUpdated", "updated", off);
    real.run().await;
    assert!(detail_of(&real, off).await.contains("switched off by Mei Chen"), "{}", detail_of(&real, off).await);
}

#[tokio::test]
async fn the_log_is_read_once_an_hour_and_a_server_has_none() {
    let (real, _) = hooked(&SCOPES).await;
    let before = asked(&real);
    for _ in 0..24 {
        real.pass(Duration::from_mins(5)).await;
        real.run().await;
    }
    assert!((1..=2).contains(&(asked(&real) - before)), "{}", asked(&real) - before);

    let real = Real::with(Settings::default(), Options::server("Coll", ServerVersion::V2022)).await;
    real.bind("shop", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
    for _ in 0..5 {
        assert!(real.run().await.troubles.is_empty());
        real.pass(Duration::from_hours(2)).await;
    }
    assert_eq!(asked(&real), 0);
}
