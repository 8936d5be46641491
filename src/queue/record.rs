//! What a queue stores, as bytes: messages, leases, counts, move tasks, and the record of the queue itself.
//!
//! Every record begins with a version. `docs/format.md` has the layouts.

use crate::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use crate::error::Result;
use crate::queue::attributes::QueueAttributes;
use crate::queue::large::LargeBody;
use crate::queue::message::{AttributeValue, Attributes, MessageAttribute, Text};
use crate::queue::settings::Settings;
use crate::queue::stored::{Origin, Stored};
use crate::queue::task::{Task, TaskStatus};
use crate::queue::tokens::Token;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const VERSION: u8 = 1;

/// Fields of a message that are there.
mod has {
    pub(super) const DEDUPLICATION_ID: u8 = 1;
    pub(super) const TRACE: u8 = 2;
    pub(super) const ATTRIBUTES: u8 = 4;
    pub(super) const ORIGIN: u8 = 8;
    pub(super) const LARGE: u8 = 16;
    pub(super) const ALL: u8 = 31;
}

type Read<T> = std::result::Result<T, Malformed>;

/// A delivery of a message, or its last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeaseRecord {
    pub(super) group: Option<Arc<str>>,
    /// Until then it is invisible.
    pub(super) until: Timestamp,
    /// When it was received for this delivery.
    pub(super) received: Timestamp,
    pub(super) first_received: Timestamp,
    pub(super) count: u32,
}

/// How many messages a queue ever took, and how many of them are gone, as of the last that went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) taken: u64,
    pub(super) gone: u64,
    /// The highest number given.
    pub(super) last: u64,
    /// Messages without a group are above: those below were removed by a floor, and so would be new ones.
    pub(super) floor: u64,
}

/// What the catalog keeps of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueueRecord {
    Live(Box<Live>),
    /// Deleted then: for a minute its name is taken.
    Gone(Timestamp),
}

/// A queue that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Live {
    /// Tells it from every other queue of the store, also of the same name; the order in which several are locked.
    pub(super) number: u32,
    /// Makes its ids and receipts its own.
    pub(super) salt: u64,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) purged: Option<Timestamp>,
    /// A move task runs.
    pub(super) is_moving: bool,
    pub(super) settings: Settings,
    pub(super) tags: BTreeMap<String, String>,
}

fn version(reader: &mut Reader<'_>) -> Read<()> {
    let before = reader.clone();
    match reader.u8("version of a queue's record")? {
        VERSION => Ok(()),
        other => Err(before.malformed("version of a queue's record", VERSION, other)),
    }
}

/// A finding in a record of a queue's keyspace.
pub(super) fn in_queue<T>(result: Read<T>, what: &str) -> Result<T> {
    result.map_err(|flaw| flaw.in_file(Path::new(what)))
}

fn time(reader: &mut Reader<'_>, what: &'static str) -> Read<Timestamp> {
    reader.u64(what).map(Timestamp::from_millis)
}

pub(super) fn string(reader: &mut Reader<'_>, what: &'static str) -> Read<String> {
    let before = reader.clone();
    let bytes = reader.bytes(what)?;
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|_| before.malformed(what, "UTF-8", "other bytes"))
}

/// All of a message but its body, which comes behind.
pub(super) fn encode_head(message: &Stored) -> Vec<u8> {
    let mut writer = Writer::with_capacity(32);
    writer.u8(VERSION);
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    writer.u8(flag(message.deduplication_id.is_some(), has::DEDUPLICATION_ID)
        | flag(message.trace.is_some(), has::TRACE)
        | flag(!message.attributes.is_empty(), has::ATTRIBUTES)
        | flag(message.origin.is_some(), has::ORIGIN)
        | flag(message.large.is_some(), has::LARGE));
    writer.u64(message.ordinal);
    for text in [&message.deduplication_id, &message.trace].into_iter().flatten() {
        writer.bytes(text.as_bytes());
    }
    if !message.attributes.is_empty() {
        encode_attributes(&mut writer, &message.attributes);
    }
    if let Some(origin) = &message.origin {
        writer.raw(&origin.id);
        writer.u64(origin.sent.as_millis());
        writer.u32(origin.receive_count);
        writer.u64(origin.first_received.as_millis());
        writer.bytes(origin.queue.as_bytes());
    }
    if let Some(large) = &message.large {
        large.encode(&mut writer);
    }
    writer.into_vec()
}

#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
fn encode_message(message: &Stored) -> Vec<u8> {
    [&encode_head(message), message.body.as_bytes()].concat()
}

fn encode_attributes(writer: &mut Writer, attributes: &Attributes) {
    writer.count(attributes.len());
    for (name, attribute) in attributes {
        writer.bytes(name.as_bytes());
        writer.bytes(attribute.data_type().as_bytes());
        match attribute.value() {
            AttributeValue::Text(text) => {
                writer.u8(1);
                writer.bytes(text.as_bytes());
            }
            AttributeValue::Binary(bytes) => {
                writer.u8(2);
                writer.bytes(bytes);
            }
        }
    }
}

/// A message; its body is a slice of `value`.
pub(super) fn decode_message(group: Option<Arc<str>>, seq: u64, value: &Bytes) -> Read<Stored> {
    let mut reader = Reader::new(value);
    version(&mut reader)?;
    let before = reader.clone();
    let flags = reader.u8("fields of a message")?;
    if flags & !has::ALL != 0 {
        return Err(before.malformed("fields of a message", format_args!("at most {}", has::ALL), flags));
    }
    let ordinal = reader.u64("ordinal of a message")?;
    let mut text = |flag: u8, what| (flags & flag != 0).then(|| string(&mut reader, what)).transpose();
    let deduplication_id = text(has::DEDUPLICATION_ID, "deduplication id")?;
    let trace = text(has::TRACE, "trace header")?;
    let attributes =
        if flags & has::ATTRIBUTES != 0 { decode_attributes(&mut reader)? } else { Attributes::new() };
    let origin = (flags & has::ORIGIN != 0).then(|| decode_origin(&mut reader)).transpose()?;
    let large = (flags & has::LARGE != 0).then(|| LargeBody::decode(&mut reader)).transpose()?;
    let body = value.slice(value.len() - reader.rest().len()..);
    let body = Text::from_utf8(body).ok_or_else(|| reader.malformed("body", "UTF-8", "other bytes"))?;
    Ok(Stored {
        seq,
        ordinal,
        group,
        deduplication_id,
        trace,
        attributes,
        body,
        large: large.map(Box::new),
        origin: origin.map(Box::new),
    })
}

fn decode_attributes(reader: &mut Reader<'_>) -> Read<Attributes> {
    let count = reader.count(13, "attributes of a message")?;
    let mut attributes = Attributes::new();
    for _ in 0..count {
        let name = string(reader, "name of an attribute")?;
        let data_type = string(reader, "type of an attribute")?;
        let before = reader.clone();
        let value = match reader.u8("kind of an attribute")? {
            1 => AttributeValue::Text(string(reader, "value of an attribute")?),
            2 => AttributeValue::Binary(Bytes::copy_from_slice(reader.bytes("value of an attribute")?)),
            other => return Err(before.malformed("kind of an attribute", "1 or 2", other)),
        };
        attributes.insert(name, MessageAttribute::new(data_type, value));
    }
    Ok(attributes)
}

fn decode_origin(reader: &mut Reader<'_>) -> Read<Origin> {
    let mut id = [0; 16];
    id.copy_from_slice(reader.raw(16, "id of a message")?);
    Ok(Origin {
        id,
        sent: time(reader, "time it was sent")?,
        receive_count: reader.u32("receive count")?,
        first_received: time(reader, "time it was received")?,
        queue: string(reader, "queue of origin")?,
    })
}

/// How many messages had been taken when this one was; what counting needs of a message.
pub(super) fn decode_ordinal(value: &[u8]) -> Read<u64> {
    let mut reader = Reader::new(value);
    version(&mut reader)?;
    reader.u8("fields of a message")?;
    reader.u64("ordinal of a message")
}

impl LeaseRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let group = self.group.as_deref().unwrap_or_default();
        let mut writer = Writer::with_capacity(29 + group.len());
        writer.u8(VERSION);
        writer.u64(self.until.as_millis());
        writer.u64(self.received.as_millis());
        writer.u64(self.first_received.as_millis());
        writer.u32(self.count);
        writer.raw(group.as_bytes());
        writer.into_vec()
    }

    pub(super) fn decode(value: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(value);
        version(&mut reader)?;
        Ok(Self {
            until: time(&mut reader, "end of a lease")?,
            received: time(&mut reader, "start of a lease")?,
            first_received: time(&mut reader, "first lease")?,
            count: reader.u32("receive count")?,
            group: group(&reader)?,
        })
    }
}

/// A group in the rest of a record.
fn group(reader: &Reader<'_>) -> Read<Option<Arc<str>>> {
    match std::str::from_utf8(reader.rest()) {
        Ok("") => Ok(None),
        Ok(group) => Ok(Some(group.into())),
        Err(_) => Err(reader.malformed("group", "UTF-8", "other bytes")),
    }
}

/// The value of a delay: the group of the message.
pub(super) fn decode_group(value: &[u8]) -> Read<Option<Arc<str>>> {
    group(&Reader::new(value))
}

impl Counts {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(33);
        writer.u8(VERSION);
        writer.u64(self.taken);
        writer.u64(self.gone);
        writer.u64(self.last);
        writer.u64(self.floor);
        writer.into_vec()
    }

    pub(super) fn decode(value: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(value);
        version(&mut reader)?;
        let counts = Self {
            taken: reader.u64("messages taken")?,
            gone: reader.u64("messages gone")?,
            last: reader.u64("last number")?,
            floor: reader.u64("floor")?,
        };
        reader.finish("counts of a queue")?;
        Ok(counts)
    }
}

impl Token {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(33);
        writer.u8(VERSION);
        writer.u128(self.alone);
        writer.u128(self.grouped);
        writer.into_vec()
    }

    pub(super) fn decode(value: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(value);
        version(&mut reader)?;
        let token = Self {
            alone: reader.u128("hash of a deduplication id")?,
            grouped: reader.u128("hash of a group and a deduplication id")?,
        };
        reader.finish("token")?;
        Ok(token)
    }
}

impl Task {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        writer.u8(self.status as u8);
        writer.raw(&self.id);
        writer.u64(self.started.as_millis());
        writer.u32(self.rate.unwrap_or_default());
        writer.u64(self.moved);
        writer.u64(self.to_move);
        writer.u64(self.last);
        writer.bytes(self.destination.as_deref().unwrap_or_default().as_bytes());
        writer.bytes(self.failure.as_deref().unwrap_or_default().as_bytes());
        writer.into_vec()
    }

    pub(super) fn decode(value: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(value);
        version(&mut reader)?;
        let before = reader.clone();
        let status = reader.u8("status of a task")?;
        let status = TaskStatus::ALL
            .into_iter()
            .find(|known| *known as u8 == status)
            .ok_or_else(|| before.malformed("status of a task", "1 to 4", status))?;
        let mut id = [0; 16];
        id.copy_from_slice(reader.raw(16, "id of a task")?);
        let some = |text: String| (!text.is_empty()).then_some(text);
        let task = Self {
            status,
            id,
            started: time(&mut reader, "start of a task")?,
            rate: Some(reader.u32("rate of a task")?).filter(|rate| *rate > 0),
            moved: reader.u64("messages moved")?,
            to_move: reader.u64("messages to move")?,
            last: reader.u64("last message to move")?,
            destination: some(string(&mut reader, "destination")?),
            failure: some(string(&mut reader, "reason of a failure")?),
        };
        reader.finish("move task")?;
        Ok(task)
    }
}

fn encode_pairs<'a>(writer: &mut Writer, pairs: impl ExactSizeIterator<Item = (&'a str, &'a String)>) {
    writer.count(pairs.len());
    for (key, value) in pairs {
        writer.bytes(key.as_bytes());
        writer.bytes(value.as_bytes());
    }
}

fn decode_pairs(reader: &mut Reader<'_>) -> Read<BTreeMap<String, String>> {
    let count = reader.count(8, "pairs of a queue")?;
    (0..count).map(|_| Ok((string(reader, "name of a pair")?, string(reader, "value of a pair")?))).collect()
}

impl QueueRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        match self {
            Self::Gone(at) => {
                writer.u8(2);
                writer.u64(at.as_millis());
            }
            Self::Live(live) => {
                writer.u8(1);
                live.encode(&mut writer);
            }
        }
        writer.into_vec()
    }

    pub(super) fn decode(value: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(value);
        version(&mut reader)?;
        let before = reader.clone();
        let record = match reader.u8("kind of a queue's record")? {
            1 => Self::Live(Box::new(Live::decode(&mut reader)?)),
            2 => Self::Gone(time(&mut reader, "time of deletion")?),
            other => return Err(before.malformed("kind of a queue's record", "1 or 2", other)),
        };
        reader.finish("record of a queue")?;
        Ok(record)
    }
}

impl Live {
    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.number);
        writer.u64(self.salt);
        for at in [self.created, self.modified, self.purged.unwrap_or_default()] {
            writer.u64(at.as_millis());
        }
        writer.u8(u8::from(self.is_moving));
        let settings = self.settings.to_pairs();
        encode_pairs(writer, settings.iter().map(|(name, value)| (*name, value)));
        encode_pairs(writer, self.tags.iter().map(|(key, value)| (key.as_str(), value)));
    }

    fn decode(reader: &mut Reader<'_>) -> Read<Self> {
        let number = reader.u32("number of a queue")?;
        let salt = reader.u64("salt of a queue")?;
        let created = time(reader, "creation of a queue")?;
        let modified = time(reader, "change of a queue")?;
        let purged = time(reader, "purge of a queue")?;
        let is_moving = reader.u8("move task of a queue")? != 0;
        let before = reader.clone();
        let pairs: QueueAttributes = decode_pairs(reader)?.into_iter().collect();
        let settings = Settings::new(&pairs, pairs.get("FifoQueue").is_some())
            .map_err(|error| before.malformed("attributes of a queue", "valid ones", error))?;
        let tags = decode_pairs(reader)?;
        let purged = Some(purged).filter(|at| *at > Timestamp::UNIX_EPOCH);
        Ok(Self { number, salt, created, modified, purged, is_moving, settings, tags })
    }
}

/// Each decoder on any bytes; what is accepted is what was written.
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) fn fuzz_records(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    if let Ok(message) = decode_message(None, 1, &shared) {
        let again = Bytes::from(encode_message(&message));
        let twice = decode_message(None, 1, &again).expect("what was decoded is sound");
        assert_eq!(encode_message(&twice), again);
        assert_eq!(decode_ordinal(bytes), Ok(message.ordinal));
    }
    if let Ok(lease) = LeaseRecord::decode(bytes) {
        assert_eq!(lease.encode(), bytes);
    }
    if let Ok(counts) = Counts::decode(bytes) {
        assert_eq!(counts.encode(), bytes);
    }
    if let Ok(token) = Token::decode(bytes) {
        assert_eq!(token.encode(), bytes);
    }
    if let Ok(task) = Task::decode(bytes) {
        assert_eq!(task.encode(), bytes);
    }
    if let Ok(record) = QueueRecord::decode(bytes) {
        let again = QueueRecord::decode(&record.encode());
        assert_eq!(again.as_ref(), Ok(&record));
    }
    if let Some((group, seq)) = crate::queue::keys::parse_message(bytes) {
        assert_eq!(crate::queue::keys::message(group, seq).as_ref(), bytes);
    }
    crate::queue::large::fuzz(bytes);
    let _ = decode_group(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(crate::queue::receipt::decode(1, text), None, "not one of ours");
        let _ = crate::queue::identify::parse(text);
    }
}

#[cfg(all(test, not(fourfold_loom)))]
mod tests {
    use super::*;
    use crate::store::keep::Kept;

    fn message() -> Stored {
        Stored {
            seq: 7,
            ordinal: 3,
            group: Some("g".into()),
            deduplication_id: Some("d".to_owned()),
            trace: Some("Root=1".to_owned()),
            attributes: Attributes::from([
                ("a".to_owned(), MessageAttribute::number(1)),
                ("b".to_owned(), MessageAttribute::binary(&[0xff][..])),
            ]),
            body: Text::from("body"),
            large: Some(Box::new(LargeBody {
                space: 3,
                kept: Kept { place: "b".into(), key: "k".into(), version: "null".into() },
                len: 9,
                md5: [1; 16],
            })),
            origin: Some(Box::new(Origin {
                id: [9; 16],
                sent: Timestamp::from_secs(1),
                receive_count: 4,
                first_received: Timestamp::from_secs(2),
                queue: "source".to_owned(),
            })),
        }
    }

    fn live() -> QueueRecord {
        let deduplicated = QueueAttributes::new().content_based_deduplication();
        QueueRecord::Live(Box::new(Live {
            number: 17,
            salt: 99,
            created: Timestamp::from_secs(1),
            modified: Timestamp::from_secs(2),
            purged: Some(Timestamp::from_secs(3)),
            is_moving: true,
            settings: Settings::new(&deduplicated, true).expect("attributes of a FIFO queue"),
            tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        }))
    }

    fn lease() -> LeaseRecord {
        LeaseRecord {
            group: None,
            until: Timestamp::from_secs(3),
            received: Timestamp::from_secs(2),
            first_received: Timestamp::from_secs(1),
            count: 5,
        }
    }

    #[test]
    fn round_trips() {
        let message = message();
        let bytes = Bytes::from(encode_message(&message));
        let again = decode_message(message.group.clone(), message.seq, &bytes).unwrap();
        assert_eq!(format!("{message:?}"), format!("{again:?}"));
        assert_eq!(encode_message(&again), bytes);
        assert_eq!(decode_ordinal(&bytes), Ok(3));
        assert_eq!(LeaseRecord::decode(&lease().encode()), Ok(lease()));
        let grouped = LeaseRecord { group: Some("g".into()), ..lease() };
        assert_eq!(LeaseRecord::decode(&grouped.encode()), Ok(grouped));
        let counts = Counts { taken: 3, gone: 2, last: 1, floor: 1 };
        assert_eq!(Counts::decode(&counts.encode()), Ok(counts));
        for record in [live(), QueueRecord::Gone(Timestamp::from_secs(5))] {
            assert_eq!(QueueRecord::decode(&record.encode()), Ok(record));
        }
    }

    #[test]
    fn damaged_records_are_refused_or_sound() {
        let message = encode_message(&message());
        for record in [message, live().encode(), lease().encode(), Counts::default().encode()] {
            for bit in 0..record.len() * 8 {
                let mut damaged = record.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                fuzz_records(&damaged);
            }
        }
    }

    #[test]
    fn truncated_records_are_refused() {
        let live = live().encode();
        for len in 0..live.len() {
            assert!(QueueRecord::decode(&live[..len]).is_err(), "{len}");
        }
        let bytes = encode_message(&message());
        for len in 0..bytes.len() - "body".len() {
            assert!(decode_message(None, 1, &Bytes::copy_from_slice(&bytes[..len])).is_err(), "{len}");
        }
        let lease = lease().encode();
        for len in 0..lease.len() {
            assert!(LeaseRecord::decode(&lease[..len]).is_err(), "{len}");
        }
        let counts = Counts::default().encode();
        assert!(
            Counts::decode(&counts[..32]).is_err() && Counts::decode(&[&counts[..], &[0]].concat()).is_err()
        );
    }
}
