//! The model of a queue: every message in a list, every rule by looking through it.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
struct Entry {
    number: u64,
    id: String,
    body: String,
    group: String,
    sent: u64,
    due: u64,
    /// In flight until then, if that is not over.
    until: u64,
    received: u64,
    count: u32,
    /// The handle of the last delivery.
    handle: String,
}

/// A queue and its dead letters, as they should be. Times are in milliseconds.
pub(crate) struct Rules {
    is_fifo: bool,
    limit: u32,
    messages: Vec<Entry>,
    /// Every id that was sent, and when it expires where it went as a dead letter.
    failed: BTreeMap<String, u64>,
    tokens: BTreeMap<String, (u64, String)>,
    numbers: u64,
    purged: Option<u64>,
    pub(crate) visibility: u64,
    delay: u64,
    retention: u64,
}

const WINDOW: u64 = 300_000;
/// How long the dead-letter queue keeps messages: longer than the other, so that none is too old when it comes.
const FAILED_RETENTION: u64 = 1_200_000;

impl Rules {
    pub(crate) fn new(is_fifo: bool, limit: u32) -> Self {
        Self {
            is_fifo,
            limit,
            messages: Vec::new(),
            failed: BTreeMap::new(),
            tokens: BTreeMap::new(),
            numbers: 0,
            purged: None,
            visibility: 30_000,
            delay: 0,
            retention: 600_000,
        }
    }

    /// What is too old is gone.
    pub(crate) fn advance(&mut self, now: u64) {
        self.messages.retain(|message| message.sent + self.retention > now);
        self.failed.retain(|_, end| *end > now);
        self.tokens.retain(|_, (sent, _)| *sent + WINDOW > now);
    }

    pub(crate) fn send(
        &mut self,
        id: String,
        body: String,
        group: String,
        token: Option<String>,
        delay: Option<u64>,
        now: u64,
    ) {
        if let Some(token) = token {
            if let Some((_, first)) = self.tokens.get(&token) {
                assert_eq!(*first, id, "a duplicate has the id of the first");
                return;
            }
            self.tokens.insert(token, (now, id.clone()));
        }
        assert!(self.messages.iter().all(|other| other.id != id), "a new id");
        self.numbers += 1;
        let due = now + if self.is_fifo { 0 } else { delay.unwrap_or(self.delay) };
        self.messages.push(Entry {
            number: self.numbers,
            id,
            body,
            group,
            sent: now,
            due,
            until: 0,
            received: 0,
            count: 0,
            handle: String::new(),
        });
    }

    fn is_delayed(&self, message: &Entry, now: u64) -> bool {
        let due = if self.is_fifo { message.sent + self.delay } else { message.due };
        message.until <= now && due > now
    }

    /// Before it in its group is one that is in flight, or delayed.
    fn is_blocked(&self, message: &Entry, now: u64) -> bool {
        self.is_fifo
            && self.messages.iter().any(|other| {
                other.group == message.group && other.number < message.number && other.until > now
            })
    }

    fn is_ready(&self, message: &Entry, now: u64) -> bool {
        message.until <= now && !self.is_delayed(message, now) && !self.is_blocked(message, now)
    }

    /// Checks what was received and what is a dead letter now, and gives numbers and handles.
    pub(crate) fn receive(
        &mut self,
        now: u64,
        max: usize,
        visibility: u64,
        got: &[(String, String, u32, String)],
        failed: &[String],
    ) -> Vec<(u64, String)> {
        let ready = self.messages.iter().filter(|message| self.is_ready(message, now)).cloned();
        let (dead, alive): (Vec<Entry>, Vec<Entry>) = ready.partition(|message| message.count >= self.limit);
        assert_eq!(got.len(), alive.len().min(max), "as many as asked for, or as there are");
        let last = self.check_order(got, &alive);
        let mut moved: BTreeSet<&String> =
            failed.iter().filter(|id| !self.failed.contains_key(*id)).collect();
        for message in dead {
            let end = FAILED_RETENTION + if self.is_fifo { now } else { message.sent };
            let is_passed = last.get(&message.group).is_some_and(|last| *last > message.number);
            let is_moved = moved.remove(&message.id);
            assert!(is_moved || !(is_passed || got.len() < max), "{message:?} was received too often");
            if is_moved {
                self.messages.retain(|other| other.id != message.id);
                self.failed.insert(message.id, end);
            }
        }
        assert!(moved.is_empty(), "only what was received too often is given up: {moved:?}");
        self.failed.retain(|_, end| *end > now);
        let mut handles = Vec::new();
        for (id, body, count, handle) in got {
            let message = self.messages.iter_mut().find(|message| message.id == *id).unwrap();
            assert_eq!(message.body, *body);
            message.count += 1;
            assert_eq!(message.count, *count);
            (message.until, message.received) = (now + visibility, now);
            message.handle.clone_from(handle);
            handles.push((message.number, handle.clone()));
        }
        handles
    }

    /// Messages of a group come in order, from its first on; those of a FIFO queue side by side. Gives the last of each.
    fn check_order(&self, got: &[(String, String, u32, String)], alive: &[Entry]) -> BTreeMap<String, u64> {
        let mut last = BTreeMap::new();
        let mut finished = BTreeSet::new();
        let mut present: Option<String> = None;
        for (id, ..) in got {
            let message = alive.iter().find(|message| message.id == *id);
            let message = message.unwrap_or_else(|| panic!("{id} could not be received"));
            let before = last.insert(message.group.clone(), message.number).unwrap_or(0);
            let skipped = alive.iter().find(|other| {
                other.group == message.group && other.number > before && other.number < message.number
            });
            assert!(skipped.is_none() && before < message.number, "{skipped:?} is before {message:?}");
            if self.is_fifo && present.as_ref() != Some(&message.group) {
                finished.extend(present.replace(message.group.clone()));
                assert!(!finished.contains(&message.group), "a group comes in one piece");
            }
        }
        last
    }

    pub(crate) fn may_delete(&self, number: u64, handle: &str, now: u64) -> bool {
        let message = self.messages.iter().find(|message| message.number == number);
        message.is_none_or(|message| !self.is_fifo || (message.handle == handle && message.until > now))
    }

    pub(crate) fn delete(&mut self, number: u64) {
        self.messages.retain(|message| message.number != number);
    }

    pub(crate) fn change_visibility(
        &mut self,
        number: u64,
        handle: &str,
        until: u64,
        now: u64,
    ) -> Result<(), &'static str> {
        let message = self.messages.iter_mut().find(|message| message.number == number);
        let message = message.ok_or("InvalidParameterValue")?;
        if self.is_fifo && (message.handle != handle || message.until <= now) {
            return Err("InvalidParameterValue");
        }
        if message.until <= now {
            // Of those that are visible, only one that somebody made visible is minded.
            return if message.until <= message.received { Err("MessageNotInflight") } else { Ok(()) };
        }
        if until > message.received + 43_200_000 {
            return Err("InvalidParameterValue");
        }
        message.until = if until == now { message.received } else { until };
        Ok(())
    }

    pub(crate) fn set(&mut self, visibility: u64, delay: u64, retention: u64, now: u64) {
        self.advance(now);
        (self.visibility, self.delay, self.retention) = (visibility, delay, retention);
    }

    pub(crate) fn purge(&mut self, now: u64) -> bool {
        if self.purged.is_some_and(|at| at + 60_000 > now) {
            return false;
        }
        self.purged = Some(now);
        self.messages.clear();
        self.tokens.clear();
        true
    }

    pub(crate) fn states(&self, now: u64) -> BTreeMap<String, String> {
        let state = |message: &Entry| {
            if message.until > now {
                format!("in flight {}", message.until)
            } else if self.is_delayed(message, now) {
                let due = if self.is_fifo { message.sent + self.delay } else { message.due };
                format!("delayed {due}")
            } else if self.is_blocked(message, now) {
                "blocked".to_owned()
            } else {
                "visible".to_owned()
            }
        };
        self.messages.iter().map(|message| (message.id.clone(), state(message))).collect()
    }

    /// Visible, in flight, delayed.
    pub(crate) fn counts(&self, now: u64) -> (u64, u64, u64) {
        let count = |is: &dyn Fn(&Entry) -> bool| self.messages.iter().filter(|m| is(m)).count() as u64;
        let in_flight = count(&|message| message.until > now);
        let delayed = count(&|message| self.is_delayed(message, now));
        (self.messages.len() as u64 - in_flight - delayed, in_flight, delayed)
    }

    pub(crate) fn oldest(&self) -> Option<u64> {
        self.messages.iter().map(|message| message.sent).min()
    }

    pub(crate) fn compare_failed(&self, mut found: Vec<String>, count: u64) {
        found.sort();
        let expected: Vec<String> = self.failed.keys().cloned().collect();
        assert_eq!(found, expected, "dead letters");
        assert_eq!(count, expected.len() as u64);
    }
}
