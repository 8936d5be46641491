//! Values of checksums: digest, text, stored bytes.

use crate::codec::{Malformed, Reader, Writer};
use crate::objects::checksum::{ChecksumAlgorithm, ChecksumError, ChecksumType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

const DIGEST_LEN_MAX: usize = 64;

/// The bytes of a checksum.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest {
    bytes: [u8; DIGEST_LEN_MAX],
    len: u8,
}

impl Digest {
    /// At most 64 bytes; of more, the first 64.
    pub(crate) fn new(from: &[u8]) -> Self {
        let mut bytes = [0; DIGEST_LEN_MAX];
        let mut len = 0;
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = *from;
            len += 1;
        }
        Self { bytes, len }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A checksum of an object or of a part. Its text is base64, of a composite one followed by `-` and the number of parts.
///
/// ```
/// use fourfold::objects::{Checksum, ChecksumAlgorithm, ChecksumType};
/// let whole = Checksum::parse(ChecksumAlgorithm::Crc32, "DUoRhQ==").unwrap();
/// assert_eq!((whole.kind(), whole.parts()), (ChecksumType::FullObject, None));
/// let composite = Checksum::parse(ChecksumAlgorithm::Crc32, "DUoRhQ==-3").unwrap();
/// assert_eq!((composite.kind(), composite.parts()), (ChecksumType::Composite, Some(3)));
/// assert_eq!(composite.to_string(), "DUoRhQ==-3");
/// let refused = Checksum::parse(ChecksumAlgorithm::Crc32, "DUoRhQ").unwrap_err();
/// assert_eq!(refused.to_string(), "Value for x-amz-checksum-crc32 header is invalid.");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    digest: Digest,
    /// Of a composite one.
    parts: Option<u32>,
}

impl Checksum {
    /// Of all bytes of an object or part.
    pub(crate) fn full(algorithm: ChecksumAlgorithm, digest: Digest) -> Self {
        Self { algorithm, digest, parts: None }
    }

    /// The same digest, as that of the checksums of `parts` parts.
    pub(crate) fn composite(self, parts: u32) -> Self {
        Self { parts: Some(parts), ..self }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// `InvalidRequest` if it is not the base64 of as many bytes as the algorithm gives, nor that with a number of parts.
    pub fn parse(algorithm: ChecksumAlgorithm, text: &str) -> Result<Self, ChecksumError> {
        let invalid = || ChecksumError::InvalidValue { header: algorithm.header() };
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => {
                let is_number = parts.bytes().all(|byte| byte.is_ascii_digit());
                let parts: u32 = parts.parse().map_err(|_| invalid())?;
                if !is_number || parts == 0 || !algorithm.supports(ChecksumType::Composite) {
                    return Err(invalid());
                }
                (digest, Some(parts))
            }
            None => (text, None),
        };
        let digest = decode_exactly(digest, algorithm.digest_len()).ok_or_else(invalid)?;
        Ok(Self { algorithm, digest, parts })
    }

    /// What it was computed by.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// What it was computed over.
    pub fn kind(&self) -> ChecksumType {
        if self.parts.is_some() { ChecksumType::Composite } else { ChecksumType::FullObject }
    }

    /// Of a composite one: over how many parts.
    pub fn parts(&self) -> Option<u32> {
        self.parts
    }

    /// The digest, [`digest_len`](ChecksumAlgorithm::digest_len) bytes.
    pub fn bytes(&self) -> &[u8] {
        self.digest.as_slice()
    }

    /// The digest in base64, without a number of parts.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.bytes())
    }

    /// Is this, which came with the data, what the data has?
    ///
    /// # Errors
    /// `BadDigest`.
    pub fn verify(&self, calculated: &Self) -> Result<(), ChecksumError> {
        self.compare(calculated, false)
    }

    /// Is this, which came with the completion of a multipart upload, what its parts have together? A composite one may
    /// come without the number of parts.
    ///
    /// # Errors
    /// `BadDigest`.
    pub fn verify_completed(&self, calculated: &Self) -> Result<(), ChecksumError> {
        let counted = Self { parts: self.parts.or(calculated.parts), ..*self };
        counted.compare(calculated, true)
    }

    fn compare(&self, calculated: &Self, completing: bool) -> Result<(), ChecksumError> {
        if self == calculated {
            return Ok(());
        }
        let (expected, calculated) = (Box::new(*self), Box::new(*calculated));
        Err(ChecksumError::BadChecksum { expected, calculated, completing })
    }

    /// As it is stored: algorithm, number of parts or 0, digest.
    pub(crate) fn encode(&self, to: &mut Writer) {
        let number = ChecksumAlgorithm::ALL.iter().position(|known| *known == self.algorithm);
        to.u8(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
        to.u32(self.parts.unwrap_or(0));
        to.raw(self.bytes());
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (algorithm, parts) = Self::decode_kind(from)?;
        let digest = Digest::new(from.raw(algorithm.digest_len(), "checksum")?);
        Ok(Self { algorithm, digest, parts: (parts != 0).then_some(parts) })
    }

    /// What the checksum at `from` was computed by and over; the reader stays there.
    pub(crate) fn peek_kind(from: &Reader<'_>) -> Result<(ChecksumAlgorithm, ChecksumType), Malformed> {
        let (algorithm, parts) = Self::decode_kind(&mut from.clone())?;
        Ok((algorithm, if parts == 0 { ChecksumType::FullObject } else { ChecksumType::Composite }))
    }

    /// Algorithm, and number of parts or 0.
    fn decode_kind(from: &mut Reader<'_>) -> Result<(ChecksumAlgorithm, u32), Malformed> {
        let before = from.clone();
        let number = from.u8("checksum algorithm")?;
        let Some(algorithm) = ChecksumAlgorithm::ALL.get(usize::from(number)).copied() else {
            let highest = ChecksumAlgorithm::ALL.len() - 1;
            return Err(before.malformed("checksum algorithm", format_args!("at most {highest}"), number));
        };
        let before = from.clone();
        let parts = from.u32("parts of a checksum")?;
        if parts != 0 && !algorithm.supports(ChecksumType::Composite) {
            return Err(before.malformed("parts of a checksum", "none", parts));
        }
        Ok((algorithm, parts))
    }
}

/// The base64 of exactly `len` bytes.
fn decode_exactly(text: &str, len: usize) -> Option<Digest> {
    // Compared before decoding, so that nothing is allocated for a text of any other length.
    if text.len() != len.div_ceil(3) * 4 {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    (bytes.len() == len).then(|| Digest::new(&bytes))
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base64())?;
        self.parts.map_or(Ok(()), |parts| write!(f, "-{parts}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.algorithm)
    }
}

/// The value of `Content-MD5`: what a caller says the MD5 of the data is.
///
/// ```
/// use fourfold::objects::{ChecksumAlgorithm, ChecksumHasher, ContentMd5};
/// let given = ContentMd5::parse("XUFAKrxLKna5cZ2REBfFkg==").unwrap();
/// let calculated = ChecksumHasher::digest(ChecksumAlgorithm::Md5, b"hello");
/// assert!(given.verify(calculated.bytes()).is_ok());
/// assert_eq!(given.verify(&[0; 16]).unwrap_err().code(), "BadDigest");
/// assert_eq!(ContentMd5::parse("").unwrap_err().code(), "InvalidDigest");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentMd5([u8; 16]);

impl ContentMd5 {
    /// Reads base64.
    ///
    /// # Errors
    /// `InvalidDigest` if it is not that of 16 bytes.
    pub fn parse(text: &str) -> Result<Self, ChecksumError> {
        let digest = decode_exactly(text, 16);
        let bytes = digest.as_ref().and_then(|digest| digest.as_slice().try_into().ok());
        bytes.map(Self).ok_or_else(|| ChecksumError::InvalidMd5 { given: text.to_owned() })
    }

    /// Its 16 bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Is it the MD5 that was calculated?
    ///
    /// # Errors
    /// `BadDigest`.
    pub fn verify(&self, calculated: &[u8]) -> Result<(), ChecksumError> {
        if self.0 == calculated {
            return Ok(());
        }
        let (expected, calculated) = (STANDARD.encode(self.0), STANDARD.encode(calculated));
        Err(ChecksumError::BadMd5 { expected, calculated })
    }
}
