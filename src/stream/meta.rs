//! What is stored of a stream, its shards and its consumers, besides the records.
//!
//! The bytes are described in `docs/format.md` ("Streams"). Decoding is total over any bytes.

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use std::collections::BTreeMap;

const FORMAT: u8 = 1;
/// A tag's two lengths.
const TAG_LEN_MIN: usize = 2 * size_of::<u32>();

/// How a stream's capacity is set.
///
/// ```
/// use fourfold::stream::Mode;
/// assert_eq!(Mode::OnDemand.to_string(), "ON_DEMAND");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// By its number of shards, which splits, merges and scaling change.
    Provisioned,
    /// By the service: it has four shards here, whatever it carries.
    OnDemand,
}

/// Which shard a record goes to.
///
/// ```
/// use fourfold::stream::Distribution;
/// assert_eq!(Distribution::default(), Distribution::UserPartitionKey);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// The one that its partition key, or its explicit hash key, says.
    #[default]
    UserPartitionKey,
    /// Any: keys are ignored, and order is kept for none of them. On-demand streams only.
    Auto,
}

/// Tags: key to value.
pub type Tags = BTreeMap<String, String>;

/// What the catalog keeps of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamRecord {
    /// Tells it from other streams of its name.
    pub(crate) generation: u64,
    pub(crate) created: Timestamp,
    pub(crate) mode: Mode,
    pub(crate) distribution: Distribution,
    pub(crate) record_kib: u32,
    pub(crate) retention_hours: u32,
    /// Records before are gone, whatever the retention says now: it was shorter once.
    pub(crate) hidden_before: Timestamp,
    /// The index of the next shard.
    pub(crate) next_shard: u32,
    pub(crate) change: Option<Change>,
    /// When it was scaled, and when its mode changed, within the last day.
    pub(crate) scalings: Vec<Timestamp>,
    pub(crate) mode_changes: Vec<Timestamp>,
    pub(crate) tags: Tags,
}

/// A change that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// When it is done.
    pub(crate) due: Timestamp,
    pub(crate) kind: ChangeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Create,
    Delete,
    /// A setting, which holds already.
    Set,
    Split {
        shard: u32,
        at: u128,
    },
    Merge {
        shard: u32,
        adjacent: u32,
    },
    Scale {
        target: u32,
    },
}

/// What is kept of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardRecord {
    /// The keyspace of its records.
    pub(crate) space: u32,
    /// The second that its numbers say it was made in.
    pub(crate) second: u64,
    pub(crate) opened: Timestamp,
    pub(crate) closed: Option<Timestamp>,
    /// Hash keys, both ends included.
    pub(crate) start: u128,
    pub(crate) end: u128,
    /// None, the shard that was split, or the two that were merged.
    pub(crate) parents: Vec<u32>,
    /// Places below are gone; none above was used when this was said.
    pub(crate) floor: u64,
}

/// What is kept of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerRecord {
    pub(crate) created: Timestamp,
    /// It can subscribe from here on.
    pub(crate) active: Timestamp,
    pub(crate) tags: Tags,
}

fn put_tags(writer: &mut Writer, tags: &Tags) {
    writer.count(tags.len());
    for (key, value) in tags {
        writer.bytes(key.as_bytes());
        writer.bytes(value.as_bytes());
    }
}

fn put_times(writer: &mut Writer, times: &[Timestamp]) {
    writer.count(times.len());
    for time in times {
        writer.u64(time.as_millis());
    }
}

fn take_format(reader: &mut Reader<'_>, what: &'static str) -> Result<(), Malformed> {
    let before = reader.clone();
    match reader.u8(what)? {
        FORMAT => Ok(()),
        other => Err(before.malformed(what, FORMAT, other)),
    }
}

fn take_time(reader: &mut Reader<'_>, what: &'static str) -> Result<Timestamp, Malformed> {
    reader.u64(what).map(Timestamp::from_millis)
}

fn take_times(reader: &mut Reader<'_>, what: &'static str) -> Result<Vec<Timestamp>, Malformed> {
    let count = reader.count(size_of::<u64>(), what)?;
    (0..count).map(|_| take_time(reader, what)).collect()
}

fn take_text(reader: &mut Reader<'_>, what: &'static str) -> Result<String, Malformed> {
    let bytes = reader.bytes(what)?;
    let text = std::str::from_utf8(bytes).map_err(|_| reader.malformed(what, "UTF-8", "other bytes"))?;
    Ok(text.to_owned())
}

fn take_tags(reader: &mut Reader<'_>) -> Result<Tags, Malformed> {
    let count = reader.count(TAG_LEN_MIN, "tags")?;
    (0..count).map(|_| Ok((take_text(reader, "tag key")?, take_text(reader, "tag value")?))).collect()
}

impl StreamRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(FORMAT);
        writer.u64(self.generation);
        writer.u64(self.created.as_millis());
        writer.u8(match self.mode {
            Mode::Provisioned => 1,
            Mode::OnDemand => 2,
        });
        writer.u8(match self.distribution {
            Distribution::UserPartitionKey => 1,
            Distribution::Auto => 2,
        });
        writer.u32(self.record_kib);
        writer.u32(self.retention_hours);
        writer.u64(self.hidden_before.as_millis());
        writer.u32(self.next_shard);
        Change::encode(self.change, &mut writer);
        put_times(&mut writer, &self.scalings);
        put_times(&mut writer, &self.mode_changes);
        put_tags(&mut writer, &self.tags);
        writer.into_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(bytes);
        take_format(reader, "format of a stream")?;
        let record = Self {
            generation: reader.u64("generation of a stream")?,
            created: take_time(reader, "creation of a stream")?,
            mode: match reader.u8("mode of a stream")? {
                1 => Mode::Provisioned,
                2 => Mode::OnDemand,
                other => return Err(reader.malformed("mode of a stream", "1 or 2", other)),
            },
            distribution: match reader.u8("distribution of records")? {
                1 => Distribution::UserPartitionKey,
                2 => Distribution::Auto,
                other => return Err(reader.malformed("distribution of records", "1 or 2", other)),
            },
            record_kib: reader.u32("size of records")?,
            retention_hours: reader.u32("retention")?,
            hidden_before: take_time(reader, "end of what is hidden")?,
            next_shard: reader.u32("index of the next shard")?,
            change: Change::decode(reader)?,
            scalings: take_times(reader, "scalings")?,
            mode_changes: take_times(reader, "changes of mode")?,
            tags: take_tags(reader)?,
        };
        reader.finish("stream")?;
        Ok(record)
    }
}

impl Change {
    /// A tag, 0 for none; when it is due; what it is about.
    fn encode(change: Option<Self>, writer: &mut Writer) {
        let Some(Self { due, kind }) = change else { return writer.u8(0) };
        writer.u8(match kind {
            ChangeKind::Create => 1,
            ChangeKind::Delete => 2,
            ChangeKind::Set => 3,
            ChangeKind::Split { .. } => 4,
            ChangeKind::Merge { .. } => 5,
            ChangeKind::Scale { .. } => 6,
        });
        writer.u64(due.as_millis());
        match kind {
            ChangeKind::Create | ChangeKind::Delete | ChangeKind::Set => {}
            ChangeKind::Split { shard, at } => {
                writer.u32(shard);
                writer.u128(at);
            }
            ChangeKind::Merge { shard, adjacent } => {
                writer.u32(shard);
                writer.u32(adjacent);
            }
            ChangeKind::Scale { target } => writer.u32(target),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        let tag = reader.u8("change of a stream")?;
        if tag == 0 {
            return Ok(None);
        }
        let due = take_time(reader, "end of a change")?;
        let kind = match tag {
            1 => ChangeKind::Create,
            2 => ChangeKind::Delete,
            3 => ChangeKind::Set,
            4 => {
                ChangeKind::Split { shard: reader.u32("shard to split")?, at: reader.u128("where to split")? }
            }
            5 => ChangeKind::Merge {
                shard: reader.u32("shard to merge")?,
                adjacent: reader.u32("its neighbour")?,
            },
            6 => ChangeKind::Scale { target: reader.u32("number of shards")? },
            other => return Err(reader.malformed("change of a stream", "0 to 6", other)),
        };
        Ok(Some(Self { due, kind }))
    }
}

impl ShardRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(FORMAT);
        writer.u32(self.space);
        writer.u64(self.second);
        writer.u64(self.opened.as_millis());
        writer.u8(u8::from(self.closed.is_some()));
        if let Some(closed) = self.closed {
            writer.u64(closed.as_millis());
        }
        writer.u128(self.start);
        writer.u128(self.end);
        writer.count(self.parents.len());
        for parent in &self.parents {
            writer.u32(*parent);
        }
        writer.u64(self.floor);
        writer.into_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(bytes);
        take_format(reader, "format of a shard")?;
        let record = Self {
            space: reader.u32("keyspace of a shard")?,
            second: reader.u64("second of a shard")?,
            opened: take_time(reader, "opening of a shard")?,
            closed: match reader.u8("end of a shard")? {
                0 => None,
                1 => Some(take_time(reader, "closing of a shard")?),
                other => return Err(reader.malformed("end of a shard", "0 or 1", other)),
            },
            start: reader.u128("first hash key")?,
            end: reader.u128("last hash key")?,
            parents: {
                let count = reader.count(size_of::<u32>(), "parents of a shard")?;
                (0..count).map(|_| reader.u32("parent of a shard")).collect::<Result<_, _>>()?
            },
            floor: reader.u64("floor of a shard")?,
        };
        if record.start > record.end || record.parents.len() > 2 {
            return Err(reader.malformed("shard", "a range, and at most two parents", "others"));
        }
        reader.finish("shard")?;
        Ok(record)
    }
}

impl ConsumerRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(FORMAT);
        writer.u64(self.created.as_millis());
        writer.u64(self.active.as_millis());
        put_tags(&mut writer, &self.tags);
        writer.into_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(bytes);
        take_format(reader, "format of a consumer")?;
        let record = Self {
            created: take_time(reader, "registration of a consumer")?,
            active: take_time(reader, "activation of a consumer")?,
            tags: take_tags(reader)?,
        };
        reader.finish("consumer")?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(change: Option<ChangeKind>) -> StreamRecord {
        let at = Timestamp::from_secs(1_735_689_600);
        StreamRecord {
            generation: 7,
            created: at,
            mode: Mode::OnDemand,
            distribution: Distribution::Auto,
            record_kib: 1024,
            retention_hours: 24,
            hidden_before: at,
            next_shard: 4,
            change: change.map(|kind| Change { due: at, kind }),
            scalings: vec![at, at],
            mode_changes: vec![at],
            tags: [("key".into(), "value".into())].into(),
        }
    }

    fn shard(closed: Option<Timestamp>) -> ShardRecord {
        let opened = Timestamp::from_secs(5);
        ShardRecord { space: 17, second: 5, opened, closed, start: 3, end: 9, parents: vec![1, 2], floor: 12 }
    }

    fn consumer() -> ConsumerRecord {
        let at = Timestamp::from_secs(5);
        ConsumerRecord { created: at, active: at, tags: [("key".into(), String::new())].into() }
    }

    fn check<R: PartialEq + std::fmt::Debug>(
        record: &R,
        bytes: &[u8],
        decode: impl Fn(&[u8]) -> Result<R, Malformed>,
    ) {
        assert_eq!(decode(bytes).as_ref(), Ok(record));
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "cut to {len}");
        }
        assert!(decode(&[bytes, &[0]].concat()).is_err(), "one byte too many");
        let mut other = bytes.to_vec();
        other[0] = 2;
        assert!(decode(&other).is_err(), "of another format");
    }

    #[test]
    fn round_trip_and_every_truncation() {
        for change in [
            None,
            Some(ChangeKind::Create),
            Some(ChangeKind::Delete),
            Some(ChangeKind::Set),
            Some(ChangeKind::Split { shard: 3, at: 1 << 100 }),
            Some(ChangeKind::Merge { shard: 3, adjacent: 2 }),
            Some(ChangeKind::Scale { target: 8 }),
        ] {
            let record = stream(change);
            check(&record, &record.encode(), StreamRecord::decode);
        }
        for closed in [None, Some(Timestamp::from_secs(9))] {
            let record = shard(closed);
            check(&record, &record.encode(), ShardRecord::decode);
        }
        check(&consumer(), &consumer().encode(), ConsumerRecord::decode);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut record = shard(None);
        record.start = 10;
        assert!(ShardRecord::decode(&record.encode()).is_err());
        record.start = 0;
        record.parents = vec![1, 2, 3];
        assert!(ShardRecord::decode(&record.encode()).is_err());
    }
}
