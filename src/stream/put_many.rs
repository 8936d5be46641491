//! Putting many records in one call.

use crate::Timestamp;
use crate::store::pending::Pending;
use crate::store::{Batch, Store};
use crate::stream::dials::Dials;
use crate::stream::error::{Error, Result};
use crate::stream::keys::RECORD_LEN;
use crate::stream::limits::{BYTES_PER_PUT_MAX, RECORDS_PER_PUT_MAX};
use crate::stream::put::{Put, PutRecord, add, check_record, hash_of, part_max};
use crate::stream::shard::{Shard, Tail, wake_all};
use crate::stream::{Stream, keys, record};
use crate::tree::batch::Gathered;
use parking_lot::MutexGuard;
use std::sync::Arc;

/// Bytes of the log that one batch takes, about: a call may put more than a segment holds.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes of a group of records that stand under one key: what a reader of one of them loads and keeps.
const GROUP_BYTES: usize = 32 << 10;

/// What became of many records: one result for each, in the order of the request.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::PutRecord};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let answer = stream.put_many(&[PutRecord::new("ann", "home"), PutRecord::new("bob", "news")])?;
/// assert_eq!((answer.records.len(), answer.failed_record_count()), (2, 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PutMany {
    /// Where each record went, or why it did not.
    pub records: Vec<Result<Put>>,
}

impl PutMany {
    /// How many records were not put. They may be put again.
    pub fn failed_record_count(&self) -> usize {
        self.records.iter().filter(|result| result.is_err()).count()
    }
}

/// A shard that records of the call go to, its tail locked.
pub(super) struct Target<'a> {
    pub(super) shard: &'a Arc<Shard>,
    pub(super) tail: MutexGuard<'a, Tail>,
}

impl Stream {
    /// Puts up to 500 records of up to 10 MiB together. Records of one shard get rising numbers in the order of the
    /// request; a record that fails does not keep the others back.
    ///
    /// # Errors
    /// Those of [`put_record`](Self::put_record), for the call as a whole: if one record is not valid, none is put. After
    /// [`Storage`](Error::Storage), some may have been put.
    pub fn put_many(&self, records: &[PutRecord<'_>]) -> Result<PutMany> {
        self.store.call("PutRecords", self.name(), || Ok(self.stage_put_many(records)?.wait()?))
    }

    /// [`put_many`](Self::put_many) that holds no thread while it waits for the disk.
    pub async fn put_many_async(&self, records: &[PutRecord<'_>]) -> Result<PutMany> {
        self.store
            .call_async("PutRecords", self.name(), async { Ok(self.stage_put_many(records)?.done().await?) })
            .await
    }

    fn stage_put_many(&self, records: &[PutRecord<'_>]) -> Result<Pending<PutMany>> {
        let store = &self.store;
        check_count(records)?;
        let now = store.now();
        let dials = self.registry.active_dials();
        let inner = self.usable(now)?;
        let mut routes = Vec::with_capacity(records.len());
        for (record, number) in records.iter().zip(1_usize..) {
            let hash = check_record(record, &inner)
                .and_then(|()| hash_of(store, record, &inner, dials.as_deref()))
                .map_err(|error| error.of_record(number))?;
            routes.push((hash, self.shard_for(&inner, hash)?));
        }
        let mut targets = self.lock(&routes)?;
        let written = self.write_all(records, &routes, &mut targets, dials.as_deref(), now);
        // Also if a batch failed: the ones before it can be read.
        let mut waiting = Vec::new();
        for Target { shard, mut tail } in targets {
            let next = tail.next;
            shard.set_next(&mut tail, next);
            waiting.append(&mut tail.take_waiting());
        }
        drop(routes);
        drop(inner);
        wake_all(waiting);
        written
    }

    fn write_all(
        &self,
        records: &[PutRecord<'_>],
        routes: &[(u128, &Arc<Shard>)],
        targets: &mut [Target<'_>],
        dials: Option<&Dials>,
        now: Timestamp,
    ) -> Result<Pending<PutMany>> {
        let mut results = Vec::with_capacity(records.len());
        let start = |target: &Target<'_>| (target.tail.next, now.max(target.tail.newest), Vec::new());
        let mut admitted: Vec<(u64, Timestamp, Vec<&PutRecord<'_>>)> = targets.iter().map(start).collect();
        for (record, (hash, shard)) in records.iter().zip(routes) {
            let Ok(target) = targets.binary_search_by_key(&shard.index, |target| target.shard.index) else {
                return Err(self.state.not_found(&self.store));
            };
            let (tail, (_, arrival, admitted)) = (&mut *targets[target].tail, &mut admitted[target]);
            if let Some(dials) = dials
                && let Err(refusal) = self.admit(dials, shard, tail, record, *hash, now)
            {
                results.push(Err(refusal));
                continue;
            }
            let number = shard.number(tail.next, *arrival);
            // Nobody reads places that are not in the log: a batch that fails leaves a gap.
            tail.next += 1;
            tail.newest = *arrival;
            admitted.push(record);
            results.push(Ok(Put { shard_id: shard.id(), sequence_number: number }));
        }
        let mut writer = Writer::new(&self.store);
        for (target, (first, arrival, records)) in targets.iter().zip(&admitted) {
            writer.add(target.shard, *first, *arrival, records)?;
        }
        let pending = writer.finish()?;
        Ok(pending.map(|()| PutMany { records: results }))
    }

    /// Locks the tails of all shards on the way, by rising index.
    pub(super) fn lock<'a>(&self, routes: &[(u128, &'a Arc<Shard>)]) -> Result<Vec<Target<'a>>> {
        let mut shards: Vec<&Arc<Shard>> = routes.iter().map(|(_, shard)| *shard).collect();
        shards.sort_unstable_by_key(|shard| shard.index);
        shards.dedup_by_key(|shard| shard.index);
        let lock = |shard: &'a Arc<Shard>| Ok(Target { shard, tail: shard.tail(&self.store)? });
        shards.into_iter().map(lock).collect()
    }
}

/// Writes records in as few batches as fit into the log, neighbours in groups.
struct Writer<'a> {
    store: &'a Store,
    /// What is not put by reference.
    batch: Batch,
    groups: Gathered<'a>,
    /// What stands before the data of a group.
    head: Vec<u8>,
    last: Option<Pending<()>>,
}

impl<'a> Writer<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, batch: store.batch(), groups: Gathered::default(), head: Vec::new(), last: None }
    }

    /// Adds the records from the place `first` on.
    fn add(
        &mut self,
        shard: &Shard,
        first: u64,
        arrival: Timestamp,
        mut records: &[&'a PutRecord<'a>],
    ) -> Result<()> {
        let alone_max = self.store.inline_max().min(part_max(self.store));
        let group_max = GROUP_BYTES.min(alone_max).min(self.batch_max());
        let mut next = first;
        while let Some(record) = records.first() {
            let (group, rest) = records.split_at(neighbours(records, group_max));
            let len = group.iter().map(|record| record.size()).sum();
            self.make_room(len)?;
            next += group.len() as u64;
            let key = keys::record(next - 1, arrival);
            if record::HEAD_LEN + len > alone_max {
                add(self.store, &mut self.batch, shard, &key, record)?;
            } else {
                self.add_group(shard, &key, group)?;
            }
            records = rest;
        }
        Ok(())
    }

    /// Adds some records as the group with this key.
    fn add_group(
        &mut self,
        shard: &Shard,
        key: &[u8; RECORD_LEN],
        records: &[&'a PutRecord<'a>],
    ) -> Result<()> {
        self.head.clear();
        record::put_head(&mut self.head, records.iter().map(|record| record.lengths()))?;
        for record in records {
            self.head.extend_from_slice(record.key_bytes());
        }
        let data = records.iter().map(|record| record.data);
        Ok(self.groups.put(shard.space.id(), key, &self.head, data)?)
    }

    /// Commits what is there if it would become too much with `more` bytes.
    fn make_room(&mut self, more: usize) -> Result<()> {
        let len = self.batch.byte_len() + self.groups.byte_len();
        if len > 0 && len + more > self.batch_max() { self.commit() } else { Ok(()) }
    }

    fn batch_max(&self) -> usize {
        BATCH_BYTES.min(self.store.batch_bytes_max() / 2)
    }

    fn commit(&mut self) -> Result<()> {
        let batch = std::mem::replace(&mut self.batch, self.store.batch());
        self.last = Some(self.store.commit_gathered(batch, &self.groups)?);
        self.groups.clear();
        Ok(())
    }

    /// What to wait for: the last batch is durable after all before it.
    fn finish(mut self) -> Result<Pending<()>> {
        if !self.batch.is_empty() || self.groups.byte_len() > 0 {
            self.commit()?;
        }
        Ok(self.last.unwrap_or_else(|| Pending::ready(self.store, ())))
    }
}

/// How many of the first records are a group of at most `bytes`, or one that is longer.
fn neighbours(records: &[&PutRecord<'_>], bytes: usize) -> usize {
    let mut len = record::HEAD_LEN;
    let fits = |record: &&&PutRecord<'_>| {
        len += record::LENGTHS_LEN + record.size();
        len <= bytes
    };
    records.iter().take_while(fits).count().max(1)
}

fn check_count(records: &[PutRecord<'_>]) -> Result<()> {
    if records.is_empty() {
        return Err(Error::constraint(Some(&"[]"), "records", "have length greater than or equal to 1"));
    }
    if records.len() > RECORDS_PER_PUT_MAX {
        let rule = format!("have length less than or equal to {RECORDS_PER_PUT_MAX}");
        return Err(Error::constraint(None, "records", rule));
    }
    let size: usize = records.iter().map(PutRecord::size).sum();
    if size > BYTES_PER_PUT_MAX {
        return Err(Error::invalid(format_args!(
            "Records size exceeds {} MB limit",
            BYTES_PER_PUT_MAX >> 20
        )));
    }
    Ok(())
}
