//! Snapshot files of any bytes, as if their checksums had verified: they make a store, or an error.
#![no_main]

use fourfold::fuzzing;
use std::sync::atomic::Ordering;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::CHECKSUMS_AGREE.store(true, Ordering::Relaxed);
    fuzzing::snapshot(bytes);
});
