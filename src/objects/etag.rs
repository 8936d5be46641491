//! Entity tags.

use crate::codec::{Malformed, Reader, Writer};
use std::fmt;

/// The tag of an object's content: in quotes, the MD5 of its bytes in hexadecimal; of a multipart object the MD5 of the
/// MD5s of its parts, `-` and their number.
///
/// ```
/// use fourfold::{Store, objects::ETag};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// let etag = bucket.put("a", "hello")?.etag;
/// assert_eq!(etag.to_string(), "\"5d41402abc4b2a76b9719d911017c592\"");
/// assert!(etag.matches("5d41402abc4b2a76b9719d911017c592"));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ETag {
    digest: [u8; 16],
    /// Of a multipart object; 0 of all others.
    parts: u32,
}

impl ETag {
    pub(crate) const fn new(digest: [u8; 16], parts: u32) -> Self {
        Self { digest, parts }
    }

    /// The 16 bytes in front.
    pub const fn digest(&self) -> &[u8; 16] {
        &self.digest
    }

    /// Of a multipart object: how many parts it has.
    pub const fn parts(&self) -> Option<u32> {
        if self.parts == 0 { None } else { Some(self.parts) }
    }

    /// Without the quotes.
    pub fn unquoted(&self) -> String {
        self.to_string().trim_matches('"').to_owned()
    }

    /// Does `text`, with or without quotes, say this tag?
    pub fn matches(&self, text: &str) -> bool {
        let text = text.trim();
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        text.eq_ignore_ascii_case(&self.unquoted())
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        to.raw(&self.digest);
        to.u32(self.parts);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut digest = [0; 16];
        digest.copy_from_slice(from.raw(16, "entity tag")?);
        Ok(Self { digest, parts: from.u32("parts of an entity tag")? })
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 32];
        for (byte, two) in self.digest.iter().zip(hex.chunks_exact_mut(2)) {
            two.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        let hex = std::str::from_utf8(&hex).unwrap_or_default();
        match self.parts() {
            None => write!(f, "\"{hex}\""),
            Some(parts) => write!(f, "\"{hex}-{parts}\""),
        }
    }
}

/// Its text.
impl From<ETag> for String {
    fn from(etag: ETag) -> Self {
        etag.to_string()
    }
}

/// Its text.
impl From<&ETag> for String {
    fn from(etag: &ETag) -> Self {
        etag.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let one = ETag::new([0xab; 16], 0);
        assert_eq!(one.to_string(), format!("\"{}\"", "ab".repeat(16)));
        let many = ETag::new([1; 16], 3);
        assert_eq!(many.unquoted(), format!("{}-3", "01".repeat(16)));
        assert!(many.matches(&many.to_string()) && many.matches(&many.unquoted()));
        assert!(one.matches(&format!(" W/{one}")) && one.matches(&"AB".repeat(16)));
        assert!(!one.matches(&many.to_string()) && !one.matches(""));
    }
}
