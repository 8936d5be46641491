//! What can be done within a transaction.

use super::Ticket;
use super::error::{Cause, Error, Result};
use crate::Store;
use crate::call::Refusal;
use crate::kv::participant::{Items, Prepared};
use crate::kv::{
    self, ConditionCheck, DeleteItem, GetItem, GetItemOutput, Item, Page, PutItem, Query, Tables, UpdateItem,
    WriteOutput,
};
use crate::objects::participant::Objects;
use crate::objects::{
    self, Bucket, DeleteObject, DeleteOutput, GetObject, GetOutput, HeadOutput, PutObject, PutOutput,
    VersionId,
};
use crate::queue::{self, Queue, SendMessage, Sent};
use crate::store::Batch;
use crate::store::keep::{Coming, Kept};
use crate::store::overlay::Overlay;
use crate::stream::{self, Put, PutRecord, Stream};
use bytes::Bytes;
use std::fmt;

/// A transaction that is being made up: what the closure of [`Runner::run`](super::Runner::run) is given.
///
/// Reads are of the moment at which it began, with its own writes over it. Writes are done when the closure has returned,
/// all or none; what they are refused for is said as early as it is known. Who is told of a refusal may go on: what was
/// refused is then not part of the transaction, unless it turns up when it is committed.
///
/// ```
/// use fourfold::kv::{CreateTable, PutItem, ScalarType, item};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = fourfold::Store::in_memory();
/// store.tables().create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let mails = store.queues().create("mails")?;
/// store.transaction().run(|tx| {
///     let new = PutItem::new("users", item! { "id" => "ann" }).condition("attribute_not_exists(id)");
///     if tx.put_item(new).is_ok() {
///         tx.send(&mails, "welcome, ann")?;
///     }
///     Ok(())
/// })?;
/// assert_eq!(mails.stats()?.messages(), 1);
/// # Ok(()) }
/// ```
pub struct Transaction {
    pub(super) store: Store,
    pub(super) parts: Parts,
    pub(super) operations: Vec<Operation>,
}

/// What the engines have of a transaction.
pub(super) struct Parts {
    pub(super) tables: Tables,
    pub(super) overlay: Overlay,
    /// What is decided by now.
    pub(super) batch: Batch,
    pub(super) items: Items,
    pub(super) objects: Objects,
    pub(super) queues: Vec<queue::participant::Turn>,
    pub(super) streams: Vec<stream::participant::Turn>,
}

/// What was asked for, for whoever is told that it was refused.
pub(super) struct Operation {
    verb: &'static str,
    resource: Box<str>,
}

impl Transaction {
    pub(super) fn new(store: &Store) -> Self {
        let parts = Parts {
            tables: store.tables(),
            overlay: Overlay::new(store),
            batch: store.batch(),
            items: Items::default(),
            objects: Objects::default(),
            queues: Vec::new(),
            streams: Vec::new(),
        };
        Self { store: store.clone(), parts, operations: Vec::new() }
    }

    /// An operation, with all that surrounds one; `work` is given its number too.
    fn call<T, E: Refusal + Into<Cause>>(
        &mut self,
        verb: &'static str,
        resource: &str,
        work: impl FnOnce(&mut Parts, usize) -> Result<T, E>,
    ) -> Result<T> {
        let operation = self.operations.len();
        self.operations.push(Operation { verb, resource: resource.into() });
        let parts = &mut self.parts;
        let done = self.store.call_staged(verb, resource, || work(parts, operation));
        done.map_err(|error| refused(&self.operations, operation, error))
    }

    fn check_store(&self, what: &'static str, other: &Store) -> Result<()> {
        if self.store.is_same(other) {
            return Ok(());
        }
        Err(crate::Error::invalid(what, "it is in another store than the transaction").into())
    }
}

impl Parts {
    fn write(&mut self, operation: usize, prepared: Prepared, given: &Item) -> kv::Result<WriteOutput> {
        self.items.write(&self.tables, &mut self.overlay, operation, prepared, given)
    }

    /// The body of a message becomes an object, if it is large in this queue.
    fn put_body(&mut self, queue: &Queue, operation: usize, message: &mut SendMessage) -> queue::Result<()> {
        let Some(active) = queue.active_for(message.body_len())? else { return Ok(()) };
        queue.check_group(message)?;
        let Some(Coming { place, key, body }) = queue.coming_of(&active, message)? else { return Ok(()) };
        let put = self.tables.store.buckets().bucket(&place).and_then(|bucket| {
            let request = PutObject::new(&*key).content_type("text/plain; charset=utf-8");
            let Self { objects, overlay, batch, .. } = self;
            objects.put_untold(overlay, batch, operation, (&bucket, &request), body)
        });
        let (put, _) = put.map_err(|error| match error {
            objects::Error::Storage(fault) => fault.into(),
            refusal => queue::no_place(&active, refusal),
        })?;
        let version = put.version_id.unwrap_or(VersionId::NULL).to_string();
        queue.put_elsewhere(&active, message, Kept { place, key, version });
        Ok(())
    }

    /// The body of a message that is deleted goes with it, if it is an object.
    fn remove_body(&mut self, queue: &Queue, operation: usize, handle: &str) -> queue::Result<()> {
        for body in queue.large_of(std::iter::once(handle))? {
            let Kept { place, key, version } = &body.kept;
            let removed = self.tables.store.buckets().bucket(place).and_then(|bucket| {
                let request = DeleteObject::new(&**key).version(&**version);
                let Self { objects, overlay, batch, .. } = self;
                objects.delete_untold(overlay, batch, operation, (&bucket, &request))
            });
            // One that cannot be removed is not the message's any more.
            if let Err(objects::Error::Storage(fault)) = removed {
                return Err(fault.into());
            }
            self.queue(queue).remove(body);
        }
        Ok(())
    }

    fn queue(&mut self, queue: &Queue) -> &mut queue::participant::Turn {
        let known = self.queues.iter().position(|turn| turn.is_of(queue));
        let place = known.unwrap_or(self.queues.len());
        if known.is_none() {
            self.queues.push(queue::participant::Turn::new(queue));
        }
        &mut self.queues[place]
    }

    fn stream(&mut self, stream: &Stream) -> &mut stream::participant::Turn {
        let known = self.streams.iter().position(|turn| turn.is_of(stream));
        let place = known.unwrap_or(self.streams.len());
        if known.is_none() {
            self.streams.push(stream::participant::Turn::new(stream));
        }
        &mut self.streams[place]
    }
}

/// The error of an operation.
pub(super) fn refused(operations: &[Operation], operation: usize, error: impl Into<Cause>) -> Error {
    let cause: Cause = error.into();
    if let Some(fault) = cause.storage() {
        return Error::Storage(fault.clone());
    }
    let known = operations.get(operation);
    let (verb, resource) = known.map_or(("", ""), |known| (known.verb, &*known.resource));
    Error::Refused { operation, verb, resource: resource.to_owned(), cause: Box::new(cause) }
}

/// Items.
impl Transaction {
    /// The item with this key.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Tables::get_item`] is.
    pub fn get_item(&mut self, request: &GetItem) -> Result<GetItemOutput> {
        self.call("GetItem", &request.table, |parts, operation| {
            parts.items.get(&parts.tables, &parts.overlay, operation, request)
        })
    }

    /// A page of the items with one partition key of a table; indexes cannot be queried.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Tables::query`] is, and for an index.
    pub fn query(&mut self, request: &Query) -> Result<Page> {
        self.call("Query", &request.table, |parts, operation| {
            parts.items.query(&parts.tables, &parts.overlay, operation, request)
        })
    }

    /// Puts an item. What it costs, and the size of its partition, are not told.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Tables::put_item`] is.
    pub fn put_item(&mut self, request: PutItem) -> Result<WriteOutput> {
        let table = request.table.clone();
        self.call("PutItem", &table, |parts, operation| {
            let (table, write, _) = parts.tables.prepare_put(request)?;
            parts.write(operation, (table, write), &Item::new())
        })
    }

    /// Updates an item, as [`put_item`](Self::put_item).
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Tables::update_item`] is.
    #[expect(clippy::needless_pass_by_value, reason = "all writes take their request alike")]
    pub fn update_item(&mut self, request: UpdateItem) -> Result<WriteOutput> {
        self.call("UpdateItem", &request.table, |parts, operation| {
            let (table, write, _) = parts.tables.prepare_update(&request)?;
            parts.write(operation, (table, write), &request.key)
        })
    }

    /// Deletes an item, as [`put_item`](Self::put_item).
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Tables::delete_item`] is.
    #[expect(clippy::needless_pass_by_value, reason = "all writes take their request alike")]
    pub fn delete_item(&mut self, request: DeleteItem) -> Result<WriteOutput> {
        self.call("DeleteItem", &request.table, |parts, operation| {
            let (table, write, _) = parts.tables.prepare_delete(&request)?;
            parts.write(operation, (table, write), &request.key)
        })
    }

    /// Changes nothing, and refuses unless a condition holds.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) with `ConditionalCheckFailedException`.
    #[expect(clippy::needless_pass_by_value, reason = "all writes take their request alike")]
    pub fn check_item(&mut self, request: ConditionCheck) -> Result<()> {
        self.call("ConditionCheck", &request.table, |parts, operation| {
            let prepared = parts.tables.prepare_check(&request)?;
            parts.write(operation, prepared, &request.key).map(drop)
        })
    }
}

/// Messages.
impl Transaction {
    /// Sends a message. The ticket is for [`Committed::sent`](super::Committed::sent).
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Queue::send`] is; for what depends on the queue's state, when the transaction is
    /// committed.
    pub fn send(&mut self, queue: &Queue, message: impl Into<SendMessage>) -> Result<Ticket<Sent>> {
        self.check_store("queue", queue.store())?;
        self.call("SendMessage", queue.name(), |parts, operation| {
            let mut message = message.into();
            parts.put_body(queue, operation, &mut message)?;
            parts.queue(queue).send(operation, message)?;
            Ok::<_, queue::Error>(Ticket::new(operation))
        })
    }

    /// Deletes the message of a receipt handle, as [`Queue::delete_message`]: one that is gone already is fine. To work off
    /// a message exactly once, [`acknowledge`](Self::acknowledge) it.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Queue::delete_message`] is.
    pub fn delete_message(&mut self, queue: &Queue, receipt_handle: &str) -> Result<()> {
        self.check_store("queue", queue.store())?;
        self.call("DeleteMessage", queue.name(), |parts, operation| {
            parts.queue(queue).delete(operation, receipt_handle)?;
            parts.remove_body(queue, operation, receipt_handle)
        })
    }

    /// Deletes the message of a receipt handle if it is still there, and otherwise refuses the whole transaction when it is
    /// committed: somebody else has worked it off, or it has expired.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) with `ReceiptHandleIsInvalid` for what is no receipt handle of this queue; and with
    /// `InvalidParameterValue` if the message is gone, and in a FIFO queue if the delivery has ended.
    pub fn acknowledge(&mut self, queue: &Queue, receipt_handle: &str) -> Result<()> {
        self.check_store("queue", queue.store())?;
        self.call("DeleteMessage", queue.name(), |parts, operation| {
            parts.queue(queue).acknowledge(operation, receipt_handle)?;
            parts.remove_body(queue, operation, receipt_handle)
        })
    }
}

/// Records.
impl Transaction {
    /// Puts a record. The ticket is for [`Committed::put`](super::Committed::put).
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Stream::put_record`] is.
    pub fn put_record(&mut self, stream: &Stream, record: &PutRecord<'_>) -> Result<Ticket<Put>> {
        self.check_store("stream", stream.store())?;
        self.call("PutRecord", stream.name(), |parts, operation| {
            parts.stream(stream).put(operation, record)?;
            Ok::<_, stream::Error>(Ticket::new(operation))
        })
    }

    /// Puts many records, in order: all or, with everything else, none. Each is an operation of its own.
    ///
    /// # Errors
    /// The same.
    pub fn put_records(&mut self, stream: &Stream, records: &[PutRecord<'_>]) -> Result<Vec<Ticket<Put>>> {
        records.iter().map(|record| self.put_record(stream, record)).collect()
    }
}

/// Objects.
impl Transaction {
    /// Writes an object.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Bucket::put_object`] is.
    #[expect(clippy::needless_pass_by_value, reason = "all writes take their request alike")]
    pub fn put_object(
        &mut self,
        bucket: &Bucket,
        request: PutObject,
        data: impl Into<Bytes>,
    ) -> Result<PutOutput> {
        self.check_store("bucket", bucket.store())?;
        self.call("PutObject", bucket.name(), |parts, operation| {
            let Parts { objects, overlay, batch, .. } = parts;
            objects.put(overlay, batch, operation, (bucket, &request), data.into())
        })
    }

    /// Deletes an object, or a version of it.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Bucket::delete_object`] is.
    pub fn delete_object(&mut self, bucket: &Bucket, request: &DeleteObject) -> Result<DeleteOutput> {
        self.check_store("bucket", bucket.store())?;
        self.call("DeleteObject", bucket.name(), |parts, operation| {
            let Parts { objects, overlay, batch, .. } = parts;
            objects.delete(overlay, batch, operation, (bucket, request))
        })
    }

    /// An object, or a range of it. The body may be read after the transaction too.
    ///
    /// # Errors
    /// [`Refused`](Error::Refused) as [`Bucket::get_object`] is.
    pub fn get_object(&mut self, bucket: &Bucket, request: &GetObject) -> Result<GetOutput> {
        self.check_store("bucket", bucket.store())?;
        self.call("GetObject", bucket.name(), |parts, operation| {
            parts.objects.get(&parts.overlay, operation, (bucket, request))
        })
    }

    /// What [`get_object`](Self::get_object) says of an object, without its bytes.
    ///
    /// # Errors
    /// The same.
    pub fn head_object(&mut self, bucket: &Bucket, request: &GetObject) -> Result<HeadOutput> {
        self.check_store("bucket", bucket.store())?;
        self.call("HeadObject", bucket.name(), |parts, operation| {
            parts.objects.head(&parts.overlay, operation, (bucket, request))
        })
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::Store;

    #[test]
    fn an_operation_whose_reply_is_lost_is_not_part_of_it() {
        let store = Store::in_memory();
        let jobs = store.queues().create("jobs").unwrap();
        store.faults().on("SendMessage").times(1).lose_reply();
        let done = store.transaction().run(|tx| {
            assert!(tx.send(&jobs, "one").is_err());
            Ok(())
        });
        assert_eq!(done.unwrap().position(), None);
        assert_eq!(jobs.stats().unwrap().messages(), 0);
    }

    #[test]
    fn what_comes_to_nothing_has_no_position() {
        let store = Store::in_memory();
        let jobs = store.queues().create("jobs").unwrap();
        jobs.send("one").unwrap();
        let message = jobs.receive(1).unwrap().remove(0);
        let delete =
            || store.transaction().run(|tx| tx.delete_message(&jobs, message.receipt_handle())).unwrap();
        assert!(delete().position().is_some());
        assert_eq!(delete().position(), None);
    }
}
