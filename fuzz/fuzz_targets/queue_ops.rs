//! Any life of a queue against the model of the tests.
#![no_main]

#[path = "../../tests/suite/queue_model.rs"]
mod queue_model;
#[path = "../../tests/suite/queue_rules.rs"]
mod queue_rules;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| queue_model::replay(bytes));
