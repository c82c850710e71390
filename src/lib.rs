//! Hookwell: every push, build and work-item event of Azure DevOps exactly once, in a standard form.
pub mod azure;
pub mod clock;
pub mod domain;
pub mod event;
pub mod store;
pub mod translate;
