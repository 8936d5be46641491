//! Keys of a stream's keyspaces.
//!
//! A stream has one keyspace for what it knows of itself, and one for each shard:
//!
//! | keyspace | key | value |
//! | --- | --- | --- |
//! | the stream's | `1`, shard's index `u32` | [`ShardRecord`](super::meta::ShardRecord) |
//! | the stream's | `2`, consumer's name | [`ConsumerRecord`](super::meta::ConsumerRecord) |
//! | a shard's | place `u64` of the last record of a group, time of their arrival in milliseconds `u64` | [`record`](super::record) |
//! | a shard's | the same, number of the part `u8` from 1 | more data of a record that is longer than a segment |
//!
//! Numbers are big endian, so that keys stand in the order of numbers. The time stands in the key, not in the value, so
//! that a search by time reads no values; as places differ it orders nothing. The first key at or behind a place is that
//! of the group which it belongs to, or of the next one there is.

use crate::clock::Timestamp;
use crate::stream::limits::NAME_LEN_MAX;
use crate::stream::sequence::END;

pub(crate) const SHARD: u8 = 1;
pub(crate) const CONSUMER: u8 = 2;
pub(crate) const PLACE_LEN: usize = size_of::<u64>();
pub(crate) const RECORD_LEN: usize = PLACE_LEN + size_of::<u64>();
const SHARD_LEN: usize = 1 + size_of::<u32>();

/// The key of a shard's record.
#[expect(clippy::big_endian_bytes, reason = "keys are ordered as bytes")]
pub(crate) fn shard(index: u32) -> [u8; SHARD_LEN] {
    let mut key = [SHARD; SHARD_LEN];
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The shard whose record has this key.
#[expect(clippy::big_endian_bytes, reason = "keys are ordered as bytes")]
pub(crate) fn shard_of(key: &[u8]) -> Option<u32> {
    let index: &[u8; 4] = key.strip_prefix(&[SHARD])?.try_into().ok()?;
    Some(u32::from_be_bytes(*index))
}

/// The key of a consumer's record.
pub(crate) fn consumer(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + NAME_LEN_MAX);
    key.push(CONSUMER);
    key.extend_from_slice(name.as_bytes());
    key
}

/// The consumer whose record has this key.
pub(crate) fn consumer_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.strip_prefix(&[CONSUMER])?).ok()
}

/// The key of the group whose last record is at `place`.
#[expect(clippy::big_endian_bytes, reason = "keys are ordered as bytes")]
pub(crate) fn record(place: u64, arrival: Timestamp) -> [u8; RECORD_LEN] {
    let mut key = [0; RECORD_LEN];
    let (at, time) = key.split_at_mut(PLACE_LEN);
    at.copy_from_slice(&place.to_be_bytes());
    time.copy_from_slice(&arrival.as_millis().to_be_bytes());
    key
}

/// What the keys of all records at `place` and behind are not before.
#[expect(clippy::big_endian_bytes, reason = "keys are ordered as bytes")]
pub(crate) const fn place(place: u64) -> [u8; PLACE_LEN] {
    place.to_be_bytes()
}

/// The key of a further part of the record with `key`.
pub(crate) fn part(key: &[u8; RECORD_LEN], number: u8) -> [u8; RECORD_LEN + 1] {
    let mut part = [number; RECORD_LEN + 1];
    part[..RECORD_LEN].copy_from_slice(key);
    part
}

/// The place of the last record, and the time of arrival, of the group with this key, or that the part with this key
/// belongs to.
#[expect(clippy::big_endian_bytes, reason = "keys are ordered as bytes")]
pub(crate) fn record_of(key: &[u8]) -> Option<(u64, Timestamp)> {
    let (place, rest) = key.split_first_chunk::<PLACE_LEN>()?;
    let (time, rest) = rest.split_first_chunk::<{ RECORD_LEN - PLACE_LEN }>()?;
    let (place, time) = (u64::from_be_bytes(*place), u64::from_be_bytes(*time));
    let is_known = rest.len() <= 1 && place <= END;
    is_known.then(|| (place, Timestamp::from_millis(time)))
}

/// Is it the key of a further part of a record?
pub(crate) fn is_part(key: &[u8]) -> bool {
    key.len() > RECORD_LEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let arrival = Timestamp::from_millis(1_735_689_600_123);
        assert_eq!(record_of(&record(7 << 40 | 9, arrival)), Some((7 << 40 | 9, arrival)));
        let part = part(&record(7, arrival), 3);
        assert_eq!(
            (record_of(&part), is_part(&part), is_part(&part[..RECORD_LEN])),
            (Some((7, arrival)), true, false)
        );
        assert!(part[..] < record(8, arrival)[..] && part[..] > record(7, arrival)[..]);
        assert_eq!(shard_of(&shard(300)), Some(300));
        assert_eq!(consumer_of(&consumer("app")), Some("app"));
    }

    #[test]
    fn keys_are_in_the_order_of_numbers() {
        assert!(record(255, Timestamp::MAX) < record(256, Timestamp::UNIX_EPOCH));
        assert!(place(256)[..] < record(256, Timestamp::UNIX_EPOCH)[..]);
        assert!(place(256)[..] > record(255, Timestamp::MAX)[..]);
        assert!(shard(9) < shard(256));
    }

    #[test]
    fn other_keys_are_refused() {
        assert_eq!(record_of(&[0; 15]), None);
        assert_eq!(record_of(&[0; 18]), None);
        assert_eq!(shard_of(&[SHARD, 0, 0, 0]), None);
        assert_eq!(shard_of(&[CONSUMER, 0, 0, 0, 0]), None);
        assert_eq!(consumer_of(&[CONSUMER, 0xff]), None);
    }
}
