//! A shard in memory: what it is, and where it ends.
//!
//! H1. Places are given out under the lock of its [`Tail`], in the order of the log, and never twice.
//! H2. `published` is above all places that a reader can see, and is raised after they can be seen.
//! H3. Where records are part of a transaction (with records of other shards, messages, items), `published` is 0 from
//!     before the commit until it says so: a reader that has seen a part of the commit, and looks for the rest here, waits
//!     for the lock and finds it.

use crate::clock::Timestamp;
use crate::store::Store;
use crate::store::space::Space;
use crate::stream::error::Result;
use crate::stream::hot::HotKeys;
use crate::stream::keys;
use crate::stream::limits::SHARD_INDEX_MAX;
use crate::stream::meta::ShardRecord;
use crate::stream::reader::misplaced;
use crate::stream::sequence::{self, SequenceNumber};
use crate::stream::stats::Tally;
use crate::stream::throttle::Throttle;
use parking_lot::{Mutex, MutexGuard};
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

const ID_PREFIX: &str = "shardId-";
const ID_DIGITS: usize = 12;
const ID_LEN: usize = ID_PREFIX.len() + ID_DIGITS;

/// The id of a shard: `shardId-` and twelve digits. It is a `str` wherever one is wanted.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let put = stream.put("user", "home")?;
/// assert_eq!(&put.shard_id[..8], "shardId-");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId([u8; ID_LEN]);

impl ShardId {
    pub(crate) fn new(index: u32) -> Self {
        let mut id = *b"shardId-000000000000";
        let mut rest = index;
        for digit in id.iter_mut().rev().take(ID_DIGITS) {
            *digit = b'0' + (rest % 10).to_le_bytes()[0];
            rest /= 10;
        }
        Self(id)
    }

    /// The shard that a caller names by `text`: by the digits behind the first hyphen, or alone, up to 2,147,483,647. `None`
    /// if there are none. There need not be such a shard.
    ///
    /// ```
    /// use fourfold::stream::ShardId;
    /// assert_eq!(&ShardId::named("shard-7").unwrap()[..], "shardId-000000000007");
    /// assert_eq!(ShardId::named("seven"), None);
    /// ```
    pub fn named(text: &str) -> Option<Self> {
        Self::index_of(text).map(Self::new)
    }

    /// The index that a text names.
    pub(crate) fn index_of(text: &str) -> Option<u32> {
        let mut parts = text.split('-');
        let first = parts.next()?;
        let digits = parts.next().filter(|digits| !digits.is_empty()).unwrap_or(first);
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|index| is_number && *index <= SHARD_INDEX_MAX)
    }
}

impl Deref for ShardId {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl AsRef<str> for ShardId {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// One shard.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) index: u32,
    /// What is stored of it, but for what can change: `closed` and `floor`.
    made: ShardRecord,
    pub(crate) space: Space,
    closed: OnceLock<Timestamp>,
    /// The next place; 0 while the tail was not looked for.
    published: AtomicU64,
    tail: Mutex<Tail>,
    /// What was counted of it; locked before the tail.
    pub(crate) tally: Mutex<Tally>,
}

/// The end of a shard, where records are added.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The place of the next record; 0 while it was not looked for.
    pub(crate) next: u64,
    /// When the newest record came.
    pub(crate) newest: Timestamp,
    /// Places below are gone.
    pub(crate) floor: u64,
    /// When the oldest record came, as far as the sweeper knows.
    pub(crate) oldest: Option<Timestamp>,
    waiting: Vec<(u64, Waker)>,
    /// The stream is gone, or on its way out.
    is_over: bool,
    pub(crate) throttle: Throttle,
    pub(crate) hot: Option<Box<HotKeys>>,
}

impl Shard {
    pub(crate) fn new(index: u32, made: ShardRecord, space: Space) -> Self {
        let closed = OnceLock::new();
        if let Some(at) = made.closed {
            closed.get_or_init(|| at);
        }
        let tail = Tail { floor: made.floor, ..Tail::default() };
        Self {
            index,
            made,
            space,
            closed,
            published: AtomicU64::new(0),
            tail: Mutex::new(tail),
            tally: Mutex::default(),
        }
    }

    pub(crate) fn id(&self) -> ShardId {
        ShardId::new(self.index)
    }

    /// The second that its numbers say.
    pub(crate) fn second(&self) -> u64 {
        self.made.second
    }

    pub(crate) fn start(&self) -> u128 {
        self.made.start
    }

    pub(crate) fn end(&self) -> u128 {
        self.made.end
    }

    pub(crate) fn parents(&self) -> &[u32] {
        &self.made.parents
    }

    pub(crate) fn opened(&self) -> Timestamp {
        self.made.opened
    }

    /// When it was closed.
    pub(crate) fn closed(&self) -> Option<Timestamp> {
        self.closed.get().copied()
    }

    /// What is to be stored of it.
    pub(crate) fn record(&self, closed: Option<Timestamp>, floor: u64) -> ShardRecord {
        ShardRecord { closed, floor, ..self.made.clone() }
    }

    /// Closes it, once that is logged. The caller keeps writers out, and wakes who waited.
    pub(crate) fn close(&self, at: Timestamp) -> Vec<Waker> {
        self.closed.get_or_init(|| at);
        self.tail.lock().take_waiting()
    }

    pub(crate) fn number(&self, place: u64, at: Timestamp) -> SequenceNumber {
        SequenceNumber::new(self.made.second, self.index, place, at)
    }

    /// The number that all of its records are above.
    pub(crate) fn first_number(&self) -> SequenceNumber {
        self.number(0, Timestamp::from_secs(self.made.second))
    }

    /// Once it is closed, the number that all of its records are below.
    pub(crate) fn last_number(&self) -> Option<SequenceNumber> {
        self.closed().map(|at| self.number(sequence::END, at))
    }

    /// Its end, looked for in the store when it is first asked for.
    pub(crate) fn tail(&self, store: &Store) -> Result<MutexGuard<'_, Tail>> {
        let mut tail = self.tail.lock();
        if tail.next == 0 {
            self.find_tail(store, &mut tail)?;
        }
        Ok(tail)
    }

    #[cold]
    fn find_tail(&self, store: &Store, tail: &mut Tail) -> Result<()> {
        let mut next = sequence::first_place(store.incarnation()).max(tail.floor);
        if let Some(last) = self.space.range::<&[u8]>(store, ..).next_back() {
            let (key, _) = last?;
            let (place, arrival) = keys::record_of(&key).ok_or_else(|| misplaced(self.id(), &key))?;
            store.raise_clock(arrival);
            tail.newest = arrival;
            next = next.max(place + 1);
        }
        self.set_next(tail, next);
        Ok(())
    }

    /// Records up to `next` can be seen.
    pub(crate) fn set_next(&self, tail: &mut Tail, next: u64) {
        tail.next = next;
        // Release: pairs with the Acquire in `next` (H2).
        self.published.store(next, Ordering::Release);
    }

    /// Readers take the lock until `set_next` (H3).
    pub(crate) fn conceal(&self, _locked: &Tail) {
        // Relaxed would be too late: Release, so that it is seen by who sees what is committed behind it. Pairs with the
        // Acquire in `next`.
        self.published.store(0, Ordering::Release);
    }

    /// The place of the next record, without its lock where that is known.
    pub(crate) fn next(&self, store: &Store) -> Result<u64> {
        // Acquire: pairs with the Release in `set_next`.
        match self.published.load(Ordering::Acquire) {
            0 => Ok(self.tail(store)?.next),
            next => Ok(next),
        }
    }

    /// Wakes `waker` when there is something at `place`, or the shard is closed or goes away; in place of what the waiter `number`
    /// had left before. `false`: there is already.
    pub(crate) fn wait(&self, store: &Store, place: u64, number: u64, waker: &Waker) -> Result<bool> {
        let mut tail = self.tail(store)?;
        if tail.next > place || self.closed().is_some() || tail.is_over {
            return Ok(false);
        }
        match tail.waiting.iter_mut().find(|(other, _)| *other == number) {
            Some((_, known)) => known.clone_from(waker),
            None => tail.waiting.push((number, waker.clone())),
        }
        Ok(true)
    }

    /// The waiter `number` waits no more.
    pub(crate) fn leave(&self, number: u64) {
        let waker = {
            let waiting = &mut self.tail.lock().waiting;
            let place = waiting.iter().position(|(other, _)| *other == number);
            place.map(|place| waiting.swap_remove(place))
        };
        drop(waker); // without the lock: it may be the last of a task
    }

    /// Nothing more will come: the stream goes away. The caller wakes who waited.
    pub(crate) fn end_all(&self) -> Vec<Waker> {
        let mut tail = self.tail.lock();
        tail.is_over = true;
        tail.take_waiting()
    }
}

impl Tail {
    /// Whoever waits for a record, to be woken without a lock.
    pub(crate) fn take_waiting(&mut self) -> Vec<Waker> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        self.waiting.drain(..).map(|(_, waker)| waker).collect()
    }
}

pub(crate) fn wake_all(waiting: Vec<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_spelled_as_the_service_does() {
        assert_eq!(&ShardId::new(0)[..], "shardId-000000000000");
        assert_eq!(ShardId::new(1_234_567_890).to_string(), "shardId-001234567890");
        assert!(ShardId::new(9) < ShardId::new(10));
    }

    #[test]
    fn ids_are_read_as_the_service_does() {
        for (text, index) in [
            ("shardId-000000000003", Some(3)),
            ("shard-3", Some(3)),
            ("3", Some(3)),
            ("anything-2147483647", Some(i32::MAX.unsigned_abs())),
            ("shardId-2147483648", None),
            ("shardId-", None),
            ("shardId", None),
            ("shardId-x", None),
            ("shardId-+3", None),
            ("", None),
        ] {
            assert_eq!(ShardId::index_of(text), index, "{text}");
        }
    }
}
