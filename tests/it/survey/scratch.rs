//! Things that a survey makes in a scratch project go again, however it ends.

use super::{World, in_time, line};
use hookwell::{
    azure::client::Subscription,
    simulator::{Failing, Options, Rule, When, tokens},
};
use serde_json::json;

fn of_surveys(world: &World) -> Vec<Subscription> {
    let all = world.simulator().hooks().subscriptions();
    let goes = |own: &Subscription| own.consumer_inputs.get("url").is_some_and(|url| url.contains("hookwell-survey"));
    all.into_iter().filter(goes).collect()
}

#[tokio::test]
async fn what_is_made_is_gone_when_it_is_through() {
    let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    let survey = world.survey(Some("Fiber Café")).await;
    assert_eq!(survey["state"], "done", "{survey:#}");
    for question in ["known", "listed", "version", "plain_http", "private_target", "deleting"] {
        assert_eq!(line(&survey, question)["verdict"], "as_assumed", "{survey:#}");
    }
    assert_eq!(of_surveys(&world), []);
    let made = world.simulator().calls().iter().filter(|call| call.method == "POST" && call.status == 200).count();
    assert!(made >= 10, "hooks were made");
}

#[tokio::test]
async fn what_is_made_is_gone_when_somebody_says_stop() {
    let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    // The survey waits for that hook to be listed.
    world.fail(|faults| faults.hooks.listed_late_seconds = Some(600));
    world.begin(Some("Fiber Café")).await;
    in_time(async {
        while of_surveys(&world).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.gateway.ask("DELETE", &world.path()).send().await;
    let survey = world.ended().await;
    assert_eq!(survey["state"], "stopped", "{survey:#}");
    assert_eq!((of_surveys(&world).len(), &survey["left_behind"]), (0, &json!([])), "{survey:#}");
}

#[tokio::test]
async fn what_is_made_is_gone_when_the_gateway_stops() {
    let mut world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    world.fail(|faults| faults.hooks.listed_late_seconds = Some(600));
    world.begin(Some("Fiber Café")).await;
    in_time(async {
        while of_surveys(&world).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.gateway.app.stop();
    in_time(world.tasks.pop().unwrap()).await.unwrap();
    assert_eq!(of_surveys(&world), []);
}

#[tokio::test]
async fn what_is_made_is_gone_after_errors_and_what_stays_is_named() {
    let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    // The second hook is made, and its answer is lost.
    let rules = vec![Rule::new("POST", "hooks/subscriptions?", When::Every(2), Failing::CutAfter)];
    world.fail(|faults| faults.rules = rules);
    let survey = world.survey(Some("Fiber Café")).await;
    assert_eq!(of_surveys(&world), [], "{survey:#}");
    assert_eq!(survey["left_behind"], json!([]), "{survey:#}");
    // Nothing can be deleted.
    world.fail(|faults| faults.rules = vec![Rule::new("DELETE", "hooks", When::Always, Failing::Forbidden)]);
    let survey = world.survey(Some("Fiber Café")).await;
    let left = of_surveys(&world);
    assert!(!left.is_empty());
    let named = survey["left_behind"].to_string();
    assert!(left.iter().all(|own| named.contains(&own.id)), "{named}");
    assert_eq!(survey["report"]["left_behind"], survey["left_behind"].as_array().unwrap().len());
    // The next one removes what that one had to leave.
    world.fail(|faults| faults.rules.clear());
    world.survey(Some("Fiber Café")).await;
    assert_eq!(of_surveys(&world), []);
}

#[tokio::test]
async fn who_may_not_make_hooks_makes_none() {
    let world = World::start(Options::services("fabrikam"), tokens::WITHOUT_EDIT).await;
    let survey = world.survey(Some("Fiber Café")).await;
    assert_eq!(survey["state"], "done", "{survey:#}");
    assert_eq!(line(&survey, "known")["did"], "no hook can be made: status 403");
    assert_eq!(of_surveys(&world), []);
}
