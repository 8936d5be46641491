//! All queues of a store: by their names, with what they share.
//!
//! G1. Locks are taken in this order: queues by their names (so by ARN, as D3 in `store::deliver` has it; a queue that was
//!     deleted and another of its name by their numbers), then names, then what moves. No queue is locked while the names
//!     are.

use crate::clock::Timestamp;
use crate::error::Result as StoreResult;
use crate::queue::core::{Core, State};
use crate::queue::dials::Dials;
use crate::queue::error::{Error, Result};
use crate::queue::large::BODIES;
use crate::queue::limits::COOL_DOWN;
use crate::queue::record::{QueueRecord, in_queue};
use crate::store::catalog::ResourceKind;
use crate::store::engine::Engine;
use crate::{Store, queue};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A name that is taken.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Live(Arc<Core>),
    /// By a queue deleted then, for a minute.
    Gone(Timestamp),
}

/// The queue engine of a store.
#[derive(Debug, Default)]
pub(super) struct QueueEngine {
    names: RwLock<BTreeMap<String, Slot>>,
    is_loaded: AtomicBool,
    dials: RwLock<Dials>,
    /// Was any of them turned?
    has_dials: AtomicBool,
    /// Queues with a running move task.
    pub(super) moving: Mutex<BTreeSet<String>>,
    pub(super) has_moving: AtomicBool,
    /// Held while the keyspace of large bodies is made.
    pub(super) bodies: Mutex<()>,
    /// Is there such a keyspace?
    pub(super) has_bodies: AtomicBool,
    /// May large bodies have lost their messages since the sweep set out last?
    pub(super) has_orphans: AtomicBool,
    /// Where the sweep goes on that looks for them, if it is on its way.
    pub(super) round: Mutex<Option<Vec<u8>>>,
}

impl QueueEngine {
    pub(super) fn of(store: &Store) -> Arc<Self> {
        let engine = store.engine(ResourceKind::Queue, Self::default);
        // So that it knows from the first what time brings about. Who asks for a queue is told of a failure.
        let _ = engine.load(store);
        engine
    }

    pub(super) fn dials(&self) -> Dials {
        // Acquire: pairs with the Release below. Mostly there are none, and every verb asks.
        if self.has_dials.load(Ordering::Acquire) { self.dials.read().clone() } else { Dials::default() }
    }

    pub(super) fn set_dials(&self, dials: Dials) {
        *self.dials.write() = dials;
        self.has_dials.store(true, Ordering::Release);
    }

    /// The names, read from the catalog the first time.
    fn load(&self, store: &Store) -> StoreResult<()> {
        // Acquire: pairs with the Release below; who sees it sees the names.
        if self.is_loaded.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut names = self.names.write();
        if self.is_loaded.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut moving = BTreeSet::new();
        for entry in store.list_resources(ResourceKind::Queue, "") {
            let (name, resource) = entry?;
            if name == BODIES {
                self.has_bodies.store(true, Ordering::Release);
                self.has_orphans.store(true, Ordering::Release);
                continue;
            }
            let record = in_queue(QueueRecord::decode(&resource.record), &name)?;
            let slot = match record {
                QueueRecord::Gone(at) => Slot::Gone(at),
                QueueRecord::Live(live) => {
                    if live.is_moving {
                        moving.insert(name.clone());
                    }
                    let core = Core::new(store, &name, &resource, *live)?;
                    core.look_ahead(store);
                    Slot::Live(Arc::new(core))
                }
            };
            names.insert(name, slot);
        }
        self.has_moving.store(!moving.is_empty(), Ordering::Release);
        *self.moving.lock() = moving;
        self.is_loaded.store(true, Ordering::Release);
        Ok(())
    }

    /// Who has a name, if somebody has.
    pub(super) fn find(&self, store: &Store, name: &str) -> StoreResult<Option<Slot>> {
        self.load(store)?;
        Ok(self.names.read().get(name).cloned())
    }

    /// The queue of a name.
    pub(super) fn get(&self, store: &Store, name: &str) -> Result<Arc<Core>> {
        match self.find(store, name)? {
            Some(Slot::Live(core)) => Ok(core),
            _ => Err(Error::QueueDoesNotExist),
        }
    }

    /// The queue with an ARN, if it is one of this store.
    pub(super) fn by_arn(&self, store: &Store, arn: &str) -> Result<Option<Arc<Core>>> {
        let Some(name) = arn.strip_prefix(&store.arn("sqs", "")) else { return Ok(None) };
        match self.get(store, name) {
            Ok(core) => Ok(Some(core)),
            Err(Error::QueueDoesNotExist) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where a queue's dead letters go, if there is such a queue.
    pub(super) fn dead_letter_queue(&self, store: &Store, state: &State) -> Result<Option<Arc<Core>>> {
        match &state.live.settings.redrive {
            Some(policy) => self.by_arn(store, &policy.target_arn),
            None => Ok(None),
        }
    }

    /// Gives a name to what `make` creates, unless somebody has it. Nobody else is given a name meanwhile.
    pub(super) fn add(
        &self,
        store: &Store,
        name: &str,
        now: Timestamp,
        make: impl FnOnce() -> Result<Arc<Core>>,
    ) -> Result<(Arc<Core>, bool)> {
        self.load(store)?;
        let mut names = self.names.write();
        match names.get(name) {
            Some(Slot::Live(core)) => return Ok((Arc::clone(core), false)),
            Some(Slot::Gone(at)) if *at + COOL_DOWN > now => return Err(Error::QueueDeletedRecently),
            _ => {}
        }
        let core = make()?;
        names.insert(name.to_owned(), Slot::Live(Arc::clone(&core)));
        Ok((core, true))
    }

    /// The queue of this name is gone; its lock is held.
    pub(super) fn set_gone(&self, name: &str, at: Timestamp) {
        self.names.write().insert(name.to_owned(), Slot::Gone(at));
    }

    /// Queues in the order of their names, from `from` on, that begin with `prefix`.
    pub(super) fn list(&self, store: &Store, prefix: &str, from: &str) -> StoreResult<Vec<Arc<Core>>> {
        self.load(store)?;
        let names = self.names.read();
        let start = if from > prefix { from } else { prefix };
        let found = names.range(start.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        let live = found.filter_map(|(_, slot)| match slot {
            Slot::Live(core) => Some(Arc::clone(core)),
            Slot::Gone(_) => None,
        });
        Ok(live.collect())
    }

    /// Queues that are there.
    fn live(&self) -> Vec<Arc<Core>> {
        let names = self.names.read();
        let live = names.values().filter_map(|slot| match slot {
            Slot::Live(core) => Some(Arc::clone(core)),
            Slot::Gone(_) => None,
        });
        live.collect()
    }

    /// A queue that is known by its name.
    pub(super) fn named_core(&self, name: &str) -> Option<Arc<Core>> {
        match self.names.read().get(name) {
            Some(Slot::Live(core)) => Some(Arc::clone(core)),
            _ => None,
        }
    }

    /// Forgets names that are free again.
    fn forget_names(&self, store: &Store, now: Timestamp) -> StoreResult<()> {
        let is_over = |slot: &Slot| matches!(slot, Slot::Gone(at) if *at + COOL_DOWN <= now);
        if !self.names.read().values().any(is_over) {
            return Ok(());
        }
        let mut names = self.names.write();
        let mut batch = store.batch();
        for (name, _) in names.iter().filter(|(_, slot)| is_over(slot)) {
            batch.delete_resource(ResourceKind::Queue, name)?;
        }
        store.commit(batch)?.forget();
        names.retain(|_, slot| !is_over(slot));
        Ok(())
    }
}

impl Engine for QueueEngine {
    fn maintain(&self, store: &Store) -> StoreResult<bool> {
        let (mut more, mut failed) = (false, None);
        // What one queue fails at does not hold up the others.
        let mut note = |done: StoreResult<bool>| match done {
            Ok(is_left) => more |= is_left,
            Err(error) => {
                failed.get_or_insert(error);
            }
        };
        note(self.move_step(store).map_err(queue::error::storage));
        let now = store.now();
        for core in self.live() {
            if core.is_asleep(now) {
                continue;
            }
            match core.lock(store, now) {
                Ok(mut state) => note(state.expire(&core, store, now)),
                Err(Error::QueueDoesNotExist) => {}
                Err(error) => note(Err(queue::error::storage(error))),
            }
        }
        note(self.forget_names(store, now).map(|()| false));
        note(self.sweep_bodies(store));
        failed.map_or(Ok(more), Err)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let mut deadline = self.next_move();
        for core in self.live() {
            let state = core.lock_as_it_is();
            let sweep = if state.is_deleted { None } else { state.next_sweep() };
            deadline = deadline.into_iter().chain(sweep).min();
        }
        if self.may_have_orphans() {
            return Some(Timestamp::UNIX_EPOCH);
        }
        let names = self.names.read();
        let gone = names.values().filter_map(|slot| match slot {
            Slot::Gone(at) => Some(*at + COOL_DOWN),
            Slot::Live(_) => None,
        });
        deadline.into_iter().chain(gone).min()
    }
}
