//! Subscriptions that look after themselves: what the bindings want is made at Azure DevOps, and kept so.
//!
//! One run of one connection: resolve what the bindings select, ask the server what it offers, list what is there (complete
//! or not at all), plan, and do it. Nothing here is needed for a delivery: while it fails, the hooks that are there go on.
//!
//! Not promised: that a hook with a wrong password is seen before Azure restricts it (passwords come back masked), and
//! that one which a person disabled comes back by itself.

mod apply;
mod audit;
pub mod by_hand;
mod catalogue;
mod desired;
mod hands;
pub mod hook;
mod known;
mod ledger;
mod meaning;
mod plan;
pub mod removal;
mod report;
mod resolve;
mod retire;
mod run;
mod settle;
mod sight;
mod trouble;
mod upkeep;
pub mod worker;

pub use self::{
    apply::Outcome,
    report::{Report, StepReport},
    run::{Mode, reconcile},
    trouble::{Trouble, TroubleKind},
    upkeep::{LastRun, Upkeep},
};
