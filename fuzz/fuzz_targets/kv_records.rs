//! Records of tables, streams and changes.
#![no_main]

use fourfold_fuzz::limit::{Limited, limited};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limited(bytes, 1 << 20, fourfold::fuzzing::kv_records));
