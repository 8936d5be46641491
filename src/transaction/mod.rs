//! Transactions: items, messages, records and objects change in one commit, or not at all.
//!
//! ```
//! use fourfold::kv::{CreateTable, GetItem, ScalarType, UpdateItem, item};
//! use fourfold::{Store, objects::PutObject, stream::PutRecord};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::in_memory();
//! let tables = store.tables();
//! tables.create_table(CreateTable::new("stock").hash("sku", ScalarType::S))?;
//! tables.table("stock").put(item! { "sku" => "lamp", "left" => 3 })?;
//! let shipments = store.queues().create("shipments")?;
//! let audit = store.streams().create("audit", Default::default())?;
//! let receipts = store.buckets().create("receipts")?;
//!
//! let order = store.transaction().retries(10).run(|tx| {
//!     let take = UpdateItem::new("stock", item! { "sku" => "lamp" })
//!         .update("SET #l = #l - :one")
//!         .condition("#l >= :one")
//!         .name("#l", "left")
//!         .value(":one", 1);
//!     tx.update_item(take)?;
//!     let lamp = tx.get_item(&GetItem::new("stock", item! { "sku" => "lamp" }))?;
//!     assert_eq!(lamp.item.expect("it is there")["left"], 2.into()); // its own writes are seen
//!
//!     tx.put_object(&receipts, PutObject::new("order-17.txt"), "one lamp")?;
//!     tx.put_record(&audit, &PutRecord::new("lamp", "sold"))?;
//!     tx.send(&shipments, "order-17") // a ticket for what is known when it is committed
//! })?;
//! assert!(order.sent(order.value).is_some());
//! assert_eq!(shipments.receive(1)?[0].body(), "order-17");
//! # Ok(()) }
//! ```
//!
//! All of it is one frame of the log: readers, streams of changes, consumers and the next opening after a crash find all of
//! it or nothing. What follows from a change follows in the same frame as with the change alone: entries of indexes,
//! expiries, change records, changes of items and events of objects that go to queues and streams.
//!
//! # Exactly once
//!
//! A message is delivered at least once: who dies after the work and before the acknowledgement gets it again, and does the
//! work twice. Here both are one commit. [`acknowledge`](Transaction::acknowledge) also refuses if somebody else has
//! finished the message meanwhile, because its visibility timeout ended: of all who work on a message, one commits.
//!
//! ```
//! use fourfold::kv::{CreateTable, ScalarType, UpdateItem, item};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = fourfold::Store::in_memory();
//! # store.tables().create_table(CreateTable::new("totals").hash("day", ScalarType::S))?;
//! # let payments = store.queues().create("payments")?;
//! # payments.send("20")?;
//! for payment in payments.receive(10)? {
//!     let sum: u64 = payment.body().parse()?;
//!     let done = store.transaction().retries(100).run(|tx| {
//!         tx.acknowledge(&payments, payment.receipt_handle())?;
//!         let total = UpdateItem::new("totals", item! { "day" => "monday" });
//!         tx.update_item(total.update("ADD paid :sum").value(":sum", sum))
//!     });
//!     match done {
//!         Ok(_) => {}
//!         Err(error) if error.code() == "InvalidParameterValue" => {} // another worker was faster
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! `examples/exactly_once.rs` is a whole consumer, to be killed at any moment.
//!
//! # How it works
//!
//! A transaction is optimistic. The closure runs without any lock: it reads one moment of the store with its own writes
//! over it. At the end everything that it touched is locked; what it read is compared with the present; if nothing has
//! changed its operations are decided, by the code that single operations are decided by, into one batch, which is appended
//! as one frame. If something has changed that is a [`Conflict`](Error::Conflict), and the closure is run again as often as
//! [`retries`](Runner::retries) says. So it may be run several times: what it does besides must bear that. Nothing holds up
//! others while the closure runs, and what only reads never conflicts.
//!
//! - *Items.* A put or delete without a condition that returns nothing does not read, so it conflicts with nobody. Several
//!   writes of one item are one change: one record in its stream. Queries see the transaction's own writes, and conflict if
//!   anything in what they read has changed, be it an item that was not there. Queries of indexes, and scans, are refused
//!   or not there.
//! - *Messages* are numbered when the transaction is committed, those of one queue in the order in which they were sent. Of
//!   two with one deduplication id the second is a duplicate, as ever. Receiving is not part of a transaction, only what
//!   becomes of a message.
//! - *Records* get their places when it is committed: those of one stream in the order in which they were put.
//! - *Objects.* A put reads which versions of the key there are, so two that write one key at the same time conflict. Long
//!   bodies go to the blob log while the closure runs, and are given back if the transaction does not happen. Copies and
//!   uploads in parts are verbs of their own.
//!
//! # Limits
//!
//! A transaction fits into one segment of the log ([`Builder::segment_size`](crate::Builder::segment_size)), or it fails with
//! [`TooLarge`](Error::TooLarge), which says both sizes; bodies of objects over
//! [`Builder::blob_threshold`](crate::Builder::blob_threshold) and, in large transactions, large items lie in the blob log and
//! count with a few bytes. Each operation has the limits of the service, and no number of
//! operations is too many.
//!
//! # Invariants
//!
//! T1. A transaction is one frame or none. It is refused, or conflicts, before anything is written.
//! T2. Transactions that write, and single operations, have one order, that of the log: what a transaction read is at the
//!     moment it is appended as it was when it was read, and nobody can change that before it is appended. One that only
//!     reads has its place where its snapshot is.
//! T3. Locks are taken in this order, by transactions and by everybody else; of one kind in the order in brackets:
//!     settings of buckets (number), shapes of tables (name), keys of objects (stripe), items (stripe), tails of change
//!     streams (number), the order in which tables tell (number), counts of extents (stripe), then stream after stream with
//!     the tails of its shards (name; shard), then queues (name). None is taken twice, and none while the closure runs.
//! T4. Nothing is applied to what an engine has in memory before the frame is in the log, and all of it before any lock is
//!     given back.
//! T5. No receiver or reader of a stream is woken, and no function called, while a lock is held.

mod commit;
mod committed;
mod error;
mod verbs;

pub use committed::{Committed, Ticket};
pub use error::{Cause, Engine, Error, Result};
pub use verbs::Transaction;

use crate::Store;
use commit::Logged;

/// How a transaction is run.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = fourfold::Store::in_memory();
/// let jobs = store.queues().create("jobs")?;
/// store.transaction().run(|tx| {
///     tx.send(&jobs, "one")?;
///     tx.send(&jobs, "two")
/// })?;
/// assert_eq!(jobs.stats()?.messages(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a transaction happens when it is run"]
pub struct Runner {
    store: Store,
    retries: u32,
}

impl Store {
    /// A transaction over items, messages, records and objects: see [`transaction`](crate::transaction).
    pub fn transaction(&self) -> Runner {
        Runner { store: self.clone(), retries: 0 }
    }
}

impl Runner {
    /// How often the closure is run again after a conflict. Default: 0.
    ///
    /// A conflict means that somebody else got something done, so of many transactions that try again and again, one always
    /// gets on.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Runs `work` and commits what it asked for. It is durable, as the store was opened for, when this returns.
    ///
    /// # Errors
    /// What `work` returned; [`Refused`](Error::Refused), [`Conflict`](Error::Conflict), [`TooLarge`](Error::TooLarge),
    /// [`Storage`](Error::Storage).
    pub fn run<T>(&self, work: impl FnMut(&mut Transaction) -> Result<T>) -> Result<Committed<T>> {
        let (logged, value, attempts) = self.attempt(work)?;
        let (at, outputs) = logged.wait()?;
        Ok(Committed { value, attempts, at, outputs })
    }

    /// [`run`](Self::run) that holds no thread while it waits for the disk. `work` is run when the future is first polled.
    ///
    /// # Errors
    /// The same.
    pub async fn run_async<T>(
        &self,
        work: impl FnMut(&mut Transaction) -> Result<T>,
    ) -> Result<Committed<T>> {
        let (logged, value, attempts) = self.attempt(work)?;
        let (at, outputs) = logged.done().await?;
        Ok(Committed { value, attempts, at, outputs })
    }

    /// Runs `work` until what it asked for is logged or fails.
    fn attempt<T>(&self, mut work: impl FnMut(&mut Transaction) -> Result<T>) -> Result<(Logged, T, u32)> {
        let mut attempts = 1;
        loop {
            let mut transaction = Transaction::new(&self.store);
            let value = work(&mut transaction)?;
            match transaction.commit() {
                Ok(logged) => return Ok((logged, value, attempts)),
                Err(Error::Conflict { engine, resource, .. }) if attempts > self.retries => {
                    return Err(Error::Conflict { engine, resource, attempts });
                }
                Err(Error::Conflict { .. }) => attempts += 1,
                Err(error) => return Err(error),
            }
        }
    }
}
