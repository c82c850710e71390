//! Everything that needs more than one file's private parts: the one integration binary.

mod process;
mod store;
mod tidy;
mod translate;
