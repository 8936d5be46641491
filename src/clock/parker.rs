//! Blocking a thread until a moment comes, or until somebody says so.

use super::{Clock, Timestamp};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::Arc,
    task::{Wake, Waker},
};

/// A place where one thread waits for a moment of a clock, and from which others may call it away early: what a
/// blocking receive with a timeout is made of.
///
/// A wake is kept until it is used: waking first and waiting afterwards does not block. Several wakes before a wait
/// count as one.
///
/// ```
/// use fourfold::clock::{Clock, ManualClock, Parker, Waited};
/// use std::{thread, time::Duration};
///
/// let clock = ManualClock::default();
/// let mut parker = Parker::new();
/// let waker = parker.waker();
/// let deadline = clock.now() + Duration::from_secs(20);
///
/// thread::spawn(move || waker.wake());
/// assert_eq!(parker.wait_until(&clock, deadline), Waited::Woken);
///
/// clock.advance(Duration::from_secs(20));
/// assert_eq!(parker.wait_until(&clock, deadline), Waited::TimedOut);
/// ```
#[derive(Debug)]
pub struct Parker {
    place: Arc<Place>,
    waker: Waker,
    /// Separate from `waker`, so that an alarm of an earlier wait is never taken for a wake.
    bell: Waker,
}

/// Why a wait is over.
///
/// ```
/// use fourfold::clock::{Clock, ManualClock, Parker, Waited};
/// let clock = ManualClock::default();
/// assert_eq!(Parker::new().wait_until(&clock, clock.now()), Waited::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Someone woke the parker.
    Woken,
    /// The clock has reached the deadline.
    TimedOut,
}

#[derive(Debug, Default)]
struct Place {
    signs: Mutex<Signs>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Signs {
    /// By somebody, since the last wait ended.
    is_woken: bool,
    /// By the clock, since the alarm was set.
    has_rung: bool,
}

struct Bell(Arc<Place>);

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signs.lock().is_woken = true;
        self.changed.notify_one();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.signs.lock().has_rung = true;
        self.0.changed.notify_one();
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// A parker that nobody has woken.
    pub fn new() -> Self {
        let place = Arc::new(Place::default());
        let waker = Waker::from(Arc::clone(&place));
        let bell = Waker::from(Arc::new(Bell(Arc::clone(&place))));
        Self { place, waker, bell }
    }

    /// Wakes this parker, from any thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Blocks until the parker is woken, however long that takes.
    pub fn wait(&mut self) {
        let mut signs = self.place.signs.lock();
        while !signs.is_woken {
            self.place.changed.wait(&mut signs);
        }
        signs.is_woken = false;
    }

    /// Blocks until the parker is woken or `clock` has reached `deadline`. A wake that is already there counts first,
    /// also when the deadline has passed.
    pub fn wait_until(&mut self, clock: &dyn Clock, deadline: Timestamp) -> Waited {
        loop {
            self.place.signs.lock().has_rung = false;
            // Set without the lock: an alarm that is due rings here and now.
            let _alarm = clock.wake_at(deadline, self.bell.clone());
            let mut signs = self.place.signs.lock();
            while !signs.is_woken && !signs.has_rung {
                self.place.changed.wait(&mut signs);
            }
            if std::mem::take(&mut signs.is_woken) {
                return Waited::Woken;
            }
            drop(signs);
            if clock.now() >= deadline {
                return Waited::TimedOut;
            }
        }
    }
}
