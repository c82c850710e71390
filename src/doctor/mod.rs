//! What is wrong, and the one thing to do: a connection examined from Azure DevOps to the events, step by step.
//!
//! [`reach`] walks the way to our own door, `app::checks` asks Azure DevOps who we are and what we may, `reconcile` looks at
//! the subscriptions, [`mod@round_trip`] has a test notification sent and waits for it. [`judge`] draws the conclusions (pure),
//! [`words`] has the texts. What the others have words for is said in theirs.
//!
//! An examination takes at most 60 seconds and changes nothing but what the check of a connection keeps; it leaves one test
//! notification in the journal. Not promised: that what is seen from here is what Azure DevOps sees. Where they differ the
//! round trip is believed, and what failed on the way from here is a warning.

mod certificate;
mod heard;
mod judge;
mod reach;
mod report;
mod round_trip;
mod words;

pub use self::{
    reach::WHO_PATH,
    report::{Report, Step, StepName, Verdict},
};

use self::{
    reach::Way,
    round_trip::{RoundTrip, within},
};
use crate::{
    app::{
        App, Kept,
        attention::{backlog, translator},
        change::Refusal,
        checks::{self, Entry},
        connections::{Known, find_known},
        subscriptions,
    },
    azure::client::{Failure, Priority, Unreachable},
    domain::{AzureScope, Connection, ConnectionId, Delivery, Grant, Health, HealthState, SubscriptionState, Why},
    reconcile::{Mode, Report as Reconciled, StepReport, reconcile},
    store::{Error, Log, PageLimit, Position, Status},
};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};
use url::Url;

/// For the check of the connection, which has limits of its own that stay below.
const CHECK_TIMEOUT: Duration = Duration::from_secs(20);
/// For comparing the subscriptions with the bindings, which may wait for a run that is under way.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// For the store, which is on this machine.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// Given-up notifications are counted up to here.
const DEAD_COUNTED_MAX: usize = 1_000;
/// Notifications that wait longer than this wait for something else than their turn.
const STUCK: SignedDuration = SignedDuration::from_mins(5);

/// Everything that was found before the round trip.
struct Findings {
    /// `None` where the gateway was not told its URL.
    way: Option<Way>,
    health: Health,
    /// How far the clock of Azure DevOps is ahead of ours.
    ahead: Option<SignedDuration>,
    /// `None` where it did not come to that.
    subscriptions: Option<Subscriptions>,
    store: Status,
    translation: Translation,
    began: Timestamp,
}

/// What was found of the subscriptions.
enum Subscriptions {
    /// What a run would do, and how many there are.
    Looked { report: Reconciled, known: usize, expected: usize },
    /// It took too long.
    Unanswered,
}

/// How the translation is doing.
enum Translation {
    Known {
        /// Notifications that wait.
        waiting: u64,
        /// How long the oldest of them has.
        oldest: Option<SignedDuration>,
        /// Notifications that were given up.
        dead: usize,
    },
    /// The store cannot be read.
    Unknown(String),
}

impl Translation {
    fn stands_still(&self) -> bool {
        matches!(self, Self::Known { oldest: Some(oldest), .. } if *oldest > STUCK)
    }
}

/// Examines a connection.
///
/// # Errors
/// [`Refusal::NotFound`] when there is none with this id. Everything else is said in the report.
pub async fn examine(app: &App, id: ConnectionId) -> Result<Report, Refusal> {
    let Known { connection, .. } = find_known(&app.directory(), id)?;
    // To a connection that is polled nobody delivers.
    let polled = connection.record.delivery == Delivery::Poll;
    let public_url = app.settings.public_url.as_ref().filter(|_| !polled);
    let began = app.clock.now();
    let walking = async {
        match public_url {
            Some(url) => Some(reach::walk(app, url).await),
            None => None,
        }
    };
    let (way, (health, ahead, subscriptions), translation) =
        tokio::join!(walking, azure(app, &connection), translation(app));
    let findings = Findings { way, health, ahead, subscriptions, store: app.store.status(), translation, began };
    let mut steps = judge::before_the_round_trip(public_url, &connection.record, &findings);
    let last = match (public_url, judge::hindrance(&steps)) {
        _ if polled => judge::polled(StepName::RoundTrip),
        (None, _) => Step::skipped(StepName::RoundTrip, StepName::PublicUrl),
        (_, Some(because)) => Step::skipped(StepName::RoundTrip, because),
        (Some(url), None) => {
            let went = round_trip(app, &connection, url, &findings).await;
            if matches!(went, RoundTrip::Arrived { .. }) {
                judge::believe(&mut steps);
            }
            judge::round_trip(&connection.record, url, &went)
        }
    };
    steps.push(last);
    Ok(Report { connection: id, name: connection.record.name.clone(), at: began, steps })
}

/// What Azure DevOps says of us, and of the subscriptions if it says anything.
async fn azure(app: &App, connection: &Kept<Connection>) -> (Health, Option<SignedDuration>, Option<Subscriptions>) {
    let (id, directory) = (connection.record.id, app.directory());
    let checking = async {
        match checks::check(app, id, Priority::Interactive).await {
            Ok(Known { health: Some(health), .. }) => Arc::unwrap_or_clone(health.record),
            // What cannot be kept can be said all the same.
            _ => checks::examine(app, &connection.record, directory.bindings_of(id), None).await,
        }
    };
    let health = Box::pin(within(app, CHECK_TIMEOUT, checking)).await.unwrap_or_else(|| {
        let detail = format!("there was no answer within {} seconds", CHECK_TIMEOUT.as_secs());
        let entry = Entry::Failed(Failure::Unreachable { at: Unreachable::Silent, detail });
        let findings = checks::Findings { entry, probes: Vec::new() };
        checks::judge(&connection.record, directory.bindings_of(id), None, &findings, app.clock.now())
    });
    // What it said when it was last reached may be long ago.
    let reached = health.state != HealthState::Unreachable;
    let client = app.azure(connection, Priority::Interactive).ok().filter(|_| reached);
    let ahead = client.and_then(|client| client.clock_ahead());
    let may = health.scope(AzureScope::ServiceHooks).is_some_and(|found| found.grant != Grant::Missing);
    if judge::entry(&health).is_some() || !may {
        return (health, ahead, None);
    }
    let looking = reconcile(app, id, Mode::Look);
    let subscriptions = match within(app, LOOK_TIMEOUT, looking).await {
        Some(report) => {
            let (known, expected) = counted(app, id);
            let mut report = report.unwrap_or_default();
            report.steps.retain(|step| !is_a_second_one(app, id, step));
            Subscriptions::Looked { report, known, expected }
        }
        None => Subscriptions::Unanswered,
    };
    (health, ahead, Some(subscriptions))
}

/// Whether a step leaves one alone that a person switched off, while another one does its work.
fn is_a_second_one(app: &App, id: ConnectionId, step: &StepReport) -> bool {
    let directory = app.directory();
    let record = directory.subscriptions_of(id).find(|kept| kept.record.key == step.key);
    let serving = record.and_then(|kept| kept.record.azure.as_ref());
    let is_served =
        serving.is_some_and(|azure| step.azure_id.as_ref().is_some_and(|id| !id.eq_ignore_ascii_case(&azure.id)));
    step.what == "leave" && step.why == Why::DisabledByUser && is_served
}

/// How many subscriptions there are, and of how many that a person is to make nothing was heard yet.
fn counted(app: &App, id: ConnectionId) -> (usize, usize) {
    let directory = app.directory();
    let states = directory.subscriptions_of(id).map(|kept| subscriptions::state(app, &kept.record));
    states.fold((0, 0), |(all, silent), state| {
        (all + 1, silent + usize::from(state == SubscriptionState::ManualExpected))
    })
}

async fn translation(app: &App) -> Translation {
    let asking = async {
        let waiting = backlog(app).await?;
        let cursor = app.store.cursor(&translator()).await?;
        let one = PageLimit { records_max: 1, body_bytes_max: 1 };
        let oldest = app.store.read(Log::Notifications, cursor, one).await?;
        let oldest = oldest.first().map(|record| app.clock.now().duration_since(record.time));
        let dead = app.store.dead(&translator(), Position(0), DEAD_COUNTED_MAX).await?.len();
        Ok::<_, Error>(Translation::Known { waiting, oldest, dead })
    };
    match within(app, STORE_TIMEOUT, asking).await {
        Some(Ok(known)) => known,
        Some(Err(error)) => Translation::Unknown(error.to_string()),
        None => Translation::Unknown(format!("the store did not answer within {} seconds", STORE_TIMEOUT.as_secs())),
    }
}

async fn round_trip(app: &App, connection: &Kept<Connection>, public_url: &Url, findings: &Findings) -> RoundTrip {
    let until_translated = !findings.translation.stands_still();
    match app.azure(connection, Priority::Interactive) {
        Ok(azure) => round_trip::go(app, &connection.record, &*azure, public_url, until_translated).await,
        Err(failure) => RoundTrip::NotSent(failure),
    }
}
