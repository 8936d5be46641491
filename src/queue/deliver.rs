//! Messages that arrive with a change of another engine, in the batch of that change.

use crate::error::{Error as StoreError, Result as StoreResult};
use crate::queue::core::{Core, State};
use crate::queue::engine::QueueEngine;
use crate::queue::error::{Error, Result};
use crate::queue::message::SendMessage;
use crate::queue::receive::Setting;
use crate::queue::send::Sends;
use crate::store::deliver::{Arrival, Deliver, Delivery, Target};
use crate::{Batch, Store};
use std::sync::Arc;
use std::task::Waker;

/// The queues of a store as targets of deliveries: as with the service standard ones for what has no ids, and FIFO queues,
/// which tell duplicates by ids, for what has.
pub(crate) struct ToQueues;

/// A queue that takes short messages takes them up to this length, in bytes.
const SHORT_LEN_MAX: u32 = 32 << 10;

impl ToQueues {
    /// None for a refusal: it is about one queue and not about the change.
    fn unless_refused<T>(result: Result<T>) -> StoreResult<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(Error::Storage(fault)) => Err(fault),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn queue(store: &Store, arn: &str) -> StoreResult<Option<Arc<Core>>> {
        Ok(Self::unless_refused(QueueEngine::of(store).by_arn(store, arn))?.flatten())
    }
}

impl Deliver for ToQueues {
    fn refusal(&self, store: &Store, arn: &str, has_ids: bool) -> StoreResult<Option<String>> {
        let refusal = match Self::queue(store, arn)? {
            None => "The destination queue does not exist".to_owned(),
            Some(core) if core.identity.is_fifo && !has_ids => {
                "FIFO queues are not supported as destinations".to_owned()
            }
            Some(core) if has_ids => {
                let len_max = core.lock_as_it_is().live.settings.message_len_max;
                if len_max >= SHORT_LEN_MAX {
                    return Ok(None);
                }
                format!("The destination queue takes messages of {len_max} bytes; {SHORT_LEN_MAX} are needed")
            }
            Some(_) => return Ok(None),
        };
        Ok(Some(refusal))
    }

    fn find(&self, store: &Store, arn: &str) -> StoreResult<Option<Box<dyn Target + '_>>> {
        Ok(Self::queue(store, arn)?.map(|core| Box::new(core) as Box<dyn Target>))
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
        for arrival in delivery.arrivals {
            if let Some(message) = state.arriving(self, arrival)? {
                state.decide_send(setting, &mut sends, message);
            }
        }
        if sends.is_empty() {
            drop(state);
            return append(batch).map(|()| Vec::new());
        }
        state.put_sends(&mut batch, &sends, now)?;
        append(batch)?;
        let mut wakers = Vec::new();
        state.apply_sends(setting, sends, &mut wakers);
        Ok(wakers)
    }
}

impl State {
    /// What arrives, as a message of this queue; none if the queue takes nothing such.
    pub(super) fn arriving(&self, core: &Core, arrival: &Arrival) -> StoreResult<Option<SendMessage>> {
        let is_fifo = core.identity.is_fifo;
        if is_fifo && arrival.id.is_none() {
            return Ok(None);
        }
        for body in arrival.bodies() {
            let mut message = SendMessage::from(text(body)?);
            if let Some(id) = arrival.id.as_ref().filter(|_| is_fifo) {
                message = message.group(arrival.group()).deduplication_id(id);
            }
            if self.check_len(&message).is_ok() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }
}

/// Messages are text.
fn text(body: &[u8]) -> StoreResult<&str> {
    std::str::from_utf8(body).map_err(|_| StoreError::invalid("delivery to a queue", "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::NewQueue;
    use crate::store::deliver::deliver_all;
    use bytes::Bytes;

    #[test]
    fn a_fifo_queue_is_told_what_has_an_id() {
        let store = Store::in_memory();
        let fifo = store.queues().create(NewQueue::new("queue.fifo").fifo()).unwrap();
        let standard = store.queues().create("queue").unwrap();
        let without = Arrival::new("", Bytes::from_static(b"event"));
        let mut with = without.clone();
        with.id = Some("1".to_owned());
        for (queue, arrival, arrived) in [(&fifo, &without, 0), (&standard, &without, 1), (&fifo, &with, 1)] {
            let delivery =
                Delivery { target: &ToQueues, arn: queue.arn(), arrivals: std::slice::from_ref(arrival) };
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
