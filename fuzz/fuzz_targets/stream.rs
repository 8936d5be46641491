//! What streams keep, and what their callers carry about: records, keys, tokens, numbers.
#![no_main]

use fourfold_fuzz::limit::{Limited, limited};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limited(bytes, 4 << 10, fourfold::fuzzing::stream));
