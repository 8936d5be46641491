//! What streams keep, and what their callers carry about: records, keys, tokens, numbers.
#![no_main]

use fourfold_fuzz::limit::{Limited, limited};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limited(bytes, 1 << 20, fourfold::fuzzing::stream));
