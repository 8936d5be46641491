//! Buckets of objects, as S3 keeps them.

pub(crate) mod checksum;

pub use checksum::{
    Checksum, ChecksumAlgorithm, ChecksumError, ChecksumHasher, ChecksumOfParts, ChecksumType, ContentMd5,
};
