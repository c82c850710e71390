//! Hookwell: every push, build and work-item event of Azure DevOps exactly once, in a standard form.
pub mod clock;
pub mod store;
