//! Time that stands still until it is told to move.

use super::{Alarm, Clock, Timestamp, schedule::Schedule};
use parking_lot::Mutex;
use std::{sync::Arc, task::Waker, time::Duration};

/// A clock for tests and simulations: it stands where it was put until [`advance`](Self::advance),
/// [`set`](Self::set) or [`advance_to_next`](Self::advance_to_next) move it. Clones share the time.
///
/// Moving wakes everyone whose deadline is reached, in the order of deadlines, then of registration; while someone is
/// woken the clock shows that deadline, not yet the end of the move. Wakers may use the clock, even to move it. Time
/// never goes back, so moves from several threads at once, or from within a waker, end at the latest of their ends.
///
/// ```
/// use fourfold::clock::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let other = clock.clone();
/// clock.advance(Duration::from_millis(1500));
/// assert_eq!(other.now().to_string(), "2025-01-01T00:00:01.500Z");
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    schedule: Schedule,
}

/// Starts at 2025-01-01T00:00:00Z.
impl Default for ManualClock {
    fn default() -> Self {
        Self::new(Timestamp::from_secs(1_735_689_600))
    }
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { state: Arc::new(Mutex::new(State { now: start, schedule: Schedule::new() })) }
    }

    /// Moves the clock on by `duration`, counted from where it stands when this is called. Fractions of a millisecond
    /// are dropped.
    ///
    /// ```
    /// # use fourfold::clock::{Clock, ManualClock};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let start = clock.now();
    /// clock.advance(Duration::from_secs(14 * 24 * 60 * 60));
    /// assert_eq!(clock.now() - start, Duration::from_secs(1_209_600));
    /// ```
    pub fn advance(&self, duration: Duration) {
        let target = self.now() + duration;
        self.run_to(target);
    }

    /// Moves the clock to `time`. Time never goes back: if the clock is already past `time`, nothing happens.
    ///
    /// ```
    /// # use fourfold::clock::{Clock, ManualClock, Timestamp};
    /// let clock = ManualClock::new(Timestamp::from_secs(100));
    /// clock.set(Timestamp::from_secs(300));
    /// clock.set(Timestamp::from_secs(200));
    /// assert_eq!(clock.now(), Timestamp::from_secs(300));
    /// ```
    pub fn set(&self, time: Timestamp) {
        self.run_to(time);
    }

    /// The earliest moment that someone waits for.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.lock().schedule.next_deadline()
    }

    /// Moves the clock to the earliest moment that someone waits for, and says which it was. Called until nobody
    /// waits, it runs a whole simulation without a step in which nothing happens.
    ///
    /// ```
    /// use fourfold::clock::{Clock, ManualClock};
    /// use std::{task::Waker, time::Duration};
    ///
    /// let clock = ManualClock::default();
    /// let start = clock.now();
    /// let _alarm = clock.wake_at(start + Duration::from_secs(42), Waker::noop().clone());
    /// assert_eq!(clock.advance_to_next(), Some(start + Duration::from_secs(42)));
    /// assert_eq!(clock.now(), start + Duration::from_secs(42));
    /// assert_eq!(clock.advance_to_next(), None);
    /// ```
    pub fn advance_to_next(&self) -> Option<Timestamp> {
        let deadline = self.next_deadline()?;
        self.run_to(deadline);
        Some(deadline)
    }

    /// One waker at a time, the lock free while it is woken (C4): what it does to the clock is seen by the next turn.
    fn run_to(&self, target: Timestamp) {
        while let Some(waker) = self.step(target) {
            waker.wake();
        }
    }

    /// Moves to the first deadline up to `target` and takes its waker, or moves to `target` itself.
    fn step(&self, target: Timestamp) -> Option<Waker> {
        let mut state = self.state.lock();
        let due = state.schedule.pop_due(target);
        let stop = due.as_ref().map_or(target, |&(deadline, _)| deadline);
        state.now = state.now.max(stop);
        due.map(|(_, waker)| waker)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state.lock().now
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        let mut state = self.state.lock();
        if deadline <= state.now {
            drop(state);
            waker.wake();
            return Alarm::rung();
        }
        let key = state.schedule.add(deadline, waker);
        let clock = self.clone();
        Alarm::new(move || {
            let waker = clock.state.lock().schedule.remove(key);
            drop(waker);
        })
    }
}
