#![no_main]
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("there is a folder for temporary files"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookwell::fuzzing::store(data, FOLDER.path()));
