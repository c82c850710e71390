//! A story lived once, with every delivery of it written down; and the ways in which a gateway can be told of it.

use super::{act::Step, world::World};
use crate::{
    harness::Gateway,
    real::{Real, SHOP, bind, deliver, events},
    recover::{losses::unfilled, swept},
};
use hookwell::{
    app::connections::hook_credentials,
    domain::{ConnectionId, Notification, Recovered, UpdateReason},
    event::Event,
    intake::{self, Found},
    reconcile::{Mode, reconcile},
    recover::{Depth, Mending, breaks},
    simulator::Draft,
};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const MINUTE: Duration = Duration::from_mins(1);

/// Everything that a person would make a subscription for, by README: publisher, type, version.
const SUBSCRIBED: [(&str, &str, &str); 24] = [
    ("tfs", "git.push", "1.0"),
    ("tfs", "git.pullrequest.created", "1.0"),
    ("tfs", "git.pullrequest.merged", "1.0"),
    ("tfs", "ms.vss-code.git-pullrequest-comment-event", "2.0"),
    ("tfs", "git.repo.renamed", "1.0-preview.1"),
    ("tfs", "git.repo.statuschanged", "1.0-preview.1"),
    ("tfs", "build.complete", "2.0"),
    ("pipelines", "ms.vss-pipelines.run-state-changed-event", "5.1-preview.1"),
    ("pipelines", "ms.vss-pipelines.stage-state-changed-event", "5.1-preview.1"),
    ("pipelines", "ms.vss-pipelines.job-state-changed-event", "5.1-preview.1"),
    ("pipelines", "ms.vss-pipelinechecks-events.approval-pending", "5.1-preview.1"),
    ("pipelines", "ms.vss-pipelinechecks-events.approval-completed", "5.1-preview.1"),
    ("rm", "ms.vss-release.release-created-event", "3.0-preview.1"),
    ("rm", "ms.vss-release.release-abandoned-event", "3.0-preview.1"),
    ("rm", "ms.vss-release.deployment-started-event", "3.0-preview.1"),
    ("rm", "ms.vss-release.deployment-completed-event", "3.0-preview.1"),
    ("rm", "ms.vss-release.deployment-approval-pending-event", "3.0-preview.1"),
    ("rm", "ms.vss-release.deployment-approval-completed-event", "3.0-preview.1"),
    ("tfs", "workitem.created", "5.1-preview.3"),
    ("tfs", "workitem.updated", "5.1-preview.3"),
    ("tfs", "workitem.commented", "5.1-preview.3"),
    ("tfs", "workitem.deleted", "5.1-preview.3"),
    ("tfs", "workitem.restored", "5.1-preview.3"),
    ("tfs", "git.pullrequest.updated", "1.0"),
];

/// A story as it was lived.
pub(super) struct Lived {
    real: Real,
    began: Timestamp,
    repositories: [Uuid; 2],
    /// Deliveries, in order, each with its time.
    pub(super) delivered: Vec<Notification>,
}

/// Makes all subscriptions by hand, those of updates with each filter and without one.
fn subscribe(real: &Real) {
    let app = &real.gateway.app;
    let credentials = hook_credentials(app, &app.directory().connections[&real.connection].record);
    let project = real.simulator().project(SHOP).unwrap();
    let subscribe = |(publisher, event_type, version): (&str, &str, &str), reason: Option<UpdateReason>| {
        let filters = reason.map(|reason| ("notificationType".to_owned(), reason.word().to_owned()));
        let query = reason.map(|reason| format!("?reason={}", reason.word())).unwrap_or_default();
        let draft = Draft {
            publisher: publisher.to_owned(),
            event_type: event_type.to_owned(),
            resource_version: Some(version.to_owned()),
            consumer: "webHooks".to_owned(),
            action: "httpRequest".to_owned(),
            publisher_inputs: filters.into_iter().chain([("projectId".to_owned(), project.to_string())]).collect(),
            consumer_inputs: [
                ("url".to_owned(), format!("{}{query}", real.url)),
                ("basicAuthUsername".to_owned(), credentials.user_name.clone()),
                ("basicAuthPassword".to_owned(), credentials.password.to_string()),
            ]
            .into(),
        };
        real.simulator().hooks().create_foreign(draft, "");
    };
    for own in SUBSCRIBED {
        subscribe(own, None);
    }
    for reason in UpdateReason::ALL {
        subscribe(SUBSCRIBED[SUBSCRIBED.len() - 1], Some(reason));
    }
}

/// Lives through a story.
pub(super) async fn live(story: &[Step]) -> Lived {
    let real = unfilled().await;
    subscribe(&real);
    let mut world = World::new(real.simulator());
    real.pass(MINUTE).await;
    let began = real.gateway.app.clock.now();
    real.pass(MINUTE).await;
    let beginning = World::BEGINNING.map(|act| (act, false));
    for (act, pauses) in beginning.iter().chain(story) {
        world.act(*act);
        // Whatever comes next in the same second: this is told as it is now.
        real.pass(Duration::from_millis(7)).await;
        if *pauses {
            real.pass(MINUTE).await;
        }
    }
    world.end();
    real.pass(MINUTE * 10).await;
    let delivered = real.notifications().await;
    Lived { real, began, repositories: world.repositories(), delivered }
}

/// A gateway that is told of it.
pub(super) struct Listener<'a> {
    lived: &'a Lived,
    pub(super) gateway: Gateway,
    connection: ConnectionId,
}

impl Lived {
    pub(super) fn began(&self) -> Timestamp {
        self.began
    }

    /// One that heard of nothing yet. One that asks Azure DevOps looks after the order of what it is told; one that does not is
    /// told by people's hooks.
    pub(super) async fn listener(&self, asks: bool) -> Listener<'_> {
        let (gateway, connection) = self.real.beside().await;
        gateway.advance(self.began.duration_since(gateway.app.clock.now()).unsigned_abs());
        for (project, body) in [
            ("web", json!({ "role": "code_deployment", "repository": self.repositories[0], "branch": null })),
            ("other", json!({ "role": "code_deployment", "repository": self.repositories[1], "branch": null })),
            ("builds", json!({ "role": "build_provider" })),
            ("tickets", json!({ "role": "issue_provider" })),
        ] {
            bind(&gateway, connection, project, SHOP, body).await;
        }
        reconcile(&gateway.app, connection, Mode::Mend).await.unwrap();
        if asks {
            let ask = gateway.ask("PATCH", &format!("/v1/connections/{connection}?check=false"));
            let reply = ask.header("if-match", "*").json(&json!({ "hooks": "managed" })).send().await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        Listener { lived: self, gateway, connection }
    }
}

impl Listener<'_> {
    /// Time goes on until then.
    pub(super) fn wait_until(&self, then: Timestamp) {
        let left = then.duration_since(self.gateway.app.clock.now());
        self.gateway.advance(left.try_into().unwrap_or_default());
    }

    /// Translates what is due.
    pub(super) async fn translate(&self) {
        events(&self.gateway).await;
    }

    /// By its hook.
    pub(super) async fn hears(&self, notification: &Notification) {
        deliver(&self.gateway, self.connection, notification).await;
    }

    /// By the history of its subscription.
    pub(super) async fn reads(&self, notification: &Notification) {
        let found = Found {
            connection: self.connection,
            way: Recovered::History,
            subscription_key: String::new(),
            reason: notification.reason,
            tells: Vec::new(),
            body: notification.body.clone(),
        };
        intake::recover(&self.gateway.app, found).await.unwrap();
    }

    /// By Azure's own records, long after.
    pub(super) async fn sweeps(&self) {
        self.wait_until(self.lived.real.gateway.app.clock.now());
        swept(&self.gateway, self.connection, self.lived.began, Depth::Everything, Mending::Mend).await;
    }

    /// The events in the end, when nothing waits any more.
    pub(super) async fn tells(&self) -> Vec<Event> {
        self.translate().await;
        self.wait_until(self.lived.real.gateway.app.clock.now());
        loop {
            self.translate().await;
            if self.gateway.app.order.holding() == 0 {
                return events(&self.gateway).await;
            }
            self.gateway.advance(Duration::from_secs(30));
            breaks::step(&self.gateway.app).await;
        }
    }
}
