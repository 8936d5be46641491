//! Messages that arrive with a change of another engine, in the batch of that change.

use crate::error::{Error as StoreError, Result as StoreResult};
use crate::queue::core::Core;
use crate::queue::engine::QueueEngine;
use crate::queue::error::{Error, Result};
use crate::queue::message::SendMessage;
use crate::queue::receive::Setting;
use crate::queue::send::Sends;
use crate::store::deliver::{Deliver, Delivery};
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

    fn deliver(
        &self,
        store: &Store,
        delivery: &Delivery<'_>,
        mut batch: Batch,
        append: &mut dyn FnMut(Batch) -> StoreResult<()>,
    ) -> StoreResult<()> {
        let Some(core) = Self::queue(store, delivery.arn)? else { return append(batch) };
        let (now, dials) = (store.now(), QueueEngine::of(store).dials());
        let Some(mut state) = Self::unless_refused(core.lock(store, now))? else { return append(batch) };
        let setting = Setting { core: &core, store, dials: &dials, now };
        let mut sends = Sends::default();
        for body in delivery.bodies {
            let message = SendMessage::from(text(body)?);
            if Self::unless_refused(state.check_len(&message))?.is_some() {
                state.decide_send(setting, &mut sends, message);
            }
        }
        state.put_sends(&mut batch, &sends, now)?;
        append(batch)?;
        let mut wakers = Vec::new();
        state.apply_sends(setting, sends, &mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

/// Messages are text.
pub(super) fn text(body: &[u8]) -> StoreResult<&str> {
    std::str::from_utf8(body).map_err(|_| StoreError::invalid("delivery to a queue", "it is not UTF-8"))
}
