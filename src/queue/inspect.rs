//! Looking without touching: counts, messages and what keeps them from being received.

use crate::Store;
use crate::clock::Timestamp;
use crate::queue::core::State;
use crate::queue::error::Result;
use crate::queue::lane::NOTHING;
use crate::queue::message::Message;
use crate::queue::receive::{Setting, deliver};
use crate::queue::stored::{Shared, Stored};
use crate::queue::{Queue, Queues};
use crate::queue::{identify, keys};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a queue holds at a moment. All counts are exact.
///
/// ```
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// jobs.send("one")?;
/// jobs.send("two")?;
/// jobs.receive(1)?;
/// let stats = jobs.stats()?;
/// assert_eq!((stats.visible, stats.in_flight, stats.delayed, stats.messages()), (1, 1, 0, 2));
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Messages that are neither in flight nor delayed. In a FIFO queue also those whose group waits for one in flight.
    pub visible: u64,
    /// Messages received and not deleted, whose visibility timeout runs.
    pub in_flight: u64,
    /// Messages whose delay runs.
    pub delayed: u64,
    /// How long ago the oldest message was sent, if there is one.
    pub oldest: Option<Duration>,
    /// Message groups with messages.
    pub groups: usize,
    /// Receives that wait for messages.
    pub waiting: usize,
}

impl QueueStats {
    /// All messages.
    pub fn messages(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// Whether a message can be received, and if not, why.
///
/// ```
/// use fourfold::queue::{MessageState, SendMessage};
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// let sent = jobs.send(SendMessage::new("later").delay(60))?;
/// assert!(matches!(jobs.find(&sent.id())?.unwrap().state, MessageState::Delayed { .. }));
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageState {
    /// The next receives get it.
    Visible,
    /// It was received and not deleted.
    InFlight {
        /// Then it is visible again.
        until: Timestamp,
    },
    /// It was sent with a delay.
    Delayed {
        /// Then it is visible.
        until: Timestamp,
    },
    /// An earlier message of its group is in flight or delayed.
    Blocked,
}

/// A message that was looked at.
///
/// ```
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// jobs.send("hello")?;
/// let seen = jobs.peek(10)?;
/// assert_eq!((seen[0].message.body(), seen[0].message.receive_count()), ("hello", 0));
/// assert_eq!(jobs.receive(1)?.len(), 1, "it is still there");
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Seen {
    /// The message, without a receipt handle.
    pub message: Message,
    /// Whether it can be received.
    pub state: MessageState,
}

/// Its trail, for people.
///
/// ```
/// use fourfold::{ManualClock, Store, queue::Receive};
/// let store = Store::builder().clock(ManualClock::default()).open_in_memory();
/// let jobs = store.queues().create("jobs")?;
/// let sent = jobs.send("hello")?;
/// jobs.receive(Receive::new().visibility_timeout(60))?;
/// assert_eq!(
///     jobs.find(&sent.id())?.expect("it is there").to_string(),
///     "sent 2025-01-01T00:00:00.000Z, received once, first 2025-01-01T00:00:00.000Z, \
///      in flight until 2025-01-01T00:01:00.000Z"
/// );
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {}", self.message.sent())?;
        if let Some(source) = self.message.dead_letter_source() {
            write!(f, ", a dead letter of {source}")?;
        }
        match (self.message.receive_count(), self.message.first_received()) {
            (0, _) | (_, None) => f.write_str(", never received")?,
            (1, Some(first)) => write!(f, ", received once, first {first}")?,
            (count, Some(first)) => write!(f, ", received {count} times, first {first}")?,
        }
        write!(f, ", {}", self.state)
    }
}

impl fmt::Display for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visible => f.write_str("visible"),
            Self::InFlight { until } => write!(f, "in flight until {until}"),
            Self::Delayed { until } => write!(f, "delayed until {until}"),
            Self::Blocked => f.write_str("behind another one of its group"),
        }
    }
}

impl Queue {
    /// What the queue holds now.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](crate::queue::Error::QueueDoesNotExist).
    pub fn stats(&self) -> Result<QueueStats> {
        self.engine.move_due(&self.store)?;
        self.change(|state, setting, _| {
            let Setting { core, store, now, .. } = setting;
            state.expire_all(core, store, now)?;
            let in_flight = state.index.in_flight() as u64;
            let delayed = state.delayed(core.identity.is_fifo, store, now)?;
            let oldest = state.age(store, now)?;
            Ok(QueueStats {
                visible: state.index.len().saturating_sub(in_flight + delayed),
                in_flight,
                delayed,
                oldest,
                groups: state.index.occupied().filter(|lane| lane.group.is_some()).count(),
                waiting: state.waiters.len(),
            })
        })
    }

    /// The first messages of the queue, up to `max`, group by group, whether they can be received or not. It changes
    /// nothing.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](crate::queue::Error::QueueDoesNotExist).
    pub fn peek(&self, max: usize) -> Result<Vec<Seen>> {
        self.walk(max, |_| true)
    }

    /// The message with this id, if it is in the queue. It changes nothing. One that came from another queue, or has a
    /// group and was never received, may take a walk through all messages.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](crate::queue::Error::QueueDoesNotExist).
    pub fn find(&self, id: &str) -> Result<Option<Seen>> {
        let Some(id) = identify::parse(id) else { return Ok(None) };
        if let Some(seq) = identify::number_of(self.core.identity.salt, id) {
            let found = self.change(|state, setting, _| {
                let lease = state.index.leases.get(&seq);
                let group = lease.and_then(|lease| state.index.lanes[lease.lane].group.clone());
                let Setting { core, store, now, .. } = setting;
                let message = state.read(core, store, seq, group.as_ref())?;
                Ok(message.and_then(|message| state.see(setting, &message, now)))
            })?;
            if found.is_some() {
                return Ok(self.whole(found.into_iter().collect())?.pop());
            }
        }
        Ok(self.walk(1, |message| message.id == id)?.pop())
    }

    fn walk(&self, max: usize, is_wanted: impl Fn(&Message) -> bool) -> Result<Vec<Seen>> {
        self.change(|state, setting, _| {
            let Setting { core, store, now, .. } = setting;
            let mut seen = Vec::new();
            let mut range = state.spaces.messages.range::<&[u8]>(store, ..);
            while seen.len() < max && range.advance()? {
                let Some((group, seq)) = keys::parse_message(range.key()) else { continue };
                let group: Option<Arc<str>> = (!group.is_empty()).then(|| group.into());
                let message = crate::queue::record::decode_message(group, seq, &range.value()?);
                let message = crate::queue::core::checked(message, &core.identity)?.into();
                seen.extend(state.see(setting, &message, now).filter(|seen| is_wanted(&seen.message)));
            }
            Ok(seen)
        })
        .and_then(|seen| self.whole(seen))
    }

    /// With large bodies in their messages.
    fn whole(&self, mut seen: Vec<Seen>) -> Result<Vec<Seen>> {
        self.resolve(&mut seen, |seen| &mut seen.message)?;
        Ok(seen)
    }
}

impl Queues {
    /// How many there are.
    pub(crate) fn how_many(&self) -> crate::Result<usize> {
        Ok(self.engine.list(&self.store, "", "")?.len())
    }
}

impl State {
    /// A message as it looks now; nothing if it has expired.
    pub(super) fn see(&self, setting: Setting<'_>, message: &Shared, now: Timestamp) -> Option<Seen> {
        let identity = &setting.core.identity;
        let seq = message.seq;
        if seq < self.cutoff(now) {
            return None;
        }
        let lease = self.index.leases.get(&seq);
        let mut seen = deliver(identity, message, lease);
        seen.receipt = String::new();
        let delay = Duration::from_secs(u64::from(self.live.settings.delay));
        let fifo_due = Some(keys::time_of(seq) + delay).filter(|due| identity.is_fifo && *due > now);
        let state = match lease.filter(|lease| lease.is_in_flight) {
            Some(lease) => MessageState::InFlight { until: lease.until },
            None => match self.index.due_of(seq).or(fifo_due) {
                Some(until) => MessageState::Delayed { until },
                None if self.is_blocked(message) => MessageState::Blocked,
                None => MessageState::Visible,
            },
        };
        Some(Seen { message: seen, state })
    }

    /// Is an earlier message of its group in flight? (Those of a standard queue lock nothing.)
    fn is_blocked(&self, message: &Stored) -> bool {
        let lane = self.index.find_lane(message.group.as_deref());
        let first = lane.and_then(|lane| self.index.lanes[lane].locked.first());
        first.is_some_and(|first| *first < message.seq)
    }

    /// How many messages are delayed. In a FIFO queue the present delay is for all of them, so those count that were sent
    /// within it.
    fn delayed(&self, is_fifo: bool, store: &Store, now: Timestamp) -> Result<u64> {
        let delay = self.live.settings.delay;
        if !is_fifo {
            return Ok(self.index.delays.len() as u64);
        }
        if delay == 0 {
            return Ok(0);
        }
        let since = keys::first_number(now - Duration::from_secs(u64::from(delay))).saturating_add(1 << 20);
        let mut count = 0;
        for lane in self.index.occupied() {
            let (from, to) = (keys::message(lane.name(), since), keys::message(lane.name(), lane.tail));
            if since > lane.tail {
                continue;
            }
            let mut range = self.spaces.messages.range(store, from.as_ref()..=to.as_ref());
            while range.advance()? {
                let seq = keys::parse_message(range.key()).map(|(_, seq)| seq);
                count += u64::from(seq.is_some_and(|seq| !self.index.is_held(seq)));
            }
        }
        Ok(count)
    }

    /// The age of the oldest message. Where messages are looked for is known from below, so the lane that seems to have
    /// it is looked at until it does.
    fn age(&mut self, store: &Store, now: Timestamp) -> Result<Option<Duration>> {
        while let Some((known, lane)) = self.index.oldest() {
            let found = self.find_oldest(lane, known, store)?;
            if found == known {
                return Ok(Some(now - keys::time_of(found)));
            }
            debug_assert!(found == NOTHING || found > known);
        }
        Ok(None)
    }
}
