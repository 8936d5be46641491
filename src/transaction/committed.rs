//! What is known once a transaction has happened.

use crate::Position;
use crate::queue::Sent;
use crate::stream::Put;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// For what is known only when the transaction is committed: the number of a message, the place of a record.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = fourfold::Store::in_memory();
/// let jobs = store.queues().create("jobs")?;
/// let done = store.transaction().run(|tx| tx.send(&jobs, "hello"))?;
/// let sent = done.sent(done.value).expect("its message was sent");
/// assert_eq!(jobs.receive(1)?[0].id(), sent.id());
/// # Ok(()) }
/// ```
pub struct Ticket<T> {
    operation: usize,
    what: PhantomData<fn() -> T>,
}

impl<T> Ticket<T> {
    pub(super) fn new(operation: usize) -> Self {
        Self { operation, what: PhantomData }
    }
}

impl<T> Clone for Ticket<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ticket<T> {}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.operation).finish()
    }
}

/// A transaction that happened.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = fourfold::Store::in_memory();
/// let done = store.transaction().run(|_| Ok(42))?;
/// assert_eq!((done.value, done.attempts), (42, 1));
/// assert_eq!(done.position(), None); // nothing was written
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Committed<T> {
    /// What the closure returned.
    pub value: T,
    /// How often it was run: once more than there were conflicts.
    pub attempts: u32,
    pub(super) at: Option<Position>,
    pub(super) outputs: Outputs,
}

/// What tickets are for, by the number of the operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Outputs {
    pub(super) sent: BTreeMap<usize, Sent>,
    pub(super) puts: BTreeMap<usize, Put>,
}

impl<T> Committed<T> {
    /// Its place in the order of everything that is written; none if it wrote nothing.
    pub fn position(&self) -> Option<Position> {
        self.at
    }

    /// The message of a [`send`](super::Transaction::send) of this transaction.
    pub fn sent(&self, ticket: Ticket<Sent>) -> Option<&Sent> {
        self.outputs.sent.get(&ticket.operation)
    }

    /// Where the record of a [`put_record`](super::Transaction::put_record) of this transaction is.
    pub fn put(&self, ticket: Ticket<Put>) -> Option<&Put> {
        self.outputs.puts.get(&ticket.operation)
    }
}
