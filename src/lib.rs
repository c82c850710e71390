//! Hookwell: every push, build and work-item event of Azure DevOps exactly once, in a standard form.
//!
//! The modules by floors, lowest first; imports go down only (`tests/it/tidy.rs` keeps it, ARCHITECTURE.md says why).

// Vocabulary: ours, CloudEvents', Azure's; and time.
pub mod azure;
pub mod clock;
pub mod domain;
pub mod event;

// Seams, pure logic and plain settings.
pub mod config;
pub mod metrics;
pub mod secrets;
pub mod sink;
pub mod store;
pub mod translate;

// What the program does.
pub mod app;
pub mod backfill;
pub mod deployments;
pub mod dispatch;
pub mod doctor;
pub mod intake;
pub mod ledger;
pub mod reconcile;
pub mod recover;
pub mod relations;
pub mod survey;

// The network's side, and an Azure DevOps to try it with.
pub mod http;
pub mod simulator;

// The process.
pub mod cli;
pub mod demo;
pub mod gateway;
pub mod serve;
pub mod telemetry;

// Bytes of anybody for all that reads them; nothing of the program uses it.
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
