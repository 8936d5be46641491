//! Hash keys: which shard a record belongs to.

use crate::stream::error::{Error, Result};
use crate::stream::sequence::is_decimal;
use md5::{Digest, Md5};
use std::ops::RangeInclusive;

/// Digits of a hash key at most.
const DIGITS_MAX: usize = 39;

/// The hash key of a partition key: the MD5 of its UTF-8, as a big-endian number.
///
/// ```
/// use fourfold::stream::hash_key;
/// assert_eq!(hash_key("a"), 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
/// ```
#[expect(clippy::big_endian_bytes, reason = "the service reads the digest so")]
pub fn hash_key(partition_key: &str) -> u128 {
    let digest = Md5::digest(partition_key.as_bytes());
    u128::from_be_bytes(digest.into())
}

/// A hash key as text: `0`, or up to 39 digits that do not begin with one. `None` if the number is 2^128 or above.
pub(crate) fn parse(text: &str, member: &'static str) -> Result<Option<u128>> {
    if !is_decimal(text, DIGITS_MAX) {
        let rule = "satisfy regular expression pattern: 0|([1-9]\\d{0,38})";
        return Err(Error::constraint(Some(&text), member, rule));
    }
    Ok(text.parse().ok())
}

/// The explicit hash key of a record.
pub(crate) fn explicit(text: &str) -> Result<u128> {
    parse(text, "explicitHashKey")?.ok_or_else(|| {
        Error::invalid(format_args!(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {text}"
        ))
    })
}

/// All hash keys in `count` ranges: each as wide as the others, the last takes what is left over.
pub(crate) fn divide(count: u32) -> impl Iterator<Item = RangeInclusive<u128>> {
    let count = u128::from(count.max(1));
    // 2^128 / count, without 2^128.
    let width =
        if count == 1 { u128::MAX } else { u128::MAX / count + u128::from(u128::MAX % count == count - 1) };
    (0..count).map(move |number| {
        let start = number * width;
        if number + 1 == count { start..=u128::MAX } else { start..=start + width - 1 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_the_services() {
        let ranges = |count| -> Vec<_> { divide(count).map(RangeInclusive::into_inner).collect() };
        let third = 113_427_455_640_312_821_154_458_202_477_256_070_485;
        assert_eq!(ranges(1), [(0, u128::MAX)]);
        assert_eq!(ranges(2), [(0, (1 << 127) - 1), (1 << 127, u128::MAX)]);
        assert_eq!(ranges(3), [(0, third - 1), (third, 2 * third - 1), (2 * third, u128::MAX)]);
    }

    #[test]
    fn ranges_meet_and_cover_everything() {
        for count in [1, 2, 3, 4, 5, 7, 64, 1000, 9999, 10_000] {
            let ranges: Vec<_> = divide(count).collect();
            assert_eq!(ranges.len(), count as usize);
            assert_eq!((*ranges[0].start(), *ranges[count as usize - 1].end()), (0, u128::MAX));
            assert!(ranges.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()));
        }
    }

    #[test]
    fn explicit_keys_are_numbers_below_2_to_the_128() {
        assert_eq!(explicit("0").unwrap(), 0);
        assert_eq!(explicit("340282366920938463463374607431768211455").unwrap(), u128::MAX);
        let over = explicit("340282366920938463463374607431768211456").unwrap_err();
        assert_eq!(over.code(), "InvalidArgumentException");
        assert!(over.to_string().ends_with("Specified value was 340282366920938463463374607431768211456"));
        for text in ["", "00", "-1", "1e3", "1000000000000000000000000000000000000000"] {
            assert_eq!(explicit(text).unwrap_err().code(), "ValidationException", "{text}");
        }
    }
}
