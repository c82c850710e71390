//! The lever behind the stage: routes that no Azure DevOps has.

use super::{Answer, Outcome, Refusal, Request};
use crate::simulator::Simulator;

pub(super) fn answer(_: &Simulator, path: &str, _: &Request) -> Outcome {
    Err(Refusal::not_found("NoSuchRoute", path))
}
