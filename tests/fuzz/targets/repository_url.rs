#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hookwell::fuzzing::repository_url(data));
