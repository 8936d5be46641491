//! A clock that never goes back, not even across reopenings of a store.

use super::{Alarm, Clock, Duty, Timestamp};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

/// The store's time: the later of what its clock says and of what was said before.
///
/// Stored times (sent at, created at, expires at) come from here, so their order is the order of the events, whatever
/// happens to the machine's clock. If the clock is behind the last stored time, time stands still until the clock has
/// caught up: it does not run ahead of a clock that is corrected a minute after boot.
#[derive(Debug)]
pub(crate) struct MonotoneClock {
    clock: Arc<dyn Clock>,
    /// Milliseconds; the latest time that was given out or is known to be stored.
    last: AtomicU64,
}

impl MonotoneClock {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: AtomicU64::new(0) }
    }

    /// The clock that this one follows.
    pub(crate) fn inner(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Time is `last` at least: called at opening with the latest time the store holds.
    pub(crate) fn raise(&self, last: Timestamp) {
        self.last.fetch_max(last.as_millis(), Ordering::Relaxed);
    }
}

impl Clock for MonotoneClock {
    /// Relaxed is enough: the word guards nothing else, and coherence of one word gives every later caller what an
    /// earlier one was given.
    fn now(&self) -> Timestamp {
        let now = self.clock.now().as_millis();
        let last = self.last.load(Ordering::Relaxed);
        // Written only when it grows, to leave the cache line shared.
        let last = if now > last { self.last.fetch_max(now, Ordering::Relaxed).max(now) } else { last };
        Timestamp::from_millis(last)
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        if deadline <= self.now() {
            waker.wake();
            return Alarm::rung();
        }
        self.clock.wake_at(deadline, waker)
    }

    fn attend(&self, duty: Weak<dyn Duty>) {
        self.clock.attend(duty);
    }
}
