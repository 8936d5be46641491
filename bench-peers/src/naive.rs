//! The queue that one builds on an ordered map: messages by number, leases by deadline, one batch per call.
//!
//! It knows less than a queue service does: one order, no groups, no delays, no counts of receives.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::engine::{Queue, Result};

#[derive(Clone, Copy)]
pub enum Table {
    Messages,
    /// Deadline and number of what was received.
    Leases,
}

pub enum Change<'a> {
    Put(Table, &'a [u8], &'a [u8]),
    Delete(Table, &'a [u8]),
}

/// An ordered map with two tables.
pub trait Tables: Send + Sync {
    /// All of `changes` or none. Waits for the device only if `durable`, and only in the class that says so.
    fn write(&self, changes: &[Change], durable: bool) -> Result<()>;

    /// The first `max` entries at `from` or behind it.
    fn scan(&self, table: Table, from: &[u8], max: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;
}

const LEASE_MS: u64 = 30_000;

pub struct NaiveQueue<T> {
    tables: T,
    /// Are leases waited for as sends and deletions are?
    durable_leases: bool,
    /// The number of the next message that is sent. It is held until that can be read: who comes behind it must not be
    /// seen before it. (The engines serialise their writers anyway.)
    tail: Mutex<u64>,
    head: Mutex<Head>,
}

struct Head {
    /// The number of the next message to receive.
    next: u64,
    /// When to look for leases that have ended.
    look_at: u64,
}

struct Received {
    number: [u8; 8],
    lease: [u8; 16],
    ended: Option<[u8; 16]>,
    body: Vec<u8>,
}

impl<T: Tables> NaiveQueue<T> {
    pub fn new(tables: T, durable_leases: bool) -> Self {
        let head = Head { next: 0, look_at: 0 };
        Self { tables, durable_leases, tail: Mutex::new(0), head: Mutex::new(head) }
    }

    fn receive(&self, max: usize) -> Result<Vec<Received>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
        let mut head = self.head.lock().expect("no step panicked");
        let mut found = Vec::with_capacity(max);
        if now >= head.look_at {
            self.ended(now, max, &mut found)?;
            head.look_at = if found.len() < max { now + LEASE_MS } else { now };
        }
        let (left, from) = (max - found.len(), head.next.to_be_bytes());
        self.tables.scan(Table::Messages, &from, left, &mut |key, body| {
            let number = number(key);
            head.next = u64::from_be_bytes(number) + 1;
            let lease = lease(now + LEASE_MS, number);
            found.push(Received { number, lease, ended: None, body: body.to_vec() });
        })?;
        drop(head);
        let mut changes = Vec::with_capacity(found.len());
        for message in &found {
            changes.push(Change::Put(Table::Leases, &message.lease, &[]));
            changes.extend(message.ended.iter().map(|ended| Change::Delete(Table::Leases, ended)));
        }
        if !changes.is_empty() {
            self.tables.write(&changes, self.durable_leases)?;
        }
        Ok(found)
    }

    fn ended(&self, now: u64, max: usize, found: &mut Vec<Received>) -> Result<()> {
        let mut ended = Vec::new();
        self.tables.scan(Table::Leases, &[], max, &mut |key, _| {
            if key[..8] < now.to_be_bytes()[..] {
                ended.push((number(&key[8..]), lease(u64::from_be_bytes(number(key)), number(&key[8..]))));
            }
        })?;
        for (number, ended) in ended {
            let lease = lease(now + LEASE_MS, number);
            self.tables.scan(Table::Messages, &number, 1, &mut |_, body| {
                found.push(Received { number, lease, ended: Some(ended), body: body.to_vec() });
            })?;
        }
        Ok(())
    }
}

fn number(key: &[u8]) -> [u8; 8] {
    key[..8].try_into().expect("the range has eight bytes")
}

fn lease(deadline: u64, number: [u8; 8]) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&deadline.to_be_bytes());
    key[8..].copy_from_slice(&number);
    key
}

impl<T: Tables> Queue for NaiveQueue<T> {
    fn send(&self, bodies: &[&str]) -> Result<()> {
        let mut tail = self.tail.lock().expect("no step panicked");
        let numbers: Vec<[u8; 8]> = (*tail..).map(u64::to_be_bytes).take(bodies.len()).collect();
        let changes: Vec<Change> = numbers
            .iter()
            .zip(bodies)
            .map(|(number, body)| Change::Put(Table::Messages, number, body.as_bytes()))
            .collect();
        self.tables.write(&changes, true)?;
        *tail += bodies.len() as u64;
        Ok(())
    }

    fn take(&self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let received = self.receive(max)?;
        let mut changes = Vec::with_capacity(2 * received.len());
        for message in &received {
            see(&message.body);
            changes.push(Change::Delete(Table::Messages, &message.number));
            changes.push(Change::Delete(Table::Leases, &message.lease));
        }
        if !changes.is_empty() {
            self.tables.write(&changes, true)?;
        }
        Ok(received.len())
    }
}
