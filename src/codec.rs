//! Fixed-width fields in and out of bytes: little endian, no padding, byte strings behind a `u32` length.
//!
//! D1. Reading never panics and never allocates: whatever the bytes are, the answer is a value or a [`Malformed`] that
//!     says where, what was expected and what was found.
//! D2. A count read by [`Reader::count`] is backed by bytes that are there, so a caller may reserve that many items.
//!
//! Not here: checksums and versions; each format brings its own.

use crate::error::{Corruption, Error};
use std::{fmt, path::Path};

/// Do these checksums agree? The one place that decides, so that fuzz targets can get behind it.
#[inline]
pub(crate) fn checksums_agree(expected: u32, found: u32) -> bool {
    #[cfg(fuzzing)]
    if crate::fuzzing::CHECKSUMS_AGREE.load(std::sync::atomic::Ordering::Relaxed) {
        return true;
    }
    expected == found
}

/// Appends fields to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// With room for a record of about this length.
    pub(crate) fn with_capacity(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(len) }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    pub(crate) fn u128(&mut self, value: u128) {
        self.raw(&value.to_le_bytes());
    }

    /// How many items follow.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("what is counted is bounded far below 2^32"));
    }

    /// A byte string behind its length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    /// Bytes as they are; the reader must know how many.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// From the start of the bytes that were read.
    pub(crate) offset: u64,
    pub(crate) what: &'static str,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Malformed {
    /// The finding in terms of the file that the bytes are the beginning of.
    #[cold]
    pub(crate) fn in_file(self, file: &Path) -> Error {
        Corruption::new(file, self.offset, self.what, self.expected, self.found).into()
    }
}

/// Takes fields from the front of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// The next `len` bytes, as they are.
    pub(crate) fn raw(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let rest = self.rest();
        match rest.get(..len) {
            Some(taken) => {
                self.offset += len;
                Ok(taken)
            }
            None => {
                Err(self.malformed(what, format_args!("{len} bytes"), format_args!("{} bytes", rest.len())))
            }
        }
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        self.array(what).map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self, what: &'static str) -> Result<u128, Malformed> {
        self.array(what).map(u128::from_le_bytes)
    }

    /// How many items follow, each of `item_len` bytes or more.
    pub(crate) fn count(&mut self, item_len: usize, what: &'static str) -> Result<usize, Malformed> {
        let before = self.clone();
        let count = self.u32(what)? as usize;
        let room = self.rest().len() / item_len.max(1);
        if count > room {
            return Err(before.malformed(what, format_args!("at most {room}"), count));
        }
        Ok(count)
    }

    /// A byte string behind its length.
    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let len = self.count(1, what)?;
        self.raw(len, what)
    }

    /// Everything has been read.
    pub(crate) fn finish(&self, what: &'static str) -> Result<(), Malformed> {
        match self.rest().len() {
            0 => Ok(()),
            more => Err(self.malformed(what, "its end", format_args!("{more} bytes more"))),
        }
    }

    /// A finding at the next field.
    #[cold]
    pub(crate) fn malformed(
        &self,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Malformed {
        let (expected, found) = (expected.to_string(), found.to_string());
        Malformed { offset: self.offset as u64, what, expected, found }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.raw(N, what)?);
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(1);
        writer.u32(0x0203_0405);
        writer.u64(u64::MAX);
        writer.u128(7);
        writer.bytes(b"name");
        writer.count(2);
        writer.raw(&[9, 9]);
        writer.into_vec()
    }

    fn read(bytes: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.u8("a")?, 1);
        assert_eq!(reader.u32("b")?, 0x0203_0405);
        assert_eq!(reader.u64("d")?, u64::MAX);
        assert_eq!(reader.u128("e")?, 7);
        assert_eq!(reader.bytes("f")?, b"name");
        assert_eq!(reader.count(1, "g")?, 2);
        assert_eq!(reader.raw(2, "h")?, [9, 9]);
        reader.finish("i")
    }

    #[test]
    fn round_trip() {
        assert_eq!(read(&sample()), Ok(()));
        assert_eq!(sample()[..5], [1, 5, 4, 3, 2], "little endian, no padding");
    }

    #[test]
    fn rejects_every_truncation() {
        let bytes = sample();
        for len in 0..bytes.len() {
            let malformed = read(&bytes[..len]).unwrap_err();
            assert!(malformed.offset <= len as u64, "{malformed:?}");
        }
    }

    #[test]
    fn findings_say_where_and_what() {
        let check = |finding: Result<(), Malformed>, text: &str| {
            let error = finding.unwrap_err().in_file(Path::new("f"));
            assert_eq!(error.to_string(), text);
        };
        let mut reader = Reader::new(&[1, 0, 0, 0, 9]);
        let mut strings = reader.clone();
        check(
            reader.u64("run id").map(drop),
            "corrupt run id in f at offset 0: expected 8 bytes, found 5 bytes",
        );
        check(
            reader.count(2, "runs").map(drop),
            "corrupt runs in f at offset 0: expected at most 0, found 1",
        );
        assert_eq!(strings.bytes("key"), Ok(&[9][..]));
        let mut rest = Reader::new(&[1, 2]);
        assert_eq!(rest.u8("a"), Ok(1));
        check(rest.finish("header"), "corrupt header in f at offset 1: expected its end, found 1 bytes more");
    }

    #[test]
    fn a_count_needs_its_bytes() {
        let count = |bytes: &[u8], item| Reader::new(bytes).count(item, "items").ok();
        assert_eq!(count(&[2, 0, 0, 0, 1, 1, 1, 1], 2), Some(2));
        assert_eq!(count(&[3, 0, 0, 0, 1, 1, 1, 1], 2), None);
        assert_eq!(count(&[0xff; 64], 1), None);
        assert_eq!(count(&[0, 0, 0, 0], 0), Some(0));
    }
}
