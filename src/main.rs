//! Hookwell's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookwell::cli::run()
}
