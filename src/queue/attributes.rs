//! The attributes of a queue, as requests and answers spell them.

use crate::queue::redrive::RedrivePolicy;
use std::collections::BTreeMap;

/// Values for attributes of a queue, by the service's names, as texts. They are checked where they are used.
///
/// ```
/// use fourfold::queue::{NewQueue, QueueAttributes};
/// let queues = fourfold::Store::in_memory().queues();
/// let failed = queues.create("failed-jobs")?;
/// let jobs = queues.create(NewQueue::new("jobs").attributes(
///     QueueAttributes::new().visibility_timeout(120).dead_letters_to(failed.arn(), 3).set("DelaySeconds", "5"),
/// ))?;
/// assert_eq!(jobs.attributes(&["VisibilityTimeout"])?["VisibilityTimeout"], "120");
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueAttributes(BTreeMap<String, String>);

impl QueueAttributes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Any attribute by its name.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// `DelaySeconds`, 0 to 900: how long after it was sent a message can be received. Default: 0.
    #[must_use]
    pub fn delay(self, seconds: u32) -> Self {
        self.set("DelaySeconds", seconds.to_string())
    }

    /// `VisibilityTimeout`, 0 to 43,200 seconds: how long a received message is invisible. Default: 30.
    #[must_use]
    pub fn visibility_timeout(self, seconds: u32) -> Self {
        self.set("VisibilityTimeout", seconds.to_string())
    }

    /// `MessageRetentionPeriod`, 60 to 1,209,600 seconds: how long a message is kept. Default: 345,600, four days.
    #[must_use]
    pub fn retention(self, seconds: u32) -> Self {
        self.set("MessageRetentionPeriod", seconds.to_string())
    }

    /// `ReceiveMessageWaitTimeSeconds`, 0 to 20: how long a receive waits for messages. Default: 0.
    #[must_use]
    pub fn receive_wait(self, seconds: u32) -> Self {
        self.set("ReceiveMessageWaitTimeSeconds", seconds.to_string())
    }

    /// `ContentBasedDeduplication`: messages of a FIFO queue without a deduplication id are known by their body.
    #[must_use]
    pub fn content_based_deduplication(self) -> Self {
        self.set("ContentBasedDeduplication", "true")
    }

    /// `RedrivePolicy`: a message received `max_receive_count` times (1 to 1000) and not deleted goes to the queue with
    /// this ARN.
    #[must_use]
    pub fn dead_letters_to(self, target_arn: impl Into<String>, max_receive_count: u32) -> Self {
        let policy = RedrivePolicy { target_arn: target_arn.into(), max_receive_count };
        self.set("RedrivePolicy", policy.to_json())
    }

    /// The value given for an attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and values, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Is none given?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for QueueAttributes {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A queue to be created: a name, attributes where they differ from the defaults, tags.
///
/// ```
/// use fourfold::queue::NewQueue;
/// let queues = fourfold::Store::in_memory().queues();
/// let orders = queues.create(NewQueue::new("orders.fifo").fifo().tag("team", "shop"))?;
/// assert_eq!(orders.tags()?["team"], "shop");
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a queue is created by `Queues::create`"]
pub struct NewQueue {
    pub(super) name: String,
    pub(super) attributes: QueueAttributes,
    pub(super) tags: BTreeMap<String, String>,
}

impl NewQueue {
    /// A queue of 1 to 80 of `A-Z a-z 0-9 _ -`, `.fifo` behind them for a FIFO queue.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// A FIFO queue; its name ends in `.fifo`.
    pub fn fifo(mut self) -> Self {
        self.attributes = self.attributes.set("FifoQueue", "true");
        self
    }

    /// More attributes.
    pub fn attributes(mut self, attributes: QueueAttributes) -> Self {
        self.attributes.0.extend(attributes.0);
        self
    }

    /// A tag; at most fifty.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}

impl<T: Into<String>> From<T> for NewQueue {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}
