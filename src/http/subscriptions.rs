//! Subscriptions: how each is, and looking after them now.

use super::{
    Surface,
    connections::gateway,
    extract::{Call, Query},
    problem::Problem,
    reconcile_views::{ConnectionRun, ConnectionSubscriptions, ReconcileView, SubscriptionTroubleView},
    reply::json,
    subscription_views::{SubscriptionList, SubscriptionView},
    subscription_words::SubscriptionStateView,
};
use crate::{
    app::{ANSWER_TIMEOUT, subscriptions::state},
    domain::{ConnectionId, SubscriptionState},
    reconcile::{Mode, Report, Trouble, TroubleKind, reconcile},
};
use futures_util::{StreamExt as _, stream};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::mpsc;
use warp::reply::Response;

/// Connections that are looked after at once.
const RUNNING_MAX: usize = 4;

/// List subscriptions.
///
/// Those that the bindings want and those that are still there although nothing wants them, each with its state: how it is
/// at Azure DevOps, when it last delivered by Azure's word and by ours, what was done with it last and why. Where hooks
/// are made by hand, each says what has to be clicked, or posted.
#[utoipa::path(get, path = "/v1/subscriptions", tag = "subscriptions", operation_id = "list_subscriptions",
    params(("connection" = Option<Uuid>, Query, description = "Only of this connection."),
        ("state" = Option<SubscriptionStateView>, Query, description = "Only in this state.")),
    responses((status = 200, description = "All of them, with what is not in order.", body = SubscriptionList)))]
pub async fn list(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["connection", "state"])?;
    let connection = connection(&mut query);
    let wanted = query.text("state").map(|word| SubscriptionState::from_word(word).ok_or(()));
    if wanted == Some(Err(())) {
        let words: Vec<&str> = SubscriptionState::ALL.into_iter().map(SubscriptionState::word).collect();
        query.wrong("state", format!("must be one of {}", words.join(", ")));
    }
    query.finish()?;
    let (app, directory, gateway) = (call.app(), call.app().directory(), gateway(&call));
    let is_wanted = |id: ConnectionId| connection.is_none_or(|connection| connection == id);
    let wanted = wanted.and_then(Result::ok);
    let mut list = SubscriptionList { data: Vec::new(), connections: Vec::new() };
    for (id, kept) in directory.connections.iter().filter(|(id, _)| is_wanted(**id)) {
        list.connections.push(ConnectionSubscriptions::new(&kept.record, &app.upkeep.of(*id).last()));
        let of = directory.subscriptions_of(*id).map(|subscription| &subscription.record);
        let of = of.filter(|record| wanted.is_none_or(|wanted| state(app, record) == wanted));
        list.data.extend(of.map(|record| SubscriptionView::new(app, &kept.record, record, &gateway)));
    }
    Ok(json(&list))
}

/// Look after subscriptions now.
///
/// What the gateway does by itself every few minutes, at once and with everything looked up anew: it compares what the
/// bindings want with what is at Azure DevOps, makes what is missing, mends what is not as it should be, and removes what
/// nothing wants. Hooks that are not its own are never touched. With `dry_run` it says what it would do. The reply takes at
/// most 25 seconds; what takes longer has the trouble `unfinished` and goes on behind it (a dry run ends), and listing the
/// subscriptions says later how it went.
#[utoipa::path(post, path = "/v1/subscriptions/reconcile", tag = "subscriptions", operation_id = "reconcile_subscriptions",
    params(("connection" = Option<Uuid>, Query, description = "Only of this connection."),
        ("dry_run" = Option<bool>, Query, description = "Whether nothing is to be changed.")),
    responses((status = 200, description = "What was done, or would be; failures are in it.", body = ReconcileView)))]
pub async fn reconcile_now(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["connection", "dry_run"])?;
    let connection = connection(&mut query);
    let dry_run: bool = query.parsed("dry_run", "true or false").unwrap_or_default();
    let directory = call.app().directory();
    if connection.is_some_and(|id| !directory.connections.contains_key(&id)) {
        query.wrong("connection", "is no connection of this gateway; /v1/connections lists them");
    }
    query.finish()?;
    let is_wanted = |id: &ConnectionId| connection.is_none_or(|connection| connection == *id);
    let ids: Vec<ConnectionId> = directory.connections.keys().copied().filter(is_wanted).collect();
    let mode = if dry_run { Mode::Look } else { Mode::MendAnew };
    let mut ended = in_time(&call.surface, ids.clone(), mode).await;
    let report = |id| match ended.remove(&id) {
        Some(report) => report.map(|report| run(id, report)),
        None => Some(run(id, unfinished(mode))),
    };
    let connections = ids.into_iter().filter_map(report).collect();
    Ok(json(&ReconcileView { dry_run, connections }))
}

/// The runs that ended in time, with `None` for connections that were removed meanwhile. What changes something is not cut
/// off: it runs on as a task of its own.
async fn in_time(surface: &Arc<Surface>, ids: Vec<ConnectionId>, mode: Mode) -> BTreeMap<ConnectionId, Option<Report>> {
    let (sending, mut ended) = mpsc::channel(ids.len().max(1));
    let app = Arc::clone(&surface.app);
    let running = tokio::spawn(async move {
        let runs = stream::iter(ids).map(async |id| (id, reconcile(&app, id, mode).await));
        // Nobody may be there to hear it any more.
        runs.buffer_unordered(RUNNING_MAX).for_each(async |run| drop(sending.send(run).await)).await;
    });
    let mut reports = BTreeMap::new();
    let collecting = async {
        while let Some((id, report)) = ended.recv().await {
            reports.insert(id, report);
        }
    };
    let is_late = tokio::select! {
        () = collecting => false,
        () = surface.app.clock.sleep(ANSWER_TIMEOUT) => true,
    };
    if is_late && mode == Mode::Look {
        running.abort();
    }
    reports
}

fn unfinished(mode: Mode) -> Report {
    let seconds = ANSWER_TIMEOUT.as_secs();
    let detail = match mode {
        Mode::Look => format!("it was not found out within {seconds} s; ask for one connection alone, or again later"),
        Mode::Mend | Mode::MendAnew => {
            format!("it was not done within {seconds} s and goes on; GET /v1/subscriptions says later how it went")
        }
    };
    Report { troubles: vec![Trouble::new(TroubleKind::Unfinished, detail)], ..Report::default() }
}

fn run(id: ConnectionId, report: Report) -> ConnectionRun {
    ConnectionRun {
        connection: id.0,
        steps: report.steps.into_iter().map(Into::into).collect(),
        deferred: report.deferred,
        troubles: report.troubles.iter().map(SubscriptionTroubleView::from).collect(),
    }
}

fn connection(query: &mut Query) -> Option<ConnectionId> {
    query.parsed("connection", "a connection's id")
}
