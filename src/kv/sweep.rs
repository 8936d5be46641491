//! What time brings about: items expire, change records are forgotten, and indexes that were left half built are
//! completed.

use crate::clock::Timestamp;
use crate::kv::error::Result;
use crate::kv::state::{State, Table};
use crate::store::Store;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often records and tokens are looked through that are too old; until then reads pass over them.
const FORGET_EVERY: Duration = Duration::from_hours(1);

impl State {
    /// A piece of what is due. Is there more?
    pub(crate) fn sweep(&self, store: &Store) -> Result<bool> {
        self.load(store)?;
        let mut more = false;
        for table in self.tables() {
            more |= self.expire(store, &table)?;
            more |= self.build_step(store, &table)?;
        }
        let now = store.now();
        // Relaxed: sweeps are the only writers, and doing it twice does no harm.
        if now.as_millis() >= self.forget_at.load(Ordering::Relaxed) {
            self.forget_later(store);
            let _control = self.control.lock();
            self.feeds.sweep(store)?;
            self.tokens.sweep(store)?;
        }
        Ok(more)
    }

    /// Is there something that will be too old?
    pub(crate) fn has_old(&self) -> bool {
        !self.feeds.all().is_empty() || !self.tokens.is_empty()
    }

    pub(crate) fn forget_later(&self, store: &Store) {
        self.forget_at.store((store.now() + FORGET_EVERY).as_millis(), Ordering::Relaxed);
    }

    /// Finds out when items expire, where that was not asked since the store was opened.
    pub(crate) fn find_expiries(&self, store: &Store) -> Result<()> {
        self.load(store)?;
        self.tables().iter().try_for_each(|table| self.find_expiry(store, table))
    }

    /// When there is something to do next.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        if !self.is_loaded() {
            // A sweep finds out.
            return Some(Timestamp::UNIX_EPOCH);
        }
        let forget = self.has_old().then(|| Timestamp::from_millis(self.forget_at.load(Ordering::Relaxed)));
        let delay = self.dials.read().expiry_delay;
        let tables = self.tables();
        tables.iter().filter_map(|table| table.deadline(delay)).chain(forget).min()
    }
}

impl Table {
    fn deadline(&self, delay: Duration) -> Option<Timestamp> {
        let shape = self.shape.read();
        if shape.has_building() {
            return Some(Timestamp::UNIX_EPOCH);
        }
        shape.ttl.as_ref()?;
        let at = self.expiry.load(Ordering::Relaxed);
        (at < u64::MAX).then(|| Timestamp::from_millis(at) + delay)
    }
}
