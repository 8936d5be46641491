//! Time: what "now" is, and how to wait for later.
//!
//! Everything in a store that depends on time (a message's delay, a record's age, an object's expiry) asks one
//! [`Clock`], handed to the store when it is opened: [`SystemClock`] in production, [`ManualClock`] in tests, where
//! fifteen minutes of visibility timeout pass in a microsecond and the same run gives the same result every time.
//!
//! C1. Nothing else in the crate reads time or waits for it; the lints see to that.
//! C2. What a clock of this module says never goes back.
//! C3. A waker is woken once the clock has reached its deadline, or sooner: who is woken looks at the clock again.
//! C4. No lock of a clock is held while a waker is woken or dropped, or a duty is asked or done, so they may use the clock.
//!
//! Not here: calendars, time zones, leap seconds.

mod manual;
pub(crate) mod monotone;
mod parker;
mod schedule;
mod system;
mod timestamp;

#[cfg(test)]
mod tests;

pub use manual::ManualClock;
pub use parker::{Parker, Waited};
pub use system::SystemClock;
pub use timestamp::Timestamp;
pub(crate) use timestamp::civil;

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

/// A source of time that can also wake those who wait for it.
///
/// Two methods make a clock. A test that only needs time to stand where it is put, or to move when told, takes
/// [`ManualClock`]; a clock of one's own is for simulations that schedule everything themselves:
///
/// ```
/// use fourfold::clock::{Alarm, Clock, ManualClock, Timestamp};
/// use std::task::Waker;
///
/// /// Runs an hour behind another clock.
/// #[derive(Debug)]
/// struct Behind(ManualClock);
///
/// const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
///
/// impl Clock for Behind {
///     fn now(&self) -> Timestamp {
///         self.0.now() - HOUR
///     }
///
///     fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
///         self.0.wake_at(deadline + HOUR, waker)
///     }
/// }
///
/// let clock = Behind(ManualClock::default());
/// assert_eq!(clock.now().to_string(), "2024-12-31T23:00:00.000Z");
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now. Two calls, one after the other, should never see time go back; a store takes care of it for
    /// itself if they do.
    fn now(&self) -> Timestamp;

    /// Wakes `waker` once [`now`](Self::now) has reached `deadline`; at once, before this call returns, if it already
    /// has. Dropping the [`Alarm`] cancels it.
    ///
    /// A clock may wake early (never needlessly often), so who is woken looks at the clock and waits again.
    #[must_use = "dropping the alarm cancels it"]
    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm;

    /// From now on, a clock that moves in steps does the duty's work when it comes to a moment at which some is due, before
    /// it moves on. A clock that runs by itself, as is the default, does not: its users have threads for that.
    fn attend(&self, duty: Weak<dyn Duty>) {
        drop(duty);
    }

    /// A future that is ready once the clock has reached `deadline`. It needs no runtime: any executor can poll it.
    ///
    /// ```
    /// use fourfold::clock::{Clock, ManualClock};
    /// use std::{future::Future, pin::pin, task::{Context, Poll, Waker}, time::Duration};
    ///
    /// let clock = ManualClock::default();
    /// let mut sleep = pin!(clock.sleep_until(clock.now() + Duration::from_secs(30)));
    /// let mut context = Context::from_waker(Waker::noop());
    /// assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
    ///
    /// clock.advance(Duration::from_secs(30));
    /// assert_eq!(sleep.as_mut().poll(&mut context), Poll::Ready(()));
    /// ```
    fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_>
    where
        Self: Sized,
    {
        Sleep { clock: self, deadline, alarm: None }
    }
}

/// Work that time brings about: what a store does when messages expire, items reach their time to live, objects the end of
/// their life. [`ManualClock`] does it as it moves.
///
/// ```
/// use fourfold::{Store, clock::ManualClock, kv::{CreateTable, ScalarType, item}};
/// let clock = ManualClock::default();
/// let store = Store::builder().clock(clock.clone()).open_in_memory();
/// let tables = store.tables();
/// tables.create_table(CreateTable::new("sessions").hash("id", ScalarType::S))?;
/// tables.update_time_to_live("sessions", "expires", true)?;
/// let until = store.now().as_secs() + 60;
/// tables.table("sessions").put(item! { "id" => "ann", "expires" => until })?;
/// assert!(store.next_deadline().is_some());
///
/// clock.advance(std::time::Duration::from_secs(3600)); // when this returns the item is gone
/// assert_eq!(tables.describe_table("sessions")?.item_count, 0);
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
pub trait Duty: Send + Sync {
    /// When there is something to do next.
    fn next_deadline(&self) -> Option<Timestamp>;

    /// Does what is due. The clock holds no lock meanwhile.
    fn run(self: Arc<Self>);
}

/// A shared clock is a clock, so that an `Arc<dyn Clock>` has [`Clock::sleep_until`] as well.
impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        (**self).wake_at(deadline, waker)
    }

    fn attend(&self, duty: Weak<dyn Duty>) {
        (**self).attend(duty);
    }
}

/// A waker registered with a clock, until it is dropped. See [`Clock::wake_at`].
///
/// ```
/// use fourfold::clock::{Clock, ManualClock};
/// use std::{task::Waker, time::Duration};
///
/// let clock = ManualClock::default();
/// let alarm = clock.wake_at(clock.now() + Duration::from_secs(5), Waker::noop().clone());
/// assert!(clock.next_deadline().is_some());
/// drop(alarm);
/// assert_eq!(clock.next_deadline(), None);
/// ```
#[must_use = "dropping the alarm cancels it"]
pub struct Alarm(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Alarm {
    /// An alarm that runs `cancel` when it is dropped, whether it has rung or not.
    pub fn new(cancel: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(cancel)))
    }

    /// An alarm that has rung already, with nothing left to cancel.
    pub const fn rung() -> Self {
        Self(None)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(cancel) = self.0.take() {
            cancel();
        }
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").finish_non_exhaustive()
    }
}

/// The future of [`Clock::sleep_until`].
///
/// ```
/// use fourfold::clock::{Clock, SystemClock};
/// async fn pause() {
///     SystemClock.sleep_until(SystemClock.now() + std::time::Duration::from_millis(10)).await;
/// }
/// # drop(pause());
/// ```
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled"]
pub struct Sleep<'a> {
    clock: &'a dyn Clock,
    deadline: Timestamp,
    alarm: Option<Alarm>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.deadline {
            self.alarm = None;
            return Poll::Ready(());
        }
        // Anew on every poll: the last alarm may have rung early (C3), or for a task the future has left since.
        self.alarm = Some(self.clock.wake_at(self.deadline, context.waker().clone()));
        Poll::Pending
    }
}
