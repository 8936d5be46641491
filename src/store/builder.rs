//! Settings of a store, and opening one by them.

use crate::clock::monotone::MonotoneClock;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::faults::plan::Plan;
use crate::limits::{SEGMENT_SHIFT_MAX, SEGMENT_SHIFT_MIN};
use crate::log::Durability;
use crate::random::Random;
use crate::storage::{Media, Storage};
use crate::store::background::Background;
use crate::store::engine::Engines;
use crate::store::export::Beginning;
use crate::store::{Inner, RecoveryReport, Store};
use crate::tree::{Tree, TreeOptions, refuse_strangers};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Segments of a store on disk, unless set. With 64 MiB everything loaded as fast and took half as much memory again.
const SEGMENT_SIZE_ON_DISK: u64 = 32 << 20;
/// Segments of a store in memory, unless set: 8 MiB.
const SEGMENT_SIZE_IN_MEMORY: u64 = 8 << 20;
/// Values longer than this go to the blob log, unless set: 64 KiB.
const BLOB_THRESHOLD: usize = 64 << 10;
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
const FLUSH_BYTES: u64 = 4 << 20;
/// What resources are named by, unless set.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// Settings of a [`Store`] to be opened.
///
/// ```
/// use fourfold::{Durability, Store, clock::ManualClock};
/// # fn main() -> fourfold::Result<()> {
/// let clock = ManualClock::default();
/// let store = Store::builder()
///     .durability(Durability::Buffered)
///     .clock(clock.clone())
///     .seed(7)
///     .open_in_memory();
/// clock.advance(std::time::Duration::from_secs(60));
/// assert_eq!(store.now(), fourfold::clock::Clock::now(&clock));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a store is opened by them"]
pub struct Builder {
    durability: Durability,
    segment_size: Option<u64>,
    memory_budget: Option<u64>,
    blob_threshold: usize,
    flush_interval: Duration,
    flush_bytes: u64,
    threads: Option<usize>,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    account: String,
    region: String,
    pile_up: bool,
    beginning: Option<Beginning>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            durability: Durability::Synced,
            segment_size: None,
            memory_budget: None,
            blob_threshold: BLOB_THRESHOLD,
            flush_interval: FLUSH_INTERVAL,
            flush_bytes: FLUSH_BYTES,
            threads: None,
            clock: None,
            seed: None,
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            pile_up: false,
            beginning: None,
        }
    }
}

impl Builder {
    /// What [`Store::write`] waits for. Default: [`Durability::Synced`]; in memory it makes no difference.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Bytes of a log segment: a power of two from 16 KiB to 1 GiB. Default: 32 MiB on disk, 8 MiB in memory.
    ///
    /// A batch must fit into a segment; a segment and its memtable are the unit of memory and of what is replayed after
    /// a crash. Fixed when the store is created; opening an existing one with another size is an error.
    pub fn segment_size(mut self, bytes: u64) -> Self {
        self.segment_size = Some(bytes);
        self
    }

    /// Bytes of memory that log segments and memtables may take together. Default, and minimum: three segments with
    /// their memtables (each about once to three times its segment's size). More lets bursts of writes run further
    /// ahead of the folding, and makes more to replay after a crash.
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = Some(bytes);
        self
    }

    /// Values longer than this are kept in the blob log and never rewritten by compaction. Default: 64 KiB.
    pub fn blob_threshold(mut self, bytes: usize) -> Self {
        self.blob_threshold = bytes;
        self
    }

    /// How long a [`Buffered`](Durability::Buffered) write may stay in the process, by the store's clock, while a
    /// background thread runs. Default: 100 ms.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// How many bytes of [`Buffered`](Durability::Buffered) writes may stay in the process. Default: 4 MiB.
    pub fn flush_bytes(mut self, bytes: u64) -> Self {
        self.flush_bytes = bytes;
        self
    }

    /// Threads that fold, compact and write behind the writers' backs. Default: 1 on disk, 0 in memory. With none, writers
    /// do that work when it is due, and [`Store::maintain`] does what is left.
    pub fn background_threads(mut self, count: usize) -> Self {
        self.threads = Some(count);
        self
    }

    /// The only source of time. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Where ids and jitter start: with the same seed and clock, the same calls give the same answers. Default: from the
    /// operating system.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The account in the ARNs and URLs of resources: twelve digits. Default: `000000000000`.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// The region in the ARNs and URLs of resources: letters, digits and hyphens. Default: `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Lets folded runs pile up, to measure reads through many of them. Nothing gets better by it.
    #[doc(hidden)]
    pub fn pile_up(mut self) -> Self {
        self.pile_up = true;
        self
    }

    /// Opens the store in `dir`, or creates it there.
    ///
    /// # Errors
    /// As for [`Store::open`]; [`Invalid`](Error::Invalid) for a setting that cannot be.
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Store> {
        let dir = dir.as_ref();
        if dir.as_os_str().is_empty() {
            return Err(Error::invalid("directory", "its path is empty"));
        }
        self.open_media(Media::disk(dir))
    }

    /// A new store without files.
    ///
    /// # Panics
    /// If a setting cannot be, or a background thread that was asked for cannot be started.
    pub fn open_in_memory(self) -> Store {
        self.open_media(Media::memory()).expect("an empty store in memory opens with valid settings")
    }

    /// Opens the store in directory `dir` of a simulated disk, or creates it there. It runs without background threads
    /// unless they are asked for, so that a run is deterministic.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and whatever faults were planned.
    #[cfg(any(test, feature = "sim"))]
    pub fn open_simulated(mut self, disk: &crate::sim::SimDisk, dir: impl AsRef<Path>) -> Result<Store> {
        self.threads = Some(self.threads.unwrap_or(0));
        self.open_media(Media::sim(disk, dir.as_ref()))
    }

    pub(super) fn open_media(self, media: Media) -> Result<Store> {
        self.check_names()?;
        let options = self.tree_options(media.is_persistent())?;
        let random = self.seed.map_or_else(Random::from_entropy, Random::from_seed);
        let clock = self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock));
        media.create_dir()?;
        // Before the lock, which would leave a file in a directory that belongs to others.
        refuse_strangers(&media)?;
        let lock = media.lock()?;
        let (tree, report) = Tree::open(&media, &options, &random, clock.now())?;
        let clock = MonotoneClock::new(clock);
        clock.raise(tree.created());
        self.assemble(media, lock, random, clock, tree, report)
    }

    fn assemble(
        self,
        media: Media,
        lock: <Media as Storage>::Lock,
        random: Random,
        clock: MonotoneClock,
        tree: Arc<Tree<Media>>,
        report: RecoveryReport,
    ) -> Result<Store> {
        let threads = self.threads.unwrap_or(usize::from(media.is_persistent()));
        let flush_after = media.is_persistent().then_some(self.flush_interval);
        let background = Background::start(&tree, threads, flush_after, &clock.inner())
            .map_err(|source| Error::io("start a background thread for", media.path(), 0, source))?;
        let inner = Inner {
            background,
            engines: Engines::default(),
            plan: Plan::default(),
            account: self.account,
            region: self.region,
            tree,
            clock,
            random,
            blob_threshold: self.blob_threshold,
            durability: self.durability,
            catalog: Mutex::new(()),
            report,
            media,
            _lock: lock,
        };
        let store = Store::new(inner);
        crate::targets::begin(&store);
        Ok(store)
    }

    /// A new store goes on where another one was.
    pub(super) fn beginning(mut self, beginning: Beginning) -> Self {
        self.beginning = Some(beginning);
        self
    }

    /// Account and region become part of ARNs, which are taken apart at colons.
    pub(super) fn check_names(&self) -> Result<()> {
        let (account, region) = (&self.account, &self.region);
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::invalid("account", format_args!("{account:?} is not twelve digits")));
        }
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if region.is_empty() || region.len() > 32 || !region.bytes().all(is_part) {
            let rule = format_args!("{region:?} is not 1 to 32 letters, digits and hyphens");
            return Err(Error::invalid("region", rule));
        }
        Ok(())
    }

    fn tree_options(&self, persistent: bool) -> Result<TreeOptions> {
        let default = if persistent { SEGMENT_SIZE_ON_DISK } else { SEGMENT_SIZE_IN_MEMORY };
        let size = self.segment_size.unwrap_or(default);
        let shift = size.trailing_zeros();
        if !size.is_power_of_two() || !(SEGMENT_SHIFT_MIN..=SEGMENT_SHIFT_MAX).contains(&shift) {
            let (min, max) = (1u64 << SEGMENT_SHIFT_MIN, 1u64 << SEGMENT_SHIFT_MAX);
            let rule = format!("{size} is not a power of two from {min} to {max}");
            return Err(Error::invalid("segment size", rule));
        }
        // A memtable of small entries takes about as much again as its segment.
        let affordable = self.memory_budget.map_or(0, |budget| budget / (2 * size));
        let waiting_max = usize::try_from(affordable).unwrap_or(usize::MAX).saturating_sub(1).clamp(2, 64);
        Ok(TreeOptions {
            shift,
            is_shift_given: self.segment_size.is_some(),
            waiting_max,
            pile_up: self.pile_up,
            flush_bytes: self.flush_bytes,
            beginning: self.beginning,
        })
    }
}

/// See [`Store::fork`].
pub(super) fn fork(store: &Store) -> Result<Store> {
    let inner = &store.inner;
    if inner.media.is_persistent() {
        let path = inner.media.path();
        return Err(Error::Unsupported {
            op: "fork",
            reason: format!("the store in {} is on disk; a checkpoint copies it", path.display()),
        });
    }
    let media = Media::memory();
    let tree = inner.tree.fork(&media)?;
    let settings = Builder {
        durability: inner.durability,
        blob_threshold: inner.blob_threshold,
        threads: Some(inner.background.count()),
        account: inner.account.clone(),
        region: inner.region.clone(),
        ..Builder::default()
    };
    let lock = media.lock()?;
    let random = Random::from_seed(inner.random.next_u64());
    let clock = MonotoneClock::new(inner.clock.inner());
    clock.raise(inner.clock.now());
    settings.assemble(media, lock, random, clock, tree, inner.report.clone())
}
