//! The key a cursor stands on, put together from a block's prefix and an entry's suffix in one reused buffer.

use super::block::{HEAD_LEN, Item};

/// Up to this many bytes are copied as if they were this many, which is a few instructions instead of a call.
const SHORT_LEN: usize = 32;

#[derive(Debug, Default)]
pub(super) struct KeyBuffer {
    /// Longer than the key, so that a short rest can be copied with bytes that do not belong to it.
    bytes: Vec<u8>,
    /// How much of `bytes` is the prefix of the current block; entries of the block replace only what follows.
    prefix_len: usize,
    len: usize,
}

impl KeyBuffer {
    /// From now on entries are of a block with this prefix.
    pub(super) fn enter(&mut self, prefix: &[u8]) {
        self.make_room(prefix.len());
        self.bytes[..prefix.len()].copy_from_slice(prefix);
        self.prefix_len = prefix.len();
        self.len = prefix.len();
    }

    /// Becomes the key of `item`, whose block begins with `block`.
    #[expect(clippy::inline_always, reason = "part of every step of a cursor")]
    #[inline(always)]
    pub(super) fn set(&mut self, item: &Item, block: &[u8]) {
        self.len = self.prefix_len + item.suffix_len;
        if self.len + HEAD_LEN + SHORT_LEN > self.bytes.len() {
            self.make_room(self.len);
        }
        let suffix = &mut self.bytes[self.prefix_len..];
        let (head, room) = suffix.split_at_mut(HEAD_LEN);
        head.copy_from_slice(&item.head);
        let rest_len = item.value - item.rest;
        match (block[item.rest..].first_chunk::<SHORT_LEN>(), room.first_chunk_mut::<SHORT_LEN>()) {
            (Some(rest), Some(room)) if rest_len <= SHORT_LEN => *room = *rest,
            _ => room[..rest_len].copy_from_slice(&block[item.rest..item.value]),
        }
    }

    #[inline]
    pub(super) fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[cold]
    fn make_room(&mut self, len: usize) {
        let len = len + HEAD_LEN + SHORT_LEN;
        if len > self.bytes.len() {
            self.bytes.resize(len.next_power_of_two(), 0);
        }
    }
}
