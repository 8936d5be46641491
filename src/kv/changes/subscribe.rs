//! Changes as they happen, for programs that hold the store.

use crate::clock::{Parker, Timestamp};
use crate::kv::Tables;
use crate::kv::changes::feed::Feed;
use crate::kv::changes::read::ChangeRecord;
use crate::kv::error::{Error, Result};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// Records that are read at once.
const AHEAD: usize = 64;

/// The changes of a table from now on, all shards together, in the order of their commits.
///
/// It holds nothing but a number: any number of them follow one stream, each at its own speed, up to 24 hours behind.
///
/// ```
/// use fourfold::kv::{ChangeKind, CreateTable, ScalarType, StreamViewType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # let users = CreateTable::new("users").hash("id", ScalarType::S).stream(StreamViewType::KeysOnly);
/// # tables.create_table(users)?;
/// let mut changes = tables.subscribe("users")?;
/// std::thread::scope(|scope| {
///     let reader = scope.spawn(|| changes.next());
///     tables.table("users").put(item! { "id" => "ann" })?;
///     let change = reader.join().expect("it does not panic")?.expect("the stream runs");
///     assert_eq!(change.kind, ChangeKind::Insert);
///     Ok(())
/// })
/// # }
/// ```
pub struct Subscription {
    tables: Tables,
    feed: Arc<Feed>,
    /// The next number to read.
    next: u64,
    read: VecDeque<ChangeRecord>,
}

impl Tables {
    /// The changes of `table` from now on.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table, `ValidationException` if its changes are not recorded.
    pub fn subscribe(&self, table: &str) -> Result<Subscription> {
        let found = self.state.table(&self.store, table)?;
        let feed = found.shape.read().feed.clone();
        let feed = feed.ok_or_else(|| Error::validation(format!("Table {table} has no stream enabled")))?;
        let next = feed.tail.lock().next;
        Ok(Subscription { tables: self.clone(), feed, next, read: VecDeque::new() })
    }
}

impl Subscription {
    /// The next change, once there is one; none when the stream is over.
    ///
    /// # Errors
    /// `TrimmedDataAccessException` if it is more than 24 hours behind.
    #[expect(clippy::should_implement_trait, reason = "it waits, and can fail")]
    pub fn next(&mut self) -> Result<Option<ChangeRecord>> {
        self.next_until(Timestamp::MAX)
    }

    /// [`next`](Self::next) that gives up, with none, when the store's clock has reached `deadline`.
    pub fn next_until(&mut self, deadline: Timestamp) -> Result<Option<ChangeRecord>> {
        let mut parker = Parker::new();
        let waker = parker.waker();
        loop {
            if let Some(change) = self.try_next()? {
                return Ok(Some(change));
            }
            if self.feed.wait_behind(self.next, &waker) {
                if self.tables.store.now() >= deadline {
                    return Ok(None);
                }
                parker.wait_until(self.tables.store.clock(), deadline);
            } else if self.is_over() {
                return Ok(None);
            }
        }
    }

    /// [`next`](Self::next) that holds no thread while it waits.
    pub async fn next_async(&mut self) -> Result<Option<ChangeRecord>> {
        poll_fn(|context| {
            loop {
                if let Some(change) = self.try_next()? {
                    return Poll::Ready(Ok(Some(change)));
                }
                if self.feed.wait_behind(self.next, context.waker()) {
                    return Poll::Pending;
                }
                if self.is_over() {
                    return Poll::Ready(Ok(None));
                }
            }
        })
        .await
    }

    /// The next change if it is there already.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub fn try_next(&mut self) -> Result<Option<ChangeRecord>> {
        if self.read.is_empty() {
            let store = &self.tables.store;
            if self.next < self.feed.horizon(store)? {
                return Err(Error::TrimmedDataAccess);
            }
            let (records, next) = self.feed.read(store, self.next, AHEAD, |_| true, None)?;
            (self.read, self.next) = (records.into(), next);
        }
        Ok(self.read.pop_front())
    }

    fn is_over(&self) -> bool {
        let tail = self.feed.tail.lock();
        tail.ended.is_some() && self.next >= tail.next
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("table", &self.feed.table)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
