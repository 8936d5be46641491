//! Streams: sharded, ordered logs of records with the semantics of Amazon Kinesis Data Streams, in process.
//!
//! A stream has shards. Each shard owns a range of 128-bit hash keys and keeps the records whose partition key hashes (by
//! MD5) into it, in the order in which they were put, for as long as the stream's retention says. Records are read from a
//! place on, by any number of readers, as often as they like; reading removes nothing.
//!
//! ```
//! # fn main() -> fourfold::stream::Result<()> {
//! use fourfold::{Store, stream::{CreateStream, Start}};
//!
//! let store = Store::in_memory(); // or Store::open(path)?
//! let streams = store.streams();
//! let clicks = streams.create("clicks", CreateStream::default().shard_count(2))?;
//!
//! let put = clicks.put("user-7", "/home")?;
//! clicks.put("user-7", "/cart")?;
//!
//! let mut cursor = clicks.cursor(&put.shard_id, Start::TrimHorizon)?;
//! let mut pages = Vec::new();
//! while let Some(record) = cursor.try_next()? {
//!     assert_eq!(record.partition_key(), "user-7");
//!     pages.push(String::from_utf8_lossy(record.data()).into_owned());
//! }
//! assert_eq!(pages, ["/home", "/cart"]);
//! # Ok(()) }
//! ```
//!
//! # Reading
//!
//! - A [`Cursor`] is what an embedder wants: typed records without copies, blocking ([`next`](Cursor::next)), not
//!   blocking ([`try_next`](Cursor::try_next)) or `async` ([`next_async`](Cursor::next_async)). Who waits is woken by a
//!   put, not by a timer.
//! - An iterator is the service's form: [`Stream::shard_iterator`] gives a text, [`Streams::get_records`] takes it and
//!   gives records and the next one. It can be carried to another process or past a reopening of the store, and expires after
//!   five minutes.
//! - A [`Subscription`] of a registered [consumer](Stream::register_consumer) pushes batches, with numbers to go on from.
//!
//! # Splitting and merging
//!
//! A shard is [split](Stream::split_shard) in two, or two neighbours are [merged](Stream::merge_shards), or all become as
//! many as wanted ([`Stream::update_shard_count`]). The old shards are closed: they can be read until their records have
//! expired, and at their end the reader is told which shards come after. Who reads a closed shard to its end before it
//! reads its children sees the records of each partition key in order:
//!
//! ```
//! # fn main() -> fourfold::stream::Result<()> {
//! # use fourfold::{Store, stream::{CreateStream, GetRecords, Start}};
//! # let store = Store::in_memory();
//! # let streams = store.streams();
//! let clicks = streams.create("clicks", CreateStream::default().shard_count(1))?;
//! let before = clicks.put("user-7", "before")?;
//! clicks.split_shard(&before.shard_id, 1 << 127)?;
//! let after = clicks.put("user-7", "after")?;
//! assert!(after.shard_id > before.shard_id && after.sequence_number > before.sequence_number);
//!
//! let iterator = clicks.shard_iterator(&before.shard_id, Start::TrimHorizon)?;
//! let answer = streams.get_records(&GetRecords::new(&iterator))?;
//! assert_eq!(answer.records[0].data(), b"before");
//! assert_eq!(answer.next_shard_iterator, None); // the end of a closed shard
//! assert!(answer.child_shards.iter().any(|child| child.shard_id == after.shard_id));
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! S1. The numbers of a shard's records rise, in the order in which the puts were done, and are never given twice: not
//!     after a crash either.
//! S2. A record that was acknowledged is read by every reader, in its place, once, until it has expired. What survives a
//!     crash is what the store's [`Durability`](crate::Durability) says.
//! S3. Records of one partition key are in the order of their puts, over splits and merges: parents first.
//! S4. A record expires at the moment that the retention says, by the store's clock. The space comes back soon after,
//!     without rewriting what stays.
//! S5. A refusal changes nothing, and says what the service would say: [`Error::code`] and its text.
//!
//! # Where it differs from the service
//!
//! By default nothing takes time and nothing is throttled: a stream is active when `create` returns, a split is done when
//! it returns. [`Dials`] has what the service does to its users, for those who want to test against it. Reads are
//! consistent: what was put is read at once.

mod change;
mod check;
mod consumer;
mod create;
mod cursor;
mod deliver;
mod describe;
mod dials;
mod error;
mod get_records;
mod hash;
mod hot;
mod iterator;
pub(crate) mod keys;
mod limits;
mod list_shards;
pub(crate) mod meta;
pub(crate) mod participant;
mod put;
mod put_many;
mod reader;
pub(crate) mod record;
mod reshard;
mod retention;
mod scale;
mod sequence;
mod settings;
mod shard;
mod start;
mod state;
mod stats;
mod subscription;
mod sweep;
mod tags;
mod throttle;
mod time;
mod token;

#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) mod fuzz;

pub use change::Status;
pub use consumer::{ConsumerDescription, ConsumerList, ConsumerStatus};
pub use create::CreateStream;
pub use cursor::Cursor;
pub(crate) use deliver::ToStreams;
pub use describe::{Limits, ListStreams, StreamDescription, StreamList, StreamSummary};
pub use dials::Dials;
pub use error::{Error, Result};
pub use get_records::{ChildShard, GetRecords, GotRecords};
pub use hash::hash_key;
pub use hot::HotKey;
pub use iterator::{GetShardIterator, IteratorKind};
pub use list_shards::{ListShards, ShardDescription, ShardFilter, ShardList};
pub use meta::{Distribution, Mode, Tags};
pub use put::{Put, PutRecord};
pub use put_many::PutMany;
pub use record::Record;
pub use scale::Scaled;
pub use sequence::{InvalidSequenceNumber, SequenceNumber};
pub use shard::ShardId;
pub use start::Start;
pub use stats::{ConsumerStats, ShardStats, StreamStats, SubscriptionStats};
pub use subscription::{Event, Subscription};
pub use tags::TagList;

use crate::clock::Timestamp;
use crate::store::Store;
use crate::store::catalog::ResourceKind;
use parking_lot::RwLockReadGuard;
use state::{Alone, Inner, Registry, StreamState};
use std::fmt;
use std::sync::Arc;

/// The streams of a store: makes, finds, lists and deletes them. Cheap to clone.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let streams = store.streams();
/// streams.create("clicks", Default::default())?;
/// assert_eq!(streams.stream("clicks")?.name(), "clicks");
/// streams.delete("clicks", false)?;
/// assert!(streams.stream("clicks").is_err());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Streams {
    store: Store,
    registry: Arc<Registry>,
}

/// One stream: puts, reads, changes. Cheap to clone; all clones are the same stream. When it was deleted, every operation
/// answers [`StreamNotFound`](Error::StreamNotFound), also if there is another of its name.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// assert_eq!(stream.arn(), "arn:aws:kinesis:us-east-1:000000000000:stream/clicks");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Stream {
    store: Store,
    registry: Arc<Registry>,
    state: Arc<StreamState>,
}

impl Store {
    /// The store's [streams](crate::stream).
    pub fn streams(&self) -> Streams {
        let registry = self.engine(ResourceKind::Stream, Registry::default);
        Streams { store: self.clone(), registry }
    }
}

impl Streams {
    /// The stream `name`.
    ///
    /// # Errors
    /// [`StreamNotFound`](Error::StreamNotFound); [`Validation`](Error::Validation) for what cannot be a name.
    pub fn stream(&self, name: &str) -> Result<Stream> {
        check::name(name, "streamName")?;
        let state = self.registry.find(&self.store, name)?;
        let state = state.ok_or_else(|| state::not_found(&self.store, name))?;
        Ok(Stream::new(self, state))
    }

    /// The stream with this ARN.
    ///
    /// # Errors
    /// As for [`stream`](Self::stream); [`InvalidArgument`](Error::InvalidArgument) for the ARN of something else.
    pub fn stream_by_arn(&self, arn: &str) -> Result<Stream> {
        let name = arn.strip_prefix(&self.store.arn("kinesis", "stream/"));
        match name.filter(|name| !name.contains('/')) {
            Some(name) => self.stream(name),
            None => Err(Error::invalid(format_args!("StreamARN {arn} is not the ARN of a stream here."))),
        }
    }

    /// Sets what the service does to its users. See [`Dials`].
    pub fn set_dials(&self, dials: Dials) {
        self.registry.set_dials(dials);
    }
}

impl Stream {
    fn new(streams: &Streams, state: Arc<StreamState>) -> Self {
        Self { store: streams.store.clone(), registry: Arc::clone(&streams.registry), state }
    }

    /// The stream's name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// The stream's ARN.
    pub fn arn(&self) -> String {
        self.store.arn("kinesis", &format!("stream/{}", self.state.name))
    }

    /// The stream as it is now, whatever its status.
    fn present(&self) -> Result<RwLockReadGuard<'_, Inner>> {
        self.registry.settle(&self.store, &self.state)?;
        let inner = self.state.inner.read();
        if inner.is_gone { Err(self.state.not_found(&self.store)) } else { Ok(inner) }
    }

    /// The stream as it is at `now`, if it takes and gives records.
    #[inline]
    fn usable(&self, now: Timestamp) -> Result<RwLockReadGuard<'_, Inner>> {
        let mut inner = self.state.inner.read();
        if inner.is_due(now) {
            drop(inner);
            self.registry.settle(&self.store, &self.state)?;
            inner = self.state.inner.read();
        }
        if inner.is_usable() { Ok(inner) } else { Err(self.state.not_found(&self.store)) }
    }

    /// The stream, alone, if it takes changes.
    fn active(&self) -> Result<Alone<'_>> {
        self.registry.settle(&self.store, &self.state)?;
        let inner = self.state.alone();
        change::check_active(&self.store, &self.state, &inner)?;
        Ok(inner)
    }

    /// The stream, alone, if it is there and not on its way out.
    fn present_mut(&self) -> Result<Alone<'_>> {
        self.registry.settle(&self.store, &self.state)?;
        let inner = self.state.alone();
        if inner.is_gone || inner.status() == Status::Deleting {
            return Err(self.state.not_found(&self.store));
        }
        Ok(inner)
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("store", &self.store).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("name", &self.state.name).finish_non_exhaustive()
    }
}
