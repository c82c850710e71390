//! Whether anything is missing: what the ledger says, by binding and hour.

use super::{
    completeness_views::{BindingCompletenessView, ChainView, CompletenessPage},
    extract::{Call, Query},
    problem::Problem,
    reply::{json, linked},
};
use crate::{
    app::{App, Directory},
    azure::client::Window,
    domain::{Binding, BindingId, ConnectionId, Slug, hour_of},
    ledger,
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use warp::reply::Response;

/// Most bindings on a page, and how many without `limit`.
const LIMIT_MAX: u64 = 100;
const LIMIT_DEFAULT: u64 = 20;
/// Hours of a stream that are looked up for one page; the binding that reaches it is the last.
const PAGE_HOURS_MAX: usize = 5_000;
/// Longest stretch of a request, and how long without `from`.
const WINDOW_MAX: Duration = Duration::from_hours(24 * 31);
const WINDOW_DEFAULT: Duration = Duration::from_hours(24);

/// Read how complete the events are.
///
/// For each binding: up to when everything that Azure DevOps' own records tell is an event here, and for each hour and
/// kind of record how many facts the records told, how many of those a hook delivered, how many came back by which way,
/// and which are unexplained. Hours are written when they are over and were compared, or as soon as something in them is
/// unexplained; an hour that is not listed was not compared yet. `chain` says whether the ledger that this is read from is as it was written: what
/// was checked once since the gateway started is not checked again, and after a start so much at a time.
#[utoipa::path(get, path = "/v1/completeness", tag = "completeness", operation_id = "read_completeness",
    params(
        ("connection" = Option<Uuid>, Query, description = "Bindings of this connection."),
        ("binding" = Option<Uuid>, Query, description = "This binding."),
        ("project" = Option<String>, Query, description = "Bindings of this project, by its slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("from" = Option<String>, Query, description = "Hours from this time on; 24 hours before `to` when left out. At most 31 days before `to`.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-22T00:00:00Z"),
        ("to" = Option<String>, Query, description = "Hours before this time; now when left out.", format = DateTime, min_length = 1, max_length = 40, example = "2026-11-23T00:00:00Z"),
        ("after" = Option<Uuid>, Query, description = "As `next` gave it: the bindings after those."),
        ("limit" = Option<u32>, Query, description = "Most bindings on the page; 20 when left out.", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page of bindings.", body = CompletenessPage,
        headers(("Link" = String, description = "The next page, `rel=\"next\"`; absent at the end.")))))]
pub async fn show(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["connection", "binding", "project", "from", "to", "after", "limit"])?;
    let (app, directory) = (call.app(), call.app().directory());
    let wanted = Wanted::read(&mut query, &directory, app.clock.now());
    let after: Option<BindingId> = query.parsed("after", "what next gave");
    let limit = usize::try_from(query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)).unwrap_or(usize::MAX);
    query.finish()?;
    let after = |binding: &&Arc<Binding>| after.is_none_or(|after| binding.id > after) && wanted.takes(binding);
    let bindings: Vec<Arc<Binding>> =
        directory.bindings.values().map(|kept| &kept.record).filter(after).take(limit + 1).cloned().collect();
    let gaps = ledger::gaps(app);
    let (mut data, mut hours, mut next) = (Vec::new(), 0, None);
    for (at, binding) in bindings.iter().enumerate() {
        let found = ledger::completeness(app, binding, wanted.window, &gaps).await?;
        hours += wanted.hours() * found.streams.len();
        data.push(BindingCompletenessView::new(&found, wanted.is_covered(app, &found)));
        if at + 1 < bindings.len() && (data.len() >= limit || hours >= PAGE_HOURS_MAX) {
            next = Some(binding.id);
            break;
        }
    }
    let chain = ChainView::from(ledger::verify(app).await?);
    let Window { from, to } = wanted.window;
    let page = json(&CompletenessPage { from, to, chain, data, next: next.map(|id| id.0) });
    Ok(match next {
        Some(next) => linked(&call, &next.to_string(), page),
        None => page,
    })
}

/// What is asked for.
struct Wanted {
    connection: Option<ConnectionId>,
    binding: Option<BindingId>,
    project: Option<Slug>,
    window: Window,
    /// As they were given: what nobody asked for by name is not demanded.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Wanted {
    fn read(query: &mut Query, directory: &Directory, now: Timestamp) -> Self {
        let connection: Option<ConnectionId> = query.parsed("connection", "a connection's id");
        if connection.is_some_and(|id| !directory.connections.contains_key(&id)) {
            query.wrong("connection", "is no connection of this gateway; /v1/connections lists them");
        }
        let binding: Option<BindingId> = query.parsed("binding", "a binding's id");
        if binding.is_some_and(|id| !directory.bindings.contains_key(&id)) {
            query.wrong("binding", "is no binding of this gateway; /v1/projects/{slug}/bindings lists them");
        }
        let project: Option<Slug> = query.parsed("project", "a project's slug");
        if project.as_ref().is_some_and(|slug| !directory.projects.contains_key(slug)) {
            query.wrong("project", "is no project of this gateway; /v1/projects lists them");
        }
        let from: Option<Timestamp> = query.parsed("from", "a time like 2026-11-22T00:00:00Z");
        let to: Option<Timestamp> = query.parsed("to", "a time like 2026-11-22T00:00:00Z");
        let end = to.unwrap_or(now);
        let begin = from.unwrap_or_else(|| end.checked_sub(WINDOW_DEFAULT).unwrap_or(Timestamp::MIN));
        if begin >= end {
            query.wrong("from", "must be before to, which is now when it is left out");
        } else if end.duration_since(begin).unsigned_abs() > WINDOW_MAX {
            query.wrong("from", "must be at most 31 days before to; ask for more in several requests");
        }
        Self { connection, binding, project, window: Window { from: begin, to: end }, from, to }
    }

    fn takes(&self, binding: &Binding) -> bool {
        self.connection.is_none_or(|id| binding.connection == id)
            && self.binding.is_none_or(|id| binding.id == id)
            && self.project.as_ref().is_none_or(|slug| binding.project == *slug)
    }

    /// Hours of one stream.
    fn hours(&self) -> usize {
        let seconds = self.window.to.duration_since(hour_of(self.window.from)).as_secs();
        usize::try_from(seconds / 3_600 + 1).unwrap_or_default()
    }

    /// Whether all of it was compared. Without `to` it is enough that the comparison is not late, and without `from` it
    /// need not go back before the binding's beginning.
    fn is_covered(&self, app: &App, found: &ledger::Completeness) -> bool {
        let (Some(from), Some(until)) = (found.reach.from, found.reach.compared_until) else { return false };
        let is_late = || ledger::is_late(app, found.reach.compared_until, found.binding.created_at);
        self.from.is_none_or(|wanted| from <= wanted) && self.to.map_or_else(|| !is_late(), |wanted| until >= wanted)
    }
}
