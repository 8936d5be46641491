//! The machine's time, and whatever it was moved on by.

use fourfold::clock::{Alarm, Clock, SystemClock, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// A clock that runs as the machine's does and can be moved on, so that those who test against a server need not wait
/// for a visibility timeout or a retention to pass. Clones share the time.
///
/// ```
/// use fourfold::clock::Clock;
/// use fourfold_aws::MovableClock;
/// use std::time::Duration;
///
/// let clock = MovableClock::default();
/// let store = fourfold::Store::builder().clock(clock.clone()).open_in_memory();
/// let before = store.now();
/// clock.advance(Duration::from_secs(3600));
/// assert!(store.now() - before >= Duration::from_secs(3600));
/// ```
#[derive(Clone, Default)]
pub struct MovableClock {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    moved: Duration,
    /// Who waits, by numbers of their own.
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

impl MovableClock {
    /// Moves the time on. Everybody who waits looks at the clock again.
    pub fn advance(&self, duration: Duration) {
        let wakers: Vec<Waker> = {
            let mut state = self.lock();
            state.moved = state.moved.saturating_add(duration);
            state.waiting.values().cloned().collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// No code runs under the lock that could leave it half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MovableClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MovableClock").field("moved", &self.lock().moved).finish_non_exhaustive()
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        let moved = self.lock().moved;
        SystemClock.now() + moved
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        let (number, left) = {
            let mut state = self.lock();
            let number = state.next;
            state.next += 1;
            state.waiting.insert(number, waker.clone());
            (number, deadline - (SystemClock.now() + state.moved))
        };
        let alarm = SystemClock.wake_at(SystemClock.now() + left, waker);
        let clock = self.clone();
        Alarm::new(move || {
            let waker = clock.lock().waiting.remove(&number);
            drop((waker, alarm));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn moving_wakes_those_who_wait_and_nobody_else() {
        let (clock, count) = (MovableClock::default(), Arc::new(Count::default()));
        let hour = Duration::from_hours(1);
        let alarm = clock.wake_at(clock.now() + hour, Arc::clone(&count).into());
        let cancelled = clock.wake_at(clock.now() + hour, Arc::clone(&count).into());
        drop(cancelled);
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        clock.advance(hour);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        drop(alarm);
        assert!(clock.lock().waiting.is_empty());
    }
}
