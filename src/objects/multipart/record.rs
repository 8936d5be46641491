//! What is stored of an upload and of a part (`docs/format.md`, "Buckets").

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use crate::objects::metadata::{Metadata, StorageClass, Tags};
use crate::objects::record::{Piece, decode_pieces, encode_pieces, flag, format_is, malformed};
use crate::objects::{Checksum, ChecksumAlgorithm, ChecksumType};

const FORMAT: u8 = 1;

/// An upload that is neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadRecord {
    pub(crate) nonce: u128,
    pub(crate) initiated: Timestamp,
    pub(crate) class: StorageClass,
    pub(crate) algorithm: ChecksumAlgorithm,
    pub(crate) kind: ChecksumType,
    /// Did its creator name the algorithm? Then parts must not come with another.
    pub(crate) is_chosen: bool,
    /// Will the object have no checksum?
    pub(crate) keeps_none: bool,
    /// Had the key an object when the upload was begun?
    pub(crate) had_object: bool,
    pub(crate) metadata: Metadata,
    pub(crate) tags: Tags,
}

impl UploadRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(FORMAT);
        to.u128(self.nonce);
        to.u64(self.initiated.as_millis());
        self.class.encode(&mut to);
        let number = ChecksumAlgorithm::ALL.iter().position(|known| *known == self.algorithm);
        to.u8(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
        to.u8(u8::from(self.kind == ChecksumType::Composite));
        let flags = [self.is_chosen, self.had_object, self.keeps_none];
        to.u8(flags.into_iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(flag)));
        self.metadata.encode(&mut to);
        self.tags.encode(&mut to);
        to.into_vec()
    }

    pub(crate) fn decode(record: &[u8]) -> crate::Result<Self> {
        Self::read(&mut Reader::new(record)).map_err(|flaw| malformed(&flaw, "upload record"))
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        format_is(FORMAT, from)?;
        let (nonce, initiated) = (from.u128("nonce of an upload")?, from.u64("time of an upload")?);
        let class = StorageClass::decode(from)?;
        let before = from.clone();
        let number = from.u8("checksum of an upload")?;
        let algorithm = ChecksumAlgorithm::ALL.get(usize::from(number)).copied();
        let algorithm =
            algorithm.ok_or_else(|| before.malformed("checksum of an upload", "a known number", number))?;
        let is_composite = flag(from, "checksum type of an upload")?;
        let before = from.clone();
        let flags = from.u8("flags of an upload")?;
        if flags > 7 {
            return Err(before.malformed("flags of an upload", "0 to 7", flags));
        }
        let upload = Self {
            nonce,
            initiated: Timestamp::from_millis(initiated),
            class,
            algorithm,
            kind: if is_composite { ChecksumType::Composite } else { ChecksumType::FullObject },
            is_chosen: flags & 1 == 1,
            had_object: flags & 2 == 2,
            keeps_none: flags & 4 == 4,
            metadata: Metadata::decode(from)?,
            tags: Tags::decode(from)?,
        };
        from.finish("upload record")?;
        Ok(upload)
    }
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartRecord {
    pub(crate) modified: Timestamp,
    pub(crate) len: u64,
    /// The MD5, or chance.
    pub(crate) digest: [u8; 16],
    pub(crate) checksum: Checksum,
    pub(crate) pieces: Vec<Piece>,
}

impl PartRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(FORMAT);
        to.u64(self.modified.as_millis());
        to.u64(self.len);
        to.raw(&self.digest);
        self.checksum.encode(&mut to);
        encode_pieces(&self.pieces, &mut to);
        to.into_vec()
    }

    pub(crate) fn decode(record: &[u8]) -> crate::Result<Self> {
        Self::read(&mut Reader::new(record)).map_err(|flaw| malformed(&flaw, "part record"))
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        format_is(FORMAT, from)?;
        let (modified, len) = (from.u64("time of a part")?, from.u64("length of a part")?);
        let mut digest = [0; 16];
        digest.copy_from_slice(from.raw(16, "digest of a part")?);
        let checksum = Checksum::decode(from)?;
        let pieces = decode_pieces(from, len)?;
        from.finish("part record")?;
        Ok(Self { modified: Timestamp::from_millis(modified), len, digest, checksum, pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::ChecksumHasher;

    fn upload() -> UploadRecord {
        UploadRecord {
            nonce: 5,
            initiated: Timestamp::from_millis(9),
            class: StorageClass::StandardIa,
            algorithm: ChecksumAlgorithm::Sha256,
            kind: ChecksumType::Composite,
            is_chosen: true,
            had_object: true,
            keeps_none: false,
            metadata: Metadata { expires: Some("x".to_owned()), ..Metadata::default() },
            tags: Tags::from([("k", "v")]),
        }
    }

    fn part() -> PartRecord {
        PartRecord {
            modified: Timestamp::from_millis(9),
            len: 5,
            digest: [3; 16],
            checksum: ChecksumHasher::digest(ChecksumAlgorithm::Crc64Nvme, b"x"),
            pieces: vec![Piece { extent: 1, extent_len: 9, chunk_len: 4, from: 2, len: 5 }],
        }
    }

    #[test]
    fn round_trip() {
        assert_eq!(UploadRecord::decode(&upload().encode()).unwrap(), upload());
        assert_eq!(PartRecord::decode(&part().encode()).unwrap(), part());
    }

    #[test]
    fn rejects_every_truncation() {
        let (upload, part) = (upload().encode(), part().encode());
        assert!((0..upload.len()).all(|len| UploadRecord::decode(&upload[..len]).is_err()));
        assert!((0..part.len()).all(|len| PartRecord::decode(&part[..len]).is_err()));
    }
}
