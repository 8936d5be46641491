//! Emptying a queue at once.

use crate::queue::attempts::Attempts;
use crate::queue::core::{SPACES, Spaces, State};
use crate::queue::engine::QueueEngine;
use crate::queue::error::Error;
use crate::queue::handle::Staged;
use crate::queue::index::Index;
use crate::queue::keys;
use crate::queue::limits::COOL_DOWN;
use crate::queue::receive::Setting;
use crate::queue::record::{Counts, QueueRecord};
use crate::store::catalog::ResourceKind;

impl State {
    /// New keyspaces for the old ones; only the numbers go on.
    pub(super) fn purge(&mut self, setting: Setting<'_>) -> Staged<()> {
        let Setting { core, store, now, .. } = setting;
        let name = &core.identity.name;
        if self.live.purged.is_some_and(|at| at + COOL_DOWN > now) {
            return Err(Error::PurgeQueueInProgress { queue: name.to_string() });
        }
        let mut batch = store.batch();
        for id in self.spaces.ids() {
            batch.drop_space(id)?;
        }
        let ids: [u32; SPACES] = Spaces::create(&mut batch)?;
        let mut live = self.live.clone();
        live.purged = Some(now);
        let record = QueueRecord::Live(Box::new(live.clone())).encode();
        batch.put_resource(ResourceKind::Queue, name, &ids, &record)?;
        let last = self.index.counts.last;
        let counts = Counts { last, ..Default::default() };
        let facts = ids[SPACES - 1];
        batch.put_in(facts, keys::COUNTS, &counts.encode())?;
        for (number, task) in &self.tasks {
            batch.put_in(facts, &keys::task(*number), &task.encode())?;
        }
        let pending = store.commit(batch)?;
        QueueEngine::of(store).note_orphans(store);
        self.spaces = Spaces::find(store, name, &ids)?;
        self.live = live;
        self.index = Index::new(core.identity.is_fifo);
        self.index.counts = counts;
        self.attempts = Attempts::default();
        Ok(pending)
    }
}
