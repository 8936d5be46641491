//! Subscriptions: a shard pushed to a registered consumer.

use crate::clock::{Alarm, Clock, Parker, Timestamp};
use crate::stream::consumer::{Consumer, ConsumerStatus, Subscribed, consumer_not_found};
use crate::stream::cursor::Cursor;
use crate::stream::error::{Error, Result};
use crate::stream::get_records::ChildShard;
use crate::stream::limits::{SUBSCRIPTION_GUARD, SUBSCRIPTION_LIFE};
use crate::stream::reader::Bounds;
use crate::stream::record::Record;
use crate::stream::sequence::SequenceNumber;
use crate::stream::shard::ShardId;
use crate::stream::start::Start;
use crate::stream::{Stream, Streams};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Records of one event at most, and bytes of them.
const EVENT: Bounds = Bounds { records: 1000, bytes: 1 << 20 };
/// Where nothing comes, there is an event without records this often.
const QUIET: Duration = Duration::from_secs(5);

/// A batch of records that was pushed.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{Start, Tags}};
/// let store = Store::in_memory();
/// let streams = store.streams();
/// let stream = streams.create("clicks", Default::default())?;
/// let consumer = stream.register_consumer("app", &Tags::new())?;
/// let put = stream.put("user", "home")?;
/// let mut subscription = streams.subscribe(&consumer.arn, &put.shard_id, Start::TrimHorizon)?;
/// let event = subscription.next().expect("it was put")?;
/// assert_eq!(event.records[0].data(), b"home");
/// assert!(event.continuation_sequence_number >= Some(put.sequence_number));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The records, in order; none if nothing came for a while.
    pub records: Vec<Record>,
    /// Another subscription goes on [after](Start::AfterSequenceNumber) this number; `None` at the end of a closed shard.
    pub continuation_sequence_number: Option<SequenceNumber>,
    /// How far the event is behind the newest record.
    pub millis_behind_latest: u64,
    /// At the end of a closed shard: the shards to subscribe to next.
    pub child_shards: Vec<ChildShard>,
}

/// Events of a shard for a consumer, pushed as they come: for five minutes, until the end of a closed shard, or until
/// another subscription of the same consumer takes over.
///
/// It is a [`Stream`](futures_core::Stream) of the `futures` crates, and can be waited for without them: by
/// [`next`](Self::next), which blocks, or [`next_async`](Self::next_async).
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{Start, Tags}};
/// let streams = Store::in_memory().streams();
/// let stream = streams.create("clicks", Default::default())?;
/// let consumer = stream.register_consumer("app", &Tags::new())?;
/// let put = stream.put("user", "home")?;
/// let mut subscription = streams.subscribe(&consumer.arn, &put.shard_id, Start::TrimHorizon)?;
/// assert_eq!(subscription.next().expect("five minutes have not passed")?.records.len(), 1);
/// # Ok(()) }
/// ```
#[must_use = "a subscription that is dropped ends"]
pub struct Subscription {
    stream: Stream,
    consumer: Arc<Consumer>,
    cursor: Cursor,
    /// Tells it from others of the consumer and the shard.
    number: u64,
    ends: Timestamp,
    /// When the last event was.
    last_event: Timestamp,
    alarm: Option<Alarm>,
    is_over: bool,
}

impl Streams {
    /// Subscribes a consumer to a shard.
    ///
    /// # Errors
    /// [`Subscribed`](Error::Subscribed) within five seconds of the last subscription of the consumer to the shard;
    /// later, the last one ends with that. [`ConsumerNotFound`](Error::ConsumerNotFound),
    /// [`ConsumerNotActive`](Error::ConsumerNotActive), and those of
    /// [`shard_iterator`](Stream::shard_iterator).
    pub fn subscribe(&self, consumer_arn: &str, shard_id: &str, start: Start) -> Result<Subscription> {
        self.store.call("SubscribeToShard", "", || self.do_subscribe(consumer_arn, shard_id, start))
    }

    fn do_subscribe(&self, consumer_arn: &str, shard_id: &str, start: Start) -> Result<Subscription> {
        let (stream, consumer) = self.find_consumer(consumer_arn)?;
        let now = self.store.now();
        if consumer.status(now) == ConsumerStatus::Creating {
            return Err(Error::ConsumerNotActive {
                consumer: consumer.name().to_owned(),
                created: consumer.created(),
                stream: stream.name().to_owned(),
                account: self.store.account().to_owned(),
            });
        }
        let cursor = stream.cursor(shard_id, start)?;
        let number = self.registry.next_waiter();
        let replaced = {
            let mut subscriptions = consumer.subscriptions.lock();
            if subscriptions.is_over {
                return Err(consumer_not_found(&self.store, consumer_arn));
            }
            let index = cursor.shard_index();
            let known = subscriptions.by_shard.get(&index);
            if known.is_some_and(|known| now - known.since < SUBSCRIPTION_GUARD) {
                return Err(subscribed(&stream, &consumer, cursor.shard_id()));
            }
            subscriptions
                .by_shard
                .insert(index, Subscribed { number, since: now, place: cursor.place(), waker: None })
        };
        if let Some(waker) = replaced.and_then(|replaced| replaced.waker) {
            waker.wake();
        }
        let ends = now + SUBSCRIPTION_LIFE;
        Ok(Subscription {
            stream,
            consumer,
            cursor,
            number,
            ends,
            last_event: now,
            alarm: None,
            is_over: false,
        })
    }
}

#[cold]
fn subscribed(stream: &Stream, consumer: &Consumer, shard: ShardId) -> Error {
    Error::Subscribed {
        consumer: consumer.name().to_owned(),
        shard: shard.to_string(),
        stream: stream.name().to_owned(),
        account: stream.store.account().to_owned(),
    }
}

impl Subscription {
    /// The next event, however long it takes to come; `None` when the subscription is over.
    #[expect(clippy::should_implement_trait, reason = "an iterator would be fused and never wait")]
    pub fn next(&mut self) -> Option<Result<Event>> {
        let mut parker = Parker::new();
        let waker = parker.waker();
        loop {
            match self.poll_event(&mut Context::from_waker(&waker)) {
                Poll::Ready(event) => return event,
                Poll::Pending => parker.wait(),
            }
        }
    }

    /// [`next`](Self::next) that holds no thread.
    pub async fn next_async(&mut self) -> Option<Result<Event>> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// The next event for a future.
    pub fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        loop {
            match self.step(context) {
                Ok(Step::Event(event)) => return Poll::Ready(Some(Ok(event))),
                Ok(Step::Wait) => return Poll::Pending,
                Ok(Step::Again) => {}
                Ok(Step::End) => {
                    self.is_over = true;
                    return Poll::Ready(None);
                }
                Err(error) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn step(&mut self, context: &mut Context<'_>) -> Result<Step> {
        let now = self.stream.store.now();
        self.check_is_current(context)?;
        if now >= self.ends {
            return Ok(Step::End);
        }
        let mut records = Vec::new();
        let behind = self.cursor.read_event(EVENT, &mut records)?;
        if !records.is_empty() || self.cursor.is_at_end() {
            return self.event(records, behind, now).map(Step::Event);
        }
        if now - self.last_event >= QUIET {
            return self.event(records, 0, now).map(Step::Event);
        }
        if !self.cursor.wait(context.waker())? {
            return Ok(Step::Again);
        }
        let wake_at = self.ends.min(self.last_event + QUIET);
        self.alarm = Some(self.stream.store.clock().wake_at(wake_at, context.waker().clone()));
        Ok(Step::Wait)
    }

    fn event(&mut self, records: Vec<Record>, behind: u64, now: Timestamp) -> Result<Event> {
        self.last_event = now;
        let is_end = self.cursor.is_at_end();
        self.is_over = is_end;
        self.note_place();
        Ok(Event {
            continuation_sequence_number: (!is_end).then(|| self.cursor.number_behind(now)),
            child_shards: if is_end { self.cursor.child_shards()? } else { Vec::new() },
            records,
            millis_behind_latest: behind,
        })
    }

    /// What was read is given: how far it is can be seen from outside.
    fn note_place(&self) {
        let mut subscriptions = self.consumer.subscriptions.lock();
        let current = subscriptions.by_shard.get_mut(&self.cursor.shard_index());
        if let Some(current) = current.filter(|current| current.number == self.number) {
            current.place = self.cursor.place();
        }
    }

    /// Has another subscription taken over, or the consumer gone? If not, it is woken when that happens.
    fn check_is_current(&self, context: &Context<'_>) -> Result<()> {
        let mut subscriptions = self.consumer.subscriptions.lock();
        if subscriptions.is_over {
            return Err(consumer_not_found(&self.stream.store, self.consumer.name()));
        }
        match subscriptions.by_shard.get_mut(&self.cursor.shard_index()) {
            Some(current) if current.number == self.number => {
                current.waker = Some(context.waker().clone());
                Ok(())
            }
            _ => Err(subscribed(&self.stream, &self.consumer, self.cursor.shard_id())),
        }
    }
}

/// What a poll came to.
enum Step {
    Event(Event),
    Wait,
    /// Something came in between.
    Again,
    End,
}

impl futures_core::Stream for Subscription {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("stream", &self.stream.name())
            .field("consumer", &self.consumer.name())
            .field("shard", &self.cursor.shard_id())
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}
