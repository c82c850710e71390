//! The REST surface: one table of rows, and what every request meets before its row.

mod answer;
mod call;
mod refusal;
mod route;

pub(crate) use self::{
    answer::{Answer, Body},
    call::Call,
    refusal::{Outcome, Refusal},
    route::{Handler, InProject, Location, Route},
};
