//! Where a queue keeps what, and in which order.
//!
//! | space | key | value |
//! | --- | --- | --- |
//! | messages | group, `00`, number | a message; the group is empty for one without |
//! | leases | number | of a message that was received: since when, until when, how often |
//! | delays | due time, number | the group of a message of a standard queue that is delayed |
//! | tokens | number | of a FIFO message: the hash of its deduplication id, for five minutes |
//! | facts | `C` | how many messages were taken and are gone |
//! | facts | `T`, start | a move task |
//!
//! Numbers and times are big endian, so that keys are in their order. The number of a message is the millisecond it was
//! sent in and a count within it: numbers grow, and what is older than some time is below some number.
//!
//! Not here: values (`record`).

use crate::Timestamp;

/// Bits of a number that count within a millisecond.
const COUNT_BITS: u32 = 20;
/// Behind the group in the key of a message; no group has this byte.
const GROUP_END: u8 = 0;

/// The first number of a moment.
pub(super) fn first_number(at: Timestamp) -> u64 {
    at.as_millis().min(u64::MAX >> COUNT_BITS) << COUNT_BITS
}

/// The moment that a number belongs to.
pub(super) fn time_of(seq: u64) -> Timestamp {
    Timestamp::from_millis(seq >> COUNT_BITS)
}

/// A key in place: short ones need no allocation.
#[derive(Clone, Debug)]
pub(super) enum MessageKey {
    Plain([u8; 9]),
    Grouped(Vec<u8>),
}

impl AsRef<[u8]> for MessageKey {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Plain(key) => key,
            Self::Grouped(key) => key,
        }
    }
}

/// The key of a message.
pub(super) fn message(group: &str, seq: u64) -> MessageKey {
    if group.is_empty() {
        let mut key = [GROUP_END; 9];
        key[1..].copy_from_slice(&number(seq));
        return MessageKey::Plain(key);
    }
    let mut key = Vec::with_capacity(group.len() + 9);
    key.extend_from_slice(group.as_bytes());
    key.push(GROUP_END);
    key.extend_from_slice(&number(seq));
    MessageKey::Grouped(key)
}

/// Below every message of every group behind `group`, above those of it.
pub(super) fn behind_group(group: &str) -> Vec<u8> {
    let mut key = group.as_bytes().to_vec();
    key.push(GROUP_END + 1);
    key
}

/// Group and number in the key of a message.
#[expect(clippy::big_endian_bytes, reason = "numbers are ordered as keys")]
pub(super) fn parse_message(key: &[u8]) -> Option<(&str, u64)> {
    let (rest, seq) = key.split_last_chunk::<8>()?;
    let (end, group) = rest.split_last()?;
    if *end != GROUP_END {
        return None;
    }
    Some((std::str::from_utf8(group).ok()?, u64::from_be_bytes(*seq)))
}

/// The key of a lease or a token, and the tail of the others.
#[expect(clippy::big_endian_bytes, reason = "numbers are ordered as keys")]
pub(super) fn number(seq: u64) -> [u8; 8] {
    seq.to_be_bytes()
}

/// The number in the key of a lease or a token.
pub(super) fn parse_number(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// The key of a delay.
pub(super) fn delay(due: Timestamp, seq: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number(due.as_millis()));
    key[8..].copy_from_slice(&number(seq));
    key
}

/// Due time and number in the key of a delay.
pub(super) fn parse_delay(key: &[u8]) -> Option<(Timestamp, u64)> {
    let (due, seq) = key.split_at_checked(8)?;
    Some((Timestamp::from_millis(parse_number(due)?), parse_number(seq)?))
}

/// The key of the counts.
pub(super) const COUNTS: &[u8] = b"C";
/// Before the start of a move task in its key.
pub(super) const TASK: &[u8] = b"T";

/// The key of a move task.
pub(super) fn task(number_of_task: u64) -> [u8; 9] {
    let mut key = [TASK[0]; 9];
    key[1..].copy_from_slice(&number(number_of_task));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for group in ["", "a", "customer-7"] {
            assert_eq!(parse_message(message(group, 7 << 40).as_ref()), Some((group, 7 << 40)));
        }
        let at = Timestamp::from_millis(1_735_689_600_123);
        assert_eq!(time_of(first_number(at)), at);
        assert_eq!(time_of(first_number(at) + (1 << COUNT_BITS) - 1), at);
        assert_eq!(parse_delay(&delay(at, 9)), Some((at, 9)));
        assert_eq!(parse_number(&number(9)), Some(9));
        for short in [&[][..], &[0; 7], &[1; 9]] {
            assert_eq!(parse_message(short), None);
        }
    }

    #[test]
    fn groups_do_not_mix() {
        let keys = [
            message("", u64::MAX).as_ref().to_vec(),
            behind_group(""),
            message("a", 0).as_ref().to_vec(),
            message("a", u64::MAX).as_ref().to_vec(),
            behind_group("a"),
            message("a!", 0).as_ref().to_vec(),
            message("b", 0).as_ref().to_vec(),
        ];
        assert!(keys.is_sorted());
        assert!(first_number(Timestamp::MAX) > first_number(Timestamp::from_secs(1 << 33)));
    }
}
