//! Hookwell's process.

use std::process::ExitCode;

/// Replies and journal bodies of a few KiB come and go on all threads: the C library's allocator takes a fifth more CPU for
/// them, and keeps what it once had.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    hookwell::cli::run()
}
