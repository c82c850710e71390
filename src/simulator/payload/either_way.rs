//! Payloads of pipelines' hooks in the way that nobody has recorded.

use crate::simulator::{
    hooks::Misbehaviour,
    world::{
        Build,
        record_ids::{job_id, stage_id},
    },
};
use jiff::SignedDuration;
use std::borrow::Cow;

/// A run as its hooks tell it.
pub(super) fn run<'a>(own: &'a Build, switches: &Misbehaviour) -> Cow<'a, Build> {
    let later = SignedDuration::from_millis(switches.runs_end_later_milliseconds.into());
    if later.is_zero() && !switches.first_attempts_ids_stay {
        return Cow::Borrowed(own);
    }
    let mut told = own.clone();
    told.finished = told.finished.map(|at| at + later);
    if switches.first_attempts_ids_stay {
        for stage in &mut told.stages {
            stage.id = stage_id(&stage.name, 1);
            for job in &mut stage.jobs {
                job.id = job_id(&stage.name, &job.name, 1);
            }
        }
    }
    Cow::Owned(told)
}
