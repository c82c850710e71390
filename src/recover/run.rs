//! One look at one connection: first the history of its subscriptions, which knows most, then Azure's own records.

use super::{
    desk::Request,
    history::{self, Looked},
    place::{Place, places},
    sweep::{Depth, GRACE, Mending, Order, Stopped, oldest, sweep},
    tally::Tally,
    watermarks::{compared, looked, watermark},
};
use crate::{
    app::{App, Directory, Kept},
    azure::client::{AzureDevOps, Failure, Priority, Window},
    domain::{Binding, Connection, ConnectionId, Delivery, Stream, Watermark, hour_of},
    ledger,
};
use jiff::Timestamp;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// How far back is looked again, for records that Azure shows late and for what leaves no trace in a listing.
const RELOOK: Duration = Duration::from_hours(24);
/// What a longer window is cut into; after each piece it is written down how far it is.
const SLICE: Duration = Duration::from_hours(24);
/// What is longer reads in bulk, behind what somebody waits for.
const SHORT: Duration = Duration::from_hours(6);

/// What a look came to.
#[derive(Debug, Default)]
pub struct Report {
    /// What the history gave back.
    pub history: Looked,
    /// What was compared.
    pub tally: Tally,
    /// What could not be looked at, in words.
    pub troubles: Vec<String>,
    /// The whole of it ended before its end: it is tried again soon.
    pub failed: bool,
    /// Azure asked to wait.
    pub wait: Option<Duration>,
}

/// Looks at a connection now; `None` when there is no such connection. The worker does it by itself; whoever asks besides
/// may meet it, and then both do the same and append once.
pub async fn recover(app: &App, id: ConnectionId, request: Request) -> Option<Report> {
    let directory = app.directory();
    let kept = directory.connections.get(&id)?.clone();
    let mut report = Report::default();
    if directory.bindings_of(id).is_empty() {
        return Some(report);
    }
    let mut look = Looking { app, directory, kept, request, report: &mut report };
    if let Err(stopped) = look.run().await {
        look.ended(&stopped);
    }
    Some(report)
}

struct Looking<'a> {
    app: &'a App,
    directory: Arc<Directory>,
    kept: Kept<Connection>,
    request: Request,
    report: &'a mut Report,
}

impl Looking<'_> {
    fn polls(&self) -> bool {
        self.kept.record.delivery == Delivery::Poll
    }

    async fn run(&mut self) -> Result<(), Stopped> {
        if !self.polls() {
            let since = self.history().await?;
            // What the history does not say, the records have to; and more may be missing there than a listing shows.
            if let Some(since) = since {
                self.request = self.request.and(Request { since: Some(since), closely: true });
            }
        }
        for (place, bindings) in places(&self.directory, self.kept.record.id) {
            let bindings: Vec<Arc<Binding>> =
                bindings.iter().filter_map(|id| Some(Arc::clone(&self.directory.bindings.get(id)?.record))).collect();
            match self.place(&place, &bindings).await {
                Err(Stopped::Azure(failure)) if failure.is_of_the_thing() => {
                    self.app.metrics.recovery_failed(place.stream.word());
                    let what = place.stream.word().replace('_', " ");
                    self.report.troubles.push(format!("the {what} of a binding cannot be compared: {failure}"));
                }
                Err(stopped) => {
                    self.app.metrics.recovery_failed(place.stream.word());
                    return Err(stopped);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Answers from when on it is silent about something.
    async fn history(&mut self) -> Result<Option<Timestamp>, Stopped> {
        let azure = self.azure(Priority::Repair)?;
        let window = history::since_last_look(self.app, &self.kept);
        match history::look(self.app, &self.kept, &*azure, window).await {
            Ok(found) => {
                looked(self.app, self.kept.record.id, window.to)
                    .await
                    .map_err(|error| Stopped::Store(error.to_string()))?;
                self.report.history = found.clone();
                Ok(found.unsaid_since)
            }
            Err(Stopped::Azure(failure)) if failure.is_of_the_thing() => {
                self.app.metrics.recovery_failed("history");
                self.report.troubles.push(format!("the history of the subscriptions cannot be read: {failure}"));
                // Whoever may not read the history still has the records.
                Ok(Some(window.from))
            }
            Err(stopped) => {
                self.app.metrics.recovery_failed("history");
                Err(stopped)
            }
        }
    }

    /// One place for all its bindings; those that were compared less far take the others along.
    async fn place(&mut self, place: &Place, bindings: &[Arc<Binding>]) -> Result<(), Stopped> {
        let now = self.app.clock.now();
        let overlap = if self.polls() { GRACE / 5 } else { GRACE };
        // What happened before a binding was there is for its backfill.
        let begun_at = |own: &Binding| hour_of(own.updated_at);
        let marks: Vec<_> = bindings.iter().map(|own| watermark(self.app, own, place.stream)).collect();
        let until = |(own, mark): (&Arc<Binding>, &Option<Watermark>)| {
            mark.as_ref().map_or(begun_at(own), |mark| mark.complete_until - overlap)
        };
        let due = bindings.iter().zip(&marks).map(until).min().unwrap_or(now);
        let relook = self.request.closely.then(|| now - RELOOK);
        // Nobody looks back further than to a binding's beginning, or to where a backfill came from.
        let begun = |(own, mark): (&Arc<Binding>, &Option<Watermark>)| {
            mark.as_ref().map_or(begun_at(own), |mark| mark.complete_from)
        };
        let begun = bindings.iter().zip(&marks).map(begun).min();
        let extra = [self.request.since, relook].into_iter().flatten().min().map(|at| at.max(begun.unwrap_or(at)));
        let from = extra.map_or(due, |extra| extra.min(due));
        // An hour that ends here is seen as a whole, so that the ledger can say how it was.
        let from = if hour_of(from) < hour_of(now) { hour_of(from) } else { from }.max(oldest(self.app));
        // A bookmark is good only for going on where the last look ended.
        let bookmark = marks.iter().map(|mark| mark.as_ref().and_then(|mark| mark.bookmark.clone())).min().flatten();
        let mut bookmark = bookmark.filter(|_| from >= due);
        let mut slice = Window { from, to: now };
        loop {
            slice.to = (slice.from + SLICE).min(now);
            let swept = self.slice(place, bindings, slice, bookmark.take()).await?;
            bookmark = swept;
            if slice.to >= now {
                return Ok(());
            }
            slice.from = slice.to;
        }
    }

    async fn slice(
        &mut self,
        place: &Place,
        bindings: &[Arc<Binding>],
        window: Window,
        bookmark: Option<String>,
    ) -> Result<Option<String>, Stopped> {
        let short = window.to.duration_since(window.from).unsigned_abs() <= SHORT;
        let azure = self.azure(if short { Priority::Repair } else { Priority::Bulk })?;
        let order = Order {
            place: place.clone(),
            bindings: bindings.iter().map(|own| own.id).collect::<BTreeSet<_>>(),
            window,
            grace: if self.polls() { Duration::ZERO } else { GRACE },
            depth: if self.request.closely { Depth::Once } else { Depth::Evidence },
            mending: Mending::Mend,
            bookmark,
        };
        let swept = sweep(self.app, &self.kept, &*azure, &order).await?;
        if swept.window.from < swept.window.to {
            let noted = ledger::note_sweep(self.app, place.stream, &order.bindings, &swept).await;
            noted.map_err(|error| Stopped::Store(error.to_string()))?;
            let (reached, mark) = ((swept.window.from, swept.window.to), swept.bookmark.as_deref());
            let written = compared(self.app, bindings.iter().map(|own| &**own), place.stream, reached, mark).await;
            written.map_err(|error| Stopped::Store(error.to_string()))?;
        }
        self.report.tally.add(swept.tally);
        Ok(swept.bookmark)
    }

    fn azure(&self, priority: Priority) -> Result<Arc<dyn AzureDevOps>, Stopped> {
        let current = self.app.directory();
        // Another credential may be needed by now, or none at all.
        let kept = current.connections.get(&self.kept.record.id).ok_or(Stopped::Gone)?;
        Ok(self.app.azure(kept, priority)?)
    }

    fn ended(&mut self, stopped: &Stopped) {
        self.report.failed = !matches!(stopped, Stopped::Gone | Stopped::Stopping);
        if let Stopped::Azure(Failure::Throttled { wait }) = stopped {
            self.report.wait = Some(*wait);
        }
        self.report.troubles.push(stopped.to_string());
    }
}

/// Whether a stream of a binding was never compared, by binding.
pub(super) fn never_compared(app: &App, directory: &Directory, id: ConnectionId) -> BTreeSet<(String, Stream)> {
    let mut fresh = BTreeSet::new();
    for (place, bindings) in places(directory, id) {
        for binding in bindings.iter().filter_map(|id| directory.bindings.get(id)) {
            if watermark(app, &binding.record, place.stream).is_none() {
                fresh.insert((binding.record.id.to_string(), place.stream));
            }
        }
    }
    fresh
}
