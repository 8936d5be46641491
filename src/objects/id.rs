//! Ids that are given out: of versions and of uploads. Each says where in the order of its key it stands.

use crate::objects::error::{Error, Result};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of an id; 32 characters of text.
pub(crate) const ID_LEN: usize = 24;
const TEXT_LEN: usize = ID_LEN / 3 * 4;
/// In the order of ASCII, so that texts are ordered as the bytes are.
const ALPHABET: &[u8; 64] = b".0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// A place in the order of a key, and chance: somebody who guesses the one does not know the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    /// Grows with the time at which it was given out, within a key.
    pub(crate) seq: u64,
    /// Random.
    pub(crate) nonce: u128,
}

impl Id {
    /// The text that callers see.
    fn text(self) -> [u8; TEXT_LEN] {
        // The place is mixed with the chance, so that ids do not look like a count.
        let mask = mask_of(self.nonce);
        let mut bytes = [0; ID_LEN];
        bytes[..16].copy_from_slice(&self.nonce.to_le_bytes());
        bytes[16..].copy_from_slice(&(self.seq ^ mask).to_le_bytes());
        let mut text = [0; TEXT_LEN];
        for (three, four) in bytes.chunks_exact(3).zip(text.chunks_exact_mut(4)) {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            for (index, letter) in four.iter_mut().enumerate() {
                *letter = ALPHABET[(bits >> (18 - 6 * index) & 0x3f) as usize];
            }
        }
        text
    }

    /// The id that a text is. None if it cannot be one.
    fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT_LEN {
            return None;
        }
        let mut bytes = [0; ID_LEN];
        for (four, three) in text.as_bytes().chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
            let mut bits = 0_u32;
            for letter in four {
                bits = bits << 6 | u32::try_from(ALPHABET.binary_search(letter).ok()?).ok()?;
            }
            let [_, high, middle, low] = bits.to_be_bytes();
            three.copy_from_slice(&[high, middle, low]);
        }
        let (nonce, seq) = bytes.split_first_chunk::<16>()?;
        let nonce = u128::from_le_bytes(*nonce);
        let mask = mask_of(nonce);
        Some(Self { seq: u64::from_le_bytes(*seq.first_chunk()?) ^ mask, nonce })
    }
}

/// Both halves of a nonce, together.
fn mask_of(nonce: u128) -> u64 {
    let (low, high) = (nonce & u128::from(u64::MAX), nonce >> 64);
    u64::try_from(low ^ high).unwrap_or_default()
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// Which version of an object: 32 characters, or `null` for one that was written while the bucket was not versioned.
///
/// ```
/// use fourfold::{Store, objects::{VersionId, Versioning}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("papers")?;
/// assert_eq!(bucket.put("a", "1")?.version_id, None, "the bucket was never versioned");
/// bucket.set_versioning(Versioning::Enabled)?;
/// let id = bucket.put("a", "2")?.version_id.expect("now it is");
/// assert_eq!(id.to_string().len(), 32);
/// assert_eq!(id.to_string().parse::<VersionId>()?, id);
/// assert_eq!("null".parse::<VersionId>()?, VersionId::NULL);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionId(pub(crate) Option<Id>);

impl VersionId {
    /// Of what was written while the bucket was not versioned, or its versioning suspended.
    pub const NULL: Self = Self(None);

    /// Is it [`NULL`](Self::NULL)?
    pub const fn is_null(self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.pad("null"),
            Some(id) => id.fmt(f),
        }
    }
}

/// `InvalidArgument` for what no version can have as its id.
impl std::str::FromStr for VersionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "null" {
            return Ok(Self::NULL);
        }
        let message = if text.is_empty() {
            "Version id cannot be the empty string"
        } else {
            "Invalid version id specified"
        };
        match Id::parse(text) {
            Some(id) => Ok(Self(Some(id))),
            None => Err(Error::argument("versionId", text, message)),
        }
    }
}

/// Which upload: 32 characters.
///
/// ```
/// use fourfold::{Store, objects::CreateUpload};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// assert_eq!(id.to_string().len(), 32);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(pub(crate) Id);

/// What of an upload's nonce is not chance.
const KEY_MASK: u128 = u32::MAX as u128;

/// What the id of an upload has of its key, so that a marker of a listing that goes with another can be told.
fn key_of(key: &str) -> u32 {
    (xxh3_64(key.as_bytes()) >> 32) as u32
}

impl UploadId {
    /// The upload that a text names.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Id::parse(text).map(Self).ok_or_else(|| Error::NoSuchUpload { upload_id: text.to_owned() })
    }

    /// A new one, of a key: the lower half of its nonce is the key's.
    pub(crate) fn of_key(key: &str, seq: u64, random: u128) -> Self {
        let nonce = random & !KEY_MASK | u128::from(key_of(key));
        Self(Id { seq, nonce })
    }

    /// As a marker of a listing: None if it is none of this key.
    pub(crate) fn parse_marker(text: &str, key: &str) -> Option<Self> {
        let is_of_key = |id: &Id| id.nonce & KEY_MASK == u128::from(key_of(key));
        Id::parse(text).filter(is_of_key).map(Self)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Its text.
impl From<VersionId> for String {
    fn from(id: VersionId) -> Self {
        id.to_string()
    }
}

/// Its text.
impl From<&VersionId> for String {
    fn from(id: &VersionId) -> Self {
        id.to_string()
    }
}

/// Its text.
impl From<UploadId> for String {
    fn from(id: UploadId) -> Self {
        id.to_string()
    }
}

/// Its text.
impl From<&UploadId> for String {
    fn from(id: &UploadId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_id() {
        for (seq, nonce) in [(0, 0), (u64::MAX, u128::MAX), (77, 1 << 100 | 5)] {
            let id = Id { seq, nonce };
            assert_eq!(Id::parse(&id.to_string()), Some(id));
        }
        assert!(ALPHABET.is_sorted());
    }

    #[test]
    fn what_is_no_version_id() {
        let refusal = |text: &str| text.parse::<VersionId>().unwrap_err();
        assert_eq!(refusal("").to_string(), "Version id cannot be the empty string");
        let error = refusal("null2");
        assert_eq!((error.code(), &*error.to_string()), ("InvalidArgument", "Invalid version id specified"));
        assert_eq!(
            error.details(),
            [("ArgumentName", "versionId".to_owned()), ("ArgumentValue", "null2".to_owned())]
        );
        refusal(&"+".repeat(32));
        refusal(&"\u{e9}".repeat(16));
    }
}
