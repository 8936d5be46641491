//! Group commit: many threads wait for one sync. Knows nothing of frames or files.
//!
//! C1. Committing is a role, not a thread. Whoever finds nobody leading leads: it persists *everything* that is there,
//!     once, for all; the others queue. At most one leads.
//! C2. A waiter queues under the lock under which the leader hands over, so none is overlooked: either the leader finds
//!     it when it is done, or it finds nobody leading.
//! C3. Waiters are woken once each, by their own futex, after the lock is released, the next leader first; a woken
//!     waiter reads its verdict and takes no lock. Leadership goes to a waiter that the commit came too late for.
//! C4. Tasks are never handed the lead, because nobody can make a task run: when only tasks are left, all of them (or the
//!     background committer, where there is one) are woken and the first to look leads.
//! C5. The first failed commit poisons; it is not repeated. Every waiter hears the first cause, unless what it waits for
//!     had been reached before.
//!
//! The counters only grow: `written` is with the operating system, `durable` on the device.

use super::poison::Poison;
use crate::{
    error::{Error, Result},
    position::Position,
    sync::{AtomicU32, AtomicU64, Mutex, Ordering, Thread, current, mutant, park, relax},
};
use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

/// What the leader does.
pub(crate) trait Persist {
    /// Hands everything that is published to the operating system, and to the device if `sync`. Called by one thread
    /// at a time, and never again once it failed.
    fn persist(&self, sync: bool) -> Result<Progress>;
}

/// What is safe after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) written: Position,
    pub(crate) durable: Position,
}

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Written(Position),
    Durable(Position),
}

impl Goal {
    fn is_durable(self) -> bool {
        matches!(self, Self::Durable(_))
    }
}

pub(crate) struct Commit {
    written: AtomicU64,
    durable: AtomicU64,
    queue: Mutex<Queue>,
    poison: Arc<Poison>,
    background: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Debug)]
struct Queue {
    led: bool,
    waiters: Vec<Waiter>,
    /// Names tasks, so that one can be found again.
    tasks: u64,
}

impl Queue {
    /// Does anybody wait for the device?
    fn wants_sync(&self) -> bool {
        self.waiters.iter().any(|waiter| waiter.goal.is_durable())
    }
}

#[derive(Debug)]
struct Waiter {
    goal: Goal,
    wake: Wake,
}

#[derive(Debug)]
enum Wake {
    Thread(Arc<Parked>),
    Task { id: u64, waker: Waker },
}

/// A thread that waits for its verdict.
#[derive(Debug)]
struct Parked {
    verdict: AtomicU32,
    thread: Thread,
}

const WAITING: u32 = 0;
/// Look again: the goal was reached, or the log is poisoned.
const LOOK: u32 = 1;
/// Lead the next commit.
const LEAD: u32 = 2;

/// Turns of waiting before a thread parks that waits for a write: that takes less than to sleep and to be woken.
const TURNS: u32 = if cfg!(fourfold_loom) { 0 } else { 72 };

impl Parked {
    fn wait(&self, goal: Goal) -> u32 {
        let mut turn = if matches!(goal, Goal::Written(_)) { 0 } else { TURNS };
        loop {
            // Acquire: pairs with the Release in `tell`.
            match self.verdict.load(Ordering::Acquire) {
                WAITING if turn < TURNS => relax(&mut turn),
                WAITING => park(),
                verdict => return verdict,
            }
        }
    }

    fn tell(&self, verdict: u32) {
        self.verdict.store(verdict, Ordering::Release);
        self.thread.unpark();
    }
}

impl Wake {
    fn look(self) {
        match self {
            Self::Thread(parked) => parked.tell(LOOK),
            Self::Task { waker, .. } => waker.wake(),
        }
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit")
            .field("written", &self.written)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

impl Commit {
    /// Everything below `start` is durable.
    pub(crate) fn new(start: Position, poison: Arc<Poison>) -> Self {
        Self {
            written: AtomicU64::new(start.get()),
            durable: AtomicU64::new(start.get()),
            queue: Mutex::new(Queue { led: false, waiters: Vec::new(), tasks: 0 }),
            poison,
            background: OnceLock::new(),
        }
    }

    pub(crate) fn written(&self) -> Position {
        // Acquire: pairs with the Release in `lead`.
        Position::new(self.written.load(Ordering::Acquire))
    }

    pub(crate) fn durable(&self) -> Position {
        Position::new(self.durable.load(Ordering::Acquire))
    }

    fn reached(&self, goal: Goal) -> bool {
        match goal {
            Goal::Written(target) => self.written() >= target,
            Goal::Durable(target) => self.durable() >= target,
        }
    }

    /// From now on a task that waits and finds nobody leading calls `wake` instead of leading itself, and relies on a
    /// thread that answers with [`Commit::serve`]. Can be said once.
    pub(crate) fn set_background(&self, wake: Box<dyn Fn() + Send + Sync>) {
        drop(self.background.set(wake));
    }

    /// Is there a thread that answers with [`Commit::serve`]?
    pub(crate) fn has_background(&self) -> bool {
        self.background.get().is_some()
    }

    /// Wakes that thread.
    pub(crate) fn call_background(&self) {
        if let Some(wake) = self.background.get() {
            wake();
        }
    }

    /// Returns when `goal` is reached. Its position must have been published before.
    pub(crate) fn wait(&self, goal: Goal, persist: &impl Persist) -> Result<()> {
        loop {
            if self.reached(goal) {
                return Ok(());
            }
            let mut queue = self.queue.lock();
            if self.reached(goal) {
                return Ok(());
            }
            self.poison.check()?;
            if queue.led {
                let parked = Arc::new(Parked { verdict: AtomicU32::new(WAITING), thread: current() });
                queue.waiters.push(Waiter { goal, wake: Wake::Thread(Arc::clone(&parked)) });
                drop(queue);
                if parked.wait(goal) == LEAD {
                    let sync = goal.is_durable() || self.queue.lock().wants_sync();
                    self.lead(sync, persist);
                }
            } else {
                queue.led = true;
                let sync = goal.is_durable() || queue.wants_sync();
                drop(queue);
                self.lead(sync, persist);
            }
        }
    }

    /// [`Commit::wait`] as a future. It belongs to no runtime. Without a background committer the poll that finds nobody
    /// leading leads, and so blocks its thread for one commit.
    pub(crate) fn wait_async<'a, P: Persist>(&'a self, goal: Goal, persist: &'a P) -> Wait<'a, P> {
        Wait { commit: self, persist, goal, id: None }
    }

    /// Leads one commit if somebody waits and nobody leads; says whether it did.
    pub(crate) fn serve(&self, persist: &impl Persist) -> bool {
        let mut queue = self.queue.lock();
        if queue.led || queue.waiters.is_empty() {
            return false;
        }
        queue.led = true;
        let sync = queue.wants_sync();
        drop(queue);
        self.lead(sync, persist);
        true
    }

    /// Stops everything: waiters hear the first cause.
    pub(crate) fn poison(&self, error: Error) {
        self.poison.set(error);
        let waiters = std::mem::take(&mut self.queue.lock().waiters);
        wake_all(waiters);
    }

    /// Commits once, to the device if `sync`, and hands over; the caller holds the role.
    fn lead(&self, sync: bool, persist: &impl Persist) {
        let handover = Handover { commit: self };
        let outcome = if mutant!("retry_after_failure") {
            persist.persist(sync).or_else(|_| persist.persist(sync))
        } else {
            self.poison.check().and_then(|()| persist.persist(sync))
        };
        match outcome {
            Ok(progress) => {
                // Release: pairs with the Acquire in `written` and `durable`. One leader: no store goes back.
                self.durable.store(progress.durable.get(), Ordering::Release);
                self.written.store(progress.written.get(), Ordering::Release);
            }
            Err(error) => self.poison.set(error),
        }
        std::mem::forget(handover);
        self.hand_over();
    }

    /// Gives the role away and wakes whoever can go on (C3, C4).
    fn hand_over(&self) {
        let mut woken = Vec::new();
        let mut next = None;
        let mut ask_background = false;
        {
            let mut queue = self.queue.lock();
            let poisoned = self.poison.is_set();
            woken.extend(queue.waiters.extract_if(.., |waiter| poisoned || self.reached(waiter.goal)));
            let thread = queue.waiters.iter().position(|waiter| matches!(waiter.wake, Wake::Thread(_)));
            if mutant!("drop_leadership") {
                queue.led = false;
            } else if let Some(thread) = thread {
                next = Some(queue.waiters.remove(thread));
            } else {
                queue.led = false;
                ask_background = !queue.waiters.is_empty() && self.background.get().is_some();
                if !ask_background {
                    woken.append(&mut queue.waiters);
                }
            }
        }
        if let Some(Waiter { wake: Wake::Thread(parked), .. }) = next {
            parked.tell(LEAD);
        }
        if ask_background && let Some(wake) = self.background.get() {
            wake();
        }
        wake_all(woken);
    }
}

/// A task's waker is somebody else's code: one that panics must not leave the others asleep.
fn wake_all(waiters: Vec<Waiter>) {
    for Waiter { wake, .. } in waiters {
        let _spoiled = catch_unwind(AssertUnwindSafe(|| wake.look()));
    }
}

/// Keeps a panic of `persist` from leaving everybody waiting for a leader that is gone.
struct Handover<'a> {
    commit: &'a Commit,
}

impl Drop for Handover<'_> {
    fn drop(&mut self) {
        self.commit.poison.set(Error::invalid("commit", "persisting the log panicked"));
        self.commit.hand_over();
    }
}

/// Resolves when its goal is reached.
#[derive(Debug)]
pub(crate) struct Wait<'a, P> {
    commit: &'a Commit,
    persist: &'a P,
    goal: Goal,
    /// Set while this task may be in the queue.
    id: Option<u64>,
}

impl<P: Persist> Future for Wait<'_, P> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let commit = this.commit;
        loop {
            if commit.reached(this.goal) {
                return Poll::Ready(Ok(()));
            }
            let mut queue = commit.queue.lock();
            if commit.reached(this.goal) {
                return Poll::Ready(Ok(()));
            }
            commit.poison.check()?;
            if !queue.led && commit.background.get().is_none() {
                queue.led = true;
                let sync = this.goal.is_durable() || queue.wants_sync();
                drop(queue);
                this.leave();
                commit.lead(sync, this.persist);
                continue;
            }
            let ask = !queue.led;
            let waker = context.waker().clone();
            let known = queue.waiters.iter_mut().find_map(|waiter| match &mut waiter.wake {
                Wake::Task { id, waker } if Some(*id) == this.id => Some(waker),
                _ => None,
            });
            if let Some(known) = known {
                *known = waker;
            } else {
                queue.tasks += 1;
                let id = queue.tasks;
                this.id = Some(id);
                queue.waiters.push(Waiter { goal: this.goal, wake: Wake::Task { id, waker } });
            }
            drop(queue);
            if ask && let Some(wake) = commit.background.get() {
                wake();
            }
            return Poll::Pending;
        }
    }
}

impl<P> Wait<'_, P> {
    /// Takes this task out of the queue.
    fn leave(&mut self) {
        if let Some(mine) = self.id.take() {
            let mut queue = self.commit.queue.lock();
            queue.waiters.retain(|waiter| !matches!(waiter.wake, Wake::Task { id, .. } if id == mine));
        }
    }
}

impl<P> Drop for Wait<'_, P> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64 as Counter, AtomicUsize};

    /// A disk that is done at once.
    #[derive(Debug, Default)]
    struct Disk {
        frontier: Counter,
        written: Counter,
        durable: Counter,
        calls: AtomicUsize,
        fails_at: usize,
    }

    impl Persist for Disk {
        fn persist(&self, sync: bool) -> Result<Progress> {
            if self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.fails_at {
                return Err(Error::io("sync", "disk", 0, std::io::ErrorKind::Other.into()));
            }
            let upto = self.frontier.load(Ordering::SeqCst);
            self.written.store(upto, Ordering::SeqCst);
            if sync {
                self.durable.store(upto, Ordering::SeqCst);
            }
            Ok(Progress {
                written: Position::new(upto),
                durable: Position::new(self.durable.load(Ordering::SeqCst)),
            })
        }
    }

    struct Counting(AtomicUsize);

    impl std::task::Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn commit() -> Commit {
        Commit::new(Position::ZERO, Arc::new(Poison::new()))
    }

    #[test]
    fn goals_are_reached_once_and_for_all() {
        let (commit, disk) = (commit(), Disk::default());
        disk.frontier.store(10, Ordering::SeqCst);
        commit.wait(Goal::Written(Position::new(10)), &disk).unwrap();
        assert_eq!((commit.written().get(), commit.durable().get()), (10, 0));
        commit.wait(Goal::Durable(Position::new(5)), &disk).unwrap();
        assert_eq!(commit.durable().get(), 10);
        commit.wait(Goal::Durable(Position::new(10)), &disk).unwrap();
        assert_eq!(disk.calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn many_threads_wait_for_few_syncs() {
        let (commit, disk) = (commit(), Disk::default());
        let (threads, rounds) = if cfg!(miri) { (3, 5) } else { (8, 2000) };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        let end = Position::new(disk.frontier.fetch_add(1, Ordering::SeqCst) + 1);
                        commit.wait(Goal::Durable(end), &disk).unwrap();
                        assert!(disk.durable.load(Ordering::SeqCst) >= end.get());
                    }
                });
            }
        });
        assert_eq!(commit.durable().get(), threads * rounds);
        assert!(!commit.queue.lock().led);
    }

    #[test]
    fn a_failure_reaches_everybody_and_is_not_repeated() {
        let (commit, disk) = (commit(), Disk { fails_at: 3, ..Disk::default() });
        let failures = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let end = Position::new(disk.frontier.fetch_add(1, Ordering::SeqCst) + 1);
                        if let Err(error) = commit.wait(Goal::Durable(end), &disk) {
                            assert!(matches!(error, Error::Poisoned { .. }));
                            failures.fetch_add(1, Ordering::SeqCst);
                            break;
                        }
                    }
                });
            }
        });
        assert_eq!(failures.load(Ordering::SeqCst), 4);
        assert_eq!(disk.calls.load(Ordering::SeqCst), 3);
        // What was reached before stays true.
        commit.wait(Goal::Durable(commit.durable()), &disk).unwrap();
    }

    #[test]
    fn a_panic_of_the_leader_strands_nobody() {
        struct Panics;
        impl Persist for Panics {
            fn persist(&self, _: bool) -> Result<Progress> {
                panic!("as the test wants");
            }
        }
        let commit = commit();
        let goal = Goal::Durable(Position::new(1));
        let outcome = std::thread::scope(|scope| scope.spawn(|| commit.wait(goal, &Panics)).join());
        assert!(outcome.is_err());
        assert!(matches!(commit.wait(goal, &Panics), Err(Error::Poisoned { .. })));
    }

    #[test]
    fn a_task_leads_when_nobody_does() {
        let (commit, disk) = (commit(), Disk::default());
        disk.frontier.store(10, Ordering::SeqCst);
        let mut context = Context::from_waker(Waker::noop());
        let mut wait = commit.wait_async(Goal::Durable(Position::new(10)), &disk);
        assert!(matches!(Pin::new(&mut wait).poll(&mut context), Poll::Ready(Ok(()))));
    }

    #[test]
    fn a_waker_that_panics_strands_nobody() {
        struct Panics;
        impl std::task::Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("as the test wants");
            }
        }
        let (commit, disk) = (commit(), Disk::default());
        disk.frontier.store(10, Ordering::SeqCst);
        commit.set_background(Box::new(|| {}));
        let woken = Arc::new(Counting(AtomicUsize::new(0)));
        let (panics, counts) = (Waker::from(Arc::new(Panics)), Waker::from(Arc::clone(&woken)));
        let mut first = commit.wait_async(Goal::Durable(Position::new(10)), &disk);
        let mut second = commit.wait_async(Goal::Durable(Position::new(10)), &disk);
        assert!(Pin::new(&mut first).poll(&mut Context::from_waker(&panics)).is_pending());
        assert!(Pin::new(&mut second).poll(&mut Context::from_waker(&counts)).is_pending());
        assert!(commit.serve(&disk));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(commit.poison.check().is_ok());
    }

    #[test]
    fn a_task_waits_for_the_background() {
        let (commit, disk) = (commit(), Disk::default());
        disk.frontier.store(10, Ordering::SeqCst);
        let (asked, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(Counting(AtomicUsize::new(0))));
        let ask = Arc::clone(&asked);
        commit.set_background(Box::new(move || {
            ask.fetch_add(1, Ordering::SeqCst);
        }));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut wait = commit.wait_async(Goal::Durable(Position::new(10)), &disk);
        let mut dropped = commit.wait_async(Goal::Durable(Position::new(10)), &disk);
        assert!(Pin::new(&mut wait).poll(&mut context).is_pending());
        assert!(Pin::new(&mut dropped).poll(&mut context).is_pending());
        drop(dropped);
        assert_eq!((asked.load(Ordering::SeqCst), disk.calls.load(Ordering::SeqCst)), (2, 0));
        assert!(commit.serve(&disk));
        assert!(!commit.serve(&disk));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(matches!(Pin::new(&mut wait).poll(&mut context), Poll::Ready(Ok(()))));
        // Poison wakes tasks too.
        let mut wait = commit.wait_async(Goal::Durable(Position::new(11)), &disk);
        assert!(Pin::new(&mut wait).poll(&mut context).is_pending());
        commit.poison(Error::invalid("test", "poison"));
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        assert!(matches!(Pin::new(&mut wait).poll(&mut context), Poll::Ready(Err(Error::Poisoned { .. }))));
    }
}
