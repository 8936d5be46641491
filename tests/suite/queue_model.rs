//! Queues against a model that is small enough to be obviously right: a list of messages, looked through from the front.
//!
//! Whole lives of a standard and a FIFO queue with their dead-letter queues: random requests, a clock moved by hand,
//! folding, and forks of the store, which know nothing but what was written.

use crate::queue_rules::Rules;
use fourfold::queue::{BatchEntry, MessageState, NewQueue, Queue, QueueAttributes, Receive, SendMessage};
use fourfold::{ManualClock, Store};
use std::collections::BTreeMap;
use std::time::Duration;

/// Numbers that come in the same order for the same seed, or from bytes until they are used up.
struct Dice {
    state: u64,
    bytes: Option<Vec<u8>>,
}

impl Dice {
    fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, bytes: None }
    }

    fn is_used_up(&self) -> bool {
        self.bytes.as_ref().is_some_and(Vec::is_empty)
    }

    fn below(&mut self, n: u64) -> u64 {
        if let Some(bytes) = &mut self.bytes {
            return u64::from(bytes.pop().unwrap_or(0)) % n;
        }
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % n
    }

    fn index(&mut self, n: u64) -> usize {
        usize::try_from(self.below(n)).unwrap()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A store with a queue, its dead-letter queue, and the models of both.
struct Life {
    store: Store,
    clock: ManualClock,
    queue: Queue,
    failed: Queue,
    rules: Rules,
    is_fifo: bool,
    dice: Dice,
    /// Receipt handles by the message's number in the model, newest last.
    handles: Vec<(u64, String)>,
    sends: u64,
}

const MAX_RECEIVES: u32 = 3;

impl Life {
    fn new(seed: u64, is_fifo: bool) -> Self {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).seed(seed).segment_size(64 << 10).open_in_memory();
        let queues = store.queues();
        let new = |name: &str, attributes: QueueAttributes| {
            let queue =
                if is_fifo { NewQueue::new(format!("{name}.fifo")).fifo() } else { NewQueue::new(name) };
            queues.create(queue.attributes(attributes)).unwrap()
        };
        let failed = new("failed", QueueAttributes::new().retention(1200));
        let redrive = QueueAttributes::new().retention(600).dead_letters_to(failed.arn(), MAX_RECEIVES);
        let queue = new("queue", redrive);
        let rules = Rules::new(is_fifo, MAX_RECEIVES);
        Self {
            store,
            clock,
            queue,
            failed,
            rules,
            is_fifo,
            dice: Dice::new(seed),
            handles: Vec::new(),
            sends: 0,
        }
    }

    fn now(&self) -> u64 {
        self.store.now().as_millis()
    }

    fn step(&mut self) {
        let now = self.now();
        self.rules.advance(now);
        match self.dice.below(100) {
            0..=24 => self.send(),
            25..=29 => self.send_batch(),
            30..=54 => self.receive(),
            55..=69 => self.delete(),
            70..=77 => self.change_visibility(),
            78..=93 => {
                let millis = [1, 100, 1000, 5000, 31_000][self.dice.index(5)];
                self.clock.advance(Duration::from_millis(millis));
            }
            94 => self.set_attributes(),
            95 => self.store.fold().unwrap(),
            96 => self.fork(),
            97 => self.store.maintain().unwrap(),
            98 if self.dice.one_in(10) => self.purge(),
            _ => self.look(),
        }
        self.compare();
    }

    fn message(&mut self) -> (SendMessage, Option<u64>, String, Option<String>) {
        self.sends += 1;
        let body = format!("message {}", self.sends);
        let group = if self.is_fifo || self.dice.one_in(3) {
            Some(format!("group-{}", self.dice.below(4)))
        } else {
            None
        };
        let mut message = SendMessage::new(body.clone());
        let mut delay = None;
        let mut id = None;
        if let Some(group) = &group {
            message = message.group(group.clone());
        }
        if self.is_fifo {
            // Some ids come again.
            let again = self.dice.below(self.sends.min(40)) + 1;
            let number = if self.dice.one_in(4) { self.sends.saturating_sub(again) } else { self.sends };
            id = Some(format!("id-{number}"));
            message = message.deduplication_id(format!("id-{number}"));
        } else if self.dice.one_in(4) {
            let seconds = self.dice.below(40);
            delay = Some(seconds * 1000);
            message = message.delay(i32::try_from(seconds).unwrap());
        }
        (message, delay, group.unwrap_or_default(), id)
    }

    fn send(&mut self) {
        let (message, delay, group, id) = self.message();
        let now = self.now();
        let body = format!("message {}", self.sends);
        let sent = self.queue.send(message).unwrap();
        self.rules.send(sent.id(), body, group, id, delay, now);
    }

    fn send_batch(&mut self) {
        let now = self.now();
        let (mut entries, mut expected) = (Vec::new(), Vec::new());
        for index in 0..=self.dice.below(10) {
            let (message, delay, group, id) = self.message();
            expected.push((format!("message {}", self.sends), group, id, delay));
            entries.push(BatchEntry::new(index.to_string(), message));
        }
        let result = self.queue.send_batch(entries).unwrap();
        assert!(result.failed.is_empty());
        for ((_, sent), (body, group, id, delay)) in result.successful.into_iter().zip(expected) {
            self.rules.send(sent.id(), body, group, id, delay, now);
        }
    }

    fn receive(&mut self) {
        let now = self.now();
        let max = self.dice.below(10) + 1;
        let seconds = [0, 1, 10, 30, 60][self.dice.index(5)];
        let mut request = Receive::new().max_messages(i32::try_from(max).unwrap());
        if self.dice.one_in(2) {
            request = request.visibility_timeout(i32::try_from(seconds).unwrap());
        }
        let is_given = request != Receive::new().max_messages(i32::try_from(max).unwrap());
        let visibility = if is_given { seconds * 1000 } else { self.rules.visibility };
        let got = self.queue.receive(request).unwrap();
        let got: Vec<_> = got
            .into_iter()
            .map(|message| {
                (
                    message.id(),
                    message.body().to_owned(),
                    message.receive_count(),
                    message.receipt_handle().to_owned(),
                )
            })
            .collect();
        let failed = self.failed_ids();
        let handles = self.rules.receive(now, usize::try_from(max).unwrap(), visibility, &got, &failed);
        self.handles.extend(handles);
    }

    /// A handle: mostly one of the last, sometimes any that ever was.
    fn handle(&mut self) -> Option<(u64, String)> {
        let len = self.handles.len() as u64;
        if len == 0 {
            return None;
        }
        let back = if self.dice.one_in(4) { self.dice.below(len) } else { self.dice.below(len.min(12)) };
        Some(self.handles[usize::try_from(len - 1 - back).unwrap()].clone())
    }

    fn delete(&mut self) {
        let now = self.now();
        let count = if self.dice.one_in(3) { self.dice.below(10) + 1 } else { 1 };
        let chosen: Vec<_> = (0..count).filter_map(|_| self.handle()).collect();
        if chosen.is_empty() {
            return;
        }
        let entries = chosen.iter().enumerate();
        let entries = entries.map(|(index, (_, handle))| BatchEntry::new(index.to_string(), handle.clone()));
        let result = self.queue.delete_batch(entries.collect()).unwrap();
        let failed: Vec<&str> = result.failed.iter().map(|failure| failure.id.as_str()).collect();
        let allowed: Vec<bool> =
            chosen.iter().map(|(number, handle)| self.rules.may_delete(*number, handle, now)).collect();
        for (index, may) in allowed.iter().enumerate() {
            assert_eq!(*may, !failed.contains(&index.to_string().as_str()), "deletion {index} of {chosen:?}");
        }
        for ((number, _), _) in chosen.iter().zip(&allowed).filter(|(_, may)| **may) {
            self.rules.delete(*number);
        }
    }

    fn change_visibility(&mut self) {
        let now = self.now();
        let Some((number, handle)) = self.handle() else { return };
        let seconds = [0, 0, 5, 40, 43_200][self.dice.index(5)];
        let result = self.queue.change_visibility(&handle, seconds);
        let until = now + u64::from(seconds.unsigned_abs()) * 1000;
        let expected = self.rules.change_visibility(number, &handle, until, now);
        assert_eq!(result.as_ref().map_err(fourfold::queue::Error::code).err(), expected.err(), "{result:?}");
    }

    fn set_attributes(&mut self) {
        let now = self.now();
        let (visibility, delay, retention) =
            (self.dice.below(60), self.dice.below(4) * 10, 120 + self.dice.below(1000));
        let attributes = QueueAttributes::new()
            .visibility_timeout(u32::try_from(visibility).unwrap())
            .delay(u32::try_from(delay).unwrap())
            .retention(u32::try_from(retention).unwrap());
        self.queue.set_attributes(&attributes).unwrap();
        self.rules.set(visibility * 1000, delay * 1000, retention * 1000, now);
    }

    /// Goes on with a copy of the store, whose index is built from its keyspaces.
    fn fork(&mut self) {
        self.store = self.store.fork().unwrap();
        let queues = self.store.queues();
        self.queue = queues.get(self.queue.name()).unwrap();
        self.failed = queues.get(self.failed.name()).unwrap();
    }

    fn purge(&mut self) {
        let now = self.now();
        let result = self.queue.purge();
        assert_eq!(result.is_ok(), self.rules.purge(now));
    }

    /// Every message looks as the model says.
    fn look(&mut self) {
        let now = self.now();
        let seen = self.queue.peek(usize::MAX).unwrap();
        let mut found = BTreeMap::new();
        for seen in seen {
            let state = match seen.state {
                MessageState::Visible => "visible".to_owned(),
                MessageState::InFlight { until } => format!("in flight {}", until.as_millis()),
                MessageState::Delayed { until } => format!("delayed {}", until.as_millis()),
                MessageState::Blocked => "blocked".to_owned(),
                other => panic!("{other:?}"),
            };
            found.insert(seen.message.id(), state);
        }
        let expected = self.rules.states(now);
        let differing = expected.iter().find(|(id, state)| found.get(*id) != Some(state));
        assert_eq!(differing, None, "a message as it should be");
        assert_eq!(found.len(), expected.len());
        if let Some((id, state)) = found.iter().next() {
            let seen = self.queue.find(id).unwrap().unwrap();
            assert_eq!(state == "visible", seen.state == MessageState::Visible);
        }
    }

    fn compare(&mut self) {
        let now = self.now();
        self.rules.advance(now);
        let stats = self.queue.stats().unwrap();
        let counts = (stats.visible, stats.in_flight, stats.delayed);
        assert_eq!(counts, self.rules.counts(now), "visible, in flight, delayed");
        let oldest = stats.oldest.map(|age| now - u64::try_from(age.as_millis()).unwrap());
        assert_eq!(oldest, self.rules.oldest(), "when the oldest was sent");
        let count = self.failed.stats().unwrap().messages();
        self.rules.compare_failed(self.failed_ids(), count);
    }

    fn failed_ids(&self) -> Vec<String> {
        self.failed.peek(usize::MAX).unwrap().into_iter().map(|seen| seen.message.id()).collect()
    }
}

/// A life that bytes decide about.
pub(crate) fn replay(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    let is_fifo = bytes.pop().is_some_and(|byte| byte % 2 == 1);
    let mut life = Life::new(1, is_fifo);
    life.dice.bytes = Some(bytes);
    while !life.dice.is_used_up() {
        life.step();
    }
}

#[cfg(test)]
fn live(seeds: std::ops::Range<u64>, steps: u64, is_fifo: bool) {
    for seed in seeds {
        let mut life = Life::new(seed, is_fifo);
        for step in 0..steps {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| life.step()));
            assert!(outcome.is_ok(), "seed {seed}, step {step}, FIFO: {is_fifo}");
        }
    }
}

#[test]
fn a_standard_queue_does_what_the_model_says() {
    live(0..30, 1500, false);
}

#[test]
fn bytes_are_lives_as_well() {
    let mut dice = Dice::new(5);
    for _ in 0..20 {
        let bytes: Vec<u8> = (0..500).map(|_| dice.below(256).to_le_bytes()[0]).collect();
        replay(&bytes);
    }
}

#[test]
fn a_fifo_queue_does_what_the_model_says() {
    live(0..30, 1500, true);
}
