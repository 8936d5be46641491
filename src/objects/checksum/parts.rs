//! The checksum of an object from those of its parts, without reading a byte of it.

use crate::objects::checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher, ChecksumType, Digest};

/// Takes the checksums of parts, in order, and gives that of the whole.
///
/// ```
/// use fourfold::objects::{ChecksumAlgorithm, ChecksumHasher, ChecksumOfParts, ChecksumType};
/// let algorithm = ChecksumAlgorithm::Crc32;
/// let whole = |kind| {
///     let mut parts = ChecksumOfParts::new(algorithm, kind).unwrap();
///     for part in ["hello ", "world"] {
///         parts.push(&ChecksumHasher::digest(algorithm, part.as_bytes()), part.len() as u64);
///     }
///     parts.finish()
/// };
/// assert_eq!(whole(ChecksumType::FullObject), ChecksumHasher::digest(algorithm, b"hello world"));
/// assert!(whole(ChecksumType::Composite).to_string().ends_with("-2"));
/// ```
#[derive(Clone, Debug)]
pub struct ChecksumOfParts {
    algorithm: ChecksumAlgorithm,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Composite { hasher: ChecksumHasher, parts: u32 },
    Full { crc: u64, field: Field, last: Option<(u64, u64)> },
}

impl ChecksumOfParts {
    /// No parts yet. None if the algorithm has no checksums of this type.
    pub fn new(algorithm: ChecksumAlgorithm, kind: ChecksumType) -> Option<Self> {
        let state = match kind {
            ChecksumType::Composite if algorithm.supports(kind) => {
                State::Composite { hasher: ChecksumHasher::new(algorithm), parts: 0 }
            }
            ChecksumType::Composite => return None,
            // The CRC of no bytes is zero, for all of these.
            ChecksumType::FullObject => State::Full { crc: 0, field: Field::of(algorithm)?, last: None },
        };
        Some(Self { algorithm, state })
    }

    /// Adds the next part: the checksum of all its bytes, by the same algorithm, and how many bytes it has.
    pub fn push(&mut self, checksum: &Checksum, len: u64) {
        debug_assert_eq!(checksum.algorithm(), self.algorithm);
        match &mut self.state {
            State::Composite { hasher, parts } => {
                hasher.update(checksum.bytes());
                *parts += 1;
            }
            State::Full { crc, field, last } => {
                // Most parts of an upload have one length, so its factor is kept.
                let shift = match *last {
                    Some((known, shift)) if known == len => shift,
                    _ => field.shift(len),
                };
                *last = Some((len, shift));
                *crc = field.multiply(shift, *crc) ^ number(checksum.bytes());
            }
        }
    }

    /// The checksum of all parts.
    pub fn finish(self) -> Checksum {
        match self.state {
            State::Composite { hasher, parts } => hasher.finish().composite(parts),
            State::Full { crc, .. } => {
                let bytes = crc.to_be_bytes();
                let digest = Digest::new(&bytes[bytes.len() - self.algorithm.digest_len()..]);
                Checksum::full(self.algorithm, digest)
            }
        }
    }
}

/// At most eight bytes, big endian.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Polynomials over one bit modulo that of a CRC, as the CRC has them: the highest bit is the coefficient of x^0.
///
/// The CRC of `a` followed by `n` bytes `b` is crc(a) times x^8n, plus crc(b): what the initial value and the final
/// inversion of these CRCs add cancels out.
#[derive(Clone, Copy, Debug)]
struct Field {
    polynomial: u64,
    one: u64,
}

impl Field {
    fn of(algorithm: ChecksumAlgorithm) -> Option<Self> {
        let (polynomial, one) = match algorithm {
            ChecksumAlgorithm::Crc32 => (0xedb8_8320, 1 << 31),
            ChecksumAlgorithm::Crc32c => (0x82f6_3b78, 1 << 31),
            ChecksumAlgorithm::Crc64Nvme => (0x9a6c_9329_ac4b_c9b5, 1 << 63),
            _ => return None,
        };
        Some(Self { polynomial, one })
    }

    fn multiply(self, a: u64, mut b: u64) -> u64 {
        let (mut product, mut coefficient) = (0, self.one);
        while coefficient != 0 && b != 0 {
            if a & coefficient != 0 {
                product ^= b;
            }
            coefficient >>= 1;
            b = if b & 1 == 1 { b >> 1 ^ self.polynomial } else { b >> 1 };
        }
        product
    }

    /// x to the power of 8 times `len`.
    fn shift(self, mut len: u64) -> u64 {
        let (mut power, mut product) = (self.one >> 8, self.one);
        while len != 0 {
            if len & 1 == 1 {
                product = self.multiply(product, power);
            }
            power = self.multiply(power, power);
            len >>= 1;
        }
        product
    }
}
