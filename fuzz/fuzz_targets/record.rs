//! Records of the catalog, and the fields of the codec.
#![no_main]

use fourfold_fuzz::limit::{Limited, limited};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limited(bytes, 4 << 10, fourfold::fuzzing::record));
