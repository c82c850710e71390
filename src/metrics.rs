//! Every metric, in one list. Names follow Prometheus: base units, `_total` for counters (added by the encoder).

use crate::domain::{Recovered, SinkId};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// What became of a delivery at the front door.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    /// `accepted`, `duplicate`, `test`, `quarantined`, `unauthorized` or `unavailable`.
    pub outcome: &'static str,
}

/// A reply, by method and status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    /// The request's method.
    pub method: &'static str,
    /// The reply's status.
    pub status: u16,
}

/// A repair of a subscription, by its reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Repair {
    /// `url`, `inputs`, `version`, `generation`, `owner`, `on_probation` and the like.
    pub why: &'static str,
}

/// Subscriptions by how they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct State {
    /// As `/v1/subscriptions` says it.
    pub state: &'static str,
}

/// How connections to Azure DevOps are doing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConnectionStatus {
    /// `unchecked`, `enabled`, `needs_attention` or `unreachable`.
    pub status: &'static str,
}

/// Deliveries to a sink, by what came of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Delivery {
    /// The sink's id.
    pub sink: String,
    /// `delivered`, `retried`, `dead`, `expired` or `filtered`.
    pub outcome: &'static str,
}

/// A sink.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SinkLabel {
    /// Its id.
    pub sink: String,
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfBinding {
    /// Its id.
    pub binding: String,
    /// The slug of its project.
    pub project: String,
}

/// How a notification came back that no hook delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Way {
    /// `history` or `rest`.
    pub way: &'static str,
}

/// What was swept, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Swept {
    /// `pushes`, `pull_requests`, `builds`, `releases`, `work_items`; of failures also `history`.
    pub stream: &'static str,
}

/// Connections to us that we closed, by why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Closed {
    /// `waited`: it let us wait too long. `made_room`: it waited longest when there was no room for another.
    /// `over_share`: its address had as many as it may have.
    pub why: &'static str,
}

/// Connections to us.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// Those that are open.
    pub open: Gauge,
    /// Those that we closed.
    pub closed: Family<Closed, Counter>,
}

impl Doors {
    /// One more was closed.
    pub fn closed(&self, why: &'static str) {
        self.closed.get_or_create(&Closed { why }).inc();
    }
}

/// The metrics themselves; cheap to update from anywhere.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Deliveries at the front door by outcome.
    pub notifications: Family<Outcome, Counter>,
    /// Events appended to the journal (those that were there before are not counted).
    pub events: Counter,
    /// Notifications whose translation was given up.
    pub dead: Counter,
    /// Notifications that were translated although what must come before them had not come in time.
    pub order_waits_exceeded: Counter,
    /// Replies of the API by method and status.
    pub replies: Family<Answer, Counter>,
    /// API requests with a wrong or no token.
    pub strangers: Counter,
    /// Subscriptions that were made anew, by reason.
    pub repairs: Family<Repair, Counter>,
    /// Notifications that no hook delivered, by the way in which they came back.
    pub recovered: Family<Way, Counter>,
    /// Notifications that the history says were filtered.
    pub history_filtered: Counter,
    /// Sweeps that were begun, by kind of record.
    pub sweeps: Family<Swept, Counter>,
    /// Looks at records or history that ended before their end.
    pub recovery_failures: Family<Swept, Counter>,
    /// Calls to Azure DevOps for recovery.
    pub recovery_calls: Counter,
    /// Subscriptions by state.
    pub subscriptions: Family<State, Gauge>,
    /// Deliveries to sinks by what came of them.
    pub deliveries: Family<Delivery, Counter>,
    /// Events that a sink has not come to, and those that wait.
    pub sink_lag_events: Family<SinkLabel, Gauge>,
    /// How long ago the oldest of them was recorded.
    pub sink_lag_seconds: Family<SinkLabel, Gauge>,
    /// Events of a sink that wait to be tried again.
    pub sink_waiting: Family<SinkLabel, Gauge>,
    /// 1 while a sink takes what it is sent; 0 while it is paused, gone, unusable or left alone because it fails.
    pub sink_up: Family<SinkLabel, Gauge>,
    /// Notifications accepted but not yet translated.
    pub backlog: Gauge,
    /// Connections to us.
    pub doors: Doors,
    /// Connections to Azure DevOps by status.
    pub connection_status: Family<ConnectionStatus, Gauge>,
    /// Up to when each binding is complete, in seconds since 1970; none before it was first compared.
    pub complete_until: Family<OfBinding, Gauge>,
    /// Facts of each binding that are unexplained.
    pub unexplained: Family<OfBinding, Gauge>,
    /// Gaps that nobody could fill.
    pub gaps: Gauge,
    /// 1 while notifications can be stored.
    pub ready: Gauge,
    /// Bytes of the store on disk.
    pub store_bytes: Gauge,
    /// Appends waiting for the writer.
    pub store_queued: Gauge,
    /// Commits of the store since start.
    pub store_commits: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("hookwell");
        macro_rules! metric {
            ($name:literal, $help:literal) => {{
                let metric = Default::default();
                registry.register($name, $help, Clone::clone(&metric));
                metric
            }};
            ($name:literal, $help:literal, $unit:expr) => {{
                let metric = Default::default();
                registry.register_with_unit($name, $help, $unit, Clone::clone(&metric));
                metric
            }};
        }
        let notifications: Family<Outcome, Counter> =
            metric!("notifications", "Deliveries at the front door by outcome");
        let events: Counter = metric!("events", "Events appended to the journal");
        let dead: Counter = metric!("notifications_dead", "Notifications whose translation was given up");
        let order_waits_exceeded: Counter =
            metric!("order_waits_exceeded", "Notifications translated without what must come before them");
        let replies: Family<Answer, Counter> = metric!("http_replies", "Replies by method and status");
        let strangers: Counter = metric!("http_strangers", "API requests with a wrong token or none");
        let repairs: Family<Repair, Counter> =
            metric!("subscriptions_repaired", "Subscriptions that were made anew, by reason");
        let recovered: Family<Way, Counter> =
            metric!("notifications_recovered", "Notifications that no hook delivered, by how they came back");
        let history_filtered: Counter = metric!(
            "history_filtered",
            "Notifications that Azure DevOps' history says were filtered; they are not taken for lost ones"
        );
        let sweeps: Family<Swept, Counter> =
            metric!("recovery_sweeps", "Comparisons with Azure's own records, by kind of record");
        let recovery_failures: Family<Swept, Counter> =
            metric!("recovery_failures", "Looks at Azure's records or history that failed, by kind");
        let recovery_calls: Counter = metric!("recovery_calls", "Calls to Azure DevOps for recovery");
        let subscriptions: Family<State, Gauge> = metric!("subscriptions", "Subscriptions by state");
        let deliveries: Family<Delivery, Counter> = metric!("deliveries", "Deliveries to sinks by what came of them");
        let sink_lag_events: Family<SinkLabel, Gauge> =
            metric!("sink_lag_events", "Events that a sink has not come to, and those that wait");
        let sink_lag_seconds: Family<SinkLabel, Gauge> =
            metric!("sink_lag", "How long ago the oldest event that a sink lacks was recorded", Unit::Seconds);
        let sink_waiting: Family<SinkLabel, Gauge> =
            metric!("sink_waiting", "Events of a sink that wait to be tried again");
        let sink_up: Family<SinkLabel, Gauge> = metric!("sink_up", "1 while a sink takes what it is sent");
        let backlog: Gauge = metric!("translate_backlog", "Notifications accepted but not yet translated");
        let doors = Doors {
            open: metric!("http_connections", "Connections that are open"),
            closed: metric!(
                "http_connections_closed",
                "Connections that were closed because they waited or for want of room"
            ),
        };
        let connection_status: Family<ConnectionStatus, Gauge> =
            metric!("connections", "Connections to Azure DevOps by status");
        let complete_until: Family<OfBinding, Gauge> = metric!(
            "complete_until",
            "Up to when everything that is known to have happened is an event, since 1970",
            Unit::Seconds
        );
        let unexplained: Family<OfBinding, Gauge> =
            metric!("unexplained_facts", "Facts that Azure's records tell and that are no event");
        let gaps: Gauge = metric!("gaps", "What must have happened and nobody tells");
        let ready: Gauge = metric!("ready", "1 while notifications can be stored");
        let store_bytes: Gauge = metric!("store_size", "Size of the store on disk", Unit::Bytes);
        let store_queued: Gauge = metric!("store_queued", "Appends waiting for the writer");
        let store_commits: Gauge = metric!("store_commits", "Commits of the store since start");
        Self {
            registry,
            notifications,
            events,
            dead,
            order_waits_exceeded,
            replies,
            strangers,
            repairs,
            recovered,
            history_filtered,
            sweeps,
            recovery_failures,
            recovery_calls,
            subscriptions,
            deliveries,
            sink_lag_events,
            sink_lag_seconds,
            sink_waiting,
            sink_up,
            backlog,
            doors,
            connection_status,
            complete_until,
            unexplained,
            gaps,
            ready,
            store_bytes,
            store_queued,
            store_commits,
        }
    }
}

impl Metrics {
    /// One more delivery with this outcome.
    pub fn notification(&self, outcome: &'static str) {
        self.notifications.get_or_create(&Outcome { outcome }).inc();
    }

    /// So many more deliveries to a sink with this outcome.
    pub fn delivered(&self, sink: SinkId, outcome: &'static str, count: u64) {
        if count > 0 {
            self.deliveries.get_or_create(&Delivery { sink: sink.to_string(), outcome }).inc_by(count);
        }
    }

    /// The sink was removed.
    pub fn forget_sink(&self, sink: SinkId) {
        let label = SinkLabel { sink: sink.to_string() };
        for outcome in ["delivered", "retried", "dead", "expired", "filtered"] {
            self.deliveries.remove(&Delivery { sink: label.sink.clone(), outcome });
        }
        for family in [&self.sink_lag_events, &self.sink_lag_seconds, &self.sink_waiting, &self.sink_up] {
            family.remove(&label);
        }
    }

    /// So many more came back in this way.
    pub fn recovered(&self, way: Recovered, count: u64) {
        self.recovered.get_or_create(&Way { way: way.word() }).inc_by(count);
    }

    /// One more sweep.
    pub fn sweep(&self, stream: &'static str) {
        self.sweeps.get_or_create(&Swept { stream }).inc();
    }

    /// One more that failed.
    pub fn recovery_failed(&self, stream: &'static str) {
        self.recovery_failures.get_or_create(&Swept { stream }).inc();
    }

    /// All of them in the OpenMetrics text format.
    ///
    /// # Panics
    /// Never: writing to a `String` cannot fail.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}
