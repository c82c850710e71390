//! One run of one connection.

use super::{
    apply::{self, Applied, Hands},
    catalogue::Catalogue,
    desired::{Desired, Wanted, desired},
    ledger::Ledger,
    plan::{Plan, Situation, plan},
    report::{Report, steps},
    resolve::{Resolution, resolve},
    trouble::{Trouble, TroubleKind},
    upkeep::Remembered,
};
use crate::{
    app::{
        App, Kept,
        subscriptions::{SUBSCRIPTIONS_MAX, last_arrival},
    },
    azure::client::{AzureDevOps, Failure, Host, Priority, Subscription as Found},
    domain::{Binding, Connection, ConnectionId, HookMode, Spec, Subscription, SubscriptionKey, SubscriptionState},
};
use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    time::Duration,
};

/// How long a server is believed to offer what it offered.
const CATALOGUE_KEPT: Duration = Duration::from_hours(24);
/// How long names are believed to mean what they meant.
const RESOLUTION_KEPT: Duration = Duration::from_hours(1);

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The worker's: what is rarely another may be remembered.
    Mend,
    /// Somebody asked: everything is looked up anew.
    MendAnew,
    /// Nothing is changed, here or at Azure.
    Look,
}

/// A number for what a run depends on: another one means that something was changed here.
pub(super) fn fingerprint(app: &App, kept: &Kept<Connection>) -> u64 {
    let mut hasher = DefaultHasher::new();
    kept.version.hash(&mut hasher);
    let directory = app.directory();
    for binding in directory.bindings.values().filter(|binding| binding.record.connection == kept.record.id) {
        (binding.record.id, binding.version).hash(&mut hasher);
    }
    hasher.finish()
}

/// Runs one connection, after the run of it that is under way; `None` when there is no such connection.
pub async fn reconcile(app: &App, id: ConnectionId, mode: Mode) -> Option<Report> {
    let watched = app.upkeep.of(id);
    let mut remembered = watched.running.lock().await;
    let Some(kept) = app.directory().connections.get(&id).cloned() else {
        drop(remembered);
        app.upkeep.retain(|connection| app.directory().connections.contains_key(&connection));
        return None;
    };
    if mode == Mode::MendAnew {
        *remembered = Remembered::default();
    }
    let report = of_connection(app, &kept, mode, &mut remembered).await;
    if mode != Mode::Look {
        watched.ended(app.clock.now(), report.troubles.clone());
    }
    Some(report)
}

async fn of_connection(app: &App, kept: &Kept<Connection>, mode: Mode, remembered: &mut Remembered) -> Report {
    let directory = app.directory();
    let bindings = directory.bindings_of(kept.record.id);
    let mut ledger = Ledger::open(app, kept.record.id);
    if bindings.is_empty() && ledger.records().is_empty() {
        return Report::default();
    }
    let azure = match app.azure(kept, Priority::Repair) {
        Ok(azure) => azure,
        Err(failure) => return Report::ended(Trouble::from_failure("the connection cannot be used", &failure)),
    };
    let known = match lookup(app, kept, &*azure, bindings, remembered).await {
        Ok(known) => known,
        Err(failure) => return failed("what the bindings select could not be looked up", &failure),
    };
    match kept.record.hooks {
        HookMode::Manual => by_hand(mode, &known, &mut ledger).await,
        HookMode::Managed => managed(app, kept, &*azure, mode, &known, &mut ledger).await,
    }
}

fn failed(doing: &str, failure: &Failure) -> Report {
    let mut report = Report::ended(Trouble::from_failure(doing, failure));
    if let Failure::Throttled { wait } = failure {
        report.wait = Some(*wait);
    }
    report
}

/// What is wanted, and what is not known about it.
struct Known {
    desired: Desired,
    resolution: Resolution,
    catalogue: Catalogue,
}

impl Known {
    fn troubles(&self) -> Vec<Trouble> {
        let unresolved = self.resolution.unresolved.iter().map(|(binding, why)| {
            Trouble::of(*binding, format!("{why}; what it has at Azure DevOps is left as it is"))
        });
        let silent = self.catalogue.silent.values().take(1).filter(|_| self.wants_releases()).map(|why| {
            let detail = format!(
                "events of classic releases are not available ({why}); they need the scope Release (Read) and are optional"
            );
            Trouble::new(TroubleKind::NoReleases, detail)
        });
        unresolved.chain(silent).collect()
    }

    fn wants_releases(&self) -> bool {
        self.desired.not_offered.values().any(|(wanted, _)| wanted.spec.host() == Host::Release)
    }

    fn project_name(&self, wanted: &Wanted) -> String {
        let name = self.resolution.project_names.get(&wanted.spec.project);
        name.cloned().unwrap_or_else(|| wanted.spec.project.to_string())
    }
}

async fn lookup(
    app: &App,
    kept: &Kept<Connection>,
    azure: &dyn AzureDevOps,
    bindings: &[Binding],
    remembered: &mut Remembered,
) -> Result<Known, Failure> {
    let (print, now) = (fingerprint(app, kept), app.clock.monotonic());
    let fresh = |of: u64, at: Duration, kept_for| of == print && now.saturating_sub(at) < kept_for;
    let resolution = match &remembered.resolution {
        Some((of, at, resolution)) if fresh(*of, *at, RESOLUTION_KEPT) => resolution.clone(),
        _ => resolve(azure, bindings).await?,
    };
    // What is not all known is looked up again next time.
    let whole = resolution.uncertain.is_empty();
    let at = remembered.resolution.as_ref().filter(|(of, at, _)| fresh(*of, *at, RESOLUTION_KEPT)).map_or(now, |r| r.1);
    remembered.resolution = whole.then(|| (print, at, resolution.clone()));
    let catalogue = match &remembered.catalogue {
        Some((of, at, catalogue)) if *of == kept.version && now.saturating_sub(*at) < CATALOGUE_KEPT => {
            catalogue.clone()
        }
        _ => {
            let catalogue = Catalogue::read(azure).await?;
            remembered.catalogue = catalogue.silent.is_empty().then(|| (kept.version, now, catalogue.clone()));
            catalogue
        }
    };
    let desired = desired(kept.record.id, &resolution.selected, &catalogue);
    Ok(Known { desired, resolution, catalogue })
}

/// Nothing is asked of Azure but what things are called: a person makes the hooks, and what arrives shows them.
async fn by_hand(mode: Mode, known: &Known, ledger: &mut Ledger<'_>) -> Report {
    let mut report = Report { troubles: known.troubles(), ..Report::default() };
    if mode == Mode::Look {
        return report;
    }
    let written = known.desired.wanted.iter().map(|(key, wanted)| Subscription {
        state: SubscriptionState::ManualExpected,
        ..record(known, ledger, key, wanted)
    });
    let written: Vec<Subscription> =
        written.chain(not_offered(known, ledger)).map(|r| arrived(ledger.app(), r)).collect();
    let uncertain = uncertain(known, ledger.records());
    let gone: Vec<SubscriptionKey> = ledger
        .records()
        .values()
        .filter(|record| !known.wants(&record.key) && !uncertain.contains(&record.key) && record.azure.is_none())
        .map(|record| record.key.clone())
        .collect();
    if let Err(error) = ledger.write(written, &gone).await {
        report.troubles.push(Trouble::new(TroubleKind::Failing, error.to_string()));
        report.failed = true;
    }
    report
}

async fn managed(
    app: &App,
    kept: &Kept<Connection>,
    azure: &dyn AzureDevOps,
    mode: Mode,
    known: &Known,
    ledger: &mut Ledger<'_>,
) -> Report {
    let mut troubles = known.troubles();
    let Some(gateway) = &app.settings.public_url else {
        let detail = "hooks cannot be made before the gateway knows where it is reached: start it with --public-url, such as \
                      https://hooks.example.com";
        troubles.push(Trouble::new(TroubleKind::NoPublicUrl, detail));
        return Report { troubles, failed: true, ..Report::default() };
    };
    let identity = match azure.connection_data().await {
        Ok(data) if !data.is_anonymous => Some(data.user.id),
        Ok(_) => {
            let failure = Failure::Unauthorized { detail: Some("it takes us for nobody".to_owned()) };
            return failed("subscriptions cannot be made", &failure);
        }
        Err(failure) => return failed("who we are could not be asked", &failure),
    };
    let (listed, failures) = list(azure, known, ledger.records()).await;
    let mut report = Report { failed: !failures.is_empty(), ..Report::default() };
    report.wait = failures.iter().find_map(|f| if let Failure::Throttled { wait } = f { Some(*wait) } else { None });
    troubles.extend(
        failures.iter().map(|f| Trouble::from_failure("the subscriptions could not be listed, so none is touched", f)),
    );
    if mode != Mode::Look
        && let Err(error) = ledger.write(announced(known, ledger), &[]).await
    {
        troubles.push(Trouble::new(
            TroubleKind::Failing,
            format!("nothing is made before it can be written down: {error}"),
        ));
        return Report { troubles, failed: true, ..report };
    }
    let uncertain = uncertain(known, ledger.records());
    let records = ledger.records().clone();
    let planned = plan(&Situation {
        connection: &kept.record,
        gateway,
        identity,
        now: app.clock.now(),
        wanted: &known.desired.wanted,
        uncertain: &uncertain,
        unknown_uncertain: !known.resolution.uncertain.is_empty(),
        records: &records,
        listed: &listed,
        subscriptions_max: SUBSCRIPTIONS_MAX,
    });
    report.deferred = planned.deferred.len();
    if planned.too_many > 0 {
        let detail =
            format!("{} subscriptions are not made: a connection has at most {SUBSCRIPTIONS_MAX}", planned.too_many);
        troubles.push(Trouble::new(TroubleKind::TooMany, detail));
    }
    if mode == Mode::Look {
        return Report { steps: steps(&planned, Vec::new(), &known.desired), troubles, ..report };
    }
    let hands = Hands { app, kept, azure, gateway, identity };
    let specs: BTreeMap<SubscriptionKey, Spec> =
        known.desired.wanted.iter().map(|(key, wanted)| (key.clone(), wanted.spec.clone())).collect();
    let mut applied = apply::apply(&hands, &planned, &specs, ledger).await;
    troubles.append(&mut applied.troubles);
    if let Err(error) = settle(known, &listed, &planned, &applied, &uncertain, ledger).await {
        tracing::warn!(connection = %kept.record.id, %error, "the state of subscriptions is not written down yet");
        report.failed = true;
    }
    report.failed |= !applied.failed.is_empty();
    report.wait = report.wait.max(applied.wait);
    Report { steps: steps(&planned, applied.outcomes, &known.desired), troubles, ..report }
}

/// The listing of each host that may hold one of ours; complete, or not among them.
async fn list(
    azure: &dyn AzureDevOps,
    known: &Known,
    records: &BTreeMap<SubscriptionKey, Subscription>,
) -> (BTreeMap<Host, Vec<Found>>, Vec<Failure>) {
    let (mut listed, mut failures) = (BTreeMap::new(), Vec::new());
    let wanted = known.desired.wanted.values().map(|wanted| wanted.spec.host());
    let mut hosts: BTreeSet<Host> = wanted.chain(records.values().map(|record| record.spec.host())).collect();
    hosts.insert(Host::Main);
    if !known.catalogue.publishers.contains_key("rm") {
        hosts.remove(&Host::Release);
    }
    for host in hosts {
        match azure.subscriptions(host).await {
            Ok(all) => drop(listed.insert(host, all)),
            Err(failure) => failures.push(failure),
        }
    }
    (listed, failures)
}

impl Known {
    fn wants(&self, key: &SubscriptionKey) -> bool {
        self.desired.wanted.contains_key(key) || self.desired.not_offered.contains_key(key)
    }
}

/// What is neither made nor removed: what the server does not offer, and what serves a binding of which not all is known.
fn uncertain(known: &Known, records: &BTreeMap<SubscriptionKey, Subscription>) -> BTreeSet<SubscriptionKey> {
    let serves = |record: &&Subscription| !record.bindings.is_disjoint(&known.resolution.uncertain);
    let serving = records.values().filter(serves).map(|record| record.key.clone());
    known.desired.not_offered.keys().cloned().chain(serving).collect()
}

/// The record of a wanted subscription, new or brought up to date.
fn record(known: &Known, ledger: &Ledger<'_>, key: &SubscriptionKey, wanted: &Wanted) -> Subscription {
    let before = ledger.records().get(key);
    let mut bindings = wanted.bindings.clone();
    // A binding that cannot be resolved now keeps what it had.
    bindings.extend(before.into_iter().flat_map(|b| b.bindings.intersection(&known.resolution.uncertain)));
    Subscription {
        connection: ledger.connection(),
        key: key.clone(),
        spec: wanted.spec.clone(),
        project_name: known.project_name(wanted),
        bindings,
        azure: before.and_then(|before| before.azure.clone()),
        state: before.map_or(SubscriptionState::Pending, |before| before.state),
        detail: None,
        last_action: before.and_then(|before| before.last_action.clone()),
        last_error: before.and_then(|before| before.last_error.clone()),
        last_arrival: before.and_then(|before| before.last_arrival),
        updated_at: before.map_or_else(|| ledger.app().clock.now(), |before| before.updated_at),
    }
}

fn not_offered(known: &Known, ledger: &Ledger<'_>) -> Vec<Subscription> {
    let record = |(key, (wanted, why)): (&SubscriptionKey, &(Wanted, String))| Subscription {
        state: SubscriptionState::NotOffered,
        detail: Some(why.clone()),
        ..record(known, ledger, key, wanted)
    };
    known.desired.not_offered.iter().map(record).collect()
}

/// Written down before anything is made.
fn announced(known: &Known, ledger: &Ledger<'_>) -> Vec<Subscription> {
    let state = |record: Subscription| match record.state {
        // It was of a kind that is no more: by hand, not offered or not wanted before.
        SubscriptionState::ManualExpected
        | SubscriptionState::ManualReceiving
        | SubscriptionState::NotOffered
        | SubscriptionState::Unwanted => Subscription { state: SubscriptionState::Pending, ..record },
        _ => record,
    };
    let wanted = known.desired.wanted.iter().map(|(key, wanted)| state(record(known, ledger, key, wanted)));
    wanted.chain(not_offered(known, ledger)).collect()
}

fn arrived(app: &App, mut record: Subscription) -> Subscription {
    record.last_arrival = last_arrival(app, &record);
    // Compared with what was written, this says whether the times are worth a write.
    record.updated_at = app.clock.now();
    record
}

/// Writes down how everything is after the steps.
async fn settle(
    known: &Known,
    listed: &BTreeMap<Host, Vec<Found>>,
    plan: &Plan,
    applied: &Applied,
    uncertain: &BTreeSet<SubscriptionKey>,
    ledger: &mut Ledger<'_>,
) -> Result<(), crate::app::change::Refusal> {
    let (mut written, mut gone) = (Vec::new(), Vec::new());
    for (key, before) in ledger.records() {
        let mut record = before.clone();
        let seen = listed.contains_key(&record.spec.host());
        if known.desired.wanted.contains_key(key) && seen {
            match applied.found.get(key).or_else(|| plan.found.get(key)) {
                Some(found) => {
                    record.state = match apply::state(found.status) {
                        SubscriptionState::Active if applied.failed.contains(key) && applied.unmade.contains(key) => {
                            SubscriptionState::Failing
                        }
                        state => state,
                    };
                    if let Some(azure) = record.azure.as_mut().filter(|azure| azure.id == found.id) {
                        azure.last_success = found.last_success.clone().or(azure.last_success.take());
                    }
                }
                None => {
                    record.azure = None;
                    let failed = applied.failed.contains(key) || record.state == SubscriptionState::Failing;
                    record.state = if failed { SubscriptionState::Failing } else { SubscriptionState::Pending };
                }
            }
        } else if !known.wants(key) && !uncertain.contains(key) {
            if seen && !applied.kept_undesired.contains(key) {
                gone.push(key.clone());
                continue;
            }
            record.state = SubscriptionState::Unwanted;
        }
        written.push(arrived(ledger.app(), record));
    }
    ledger.write(written, &gone).await
}
