//! Putting many records in one call.

use crate::Timestamp;
use crate::store::pending::Pending;
use crate::store::{Batch, Store};
use crate::stream::dials::Dials;
use crate::stream::error::{Error, Result};
use crate::stream::keys::RECORD_LEN;
use crate::stream::limits::{BYTES_PER_PUT_MAX, RECORDS_PER_PUT_MAX};
use crate::stream::put::{Put, PutRecord, add, check_record, hash_of};
use crate::stream::shard::{Shard, Tail, wake_all};
use crate::stream::{Stream, keys};
use parking_lot::MutexGuard;
use std::sync::Arc;

/// Bytes of the log that one batch takes, about: a call may put more than a segment holds.
const BATCH_BYTES: usize = 1 << 20;

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
        for record in records {
            check_record(record, &inner)?;
            let hash = hash_of(store, record, &inner)?;
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
        let mut writer = Writer { store: &self.store, batch: self.store.batch(), last: None };
        let mut results = Vec::with_capacity(records.len());
        for (record, (hash, shard)) in records.iter().zip(routes) {
            let Ok(target) = targets.binary_search_by_key(&shard.index, |target| target.shard.index) else {
                return Err(self.state.not_found(&self.store));
            };
            let tail = &mut *targets[target].tail;
            if let Some(dials) = dials
                && let Err(refusal) = self.admit(dials, shard, tail, record, *hash, now)
            {
                results.push(Err(refusal));
                continue;
            }
            let (place, arrival) = (tail.next, now.max(tail.newest));
            writer.add(shard, &keys::record(place, arrival), record)?;
            // Nobody reads places that are not in the log: a batch that fails leaves a gap.
            tail.next = place + 1;
            tail.newest = arrival;
            results.push(Ok(Put { shard_id: shard.id(), sequence_number: shard.number(place, arrival) }));
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

/// Writes records in as few batches as fit into the log.
struct Writer<'a> {
    store: &'a Store,
    batch: Batch,
    last: Option<Pending<()>>,
}

impl Writer<'_> {
    fn add(&mut self, shard: &Shard, at: &[u8; RECORD_LEN], record: &PutRecord<'_>) -> Result<()> {
        let store = self.store;
        let most = BATCH_BYTES.min(store.batch_bytes_max() / 2);
        if !self.batch.is_empty() && self.batch.byte_len() + record.size() > most {
            let full = std::mem::replace(&mut self.batch, store.batch());
            self.last = Some(store.commit(full)?);
        }
        add(store, &mut self.batch, shard, at, record)
    }

    /// What to wait for: the last batch is durable after all before it.
    fn finish(self) -> Result<Pending<()>> {
        let store = self.store;
        if self.batch.is_empty() {
            return Ok(self.last.unwrap_or_else(|| Pending::ready(store, ())));
        }
        Ok(store.commit(self.batch)?)
    }
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
