//! What is stored of a version of an object, and of the pieces its bytes lie in (`docs/format.md`, "Buckets").
//!
//! V1. What a listing shows comes first, so that it is read without what follows.
//! V2. The body is the end of the record, so that it is read without a copy.

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use crate::error::Corruption;
use crate::objects::id::Id;
use crate::objects::metadata::{Metadata, StorageClass, Tags};
use crate::objects::{Checksum, ChecksumAlgorithm, ChecksumType, ETag, VersionId};
use bytes::Bytes;

const FORMAT: u8 = 1;
const IS_MARKER: u8 = 1;
const IS_NULL: u8 = 2;
const HAS_CHECKSUM: u8 = 4;
const IS_INLINE: u8 = 8;
const IS_OF_UPLOAD: u8 = 16;
const KNOWN: u8 = 31;

/// A stretch of an extent. Each piece in a record is one reference to its extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) extent: u64,
    /// Bytes of the extent.
    pub(crate) extent_len: u64,
    /// Bytes of each of its chunks but the last.
    pub(crate) chunk_len: u32,
    /// Where the stretch begins in the extent.
    pub(crate) from: u64,
    /// How long it is.
    pub(crate) len: u64,
}

impl Piece {
    const LEN: usize = 4 * size_of::<u64>() + size_of::<u32>();

    /// Chunks of the whole extent.
    pub(crate) fn chunks(&self) -> u64 {
        self.extent_len.div_ceil(u64::from(self.chunk_len.max(1)))
    }

    fn encode(&self, to: &mut Writer) {
        to.u64(self.extent);
        to.u64(self.extent_len);
        to.u32(self.chunk_len);
        to.u64(self.from);
        to.u64(self.len);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let before = from.clone();
        let piece = Self {
            extent: from.u64("extent")?,
            extent_len: from.u64("length of an extent")?,
            chunk_len: from.u32("length of a chunk")?,
            from: from.u64("start of a piece")?,
            len: from.u64("length of a piece")?,
        };
        let end = piece.from.checked_add(piece.len);
        if piece.chunk_len == 0 || piece.len == 0 || end.is_none_or(|end| end > piece.extent_len) {
            return Err(before.malformed("piece", "a stretch of its extent", format_args!("{piece:?}")));
        }
        Ok(piece)
    }
}

/// Pieces behind their number.
pub(crate) fn encode_pieces(pieces: &[Piece], to: &mut Writer) {
    to.count(pieces.len());
    for piece in pieces {
        piece.encode(to);
    }
}

/// Pieces of `len` bytes together.
pub(crate) fn decode_pieces(from: &mut Reader<'_>, len: u64) -> Result<Vec<Piece>, Malformed> {
    let before = from.clone();
    let count = from.count(Piece::LEN, "pieces")?;
    let pieces = (0..count).map(|_| Piece::decode(from)).collect::<Result<Vec<_>, _>>()?;
    let found = pieces.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len));
    if found != len {
        let (expected, found) = (format!("{len} bytes"), format!("{found} bytes"));
        return Err(before.malformed("pieces", expected, found));
    }
    Ok(pieces)
}

/// The stretch of `pieces` from `from` on, `len` bytes long, which lies within them.
pub(crate) fn cut(pieces: &[Piece], mut from: u64, mut len: u64) -> Vec<Piece> {
    let mut found = Vec::new();
    for piece in pieces {
        if len == 0 {
            break;
        }
        if from >= piece.len {
            from -= piece.len;
            continue;
        }
        let taken = len.min(piece.len - from);
        found.push(Piece { from: piece.from + from, len: taken, ..*piece });
        (from, len) = (0, len - taken);
    }
    found
}

/// Where the bytes of an object are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Inline(Bytes),
    Pieces(Vec<Piece>),
}

impl Content {
    pub(crate) fn pieces(&self) -> &[Piece] {
        match self {
            Self::Inline(_) => &[],
            Self::Pieces(pieces) => pieces,
        }
    }
}

/// A part of a multipart object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartInfo {
    pub(crate) number: u32,
    pub(crate) len: u64,
    pub(crate) checksum: Option<Checksum>,
}

/// A version that is an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) len: u64,
    pub(crate) etag: ETag,
    pub(crate) class: StorageClass,
    pub(crate) checksum: Option<Checksum>,
    /// The nonce of the upload that it was completed from.
    pub(crate) upload: Option<u128>,
    pub(crate) metadata: Metadata,
    pub(crate) tags: Tags,
    /// Of a multipart object: its parts.
    pub(crate) parts: Vec<PartInfo>,
    pub(crate) content: Content,
}

/// A version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its place in the order of its key's versions; in the key, not in the record.
    pub(crate) place: u64,
    /// None for `null`.
    pub(crate) nonce: Option<u128>,
    pub(crate) modified: Timestamp,
    /// None for a delete marker.
    pub(crate) object: Option<Object>,
}

impl Version {
    pub(crate) fn id(&self) -> VersionId {
        id_of(self.place, self.nonce)
    }

    /// Its pieces; none for a delete marker.
    pub(crate) fn pieces(&self) -> &[Piece] {
        self.object.as_ref().map_or(&[], |object| object.content.pieces())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        let object = self.object.as_ref();
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let inline = matches!(object, Some(Object { content: Content::Inline(_), .. }));
        to.u8(FORMAT);
        to.u8(flag(object.is_none(), IS_MARKER)
            | flag(self.nonce.is_none(), IS_NULL)
            | flag(object.is_some_and(|object| object.checksum.is_some()), HAS_CHECKSUM)
            | flag(inline, IS_INLINE)
            | flag(object.is_some_and(|object| object.upload.is_some()), IS_OF_UPLOAD));
        to.u64(self.modified.as_millis());
        if let Some(nonce) = self.nonce {
            to.u128(nonce);
        }
        if let Some(object) = object {
            object.encode(&mut to);
        }
        to.into_vec()
    }

    /// The record of the version at `place`.
    pub(crate) fn decode(place: u64, record: &Bytes) -> crate::Result<Self> {
        Self::read(place, record).map_err(|flaw| malformed(&flaw, "object record"))
    }

    fn read(place: u64, record: &Bytes) -> Result<Self, Malformed> {
        let mut from = Reader::new(record);
        let head = Head::read(place, &mut from)?;
        let object = match head.object {
            None => {
                from.finish("delete marker")?;
                None
            }
            Some(head) => Some(Object::read(head, &mut from, record)?),
        };
        Ok(Self { place, nonce: head.nonce, modified: head.modified, object })
    }
}

impl Object {
    fn encode(&self, to: &mut Writer) {
        to.u64(self.len);
        self.etag.encode(to);
        self.class.encode(to);
        if let Some(checksum) = &self.checksum {
            checksum.encode(to);
        }
        if let Some(upload) = self.upload {
            to.u128(upload);
        }
        self.metadata.encode(to);
        self.tags.encode(to);
        to.count(self.parts.len());
        self.parts.iter().for_each(|part| part.encode(to));
        match &self.content {
            Content::Inline(bytes) => to.raw(bytes),
            Content::Pieces(pieces) => encode_pieces(pieces, to),
        }
    }

    fn read(head: ObjectHead, from: &mut Reader<'_>, record: &Bytes) -> Result<Self, Malformed> {
        let checksum = checksum_if(head.checksum.is_some(), from)?;
        let upload = head.is_of_upload.then(|| from.u128("upload of an object")).transpose()?;
        let metadata = Metadata::decode(from)?;
        let tags = Tags::decode(from)?;
        let count = from.count(PartInfo::LEN_MIN, "parts")?;
        let parts = (0..count).map(|_| PartInfo::decode(from)).collect::<Result<Vec<_>, _>>()?;
        let content = if head.is_inline {
            let bytes = record.slice(record.len() - from.rest().len()..);
            if bytes.len() as u64 != head.len {
                let (expected, found) = (format!("{} bytes", head.len), format!("{} bytes", bytes.len()));
                return Err(from.malformed("body of an object", expected, found));
            }
            Content::Inline(bytes)
        } else {
            let pieces = decode_pieces(from, head.len)?;
            from.finish("object record")?;
            Content::Pieces(pieces)
        };
        Ok(Self {
            len: head.len,
            etag: head.etag,
            class: head.class,
            checksum,
            upload,
            metadata,
            tags,
            parts,
            content,
        })
    }
}

impl PartInfo {
    const LEN_MIN: usize = size_of::<u32>() + size_of::<u64>() + 1;

    fn encode(&self, to: &mut Writer) {
        to.u32(self.number);
        to.u64(self.len);
        to.u8(u8::from(self.checksum.is_some()));
        if let Some(checksum) = &self.checksum {
            checksum.encode(to);
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (number, len) = (from.u32("number of a part")?, from.u64("length of a part")?);
        Ok(Self { number, len, checksum: checksum_if(flag(from, "checksum of a part")?, from)? })
    }
}

/// What a listing shows of a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) place: u64,
    pub(crate) nonce: Option<u128>,
    pub(crate) modified: Timestamp,
    /// None for a delete marker.
    pub(crate) object: Option<ObjectHead>,
}

/// What a listing shows of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectHead {
    pub(crate) len: u64,
    pub(crate) etag: ETag,
    pub(crate) class: StorageClass,
    /// That of the checksum, which comes next and is not read.
    pub(crate) checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    is_inline: bool,
    is_of_upload: bool,
}

impl Head {
    pub(crate) fn id(&self) -> VersionId {
        id_of(self.place, self.nonce)
    }

    pub(crate) fn decode(place: u64, record: &[u8]) -> crate::Result<Self> {
        Self::read(place, &mut Reader::new(record)).map_err(|flaw| malformed(&flaw, "object record"))
    }

    fn read(place: u64, from: &mut Reader<'_>) -> Result<Self, Malformed> {
        format_is(FORMAT, from)?;
        let before = from.clone();
        let flags = from.u8("flags of a version")?;
        let of_objects = HAS_CHECKSUM | IS_INLINE | IS_OF_UPLOAD;
        if flags & !KNOWN != 0 || flags & IS_MARKER != 0 && flags & of_objects != 0 {
            return Err(before.malformed("flags of a version", "known ones that go together", flags));
        }
        let modified = Timestamp::from_millis(from.u64("time of a version")?);
        let nonce = (flags & IS_NULL == 0).then(|| from.u128("nonce of a version")).transpose()?;
        let object = if flags & IS_MARKER == 0 { Some(ObjectHead::read(flags, from)?) } else { None };
        Ok(Self { place, nonce, modified, object })
    }
}

impl ObjectHead {
    fn read(flags: u8, from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            len: from.u64("length of an object")?,
            etag: ETag::decode(from)?,
            class: StorageClass::decode(from)?,
            checksum: (flags & HAS_CHECKSUM != 0).then(|| Checksum::peek_kind(from)).transpose()?,
            is_inline: flags & IS_INLINE != 0,
            is_of_upload: flags & IS_OF_UPLOAD != 0,
        })
    }
}

fn id_of(place: u64, nonce: Option<u128>) -> VersionId {
    VersionId(nonce.map(|nonce| Id { seq: place, nonce }))
}

/// A byte that is 0 or 1.
pub(crate) fn flag(from: &mut Reader<'_>, what: &'static str) -> Result<bool, Malformed> {
    let before = from.clone();
    match from.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(before.malformed(what, "0 or 1", other)),
    }
}

/// The version of a record's format.
pub(crate) fn format_is(expected: u8, from: &mut Reader<'_>) -> Result<(), Malformed> {
    let before = from.clone();
    match from.u8("format of a record")? {
        found if found == expected => Ok(()),
        found => Err(before.malformed("format of a record", expected, found)),
    }
}

pub(crate) fn checksum_if(is_there: bool, from: &mut Reader<'_>) -> Result<Option<Checksum>, Malformed> {
    is_there.then(|| Checksum::decode(from)).transpose()
}

/// A record that is not what was written.
#[cold]
pub(crate) fn malformed(flaw: &Malformed, what: &'static str) -> crate::Error {
    Corruption::new(what, flaw.offset, flaw.what, &flaw.expected, &flaw.found).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{ChecksumAlgorithm, ChecksumHasher};

    fn sample(content: Content, len: u64) -> Version {
        let checksum = ChecksumHasher::digest(ChecksumAlgorithm::Crc32, b"x");
        let mut metadata = Metadata { content_type: Some("text/plain".to_owned()), ..Metadata::default() };
        metadata.expires = Some("never".to_owned());
        metadata.insert("a", "b");
        metadata.attributes = vec![("acl".to_owned(), "<x/>".to_owned())];
        let object = Object {
            len,
            etag: ETag::new([7; 16], 2),
            class: StorageClass::Glacier,
            checksum: Some(checksum),
            upload: Some(99),
            metadata,
            tags: Tags::from([("k", "v")]),
            parts: vec![PartInfo { number: 3, len, checksum: Some(checksum) }],
            content,
        };
        let modified = Timestamp::from_millis(5);
        Version { place: 4, nonce: Some(8), modified, object: Some(object) }
    }

    fn samples() -> Vec<Version> {
        let piece = Piece { extent: 1, extent_len: 10, chunk_len: 4, from: 2, len: 5 };
        let mut null = sample(Content::Inline(Bytes::from_static(b"hello")), 5);
        null.nonce = None;
        let marker = Version { object: None, ..null.clone() };
        vec![null, marker, sample(Content::Pieces(vec![piece]), 5), sample(Content::Pieces(vec![]), 0)]
    }

    #[test]
    fn round_trip() {
        for version in samples() {
            let record = Bytes::from(version.encode());
            assert_eq!(Version::decode(4, &record).unwrap(), version);
            let head = Head::decode(4, &record).unwrap();
            assert_eq!((head.id(), head.modified), (version.id(), version.modified));
            assert_eq!(head.object.map(|head| head.len), version.object.map(|object| object.len));
        }
    }

    #[test]
    fn rejects_every_truncation() {
        for version in samples() {
            let record = Bytes::from(version.encode());
            for len in 0..record.len() {
                let cut = Version::decode(4, &record.slice(..len));
                assert!(matches!(cut, Err(crate::Error::Corrupt(_))), "{len} of {}", record.len());
            }
        }
    }

    #[test]
    fn flipped_bits_are_other_records_or_none() {
        for version in samples() {
            let record = version.encode();
            for bit in 0..record.len() * 8 {
                let mut flipped = record.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let found = Version::decode(4, &flipped.into());
                assert!(found.is_err() || found.is_ok_and(|found| found != version));
            }
        }
    }

    #[test]
    fn a_stretch_of_pieces() {
        let piece = |extent, from, len| Piece { extent, extent_len: 100, chunk_len: 10, from, len };
        let pieces = [piece(1, 5, 10), piece(2, 0, 20)];
        assert_eq!(cut(&pieces, 0, 30), pieces);
        assert_eq!(cut(&pieces, 8, 4), [piece(1, 13, 2), piece(2, 0, 2)]);
        assert_eq!(cut(&pieces, 10, 1), [piece(2, 0, 1)]);
        assert_eq!(cut(&pieces, 4, 0), []);
    }
}
