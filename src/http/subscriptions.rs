//! Subscriptions: how each is, and looking after them now.

use super::{
    connections::gateway,
    extract::{Call, Query},
    problem::Problem,
    reconcile_views::{ConnectionRun, ConnectionSubscriptions, ReconcileView, SubscriptionTroubleView},
    reply::json,
    subscription_views::{SubscriptionList, SubscriptionView},
    subscription_words::SubscriptionStateView,
};
use crate::{
    app::{App, subscriptions::state},
    domain::{ConnectionId, SubscriptionState},
    reconcile::{Mode, reconcile},
};
use futures_util::{StreamExt as _, stream};
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
/// nothing wants. Hooks that are not its own are never touched. With `dry_run` it says what it would do.
#[utoipa::path(post, path = "/v1/subscriptions/reconcile", tag = "subscriptions", operation_id = "reconcile_subscriptions",
    params(("connection" = Option<Uuid>, Query, description = "Only of this connection."),
        ("dry_run" = Option<bool>, Query, description = "Whether nothing is to be changed.")),
    responses((status = 200, description = "What was done, or would be; failures are in it.", body = ReconcileView)))]
pub async fn reconcile_now(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["connection", "dry_run"])?;
    let connection = connection(&mut query);
    let dry_run: bool = query.parsed("dry_run", "true or false").unwrap_or_default();
    let (app, directory) = (call.app(), call.app().directory());
    if connection.is_some_and(|id| !directory.connections.contains_key(&id)) {
        query.wrong("connection", "is no connection of this gateway; /v1/connections lists them");
    }
    query.finish()?;
    let is_wanted = |id: &ConnectionId| connection.is_none_or(|connection| connection == *id);
    let ids: Vec<ConnectionId> = directory.connections.keys().copied().filter(is_wanted).collect();
    let mode = if dry_run { Mode::Look } else { Mode::MendAnew };
    let runs = stream::iter(ids).map(|id| run(app, id, mode)).buffered(RUNNING_MAX);
    let runs: Vec<Option<ConnectionRun>> = runs.collect().await;
    Ok(json(&ReconcileView { dry_run, connections: runs.into_iter().flatten().collect() }))
}

/// `None` when the connection was removed meanwhile.
async fn run(app: &App, id: ConnectionId, mode: Mode) -> Option<ConnectionRun> {
    let report = reconcile(app, id, mode).await?;
    Some(ConnectionRun {
        connection: id.0,
        steps: report.steps.into_iter().map(Into::into).collect(),
        deferred: report.deferred,
        troubles: report.troubles.iter().map(SubscriptionTroubleView::from).collect(),
    })
}

fn connection(query: &mut Query) -> Option<ConnectionId> {
    query.parsed("connection", "a connection's id")
}
