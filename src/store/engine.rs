//! What an engine is to the store: state in memory that lives as long as the store, and work that time brings about.
//!
//! E1. The store knows no engine by name. Each has a slot, by the kind of its resources, filled when it is first used.
//! E2. An engine's state never holds a [`Store`], nor what holds one: it would keep itself alive for ever. It is handed
//!     the store with every call.
//! E3. What is in memory follows from the keyspaces. So a fork begins with empty slots, and so does the next opening.
//! E4. One thread at a time does what time brings about, and who wants it done waits for it. So when a call that looked
//!     for work finds none, there is none at work either.

use crate::clock::{Clock, Duty, Timestamp};
use crate::error::Result;
use crate::store::catalog::ResourceKind;
use crate::store::{Inner, Store};
use parking_lot::{ReentrantMutex, ReentrantMutexGuard};
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// One of the services on top of the store.
pub(crate) trait Engine: Any + Send + Sync {
    /// Does a bounded piece of the work that is due by the store's clock (expiry, moves), and says whether more is due.
    fn maintain(&self, store: &Store) -> Result<bool>;

    /// Looks for what [`next_deadline`](Self::next_deadline) is made of, where that was not yet read since the store was
    /// opened. It changes nothing that is stored.
    fn find_deadline(&self, _: &Store) -> Result<()> {
        Ok(())
    }

    /// When [`maintain`](Self::maintain) has something to do next. An engine that moves it forward calls
    /// [`Store::wake_sweeper`].
    fn next_deadline(&self) -> Option<Timestamp>;
}

/// The engines in use.
#[derive(Default)]
pub(crate) struct Engines {
    slots: [OnceLock<Arc<dyn Engine>>; ResourceKind::COUNT],
    /// Does the clock know that there is work?
    is_attended: AtomicBool,
    /// Held while engines work (E4). Whoever they wake or call on the way may move the clock, and so come here again.
    working: ReentrantMutex<()>,
}

impl Engines {
    fn in_use(&self) -> impl Iterator<Item = &Arc<dyn Engine>> {
        self.slots.iter().filter_map(OnceLock::get)
    }

    /// None is at work, but by this thread, until the guard is gone.
    fn alone(&self) -> ReentrantMutexGuard<'_, ()> {
        self.working.lock()
    }
}

impl Store {
    /// The engine whose resources are of this kind; `make` builds it when it is first asked for.
    pub(crate) fn engine<E: Engine>(&self, kind: ResourceKind, make: impl FnOnce() -> E) -> Arc<E> {
        let mut is_new = false;
        let engine = self.inner.engines.slots[kind.slot()].get_or_init(|| {
            is_new = true;
            Arc::new(make())
        });
        let engine: Arc<dyn Any + Send + Sync> = Arc::clone(engine) as _;
        if is_new {
            self.inner.background.sweep(self);
            if !self.inner.engines.is_attended.swap(true, Ordering::Relaxed) {
                self.inner.clock.attend(Arc::downgrade(&self.inner) as Weak<dyn Duty>);
            }
        }
        engine.downcast().unwrap_or_else(|_| unreachable!("one kind of resource, one engine"))
    }

    /// The earliest moment at which time brings something about in this store: a message expires, an item, an object, a
    /// change of a stream is done. [`maintain`](Self::maintain) does it, or a background thread, or a
    /// [`ManualClock`](crate::ManualClock) that moves there. Receives and other calls that wait are not in it.
    ///
    /// A fork of a store and a store that was opened again know it as well: what is not in memory is looked for. Where that
    /// would be a walk, something is due at the beginning of time: rules of buckets and records of changes are gone through
    /// once after a store was opened.
    ///
    /// ```
    /// let store = fourfold::Store::in_memory();
    /// assert_eq!(store.next_deadline(), None);
    /// ```
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let _alone = self.inner.engines.alone();
        for engine in self.inner.engines.in_use() {
            // What cannot be read is due: whoever does it is told why.
            let _ = engine.find_deadline(self);
        }
        self.inner.engines_deadline()
    }

    /// The earliest moment at which an engine has something to do.
    pub(crate) fn engines_deadline(&self) -> Option<Timestamp> {
        self.inner.engines_deadline()
    }

    /// A piece of the work of each engine that is due: is there more, and what did one fail at?
    pub(crate) fn maintain_engines(&self) -> (bool, Result<()>) {
        let _alone = self.inner.engines.alone();
        let (mut more, mut outcome) = (false, Ok(()));
        // What one fails at does not hold up the others.
        for engine in self.inner.engines.in_use() {
            match engine.maintain(self) {
                Ok(is_left) => more |= is_left,
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        (more, outcome)
    }

    /// An engine's next deadline is now earlier than it was.
    pub(crate) fn wake_sweeper(&self) {
        self.inner.background.wake_sweeper();
    }
}

impl Inner {
    fn engines_deadline(&self) -> Option<Timestamp> {
        self.engines.in_use().filter_map(|engine| engine.next_deadline()).min()
    }
}

impl Duty for Inner {
    /// What another thread is doing is done when this returns.
    fn next_deadline(&self) -> Option<Timestamp> {
        let _alone = self.engines.alone();
        self.engines_deadline()
    }

    fn run(self: Arc<Self>) {
        let store = Store::of_inner(self);
        // What fails is found again, and reported, by whoever needs it.
        while store.maintain_engines().0 {}
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engines").field(&self.in_use().count()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use parking_lot::Mutex;
    use std::time::Duration;

    /// Counts down to nothing, once a second.
    struct Countdown(Mutex<Vec<Timestamp>>);

    impl Engine for Countdown {
        fn maintain(&self, store: &Store) -> Result<bool> {
            let mut due = self.0.lock();
            if due.last().is_some_and(|at| *at <= store.now()) {
                due.pop();
            }
            Ok(due.last().is_some_and(|at| *at <= store.now()))
        }

        fn next_deadline(&self) -> Option<Timestamp> {
            self.0.lock().last().copied()
        }
    }

    fn countdown(now: Timestamp) -> Countdown {
        Countdown(Mutex::new([3, 2, 1].map(|s| now + Duration::from_secs(s)).to_vec()))
    }

    /// Fails for ever.
    struct Broken;

    impl Engine for Broken {
        fn maintain(&self, _: &Store) -> Result<bool> {
            Err(crate::Error::invalid("engine", "it is broken"))
        }

        fn next_deadline(&self) -> Option<Timestamp> {
            Some(Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn an_engine_that_fails_does_not_hold_up_the_others() {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        store.engine(ResourceKind::Queue, || Broken);
        let engine = store.engine(ResourceKind::Bucket, || countdown(clock.now()));
        clock.advance(Duration::from_secs(3));
        assert!(store.maintain().is_err());
        assert!(engine.0.lock().is_empty(), "to the end");
    }

    #[test]
    fn maintenance_does_what_is_due_and_no_more() {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        let engine = store.engine(ResourceKind::Queue, || countdown(clock.now()));
        clock.advance(Duration::from_secs(2));
        store.maintain().unwrap();
        assert_eq!(engine.0.lock().len(), 1);
        assert_eq!(store.engines_deadline(), Some(clock.now() + Duration::from_secs(1)));
        let again = store.engine::<Countdown>(ResourceKind::Queue, || unreachable!("it is there"));
        assert!(Arc::ptr_eq(&engine, &again));
    }

    #[test]
    fn a_background_thread_wakes_for_what_is_due_and_ends_with_the_store() {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).background_threads(1).open_in_memory();
        let engine = store.engine(ResourceKind::Queue, || countdown(clock.now()));
        clock.advance(Duration::from_secs(3));
        store.wake_sweeper();
        while engine.next_deadline().is_some() {
            std::thread::yield_now();
        }
        let inner = Arc::downgrade(&store.inner);
        drop(store);
        assert!(inner.upgrade().is_none(), "the thread holds the store no longer than its users");
    }
}
