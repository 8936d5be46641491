//! The time of the machine, made monotone, and the one thread that rings its alarms.
//!
//! Y1. Never slower than the monotonic clock: if the machine's time is set back, time goes on from where it was, so
//!     timeouts last as long as they say.
//! Y2. Never behind the machine's time: if that is set forward, so is this.
//! Y3. No thread before the first alarm, never more than one.

use super::{
    Alarm, Clock, Timestamp,
    schedule::{Key, Schedule},
};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    thread,
    time::{Duration, Instant, SystemTime},
};

/// The time of the machine, except that it never goes back: set the machine's time back and this clock goes on from
/// where it was, at the pace of the monotonic clock; set it forward and this clock follows. All values of this type
/// show the same time.
///
/// The first alarm in a process starts a thread that rings the alarms of all of them. It waits on the monotonic clock,
/// so an alarm that is pending while the machine sleeps, or while its time is set forward, may ring late.
///
/// ```
/// use fourfold::clock::{Clock, SystemClock, Timestamp};
/// let earlier = SystemClock.now();
/// assert!(earlier > Timestamp::from_secs(1_577_836_800), "after 2020");
/// assert!(SystemClock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// When the process first looked: the machine's time, and the monotonic clock's.
static ORIGIN: OnceLock<(Timestamp, Instant)> = OnceLock::new();
/// By how many milliseconds, at most, the machine's time has been seen ahead of `ORIGIN` plus monotonic time.
static AHEAD: AtomicU64 = AtomicU64::new(0);
static TIMER: Timer = Timer {
    state: Mutex::new(TimerState { schedule: Schedule::new(), is_running: false }),
    changed: Condvar::new(),
};

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this clock is where time comes from")]
    fn now(&self) -> Timestamp {
        let (start, origin) = ORIGIN.get_or_init(|| (SystemTime::now().into(), Instant::now()));
        later(*start + origin.elapsed(), SystemTime::now().into(), &AHEAD)
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        if deadline <= self.now() {
            waker.wake();
            return Alarm::rung();
        }
        match TIMER.add(deadline, waker) {
            Ok(key) => Alarm::new(move || TIMER.cancel(key)),
            // Without a thread nobody would ring: let the waiter look at the clock and try again, which at worst
            // keeps a core busy until the system has a thread to give (C3).
            Err(waker) => {
                thread::yield_now();
                waker.wake();
                Alarm::rung()
            }
        }
    }
}

/// The time that is not behind the machine's (`wall`) and has not gone back, given monotonic time (`steady`).
///
/// Relaxed is enough: `ahead` guards nothing else, and one that ran before in any order threads agree on is seen by
/// the next, because a single atomic word is coherent. So both summands only grow.
fn later(steady: Timestamp, wall: Timestamp, ahead: &AtomicU64) -> Timestamp {
    let seen = (wall - steady).as_millis();
    let seen = u64::try_from(seen).unwrap_or(u64::MAX);
    let known = ahead.load(Ordering::Relaxed);
    // Written only when it grows, to leave the cache line shared.
    let known = if seen > known { ahead.fetch_max(seen, Ordering::Relaxed).max(seen) } else { known };
    steady + Duration::from_millis(known)
}

/// The alarms of the process, and the thread that rings them.
struct Timer {
    state: Mutex<TimerState>,
    /// The first deadline came nearer.
    changed: Condvar,
}

struct TimerState {
    schedule: Schedule,
    is_running: bool,
}

impl Timer {
    /// Gives the waker back if there is no thread to wake it and none can be started.
    fn add(&'static self, deadline: Timestamp, waker: Waker) -> Result<Key, Waker> {
        let mut state = self.state.lock();
        if !state.is_running {
            let thread = thread::Builder::new().name("fourfold-timer".into()).spawn(|| self.run());
            if thread.is_err() {
                return Err(waker);
            }
            state.is_running = true;
        }
        let is_first = state.schedule.next_deadline().is_none_or(|first| deadline < first);
        let key = state.schedule.add(deadline, waker);
        drop(state);
        if is_first {
            self.changed.notify_one();
        }
        Ok(key)
    }

    fn cancel(&self, key: Key) {
        let waker = self.state.lock().schedule.remove(key);
        drop(waker);
    }

    /// Rings for ever. A waker that panics spoils its own alarm, not those of others.
    fn run(&self) {
        let mut state = self.state.lock();
        loop {
            let now = SystemClock.now();
            if let Some((_, waker)) = state.schedule.pop_due(now) {
                MutexGuard::unlocked(&mut state, || {
                    let _spoiled = catch_unwind(AssertUnwindSafe(|| waker.wake()));
                });
                continue;
            }
            match state.schedule.next_deadline() {
                Some(deadline) => _ = self.changed.wait_for(&mut state, deadline - now),
                None => self.changed.wait(&mut state),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_machine_forward_and_never_back() {
        let ahead = AtomicU64::new(0);
        let at = |steady, wall| {
            later(Timestamp::from_millis(steady), Timestamp::from_millis(wall), &ahead).as_millis()
        };
        assert_eq!(at(1000, 1000), 1000);
        assert_eq!(at(1010, 5010), 5010, "set forward");
        assert_eq!(at(1020, 20), 5020, "set back: goes on at the monotonic pace");
        assert_eq!(at(1030, 1030), 5030);
        assert_eq!(at(1040, 5041), 5041, "the machine has caught up");
        assert_eq!(at(1050, 0), 5051);
        assert_eq!(at(1060, u64::MAX), u64::MAX);
        assert_eq!(at(1070, 1070), u64::MAX);
    }
}
