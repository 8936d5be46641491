//! Work that time brings about: changes that are due, records and shards that have expired.
//!
//! Readers judge by the clock what has expired, so nothing depends on the sweeper but space.

use crate::clock::Timestamp;
use crate::store::Store;
use crate::store::engine::Engine;
use crate::stream::change::put_record;
use crate::stream::error::{Error, Result};
use crate::stream::state::{Inner, Registry, StreamState, hours, is_expired};
use crate::stream::{keys, reader};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Records of a shard are swept when the oldest has been expired for this part of the retention: each sweep is a write.
const SLACK: u32 = 1000;

impl Engine for Registry {
    fn maintain(&self, store: &Store) -> crate::Result<bool> {
        self.sweep(store).map_err(|error| match error {
            Error::Storage(error) => error,
            other => crate::Error::invalid("stream", other),
        })?;
        Ok(false)
    }

    fn find_deadline(&self, store: &Store) -> crate::Result<()> {
        self.look_all(store).map_err(|error| match error {
            Error::Storage(error) => error,
            other => crate::Error::invalid("stream", other),
        })
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        // Relaxed: see `sweep_at`.
        match self.next_sweep.load(Ordering::Relaxed) {
            u64::MAX => None,
            at => Some(Timestamp::from_millis(at)),
        }
    }
}

impl Registry {
    fn sweep(&self, store: &Store) -> Result<()> {
        // Before looking: who asks meanwhile for an earlier moment is heard.
        self.next_sweep.store(u64::MAX, Ordering::Relaxed);
        let swept = self.sweep_all(store);
        if swept.is_err() {
            // What it did not get to is due still.
            self.next_sweep.store(0, Ordering::Relaxed);
        }
        swept
    }

    fn sweep_all(&self, store: &Store) -> Result<()> {
        self.settle_all(store)?;
        let now = store.now();
        for stream in self.all(store)? {
            let next = sweep_stream(store, &stream, now)?;
            self.next_sweep.fetch_min(next.as_millis(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// When there is something to sweep, if that was not found out since the store was opened.
    fn look_all(&self, store: &Store) -> Result<()> {
        if self.next_sweep.load(Ordering::Relaxed) != 0 {
            return Ok(());
        }
        let (streams, now) = (self.all(store)?, store.now());
        let dues = streams.iter().map(|stream| look(store, &stream.inner.read(), now));
        let dues: Vec<Due> = dues.collect::<Result<_>>()?;
        let is_due = |due: &Due| !due.shards.is_empty() || !due.floors.is_empty();
        let next = |due: Due| if is_due(&due) { Some(now) } else { due.next };
        let next = dues.into_iter().filter_map(next).min().unwrap_or(Timestamp::MAX);
        // Somebody may have asked meanwhile for an earlier moment: then it stays at once.
        let _ = self.next_sweep.compare_exchange(0, next.as_millis(), Ordering::Relaxed, Ordering::Relaxed);
        Ok(())
    }

    fn all(&self, store: &Store) -> Result<Vec<Arc<StreamState>>> {
        Ok(self.directory(store)?.values().cloned().collect())
    }
}

/// What there is to sweep in a stream.
#[derive(Debug, Default)]
struct Due {
    /// Shards that have expired.
    shards: Vec<u32>,
    /// Shards and the places below which their records have expired.
    floors: Vec<(u32, u64)>,
    next: Option<Timestamp>,
}

impl Due {
    fn at(&mut self, moment: Timestamp) {
        self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
    }
}

/// Sweeps a stream and says when to do it again.
fn sweep_stream(store: &Store, stream: &StreamState, now: Timestamp) -> Result<Timestamp> {
    let due = look(store, &stream.inner.read(), now)?;
    if !due.shards.is_empty() || !due.floors.is_empty() {
        let mut inner = stream.alone();
        if !inner.is_gone {
            carry_out(store, stream, &mut inner, &due)?;
        }
    }
    Ok(due.next.unwrap_or(Timestamp::MAX))
}

fn look(store: &Store, inner: &Inner, now: Timestamp) -> Result<Due> {
    let mut due = Due::default();
    if inner.is_gone {
        return Ok(due);
    }
    if let Some(change) = inner.record.change {
        due.at(change.due);
    }
    let (horizon, retention) = (inner.horizon(now), hours(inner.record.retention_hours));
    let slack = retention / SLACK;
    // What is put from now on expires then.
    due.at(now + retention + slack);
    for shard in inner.shards.values() {
        if is_expired(shard, horizon) {
            due.shards.push(shard.index);
            continue;
        }
        if let Some(closed) = shard.closed() {
            due.at(closed + retention + Duration::from_millis(1));
        }
        let (known, floor) = {
            let tail = shard.tail(store)?;
            (tail.oldest, tail.floor)
        };
        let oldest = match known {
            Some(oldest) => Some(oldest),
            None => reader::arrival_from(store, shard, floor)?,
        };
        let Some(oldest) = oldest else { continue };
        if oldest < horizon && horizon - oldest >= slack {
            due.floors.push((shard.index, reader::seek(store, shard, horizon)?));
            due.at(now + slack);
        } else {
            shard.tail(store)?.oldest = Some(oldest);
            due.at(oldest + retention + slack);
        }
    }
    Ok(due)
}

fn carry_out(store: &Store, stream: &StreamState, inner: &mut Inner, due: &Due) -> Result<()> {
    let mut batch = store.batch();
    for (index, floor) in &due.floors {
        let Some(shard) = inner.shards.get(index) else { continue };
        let record = shard.record(shard.closed(), *floor);
        batch.floor_in(shard.space.id(), &keys::place(*floor))?;
        batch.put_in(inner.meta, &keys::shard(*index), &record.encode())?;
    }
    for index in &due.shards {
        let Some(shard) = inner.shards.get(index) else { continue };
        batch.drop_space(shard.space.id())?;
        batch.delete_in(inner.meta, &keys::shard(*index))?;
    }
    if !due.shards.is_empty() {
        let kept = inner.shards.values().filter(|shard| !due.shards.contains(&shard.index));
        let spaces: Vec<u32> =
            std::iter::once(inner.meta).chain(kept.map(|shard| shard.space.id())).collect();
        put_record(&mut batch, &stream.name, &spaces, &inner.record)?;
    }
    store.commit(batch)?.forget();
    for (index, floor) in &due.floors {
        let Some(shard) = inner.shards.get(index) else { continue };
        let mut tail = shard.tail(store)?;
        tail.floor = *floor;
        tail.oldest = None;
    }
    for index in &due.shards {
        inner.shards.remove(index);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_that_failed_is_due_still() {
        let store = Store::builder().background_threads(0).open_in_memory();
        let streams = store.streams();
        let stream = streams.create("stream", crate::stream::CreateStream::default().shard_count(1)).unwrap();
        let space = stream.state.inner.read().shards[&0].space.id();
        let mut batch = store.batch();
        batch.put_in(space, b"no record", b"").unwrap();
        store.commit(batch).unwrap().wait().unwrap();
        streams.registry.maintain(&store).unwrap_err();
        assert!(streams.registry.next_deadline().is_some_and(|due| due <= store.now()));
    }
}
