//! What is stored of large bodies (`docs/format.md`, "Queues").

use super::LargeBodies;
use crate::codec::{Malformed, Reader, Writer};
use crate::queue::record::string;
use crate::store::keep::Kept;

const BODY: u8 = b'B';
const VERSION: u8 = 1;

impl LargeBodies {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION);
        to.bytes(self.bucket.as_bytes());
        to.bytes(self.prefix.as_bytes());
        to.u64(self.from as u64);
        to.into_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader::new(bytes);
        check_version(&mut from)?;
        let bucket = string(&mut from, "bucket of large bodies")?;
        let prefix = string(&mut from, "prefix of large bodies")?;
        let len = from.u64("length of large bodies")?;
        from.finish("setting of large bodies")?;
        Ok(Self { bucket, prefix, from: usize::try_from(len).unwrap_or(usize::MAX) })
    }
}

fn check_version(from: &mut Reader<'_>) -> Result<(), Malformed> {
    let before = from.clone();
    match from.u8("version of a large body")? {
        VERSION => Ok(()),
        other => Err(before.malformed("version of a large body", VERSION, other)),
    }
}

/// Where the large body of a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LargeBody {
    /// The keyspace of the entries.
    pub(in crate::queue) space: u32,
    pub(crate) kept: Kept,
    pub(in crate::queue) len: u64,
    pub(in crate::queue) md5: [u8; 16],
}

impl LargeBody {
    pub(in crate::queue) fn encode(&self, to: &mut Writer) {
        to.u32(self.space);
        for text in [&self.kept.place, &self.kept.key, &self.kept.version] {
            to.bytes(text.as_bytes());
        }
        to.u64(self.len);
        to.raw(&self.md5);
    }

    pub(in crate::queue) fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let space = from.u32("keyspace of large bodies")?;
        let place = string(from, "bucket of a large body")?;
        let key = string(from, "key of a large body")?;
        let version = string(from, "version of a large body")?;
        let len = from.u64("length of a large body")?;
        let mut md5 = [0; 16];
        md5.copy_from_slice(from.raw(16, "MD5 of a large body")?);
        Ok(Self { space, kept: Kept { place, key, version }, len, md5 })
    }
}

/// An entry (H2).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) group: String,
    pub(super) body: LargeBody,
}

impl Entry {
    /// Before the keys of all.
    pub(super) const PREFIX: &[u8] = &[BODY];
    /// Behind the keys of all.
    pub(super) const END: &[u8] = &[BODY + 1];

    pub(super) fn key(queue: u32, seq: u64, object: &str) -> Vec<u8> {
        [&[BODY], &queue.to_be_bytes()[..], &seq.to_be_bytes(), object.as_bytes()].concat()
    }

    /// The numbers in a key.
    pub(super) fn parse(key: &[u8]) -> Option<(u32, u64)> {
        let (queue, rest) = key.strip_prefix(&[BODY])?.split_first_chunk()?;
        Some((u32::from_be_bytes(*queue), u64::from_be_bytes(*rest.first_chunk()?)))
    }

    pub(super) fn encode(group: &str, body: &LargeBody) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION);
        to.bytes(group.as_bytes());
        body.encode(&mut to);
        to.into_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader::new(bytes);
        check_version(&mut from)?;
        let group = string(&mut from, "group of a large body")?;
        let body = LargeBody::decode(&mut from)?;
        from.finish("large body")?;
        Ok(Self { group, body })
    }
}

/// Any bytes are refused, or what was written.
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(in crate::queue) fn fuzz(bytes: &[u8]) {
    if let Ok(setting) = LargeBodies::decode(bytes) {
        assert_eq!(setting.encode(), bytes);
    }
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(Entry::encode(&entry.group, &entry.body), bytes);
    }
    if let Some((queue, seq)) = Entry::parse(bytes) {
        assert!(bytes.starts_with(&Entry::key(queue, seq, "")));
    }
}
