//! Filling a binding with what happened before it was there, or while nobody looked.

use super::{BindingId, ConnectionId, Stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a backfill is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// It runs, or waits for its turn.
    Running,
    /// Somebody stopped it; it can go on where it was.
    Cancelled,
    /// It is through.
    Done,
    /// It cannot go on; once the reason is mended it goes on where it was.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// How far one kind of record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillStream {
    /// Which.
    pub stream: Stream,
    /// Everything from the beginning up to here was compared and repaired.
    pub until: Timestamp,
    /// Facts that Azure's records told.
    pub found: u64,
    /// Of those, here already.
    pub already: u64,
    /// Of those, made good.
    pub repaired: u64,
    /// Of those, neither.
    pub unexplained: u64,
    /// Calls that were made.
    pub calls: u64,
    /// Where reading revisions goes on.
    pub bookmark: Option<String>,
    /// How many hours the next slice has.
    pub slice_hours: u32,
}

impl BackfillStream {
    /// Before its first slice.
    pub fn new(stream: Stream, from: Timestamp) -> Self {
        Self {
            stream,
            until: from,
            found: 0,
            already: 0,
            repaired: 0,
            unexplained: 0,
            calls: 0,
            bookmark: None,
            slice_hours: 1,
        }
    }
}

/// As kept in the registry under kind `backfill`, by binding: the last one of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Whose.
    pub binding: BindingId,
    /// Its connection when it was begun.
    pub connection: ConnectionId,
    /// From when on.
    pub from: Timestamp,
    /// Up to when.
    pub to: Timestamp,
    /// How it is.
    pub state: BackfillState,
    /// Each kind of record.
    pub streams: Vec<BackfillStream>,
    /// How long was worked on it.
    pub worked: Duration,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When this was written.
    pub updated_at: Timestamp,
}

impl Backfill {
    /// How much of the way is done, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share for people: seconds of years fit 52 bits")]
    pub fn share(&self) -> f64 {
        let way = self.to.duration_since(self.from).as_secs() as f64 * self.streams.len() as f64;
        let gone = |stream: &BackfillStream| stream.until.duration_since(self.from).as_secs() as f64;
        let gone: f64 = self.streams.iter().map(gone).sum();
        if way > 0.0 { (gone / way).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Facts compared in a second of work; `None` before the first slice.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn facts_per_second(&self) -> Option<f64> {
        let found: u64 = self.streams.iter().map(|stream| stream.found).sum();
        (!self.worked.is_zero()).then(|| found as f64 / self.worked.as_secs_f64())
    }

    /// How long the rest takes at the speed so far; `None` before the first slice.
    pub fn time_left(&self) -> Option<Duration> {
        let share = self.share();
        (share > 0.0 && !self.worked.is_zero()).then(|| self.worked.mul_f64((1.0 - share) / share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_time_left_is_that_of_the_speed_so_far() {
        let at = |hour: i64| Timestamp::from_second(hour * 3_600).unwrap();
        let mut job = Backfill {
            binding: BindingId(Uuid::nil()),
            connection: ConnectionId(Uuid::nil()),
            from: at(0),
            to: at(100),
            state: BackfillState::Running,
            streams: vec![BackfillStream::new(Stream::Pushes, at(0)), BackfillStream::new(Stream::PullRequests, at(0))],
            worked: Duration::ZERO,
            started_at: at(0),
            updated_at: at(0),
        };
        assert_eq!((job.share(), job.time_left()), (0.0, None));
        job.streams[0].until = at(50);
        job.worked = Duration::from_secs(10);
        assert_eq!((job.share(), job.time_left()), (0.25, Some(Duration::from_secs(30))));
        job.streams.iter_mut().for_each(|stream| stream.until = at(100));
        assert_eq!((job.share(), job.time_left()), (1.0, Some(Duration::ZERO)));
    }
}
