//! What the hooks do wrong on purpose, and which of two answers they give where nobody knows what the real ones do.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The switches. All off is what is documented, and a good day.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "switches are")]
pub struct Misbehaviour {
    /// The same notification is sent twice.
    pub duplicate: Odds,
    /// A notification is sent 30 seconds late, behind what happened since.
    pub reorder: Odds,
    /// A notification stays queued for ever.
    pub stuck: Odds,
    /// An event comes to nothing: there is no notification, and the history does not know of it.
    pub lose: Odds,
    /// A notification is sent so much later, on the simulator's clock.
    pub latency_milliseconds: u64,
    /// What is sent while a subscription is on probation.
    pub on_probation: OnProbation,
    /// What a receiver counts as that cannot be reached or does not answer in time.
    pub silence: Silence,
    /// How long a receiver may take, in real time whatever the clock; the real limit is not known, 20 seconds here.
    pub timeout_milliseconds: Option<u64>,
    /// Two subscriptions get one event under two `id`s.
    pub an_id_per_subscription: bool,
    /// `X-VSS-ActivityId`, `X-VSS-SubscriptionId` and `Request-Id` are not sent.
    pub without_trace_headers: bool,
    /// The history keeps requests and answers, but not the events.
    pub history_without_events: bool,
    /// The history has a sentence in the server's language in place of the resource, as a captured Server of 2021 has of one
    /// that was too big.
    pub history_resources_are_words: bool,
    /// The history's requests have no body; a recorded one of 2023 has.
    pub history_requests_without_body: bool,
    /// How many days the history goes back; 7 by Microsoft's documentation of 2025, 14 before, and REST's own limit is not
    /// known.
    pub history_days: Option<u16>,
    /// Most notifications of one answer of the history, whatever it is asked for; whether the real one has such a limit is
    /// not known, none here.
    pub history_results_max: Option<usize>,
    /// The history begins with the oldest notifications and leaves the newest out where there are too many. Which the
    /// real one leaves out is not known; the oldest here.
    pub history_oldest_first: bool,
    /// Most bytes of a payload; 2 MB by Microsoft's documentation.
    pub payload_bytes_max: Option<usize>,
    /// What becomes of a larger one.
    pub oversized: Oversized,
    /// Most commits in the payload of a push; what the real limit is, is not known, 25 here.
    pub push_commits_max: Option<usize>,
    /// That the merge of a pull request is tried, which pushes `refs/pull/…/merge`, is told as a push too.
    pub pull_refs_fire_push: bool,
    /// That a draft is made or published passes no `notificationType`; that of the status here, and nobody has recorded it.
    pub drafts_pass_no_filter: bool,
    /// A comment is told with the revision that its item has when the hook is sent, not with its own; nobody has recorded
    /// which.
    pub comments_tell_the_latest_revision: bool,
    /// Stages and jobs have in their hooks the ids of their first attempt, as well in later ones; recorded are ids of first
    /// attempts only.
    pub first_attempts_ids_stay: bool,
    /// How much later a run ends by its hook than its build ends by REST; whether the two are the same instant is not known,
    /// they are here.
    pub runs_end_later_milliseconds: u32,
    /// That a classic deployment begins is told with its steps; without any here, as in Microsoft's sample.
    pub started_deployments_have_steps: bool,
    /// The reply of a subscription's own address to those who lack View Subscriptions; their list is empty in any case.
    pub unviewed: Unviewed,
    /// How much later a new subscription is listed; whether the real ones are listed at once is not known, at once here.
    pub listed_late_seconds: Option<u32>,
    /// How much later its own address knows a new subscription.
    pub known_late_seconds: Option<u32>,
    /// To delete takes Delete Subscriptions, as the permission's name says. Microsoft's reference of today says that it is no
    /// longer used and that Edit Subscriptions deletes; what Servers of before want is not known.
    pub delete_needs_its_own_right: bool,
    /// The reply of the catalogue for a publisher of which the server has no event; nobody has recorded one.
    pub unknown_publisher: UnknownPublisher,
    /// Subscriptions with Basic credentials over plain http are refused, as the real one does. Off, because a walkthrough
    /// on one machine has no certificate.
    pub basic_needs_https: bool,
    /// Subscriptions whose URL names a loopback, private or link-local address are refused, as the cloud does. Off for
    /// the same reason.
    pub private_targets_refused: bool,
}

/// Whom it strikes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Odds {
    /// By dice, from 0 to 1; the dice are seeded.
    pub probability: f64,
    /// Always, where the subscription is one of these.
    pub subscriptions: Vec<Uuid>,
}

/// What is sent while a subscription is on probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnProbation {
    /// The probes; new events are lost, as Microsoft documents.
    #[default]
    Probes,
    /// New events as well.
    Everything,
}

/// What becomes of a payload that is larger than the limit; the documentation only names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oversized {
    /// It is not sent: the notification fails for good, which puts its subscription on probation as other failures do.
    #[default]
    Fails,
    /// It is sent all the same.
    IsSent,
}

/// The reply of a subscription's own address to those who may not view it. Only that the list is empty is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unviewed {
    /// 403, and the permission.
    #[default]
    Refused,
    /// 404, as if it were not there.
    Absent,
    /// Their own are shown to who made them; others are refused.
    Own,
}

/// The reply of the catalogue for a publisher of which the server has no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPublisher {
    /// 200, and no event types; 404 where there is no publisher of this name at all.
    #[default]
    Empty,
    /// 404.
    NotFound,
    /// 400.
    BadRequest,
    /// 500.
    Internal,
}

/// What silence counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// It is retried as a 503 is.
    #[default]
    Transient,
    /// It is not.
    Enduring,
}

impl Odds {
    /// By dice.
    pub fn probability(probability: f64) -> Self {
        Self { probability, subscriptions: Vec::new() }
    }

    /// These subscriptions, always.
    pub fn only(subscriptions: &[Uuid]) -> Self {
        Self { probability: 0.0, subscriptions: subscriptions.to_vec() }
    }

    /// Throws the dice only where they matter, so that a switch that is off does not change what another one does.
    pub(super) fn strike(&self, subscription: Uuid, dice: impl FnOnce() -> f64) -> bool {
        self.subscriptions.contains(&subscription) || (self.probability > 0.0 && dice() < self.probability)
    }
}
