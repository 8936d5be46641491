//! Receipt handles: which delivery of which message of which queue.
//!
//! A handle is told from garbage, and from one of another queue, by a hash with the queue's salt. That is no signature:
//! whoever may call a queue may delete its messages anyway.

use crate::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const VERSION: u8 = 1;

/// What a receipt handle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) seq: u64,
    /// When the delivery began, and the how-manieth it was.
    pub(super) received: Timestamp,
    pub(super) count: u32,
    /// Empty for none.
    pub(super) group: String,
}

/// The text form of the receipt of a delivery.
pub(super) fn encode(salt: u64, seq: u64, received: Timestamp, count: u32, group: &str) -> String {
    let mut writer = Writer::with_capacity(29 + group.len());
    writer.u8(VERSION);
    writer.u64(seq);
    writer.u64(received.as_millis());
    writer.u32(count);
    writer.raw(group.as_bytes());
    let check = xxh3_64_with_seed(writer.as_slice(), salt);
    writer.u64(check);
    STANDARD.encode(writer.as_slice())
}

/// None if this queue never gave out such a handle.
pub(super) fn decode(salt: u64, handle: &str) -> Option<Receipt> {
    let bytes = STANDARD.decode(handle).ok()?;
    let (said, check) = bytes.split_last_chunk::<8>()?;
    (xxh3_64_with_seed(said, salt) == u64::from_le_bytes(*check)).then_some(())?;
    fields(said).ok()?
}

fn fields(said: &[u8]) -> Result<Option<Receipt>, Malformed> {
    let mut reader = Reader::new(said);
    let version = reader.u8("version")?;
    let seq = reader.u64("number")?;
    let received = Timestamp::from_millis(reader.u64("start")?);
    let count = reader.u32("count")?;
    let group = std::str::from_utf8(reader.rest()).ok().filter(|_| version == VERSION);
    Ok(group.map(|group| Receipt { seq, received, count, group: group.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_of_one_queue_and_whole() {
        let at = Timestamp::from_secs(9);
        let handle = encode(1, 7, at, 2, "g");
        let receipt = Receipt { seq: 7, received: at, count: 2, group: "g".to_owned() };
        assert_eq!(decode(1, &handle), Some(receipt));
        assert_eq!(decode(2, &handle), None);
        for bad in ["", "garbage", "AAAA", &handle[1..], &handle[..handle.len() - 4]] {
            assert_eq!(decode(1, bad), None, "{bad}");
        }
        for at in 0..handle.len() {
            let mut bytes = handle.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(String::from_utf8(bytes).ok().and_then(|bad| decode(1, &bad)), None);
        }
    }
}
