//! Lifecycle and notification rules of a bucket, and checksums of objects.
#![no_main]

use fourfold_fuzz::limit::{Limited, limited};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limited(bytes, 1 << 20, fourfold::fuzzing::rules));
