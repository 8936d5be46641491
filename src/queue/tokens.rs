//! The deduplication window of a FIFO queue: which ids were sent within five minutes.
//!
//! An id is known by its hash, alone and together with its group, so that a change of the scope changes only which of the
//! two is asked for.

use crate::Timestamp;
use crate::queue::keys;
use crate::queue::limits::DEDUPLICATION_WINDOW;
use crate::queue::settings::Scope;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// The hash of a group and an id, and of the id alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) alone: u128,
    pub(super) grouped: u128,
}

impl Token {
    pub(super) fn new(group: &str, id: &str) -> Self {
        let alone = xxh3_128(id.as_bytes());
        // No id has the byte between: a group and an id are never another group and another id.
        let both = [group.as_bytes(), &[0], id.as_bytes()].concat();
        Self { alone, grouped: xxh3_128_with_seed(&both, 1) }
    }

    /// Are they duplicates of each other?
    pub(super) fn equals(self, other: Self, scope: Scope) -> bool {
        self.key(scope) == other.key(scope)
    }

    fn key(self, scope: Scope) -> u128 {
        match scope {
            Scope::Queue => self.alone,
            Scope::MessageGroup => self.grouped,
        }
    }
}

/// Keys that are hashes need no other.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, key: u128) {
        let [low @ .., _, _, _, _, _, _, _, _] = key.to_le_bytes();
        self.0 = u64::from_le_bytes(low);
    }
}

/// Ids sent within the window.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    sent: HashMap<u128, u64, BuildHasherDefault<Identity>>,
    order: VecDeque<(u64, Token)>,
    /// Messages whose ids were forgotten here and may still be in the keyspace.
    stale: usize,
}

/// How many forgotten ids make clearing the keyspace worth it.
const STALE_MAX: usize = 1024;

impl Tokens {
    /// The first number within the window.
    pub(super) fn start(now: Timestamp) -> u64 {
        // Of what was sent five minutes ago to the millisecond, the window is over.
        keys::first_number(now - DEDUPLICATION_WINDOW).saturating_add(1 << 20)
    }

    /// The message that was sent with this id, if the window still knows.
    pub(super) fn find(&self, token: Token, scope: Scope) -> Option<u64> {
        self.sent.get(&token.key(scope)).copied()
    }

    pub(super) fn insert(&mut self, seq: u64, token: Token) {
        self.sent.insert(token.alone, seq);
        self.sent.insert(token.grouped, seq);
        self.order.push_back((seq, token));
    }

    /// Forgets what the window has passed.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let start = Self::start(now);
        while let Some((seq, token)) = self.order.pop_front_if(|(seq, _)| *seq < start) {
            for key in [token.alone, token.grouped] {
                if self.sent.get(&key) == Some(&seq) {
                    self.sent.remove(&key);
                }
            }
            self.stale += 1;
        }
    }

    /// Below which the keyspace may be cleared, if it is worth it.
    pub(super) fn floor(&mut self) -> Option<u64> {
        if self.stale < STALE_MAX {
            return None;
        }
        self.stale = 0;
        Some(self.order.front().map_or(u64::MAX, |(seq, _)| *seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_five_minutes() {
        let start = Timestamp::from_secs(1_000_000);
        let mut tokens = Tokens::default();
        let token = Token::new("g", "id");
        tokens.insert(keys::first_number(start), token);
        let elsewhere = Token::new("h", "id");
        assert!(tokens.find(elsewhere, Scope::Queue).is_some());
        assert!(tokens.find(elsewhere, Scope::MessageGroup).is_none());
        tokens.advance(start + DEDUPLICATION_WINDOW - std::time::Duration::from_millis(1));
        assert!(tokens.find(token, Scope::MessageGroup).is_some());
        tokens.advance(start + DEDUPLICATION_WINDOW);
        assert!(
            tokens.find(token, Scope::MessageGroup).is_none() && tokens.find(token, Scope::Queue).is_none()
        );
        assert!(tokens.sent.is_empty() && tokens.order.is_empty());
    }
}
