//! Hookwell: every push, build and work-item event of Azure DevOps exactly once, in a standard form.
pub mod app;
pub mod azure;
pub mod clock;
pub mod config;
pub mod domain;
pub mod event;
pub mod http;
pub mod intake;
pub mod metrics;
pub mod secrets;
pub mod store;
