//! Cursors: a shard as a sequence of records.

use crate::clock::{Parker, Timestamp, Waited};
use crate::stream::Stream;
use crate::stream::error::Result;
use crate::stream::get_records::{ChildShard, behind, child_shards};
use crate::stream::limits::BYTES_PER_READ_MAX;
use crate::stream::reader::{self, Bounds, Reached};
use crate::stream::record::Record;
use crate::stream::sequence::SequenceNumber;
use crate::stream::shard::{Shard, ShardId};
use crate::stream::start::Start;
use crate::stream::state::hours;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How many records a cursor reads ahead: few at first, for those who want one, then more.
const AHEAD: std::ops::RangeInclusive<usize> = 8..=256;
/// Bytes that it reads ahead at most. They are slices of the store's memory or files, which they keep from being freed.
const AHEAD_BYTES: usize = 1 << 20;

/// Reads a shard, record by record or in batches. A waiting cursor is woken by the put that it waits for.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::Start};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let shard = stream.put("user", "a")?.shard_id;
///
/// let mut cursor = stream.cursor(&shard, Start::Latest)?;
/// let producer = stream.clone();
/// let thread = std::thread::spawn(move || producer.put("user", "b").map(drop));
/// let record = cursor.next()?.expect("the shard is open"); // waits for the other thread
/// assert_eq!(record.data(), b"b");
/// # thread.join().expect("it did not panic")?;
/// # Ok(()) }
/// ```
pub struct Cursor {
    stream: Stream,
    shard: Arc<Shard>,
    /// Behind what was read ahead.
    place: u64,
    ahead: VecDeque<Record>,
    /// How many to read ahead next.
    want: usize,
    /// When the first that was read ahead expires, and as of how many changes of the retention.
    expiry: Timestamp,
    retentions: u64,
    /// The shard is closed and was read to its end.
    is_at_end: bool,
    /// Which waiter it is.
    waiter: u64,
}

impl Stream {
    /// A cursor at `start` of a shard.
    ///
    /// # Errors
    /// As for [`shard_iterator`](Self::shard_iterator).
    pub fn cursor(&self, shard_id: &str, start: Start) -> Result<Cursor> {
        let now = self.store.now();
        let inner = self.usable(now)?;
        let shard = Arc::clone(self.shard_to_read(&inner, shard_id, now)?);
        let place = self.place_of(&inner, &shard, start, now)?;
        drop(inner);
        Ok(Cursor::new(self.clone(), shard, place))
    }
}

impl Cursor {
    pub(crate) fn new(stream: Stream, shard: Arc<Shard>, place: u64) -> Self {
        let waiter = stream.registry.next_waiter();
        Self {
            stream,
            shard,
            place,
            ahead: VecDeque::new(),
            want: *AHEAD.start(),
            expiry: Timestamp::MAX,
            retentions: 0,
            is_at_end: false,
            waiter,
        }
    }

    /// The shard that it reads.
    pub fn shard_id(&self) -> ShardId {
        self.shard.id()
    }

    /// The next record, if it is there. `None` otherwise: at the end of a closed shard for ever
    /// ([`is_at_end`](Self::is_at_end)), else for now.
    ///
    /// # Errors
    /// [`StreamNotFound`](super::Error::StreamNotFound) once the stream was deleted.
    pub fn try_next(&mut self) -> Result<Option<Record>> {
        self.drop_expired();
        if self.ahead.is_empty() {
            self.read_ahead()?;
        }
        Ok(self.ahead.pop_front())
    }

    /// Up to `max` records that are there, added to `records`; says how many.
    ///
    /// # Errors
    /// As for [`try_next`](Self::try_next).
    pub fn try_batch(&mut self, max: usize, records: &mut Vec<Record>) -> Result<usize> {
        self.drop_expired();
        let before = records.len();
        let ready = max.min(self.ahead.len());
        records.extend(self.ahead.drain(..ready));
        if ready < max {
            self.fill(Bounds { records: max - ready, bytes: BYTES_PER_READ_MAX }, records)?;
        }
        Ok(records.len() - before)
    }

    /// The next record, however long it takes to come. `None` at the end of a closed shard.
    ///
    /// # Errors
    /// As for [`try_next`](Self::try_next).
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn next(&mut self) -> Result<Option<Record>> {
        let mut parker = Parker::new();
        let waker = parker.waker();
        loop {
            match self.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(next) => return next,
                Poll::Pending => parker.wait(),
            }
        }
    }

    /// [`next`](Self::next) that gives up after `timeout`, by the store's clock: `None` then too.
    ///
    /// # Errors
    /// As for [`try_next`](Self::try_next).
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Record>> {
        let deadline = self.stream.store.now() + timeout;
        let mut parker = Parker::new();
        let waker = parker.waker();
        loop {
            match self.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(next) => return next,
                Poll::Pending => {
                    if parker.wait_until(self.stream.store.clock(), deadline) == Waited::TimedOut {
                        return self.try_next();
                    }
                }
            }
        }
    }

    /// [`next`](Self::next) that holds no thread. It needs no runtime: any executor can poll it.
    ///
    /// # Errors
    /// As for [`try_next`](Self::try_next).
    pub async fn next_async(&mut self) -> Result<Option<Record>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The next record for a future: it is woken by the put that it waits for. `None` at the end of a closed shard.
    ///
    /// # Errors
    /// As for [`try_next`](Self::try_next).
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Record>>> {
        loop {
            match self.try_next() {
                Ok(None) if !self.is_at_end => {}
                ready => return Poll::Ready(ready),
            }
            match self.wait(context.waker()) {
                Ok(true) => return Poll::Pending,
                Ok(false) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Was a closed shard read to its end? Then [`child_shards`](Self::child_shards) has the ones to read next.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end && self.ahead.is_empty()
    }

    /// The shards that were made from this one.
    ///
    /// # Errors
    /// As for [`try_next`](Self::try_next).
    pub fn child_shards(&self) -> Result<Vec<ChildShard>> {
        let inner = self.stream.usable(self.stream.store.now())?;
        Ok(child_shards(&inner, &self.shard))
    }

    /// Where it reads on.
    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    pub(crate) fn shard_index(&self) -> u32 {
        self.shard.index
    }

    /// The number that everything read so far is not behind, and everything to come is.
    pub(crate) fn number_behind(&self, now: Timestamp) -> SequenceNumber {
        self.shard.number(self.place.saturating_sub(1), now)
    }

    /// Reads one event's worth of records and says how far they are behind the newest, in milliseconds.
    pub(crate) fn read_event(&mut self, bounds: Bounds, records: &mut Vec<Record>) -> Result<u64> {
        let reached = self.fill(bounds, records)?;
        Ok(reached.map_or(0, |reached| behind(records, reached, self.stream.store.now())))
    }

    /// Leaves a waker for the next record. `false`: look again.
    pub(crate) fn wait(&self, waker: &Waker) -> Result<bool> {
        self.shard.wait(&self.stream.store, self.place, self.waiter, waker)
    }

    fn read_ahead(&mut self) -> Result<()> {
        // Before the read: a change during it is taken for one after it.
        self.retentions = self.stream.state.retentions.load(Ordering::Relaxed);
        let mut ahead = std::mem::take(&mut self.ahead);
        let filled = self.fill(Bounds { records: self.want, bytes: AHEAD_BYTES }, &mut ahead);
        self.ahead = ahead;
        filled?;
        if let Some(first) = self.ahead.front() {
            self.expiry = first.arrival() + self.retention();
            self.want = (self.want * 2).min(*AHEAD.end());
        }
        Ok(())
    }

    /// Reads from the store.
    fn fill(&mut self, bounds: Bounds, records: &mut impl Extend<Record>) -> Result<Option<Reached>> {
        let stream = self.stream.clone();
        stream.store.call("GetRecords", stream.name(), || self.do_fill(bounds, records))
    }

    fn do_fill(&mut self, bounds: Bounds, records: &mut impl Extend<Record>) -> Result<Option<Reached>> {
        let store = &self.stream.store;
        let now = store.now();
        let inner = self.stream.usable(now)?;
        let is_closed = self.shard.closed().is_some();
        // Before the read: it finds all that is below and will ever be (H1, H2).
        let next = self.shard.next(store)?;
        if !is_closed && next <= self.place {
            return Ok(None);
        }
        let reached = reader::read(store, &self.shard, self.place, inner.horizon(now), bounds, records)?;
        // Places have gaps: at the tip it stands behind them, or it would wait for what is never put.
        self.place = if reached.is_at_tip { reached.place.max(next) } else { reached.place };
        self.is_at_end = is_closed && reached.is_at_tip;
        Ok(Some(reached))
    }

    /// What was read ahead and has expired since is read as if it had not been.
    fn drop_expired(&mut self) {
        if self.ahead.is_empty() {
            return;
        }
        // Relaxed: a reader that sees the change late was as good as before it.
        let retentions = self.stream.state.retentions.load(Ordering::Relaxed);
        if retentions == self.retentions && self.stream.store.now() <= self.expiry {
            return;
        }
        if let Some(first) = self.ahead.front() {
            self.place = first.place();
        }
        self.ahead.clear();
        self.is_at_end = false;
    }

    fn retention(&self) -> Duration {
        hours(self.stream.state.inner.read().record.retention_hours)
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.shard.leave(self.waiter);
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("stream", &self.stream.name())
            .field("shard", &self.shard.id())
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
