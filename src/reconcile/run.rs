//! One run of one connection.

use super::{
    apply, audit,
    hands::Hands,
    known::Known,
    ledger::Ledger,
    meaning::meanings,
    plan::{Plan, Situation, plan},
    report::{Report, steps},
    settle::{announced, arrived, not_offered, record, settle},
    sight::{self, Asking},
    trouble::{Trouble, TroubleKind},
    upkeep::Remembered,
};
use crate::{
    app::{App, Kept, bindings, subscriptions::SUBSCRIPTIONS_MAX},
    azure::client::{AzureDevOps, Failure, Priority},
    deployments,
    domain::{Connection, ConnectionId, Delivery, HookMode, Spec, Subscription, SubscriptionKey, SubscriptionState},
};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;
use uuid::Uuid;

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
        let Remembered { ours_on, audited, .. } = std::mem::take(&mut *remembered);
        *remembered = Remembered { ours_on, audited: audited.forget_refusal(), ..Remembered::default() };
    }
    let report = of_connection(app, &kept, mode, &mut remembered).await;
    if mode != Mode::Look {
        watched.ended(app.clock.now(), report.troubles.clone());
        drop(remembered);
        deployments::doubts::look(app, id).await;
    }
    Some(report)
}

async fn of_connection(app: &App, kept: &Kept<Connection>, mode: Mode, remembered: &mut Remembered) -> Report {
    let directory = app.directory();
    let mut ledger = Ledger::open(app, kept.record.id);
    let nothing = directory.bindings_of(kept.record.id).is_empty() && ledger.records().is_empty();
    if nothing && remembered.ours_on.is_empty() {
        return Report::default();
    }
    let azure = match app.azure(kept, Priority::Repair) {
        Ok(azure) => azure,
        Err(failure) => return Report::ended(Trouble::from_failure("the connection cannot be used", &failure)),
    };
    let mut known = match Known::lookup(app, &directory, kept, &*azure, remembered).await {
        Ok(known) => known,
        Err(failure) => return failed("what the bindings select could not be looked up", &failure),
    };
    if mode != Mode::Look {
        // Before any hook is made: what it delivers is to find its projects.
        let meanings = meanings(directory.bindings_of(kept.record.id), &known.resolution);
        if let Err(error) = bindings::keep_meanings(app, meanings).await {
            tracing::warn!(%error, "what the bindings' names mean could not be kept; the next run tries again");
        }
    }
    if kept.record.delivery == Delivery::Poll {
        // What was made while hooks delivered goes, also what serves a binding that cannot be looked up now.
        known.wants_nothing();
    }
    match kept.record.hooks {
        HookMode::Manual => by_hand(mode, &known, &mut ledger).await,
        HookMode::Managed => managed(app, kept, &*azure, mode, (&known, remembered), &mut ledger).await,
    }
}

fn failed(doing: &str, failure: &Failure) -> Report {
    let mut report = Report::ended(Trouble::from_failure(doing, failure));
    if let Failure::Throttled { wait } = failure {
        report.wait = Some(*wait);
    }
    report
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
    let uncertain = known.uncertain(ledger.records());
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

/// Who we are. A public organization answers nobody too, but makes no hooks for them.
async fn identity(azure: &dyn AzureDevOps) -> Result<Uuid, Failure> {
    let data = azure.connection_data().await?;
    if data.is_anonymous {
        return Err(Failure::Unauthorized { detail: Some("it takes us for nobody".to_owned()) });
    }
    Ok(data.user.id)
}

async fn managed(
    app: &App,
    kept: &Kept<Connection>,
    azure: &dyn AzureDevOps,
    mode: Mode,
    (known, Remembered { ours_on, audited, .. }): (&Known, &mut Remembered),
    ledger: &mut Ledger<'_>,
) -> Report {
    let mut troubles = known.troubles();
    // Where no hook is made, none needs to know where we are.
    let nowhere: Option<Url> = kept.record.url.as_str().parse().ok().filter(|_| kept.record.delivery == Delivery::Poll);
    let Some(gateway) = app.settings.public_url.as_ref().or(nowhere.as_ref()) else {
        let detail = "hooks cannot be made before the gateway knows where it is reached: start it with --public-url, such as \
                      https://hooks.example.com";
        troubles.push(Trouble::new(TroubleKind::NoPublicUrl, detail));
        return Report { troubles, failed: true, ..Report::default() };
    };
    let identity = match identity(azure).await {
        Ok(identity) => Some(identity),
        Err(failure) => return failed("subscriptions cannot be made before it is known who we are", &failure),
    };
    let (mut listed, mut failures) = known.list(azure, ledger.records(), ours_on).await;
    if mode != Mode::Look
        && let Err(error) = ledger.write(announced(known, ledger), &[]).await
    {
        troubles.push(Trouble::new(
            TroubleKind::Failing,
            format!("nothing is made before it can be written down: {error}"),
        ));
        return Report { troubles, failed: true, ..Report::default() };
    }
    let uncertain = known.uncertain(ledger.records());
    let records = ledger.records().clone();
    let asking = Asking { app, connection: &kept.record, azure, gateway, records: &records, uncertain: &uncertain };
    let sight = sight::look(&asking, &mut listed).await;
    failures.extend(sight.failures.iter().cloned());
    let mut report = Report { failed: !failures.is_empty(), ..Report::default() };
    report.wait = failures.iter().find_map(|f| if let Failure::Throttled { wait } = f { Some(*wait) } else { None });
    troubles.extend(
        failures.iter().map(|f| Trouble::from_failure("the subscriptions could not be listed, so none is touched", f)),
    );
    troubles.extend(sight.trouble(&asking));
    if mode != Mode::Look {
        audit::look(app, kept, azure, (&records, &listed), audited).await;
    }
    troubles.extend(audited.trouble());
    let planned = plan(&Situation {
        connection: &kept.record,
        gateway,
        identity,
        now: app.clock.now(),
        wanted: &known.desired.wanted,
        uncertain: &uncertain,
        unknown: &sight.unknown,
        is_dim: sight.is_dim(),
        unknown_uncertain: !known.resolution.uncertain.is_empty(),
        records: &records,
        listed: &listed,
        subscriptions_max: SUBSCRIPTIONS_MAX,
    });
    troubles.extend(strange(&planned));
    ours_on.retain(|host| !listed.contains_key(host));
    ours_on.extend(&planned.ours_on);
    report.deferred = planned.deferred.len() + sight.left;
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
    let mut applied = apply::apply(&hands, &planned, &specs, &sight.unknown, ledger).await;
    troubles.append(&mut applied.troubles);
    if let Err(error) = settle(known, &listed, (&planned, &applied), &uncertain, (&sight, audited), ledger).await {
        tracing::warn!(connection = %kept.record.id, %error, "the state of subscriptions is not written down yet");
        report.failed = true;
    }
    report.failed |= !applied.failed.is_empty();
    report.wait = report.wait.max(applied.wait);
    Report { steps: steps(&planned, applied.outcomes, &known.desired), troubles, ..report }
}

/// The trouble of hooks whose status is no word that we know. A subscription that Azure DevOps throttles or jails for its
/// volume (`jailedByNotificationsVolume` of notifications' subscriptions, vsts-rest-api-specs) may be called so here too.
fn strange(planned: &Plan) -> Option<Trouble> {
    let words: BTreeSet<&str> = planned.found.values().filter_map(|found| found.unknown_status.as_deref()).collect();
    let count = planned.found.values().filter(|found| found.unknown_status.is_some()).count();
    let words = Vec::from_iter(words).join(", ");
    let detail = format!(
        "Azure DevOps says of {count} subscriptions that they are {words}, which is no word that we know; if it delivers too \
         little, Azure's records are asked for what is missing. GET /v1/subscriptions says which they are, and the project's \
         settings, Service hooks, what Azure DevOps says of them"
    );
    (count > 0).then(|| Trouble::new(TroubleKind::Failing, detail))
}
