//! Checksums of objects and parts: computing, combining, reading, writing, comparing.
//!
//! - a value is the base64 of a digest, numbers big endian; a composite one has `-` and the number of parts behind it
//! - CRCs of parts combine to that of the whole, by arithmetic on the values alone
//!
//! Not here: which checksum an operation wants, and where it is kept.

mod algorithm;
mod error;
mod hasher;
mod parts;
#[cfg(test)]
mod tests;
mod value;

pub use algorithm::{ChecksumAlgorithm, ChecksumType};
pub use error::ChecksumError;
pub use hasher::ChecksumHasher;
pub use parts::ChecksumOfParts;
pub(crate) use value::Digest;
pub use value::{Checksum, ContentMd5};
