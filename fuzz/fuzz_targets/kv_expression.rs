//! Expressions of every kind, evaluated where they are one.
#![no_main]

use fourfold_fuzz::limit::{Limited, limited};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limited(bytes, 1 << 20, fourfold::fuzzing::kv_expression));
