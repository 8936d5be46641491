//! Which checksums there are, and which of the two types each can be.

use crate::objects::checksum::ChecksumError;
use std::fmt;
use std::str::FromStr;

/// A checksum that S3 can keep for an object. [`Crc64Nvme`](Self::Crc64Nvme) is what it computes by itself if a writer
/// names none.
///
/// ```
/// use fourfold::objects::{ChecksumAlgorithm, ChecksumType};
/// let algorithm: ChecksumAlgorithm = "SHA256".parse().unwrap();
/// assert_eq!(algorithm.digest_len(), 32);
/// assert_eq!(algorithm.header(), "x-amz-checksum-sha256");
/// assert_eq!(ChecksumAlgorithm::default(), ChecksumAlgorithm::Crc64Nvme);
/// assert!(!algorithm.supports(ChecksumType::FullObject), "a hash of parts cannot be joined");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// CRC-32 of zip and Ethernet: 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), of iSCSI: 4 bytes.
    Crc32c,
    /// CRC-64/NVME: 8 bytes. The default, and of the full object only.
    #[default]
    Crc64Nvme,
    /// SHA-1: 20 bytes.
    Sha1,
    /// SHA-256: 32 bytes.
    Sha256,
    /// SHA-512: 64 bytes.
    Sha512,
    /// MD5: 16 bytes.
    Md5,
    /// XXH64 with seed 0, big endian: 8 bytes.
    XxHash64,
    /// XXH3 of 64 bits with seed 0, big endian: 8 bytes.
    XxHash3,
    /// XXH3 of 128 bits with seed 0, big endian: 16 bytes.
    XxHash128,
}

use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256, Sha512, XxHash3, XxHash64, XxHash128};

impl ChecksumAlgorithm {
    /// All of them, in the order in which they are numbered on disk.
    pub const ALL: [Self; 10] =
        [Crc32, Crc32c, Crc64Nvme, Sha1, Sha256, Sha512, Md5, XxHash64, XxHash3, XxHash128];

    /// The name on the wire, such as `CRC64NVME`.
    pub const fn name(self) -> &'static str {
        match self {
            Crc32 => "CRC32",
            Crc32c => "CRC32C",
            Crc64Nvme => "CRC64NVME",
            Sha1 => "SHA1",
            Sha256 => "SHA256",
            Sha512 => "SHA512",
            Md5 => "MD5",
            XxHash64 => "XXHASH64",
            XxHash3 => "XXHASH3",
            XxHash128 => "XXHASH128",
        }
    }

    /// The name in lower case, as it stands in headers and in some messages of the service.
    pub const fn lower_name(self) -> &'static str {
        match self {
            Crc32 => "crc32",
            Crc32c => "crc32c",
            Crc64Nvme => "crc64nvme",
            Sha1 => "sha1",
            Sha256 => "sha256",
            Sha512 => "sha512",
            Md5 => "md5",
            XxHash64 => "xxhash64",
            XxHash3 => "xxhash3",
            XxHash128 => "xxhash128",
        }
    }

    /// The HTTP header that carries a value, such as `x-amz-checksum-crc32`.
    pub const fn header(self) -> &'static str {
        match self {
            Crc32 => "x-amz-checksum-crc32",
            Crc32c => "x-amz-checksum-crc32c",
            Crc64Nvme => "x-amz-checksum-crc64nvme",
            Sha1 => "x-amz-checksum-sha1",
            Sha256 => "x-amz-checksum-sha256",
            Sha512 => "x-amz-checksum-sha512",
            Md5 => "x-amz-checksum-md5",
            XxHash64 => "x-amz-checksum-xxhash64",
            XxHash3 => "x-amz-checksum-xxhash3",
            XxHash128 => "x-amz-checksum-xxhash128",
        }
    }

    /// Bytes of a value before base64.
    pub const fn digest_len(self) -> usize {
        match self {
            Crc32 | Crc32c => 4,
            Crc64Nvme | XxHash64 | XxHash3 => 8,
            Md5 | XxHash128 => 16,
            Sha1 => 20,
            Sha256 => 32,
            Sha512 => 64,
        }
    }

    /// Is it a CRC, so that the values of parts can be joined into that of the whole?
    pub const fn is_crc(self) -> bool {
        matches!(self, Crc32 | Crc32c | Crc64Nvme)
    }

    /// Can a multipart upload keep this type of it?
    pub const fn supports(self, kind: ChecksumType) -> bool {
        match kind {
            ChecksumType::FullObject => self.is_crc(),
            ChecksumType::Composite => !matches!(self, Crc64Nvme),
        }
    }

    /// The type that a multipart upload keeps if its creator names none.
    pub const fn multipart_type(self) -> ChecksumType {
        if self.supports(ChecksumType::Composite) {
            ChecksumType::Composite
        } else {
            ChecksumType::FullObject
        }
    }

    /// What a multipart upload keeps, by what its creator asked for.
    ///
    /// # Errors
    /// `InvalidRequest` for a type without an algorithm, or one that the algorithm cannot have.
    ///
    /// ```
    /// use fourfold::objects::{ChecksumAlgorithm as Algorithm, ChecksumType as Type};
    /// assert_eq!(Algorithm::of_upload(None, None).unwrap(), (Algorithm::Crc64Nvme, Type::FullObject));
    /// assert_eq!(Algorithm::of_upload(Some(Algorithm::Crc32), None).unwrap().1, Type::Composite);
    /// let refused = Algorithm::of_upload(Some(Algorithm::Sha1), Some(Type::FullObject)).unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm."
    /// );
    /// ```
    pub fn of_upload(
        algorithm: Option<Self>,
        kind: Option<ChecksumType>,
    ) -> Result<(Self, ChecksumType), ChecksumError> {
        match (algorithm, kind) {
            (None, None) => Ok((Self::default(), Self::default().multipart_type())),
            (None, Some(_)) => Err(ChecksumError::TypeWithoutAlgorithm),
            (Some(algorithm), None) => Ok((algorithm, algorithm.multipart_type())),
            (Some(algorithm), Some(kind)) if algorithm.supports(kind) => Ok((algorithm, kind)),
            (Some(algorithm), Some(kind)) => Err(ChecksumError::UnsupportedType { algorithm, kind }),
        }
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By its name on the wire, in any case.
impl FromStr for ChecksumAlgorithm {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| ChecksumError::UnknownAlgorithm { given: text.to_owned() })
    }
}

/// What a checksum of an object is computed over.
///
/// ```
/// use fourfold::objects::ChecksumType;
/// assert_eq!("COMPOSITE".parse(), Ok(ChecksumType::Composite));
/// assert_eq!(ChecksumType::FullObject.to_string(), "FULL_OBJECT");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChecksumType {
    /// Over the checksums of the parts, one after the other. Its text ends in `-` and the number of parts.
    Composite,
    /// Over all bytes of the object.
    FullObject,
}

impl ChecksumType {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }
}

impl fmt::Display for ChecksumType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ChecksumType {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        match text {
            "COMPOSITE" => Ok(Self::Composite),
            "FULL_OBJECT" => Ok(Self::FullObject),
            _ => Err(ChecksumError::InvalidValue { header: "x-amz-checksum-type" }),
        }
    }
}
