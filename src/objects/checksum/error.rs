//! What can be wrong with a checksum that a caller gives, in the words of the service.

use crate::error::Fault;
use crate::objects::checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
use std::fmt;

/// A refusal that a checksum is the reason for. Nothing was stored.
///
/// ```
/// use fourfold::objects::{ChecksumAlgorithm, ChecksumHasher};
/// let stored = ChecksumHasher::digest(ChecksumAlgorithm::Crc32, b"hello");
/// let given = ChecksumHasher::digest(ChecksumAlgorithm::Crc32, b"jello");
/// let refused = given.verify(&stored).unwrap_err();
/// assert_eq!(refused.code(), "BadDigest");
/// assert_eq!(refused.to_string(), "The CRC32 you specified did not match the calculated checksum.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChecksumError {
    /// `Content-MD5` is not the base64 of 16 bytes.
    InvalidMd5 {
        /// As it was given.
        given: String,
    },
    /// The data has another MD5 than `Content-MD5` says.
    BadMd5 {
        /// What `Content-MD5` says, in base64.
        expected: String,
        /// What the data has, in base64.
        calculated: String,
    },
    /// The value of a checksum header is not the base64 of as many bytes as its algorithm gives, or is none of the
    /// words that the header knows.
    InvalidValue {
        /// The header's name.
        header: &'static str,
    },
    /// The data has another checksum than was given with it.
    BadChecksum {
        /// Given.
        expected: Box<Checksum>,
        /// Of the data.
        calculated: Box<Checksum>,
        /// Was it given when a multipart upload was completed? The service then writes the algorithm in lower case.
        completing: bool,
    },
    /// No algorithm has this name.
    UnknownAlgorithm {
        /// As it was given.
        given: String,
    },
    /// Values of more than one algorithm were given.
    SeveralChecksums,
    /// A checksum type was given without an algorithm.
    TypeWithoutAlgorithm,
    /// The algorithm has no checksums of this type.
    UnsupportedType {
        /// Of the upload.
        algorithm: ChecksumAlgorithm,
        /// Not one of its types.
        kind: ChecksumType,
    },
    /// A part came with a checksum of another algorithm than its upload was created with.
    OtherAlgorithm {
        /// Of the upload.
        expected: ChecksumAlgorithm,
        /// Of the part.
        actual: ChecksumAlgorithm,
    },
    /// Completing an upload with composite checksums needs the checksum of every part.
    MissingPartChecksum {
        /// Of the upload.
        algorithm: ChecksumAlgorithm,
        /// The first part that has none.
        part_number: u32,
    },
}

impl ChecksumError {
    /// The error code of S3.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidMd5 { .. } => "InvalidDigest",
            Self::BadMd5 { .. } | Self::BadChecksum { .. } => "BadDigest",
            Self::InvalidValue { .. }
            | Self::UnknownAlgorithm { .. }
            | Self::SeveralChecksums
            | Self::TypeWithoutAlgorithm
            | Self::UnsupportedType { .. }
            | Self::OtherAlgorithm { .. }
            | Self::MissingPartChecksum { .. } => "InvalidRequest",
        }
    }

    /// Always the caller's.
    pub const fn fault(&self) -> Fault {
        Fault::Caller
    }

    /// What stands beside the message in the answer's body.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::InvalidMd5 { given } => vec![("Content-MD5", given.clone())],
            Self::BadMd5 { expected, calculated } => {
                vec![("ExpectedDigest", expected.clone()), ("CalculatedDigest", calculated.clone())]
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for ChecksumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidMd5 { .. } => f.write_str("The Content-MD5 you specified was invalid."),
            Self::BadMd5 { .. } => {
                f.write_str("The Content-MD5 you specified did not match what we received.")
            }
            Self::InvalidValue { header } => write!(f, "Value for {header} header is invalid."),
            Self::BadChecksum { expected, completing, .. } => {
                let algorithm = expected.algorithm();
                let name = if *completing { algorithm.lower_name() } else { algorithm.name() };
                write!(f, "The {name} you specified did not match the calculated checksum.")
            }
            Self::UnknownAlgorithm { .. } => f.write_str(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                 [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]",
            ),
            Self::SeveralChecksums => f.write_str(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ),
            Self::TypeWithoutAlgorithm => f.write_str(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            ),
            Self::UnsupportedType { algorithm, kind } => write!(
                f,
                "The {kind} checksum type cannot be used with the {} checksum algorithm.",
                algorithm.lower_name()
            ),
            Self::OtherAlgorithm { expected, actual } => write!(
                f,
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                expected.lower_name(),
                actual.lower_name()
            ),
            Self::MissingPartChecksum { algorithm, part_number } => write!(
                f,
                "The upload was created using a {} checksum. The complete request must include the checksum for \
                 each part. It was missing for part {part_number} in the request.",
                algorithm.lower_name()
            ),
        }
    }
}

impl std::error::Error for ChecksumError {}
