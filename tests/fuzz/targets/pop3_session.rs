#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mailferry::fuzz::feed("pop3_session", data));
