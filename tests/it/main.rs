//! Everything that is tested from outside: one binary, one module per subject.

mod process;
mod store;
mod tidy;
mod translate;
