//! Sequence numbers: what orders the records of a shard.
//!
//! N1. A number has 188 bits, is written in decimal (56 digits), and is compared as an integer. From the top, in hexadecimal
//!     digits: `2`, 9 of the second the shard was made in, 1 of the shard's index, 16 of the *place* in the shard, 2 that
//!     are zero here, 9 of the second the record came in, 8 of the shard's index, `2` for the version of the form.
//! N2. The place alone orders the records of a shard. A shard made from others is made in a later second than they were
//!     by its numbers, so its numbers are above theirs.
//! N3. A place is never used twice: see [`first_place`].

use crate::clock::Timestamp;
use crate::stream::limits::SHARD_INDEX_MAX;
use std::fmt;
use std::str::FromStr;

/// The place of a shard's end: above that of each record.
pub(crate) const END: u64 = u64::MAX >> 1;
/// Places that an incarnation of the store has to itself.
const INCARNATION_SHIFT: u32 = 40;
/// Digits that a sequence number may have at most where the service takes one.
const DIGITS_MAX: usize = 129;
const VERSION: u64 = 2;
const TOP: u64 = 2 << 56;

/// The first place that this incarnation of a store gives out: above all of earlier ones, also those that a crash lost
/// and a reader may have seen.
pub(crate) const fn first_place(incarnation: u32) -> u64 {
    ((incarnation as u64) << INCARNATION_SHIFT & END) | 1
}

/// Where a record stands in its shard. It is written as a decimal number, as the service does it, and compared as one.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::SequenceNumber};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let (first, second) = (stream.put("user", "a")?, stream.put("user", "b")?);
/// assert!(first.sequence_number < second.sequence_number);
/// let text = first.sequence_number.to_string();
/// assert_eq!(text.len(), 56);
/// assert_eq!(text.parse::<SequenceNumber>(), Ok(first.sequence_number));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber {
    /// The upper 60 bits, then the lower 128.
    high: u64,
    low: u128,
}

impl SequenceNumber {
    /// The number of a record that came to `place` at `at`, in the shard `shard` of the second `created`.
    pub(crate) fn new(created: u64, shard: u32, place: u64, at: Timestamp) -> Self {
        let secs = u128::from(at.as_secs()) & ((1 << 36) - 1);
        let high = TOP | (created & ((1 << 36) - 1)) << 20 | u64::from(shard & 0xf) << 16 | place >> 48;
        let low = u128::from(place & ((1 << 48) - 1)) << 80
            | secs << 36
            | u128::from(shard) << 4
            | u128::from(VERSION);
        Self { high, low }
    }

    /// The place in the shard.
    pub(crate) fn place(self) -> u64 {
        let low = u64::try_from(self.low >> 80).unwrap_or_default();
        (self.high & 0xffff) << 48 | low
    }

    /// The second in which the shard was made, as its numbers tell it.
    pub(crate) fn created(self) -> u64 {
        self.high >> 20 & ((1 << 36) - 1)
    }

    pub(crate) fn shard(self) -> u32 {
        u32::try_from(self.low >> 4 & u128::from(u32::MAX)).unwrap_or_default()
    }

    /// The second in which the record came.
    pub(crate) fn secs(self) -> u64 {
        u64::try_from(self.low >> 36 & ((1 << 36) - 1)).unwrap_or_default()
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Limbs([low_limb(self.low), low_limb(self.low >> 64), self.high]).fmt(f)
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceNumber({self})")
    }
}

/// A text is not the decimal form of a sequence number that a shard of this form could have given out.
///
/// ```
/// use fourfold::stream::{InvalidSequenceNumber, SequenceNumber};
/// assert_eq!("12".parse::<SequenceNumber>(), Err(InvalidSequenceNumber));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSequenceNumber;

impl fmt::Display for InvalidSequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a sequence number")
    }
}

impl std::error::Error for InvalidSequenceNumber {}

impl FromStr for SequenceNumber {
    type Err = InvalidSequenceNumber;

    fn from_str(text: &str) -> Result<Self, InvalidSequenceNumber> {
        match Parsed::from_text(text) {
            Some(Parsed::Current(number)) if number.shard() <= SHARD_INDEX_MAX => Ok(number),
            _ => Err(InvalidSequenceNumber),
        }
    }
}

/// What a text says that stands where a sequence number is expected. The service still understands numbers of the two
/// forms that it gave out years ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Its shard may be beyond all that there can be.
    Current(SequenceNumber),
    /// Of an older form.
    Old {
        shard: u32,
        /// The second in which the record came; the oldest form does not say it.
        secs: Option<u64>,
    },
}

impl Parsed {
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let is_number = is_decimal(text, DIGITS_MAX);
        let limbs = Limbs::from_decimal(text).filter(|_| is_number)?;
        let [low, middle, high] = limbs.0;
        let top = u128::from(high) << 64 | u128::from(middle);
        // Below 2^128 a number is taken for the oldest form, whatever its first digit is.
        if high == 0 {
            return Self::oldest(&limbs);
        }
        // Between 2^185 and half as much again: the current form, or the one before.
        if !(TOP..TOP | 1 << 56).contains(&high) {
            return None;
        }
        match low & 0xf {
            1 => Some(Self::Old {
                shard: u32::try_from(low >> 4 & u64::from(u32::MAX)).ok()?,
                secs: Some(u64::try_from(top >> 36 & ((1 << 36) - 1)).ok()?),
            }),
            2 => {
                let number = SequenceNumber { high, low: u128::from(middle) << 64 | u128::from(low) };
                let is_sound = number.place() <= END && number.created() < SECS_MAX;
                is_sound.then_some(Self::Current(number))
            }
            _ => None,
        }
    }

    /// `1`, 9 digits of the second the shard was made in, 2 of something, 16 by chance, 4 of the shard's index.
    fn oldest(limbs: &Limbs) -> Option<Self> {
        let [low, middle, _] = limbs.0;
        let created = middle >> 24 & ((1 << 36) - 1);
        let shard = u32::try_from(low & 0xffff).ok()?;
        (created < SECS_MAX).then_some(Self::Old { shard, secs: None })
    }
}

/// The service takes no later second for one in which a shard was made.
const SECS_MAX: u64 = 16_025_175_000;

/// Is it `0`, or digits that do not begin with one, and no more than `max` of them?
pub(crate) fn is_decimal(text: &str, max: usize) -> bool {
    let digits = text.as_bytes();
    !digits.is_empty()
        && digits.len() <= max
        && digits.iter().all(u8::is_ascii_digit)
        && (digits.len() == 1 || digits[0] != b'0')
}

/// 192 bits, the low ones first.
struct Limbs([u64; 3]);

/// The largest power of ten in a limb, and its exponent.
const CHUNK: u64 = 10_000_000_000_000_000_000;
const CHUNK_DIGITS: usize = 19;

impl Limbs {
    /// `None` if it does not fit.
    fn from_decimal(text: &str) -> Option<Self> {
        let mut limbs = [0_u64; 3];
        for digit in text.bytes() {
            let mut carry = u128::from(digit.checked_sub(b'0')?);
            for limb in &mut limbs {
                let product = u128::from(*limb) * 10 + carry;
                *limb = low_limb(product);
                carry = product >> 64;
            }
            if carry > 0 {
                return None;
            }
        }
        Some(Self(limbs))
    }

    /// Divides by [`CHUNK`] and returns the remainder.
    fn shift_out(&mut self) -> u64 {
        let mut rest = 0_u128;
        for limb in self.0.iter_mut().rev() {
            let dividend = rest << 64 | u128::from(*limb);
            *limb = low_limb(dividend / u128::from(CHUNK));
            rest = dividend % u128::from(CHUNK);
        }
        low_limb(rest)
    }
}

impl fmt::Display for Limbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limbs = Self(self.0);
        let chunks = [limbs.shift_out(), limbs.shift_out(), limbs.shift_out()];
        match chunks {
            [low, 0, 0] => write!(f, "{low}"),
            [low, middle, 0] => write!(f, "{middle}{low:0CHUNK_DIGITS$}"),
            [low, middle, high] => write!(f, "{high}{middle:0CHUNK_DIGITS$}{low:0CHUNK_DIGITS$}"),
        }
    }
}

/// The low half.
fn low_limb(wide: u128) -> u64 {
    u64::try_from(wide & u128::from(u64::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(
            created in 0_u64..SECS_MAX, shard in 0..=SHARD_INDEX_MAX, place in 0..=END, secs in 0_u64..1 << 36,
        ) {
            let number = SequenceNumber::new(created, shard, place, Timestamp::from_secs(secs));
            prop_assert_eq!(number.created(), created);
            prop_assert_eq!(number.shard(), shard);
            prop_assert_eq!(number.place(), place);
            prop_assert_eq!(number.secs(), secs);
            let text = number.to_string();
            prop_assert_eq!(text.len(), 56);
            prop_assert_eq!(text.parse(), Ok(number));
        }

        #[test]
        fn numbers_are_ordered_as_they_read(a in any::<(u32, u16, u32, u32)>(), b in any::<(u32, u16, u32, u32)>()) {
            let number = |(created, shard, place, secs): (u32, u16, u32, u32)| SequenceNumber::new(
                created.into(), shard.into(), place.into(), Timestamp::from_secs(secs.into()));
            let (a, b) = (number(a), number(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn any_text_is_a_number_or_not(text in "[0-9]{0,140}") {
            if let Some(Parsed::Current(number)) = Parsed::from_text(&text) {
                prop_assert_eq!(number.to_string(), text);
            }
        }
    }

    /// Numbers that the service gave out: where a shard of 2015 starts, and a record of 2018.
    #[test]
    fn the_form_is_the_services() {
        let text = "49546986683135544286507457935754639466300920667981217794";
        let number: SequenceNumber = text.parse().unwrap();
        assert_eq!((number.shard(), number.place(), number.secs()), (0, 0, 1_421_279_230));
        assert_eq!(number.created(), number.secs());
        let at = Timestamp::from_secs(number.secs());
        assert_eq!(SequenceNumber::new(number.created(), 0, 0, at), number);
        let text = "49590338271490256608559692538361571095921575989136588898";
        let number: SequenceNumber = text.parse().unwrap();
        assert_eq!((number.shard(), number.place()), (6, 1_734_642_199));
        assert_eq!((number.created(), number.secs()), (1_542_776_258, 1_545_084_650));
        let at = Timestamp::from_secs(number.secs());
        assert_eq!(SequenceNumber::new(number.created(), 6, number.place(), at), number);
        assert_eq!(number.to_string(), text);
    }

    #[test]
    fn old_forms_are_understood() {
        assert_eq!(Parsed::from_text("0"), Some(Parsed::Old { shard: 0, secs: None }));
        assert_eq!(Parsed::from_text("7"), Some(Parsed::Old { shard: 7, secs: None }));
        let version_1 = "49537279973004700513262647557344055618854783026326405121";
        assert!(matches!(Parsed::from_text(version_1), Some(Parsed::Old { shard: 0, secs: Some(_) })));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let power = |exponent: u32| {
            let mut limbs = [0; 3];
            limbs[exponent as usize / 64] = 1 << (exponent % 64);
            Limbs(limbs).to_string()
        };
        let nines = "9".repeat(129);
        for text in ["", "-1", "01", "1a", &nines, &power(185), &power(186), &power(130), " 1", "1 "] {
            assert_eq!(Parsed::from_text(text), None, "{text}");
        }
        let at = Timestamp::from_secs(5);
        let number = |created, shard| SequenceNumber::new(created, shard, 1, at).to_string();
        assert_eq!(Parsed::from_text(&number(SECS_MAX, 0)), None, "made too late");
        let beyond = number(5, SHARD_INDEX_MAX + 1);
        assert!(matches!(Parsed::from_text(&beyond), Some(Parsed::Current(_))), "of no shard");
        assert_eq!(beyond.parse::<SequenceNumber>(), Err(InvalidSequenceNumber));
    }

    #[test]
    fn incarnations_do_not_share_places() {
        assert!(first_place(1) + (1 << 39) < first_place(2));
        assert!(first_place(u32::MAX) < END);
    }
}
