//! A message as a queue has it in memory, and those that are sent together in memory of their own.

use crate::Timestamp;
use crate::queue::large::LargeBody;
use crate::queue::message::{Attributes, Text};
use std::ops::Deref;
use std::sync::Arc;

/// A message as a queue keeps it; immutable once it is sent.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its place in the queue, from which its time follows.
    pub(super) seq: u64,
    /// How many messages the queue had taken, this one included.
    pub(super) ordinal: u64,
    pub(super) group: Option<Arc<str>>,
    pub(super) deduplication_id: Option<String>,
    pub(super) trace: Option<String>,
    pub(super) attributes: Attributes,
    pub(super) body: Text,
    /// Where its body is, if that is large; then `body` only says where.
    pub(super) large: Option<Box<LargeBody>>,
    /// What it was in the queue that it came from, if it was given up there.
    pub(super) origin: Option<Box<Origin>>,
}

/// What a dead letter keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) id: [u8; 16],
    pub(super) sent: Timestamp,
    pub(super) receive_count: u32,
    pub(super) first_received: Timestamp,
    /// The name of the queue.
    pub(super) queue: String,
}

/// A message that many have, with those that were sent with it.
///
/// One thread sends and another one receives, and so gives back what the first allocated: for that the allocator takes a
/// lock. So messages that come together share what they take, short bodies included (`Text::join`).
#[derive(Clone, Debug)]
pub(super) struct Shared {
    together: Arc<[Stored]>,
    at: usize,
}

impl Shared {
    /// All of them, in order.
    pub(super) fn all(messages: Vec<Stored>) -> impl Iterator<Item = Self> {
        let together: Arc<[Stored]> = messages.into();
        (0..together.len()).map(move |at| Self { together: Arc::clone(&together), at })
    }
}

impl From<Stored> for Shared {
    fn from(message: Stored) -> Self {
        Self { together: Arc::new([message]), at: 0 }
    }
}

impl Deref for Shared {
    type Target = Stored;

    fn deref(&self) -> &Stored {
        // `at` is below their number (`all`).
        &self.together[self.at]
    }
}
