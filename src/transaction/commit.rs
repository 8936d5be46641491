//! From what a closure asked for to one frame of the log: lock, compare, decide, append, apply.

use super::committed::Outputs;
use super::error::{Engine, Error, Result};
use super::verbs::{Operation, Parts, Transaction, refused};
use crate::kv::deliveries::tell::Telling;
use crate::kv::feed_locks::{FeedLocks, Wakes};
use crate::kv::write::{apply_all, note_stale};
use crate::objects::participant::Stop;
use crate::objects::staged::Pending;
use crate::queue::participant::{Held, Turn as QueueTurn};
use crate::queue::{self, Queue};
use crate::store::deliver::Arrivals;
use crate::store::{Batch, Store, pending};
use crate::stream::participant::{self as streams, Turn as StreamTurn};
use crate::stream::{self, Stream};
use crate::{Position, Timestamp, objects};
use std::task::Waker;

/// A transaction in the log: its place, unless it wrote nothing, and what tickets are for.
pub(super) type Logged = Pending<(Option<Position>, Outputs)>;

impl Transaction {
    fn has_writes(&self) -> bool {
        let Parts { items, batch, queues, streams, .. } = &self.parts;
        items.has_writes() || !batch.is_empty() || !queues.is_empty() || !streams.is_empty()
    }

    /// Does all of it, or nothing.
    pub(super) fn commit(self) -> Result<Logged> {
        if !self.has_writes() {
            // What was read is of one moment, and has its place there (T2).
            return Ok(Pending::read(&self.store, (None, Outputs::default())));
        }
        let Self { store, parts, operations } = self;
        let Parts { tables, overlay, mut batch, items, objects, mut queues, mut streams } = parts;
        for turn in &streams {
            turn.settle().map_err(|error| refused(&operations, turn.operation(), error))?;
        }
        let buckets = objects::participant::state(&store);
        // The locks in the order of T3.
        let mut to_wake = Wakes::default();
        let settings = objects.settings().map_err(|stop| match stop {
            Stop::Refused(operation, error) => refused(&operations, operation, error),
            Stop::Changed(resource) => Error::Conflict { engine: Engine::Bucket, resource, attempts: 1 },
        })?;
        let refused_item = |(operation, error)| refused(&operations, operation, error);
        let shapes = items.shapes(&store).map_err(refused_item)?;
        let key_locks = objects.lock(&buckets);
        let item_locks = items.lock(&tables.state);
        if let Some(space) = overlay.changed(&store)? {
            let (engine, resource) = match items.table_of(space) {
                Some(table) => (Engine::Table, table),
                None => (Engine::Bucket, objects.bucket_of(space).unwrap_or_default()),
            };
            return Err(Error::Conflict { engine, resource: resource.to_owned(), attempts: 1 });
        }
        let effects = items.stage(&store, &shapes, &mut batch).map_err(refused_item)?;
        let mut feeds = FeedLocks::of(&effects);
        feeds
            .stage(&store, &tables.state, &mut batch, &effects)
            .map_err(|error| refused(&operations, usize::MAX, error))?;
        let mut telling = Telling::of(&store, &effects);
        let counted = objects.count(&store, &buckets, &mut batch)?;
        let (mut arrivals, calls) = settings.tell();
        arrivals.push(telling.take());
        route(&store, arrivals, &mut queues, &mut streams)?;
        streams.sort_by(|one, other| one.place().cmp(&other.place()));
        queues.sort_by(|one, other| one.place().cmp(&other.place()));

        let mut outputs = Outputs::default();
        let (mut pending, mut wakers) = (None, Vec::new());
        let (mut puts, mut readers) = (Vec::new(), Vec::new());
        let now = store.now();
        // Locked until everything is applied (T4): who is given a message sees what came with it.
        let mut held = Vec::with_capacity(queues.len());
        let mut append = |batch: Batch| {
            let told = (&mut outputs, &mut wakers);
            let logged = with_queues(&store, (&queues, &mut held), batch, now, told, &operations, &|| {
                note_stale(&store, &tables.state, &effects)
                    .map_err(|error| refused(&operations, usize::MAX, error))
            })?;
            pending = Some(logged);
            Ok(())
        };
        let refused_record = |operation: usize, error: stream::Error| refused(&operations, operation, error);
        streams::within_all(&streams, batch, now, &mut puts, &mut readers, &mut append, &refused_record)?;
        apply_all(&store, feeds, &effects, &mut to_wake);
        if counted.is_left_to_sweep {
            buckets.extents.freed(&store);
        }
        items.charge(&tables, &effects);
        outputs.puts.extend(puts);
        let (pending, wrote) = pending.unwrap_or_else(|| (pending::Pending::ready(&store, ()), false));
        let at = wrote.then(|| pending.position());
        drop((held, counted, telling));
        drop(effects);
        drop((item_locks, key_locks));
        drop((shapes, settings));
        streams::wake(readers);
        wakers.into_iter().for_each(Waker::wake);
        Ok(Pending::new(pending, calls).map(|()| (at, outputs)))
    }
}

/// Decides what is done with the queues, with all of them locked; appends the batch, and applies to the queues what it says.
/// Was there anything to append?
fn with_queues<'a>(
    store: &Store,
    (turns, held): (&'a [QueueTurn], &mut Vec<Held<'a>>),
    mut batch: Batch,
    now: Timestamp,
    (outputs, wakers): (&mut Outputs, &mut Vec<Waker>),
    operations: &[Operation],
    before: &dyn Fn() -> Result<()>,
) -> Result<(pending::Pending<()>, bool)> {
    for turn in turns {
        match turn.lock(now) {
            Ok(queue) => held.push(queue),
            Err(queue::Error::QueueDoesNotExist) if turn.is_only_told() => {}
            Err(error) => return Err(refused(operations, turn.operation(), error)),
        }
    }
    for queue in &mut *held {
        let staged = queue.stage(&mut batch);
        if !staged.map_err(|(operation, error)| refused(operations, operation, error))? {
            let resource = queue.name().to_owned();
            return Err(Error::Conflict { engine: Engine::Queue, resource, attempts: 1 });
        }
    }
    let (len, max) = (batch.byte_len(), store.batch_bytes_max());
    if len > max {
        return Err(Error::TooLarge { len: len as u64, max: max as u64 });
    }
    before()?;
    let wrote = !batch.is_empty();
    let pending = store.commit(batch)?;
    for queue in &mut *held {
        outputs.sent.extend(queue.apply(wakers));
    }
    Ok((pending, wrote))
}

/// What is told of items and objects arrives with what is sent and put anyway, behind it.
fn route(
    store: &Store,
    arrivals: Vec<Arrivals>,
    queues: &mut Vec<QueueTurn>,
    streams: &mut Vec<StreamTurn>,
) -> Result<()> {
    for by_arn in arrivals {
        for (arn, arrivals) in by_arn {
            if let Some(queue) = Queue::told_by_arn(store, &arn)? {
                let known = queues.iter().position(|turn| turn.is_of(&queue));
                let place = known.unwrap_or(queues.len());
                if known.is_none() {
                    queues.push(QueueTurn::new(&queue));
                }
                for arrival in arrivals {
                    queues[place].arrive(arrival);
                }
            } else if let Some(stream) = Stream::told_by_arn(store, &arn)? {
                let known = streams.iter().position(|turn| turn.is_of(&stream));
                let place = known.unwrap_or(streams.len());
                if known.is_none() {
                    streams.push(StreamTurn::new(&stream));
                }
                for arrival in arrivals {
                    streams[place].arrive(arrival);
                }
            }
        }
    }
    Ok(())
}
