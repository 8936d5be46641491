//! What a transaction over several engines does with a stream.
//!
//! Records get their places when the transaction is committed: with the stream and the tails of its shards locked, by the
//! code of the single verbs, all into the transaction's batch.

use crate::error::Result as StoreResult;
use crate::store::Batch;
use crate::store::deliver::Arrival;
use crate::stream::dials::Dials;
use crate::stream::error::{Error, Result};
use crate::stream::put::{Put, PutRecord, add, check_record, hash_of};
use crate::stream::put_many::Target;
use crate::stream::shard::{Shard, wake_all};
use crate::stream::state::Inner;
use crate::stream::{Stream, keys};
use crate::{Store, Timestamp};
use bytes::Bytes;
use std::sync::Arc;
use std::task::Waker;

impl Stream {
    /// The store that it is in.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The stream of an ARN that events are told to, if it is there.
    pub(crate) fn told_by_arn(store: &Store, arn: &str) -> StoreResult<Option<Self>> {
        super::deliver::stream(store, arn)
    }
}

/// A record to be put, as it is kept until then.
#[derive(Debug)]
struct Kept {
    operation: usize,
    key: Option<String>,
    data: Bytes,
    /// What is put instead if the data are too long.
    short: Option<Bytes>,
    hash: Option<String>,
    after: Option<String>,
    /// It tells of an event of another engine: not put if the stream refuses it.
    is_event: bool,
}

impl Kept {
    /// The records that will do, the best first.
    fn records(&self) -> impl Iterator<Item = PutRecord<'_>> {
        std::iter::once(&self.data).chain(&self.short).map(|data| PutRecord {
            key: self.key.as_deref(),
            data,
            hash: self.hash.as_deref(),
            after: self.after.as_deref(),
        })
    }
}

/// What one transaction puts into one stream, in order.
#[derive(Debug)]
pub(crate) struct Turn {
    stream: Stream,
    records: Vec<Kept>,
}

/// Where the records of a transaction went, each by the number of its operation.
pub(crate) type Puts = Vec<(usize, Put)>;

impl Turn {
    pub(crate) fn new(stream: &Stream) -> Self {
        Self { stream: stream.clone(), records: Vec::new() }
    }

    /// Is it the same stream, and not only one of its name?
    pub(crate) fn is_of(&self, stream: &Stream) -> bool {
        Arc::ptr_eq(&self.stream.state, &stream.state)
    }

    /// The number of the first operation.
    pub(crate) fn operation(&self) -> usize {
        self.records.iter().map(|record| record.operation).min().unwrap_or(usize::MAX)
    }

    /// The stream's place in the order in which several are locked.
    pub(crate) fn place(&self) -> (&str, u64) {
        (&self.stream.state.name, self.stream.state.generation)
    }

    /// A record is to be put. What is wrong with it by now is said now.
    pub(crate) fn put(&mut self, operation: usize, record: &PutRecord<'_>) -> Result<()> {
        let now = self.stream.store.now();
        let inner = self.stream.usable(now)?;
        check_record(record, &inner)?;
        hash_of(&self.stream.store, record, &inner, None)?;
        if let Some(number) = record.after {
            self.stream.check_ordering(number, now)?;
        }
        drop(inner);
        self.records.push(Kept {
            operation,
            key: record.key.map(str::to_owned),
            data: Bytes::copy_from_slice(record.data),
            short: None,
            hash: record.hash.map(str::to_owned),
            after: record.after.map(str::to_owned),
            is_event: false,
        });
        Ok(())
    }

    /// An event arrives.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        let key = Some(arrival.group());
        let Arrival { body: data, short, .. } = arrival;
        let (operation, hash, after) = (usize::MAX, None, None);
        self.records.push(Kept { operation, key, data, short, hash, after, is_event: true });
    }

    /// Carries out what is due of the stream, before anything is locked.
    pub(crate) fn settle(&self) -> Result<()> {
        self.stream.registry.settle(&self.stream.store, &self.stream.state)
    }

    /// Locks the stream, decides, adds the records to the batch and hands it on to `append`; then applies what it says.
    /// The outer error is that of `append`, the inner one that of a record.
    pub(super) fn within<E: From<crate::Error>>(
        &self,
        mut batch: Batch,
        now: Timestamp,
        puts: &mut Puts,
        append: &mut dyn FnMut(Batch) -> Result<(), E>,
        refused: &dyn Fn(usize, Error) -> E,
    ) -> Result<Vec<Waker>, E> {
        let (stream, store) = (&self.stream, &self.stream.store);
        let of_all = |error: Error| refused(self.operation(), error);
        let inner = stream.state.inner.read();
        if !inner.is_usable() {
            // Who is told of events and is gone is told nothing.
            if self.records.iter().all(|record| record.is_event) {
                append(batch)?;
                return Ok(Vec::new());
            }
            return Err(of_all(stream.state.not_found(store)));
        }
        let dials = stream.registry.active_dials();
        let routes = self.routes(store, &inner, dials.as_deref());
        let routes = routes.map_err(|(operation, error)| refused(operation, error))?;
        let shards: Vec<_> = routes.iter().map(|(_, _, hash, shard)| (*hash, *shard)).collect();
        let mut targets = stream.lock(&shards).map_err(of_all)?;
        let mut ends: Vec<_> = targets.iter().map(|target| (target.tail.next, target.tail.newest)).collect();
        for (kept, record, hash, shard) in &routes {
            let Ok(target) = targets.binary_search_by_key(&shard.index, |target| target.shard.index) else {
                return Err(of_all(stream.state.not_found(store)));
            };
            let refused = |error: Error| refused(kept.operation, error);
            if let Some(dials) = dials.as_deref().filter(|_| !kept.is_event) {
                let tail = &mut *targets[target].tail;
                stream.admit(dials, shard, tail, record, *hash, now).map_err(refused)?;
            }
            let (place, arrival) = (ends[target].0, now.max(ends[target].1));
            add(store, &mut batch, shard, &keys::record(place, arrival), record).map_err(refused)?;
            ends[target] = (place + 1, arrival);
            if !kept.is_event {
                let number = shard.number(place, arrival);
                puts.push((kept.operation, Put { shard_id: shard.id(), sequence_number: number }));
            }
        }
        for target in &targets {
            target.shard.conceal(&target.tail);
        }
        let appended = append(batch);
        let mut waiting = Vec::new();
        for (Target { shard, mut tail }, (next, newest)) in targets.into_iter().zip(ends) {
            if appended.is_ok() {
                tail.newest = newest;
                shard.set_next(&mut tail, next);
                waiting.append(&mut tail.take_waiting());
            } else {
                let next = tail.next;
                shard.set_next(&mut tail, next);
            }
        }
        appended.map(|()| waiting)
    }

    /// The records that are put, and where to.
    #[expect(clippy::type_complexity, reason = "one caller")]
    fn routes<'a>(
        &'a self,
        store: &Store,
        inner: &'a Inner,
        dials: Option<&Dials>,
    ) -> Result<Vec<(&'a Kept, PutRecord<'a>, u128, &'a Arc<Shard>)>, (usize, Error)> {
        let mut routes = Vec::with_capacity(self.records.len());
        for kept in &self.records {
            for record in kept.records() {
                let route = check_record(&record, inner).and_then(|()| {
                    let hash = hash_of(store, &record, inner, dials)?;
                    Ok((kept, record, hash, self.stream.shard_for(inner, hash)?))
                });
                match route {
                    Ok(route) => {
                        routes.push(route);
                        break;
                    }
                    Err(Error::Storage(fault)) => return Err((kept.operation, fault.into())),
                    Err(_) if kept.is_event => {}
                    Err(error) => return Err((kept.operation, error)),
                }
            }
        }
        Ok(routes)
    }
}

/// Adds what all turns put to `batch` and appends it with all the streams locked, one after the other in their order: who
/// calls gives them in that order. Who waits for records is woken when nothing is locked any more.
pub(crate) fn within_all<E: From<crate::Error>>(
    turns: &[Turn],
    batch: Batch,
    now: Timestamp,
    puts: &mut Puts,
    waiting: &mut Vec<Waker>,
    append: &mut dyn FnMut(Batch) -> Result<(), E>,
    refused: &dyn Fn(usize, Error) -> E,
) -> Result<(), E> {
    debug_assert!(turns.windows(2).all(|pair| pair[0].place() < pair[1].place()), "each once, in order");
    let Some((first, rest)) = turns.split_first() else { return append(batch) };
    let mut later = Vec::new();
    let mut behind = Vec::new();
    let mut next = |batch| within_all(rest, batch, now, &mut behind, &mut later, append, refused);
    let woken = first.within(batch, now, puts, &mut next, refused)?;
    puts.append(&mut behind);
    waiting.extend(woken);
    waiting.append(&mut later);
    Ok(())
}

/// Wakes whoever waited for records.
pub(crate) fn wake(waiting: Vec<Waker>) {
    wake_all(waiting);
}
