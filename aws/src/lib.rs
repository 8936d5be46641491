//! The AWS face of [fourfold]: one endpoint that AWS clients of any language take for the services.
//!
//! - [`Router`] takes a request and gives the answer, without a socket.
//! - [`Server`] puts it on a port; `fourfold serve` is that as a program.
//! - [`MovableClock`]: time that can be moved on from outside.
//!
//! Here so far: SQS (JSON 1.0 and the older query protocol), Kinesis (JSON 1.1 and CBOR), `DynamoDB` and its streams (JSON
//! 1.0), and `GetCallerIdentity` of STS. What is not here is answered as the service answers an operation that it does not
//! have.

mod call;
mod clock;
mod control;
mod cors;
mod dynamodb;
mod fields;
mod form;
mod kinesis;
mod model;
mod refusal;
mod reply;
mod router;
mod server;
mod signature;
mod sqs;
mod sts;
mod value;
mod xml;

pub use clock::MovableClock;
pub use router::Router;
pub use server::{BODY_LEN_MAX, Server};
