//! The Store seam: one suite for every engine, and what only the embedded one promises.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::format_push_string,
    reason = "helpers of tests are tests too"
)]

mod conformance;
mod damage;
pub(crate) mod embedded;
mod faults;
mod formats;
mod full_disk;
mod model;
mod power_cut;
mod stretches;
mod verify;

use hookwell::store::{Entry, Log, PageLimit, Position, Record, Store, embedded::Options};
use jiff::Timestamp;
use std::path::Path;
use uuid::Uuid;

/// A key made of a number.
fn key(number: u64) -> Uuid {
    Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number)
}

/// Seconds since 1970.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// An entry whose body tells its number, received that many seconds after 1970.
fn entry(number: u64) -> Entry {
    Entry { key: key(number), time: at(number.try_into().unwrap()), body: format!("body {number}").into() }
}

const ALL: PageLimit = PageLimit { records_max: usize::MAX, body_bytes_max: usize::MAX };

async fn read_all(store: &dyn Store, log: Log) -> Vec<Record> {
    let mut records = Vec::new();
    let mut after = Position(0);
    loop {
        let page = store.read(log, after, ALL).await.unwrap();
        let Some(last) = page.last() else { return records };
        after = last.position;
        records.extend(page);
    }
}

/// Options of a test: whatever the disk of the machine has free.
fn options() -> Options {
    Options { free_bytes_min: 0, ..Options::default() }
}

fn open(dir: &Path) -> hookwell::store::embedded::EmbeddedStore {
    hookwell::store::embedded::EmbeddedStore::open(dir, options()).unwrap()
}
