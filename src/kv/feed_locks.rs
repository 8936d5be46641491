//! The streams that a batch adds records to, locked in the one order in which all take them.

use crate::Batch;
use crate::kv::changes::feed::{Feed, Tail};
use crate::kv::error::Result;
use crate::kv::state::State;
use crate::kv::write::Effect;
use crate::store::Store;
use crate::store::deliver::Woken;
use parking_lot::MutexGuard;
use std::task::Waker;

/// The tails of some feeds, held until the batch is logged, so that records are seen in the order of their numbers.
pub(crate) struct FeedLocks<'a>(Vec<(&'a Feed, MutexGuard<'a, Tail>)>);

impl<'a> FeedLocks<'a> {
    pub(crate) fn of(effects: &'a [Effect<'a>]) -> Self {
        let with_change = effects.iter().filter(|effect| effect.change.is_some());
        let mut feeds: Vec<&Feed> = with_change.filter_map(|effect| effect.shape.feed.as_deref()).collect();
        feeds.sort_unstable_by_key(|feed| feed.space.id());
        feeds.dedup_by_key(|feed| feed.space.id());
        Self(feeds.into_iter().map(|feed| (feed, feed.tail.lock())).collect())
    }

    /// Adds the records of all changes to the batch.
    pub(crate) fn stage(
        &mut self,
        store: &Store,
        state: &State,
        batch: &mut Batch,
        effects: &[Effect<'_>],
    ) -> Result<()> {
        for (feed, tail) in &mut self.0 {
            tail.begin();
            let of_feed = |effect: &&Effect<'_>| {
                effect.shape.feed.as_ref().is_some_and(|other| other.space.id() == feed.space.id())
            };
            for change in effects.iter().filter(of_feed).filter_map(|effect| effect.change.as_ref()) {
                feed.stage(store, state, batch, tail, change)?;
            }
        }
        Ok(())
    }

    /// The batch is logged.
    pub(crate) fn apply(self, wakes: &mut Wakes) {
        for (feed, mut tail) in self.0 {
            tail.apply();
            drop(tail);
            wakes.add(feed);
        }
    }
}

/// Whoever waited for change records, and is woken when this goes out of scope. A waker may do anything, so whoever locks
/// something makes this first: then it goes last, with no lock held, also if something fails behind the append.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Vec<Waker>, Woken);

impl Wakes {
    pub(crate) fn add(&mut self, feed: &Feed) {
        self.0.append(&mut feed.take_waiting());
    }

    /// And those who wait for what was told elsewhere.
    pub(crate) fn then(&mut self, woken: Woken) {
        self.1.append(woken);
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}
