//! Time that stands still until it is told to move.

use super::{Alarm, Clock, Duty, Timestamp, schedule::Schedule};
use parking_lot::Mutex;
use std::{
    fmt,
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

/// A clock for tests and simulations: it stands where it was put until [`advance`](Self::advance),
/// [`set`](Self::set) or [`advance_to_next`](Self::advance_to_next) move it. Clones share the time.
///
/// Moving wakes everyone whose deadline is reached, in the order of deadlines, then of registration; while someone is
/// woken the clock shows that deadline, not yet the end of the move. Wakers may use the clock, even to move it. Time
/// never goes back, so moves from several threads at once, or from within a waker, end at the latest of their ends.
///
/// What time brings about in the stores that go by this clock is done on the way, each thing at its moment: when a move
/// returns, what was to expire has expired, and whoever waited for that is awake.
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

struct State {
    now: Timestamp,
    schedule: Schedule,
    duties: Vec<Weak<dyn Duty>>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("now", &self.now)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
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
        let state = State { now: start, schedule: Schedule::new(), duties: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
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

    /// The earliest moment that someone waits for. When stores have something to do,
    /// [`Store::next_deadline`](crate::Store::next_deadline) says.
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

    /// One at a time, the lock free while it is woken or works (C4): what it does to the clock is seen by the next turn.
    fn run_to(&self, target: Timestamp) {
        // Duties that are due and cannot be done, because their store fails, say.
        let mut stuck = Vec::new();
        loop {
            let duty = self.first_duty(target, &stuck);
            match self.step(target, duty) {
                Turn::Wake(waker) => waker.wake(),
                Turn::Work(duty) => {
                    Arc::clone(&duty).run();
                    if duty.next_deadline().is_some_and(|next| next <= self.now()) {
                        stuck.push(Arc::downgrade(&duty));
                    }
                }
                Turn::Done => return,
            }
        }
    }

    /// The duty that is due first, up to `target`.
    fn first_duty(&self, target: Timestamp, stuck: &[Weak<dyn Duty>]) -> Option<(Timestamp, Arc<dyn Duty>)> {
        let is_stuck = |duty: &Arc<dyn Duty>| stuck.iter().any(|other| other.ptr_eq(&Arc::downgrade(duty)));
        let duties = self.duties().into_iter().filter(|duty| !is_stuck(duty));
        let due = duties.filter_map(|duty| Some((duty.next_deadline().filter(|at| *at <= target)?, duty)));
        due.min_by_key(|(at, _)| *at)
    }

    /// The duties of stores that are there. No lock is held while they are asked: they have locks of their own.
    fn duties(&self) -> Vec<Arc<dyn Duty>> {
        let mut state = self.state.lock();
        let alive: Vec<_> = state.duties.iter().filter_map(Weak::upgrade).collect();
        if alive.len() < state.duties.len() {
            state.duties.retain(|duty| duty.strong_count() > 0);
        }
        alive
    }

    /// Moves to the first deadline up to `target` and says who is next, or moves to `target` itself.
    fn step(&self, target: Timestamp, duty: Option<(Timestamp, Arc<dyn Duty>)>) -> Turn {
        let mut state = self.state.lock();
        let alarm = state.schedule.next_deadline().filter(|at| *at <= target);
        // Work before those who may wait for it.
        if let Some((at, duty)) = duty
            && alarm.is_none_or(|alarm| at <= alarm)
        {
            state.now = state.now.max(at);
            return Turn::Work(duty);
        }
        let due = state.schedule.pop_due(target);
        let stop = due.as_ref().map_or(target, |&(deadline, _)| deadline);
        state.now = state.now.max(stop);
        due.map_or(Turn::Done, |(_, waker)| Turn::Wake(waker))
    }
}

/// What a clock that moves comes to.
enum Turn {
    Wake(Waker),
    Work(Arc<dyn Duty>),
    Done,
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

    fn attend(&self, duty: Weak<dyn Duty>) {
        let mut state = self.state.lock();
        state.duties.retain(|known| known.strong_count() > 0);
        state.duties.push(duty);
    }
}
