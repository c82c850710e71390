//! Removing the oldest records: at once for readers; on disk when a whole segment has nothing left that is kept.

use super::{
    Shared,
    catalog::Place,
    fault::Fault,
    reading::{self, open},
};
use crate::store::Log;

/// Entries looked at by one call, so that no append waits long behind it.
const ENTRIES_PER_CALL: u64 = 4_096;
/// Blocks read by one call: where every commit held one entry a block is one.
const BLOCKS_PER_CALL: usize = 256;

/// The positions that one call removes: those after `from` up to `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trim {
    pub(super) log: Log,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Trim {
    pub(super) fn count(&self) -> u64 {
        self.to - self.from
    }
}

/// Looks how far the log may be trimmed, within the bounds of one call. What cannot be read any more is trimmed with
/// what follows it: only that tells how old it is.
pub(super) fn plan(shared: &Shared, log: Log, before: i64) -> Result<Trim, Fault> {
    let settled_to = shared.readers().settled_to(log);
    let trimmed = shared.catalog().log(log).trimmed;
    let mut trim = Trim { log, from: trimmed, to: trimmed };
    let mut position = trimmed + 1;
    let mut file = None;
    for _ in 0..BLOCKS_PER_CALL {
        if position > settled_to || trim.count() >= ENTRIES_PER_CALL {
            break;
        }
        let place = shared.catalog().place_of(log, position);
        let segment = match place {
            Place::Absent => break,
            Place::Missing { to } => {
                position = to + 1;
                continue;
            }
            Place::In(segment) => segment,
        };
        let Some(reference) = shared.with_index(&segment, |segment| segment.block(log, position))? else {
            position += 1;
            continue;
        };
        let (number, handle) = match file.take() {
            Some((number, handle)) if number == segment.number => (number, handle),
            _ => match open(&segment) {
                Ok(handle) => (segment.number, handle),
                Err(Fault::Io(error)) => return Err(Fault::Io(error)),
                Err(Fault::Damaged(_)) => {
                    position = reference.last() + 1;
                    continue;
                }
            },
        };
        let block = reading::read_block(&handle, &segment, &reference);
        file = Some((number, handle));
        let heads = match block {
            Ok(block) => block.heads,
            Err(Fault::Io(error)) => return Err(Fault::Io(error)),
            Err(Fault::Damaged(_)) => {
                position = reference.last() + 1;
                continue;
            }
        };
        for (at, head) in (reference.first..).zip(heads) {
            if at < position {
                continue;
            }
            if at > settled_to || head.time >= before {
                return Ok(trim);
            }
            trim.to = at;
            position = at + 1;
        }
    }
    Ok(trim)
}
