//! Everything that is tested from outside: one binary, one module per subject.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test's unwrap is an assertion, its output is read by people"
)]

mod azure;
mod backfill;
mod client;
mod deployments;
mod dispatch;
mod doctor;
mod engines;
mod harness;
mod histories;
mod http;
mod ledger;
mod process;
mod real;
mod reconcile;
mod recover;
mod simulator;
mod store;
mod survey;
mod switches;
mod tidy;
mod translate;
mod walkthrough;
mod week;
mod without_records;
