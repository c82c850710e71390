//! The history of notifications: what our subscriptions were to deliver and did not, in the very words that they would have
//! delivered, votes and approvals included.
//!
//! A resource can be a sentence there (a captured Server of 2021: "because of its size …", in the server's language): then the
//! body of the request says what was sent, and where that is not whole, Azure's records have to do. What `filtered` means
//! nobody has recorded; by its description the delivery job filtered it, so by its subscription it was for nobody. It is
//! counted, and taken for nothing that was lost.
//!
//! It is kept for about seven days and asked by creation. A query gives at most so many, and which of them is the server's
//! choice: so a window that gives as many is split until its parts are complete. A round number counts as "as many" too,
//! since a server may give fewer than it is asked for.

use super::{
    in_order::in_order,
    sweep::{GRACE, Stopped, oldest},
    watermarks::looked_until,
};
use crate::{
    app::{App, Kept},
    azure::{
        client::{AzureDevOps, Failure, History, HistoryQuery, Host, NotificationRecord, Window},
        envelope,
    },
    domain::{Connection, Recovered, Subscription, SubscriptionState, UpdateReason},
    intake::{self, Found, Outcome},
};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use serde_json::{Map, Value, value::RawValue};
use std::{collections::BTreeMap, time::Duration};

/// How far back the history goes: seven days, by Microsoft's documentation of 2025.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// Notifications of one answer.
const RESULTS_MAX: u32 = 500;
/// Subscriptions that are asked for at once.
const SUBSCRIPTIONS_AT_ONCE: usize = 500;
/// No window is split further than this; then each subscription is asked by itself.
const SLICE_MIN: Duration = Duration::from_secs(1);
/// Appends that are under way at once.
const AT_ONCE_MAX: usize = 256;
/// A notification that is not delivered: it failed, nobody knows yet, or it was filtered.
const RESULTS: [&str; 3] = ["failed", "pending", "filtered"];

/// What a look at the history found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Notifications that came back.
    pub recovered: u64,
    /// Notifications that were here all the same: their answer was lost, or they came back before.
    pub here: u64,
    /// Notifications that Azure DevOps says it filtered.
    pub filtered: u64,
    /// When the oldest of those happened that the history does not give back: Azure's records have to do from then on.
    pub unsaid_since: Option<Timestamp>,
    /// Calls that were made for it.
    pub calls: u64,
}

/// A subscription of ours.
#[derive(Debug, Clone)]
pub(crate) struct Ours {
    /// Its key here.
    pub key: String,
    /// Which change of a pull request it tells of.
    pub reason: Option<UpdateReason>,
    /// Where it is.
    pub host: Host,
    /// Whether it is known to deliver. What is filtered of one that does not may have been for us.
    pub delivers: bool,
}

impl Ours {
    pub(crate) fn of(record: &Subscription) -> Self {
        Self {
            key: record.key.to_string(),
            reason: record.spec.reason,
            host: record.spec.host(),
            delivers: record.state == SubscriptionState::Active,
        }
    }
}

/// Looks at the history of all our subscriptions within a window. A notification that is under way is left alone while it
/// is younger than the grace.
///
/// # Errors
/// [`Stopped`]; what came back until then is here, and comes back once however often it is asked for.
pub async fn look(
    app: &App,
    kept: &Kept<Connection>,
    azure: &dyn AzureDevOps,
    window: Window,
) -> Result<Looked, Stopped> {
    let directory = app.directory();
    let records = directory.subscriptions_of(kept.record.id).map(|kept| &kept.record);
    let ours: BTreeMap<String, Ours> = records
        .filter_map(|record| {
            let id = record.azure.as_ref()?.id.to_lowercase();
            Some((id, Ours::of(record)))
        })
        .collect();
    let mut looked = Looked::default();
    for host in [Host::Main, Host::Release] {
        let of_host = ours.iter().filter(|(_, own)| own.host == host).map(|(id, _)| id.clone()).collect();
        let mut look = Look { app, kept, azure, host, ours: &ours, results: &RESULTS, grace: GRACE, looked };
        look.run(of_host, window).await?;
        looked = look.looked;
    }
    Ok(looked)
}

/// Takes over what one subscription did not deliver, before it is deleted: nothing of it is left to be waited for.
///
/// # Errors
/// [`Stopped`].
pub(crate) async fn drain(
    app: &App,
    kept: &Kept<Connection>,
    azure: &dyn AzureDevOps,
    (id, own): (String, Ours),
) -> Result<Looked, Stopped> {
    let host = own.host;
    let ours = BTreeMap::from([(id.to_lowercase(), own)]);
    // Of one subscription and a short time, everything is one call instead of three.
    let results: &[&str] = &[];
    let window = since_last_look(app, kept);
    let (grace, looked) = (Duration::ZERO, Looked::default());
    let mut look = Look { app, kept, azure, host, ours: &ours, results, grace, looked };
    look.run(vec![id], window).await?;
    Ok(look.looked)
}

/// From the last look on, once more as far as something was under way then; at first as far back as the history goes.
pub(super) fn since_last_look(app: &App, kept: &Kept<Connection>) -> Window {
    let to = app.clock.now();
    let last = looked_until(app, kept.record.id).map(|until| until - GRACE * 2);
    let from = last.unwrap_or(kept.record.created_at).max(to - KEPT).max(oldest(app));
    Window { from: from.min(to), to }
}

struct Look<'a> {
    app: &'a App,
    kept: &'a Kept<Connection>,
    azure: &'a dyn AzureDevOps,
    host: Host,
    ours: &'a BTreeMap<String, Ours>,
    /// Which results are asked for, each by itself; none is all in one.
    results: &'a [&'static str],
    grace: Duration,
    looked: Looked,
}

impl Look<'_> {
    /// Oldest first, whatever became of them: what happened to one thing must not overtake itself.
    async fn run(&mut self, subscriptions: Vec<String>, window: Window) -> Result<(), Stopped> {
        if subscriptions.is_empty() || window.from >= window.to {
            return Ok(());
        }
        let chunks: Vec<Vec<String>> = subscriptions.chunks(SUBSCRIPTIONS_AT_ONCE).map(<[String]>::to_vec).collect();
        let results: Vec<Option<&'static str>> =
            if self.results.is_empty() { vec![None] } else { self.results.iter().copied().map(Some).collect() };
        // Most look-ups find nothing or little: what is whole is held, and only the rest is asked for in slices.
        let (mut whole, mut sliced) = (Vec::new(), Vec::new());
        for chunk in &chunks {
            for result in &results {
                let found = self.ask(chunk, window, *result).await?;
                if is_cut(&found) { sliced.push((chunk, *result)) } else { whole.extend(found.values) }
            }
        }
        if sliced.is_empty() {
            return self.take(whole).await;
        }
        let (mut from, mut step) = (window.from, length(window) / 4);
        while from < window.to {
            let slice = Window { from, to: (from + step.max(SLICE_MIN)).min(window.to) };
            let smallest = length(slice) <= SLICE_MIN;
            let Some(mut found) = self.slice(&sliced, slice, smallest).await? else {
                step /= 4;
                continue;
            };
            let few = found.len() < RESULTS_MAX as usize / 3;
            found.extend(whole.extract_if(.., |own| slice.holds(own.created)));
            self.take(found).await?;
            from = slice.to;
            step = if few { length(slice) * 2 } else { length(slice) };
        }
        Ok(())
    }

    /// All of a slice, or nothing when it has to be a smaller one.
    async fn slice(
        &mut self,
        asked: &[(&Vec<String>, Option<&'static str>)],
        slice: Window,
        smallest: bool,
    ) -> Result<Option<Vec<NotificationRecord>>, Stopped> {
        let mut all = Vec::new();
        for (chunk, result) in asked {
            let found = self.ask(chunk, slice, *result).await?;
            if !is_cut(&found) {
                all.extend(found.values);
            } else if smallest {
                for subscription in *chunk {
                    let found = self.ask(std::slice::from_ref(subscription), slice, *result).await?;
                    if is_cut(&found) {
                        // More of one subscription within a second than one answer holds.
                        self.unsaid(slice.from);
                    }
                    all.extend(found.values);
                }
            } else {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    async fn ask(
        &mut self,
        subscriptions: &[String],
        within: Window,
        result: Option<&'static str>,
    ) -> Result<History, Stopped> {
        self.looked.calls += 1;
        self.app.metrics.recovery_calls.inc();
        let subscriptions = subscriptions.to_vec();
        let query = HistoryQuery { subscriptions, within, result, results_max: RESULTS_MAX, with_details: true };
        let mut stopping = self.app.stopping();
        tokio::select! {
            found = self.azure.history(self.host, &query) => match found {
                // None of them is there any more, or the server has no history.
                Err(Failure::NotFound { .. }) => Ok(History { values: Vec::new(), is_cut: false }),
                found => Ok(found?),
            },
            _ = stopping.wait_for(|stopping| *stopping) => Err(Stopped::Stopping),
        }
    }

    fn unsaid(&mut self, at: Timestamp) {
        let since = self.looked.unsaid_since.unwrap_or(at);
        self.looked.unsaid_since = Some(since.min(at));
    }

    /// Appends what did not arrive, oldest first.
    async fn take(&mut self, mut found: Vec<NotificationRecord>) -> Result<(), Stopped> {
        for own in found.extract_if(.., |own| own.result.eq_ignore_ascii_case("filtered")) {
            self.looked.filtered += 1;
            self.app.metrics.history_filtered.inc();
            if self.ours.get(&own.subscription.to_lowercase()).is_none_or(|ours| !ours.delivers) {
                self.unsaid(own.created);
            }
        }
        found.sort_by(|a, b| (a.created, &a.subscription, a.id).cmp(&(b.created, &b.subscription, b.id)));
        let under_way = self.app.clock.now() - self.grace;
        let undelivered = |own: &NotificationRecord| {
            let is = |word: &str| own.result.eq_ignore_ascii_case(word);
            is("failed") || (is("pending") && own.created <= under_way)
        };
        let mut appends = Vec::new();
        for record in found.into_iter().filter(undelivered) {
            match self.found(&record) {
                Told::Event(found) => appends.push(found),
                Told::Sample => {}
                Told::Nothing => self.unsaid(record.created),
            }
        }
        let app = self.app;
        let appending: Vec<_> = appends.into_iter().map(|found| append(app, found).boxed()).collect();
        let new = in_order(appending, AT_ONCE_MAX).await?;
        let recovered = new.iter().filter(|is_new| **is_new).count() as u64;
        self.looked.recovered += recovered;
        self.looked.here += new.len() as u64 - recovered;
        app.metrics.recovered(Recovered::History, recovered);
        Ok(())
    }

    /// The envelope as it would have been delivered.
    fn found(&self, record: &NotificationRecord) -> Told {
        let Some(body) = body(record) else { return Told::Nothing };
        if is_sample(&body) {
            return Told::Sample;
        }
        let own = self.ours.get(&record.subscription.to_lowercase());
        Told::Event(Found {
            connection: self.kept.record.id,
            way: Recovered::History,
            subscription_key: own.map(|own| own.key.clone()).unwrap_or_default(),
            reason: own.and_then(|own| own.reason),
            tells: Vec::new(),
            body: body.into(),
        })
    }
}

/// What the history tells of a notification.
enum Told {
    /// It does not have the envelope.
    Nothing,
    /// It was a test, and no event.
    Sample,
    /// This is what would have been delivered.
    Event(Found),
}

/// The envelope with what the history leaves out of it; nothing where it has no resource but a word about it.
pub(super) fn body(record: &NotificationRecord) -> Option<Vec<u8>> {
    let whole = |raw: &RawValue| {
        let event: Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
        event.get("resource").is_some_and(Value::is_object).then_some(event)
    };
    let told = [&record.event, &record.sent];
    let mut event = told.into_iter().flatten().find_map(|raw| whole(raw))?;
    event.insert("subscriptionId".to_owned(), record.subscription.clone().into());
    event.insert("notificationId".to_owned(), record.id.into());
    Some(serde_json::to_vec(&event).expect("a JSON value is always written"))
}

/// Whether it is what the Test button sends.
pub(super) fn is_sample(body: &[u8]) -> bool {
    envelope::peek(body).is_ok_and(|envelope| envelope.is_test())
}

/// Whether it was not here.
pub(super) async fn append(app: &App, found: Found) -> Result<bool, Stopped> {
    match intake::recover(app, found).await {
        Ok(receipt) => Ok(receipt.outcome != Outcome::Duplicate),
        Err(intake::Refused::Signature) => Err(Stopped::Gone),
        Err(intake::Refused::Unavailable { reason, .. }) => Err(Stopped::Store(reason)),
    }
}

fn is_cut(found: &History) -> bool {
    found.is_cut || (!found.values.is_empty() && found.values.len().is_multiple_of(100))
}

fn length(window: Window) -> Duration {
    Duration::try_from(window.to.duration_since(window.from)).unwrap_or_default()
}
