//! Messages that arrive with a change of another engine, in the batch of that change.

use crate::error::{Error as StoreError, Result as StoreResult};
use crate::queue::core::Core;
use crate::queue::engine::QueueEngine;
use crate::queue::error::{Error, Result};
use crate::queue::message::SendMessage;
use crate::queue::receive::Setting;
use crate::queue::send::Sends;
use crate::store::deliver::{Deliver, Delivery, Target};
use crate::{Batch, Store};
use std::sync::Arc;
use std::task::Waker;

/// The queues of a store as targets of deliveries: standard ones, as with the service.
pub(crate) struct ToQueues;

impl ToQueues {
    /// None for a refusal: it is about one queue and not about the change.
    fn unless_refused<T>(result: Result<T>) -> StoreResult<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(Error::Storage(fault)) => Err(fault),
            Err(_) => Ok(None),
        }
    }

    fn queue(store: &Store, arn: &str) -> StoreResult<Option<Arc<Core>>> {
        Ok(Self::unless_refused(QueueEngine::of(store).by_arn(store, arn))?.flatten())
    }
}

impl Deliver for ToQueues {
    fn refusal(&self, store: &Store, arn: &str) -> StoreResult<Option<String>> {
        let refusal = match Self::queue(store, arn)? {
            None => Some("The destination queue does not exist"),
            Some(core) if core.identity.is_fifo => Some("FIFO queues are not supported as destinations"),
            Some(_) => None,
        };
        Ok(refusal.map(str::to_owned))
    }

    fn find(&self, store: &Store, arn: &str) -> StoreResult<Option<Box<dyn Target + '_>>> {
        let core = Self::queue(store, arn)?.filter(|core| !core.identity.is_fifo);
        Ok(core.map(|core| Box::new(core) as Box<dyn Target>))
    }
}

impl Target for Arc<Core> {
    fn deliver(
        &self,
        store: &Store,
        delivery: &Delivery<'_>,
        mut batch: Batch,
        append: &mut dyn FnMut(Batch) -> StoreResult<()>,
    ) -> StoreResult<Vec<Waker>> {
        let (now, dials) = (store.now(), QueueEngine::of(store).dials());
        let Some(mut state) = ToQueues::unless_refused(self.lock(store, now))? else {
            return append(batch).map(|()| Vec::new());
        };
        let setting = Setting { core: self, store, dials: &dials, now };
        let mut sends = Sends::default();
        for body in delivery.bodies {
            let message = SendMessage::from(text(body)?);
            if ToQueues::unless_refused(state.check_len(&message))?.is_some() {
                state.decide_send(setting, &mut sends, message);
            }
        }
        state.put_sends(&mut batch, &sends, now)?;
        append(batch)?;
        let mut wakers = Vec::new();
        state.apply_sends(setting, sends, &mut wakers);
        Ok(wakers)
    }
}

/// Messages are text.
pub(super) fn text(body: &[u8]) -> StoreResult<&str> {
    std::str::from_utf8(body).map_err(|_| StoreError::invalid("delivery to a queue", "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::NewQueue;
    use crate::store::deliver::deliver_all;
    use bytes::Bytes;

    #[test]
    fn a_fifo_queue_is_told_nothing() {
        let store = Store::in_memory();
        let fifo = store.queues().create(NewQueue::new("queue.fifo").fifo()).unwrap();
        let standard = store.queues().create("queue").unwrap();
        let bodies = [Bytes::from_static(b"event")];
        for (queue, arrived) in [(&fifo, 0), (&standard, 1)] {
            let delivery = Delivery { target: &ToQueues, arn: queue.arn(), group: "", bodies: &bodies };
            let mut len = None;
            let woken = deliver_all(&store, &[delivery], store.batch(), &mut |batch| {
                len = Some(batch.len());
                store.commit(batch)?.wait()
            });
            drop(woken.unwrap());
            assert_eq!(len == Some(0), arrived == 0, "{len:?}");
            assert_eq!(queue.stats().unwrap().messages(), arrived);
        }
    }
}
