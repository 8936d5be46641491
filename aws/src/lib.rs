//! The AWS face of [fourfold]: one endpoint that AWS clients of any language take for the services.
//!
//! - [`Router`] takes a request and gives the answer, without a socket.
//! - [`Server`] puts it on a port; `fourfold serve` is that as a program.
//! - `sdk` (feature `sdk`) is a transport for clients of the AWS SDK for Rust: they talk to a router in the same process.
//! - [`MovableClock`]: time that can be moved on from outside.
//!
//! SQS speaks JSON 1.0 and the older query protocol, Kinesis JSON 1.1, CBOR and event streams, `DynamoDB` and its streams
//! JSON 1.0; of STS there is `GetCallerIdentity`. What is not here is answered as the service answers an operation that it
//! does not have.

mod body;
mod call;
mod clock;
mod control;
mod cors;
mod drained;
mod dynamodb;
mod fields;
mod form;
mod gauges;
mod kinesis;
mod limits;
mod metrics;
mod model;
mod paced;
mod refusal;
mod reply;
mod router;
mod s3;
#[cfg(feature = "sdk")]
pub mod sdk;
mod server;
mod signature;
mod sqs;
mod sts;
mod value;
mod xml;

pub use body::{Body, BodyError};
pub use clock::MovableClock;
pub use limits::Limits;
pub use router::{BODIES_LEN_MAX, BODY_LEN_MAX, Router};
pub use server::Server;
