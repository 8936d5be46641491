//! A message as a queue has it in memory, and those that are sent together in memory of their own.

use crate::Timestamp;
use crate::queue::large::LargeBody;
use crate::queue::limits::BATCH_ENTRIES_MAX;
use crate::queue::message::{Attributes, Text};
use std::fmt;
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
/// lock. So short messages that come together share what they take, bodies included (`Text::join`). Others don't: each of
/// them would keep all.
#[derive(Clone)]
pub(super) struct Shared {
    together: Arc<[Stored]>,
    at: usize,
}

impl Shared {
    /// All of them, in order.
    pub(super) fn all(messages: Vec<Stored>) -> impl Iterator<Item = Self> {
        let is_short = |message: &Stored| message.attributes.is_empty() && message.body.is_short();
        let (together, alone): (Arc<[Stored]>, _) =
            if messages.len() <= BATCH_ENTRIES_MAX && messages.iter().all(is_short) {
                (messages.into(), Vec::new())
            } else {
                (Arc::new([]), messages)
            };
        let shared = (0..together.len()).map(move |at| Self { together: Arc::clone(&together), at });
        shared.chain(alone.into_iter().map(Self::from))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: u64, len: usize) -> Stored {
        Stored {
            seq,
            ordinal: seq,
            group: None,
            deduplication_id: None,
            trace: None,
            attributes: Attributes::new(),
            body: Text::from("x".repeat(len)),
            large: None,
            origin: None,
        }
    }

    /// Whether messages of these lengths share their memory, and whether each is itself.
    fn shares(lens: &[usize]) -> bool {
        let messages = (1..).zip(lens).map(|(seq, len)| message(seq, *len)).collect();
        let shared: Vec<Shared> = Shared::all(messages).collect();
        assert!(
            shared
                .iter()
                .zip(lens)
                .zip(1..)
                .all(|((message, len), seq)| { (message.seq, message.body.as_bytes().len()) == (seq, *len) })
        );
        assert_eq!(shared.len(), lens.len());
        shared.windows(2).all(|pair| Arc::ptr_eq(&pair[0].together, &pair[1].together))
    }

    #[test]
    fn only_what_is_short_keeps_what_came_with_it() {
        assert!(shares(&[1; 10]) && shares(&[1024, 0]) && shares(&[]));
        assert!(!shares(&[1, 1025]), "nine long ones would stay because of a short one");
        assert!(!shares(&[1; 11]), "of a transaction");
        let one = Shared::all(vec![message(1, 3), message(2, 4)]).next();
        assert!(!format!("{one:?}").contains("xxxx"), "others are nobody's business");
    }

    #[test]
    fn short_bodies_lie_in_one_piece() {
        let mut texts = ["one", "", "three"].map(Text::from);
        let mut long = Text::from("x".repeat(1025));
        let before = long.as_bytes().as_ptr();
        let [one, two, three] = &mut texts;
        Text::join(&mut [one, &mut long, two, three]);
        assert_eq!(texts.each_ref().map(Text::as_str), ["one", "", "three"]);
        assert_eq!(texts[2].as_bytes().as_ptr() as usize - texts[0].as_bytes().as_ptr() as usize, 3);
        assert_eq!(long.as_bytes().as_ptr(), before);
    }
}
