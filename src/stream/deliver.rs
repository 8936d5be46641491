//! Records that arrive with a change of another engine, in the batch of that change.

use crate::error::{Error as StoreError, Result as StoreResult};
use crate::store::deliver::{Deliver, Delivery, Target};
use crate::stream::Stream;
use crate::stream::error::{Error, Result};
use crate::stream::participant::Turn;
use crate::{Batch, Store};
use std::task::Waker;

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

impl Deliver for ToStreams {
    fn refusal(&self, store: &Store, arn: &str, _: bool) -> StoreResult<Option<String>> {
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
        batch: Batch,
        append: &mut dyn FnMut(Batch) -> StoreResult<()>,
    ) -> StoreResult<Vec<Waker>> {
        let mut turn = Turn::new(self);
        for arrival in delivery.arrivals {
            turn.arrive(arrival.clone());
        }
        let fault = |_: usize, error| match error {
            Error::Storage(fault) => fault,
            other => StoreError::invalid("delivery to a stream", other),
        };
        turn.within(batch, store.now(), &mut Vec::new(), append, &fault)
    }
}
