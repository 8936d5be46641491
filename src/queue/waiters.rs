//! Who waits for messages, in the order in which they came.

use crate::Timestamp;
use crate::queue::error::Result;
use crate::queue::message::Message;
use crate::queue::receive::Wanted;
use std::collections::BTreeMap;
use std::task::Waker;

/// A receive that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) wanted: Wanted,
    pub(super) waker: Waker,
    /// When it looks again by itself.
    pub(super) alarm: Timestamp,
}

/// Receives that wait, and what was given to them since.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: BTreeMap<u64, Waiter>,
    served: BTreeMap<u64, Result<Vec<Message>>>,
    tickets: u64,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Joins the end of the line.
    pub(super) fn join(&mut self, waiter: Waiter) -> u64 {
        self.tickets += 1;
        self.waiting.insert(self.tickets, waiter);
        self.tickets
    }

    /// Goes on waiting, to be woken elsewhere or at another time.
    pub(super) fn renew(&mut self, ticket: u64, waker: &Waker, alarm: Timestamp) {
        if let Some(waiter) = self.waiting.get_mut(&ticket) {
            waiter.waker.clone_from(waker);
            waiter.alarm = alarm;
        }
    }

    /// Whose turn it is.
    pub(super) fn first(&self) -> Option<(u64, &Waiter)> {
        self.waiting.first_key_value().map(|(ticket, waiter)| (*ticket, waiter))
    }

    /// Gives a waiter its answer, to be picked up.
    pub(super) fn serve(&mut self, ticket: u64, answer: Result<Vec<Message>>) -> Option<Waker> {
        let waiter = self.waiting.remove(&ticket)?;
        self.served.insert(ticket, answer);
        Some(waiter.waker)
    }

    /// The answer of a waiter, which leaves with it.
    pub(super) fn pick_up(&mut self, ticket: u64) -> Option<Result<Vec<Message>>> {
        self.served.remove(&ticket)
    }

    /// Waits no longer.
    pub(super) fn leave(&mut self, ticket: u64) {
        self.waiting.remove(&ticket);
    }

    /// Everybody looks again: the queue is gone.
    pub(super) fn take_wakers(&self) -> Vec<Waker> {
        self.waiting.values().map(|waiter| waiter.waker.clone()).collect()
    }
}
