//! Records that arrive with a change of another engine, in the batch of that change.

use crate::error::Result as StoreResult;
use crate::store::deliver::{Deliver, Delivery, Target};
use crate::stream::error::{Error, Result};
use crate::stream::put::{PutRecord, add, check_record, hash_of};
use crate::stream::{Stream, keys};
use crate::{Batch, Store};
use std::sync::Arc;
use std::task::Waker;
use xxhash_rust::xxh3::xxh3_128;

/// The streams of a store as targets of deliveries. What belongs together is put under one partition key, so it stays in
/// order.
pub(crate) struct ToStreams;

/// None for a refusal: it is about one stream and not about the change.
fn unless_refused<T>(result: Result<T>) -> StoreResult<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Storage(fault)) => Err(fault),
        Err(_) => Ok(None),
    }
}

pub(super) fn stream(store: &Store, arn: &str) -> StoreResult<Option<Stream>> {
    unless_refused(store.streams().stream_by_arn(arn))
}

/// What is told of one thing has one partition key.
pub(super) fn partition_key(group: &str) -> String {
    format!("{:032x}", xxh3_128(group.as_bytes()))
}

impl Deliver for ToStreams {
    fn refusal(&self, store: &Store, arn: &str) -> StoreResult<Option<String>> {
        let found = stream(store, arn)?;
        Ok(found.is_none().then(|| "The destination stream does not exist".to_owned()))
    }

    fn find(&self, store: &Store, arn: &str) -> StoreResult<Option<Box<dyn Target + '_>>> {
        Ok(stream(store, arn)?.map(|stream| Box::new(stream) as Box<dyn Target>))
    }
}

/// What was due of it was carried out when it was found.
impl Target for Stream {
    fn deliver(
        &self,
        store: &Store,
        delivery: &Delivery<'_>,
        mut batch: Batch,
        append: &mut dyn FnMut(Batch) -> StoreResult<()>,
    ) -> StoreResult<Vec<Waker>> {
        let now = store.now();
        let inner = self.state.inner.read();
        if !inner.is_usable() {
            return append(batch).map(|()| Vec::new());
        }
        let key = partition_key(delivery.group);
        let probe = PutRecord::new(&key, &[]);
        let hash = unless_refused(hash_of(store, &probe, &inner))?;
        let shard = hash.and_then(|hash| inner.shard_for(hash)).map(Arc::clone);
        let Some(shard) = shard else { return append(batch).map(|()| Vec::new()) };
        let Some(mut tail) = unless_refused(shard.tail(store))? else {
            return append(batch).map(|()| Vec::new());
        };
        let (mut place, arrival) = (tail.next, now.max(tail.newest));
        for body in delivery.bodies {
            let record = PutRecord::new(&key, body);
            if unless_refused(check_record(&record, &inner))?.is_none() {
                continue;
            }
            let added = add(store, &mut batch, &shard, &keys::record(place, arrival), &record);
            if unless_refused(added)?.is_some() {
                place += 1;
            }
        }
        shard.conceal(&tail);
        if let Err(error) = append(batch) {
            let next = tail.next;
            shard.set_next(&mut tail, next);
            return Err(error);
        }
        tail.newest = arrival;
        shard.set_next(&mut tail, place);
        Ok(tail.take_waiting())
    }
}
