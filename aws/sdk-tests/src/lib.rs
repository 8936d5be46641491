//! Nothing but a place for `tests/`, and for the examples in the package's page to be compiled and run:
#![doc = include_str!("../../README.md")]
