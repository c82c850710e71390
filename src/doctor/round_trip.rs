//! A test notification, asked for at Azure DevOps and awaited at our own door: the whole way at once.
//!
//! It is sent as one of our hooks would send it, with a credential of a subscription key of its own, by which the journal
//! tells it apart. It is kept as a test, as a press of the Test button is, and becomes no event. So what is behind the
//! translation is shown by reading the events log at its end, and not by an event of ours.
//! An own subscription for the while was not taken: what makes hooks could leave one behind.

use crate::{
    app::{App, attention::translator},
    azure::client::{AzureDevOps, Failure, Host, NotificationRecord, PageRequest, SubscriptionDraft},
    domain::{Connection, Notification, NotificationId, Spec},
    intake::USER_NAME_PREFIX,
    reconcile::hook,
    store::{Log, PageLimit, Position},
};
use std::{collections::BTreeMap, time::Duration};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

/// For asking Azure DevOps to send it.
const ASK_TIMEOUT: Duration = Duration::from_secs(8);
/// For its arrival. What is asked for is sent within seconds, or not at all.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(20);
/// For the translation to pass it.
const TRANSLATION_TIMEOUT: Duration = Duration::from_secs(5);
/// For one question about what became of it.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(4);
/// How soon Azure DevOps is asked what became of it, and how often then.
const QUESTION_PERIOD: Duration = Duration::from_millis(500);
/// How often it is looked whether the translation has passed it.
const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// How long is waited for what Azure DevOps says it delivered.
const GRACE: Duration = Duration::from_secs(2);
/// How much of the log is read at once.
const READ: PageLimit = PageLimit { records_max: 256, body_bytes_max: 4 << 20 };

/// What became of it.
#[derive(Debug)]
pub(super) enum RoundTrip {
    /// There is no Azure project that it could be of.
    NoProject(Option<Failure>),
    /// Azure DevOps was not willing to send it.
    NotSent(Failure),
    /// It arrived.
    Arrived {
        /// How long that took since it was asked for.
        took: Duration,
        /// Whether the translation passed it in time.
        translated: bool,
        /// Why the events log cannot be read at its end, if it cannot.
        unreadable: Option<String>,
    },
    /// It did not.
    Lost(Fate),
    /// The store cannot be read.
    Unreadable(String),
}

/// What Azure DevOps says became of one that did not arrive.
#[derive(Debug)]
pub(super) enum Fate {
    /// It delivered it.
    Delivered,
    /// It failed, or was not sent yet for a reason.
    Failed(String),
    /// It does not say.
    Unsaid,
}

/// Sends one and waits for it. `until_translated` is false where it is known that the translation stands still.
pub(super) async fn go(
    app: &App,
    connection: &Connection,
    azure: &dyn AzureDevOps,
    public_url: &Url,
    until_translated: bool,
) -> RoundTrip {
    let spec = match within(app, ASK_TIMEOUT, spec(app, connection, azure)).await {
        Some(Ok(Some(spec))) => spec,
        Some(Ok(None)) | None => return RoundTrip::NoProject(None),
        Some(Err(failure)) => return RoundTrip::NoProject(Some(failure)),
    };
    let key = format!("doctor-{}", Uuid::new_v4().simple());
    let mut tail = app.store.tail(Log::Notifications);
    // Before it is asked for: it may be here before the answer to that is.
    let (before, began) = (*tail.borrow_and_update(), app.clock.monotonic());
    let draft = draft(app, connection, public_url, &key, &spec);
    let number = match within(app, ASK_TIMEOUT, azure.send_test(&draft)).await {
        Some(Ok(number)) => number,
        Some(Err(failure)) => return RoundTrip::NotSent(failure),
        None => return RoundTrip::NotSent(silent()),
    };
    let arriving = arrival(app, connection, &key, before);
    let host = Host::of(&spec.publisher);
    let position = tokio::select! {
        biased;
        arrived = arriving => match arrived {
            Ok(position) => position,
            Err(reason) => return RoundTrip::Unreadable(reason),
        },
        fate = asked_until_known(app, azure, host, number) => return RoundTrip::Lost(fate),
    };
    let took = app.clock.monotonic().saturating_sub(began);
    let translated = until_translated && within(app, TRANSLATION_TIMEOUT, passed(app, position)).await.is_some();
    RoundTrip::Arrived { took, translated, unreadable: unreadable(app).await }
}

fn silent() -> Failure {
    let at = crate::azure::client::Unreachable::Silent;
    Failure::Unreachable { at, detail: format!("there was no answer within {} seconds", ASK_TIMEOUT.as_secs()) }
}

/// What it is of: what one of our subscriptions is of, else pushes to the first project there.
async fn spec(app: &App, connection: &Connection, azure: &dyn AzureDevOps) -> Result<Option<Spec>, Failure> {
    let directory = app.directory();
    let mut ours = directory.subscriptions_of(connection.id).map(|kept| &kept.record.spec);
    // The host of releases is another: what arrives from there would say nothing about the others.
    if let Some(spec) = ours.find(|spec| spec.host() == Host::Main) {
        return Ok(Some(spec.clone()));
    }
    let first = PageRequest { items_max: 1, from: None };
    let project = azure.projects(first).await?.items.into_iter().next();
    Ok(project.map(|project| Spec {
        publisher: "tfs".to_owned(),
        event_type: "git.push".to_owned(),
        resource_version: "1.0".to_owned(),
        project: project.id,
        filters: BTreeMap::new(),
        reason: None,
    }))
}

fn draft(app: &App, connection: &Connection, public_url: &Url, key: &str, spec: &Spec) -> SubscriptionDraft {
    let generation = connection.hook.current;
    let url = hook::url(public_url.as_str(), connection.id, spec.reason);
    SubscriptionDraft {
        publisher: spec.publisher.clone(),
        event_type: spec.event_type.clone(),
        resource_version: spec.resource_version.clone(),
        publisher_inputs: hook::publisher_inputs(spec),
        consumer_inputs: hook::consumer_inputs(
            url,
            format!("{USER_NAME_PREFIX}.{key}.{generation}"),
            connection.accept_untrusted_certs,
        ),
        password: Zeroizing::new(app.hook_key.hook_password(connection.id, key, generation)),
    }
}

/// Waits for it at the end of the log.
async fn arrival(app: &App, connection: &Connection, key: &str, mut after: Position) -> Result<Position, String> {
    let mut tail = app.store.tail(Log::Notifications);
    loop {
        tail.borrow_and_update();
        loop {
            let records = app.store.read(Log::Notifications, after, READ).await.map_err(|error| error.to_string())?;
            if records.end == after {
                break;
            }
            after = records.end;
            let ours = records.iter().find(|record| {
                let read = Notification::from_stored(NotificationId(record.key), &record.body);
                read.is_some_and(|own| own.connection == connection.id && own.verified.subscription_key == key)
            });
            if let Some(ours) = ours {
                return Ok(ours.position);
            }
        }
        tail.changed().await.map_err(|_| "the store was closed".to_owned())?;
    }
}

/// Asks what became of it until that is known, and leaves it time to arrive.
async fn asked_until_known(app: &App, azure: &dyn AzureDevOps, host: Host, number: i64) -> Fate {
    let asking = async {
        loop {
            app.clock.sleep(QUESTION_PERIOD).await;
            if let Some(Ok(record)) = within(app, QUESTION_TIMEOUT, azure.test(host, number)).await
                && let Some(fate) = fate(record)
            {
                return fate;
            }
        }
    };
    match within(app, ARRIVAL_TIMEOUT, asking).await {
        Some(fate) => {
            app.clock.sleep(GRACE).await;
            fate
        }
        None => Fate::Unsaid,
    }
}

fn fate(record: NotificationRecord) -> Option<Fate> {
    match (record.result.as_str(), record.error) {
        ("succeeded", _) => Some(Fate::Delivered),
        (_, Some(error)) => Some(Fate::Failed(error)),
        ("failed" | "filtered", None) => Some(Fate::Failed("it does not say why".to_owned())),
        _ => None,
    }
}

async fn passed(app: &App, position: Position) {
    while !app.store.cursor(&translator()).await.is_ok_and(|cursor| cursor >= position) {
        app.clock.sleep(LOOK_PERIOD).await;
    }
}

/// Why the events log cannot be read at its end.
async fn unreadable(app: &App) -> Option<String> {
    let before = Position(app.store.tail(Log::Events).borrow().0.saturating_sub(1));
    app.store.read(Log::Events, before, READ).await.err().map(|error| error.to_string())
}

/// What it answers, unless it takes longer than that or the gateway stops.
pub(super) async fn within<T>(app: &App, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut stopping = app.stopping();
    tokio::select! {
        biased;
        answer = work => Some(answer),
        () = app.clock.sleep(limit) => None,
        _ = stopping.wait_for(|stopping| *stopping) => None,
    }
}
