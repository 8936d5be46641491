//! What the fuzz target of this module is given.

use crate::objects::bucket_record::BucketRecord;
use crate::objects::limits::KEY_LEN_MAX;
use crate::objects::multipart::{PartRecord, UploadRecord};
use crate::objects::record::{Head, Version, cut};
use crate::objects::{VersionId, keys, range};
use bytes::Bytes;

/// Every record on any bytes: what is accepted is written again as it was. Every text: an answer, whatever it is.
pub(crate) fn records(bytes: &[u8]) {
    let record = Bytes::copy_from_slice(bytes);
    if let Ok(version) = Version::decode(1, &record) {
        assert_eq!(version.encode(), bytes, "what is accepted is what was written");
        let head = Head::decode(1, bytes).expect("the beginning of a record that is whole");
        assert_eq!(head.id(), version.id());
        let len = version.object.as_ref().map_or(0, |object| object.len);
        let pieces = cut(version.pieces(), len / 3, len / 3);
        assert!(version.pieces().is_empty() || pieces.iter().map(|piece| piece.len).sum::<u64>() == len / 3);
    }
    if let Ok(upload) = UploadRecord::decode(bytes) {
        assert_eq!(upload.encode(), bytes, "what is accepted is what was written");
    }
    if let Ok(part) = PartRecord::decode(bytes) {
        assert_eq!(part.encode(), bytes, "what is accepted is what was written");
    }
    if let Ok(bucket) = BucketRecord::decode(bytes) {
        let again = BucketRecord::decode(&bucket.encode()).expect("what was written is read");
        assert_eq!(again, bucket);
    }
    // Every byte of a key may be escaped. One that is no text takes three bytes for each where it is told.
    let stored = bytes.get(..2 * KEY_LEN_MAX).unwrap_or(bytes);
    if let Some((escaped, place)) = keys::split_version(stored) {
        let key = keys::unescape(escaped);
        let _ = keys::split_version(&keys::version(&key, place));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert_eq!(
        keys::split_version(&keys::version(text, 9)).map(|(key, _)| keys::unescape(key)).as_deref(),
        Some(text)
    );
    if let Ok(id) = text.parse::<VersionId>() {
        assert_eq!(id.to_string(), text);
    }
    for size in [0, 1, 1000, u64::MAX] {
        if let Ok(Some(range)) = range::resolve(text, size) {
            assert!(range.start < range.end && range.end <= size);
        }
        if let Ok((start, end)) = range::of_copy(text, size) {
            assert!(start < end && end <= size);
        }
    }
}
