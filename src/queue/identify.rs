//! Message ids: made from a message's number and its queue's salt, so that they need no space, and found again by them.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The low bits of an id hold the number, scattered; two more mark the variant of a UUID.
const NUMBER_BITS: u32 = 62;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;
/// Odd, so that multiplying by it can be undone.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
const GATHER: u64 = inverse(SCATTER);
const _: () = assert!(SCATTER.wrapping_mul(GATHER) == 1);

/// What undoes multiplying by an odd number (Newton, each step doubles the right bits).
const fn inverse(odd: u64) -> u64 {
    let (mut inverse, mut step) = (odd, 0);
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// The id of the message with this number in the queue with this salt: a UUID, version 8 in the form of version 4.
pub(super) fn message_id(salt: u64, seq: u64) -> [u8; 16] {
    let check = xxh3_64_with_seed(&seq.to_le_bytes(), salt);
    let high = check & !0xf000 | 0x4000;
    let low = seq.wrapping_mul(SCATTER).wrapping_add(salt) & NUMBER_MASK | 1 << 63;
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// The number of the message that this queue gave this id.
pub(super) fn number_of(salt: u64, id: [u8; 16]) -> Option<u64> {
    let [_, _, _, _, _, _, _, _, low @ ..] = id;
    let low = u64::from_be_bytes(low) & NUMBER_MASK;
    let seq = low.wrapping_sub(salt).wrapping_mul(GATHER) & NUMBER_MASK;
    (message_id(salt, seq) == id).then_some(seq)
}

/// The text form of an id.
pub(super) fn parse(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    if bytes.len() != 36 || (0..36).any(|at| is_dash(at) != (bytes[at] == b'-')) {
        return None;
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u128::from_str_radix(&digits, 16).ok().filter(|_| is_hex).map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::message::uuid;

    #[test]
    fn an_id_leads_back_to_its_number() {
        for seq in [0, 1, 1_735_689_600_000 << 20, NUMBER_MASK] {
            let id = message_id(99, seq);
            assert_eq!(number_of(99, id), Some(seq));
            assert_eq!(number_of(98, id), None);
            let text = uuid(id);
            assert_eq!(parse(&text), Some(id));
            assert_eq!((text.as_bytes()[14], b"89ab".contains(&text.as_bytes()[19])), (b'4', true));
        }
        for bad in ["", "x", "00000000-0000-0000-0000-00000000000", "+0000000-0000-4000-8000-000000000000"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
