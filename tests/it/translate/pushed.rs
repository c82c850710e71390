//! A pull request whose pushes are lost, set back and rendered late, as tests want it.

use super::{
    acts::{PUSH, azure},
    json,
};
use crate::{
    real::{Real, SHOP, bind},
    recover::{
        losses::{CLOSELY, unfilled},
        swept,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{
    app::connections::hook_credentials,
    event::Event,
    recover::{Depth, Mending, recover},
    simulator::{Odds, RefChange},
};
use serde_json::{Value, json as literal};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// The facts, each as it was told last, by the id of its first telling.
pub(super) fn facts(events: &[Value]) -> BTreeMap<String, &Value> {
    let fact = |event: &Value| event["data"]["customData"]["hookwell"]["fact"].as_str().map(str::to_owned);
    let own = |event: &Value| event["id"].as_str().unwrap().to_owned();
    events.iter().map(|event| (fact(event).unwrap_or_else(|| own(event)), event)).collect()
}

/// A line for each event, for messages.
pub(super) fn reasons(all: &[Value]) -> Vec<String> {
    let one = |event: &Value| {
        format!(
            "{} {} {} {} replaces {}",
            event["type"].as_str().unwrap().trim_start_matches("dev."),
            azure(event, "updateReason"),
            azure(event, "sourceCommit").as_str().unwrap_or("-").chars().next().unwrap(),
            event["time"],
            event["replaces"],
        )
    };
    all.iter().map(one).collect()
}

/// A pull request from `feature/9`, whose pushes this gateway is told of.
pub(super) struct Pushed {
    pub(super) real: Real,
    pub(super) web: Uuid,
    pub(super) number: u32,
    pub(super) before: Vec<Event>,
    pub(super) from: jiff::Timestamp,
    delivered: u32,
}

impl Pushed {
    pub(super) async fn begin() -> Self {
        Self::on(unfilled().await).await
    }

    /// One whose creation no hook told.
    pub(super) async fn unheard() -> Self {
        Self::made(unfilled().await, 1.0).await
    }

    pub(super) async fn on(real: Real) -> Self {
        Self::made(real, 0.0).await
    }

    async fn made(real: Real, lost: f64) -> Self {
        let binding = literal!({ "role": "code_deployment", "repository": "web shop", "branch": null });
        bind(&real.gateway, real.connection, "web", SHOP, binding).await;
        real.settle().await;
        let from = real.gateway.app.clock.now();
        let simulator = real.simulator().clone();
        let web = simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
        simulator.push_commit(web, "feature/9", "Nine", &["/a"]).unwrap();
        real.pass(MINUTE).await;
        simulator.fail(|faults| faults.hooks.lose = Odds::probability(lost));
        let number = simulator.create_pull_request(web, "feature/9", "main", "Ninth").unwrap();
        real.pass(MINUTE).await;
        let before = real.events().await;
        Self { real, web, number, before, from, delivered: 900_000 }
    }

    pub(super) fn lose(&self, share: f64) {
        self.real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(share));
    }

    pub(super) async fn push(&self) {
        self.real.simulator().push_commit(self.web, "feature/9", "More", &["/a"]).unwrap();
        self.real.pass(MINUTE).await;
    }

    /// The commit that was pushed last.
    pub(super) fn head(&self) -> String {
        self.real.simulator().head(self.web, "feature/9").unwrap()
    }

    pub(super) async fn back(&self) {
        let change = RefChange::Back { branch: "feature/9".to_owned() };
        self.real.simulator().push(self.web, "", &[change]).unwrap();
        self.real.pass(MINUTE).await;
    }

    pub(super) async fn sweep(&self) {
        self.real.pass(MINUTE * 10).await;
        swept(&self.real.gateway, self.real.connection, self.from, Depth::Everything, Mending::Mend).await;
    }

    /// A look as the worker makes it every hour.
    pub(super) async fn look(&self) {
        self.real.pass(MINUTE * 10).await;
        let report = recover(&self.real.gateway.app, self.real.connection, CLOSELY).await.unwrap();
        assert!(report.troubles.is_empty() || report.failed, "{:?}", report.troubles);
    }

    pub(super) async fn told(&self) -> Vec<Value> {
        self.real.events().await[self.before.len()..].iter().map(json).collect()
    }

    /// The pushes to the request in the order of their times.
    pub(super) async fn pushes(&self) -> Vec<Value> {
        let all = self.told().await;
        let mut pushes: Vec<Value> =
            facts(&all).into_values().filter(|event| azure(event, "updateReason") == "push").cloned().collect();
        pushes.sort_by_key(|event| event["time"].as_str().unwrap().to_owned());
        pushes
    }

    pub(super) async fn heads(&self) -> String {
        let pushes = self.pushes().await;
        let heads: Vec<&str> = pushes.iter().map(|event| azure(event, "sourceCommit").as_str().unwrap()).collect();
        let first = |head: &&str| heads.iter().position(|own| own == head).unwrap();
        heads.iter().map(|head| char::from(b'a' + u8::try_from(first(head)).unwrap())).collect()
    }

    /// The body of the last notification of a push that a hook delivered.
    pub(super) async fn last_push(&self) -> Value {
        let all = self.real.notifications().await;
        let is_push = |own: &&hookwell::domain::Notification| {
            own.recovered.is_none() && own.reason.is_some_and(|reason| reason.word() == PUSH)
        };
        serde_json::from_slice(&all.iter().rev().find(is_push).unwrap().body).unwrap()
    }

    /// Delivers a body by a hook that somebody made besides, unfiltered or filtered, and without words.
    pub(super) async fn by_hand(&mut self, body: &Value, reason: Option<&str>) {
        self.delivered += 1;
        let mut body = body.clone();
        body["notificationId"] = self.delivered.into();
        body["subscriptionId"] = literal!(Uuid::new_v5(&Uuid::NAMESPACE_URL, reason.unwrap_or("-").as_bytes()));
        body["message"] = literal!({ "text": "" });
        body["detailedMessage"] = literal!({ "text": "" });
        let gateway = &self.real.gateway;
        let kept = gateway.app.directory().connections[&self.real.connection].clone();
        let hook = hook_credentials(&gateway.app, &kept.record);
        let basic = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password.as_str()));
        let reason = reason.map(|reason| format!("?reason={reason}")).unwrap_or_default();
        let path = format!("/hooks/azure-devops/{}{reason}", self.real.connection);
        let ask = gateway.ask("POST", &path).token(None).header("authorization", &format!("Basic {basic}"));
        let reply = ask.body(body.to_string()).send().await;
        assert_eq!((reply.status.as_u16(), reply.json()["outcome"].as_str()), (200, Some("accepted")), "{reply:?}");
    }
}
