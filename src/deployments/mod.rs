//! What was deployed where: which events are deployments by the rules of the code deployments, what came with each, and how
//! they follow each other.
//!
//! ```text
//! log "events" ─▶ step: rules (pure) ─▶ found (asks Azure DevOps) ─▶ series (pure) ─▶ tell (pure)
//!                   └─▶ log "events": service.deployed, service.rolledback
//!                   └─▶ log "deployments": the same once more, kept for longer ─▶ book (memory) ─▶ the API
//! ```
//!
//! One fact is one deployment: its id is made of the event that caused it, the code deployment and the environment. What
//! was found is frozen in the event. A deployment that turns up late changes what the next one follows upon: that one is
//! told once more, as a revision that says which event it replaces. Failures never become deployments.
//!
//! Not promised: what a rule would have made of events before the rule was there, unless it is asked for.

pub mod again;
mod book;
mod builds;
mod code;
pub mod doubts;
mod found;
mod paths;
pub mod query;
mod ran;
pub mod register;
mod retell;
mod revision;
mod rules;
mod seen;
mod series;
mod started;
pub mod step;
mod tell;

pub use self::{
    book::{Book, Memory, Place as Where},
    found::Build,
    paths::is_glob,
    retell::PATIENCE,
    series::Series,
};
