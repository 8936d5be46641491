//! Timestamps, clocks that stand and clocks that run, and how each wakes who waits for it.

use super::{monotone::MonotoneClock, *};
use parking_lot::Mutex;
use std::{
    pin::pin,
    sync::mpsc,
    task::Wake,
    thread,
    time::{Duration, SystemTime},
};

fn secs(n: u64) -> Timestamp {
    Timestamp::from_secs(n)
}

/// A waker that runs a closure, every time.
struct Call<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn waker(call: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Call(call)))
}

/// What was rung, and what the clock showed then.
#[derive(Clone, Debug, Default)]
struct Journal(Arc<Mutex<Vec<(&'static str, u64)>>>);

impl Journal {
    fn waker(&self, name: &'static str, clock: &ManualClock) -> Waker {
        let (journal, clock) = (self.0.clone(), clock.clone());
        waker(move || {
            let now = clock.now().as_secs();
            journal.lock().push((name, now));
        })
    }

    fn take(&self) -> Vec<(&'static str, u64)> {
        std::mem::take(&mut self.0.lock())
    }
}

#[test]
fn timestamps_are_spelled_in_rfc_3339() {
    let check = |millis: u64, text: &str| assert_eq!(Timestamp::from_millis(millis).to_string(), text);
    check(0, "1970-01-01T00:00:00.000Z");
    check(86_399_999, "1970-01-01T23:59:59.999Z");
    check(951_782_399_999, "2000-02-28T23:59:59.999Z");
    check(951_782_400_000, "2000-02-29T00:00:00.000Z");
    check(951_868_800_000, "2000-03-01T00:00:00.000Z");
    check(1_709_164_800_001, "2024-02-29T00:00:00.001Z");
    check(1_735_689_599_999, "2024-12-31T23:59:59.999Z");
    check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    check(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
    check(253_402_300_800_000, "+10000-01-01T00:00:00.000Z");
    check(u64::MAX, "+584556019-04-03T14:25:51.615Z");
}

/// Against the plainest calendar there is: count the days one by one.
#[test]
fn days_are_counted_like_a_calendar() {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut day = 0;
    for year in 1970..2500 {
        let february = if is_leap(year) { 29 } else { 28 };
        for (month, days) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
            for date in 1..=days {
                let text = secs(day * 86_400).to_string();
                assert_eq!(text, format!("{year}-{:02}-{date:02}T00:00:00.000Z", month + 1));
                day += 1;
            }
        }
    }
}

#[test]
fn arithmetic_saturates() {
    assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
    assert_eq!(secs(1) - Duration::MAX, Timestamp::UNIX_EPOCH);
    assert_eq!(secs(1) - secs(2), Duration::ZERO);
    assert_eq!(Timestamp::from_secs(u64::MAX), Timestamp::MAX);
    assert_eq!(secs(1) + Duration::from_micros(999), secs(1));
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(Timestamp::from(before), Timestamp::UNIX_EPOCH);
    let mut time = secs(1);
    time += Duration::from_millis(2500);
    assert_eq!(time.as_millis(), 3500);
}

#[test]
fn alarms_ring_in_order_each_at_its_own_time() {
    let clock = ManualClock::new(secs(0));
    let journal = Journal::default();
    let alarms = [("c", 30), ("a", 10), ("b", 10), ("late", 51), ("d", 50)]
        .map(|(name, at)| clock.wake_at(secs(at), journal.waker(name, &clock)));
    assert_eq!(clock.next_deadline(), Some(secs(10)));
    clock.advance(Duration::from_secs(50));
    assert_eq!(journal.take(), [("a", 10), ("b", 10), ("c", 30), ("d", 50)]);
    assert_eq!(clock.now(), secs(50));
    assert_eq!(clock.advance_to_next(), Some(secs(51)));
    assert_eq!(journal.take(), [("late", 51)]);
    drop(alarms);
    assert_eq!(clock.advance_to_next(), None);
}

#[test]
fn a_dropped_alarm_does_not_ring() {
    let clock = ManualClock::new(secs(0));
    let journal = Journal::default();
    let dropped = clock.wake_at(secs(1), journal.waker("dropped", &clock));
    let kept = clock.wake_at(secs(2), journal.waker("kept", &clock));
    drop(dropped);
    assert_eq!(clock.next_deadline(), Some(secs(2)));
    clock.set(secs(9));
    assert_eq!(journal.take(), [("kept", 2)]);
    drop(kept);
}

#[test]
fn a_deadline_in_the_past_rings_at_once() {
    let clock = ManualClock::new(secs(5));
    let journal = Journal::default();
    let _past = clock.wake_at(secs(4), journal.waker("past", &clock));
    let _now = clock.wake_at(secs(5), journal.waker("now", &clock));
    assert_eq!(journal.take(), [("past", 5), ("now", 5)]);
    assert_eq!(clock.next_deadline(), None);
}

/// A waker that moves the clock further than the move that woke it: later alarms still ring in order, each once, and
/// the outer move does not take the time back.
#[test]
fn wakers_may_move_the_clock() {
    let clock = ManualClock::new(secs(0));
    let journal = Journal::default();
    let mover = clock.clone();
    let _mover = clock.wake_at(secs(1), waker(move || mover.advance(Duration::from_secs(99))));
    let _second = clock.wake_at(secs(2), journal.waker("second", &clock));
    let _third = clock.wake_at(secs(100), journal.waker("third", &clock));
    clock.advance(Duration::from_secs(3));
    assert_eq!(journal.take(), [("second", 2), ("third", 100)]);
    assert_eq!(clock.now(), secs(100));
}

/// A task that sets its next alarm whenever it is woken sees every period of one long move.
#[test]
fn wakers_may_set_alarms() {
    fn tick(clock: &ManualClock, seen: &Arc<Mutex<Vec<(u64, Alarm)>>>) {
        let (again, ticks) = (clock.clone(), seen.clone());
        let next = clock.now() + Duration::from_secs(10);
        let alarm = clock.wake_at(next, waker(move || tick(&again, &ticks)));
        seen.lock().push((clock.now().as_secs(), alarm));
    }
    let clock = ManualClock::new(secs(0));
    let seen = Arc::default();
    tick(&clock, &seen);
    clock.advance(Duration::from_secs(45));
    assert_eq!(seen.lock().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 10, 20, 30, 40]);
    // The wakers own the list that owns their alarms: part them, or the clock is never freed.
    let alarms = std::mem::take(&mut *seen.lock());
    drop(alarms);
    assert_eq!(clock.next_deadline(), None);
}

#[test]
fn a_parked_thread_is_called_by_the_clock() {
    let clock = ManualClock::new(secs(0));
    let waiting = clock.clone();
    let thread = thread::spawn(move || Parker::new().wait_until(&waiting, secs(20)));
    // Before or after the thread has set its alarm: it must end either way.
    clock.set(secs(20));
    assert_eq!(thread.join().unwrap(), Waited::TimedOut);
    assert_eq!(clock.next_deadline(), None, "the alarm is gone with the wait");
}

#[test]
fn a_parked_thread_is_called_by_another() {
    let clock = ManualClock::default();
    let mut parker = Parker::default();
    let waker = parker.waker();
    let thread = thread::spawn(move || {
        let waited = parker.wait_until(&clock, Timestamp::MAX);
        (waited, clock.next_deadline())
    });
    waker.wake();
    assert_eq!(thread.join().unwrap(), (Waited::Woken, None));
}

#[test]
fn a_wake_is_kept_and_used_once() {
    let clock = ManualClock::new(secs(10));
    let mut parker = Parker::new();
    parker.waker().wake();
    parker.waker().wake();
    assert_eq!(parker.wait_until(&clock, secs(1)), Waited::Woken, "a wake counts before a passed deadline");
    assert_eq!(parker.wait_until(&clock, secs(1)), Waited::TimedOut);
    parker.waker().wake();
    parker.wait();
}

/// Rings every alarm at once, as a clock may, and moves a second each time.
#[derive(Debug)]
struct Hasty(ManualClock);

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn wake_at(&self, _: Timestamp, waker: Waker) -> Alarm {
        self.0.advance(Duration::from_secs(1));
        waker.wake();
        Alarm::rung()
    }
}

#[test]
fn an_early_alarm_ends_no_wait() {
    let clock = Hasty(ManualClock::new(secs(0)));
    assert_eq!(Parker::new().wait_until(&clock, secs(3)), Waited::TimedOut);
    assert_eq!(clock.now(), secs(3));

    let clock = Hasty(ManualClock::new(secs(0)));
    let mut sleep = pin!(clock.sleep_until(secs(2)));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(sleep.as_mut().poll(&mut context), Poll::Ready(()));
}

#[test]
fn sleep_wakes_the_task_that_polled_last() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(secs(0)));
    let manual = ManualClock::new(secs(0));
    assert_eq!(clock.now(), manual.now());
    let journal = Journal::default();
    let mut sleep = Box::pin(manual.sleep_until(secs(7)));
    for name in ["first", "second"] {
        let waker = journal.waker(name, &manual);
        assert_eq!(sleep.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    }
    manual.set(secs(8));
    assert_eq!(journal.take(), [("second", 7)]);
    assert_eq!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));

    let sleep = clock.sleep_until(secs(1));
    drop(sleep);
    let mut sleep = Box::pin(manual.sleep_until(secs(99)));
    assert_eq!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    drop(sleep);
    assert_eq!(manual.next_deadline(), None, "a dropped future waits for nothing");
}

#[test]
fn the_system_rings_through_one_thread() {
    let (sender, rung) = mpsc::channel();
    let start = SystemClock.now();
    let alarms = [6, 5].map(|millis| {
        let sender = sender.clone();
        let deadline = start + Duration::from_millis(millis);
        SystemClock.wake_at(
            deadline,
            waker(move || {
                assert!(SystemClock.now() >= deadline);
                sender.send(thread::current().name().map(str::to_owned)).unwrap();
            }),
        )
    });
    for _ in &alarms {
        let name = rung.recv().unwrap();
        // On a busy machine a deadline may have passed at its registration, and then this thread rang.
        assert!(
            name.as_deref() == Some("fourfold-timer") || name == thread::current().name().map(str::to_owned)
        );
    }
}

/// A task's waker that panics must not take everybody's alarms with it.
#[test]
fn the_timer_outlives_a_panicking_waker() {
    let soon = SystemClock.now() + Duration::from_millis(5);
    let never = SystemClock.wake_at(Timestamp::MAX, Waker::noop().clone());
    let (sender, rung) = mpsc::channel();
    let _bad = SystemClock.wake_at(
        soon,
        waker(move || {
            sender.send(()).unwrap();
            // On a busy machine the deadline may have passed at its registration: then this is the test's thread.
            if thread::current().name() == Some("fourfold-timer") {
                std::panic::resume_unwind(Box::new("a waker that panics"));
            }
        }),
    );
    rung.recv().unwrap();
    let mut parker = Parker::new();
    assert_eq!(
        parker.wait_until(&SystemClock, SystemClock.now() + Duration::from_millis(5)),
        Waited::TimedOut
    );
    drop(never);
}

/// Says whatever it is told, also the past.
#[derive(Debug, Default)]
struct Jumping(Mutex<Timestamp>);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }

    fn wake_at(&self, _: Timestamp, _: Waker) -> Alarm {
        Alarm::rung()
    }
}

#[test]
fn stored_time_never_goes_back() {
    const TEN_YEARS: u64 = 315_360_000_000;
    for seed in 0..20 {
        let random = crate::random::Random::from_seed(seed);
        let jumping = Arc::new(Jumping::default());
        let clock = MonotoneClock::new(jumping.clone());
        let mut last = Timestamp::UNIX_EPOCH;
        for _ in 0..500 {
            if random.below(10) == 0 {
                let stored = Timestamp::from_millis(random.below(2 * TEN_YEARS));
                clock.raise(stored);
                last = last.max(stored);
            }
            let told = Timestamp::from_millis(random.below(2 * TEN_YEARS));
            *jumping.0.lock() = told;
            last = last.max(told);
            assert_eq!(clock.now(), last, "seed {seed}");
        }
    }
}

#[test]
fn stored_time_rings_when_it_is_already_later() {
    let manual = ManualClock::new(secs(10));
    let clock = MonotoneClock::new(Arc::new(manual.clone()));
    clock.raise(secs(20));
    let journal = Journal::default();
    let _past = clock.wake_at(secs(15), journal.waker("past", &manual));
    let _coming = clock.wake_at(secs(21), journal.waker("coming", &manual));
    assert_eq!(journal.take(), [("past", 10)]);
    manual.set(secs(21));
    assert_eq!(journal.take(), [("coming", 21)]);
}
