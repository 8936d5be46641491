//! Reading a shard from a place on, and finding the place for a time.

use crate::clock::Timestamp;
use crate::error::Corruption;
use crate::store::{Range, Store};
use crate::stream::error::Result;
use crate::stream::keys;
use crate::stream::record::{self, Group, Place, Record};
use crate::stream::shard::{Shard, ShardId};
use bytes::{Bytes, BytesMut};

/// How much one read may return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) records: usize,
    /// The first record may be longer.
    pub(crate) bytes: usize,
}

/// A key of a shard's keyspace that no record has.
#[cold]
pub(crate) fn misplaced(shard: ShardId, key: &[u8]) -> crate::Error {
    let file = format!("record of {shard}");
    Corruption::new(file, 0, "key of a record", "16 bytes", format_args!("{} bytes", key.len())).into()
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The place behind the last record returned, or where the read began.
    pub(crate) place: u64,
    /// Nothing was left behind it.
    pub(crate) is_at_tip: bool,
    /// Bytes of what was returned.
    pub(crate) bytes: usize,
}

/// Adds the records at `place` and behind to `records`; not those that came before `horizon`. Where one cannot be read,
/// those before it are, and the next read begins with the flaw.
pub(crate) fn read(
    store: &Store,
    shard: &Shard,
    place: u64,
    horizon: Timestamp,
    bounds: Bounds,
    records: &mut impl Extend<Record>,
) -> Result<Reached> {
    let mut reached = Reached { place, is_at_tip: true, bytes: 0 };
    let mut count = 0;
    match fill(store, shard, horizon, bounds, (&mut reached, &mut count), records) {
        Err(error) if count == 0 => return Err(error),
        Err(_) => reached.is_at_tip = false,
        Ok(()) => {}
    }
    Ok(reached)
}

fn fill(
    store: &Store,
    shard: &Shard,
    horizon: Timestamp,
    bounds: Bounds,
    (reached, count): (&mut Reached, &mut usize),
    records: &mut impl Extend<Record>,
) -> Result<()> {
    let begin = reached.place;
    let mut range = range_from(store, shard, begin);
    let mut has_sought = false;
    while range.advance()? {
        if keys::is_part(range.key()) {
            continue;
        }
        // The group here has a record to give, which need not be loaded.
        if *count == bounds.records {
            reached.is_at_tip = false;
            break;
        }
        let (last, arrival) = position(shard, &range)?;
        if arrival < horizon && !has_sought {
            // The expired ones may be many, and those behind have not expired.
            has_sought = true;
            reached.place = seek(store, shard, horizon)?.max(begin);
            range = range_from(store, shard, reached.place);
            continue;
        }
        let mut group = group(store, shard, (last, arrival), range.value()?)?;
        group.skip_to(reached.place);
        for record in group {
            if *count == bounds.records || *count > 0 && reached.bytes + record.size() > bounds.bytes {
                reached.is_at_tip = false;
                return Ok(());
            }
            reached.bytes += record.size();
            reached.place = record.place() + 1;
            *count += 1;
            records.extend(Some(record));
        }
    }
    Ok(())
}

/// The records of which `value` stands under the key of this place and time.
fn group(store: &Store, shard: &Shard, (last, arrival): (u64, Timestamp), mut value: Bytes) -> Result<Group> {
    if record::is_parted(&value) {
        value = join(store, shard, (last, arrival), &value)?;
    }
    let at = Place { created: shard.second(), shard: shard.index, last, arrival };
    let group = Group::decode(value, at);
    Ok(group.map_err(|flaw| flaw.in_file(format!("record {last} of {}", shard.id()).as_ref()))?)
}

/// The whole of a record of which `first` stands at `place` and the rest behind.
#[cold]
fn join(store: &Store, shard: &Shard, (place, arrival): (u64, Timestamp), first: &Bytes) -> Result<Bytes> {
    let mut whole = BytesMut::from(&first[..]);
    let (from, to) = (keys::part(&keys::record(place, arrival), 1), keys::place(place + 1));
    let mut range = shard.space.range(store, &from[..]..&to[..]);
    while range.advance()? {
        whole.extend_from_slice(&range.value()?);
    }
    Ok(whole.freeze())
}

/// The place of the first record that came at `time` or later; the next record's if there is none.
pub(crate) fn seek(store: &Store, shard: &Shard, time: Timestamp) -> Result<u64> {
    let (mut low, mut high) = {
        let tail = shard.tail(store)?;
        if tail.newest < time {
            return Ok(tail.next);
        }
        (tail.floor, tail.next)
    };
    // Records below `low` are older, those from `high` on are not. Places have gaps, so each probe goes to the record
    // that there is at or behind a place.
    while low < high {
        let middle = low + (high - low) / 2;
        let mut range = range_from(store, shard, middle);
        if range.advance()? {
            let (found, arrival) = position(shard, &range)?;
            if arrival < time {
                low = found + 1;
                continue;
            }
        }
        high = middle;
    }
    Ok(high)
}

/// The time of the first record at `place` or behind.
pub(crate) fn arrival_from(store: &Store, shard: &Shard, place: u64) -> Result<Option<Timestamp>> {
    let mut range = range_from(store, shard, place);
    if !range.advance()? {
        return Ok(None);
    }
    position(shard, &range).map(|(_, arrival)| Some(arrival))
}

fn range_from(store: &Store, shard: &Shard, place: u64) -> Range {
    shard.space.range(store, keys::place(place)..)
}

fn position(shard: &Shard, range: &Range) -> Result<(u64, Timestamp)> {
    Ok(keys::record_of(range.key()).ok_or_else(|| misplaced(shard.id(), range.key()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{CreateStream, Start};

    #[test]
    fn what_stands_before_a_flaw_is_read_once() {
        let store = Store::in_memory();
        let stream = store.streams().create("clicks", CreateStream::default().shard_count(1)).unwrap();
        for number in 0..9_u8 {
            stream.put("key", [number]).unwrap();
        }
        let mut cursor = stream.cursor("shardId-000000000000", Start::TrimHorizon).unwrap();
        let mut records = Vec::new();
        cursor.try_batch(9, &mut records).unwrap();
        let last = records.last().unwrap();
        let space = stream.state.inner.read().shards[&0].space.id();
        let mut batch = store.batch();
        batch.put_in(space, &keys::record(last.place(), last.arrival()), b"no record").unwrap();
        store.commit(batch).unwrap().wait().unwrap();

        let mut cursor = stream.cursor("shardId-000000000000", Start::TrimHorizon).unwrap();
        for number in 0..8_u8 {
            assert_eq!(cursor.try_next().unwrap().unwrap().data(), [number]);
        }
        for _ in 0..3 {
            assert_eq!(cursor.try_next().unwrap_err().code(), "InternalFailureException");
        }
        let mut cursor = stream.cursor("shardId-000000000000", Start::TrimHorizon).unwrap();
        assert_eq!(cursor.try_batch(8, &mut Vec::new()).unwrap(), 8);
        assert_eq!(cursor.try_batch(1, &mut Vec::new()).unwrap_err().code(), "InternalFailureException");
    }
}
