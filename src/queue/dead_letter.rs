//! Giving messages up: from the queue where nobody could handle them to its dead-letter queue, in one batch.
//!
//! What is kept: id, body, attributes, receive count, and in a standard queue the time it was sent, from which the
//! dead-letter queue's retention counts as well.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::queue::core::{Core, State};
use crate::queue::index::Lease;
use crate::queue::stored::{Origin, Shared, Stored};
use crate::queue::take::Taken;
use crate::queue::{identify, keys, record};
use crate::{Batch, Store};
use bytes::Bytes;
use std::sync::Arc;

/// A dead-letter queue at hand, or the knowledge that there is none.
#[derive(Debug)]
pub(super) struct Grave<'a>(pub(super) Option<&'a mut State>);

impl Grave<'_> {
    /// Is there a queue to take messages?
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Applies what was logged.
    pub(super) fn take_in(&mut self, moved: Vec<Shared>) {
        for message in moved {
            if let Some(state) = &mut self.0 {
                state.index.insert(&message, None);
            }
        }
    }
}

impl State {
    /// Adds to a batch what moves messages from here to the grave, and says what will be there.
    pub(super) fn bury(
        &self,
        core: &Core,
        store: &Store,
        now: Timestamp,
        dead: &[Taken],
        grave: &mut Grave<'_>,
        batch: &mut Batch,
    ) -> Result<Vec<Shared>> {
        let Some(grave) = &grave.0 else { return Ok(Vec::new()) };
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        let mut moved: Vec<Shared> = Vec::with_capacity(dead.len());
        for next in dead {
            let lease = self.index.leases.get(&next.message.seq);
            let origin = origin(core, &next.message, lease);
            let seq = grave.number_for(core.identity.is_fifo, &origin, &next.message, &moved, store, now)?;
            let message = Stored {
                seq,
                ordinal: grave.index.counts.taken + moved.len() as u64 + 1,
                group: next.message.group.clone(),
                deduplication_id: next.message.deduplication_id.clone(),
                trace: next.message.trace.clone(),
                attributes: next.message.attributes.clone(),
                body: next.message.body.clone(),
                large: next.message.large.clone(),
                origin: Some(Box::new(origin)),
            };
            grave.put_message(batch, &message)?;
            self.forget_large(batch, &next.message)?;
            self.delete_message(batch, next.message.seq, next.message.group.as_deref())?;
            moved.push(message.into());
        }
        self.put_counts(batch, dead.len() as u64)?;
        let mut counts = grave.index.counts;
        counts.taken += moved.len() as u64;
        counts.last = moved.iter().map(|message| message.seq).fold(counts.last, u64::max);
        batch.put_in(grave.spaces.facts.id(), keys::COUNTS, &counts.encode())?;
        Ok(moved)
    }

    /// The number of a message that moves here. In a standard queue it is of the time the message was sent, so that
    /// retention goes by it.
    fn number_for(
        &self,
        is_fifo: bool,
        origin: &Origin,
        message: &Stored,
        before: &[Shared],
        store: &Store,
        now: Timestamp,
    ) -> Result<u64> {
        if is_fifo {
            let next = self.index.next_number(now);
            return Ok(before.last().map_or(next, |last| next.max(last.seq + 1)));
        }
        let is_original = keys::time_of(message.seq) == origin.sent;
        let wanted = if is_original { message.seq } else { keys::first_number(origin.sent) };
        // Below a floor nothing is seen.
        let mut seq = wanted.max(self.index.counts.floor + 1);
        while before.iter().any(|other| other.seq == seq) || self.has_number(seq, store)? {
            seq += 1;
        }
        Ok(seq)
    }

    /// Does a message of any group have this number?
    fn has_number(&self, seq: u64, store: &Store) -> Result<bool> {
        if self.index.leases.contains_key(&seq) {
            return Ok(true);
        }
        for lane in self.index.occupied().filter(|lane| (lane.oldest..=lane.tail).contains(&seq)) {
            if self.spaces.messages.get(store, keys::message(lane.name(), seq).as_ref())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds a message to a batch.
    pub(super) fn put_message(&self, batch: &mut Batch, message: &Stored) -> Result<()> {
        let group = message.group.as_deref().unwrap_or_default();
        let key = keys::message(group, message.seq);
        self.note_large(batch, message)?;
        let record = [&record::encode_head(message), message.body.as_bytes()];
        batch.put_parts_in(self.spaces.messages.id(), key.as_ref(), &record)
    }

    /// Adds to a batch that a message is gone, and its lease with it.
    pub(super) fn delete_message(&self, batch: &mut Batch, seq: u64, group: Option<&str>) -> Result<()> {
        let key = keys::message(group.unwrap_or_default(), seq);
        batch.delete_in(self.spaces.messages.id(), key.as_ref())?;
        if self.index.leases.contains_key(&seq) {
            batch.delete_in(self.spaces.leases.id(), &keys::number(seq))?;
        }
        Ok(())
    }

    /// A message by its number, from the keyspace.
    pub(super) fn read(
        &self,
        core: &Core,
        store: &Store,
        seq: u64,
        group: Option<&Arc<str>>,
    ) -> Result<Option<Shared>> {
        let key = keys::message(group.map(AsRef::as_ref).unwrap_or_default(), seq);
        let Some(value) = self.spaces.messages.get(store, key.as_ref())? else { return Ok(None) };
        let value: Bytes = value;
        let message = record::decode_message(group.cloned(), seq, &value);
        crate::queue::core::checked(message, &core.identity).map(|message| Some(message.into()))
    }
}

/// What a dead letter remembers; of one that was a dead letter before, from its first queue on.
fn origin(core: &Core, message: &Stored, lease: Option<&Lease>) -> Origin {
    let count = lease.map_or(0, |lease| lease.count);
    let queue = core.identity.name.to_string();
    match message.origin.as_deref() {
        Some(before) => {
            Origin { queue, receive_count: before.receive_count.saturating_add(count), ..before.clone() }
        }
        None => Origin {
            id: identify::message_id(core.identity.salt, message.seq),
            sent: keys::time_of(message.seq),
            receive_count: count,
            first_received: lease.map_or_else(Timestamp::default, |lease| lease.first_received),
            queue,
        },
    }
}
