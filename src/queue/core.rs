//! One queue in memory: what it is called, and under a lock what it is set to, what it holds and who waits for it.

use crate::codec::Malformed;
use crate::error::{Corruption, Result as StoreResult};
use crate::queue::attempts::Attempts;
use crate::queue::error::{Error, Result};
use crate::queue::index::Index;
use crate::queue::keys;
use crate::queue::large::{self, Active};
use crate::queue::record::{Live, QueueRecord};
use crate::queue::task::Task;
use crate::queue::throttle::Throttle;
use crate::queue::waiters::Waiters;
use crate::store::catalog::{Resource, ResourceKind};
use crate::store::space::Space;
use crate::{Batch, Store, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often the lock of a queue is tried before a thread goes to sleep for it, and how long it pauses in between.
const SPINS: u32 = 6;
const PAUSES: u32 = 64;

/// How many keyspaces a queue has.
pub(super) const SPACES: usize = 5;

/// The keyspaces of a queue (`keys`).
#[derive(Clone, Debug)]
pub(super) struct Spaces {
    pub(super) messages: Space,
    pub(super) leases: Space,
    pub(super) delays: Space,
    pub(super) tokens: Space,
    pub(super) facts: Space,
}

impl Spaces {
    /// The keyspaces of a queue that its resource lists.
    pub(super) fn find(store: &Store, name: &str, ids: &[u32]) -> StoreResult<Self> {
        let spaces: Vec<Space> = ids.iter().filter_map(|id| store.space(*id)).collect();
        match <[Space; SPACES]>::try_from(spaces) {
            Ok([messages, leases, delays, tokens, facts]) => {
                Ok(Self { messages, leases, delays, tokens, facts })
            }
            Err(found) => Err(malformed(name, "keyspaces of a queue", SPACES, found.len())),
        }
    }

    /// New ones, which exist once the batch is applied.
    pub(super) fn create(batch: &mut Batch) -> StoreResult<[u32; SPACES]> {
        let mut ids = [0; SPACES];
        for id in &mut ids {
            *id = batch.create_space()?;
        }
        Ok(ids)
    }

    pub(super) fn ids(&self) -> [u32; SPACES] {
        [&self.messages, &self.leases, &self.delays, &self.tokens, &self.facts].map(Space::id)
    }
}

/// A finding in what the catalog or a keyspace has of a queue.
#[cold]
pub(super) fn malformed(
    name: &str,
    what: &'static str,
    expected: impl Display,
    found: impl Display,
) -> crate::Error {
    Corruption::new(format!("queue {name}"), 0, what, expected, found).into()
}

/// What does not change about a queue.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) name: Arc<str>,
    pub(super) arn: String,
    /// `arn:aws:sqs:<region>:<account>:`.
    pub(super) arns: Arc<str>,
    pub(super) account: Arc<str>,
    pub(super) is_fifo: bool,
    pub(super) number: u32,
    pub(super) salt: u64,
}

impl Identity {
    /// The queue's place in the order in which several are locked.
    pub(super) fn place(&self) -> (&str, u32) {
        (&self.name, self.number)
    }
}

/// A queue. Several are locked in the order of their names (G1 in `engine`).
#[derive(Debug)]
pub(super) struct Core {
    pub(super) identity: Identity,
    state: Mutex<State>,
    /// Bytes from which on a body may be large; 0 while that is not known.
    large_from: AtomicUsize,
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct State {
    pub(super) live: Live,
    pub(super) spaces: Spaces,
    pub(super) index: Index,
    is_loaded: bool,
    /// While it is not loaded: when there is something to sweep.
    pub(super) ahead: Option<Timestamp>,
    pub(super) is_deleted: bool,
    /// Move tasks out of this queue, by their start.
    pub(super) tasks: BTreeMap<u64, Task>,
    pub(super) waiters: Waiters,
    pub(super) attempts: Attempts,
    pub(super) throttle: Throttle,
    /// Where large bodies are kept, once it is loaded.
    pub(super) large: Option<Arc<Active>>,
}

impl Core {
    pub(super) fn new(store: &Store, name: &str, resource: &Resource, live: Live) -> StoreResult<Self> {
        let is_fifo = live.settings.is_fifo;
        let identity = Identity {
            name: name.into(),
            arn: store.arn("sqs", name),
            arns: store.arn("sqs", "").into(),
            account: store.account().into(),
            is_fifo,
            number: live.number,
            salt: live.salt,
        };
        let state = State {
            live,
            spaces: Spaces::find(store, name, &resource.ids)?,
            index: Index::new(is_fifo),
            is_loaded: false,
            ahead: None,
            is_deleted: false,
            tasks: BTreeMap::new(),
            waiters: Waiters::default(),
            attempts: Attempts::default(),
            throttle: Throttle::default(),
            large: None,
        };
        Ok(Self { identity, state: Mutex::new(state), large_from: AtomicUsize::new(0) })
    }

    /// The queue's state as of now, loaded if it is not.
    pub(super) fn lock(&self, store: &Store, now: Timestamp) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock_as_it_is();
        if state.is_deleted {
            return Err(Error::QueueDoesNotExist);
        }
        if !state.is_loaded {
            state.load(&self.identity, store, now)?;
            state.large = large::load(store, self.identity.number)?;
            self.set_large_from(state.large.as_deref());
            state.is_loaded = true;
        }
        state.index.advance(now);
        Ok(state)
    }

    /// Bytes from which on it takes a look whether a body is large.
    pub(super) fn large_from(&self) -> usize {
        // Relaxed: who sees it late sends as before.
        self.large_from.load(Ordering::Relaxed)
    }

    pub(super) fn set_large_from(&self, active: Option<&Active>) {
        let from = active.map_or(usize::MAX, |active| active.setting.from);
        self.large_from.store(from, Ordering::Relaxed);
    }

    /// The state without a look at its messages: settings are right, the index may not be.
    pub(super) fn lock_as_it_is(&self) -> MutexGuard<'_, State> {
        // What is done under it takes about a microsecond; to be put to sleep and woken takes twenty.
        for _ in 0..SPINS {
            if let Some(state) = self.state.try_lock() {
                return state;
            }
            for _ in 0..PAUSES {
                std::hint::spin_loop();
            }
        }
        self.state.lock()
    }

    /// Two queues, in their order.
    pub(super) fn lock_both<'a>(
        &'a self,
        other: &'a Self,
        store: &Store,
        now: Timestamp,
    ) -> Result<(MutexGuard<'a, State>, Result<MutexGuard<'a, State>>)> {
        if self.identity.place() < other.identity.place() {
            let mine = self.lock(store, now)?;
            return Ok((mine, other.lock(store, now)));
        }
        let others = other.lock(store, now);
        Ok((self.lock(store, now)?, others))
    }
}

impl State {
    /// Everything sent before this moment has expired.
    pub(super) fn cutoff(&self, now: Timestamp) -> u64 {
        let retention = Duration::from_secs(u64::from(self.live.settings.retention));
        // What is as old as the retention period, to the millisecond, has expired.
        keys::first_number(now - retention).saturating_add(1 << 20)
    }

    /// The record of the queue as it is to be from now on.
    pub(super) fn put_record(&self, batch: &mut Batch, name: &str, live: &Live) -> StoreResult<()> {
        let record = QueueRecord::Live(Box::new(live.clone())).encode();
        batch.put_resource(ResourceKind::Queue, name, &self.spaces.ids(), &record)
    }

    /// The counts after `gone` more messages went.
    pub(super) fn put_counts(&self, batch: &mut Batch, gone: u64) -> StoreResult<()> {
        let mut counts = self.index.counts;
        counts.gone += gone;
        batch.put_in(self.spaces.facts.id(), keys::COUNTS, &counts.encode())
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded
    }
}

#[cfg(test)]
impl Core {
    /// Puts other bytes where the first message that was received is kept, and gives what was there.
    pub(super) fn overwrite_first(&self, store: &Store, bytes: &[u8]) -> bytes::Bytes {
        let seq = *self.lock_as_it_is().index.leases.keys().next().unwrap();
        self.overwrite(store, seq, bytes)
    }

    /// Puts other bytes where a message without a group is kept, and gives what was there.
    pub(super) fn overwrite(&self, store: &Store, seq: u64, bytes: &[u8]) -> bytes::Bytes {
        let state = self.lock_as_it_is();
        let space = &state.spaces.messages;
        let key = keys::message("", seq);
        let before = space.get(store, key.as_ref()).unwrap().unwrap();
        let mut batch = store.batch();
        batch.put_in(space.id(), key.as_ref(), bytes).unwrap();
        store.commit(batch).unwrap().wait().unwrap();
        before
    }
}

/// A finding in a record of the queue.
pub(super) fn checked<T>(result: Result<T, Malformed>, identity: &Identity) -> StoreResult<T> {
    result.map_err(|flaw| flaw.in_file(Path::new(&format!("queue {}", identity.name))))
}
