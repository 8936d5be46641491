//! Registered consumers: readers with a name, whom subscriptions push to.

use crate::clock::Timestamp;
use crate::store::Store;
use crate::store::pending::Pending;
use crate::stream::change::Status;
use crate::stream::check;
use crate::stream::describe::{next_page, page_token};
use crate::stream::error::{Error, Result};
use crate::stream::limits::{CONSUMERS_MAX, CREATING_MAX, PAGE, PAGE_MAX};
use crate::stream::meta::{ConsumerRecord, Tags};
use crate::stream::token::Kind;
use crate::stream::{Stream, Streams, keys};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::task::Waker;

/// What a consumer is doing.
///
/// ```
/// use fourfold::stream::ConsumerStatus;
/// assert_eq!(ConsumerStatus::Active.to_string(), "ACTIVE");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsumerStatus {
    /// It is being made; it cannot subscribe yet.
    Creating,
    /// It can subscribe.
    Active,
}

impl fmt::Display for ConsumerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
        })
    }
}

/// What a consumer is.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{ConsumerStatus, Tags}};
/// let store = Store::in_memory();
/// let streams = store.streams();
/// let stream = streams.create("clicks", Default::default())?;
/// let consumer = stream.register_consumer("app", &Tags::new())?;
/// assert_eq!(consumer.status, ConsumerStatus::Active);
/// assert_eq!(streams.consumer(&consumer.arn)?, consumer);
/// streams.deregister_consumer(&consumer.arn)?;
/// assert!(streams.consumer(&consumer.arn).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerDescription {
    /// Its name.
    pub name: String,
    /// Its ARN: that of the stream, `/consumer/`, its name, and the second it was registered in.
    pub arn: String,
    /// What it is doing.
    pub status: ConsumerStatus,
    /// When it was registered.
    pub created: Timestamp,
    /// The stream's ARN.
    pub stream_arn: String,
}

/// A page of consumers, by name.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::Tags};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// for name in ["a", "b"] {
///     stream.register_consumer(name, &Tags::new())?;
/// }
/// let first = stream.list_consumers(Some(1), None)?;
/// let second = stream.list_consumers(None, first.next_token.as_deref())?;
/// assert_eq!((&*first.consumers[0].name, &*second.consumers[0].name), ("a", "b"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerList {
    /// The consumers, in the order of their names.
    pub consumers: Vec<ConsumerDescription>,
    /// Where to go on, if there are more. Honoured for five minutes.
    pub next_token: Option<String>,
}

/// A consumer in memory.
#[derive(Debug)]
pub(crate) struct Consumer {
    name: String,
    created: Timestamp,
    active: Timestamp,
    tags: Mutex<Tags>,
    pub(crate) subscriptions: Mutex<Subscriptions>,
}

/// Who is subscribed to which shard.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    pub(crate) by_shard: BTreeMap<u32, Subscribed>,
    /// The consumer was deregistered, or its stream is gone.
    pub(crate) is_over: bool,
}

/// The newest subscription to a shard.
#[derive(Debug)]
pub(crate) struct Subscribed {
    /// Tells it from the ones before.
    pub(crate) number: u64,
    pub(crate) since: Timestamp,
    /// Records before this place were given to it.
    pub(crate) place: u64,
    pub(crate) waker: Option<Waker>,
}

impl Consumer {
    pub(crate) fn new(name: &str, record: ConsumerRecord) -> Self {
        Self {
            name: name.to_owned(),
            created: record.created,
            active: record.active,
            tags: Mutex::new(record.tags),
            subscriptions: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn created(&self) -> Timestamp {
        self.created
    }

    pub(crate) fn status(&self, now: Timestamp) -> ConsumerStatus {
        if now < self.active { ConsumerStatus::Creating } else { ConsumerStatus::Active }
    }

    pub(crate) fn tags(&self) -> Tags {
        self.tags.lock().clone()
    }

    pub(crate) fn set_tags(&self, tags: Tags) {
        *self.tags.lock() = tags;
    }

    /// What is to be stored of it with these tags.
    pub(crate) fn record_with(&self, tags: Tags) -> ConsumerRecord {
        ConsumerRecord { created: self.created, active: self.active, tags }
    }

    /// Ends its subscriptions. The caller wakes who waited.
    pub(crate) fn end_all(&self) -> Vec<Waker> {
        let mut subscriptions = self.subscriptions.lock();
        subscriptions.is_over = true;
        subscriptions.by_shard.values_mut().filter_map(|subscribed| subscribed.waker.take()).collect()
    }

    fn describe(&self, stream_arn: &str, now: Timestamp) -> ConsumerDescription {
        ConsumerDescription {
            name: self.name.clone(),
            arn: format!("{stream_arn}/consumer/{}:{}", self.name, self.created.as_secs()),
            status: self.status(now),
            created: self.created,
            stream_arn: stream_arn.to_owned(),
        }
    }
}

impl Stream {
    /// Registers a consumer: up to 20, each with a name of its own.
    ///
    /// # Errors
    /// [`ConsumerExists`](Error::ConsumerExists); [`LimitExceeded`](Error::LimitExceeded) for too many of them, or more
    /// than five in the making; [`Validation`](Error::Validation) for what cannot be a name;
    /// [`StreamNotFound`](Error::StreamNotFound).
    pub fn register_consumer(&self, name: &str, tags: &Tags) -> Result<ConsumerDescription> {
        self.store
            .call("RegisterStreamConsumer", self.name(), || Ok(self.stage_register(name, tags)?.wait()?))
    }

    /// [`register_consumer`](Self::register_consumer) that holds no thread while it waits for the disk.
    pub async fn register_consumer_async(&self, name: &str, tags: &Tags) -> Result<ConsumerDescription> {
        self.store
            .call_async("RegisterStreamConsumer", self.name(), async {
                Ok(self.stage_register(name, tags)?.done().await?)
            })
            .await
    }

    /// The consumer of this name.
    ///
    /// # Errors
    /// [`ConsumerNotFound`](Error::ConsumerNotFound); [`StreamNotFound`](Error::StreamNotFound).
    pub fn consumer(&self, name: &str) -> Result<ConsumerDescription> {
        self.store.call("DescribeStreamConsumer", self.name(), || self.do_consumer(name))
    }

    fn do_consumer(&self, name: &str) -> Result<ConsumerDescription> {
        check::name(name, "consumerName")?;
        let now = self.store.now();
        let inner = self.present()?;
        let consumer = inner.consumers.get(name).ok_or_else(|| consumer_not_found(&self.store, name))?;
        Ok(consumer.describe(&self.arn(), now))
    }

    /// Up to `max_results` (1 to 10,000, by default 100) consumers by name, from the first or behind an earlier page.
    ///
    /// # Errors
    /// [`Validation`](Error::Validation) for a number out of bounds; [`InvalidArgument`](Error::InvalidArgument) for a
    /// token that is none; [`ExpiredNextToken`](Error::ExpiredNextToken); [`StreamNotFound`](Error::StreamNotFound).
    pub fn list_consumers(&self, max_results: Option<u32>, next_token: Option<&str>) -> Result<ConsumerList> {
        self.store
            .call("ListStreamConsumers", self.name(), || self.do_list_consumers(max_results, next_token))
    }

    fn do_list_consumers(&self, max_results: Option<u32>, next_token: Option<&str>) -> Result<ConsumerList> {
        let max = check::within(max_results.unwrap_or(PAGE), &(1..=PAGE_MAX), "maxResults")?;
        let now = self.store.now();
        let last = match next_token {
            Some(token) => match page_token(Kind::Consumers, token, now)? {
                (generation, last) if generation == self.state.generation => Some(last),
                _ => return Err(self.state.not_found(&self.store)),
            },
            None => None,
        };
        let inner = self.present()?;
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = inner.consumers.range((from, Bound::Unbounded)).map(|(_, consumer)| consumer);
        let arn = self.arn();
        let consumers: Vec<_> =
            behind.by_ref().take(max as usize).map(|consumer| consumer.describe(&arn, now)).collect();
        let next_token = match (behind.next(), consumers.last()) {
            (Some(_), Some(last)) => Some(next_page(Kind::Consumers, now, self.state.generation, &last.name)),
            _ => None,
        };
        Ok(ConsumerList { consumers, next_token })
    }

    /// Deregisters a consumer by its name and ends its subscriptions.
    ///
    /// # Errors
    /// As for [`consumer`](Self::consumer).
    pub fn deregister_consumer(&self, name: &str) -> Result<()> {
        self.store.call("DeregisterStreamConsumer", self.name(), || self.do_deregister_consumer(name))
    }

    fn do_deregister_consumer(&self, name: &str) -> Result<()> {
        check::name(name, "consumerName")?;
        Ok(self.stage_deregister(name, None)?.wait()?)
    }

    /// [`deregister_consumer`](Self::deregister_consumer) that holds no thread while it waits for the disk.
    pub async fn deregister_consumer_async(&self, name: &str) -> Result<()> {
        self.store
            .call_async("DeregisterStreamConsumer", self.name(), self.do_deregister_consumer_async(name))
            .await
    }

    async fn do_deregister_consumer_async(&self, name: &str) -> Result<()> {
        check::name(name, "consumerName")?;
        Ok(self.stage_deregister(name, None)?.done().await?)
    }

    fn stage_register(&self, name: &str, tags: &Tags) -> Result<Pending<ConsumerDescription>> {
        check::name(name, "consumerName")?;
        let account = self.store.account();
        if !tags.is_empty() {
            check::tags(tags, &Tags::new(), &self.state.name, account)?;
        }
        let delay = self.registry.dials.read().consumer_delay;
        let now = self.store.now();
        let mut inner = self.present_mut()?;
        if inner.status() == Status::Creating {
            return Err(self.state.not_found(&self.store));
        }
        if inner.consumers.contains_key(name) {
            let (stream, account) = (self.state.name.clone(), account.to_owned());
            return Err(Error::ConsumerExists { consumer: name.to_owned(), stream, account });
        }
        let creating = inner.consumers.values().filter(|known| known.status(now) == ConsumerStatus::Creating);
        if inner.consumers.len() >= CONSUMERS_MAX || creating.count() >= CREATING_MAX {
            return Err(Error::limit(format_args!(
                "Stream {} under account {account} has {} registered consumers; there may be {CONSUMERS_MAX}, and \
                 {CREATING_MAX} of them in CREATING state.",
                self.state.name,
                inner.consumers.len()
            )));
        }
        let record = ConsumerRecord { created: now, active: now + delay, tags: tags.clone() };
        let mut batch = self.store.batch();
        batch.put_in(inner.meta, &keys::consumer(name), &record.encode())?;
        let pending = self.store.commit(batch)?;
        let consumer = Arc::new(Consumer::new(name, record));
        let description = consumer.describe(&self.arn(), now);
        inner.consumers.insert(name.to_owned(), consumer);
        Ok(pending.map(|()| description))
    }

    /// With a time of registration, only the consumer of that second.
    fn stage_deregister(&self, name: &str, created: Option<u64>) -> Result<Pending<()>> {
        let mut inner = self.present_mut()?;
        let known = inner.consumers.get(name);
        let is_it = |consumer: &&Arc<Consumer>| created.is_none_or(|secs| consumer.created.as_secs() == secs);
        let consumer = known.filter(is_it).ok_or_else(|| consumer_not_found(&self.store, name))?;
        let consumer = Arc::clone(consumer);
        let mut batch = self.store.batch();
        batch.delete_in(inner.meta, &keys::consumer(name))?;
        let pending = self.store.commit(batch)?;
        inner.consumers.remove(name);
        inner.woken.append(&mut consumer.end_all());
        Ok(pending)
    }
}

impl Streams {
    /// The consumer with this ARN.
    ///
    /// # Errors
    /// [`ConsumerNotFound`](Error::ConsumerNotFound); [`StreamNotFound`](Error::StreamNotFound);
    /// [`InvalidArgument`](Error::InvalidArgument) for the ARN of something else.
    pub fn consumer(&self, arn: &str) -> Result<ConsumerDescription> {
        let (stream, consumer) = self.find_consumer(arn)?;
        Ok(consumer.describe(&stream.arn(), self.store.now()))
    }

    /// Deregisters the consumer with this ARN and ends its subscriptions.
    ///
    /// # Errors
    /// As for [`consumer`](Self::consumer).
    pub fn deregister_consumer(&self, arn: &str) -> Result<()> {
        self.store.call("DeregisterStreamConsumer", arn, || Ok(self.stage_deregister(arn)?.wait()?))
    }

    /// [`deregister_consumer`](Self::deregister_consumer) that holds no thread while it waits for the disk.
    pub async fn deregister_consumer_async(&self, arn: &str) -> Result<()> {
        self.store
            .call_async("DeregisterStreamConsumer", arn, async {
                Ok(self.stage_deregister(arn)?.done().await?)
            })
            .await
    }

    fn stage_deregister(&self, arn: &str) -> Result<Pending<()>> {
        let (stream, consumer) = self.find_consumer(arn)?;
        stream.stage_deregister(consumer.name(), Some(consumer.created.as_secs()))
    }

    pub(crate) fn find_consumer(&self, arn: &str) -> Result<(Stream, Arc<Consumer>)> {
        let Some(parts) = parse_arn(&self.store, arn) else {
            return Err(Error::invalid(format_args!("ConsumerARN {arn} is not the ARN of a consumer here.")));
        };
        let stream = self.stream(parts.stream)?;
        let consumer = stream.present()?.consumers.get(parts.consumer).cloned();
        let consumer = consumer.filter(|consumer| consumer.created.as_secs() == parts.created);
        Ok((stream, consumer.ok_or_else(|| consumer_not_found(&self.store, arn))?))
    }
}

/// What the ARN of a consumer says.
pub(crate) struct ConsumerArn<'a> {
    stream: &'a str,
    consumer: &'a str,
    created: u64,
}

pub(crate) fn parse_arn<'a>(store: &Store, arn: &'a str) -> Option<ConsumerArn<'a>> {
    let rest = arn.strip_prefix(&store.arn("kinesis", "stream/"))?;
    let (stream, rest) = rest.split_once("/consumer/")?;
    let (consumer, created) = rest.split_once(':')?;
    Some(ConsumerArn { stream, consumer, created: created.parse().ok()? })
}

#[cold]
pub(crate) fn consumer_not_found(store: &Store, consumer: &str) -> Error {
    Error::ConsumerNotFound { consumer: consumer.to_owned(), account: store.account().to_owned() }
}
