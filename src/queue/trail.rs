//! The trail of a message: where it was, what became of it there, where it is, and what will become of it.
//!
//! It is read from what is stored anyway: nothing is written for it. So it knows of one queue that gave the message up, the
//! last; and of a message that was deleted, that it was sent. One that a move task moved is another message since.

use crate::clock::Timestamp;
use crate::queue::core::{Core, State};
use crate::queue::error::Result;
use crate::queue::message::{Message, uuid};
use crate::queue::receive::Setting;
use crate::queue::stored::{Shared, Stored};
use crate::queue::{MessageState, Queue, identify, keys};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where a message came from, is and goes. As text it is a sentence.
///
/// ```
/// use fourfold::{ManualClock, Store, queue::{NewQueue, QueueAttributes, Receive}};
/// let clock = ManualClock::default();
/// let store = Store::builder().clock(clock.clone()).open_in_memory();
/// let queues = store.queues();
/// let failed = queues.create("failed")?;
/// let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1);
/// let jobs = queues.create(NewQueue::new("jobs").attributes(attributes))?;
/// let id = jobs.send("hello")?.id();
/// jobs.receive(Receive::new().visibility_timeout(60))?;
/// assert_eq!(
///     jobs.trail(&id)?.expect("it was sent here").to_string(),
///     "sent 2025-01-01T00:00:00.000Z, in jobs, received once, 2025-01-01T00:00:00.000Z, in flight until \
///      2025-01-01T00:01:00.000Z, to be given up to failed when it is received again, expires 2025-01-05T00:00:00.000Z"
/// );
/// clock.advance(std::time::Duration::from_secs(60));
/// assert!(jobs.receive(1)?.is_empty());
/// assert_eq!(
///     jobs.trail(&id)?.expect("it was sent here").to_string(),
///     "sent 2025-01-01T00:00:00.000Z, given up by jobs after it was received once, 2025-01-01T00:00:00.000Z, in failed, \
///      never received, visible, expires 2025-01-05T00:00:00.000Z"
/// );
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trail {
    /// Its id.
    pub id: String,
    /// When it was sent first.
    pub sent: Timestamp,
    /// The queue that gave it up last, for a dead letter.
    pub given_up: Option<GivenUp>,
    /// Where it is; none if it was deleted, has expired, was purged, or was moved by a task, which gave it another id.
    pub stay: Option<Stay>,
}

/// A queue that nobody could handle a message in.
///
/// ```
/// use fourfold::{Store, queue::{NewQueue, QueueAttributes, Receive}};
/// # fn main() -> fourfold::queue::Result<()> {
/// let queues = Store::in_memory().queues();
/// let failed = queues.create("failed")?;
/// let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1);
/// let jobs = queues.create(NewQueue::new("jobs").attributes(attributes))?;
/// let id = jobs.send("hello")?.id();
/// jobs.receive(Receive::new().visibility_timeout(0))?;
/// jobs.receive(1)?; // that was once too often
/// let given_up = jobs.trail(&id)?.and_then(|trail| trail.given_up).expect("it is a dead letter");
/// assert_eq!((&*given_up.by, given_up.receives), ("jobs", 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GivenUp {
    /// Its name.
    pub by: String,
    /// How often the message was received there, and in queues that gave it up before.
    pub receives: u32,
    /// When it was received first.
    pub first_received: Timestamp,
}

/// A message in the queue that it is in.
///
/// ```
/// use fourfold::{Store, queue::{NewQueue, QueueAttributes, Receive}};
/// # fn main() -> fourfold::queue::Result<()> {
/// let queues = Store::in_memory().queues();
/// let failed = queues.create("failed")?;
/// let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1);
/// let jobs = queues.create(NewQueue::new("jobs").attributes(attributes))?;
/// let id = jobs.send("hello")?.id();
/// jobs.receive(Receive::new().visibility_timeout(0))?;
/// let stay = jobs.trail(&id)?.and_then(|trail| trail.stay).expect("it is there");
/// assert_eq!((&*stay.queue, stay.receives, stay.message.body()), ("jobs", 1, "hello"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stay {
    /// The name of the queue.
    pub queue: String,
    /// The message, without a receipt handle.
    pub message: Message,
    /// How often it was received from this queue.
    pub receives: u32,
    /// When it was received from this queue first.
    pub first_received: Option<Timestamp>,
    /// When it was received from this queue last.
    pub last_received: Option<Timestamp>,
    /// Whether it can be received.
    pub state: MessageState,
    /// The id of the message in flight that it waits for, if it is [`Blocked`](MessageState::Blocked).
    pub blocked_by: Option<String>,
    /// Where it goes if nobody deletes it, if the queue has a dead-letter queue.
    pub gives_up: Option<GivesUp>,
    /// When it is gone, if nobody deletes it and its queue does not give it up.
    pub expires: Timestamp,
}

/// A queue that will give a message up.
///
/// ```
/// use fourfold::{Store, queue::{NewQueue, QueueAttributes, Receive}};
/// # fn main() -> fourfold::queue::Result<()> {
/// let queues = Store::in_memory().queues();
/// let failed = queues.create("failed")?;
/// let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1);
/// let jobs = queues.create(NewQueue::new("jobs").attributes(attributes))?;
/// let id = jobs.send("hello")?.id();
/// jobs.receive(Receive::new().visibility_timeout(0))?;
/// let stay = jobs.trail(&id)?.and_then(|trail| trail.stay).expect("it is there");
/// let gives_up = stay.gives_up.expect("there is a dead-letter queue");
/// assert_eq!((&*gives_up.to, gives_up.receives_left), ("failed", 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GivesUp {
    /// The name of the dead-letter queue.
    pub to: String,
    /// How often it can be received before; a receive behind that moves it.
    pub receives_left: u32,
}

impl Queue {
    /// What became of a message that was sent to this queue or is in it: found here, in its dead-letter queue, or in that of
    /// that one. `None` for an id that this queue did not give and does not have. It changes nothing.
    ///
    /// A message that is where it was sent costs a few reads. Otherwise each of these queues is walked through, some 200 ns
    /// a message.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](crate::queue::Error::QueueDoesNotExist).
    pub fn trail(&self, id: &str) -> Result<Option<Trail>> {
        let Some(bytes) = identify::parse(id) else { return Ok(None) };
        let (mut queue, mut passed) = (self.clone(), Vec::new());
        loop {
            let found = queue.find(id)?.map(|seen| queue.trail_of(&seen.message.stored)).transpose()?;
            if let Some(trail) = found.flatten() {
                return Ok(Some(trail));
            }
            passed.push(queue.core.identity.number);
            match queue.next_stop()? {
                Some(core) if !passed.contains(&core.identity.number) => queue.core = core,
                _ => break,
            }
        }
        self.change(|state, setting, _| {
            let seq = identify::number_of(setting.core.identity.salt, bytes);
            let given = seq.filter(|seq| *seq <= state.index.counts.last);
            let sent = given.map(keys::time_of);
            Ok(sent.map(|sent| Trail { id: uuid(bytes), sent, given_up: None, stay: None }))
        })
    }

    /// The queue's dead-letter queue, if there is one.
    fn next_stop(&self) -> Result<Option<Arc<Core>>> {
        let policy = self.change(|state, _, _| Ok(state.live.settings.redrive.clone()))?;
        match policy {
            Some(policy) => self.engine.by_arn(&self.store, &policy.target_arn),
            None => Ok(None),
        }
    }

    /// The trail of a message that was just found here; none if it is gone again.
    fn trail_of(&self, found: &Stored) -> Result<Option<Trail>> {
        let grave = self.next_stop()?;
        self.change(|state, setting, _| {
            let Setting { core, store, .. } = setting;
            let message = state.read(core, store, found.seq, found.group.as_ref())?;
            let stay = message.and_then(|message| state.stay(setting, &message, grave.as_deref()));
            let Some(mut stay) = stay else { return Ok(None) };
            if stay.state == MessageState::Blocked {
                stay.blocked_by = state.blocking(core, store, found)?;
            }
            let given_up = stay.message.stored.origin.as_deref().map(|origin| GivenUp {
                by: origin.queue.clone(),
                receives: origin.receive_count,
                first_received: origin.first_received,
            });
            let origin = stay.message.stored.origin.as_deref();
            let sent = origin.map_or(stay.message.sent(), |origin| origin.sent);
            Ok(Some(Trail { id: stay.message.id(), sent, given_up, stay: Some(stay) }))
        })
    }
}

impl State {
    /// How a message stands here; none if it has expired.
    fn stay(&self, setting: Setting<'_>, message: &Shared, grave: Option<&Core>) -> Option<Stay> {
        let seen = self.see(setting, message, setting.now)?;
        let lease = self.index.leases.get(&message.seq);
        let receives = lease.map_or(0, |lease| lease.count);
        let policy = self.live.settings.redrive.as_ref();
        let retention = Duration::from_secs(u64::from(self.live.settings.retention));
        Some(Stay {
            queue: setting.core.identity.name.to_string(),
            message: seen.message,
            receives,
            first_received: lease.map(|lease| lease.first_received),
            last_received: lease.map(|lease| lease.received),
            state: seen.state,
            blocked_by: None,
            gives_up: policy.zip(grave).map(|(policy, grave)| GivesUp {
                to: grave.identity.name.to_string(),
                receives_left: policy.max_receive_count.saturating_sub(receives),
            }),
            expires: keys::time_of(message.seq) + retention,
        })
    }

    /// The id of the message in flight that one of a FIFO queue waits for.
    fn blocking(&self, core: &Core, store: &crate::Store, message: &Stored) -> Result<Option<String>> {
        let lane = self.index.find_lane(message.group.as_deref());
        let first = lane.and_then(|lane| self.index.lanes[lane].locked.first().copied());
        let Some(first) = first else { return Ok(None) };
        let first = self.read(core, store, first, message.group.as_ref())?;
        Ok(first.map(|first| {
            let own = || identify::message_id(core.identity.salt, first.seq);
            uuid(first.origin.as_ref().map_or_else(own, |origin| origin.id))
        }))
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {}", self.sent)?;
        if let Some(GivenUp { by, receives, first_received }) = &self.given_up {
            write!(f, ", given up by {by} after it was ")?;
            received(f, *receives, Some(*first_received), None)?;
        }
        match &self.stay {
            Some(stay) => write!(f, ", {stay}"),
            None => f.write_str(", gone: deleted, expired, purged or moved by a task"),
        }
    }
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}, ", self.queue)?;
        received(f, self.receives, self.first_received, self.last_received)?;
        match (&self.state, &self.blocked_by) {
            (MessageState::Blocked, Some(id)) => write!(f, ", behind {id} of its group")?,
            (state, _) => write!(f, ", {state}")?,
        }
        match &self.gives_up {
            Some(GivesUp { to, receives_left: 0 }) => {
                write!(f, ", to be given up to {to} when it is received again")?;
            }
            Some(GivesUp { to, receives_left: 1 }) => {
                write!(f, ", to be given up to {to} after one more receive")?;
            }
            Some(GivesUp { to, receives_left }) => {
                write!(f, ", to be given up to {to} after {receives_left} more receives")?;
            }
            None => {}
        }
        write!(f, ", expires {}", self.expires)
    }
}

/// How often, first and last.
fn received(
    f: &mut fmt::Formatter<'_>,
    count: u32,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
) -> fmt::Result {
    match (count, first, last) {
        (0, ..) | (_, None, _) => f.write_str("never received"),
        (1, Some(first), _) => write!(f, "received once, {first}"),
        (count, Some(first), None) => write!(f, "received {count} times, first {first}"),
        (count, Some(first), Some(last)) => write!(f, "received {count} times, first {first}, last {last}"),
    }
}
