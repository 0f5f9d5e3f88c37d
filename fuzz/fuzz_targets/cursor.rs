#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| switchback_fuzz::run("cursor", bytes));
