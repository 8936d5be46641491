//! Blocks, index and footer of a run under a right checksum.
#![no_main]

use fourfold::fuzzing::{CHECKSUMS_AGREE, run};
use fourfold_fuzz::limit::{Limited, limited};
use std::sync::atomic::Ordering;

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    CHECKSUMS_AGREE.store(true, Ordering::Relaxed);
    limited(bytes, 16 << 10, run);
});
