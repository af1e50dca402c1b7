#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peerguard_fuzz::config::run(data));
