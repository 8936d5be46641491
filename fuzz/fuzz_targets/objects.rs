//! Records of buckets, objects, uploads and parts, their keys, and the texts of ids and ranges.
#![no_main]

use fourfold_fuzz::limit::{Limited, limited};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limited(bytes, 16 << 10, fourfold::fuzzing::objects));
