#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peerguard_fuzz::metrics::run(data));
