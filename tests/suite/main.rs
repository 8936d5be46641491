//! What a store does as its users see it. One binary: each further one would be another link step.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is a panic")]

mod contract;
mod edges;
mod examples;
mod export;
mod faults;
mod format;
mod golden;
mod inside;
mod kv;
mod kv_deliveries;
mod kv_linear;
mod kv_many;
mod kv_model;
mod kv_rules;
mod kv_threads;
mod model;
#[cfg(feature = "object_store")]
mod object_store;
mod objects;
mod objects_face;
mod objects_lifecycle;
mod objects_model;
mod objects_notify;
mod objects_parts;
mod objects_threads;
mod one_clock;
mod pipeline;
mod queue;
mod queue_large;
mod queue_manage;
mod queue_model;
mod queue_rules;
mod queue_wait;
mod repair;
mod stream;
mod stream_consumers;
mod stream_model;
mod stream_reads;
mod stream_shards;
mod stream_threads;
mod stream_time;
mod threads;
mod tidy;
mod tokio_time;
mod transaction;
mod transaction_model;
mod transaction_threads;
