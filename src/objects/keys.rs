//! Where things stand. Numbers in keys are big endian, so that keys are in their order.
//!
//! | keyspace | key | value |
//! | --- | --- | --- |
//! | versions, of a bucket | escaped object key, `00 01`, inverted place of the version | the version |
//! | nulls, of a bucket | object key | place of its `null` version, unless it is 0 |
//! | uploads, of a bucket | `u`, escaped object key, `00 01`, place of the upload | the upload |
//! | uploads, of a bucket | `p`, nonce of the upload, part number | the part |
//! | data, of the store | extent, number of the chunk | bytes |
//! | counts, of the store | extent | how often it is referred to, if more than once |
//! | freed, of the store | extent | how many of its chunks are still to be deleted |
//!
//! K1. Keys are escaped by `00` becoming `00 ff`, so that `00 01` ends them: an object key is then in the order of its
//!     bytes, whatever follows, and what starts with a prefix is what starts with the escaped prefix.
//! K2. Places are inverted, so that the newest version of a key comes first.
#![expect(clippy::big_endian_bytes, reason = "keys are ordered as bytes")]

const ESCAPED: u8 = 0xff;
const END: [u8; 2] = [0, 1];
/// Behind everything of a key, before the next one.
const BEHIND: [u8; 2] = [0, 2];
const PLACE_LEN: usize = size_of::<u64>();
const UPLOAD: u8 = b'u';
const PART: u8 = b'p';

/// An object key or prefix so that keys stay in order, whatever comes behind them.
pub(crate) fn escape(key: &[u8], to: &mut Vec<u8>) {
    for part in key.split_inclusive(|byte| *byte == 0) {
        to.extend_from_slice(part);
        if part.ends_with(&[0]) {
            to.push(ESCAPED);
        }
    }
}

fn escaped(head: &[u8], key: &str, tail: &[u8]) -> Vec<u8> {
    let mut to = Vec::with_capacity(head.len() + key.len() + tail.len() + END.len() + PLACE_LEN);
    to.extend_from_slice(head);
    escape(key.as_bytes(), &mut to);
    to.extend_from_slice(tail);
    to
}

/// The object key of an escaped one.
pub(crate) fn unescape(escaped: &[u8]) -> String {
    if memchr::memchr(0, escaped).is_none() {
        return text(escaped);
    }
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        key.push(*byte);
        if *byte == 0 {
            bytes.next();
        }
    }
    text(&key)
}

/// Every key was text when it was put.
fn text(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(key) => key.to_owned(),
        Err(_) => String::from_utf8_lossy(key).into_owned(),
    }
}

/// What every version of a key starts with.
pub(crate) fn versions_of(key: &str) -> Vec<u8> {
    escaped(&[], key, &END)
}

/// A version.
pub(crate) fn version(key: &str, place: u64) -> Vec<u8> {
    let mut version = versions_of(key);
    version.extend_from_slice(&(!place).to_be_bytes());
    version
}

/// Behind all versions of a key.
pub(crate) fn behind_versions(key: &str) -> Vec<u8> {
    escaped(&[], key, &BEHIND)
}

/// The escaped object key and the place of a version; none for what is none.
pub(crate) fn split_version(key: &[u8]) -> Option<(&[u8], u64)> {
    let (head, place) = key.split_last_chunk::<PLACE_LEN>()?;
    Some((head.strip_suffix(&END)?, !u64::from_be_bytes(*place)))
}

/// The first string behind all that start with `prefix`; none if there is no such string.
pub(crate) fn successor(mut prefix: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if last < u8::MAX {
            prefix.push(last + 1);
            return Some(prefix);
        }
    }
    None
}

/// An upload.
pub(crate) fn upload(key: &str, place: u64) -> Vec<u8> {
    let mut upload = uploads_of(key);
    upload.extend_from_slice(&place.to_be_bytes());
    upload
}

/// What every upload of a key starts with.
pub(crate) fn uploads_of(key: &str) -> Vec<u8> {
    escaped(&[UPLOAD], key, &END)
}

/// Behind all uploads of a key.
pub(crate) fn behind_uploads(key: &str) -> Vec<u8> {
    escaped(&[UPLOAD], key, &BEHIND)
}

/// What every upload starts with whose key starts with `prefix`.
pub(crate) fn uploads(prefix: &str) -> Vec<u8> {
    escaped(&[UPLOAD], prefix, &[])
}

/// The escaped object key and the place of an upload; none for what is none.
pub(crate) fn split_upload(key: &[u8]) -> Option<(&[u8], u64)> {
    let (head, place) = key.split_last_chunk::<PLACE_LEN>()?;
    Some((head.strip_prefix(&[UPLOAD])?.strip_suffix(&END)?, u64::from_be_bytes(*place)))
}

/// A part.
pub(crate) fn part(nonce: u128, number: u32) -> Vec<u8> {
    let mut part = parts_of(nonce);
    part.extend_from_slice(&number.to_be_bytes());
    part
}

/// What every part of an upload starts with.
pub(crate) fn parts_of(nonce: u128) -> Vec<u8> {
    let mut part = vec![PART];
    part.extend_from_slice(&nonce.to_be_bytes());
    part
}

/// The number of a part; none for what is none.
pub(crate) fn part_number(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.strip_prefix(&[PART])?.last_chunk()?))
}

/// A chunk.
pub(crate) fn chunk(extent: u64, number: u64) -> [u8; 12] {
    let mut chunk = [0; 12];
    chunk[..8].copy_from_slice(&extent.to_be_bytes());
    chunk[8..].copy_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    chunk
}

/// An extent, by its number.
pub(crate) fn extent(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The extent at the head of a key.
pub(crate) fn extent_of(key: &[u8]) -> Option<u64> {
    key.first_chunk().map(|extent| u64::from_be_bytes(*extent))
}

/// A number as a value.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn versions_are_in_the_order_of_keys_newest_first(
            a in "[\0\u{1}\u{2}ab\u{ff}]{0,4}", b in "[\0\u{1}\u{2}ab\u{ff}]{0,4}", one in 0..4_u64, two in 0..4_u64,
        ) {
            let expected = a.as_bytes().cmp(b.as_bytes()).then(two.cmp(&one));
            prop_assert_eq!(version(&a, one).cmp(&version(&b, two)), expected);
            let (key, place) = split_version(&version(&a, one)).map(|(key, place)| (unescape(key), place)).unwrap();
            prop_assert_eq!((&key, place), (&a, one));
            let starts = |key: &str, prefix: &str| {
                let mut escaped = Vec::new();
                escape(prefix.as_bytes(), &mut escaped);
                versions_of(key).starts_with(&escaped)
            };
            prop_assert_eq!(starts(&a, &b), a.starts_with(&b));
            prop_assert!(version(&a, 0) < behind_versions(&a));
            if a < b {
                prop_assert!(behind_versions(&a) < version(&b, u64::MAX));
            }
            let upload_key = upload(&a, one);
            prop_assert_eq!(split_upload(&upload_key).map(|(key, place)| (unescape(key), place)), Some((a, one)));
        }
    }

    #[test]
    fn parts_and_chunks_are_in_order() {
        assert!(part(7, 9) < part(7, 10) && part(7, 10_000) < part(8, 1));
        assert_eq!(part_number(&part(7, 10)), Some(10));
        assert!(chunk(1, 255) < chunk(1, 256) && chunk(1, 256) < chunk(2, 0));
        assert_eq!(extent_of(&chunk(300, 1)), Some(300));
        assert_eq!(split_version(b"short"), None);
    }
}
