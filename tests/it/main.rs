//! Everything that is tested from outside: one binary, one module per subject.

mod harness;
mod http;
mod process;
mod store;
mod tidy;
mod translate;
