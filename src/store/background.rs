//! The threads that keep a store in shape: one commits for async writers and writes what is buffered, the others fold,
//! compact and prepare segments.
//!
//! Nothing depends on the latter but time: whatever they did not get to, a writer does itself.

use crate::clock::{Clock, Parker, Timestamp};
use crate::storage::Storage;
use crate::store::Store;
use crate::tree::Tree;
use parking_lot::Mutex;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread::{JoinHandle, current};
use std::time::Duration;

/// How long after a failure the work that is due is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What threads and store share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Something was written since the last flush: in a buffered store, a flush is due.
    dirty: AtomicBool,
}

/// The threads of one store; none for a store built without.
#[derive(Debug)]
pub(crate) struct Background {
    shared: Arc<Shared>,
    threads: Mutex<Vec<(JoinHandle<()>, Waker)>>,
    count: usize,
    committer: Option<Waker>,
    sweeper: OnceLock<Waker>,
    flushes: bool,
}

impl Background {
    /// Starts `count` threads for maintenance, and a committer if there are any. With `flush_after`, what was written and
    /// is not waited for is handed to the system after that long.
    pub(crate) fn start<S: Storage>(
        tree: &Arc<Tree<S>>,
        count: usize,
        flush_after: Option<Duration>,
        clock: &Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let mut background = Self {
            shared: Arc::default(),
            threads: Mutex::default(),
            count,
            committer: None,
            sweeper: OnceLock::new(),
            flushes: flush_after.is_some() && count > 0,
        };
        if count == 0 {
            return Ok(background);
        }
        let clock = Arc::clone(clock);
        let started = background.start_threads(tree, count, flush_after, clock);
        if started.is_err() {
            background.stop();
        }
        started.map(|()| background)
    }

    fn start_threads<S: Storage>(
        &mut self,
        tree: &Arc<Tree<S>>,
        count: usize,
        flush_after: Option<Duration>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<()> {
        let committer = self.spawn(tree, "fourfold-commit", move |shared, tree, parker| {
            commit(shared, tree, parker, flush_after, &*clock);
        })?;
        let mut maintainers = Vec::new();
        for number in 0..count {
            maintainers.push(self.spawn(tree, &format!("fourfold-{number}"), maintain)?);
        }
        tree.set_helper(move || maintainers.iter().for_each(Waker::wake_by_ref));
        let wake = committer.clone();
        tree.log().set_background(Box::new(move || wake.wake_by_ref()));
        self.committer = Some(committer);
        Ok(())
    }

    fn spawn<S: Storage>(
        &self,
        tree: &Arc<Tree<S>>,
        name: &str,
        work: impl FnOnce(&Shared, &Tree<S>, Parker) + Send + 'static,
    ) -> io::Result<Waker> {
        let tree = Arc::clone(tree);
        self.spawn_thread(name, move |shared, parker| work(shared, &tree, parker))
    }

    fn spawn_thread(
        &self,
        name: &str,
        work: impl FnOnce(&Shared, Parker) + Send + 'static,
    ) -> io::Result<Waker> {
        let (shared, parker) = (Arc::clone(&self.shared), Parker::new());
        let waker = parker.waker();
        let thread = std::thread::Builder::new().name(name.to_owned());
        match thread.spawn(move || work(&shared, parker)) {
            Ok(thread) => self.threads.lock().push((thread, waker.clone())),
            Err(error) => return Err(error),
        }
        Ok(waker)
    }

    /// Threads for maintenance.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Something was written that nobody waits for.
    #[inline]
    pub(crate) fn wrote(&self) {
        // Relaxed first: a write that sees `true` too late is flushed with the next one, or by the bound of bytes.
        if self.flushes
            && !self.shared.dirty.load(Ordering::Relaxed)
            && !self.shared.dirty.swap(true, Ordering::AcqRel)
        {
            self.committer.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// From now on a thread does what time brings about in the engines. If it cannot be started, [`Store::maintain`]
    /// does.
    pub(crate) fn sweep(&self, store: &Store) {
        if self.count == 0 {
            return;
        }
        self.sweeper.get_or_init(|| {
            let store = store.unguarded();
            let sweeper =
                self.spawn_thread("fourfold-sweep", move |shared, parker| sweep(shared, &store, parker));
            sweeper.unwrap_or_else(|_| Waker::noop().clone())
        });
    }

    /// Something is due earlier than it was.
    pub(crate) fn wake_sweeper(&self) {
        self.sweeper.get().into_iter().for_each(Waker::wake_by_ref);
    }

    /// Ends the threads and waits for them.
    pub(crate) fn stop(&self) {
        // Release: pairs with the Acquire in the loops below.
        self.shared.stop.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock());
        for (_, waker) in &threads {
            waker.wake_by_ref();
        }
        // The last handle may be dropped by a task that the committer wakes: it ends by itself.
        let others = threads.into_iter().filter(|(thread, _)| thread.thread().id() != current().id());
        for (thread, _) in others {
            // A thread that panicked has poisoned the log if it mattered.
            let _ = thread.join();
        }
    }
}

fn maintain<S: Storage>(shared: &Shared, tree: &Tree<S>, mut parker: Parker) {
    while !shared.stop.load(Ordering::Acquire) {
        // A failure here is found again, and reported, by the writer that needs what failed.
        if !tree.maintain_step().unwrap_or(false) {
            parker.wait();
        }
    }
}

fn sweep(shared: &Shared, store: &Store, mut parker: Parker) {
    while !shared.stop.load(Ordering::Acquire) {
        match store.maintain_engines() {
            (true, _) => {}
            (false, Ok(())) => match store.engines_deadline() {
                Some(at) => {
                    parker.wait_until(&store.inner.clock, at);
                }
                None => parker.wait(),
            },
            // Found again, and reported, by whoever needs what failed; tried again after a while.
            (false, Err(_)) => {
                let clock = &store.inner.clock;
                parker.wait_until(clock, clock.now() + RETRY_AFTER);
            }
        }
    }
}

fn commit<S: Storage>(
    shared: &Shared,
    tree: &Tree<S>,
    mut parker: Parker,
    flush_after: Option<Duration>,
    clock: &dyn Clock,
) {
    let mut flush_at: Option<Timestamp> = None;
    while !shared.stop.load(Ordering::Acquire) {
        while tree.log().serve() {}
        if let Some(after) = flush_after {
            if flush_at.is_some_and(|at| at <= clock.now()) {
                flush_at = None;
                // Before the flush: a write behind it asks for another.
                shared.dirty.store(false, Ordering::SeqCst);
                // A failure has poisoned the log.
                let _ = tree.log().flush();
            } else if flush_at.is_none() && shared.dirty.load(Ordering::Acquire) {
                flush_at = Some(clock.now() + after);
            }
        }
        match flush_at {
            Some(at) => {
                parker.wait_until(clock, at);
            }
            None => parker.wait(),
        }
    }
}

#[cfg(all(test, not(fourfold_loom)))]
mod tests {
    use crate::Store;
    use crate::kv::{CreateTable, ScalarType, item};
    use crate::stream::CreateStream;

    /// Uses all services.
    fn use_all(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
        store.keyspace("words")?.put("hello", "world")?;
        store.queues().create("jobs")?.send("hello")?;
        store.streams().create("clicks", CreateStream::default())?.put("k", "v")?;
        store.tables().create_table(CreateTable::new("users").hash("id", ScalarType::N))?;
        store.tables().update_time_to_live("users", "until", true)?;
        store.tables().table("users").put(item! { "id" => 1, "until" => 5_000_000_000_u64 })?;
        store.buckets().create("photos")?.put("a", vec![7; 1 << 20])?;
        Ok(())
    }

    fn threads(store: &Store) -> usize {
        store.inner.background.threads.lock().len()
    }

    #[test]
    fn a_store_in_memory_starts_no_thread_whatever_it_is_used_for() {
        let store = Store::in_memory();
        use_all(&store).unwrap();
        assert_eq!((threads(&store), threads(&store.fork().unwrap())), (0, 0));
        let asked = Store::builder().background_threads(1).open_in_memory();
        use_all(&asked).unwrap();
        assert_eq!(threads(&asked), 3, "one to commit, one to maintain, one to sweep");
    }
}
