//! What a store does as its users see it. One binary: each further one would be another link step.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is a panic")]

mod contract;
mod edges;
mod format;
mod golden;
mod model;
mod objects;
mod objects_model;
mod objects_threads;
mod repair;
mod threads;
mod tidy;
