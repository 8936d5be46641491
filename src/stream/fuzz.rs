//! What the fuzz target of streams calls: each decoder on any bytes.

use crate::clock::Timestamp;
use crate::stream::SequenceNumber;
use crate::stream::iterator::Iterator;
use crate::stream::meta::{ConsumerRecord, ShardRecord, StreamRecord};
use crate::stream::record::{Group, Place, Record, measure};
use crate::stream::sequence::Parsed;
use crate::stream::shard::ShardId;
use crate::stream::{consumer, hash, keys, token};
use bytes::Bytes;

/// The first byte chooses a decoder; what one accepts is what its encoder writes.
pub(crate) fn decode(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    match choice % 9 {
        0 => {
            if let Ok(record) = StreamRecord::decode(bytes) {
                assert!(StreamRecord::decode(&record.encode()).as_ref() == Ok(&record), "a stream");
            }
        }
        1 => {
            if let Ok(record) = ShardRecord::decode(bytes) {
                assert_eq!(record.encode(), bytes, "a shard");
            }
        }
        2 => {
            if let Ok(record) = ConsumerRecord::decode(bytes) {
                assert!(ConsumerRecord::decode(&record.encode()).as_ref() == Ok(&record), "a consumer");
            }
        }
        3 => {
            let value = Bytes::copy_from_slice(bytes);
            let at =
                Place { created: 0, shard: 0, last: u64::from(u16::MAX), arrival: Timestamp::UNIX_EPOCH };
            if let Ok(group) = Group::decode(value, at) {
                let records: Vec<_> = group.collect();
                for record in &records {
                    assert_eq!(record.size(), record.partition_key().len() + record.data().len());
                    assert_eq!(record.data_bytes(), record.data());
                }
                let size = records.iter().map(Record::size).sum();
                assert_eq!(measure(bytes), (records.len(), size), "a group");
                assert_eq!(records.last().map(Record::place), Some(at.last));
            }
        }
        4 => {
            if let Some((place, arrival)) = keys::record_of(bytes) {
                assert!(bytes.starts_with(&keys::record(place, arrival)));
            }
            let _ = (keys::shard_of(bytes), keys::consumer_of(bytes));
        }
        5 => {
            if let Some(iterator) = Iterator::decode(&text) {
                assert_eq!(Iterator::decode(&iterator.encode()), Some(iterator));
            }
        }
        6 => match Parsed::from_text(&text) {
            Some(Parsed::Current(number)) => assert_eq!(number.to_string(), text),
            Some(Parsed::Old { .. }) | None => assert!(text.parse::<SequenceNumber>().is_err()),
        },
        7 => {
            let _ = (ShardId::index_of(&text), hash::explicit(&text), hash::hash_key(&text));
        }
        _ => {
            let store = crate::Store::in_memory();
            let _ = consumer::parse_arn(&store, &text);
            let head = token::Head { created: Timestamp::UNIX_EPOCH, generation: 1 };
            let token = token::encode(token::Kind::Shards, head, |writer| writer.raw(bytes));
            let read = token::decode(token::Kind::Shards, &token, |reader| {
                let found = reader.raw(bytes.len(), "bytes")?;
                Ok(found == bytes)
            });
            assert!(read == Some((head, true)), "a token");
        }
    }
}
