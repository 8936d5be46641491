//! Segment headers and frames: as they are, or, by the first byte, as if no checksum were wrong.
#![no_main]

use fourfold::fuzzing::{CHECKSUMS_AGREE, frame};
use fourfold_fuzz::limit::{Limited, limited};
use std::sync::atomic::Ordering;

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    CHECKSUMS_AGREE.store(first % 4 != 0, Ordering::Relaxed);
    limited(bytes, 64 << 10, frame);
});
