//! What a transaction over several engines does with a queue.
//!
//! Messages are numbered, and receipts judged, when the transaction is committed: with the queue locked, by the code of the
//! single verbs, all into the transaction's batch.

use crate::queue::Queue;
use crate::queue::core::State;
use crate::queue::delete::{self, Deletions};
use crate::queue::deliver::ToQueues;
use crate::queue::dials::Dials;
use crate::queue::engine::QueueEngine;
use crate::queue::error::{Error, Result};
use crate::queue::large::LargeBody;
use crate::queue::message::{SendMessage, Sent};
use crate::queue::receive::Setting;
use crate::queue::send::{self, Sends};
use crate::queue::throttle::Action;
use crate::store::Store;
use crate::store::deliver::Arrival;
use crate::{Batch, Timestamp};
use parking_lot::MutexGuard;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

impl Queue {
    /// The store that it is in.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The queue of an ARN that events are told to, if it is there.
    pub(crate) fn told_by_arn(store: &Store, arn: &str) -> crate::Result<Option<Self>> {
        let engine = QueueEngine::of(store);
        Ok(ToQueues::queue(store, arn)?.map(|core| Self { store: store.clone(), engine, core }))
    }
}

/// One thing to be done with a queue.
#[derive(Debug)]
enum Act {
    Send(SendMessage),
    Delete(String),
    /// Deletes a message that must be there still.
    Acknowledge(String),
    /// What an event of another engine says; not if the queue refuses it.
    Arrive(Arrival),
}

/// What one transaction does with one queue, in order, each with the number of its operation.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: Queue,
    acts: Vec<(usize, Act)>,
    /// Bodies that go in the same batch, with the messages that they are of.
    going: Vec<LargeBody>,
}

impl Turn {
    pub(crate) fn new(queue: &Queue) -> Self {
        Self { queue: queue.clone(), acts: Vec::new(), going: Vec::new() }
    }

    /// Is it the same queue, and not only one of its name?
    pub(crate) fn is_of(&self, queue: &Queue) -> bool {
        Arc::ptr_eq(&self.queue.core, &queue.core)
    }

    /// The queue's place in the order in which several are locked.
    pub(crate) fn place(&self) -> (&str, u32) {
        self.queue.core.identity.place()
    }

    /// A message is to be sent. What is wrong with it whatever the queue's state is said now.
    pub(crate) fn send(&mut self, operation: usize, message: SendMessage) -> Result<()> {
        let is_fifo = self.queue.is_fifo();
        send::check(&message, is_fifo)?;
        send::check_group(&message, is_fifo)?;
        self.acts.push((operation, Act::Send(message)));
        Ok(())
    }

    /// A message is to be deleted.
    pub(crate) fn delete(&mut self, operation: usize, handle: &str) -> Result<()> {
        delete::parse(&self.queue.core, handle)?;
        self.acts.push((operation, Act::Delete(handle.to_owned())));
        Ok(())
    }

    /// A message is to be deleted that must be there still.
    pub(crate) fn acknowledge(&mut self, operation: usize, handle: &str) -> Result<()> {
        delete::parse(&self.queue.core, handle)?;
        self.acts.push((operation, Act::Acknowledge(handle.to_owned())));
        Ok(())
    }

    /// A body is removed: that of a message that is to be deleted.
    pub(crate) fn remove(&mut self, body: LargeBody) {
        self.going.push(body);
    }

    /// An event arrives.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        self.acts.push((usize::MAX, Act::Arrive(arrival)));
    }

    /// Is it all about what happened elsewhere? Then a queue that is gone is told nothing.
    pub(crate) fn is_only_told(&self) -> bool {
        self.acts.iter().all(|(_, act)| matches!(act, Act::Arrive(_)))
    }

    /// The number of the first operation.
    pub(crate) fn operation(&self) -> usize {
        self.acts.iter().map(|(operation, _)| *operation).min().unwrap_or(usize::MAX)
    }

    /// Locks the queue.
    pub(crate) fn lock(&self, now: Timestamp) -> Result<Held<'_>> {
        Ok(Held {
            turn: self,
            dials: self.queue.engine.dials(),
            now,
            state: self.queue.core.lock(&self.queue.store, now)?,
            sends: Sends::default(),
            sent: Vec::new(),
            deletions: Deletions::default(),
        })
    }
}

/// A queue that is locked, and what was decided about it.
pub(crate) struct Held<'a> {
    turn: &'a Turn,
    dials: Dials,
    now: Timestamp,
    state: MutexGuard<'a, State>,
    sends: Sends,
    /// The operations that sent a message, in order.
    sent: Vec<usize>,
    deletions: Deletions,
}

impl<'a> Held<'a> {
    /// The queue's name.
    pub(crate) fn name(&self) -> &str {
        self.turn.queue.name()
    }

    /// Decides everything, and adds it to the batch; false if a message is not there any more whose body is to go.
    pub(crate) fn stage(&mut self, batch: &mut Batch) -> Result<bool, (usize, Error)> {
        for (operation, act) in &self.turn.acts {
            self.decide(*operation, act).map_err(|error| (*operation, error))?;
        }
        let failed = |fault: crate::Error| (usize::MAX, Error::from(fault));
        if !self.turn.going.is_empty() {
            let queue = &self.turn.queue;
            let found = self.state.large_entries(&queue.core, &queue.store, &self.deletions);
            let found = found.map_err(failed)?;
            for body in &self.turn.going {
                let of_body = found.iter().find(|message| message.large_key() == body.kept.key);
                let Some(message) = of_body else { return Ok(false) };
                self.state.forget_large(batch, message).map_err(failed)?;
            }
        }
        if !self.deletions.is_empty() {
            self.state.put_deletions(batch, &self.deletions).map_err(failed)?;
        }
        // A body of a duplicate is in the batch already: its entry tells the sweep of it.
        if !self.sends.is_empty() || self.sends.has_orphan() {
            self.state.put_sends(batch, &self.sends, self.now).map_err(failed)?;
        }
        Ok(true)
    }

    fn decide(&mut self, operation: usize, act: &Act) -> Result<()> {
        let turn: &'a Turn = self.turn;
        let (core, store): (_, &'a Store) = (&turn.queue.core, &turn.queue.store);
        let dials = self.dials.clone();
        let setting = Setting { core, store, dials: &dials, now: self.now };
        match act {
            Act::Send(message) => {
                self.state.check_len(message)?;
                self.state.check_deduplication(message)?;
                self.state.throttle_send(setting, message.group.as_deref())?;
                self.state.decide_send(setting, &mut self.sends, message.clone());
                self.sent.push(operation);
            }
            Act::Arrive(arrival) => {
                if let Some(message) = self.state.arriving(core, arrival)? {
                    self.state.decide_send(setting, &mut self.sends, message);
                    self.sent.push(operation);
                }
            }
            Act::Delete(handle) | Act::Acknowledge(handle) => {
                self.state.throttle(core, &dials, Action::Delete, self.now)?;
                let wanted = (handle.as_str(), self.now);
                if matches!(act, Act::Delete(_)) {
                    self.state.decide_delete(core, store, &mut self.deletions, wanted)?;
                } else {
                    self.state.decide_acknowledge(core, store, &mut self.deletions, wanted)?;
                }
            }
        }
        Ok(())
    }

    /// The batch is logged: what was sent, by the number of its operation.
    pub(crate) fn apply(&mut self, wakers: &mut Vec<Waker>) -> Vec<(usize, Sent)> {
        let core = &self.turn.queue.core;
        let setting = Setting { core, store: &self.turn.queue.store, dials: &self.dials, now: self.now };
        if self.sends.has_orphan() {
            self.turn.queue.engine.note_orphans(setting.store);
        }
        // Deletions first: nobody is to be given what is gone.
        self.state.apply_deletions(mem::take(&mut self.deletions));
        let sent = self.state.apply_sends(setting, mem::take(&mut self.sends), wakers);
        mem::take(&mut self.sent).into_iter().zip(sent).collect()
    }
}
