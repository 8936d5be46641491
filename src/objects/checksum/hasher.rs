//! Computing a checksum as the bytes pass by.

use crate::objects::checksum::{Checksum, ChecksumAlgorithm, Digest};
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use std::fmt;
use xxhash_rust::{xxh3::Xxh3Default, xxh64::Xxh64};

/// A checksum that is being computed: [`update`](Self::update) with the bytes in order, in pieces of any size.
///
/// ```
/// use fourfold::objects::{ChecksumAlgorithm, ChecksumHasher};
/// let mut hasher = ChecksumHasher::new(ChecksumAlgorithm::Crc32c);
/// hasher.update(b"12345");
/// hasher.update(b"6789");
/// assert_eq!(hasher.finish().to_string(), "4waSgw==");
/// ```
#[derive(Clone)]
pub struct ChecksumHasher {
    algorithm: ChecksumAlgorithm,
    state: State,
}

#[derive(Clone)]
enum State {
    Crc(Box<crc_fast::Digest>),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Md5(md5::Md5),
    XxHash64(Xxh64),
    XxHash3(Box<Xxh3Default>),
}

impl ChecksumHasher {
    /// Nothing hashed yet.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let crc = |algorithm| State::Crc(Box::new(crc_fast::Digest::new(algorithm)));
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            ChecksumAlgorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            ChecksumAlgorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
            ChecksumAlgorithm::Md5 => State::Md5(md5::Md5::new()),
            ChecksumAlgorithm::XxHash64 => State::XxHash64(Xxh64::new(0)),
            ChecksumAlgorithm::XxHash3 | ChecksumAlgorithm::XxHash128 => {
                State::XxHash3(Box::new(Xxh3Default::new()))
            }
        };
        Self { algorithm, state }
    }

    /// What it computes.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(bytes),
            State::Sha1(sha) => sha.update(bytes),
            State::Sha256(sha) => sha.update(bytes),
            State::Sha512(sha) => sha.update(bytes),
            State::Md5(md5) => md5.update(bytes),
            State::XxHash64(xxh) => xxh.update(bytes),
            State::XxHash3(xxh) => xxh.update(bytes),
        }
    }

    /// The checksum of all bytes taken.
    pub fn finish(self) -> Checksum {
        let long = self.algorithm.digest_len() == 16;
        let digest = match self.state {
            State::Crc(crc) => {
                let value = crc.finalize().to_be_bytes();
                // A CRC of 32 bits comes in the low half.
                Digest::new(&value[value.len() - self.algorithm.digest_len()..])
            }
            State::Sha1(sha) => Digest::new(&sha.finalize()),
            State::Sha256(sha) => Digest::new(&sha.finalize()),
            State::Sha512(sha) => Digest::new(&sha.finalize()),
            State::Md5(md5) => Digest::new(&md5.finalize()),
            State::XxHash64(xxh) => Digest::new(&xxh.digest().to_be_bytes()),
            State::XxHash3(xxh) if long => Digest::new(&xxh.digest128().to_be_bytes()),
            State::XxHash3(xxh) => Digest::new(&xxh.digest().to_be_bytes()),
        };
        Checksum::full(self.algorithm, digest)
    }

    /// The checksum of `bytes`.
    pub fn digest(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Checksum {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Debug for ChecksumHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChecksumHasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
