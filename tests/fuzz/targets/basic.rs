#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hookwell::fuzzing::basic(data));
