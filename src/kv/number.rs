//! Decimal numbers as the table service has them: 38 significant digits, exact, of a magnitude of 1E-130 to 9.99E+125.
//!
//! N1. One number has one form: the coefficient is zero, or ends in another digit than zero; zero has no sign. So
//!     equal numbers are equal field by field, whatever they were written as.
//! N2. Keys of numbers compare as bytes the way the numbers compare, and no key is the beginning of another.
//!
//! A key is a head byte, the coefficient in base 100 aligned to the decimal point, and an end byte. The head counts the
//! base-100 digits before the point: 128 to 255 for positive numbers, mirrored below for negative ones; it is 128 for
//! zero too, which has no digits and so comes first. Digits are stored as 1 to 100, mirrored for negative numbers, and
//! end with 0, or 102 in a negative number: below, or above, every digit. Without the end byte of a positive number
//! these are as many bytes as the service charges for.

use super::error::{Error, Result};
use std::{cmp::Ordering, fmt, str::FromStr};

/// Significant digits of a number, at most.
pub const DIGITS_MAX: u32 = 38;
/// The first digit of a number stands for at most this power of ten.
const MAGNITUDE_MAX: i64 = 125;
/// The first digit of a number stands for at least this power of ten.
const MAGNITUDE_MIN: i64 = -130;
/// 10 to the power of [`DIGITS_MAX`].
const COEFFICIENT_END: u128 = 10_u128.pow(DIGITS_MAX);
/// Base-100 digits of a number, at most: 38 decimal digits that begin and end in the middle of a pair.
const PAIRS_MAX: usize = 20;

const ZERO_HEAD: u8 = 128;
/// The head of a positive number whose first base-100 digit stands for 1.
const POSITIVE_HEAD: i64 = 193;
/// The same of a negative number.
const NEGATIVE_HEAD: i64 = 62;
const POSITIVE_END: u8 = 0;
const NEGATIVE_END: u8 = 102;

/// A decimal number: up to 38 significant digits, zero or of a magnitude between 1E-130 and 9.99...E+125.
///
/// Numbers are compared, added and subtracted exactly. [`Display`](fmt::Display) is the service's canonical form:
/// plain decimal digits, never an exponent.
///
/// ```
/// use fourfold::kv::Number;
///
/// let price: Number = "+019.90".parse()?;
/// assert_eq!(price.to_string(), "19.9");
/// assert_eq!("1e3".parse::<Number>()?, Number::from(1000));
/// assert_eq!(price.checked_add(Number::from(1))?.to_string(), "20.9");
/// assert!("1e126".parse::<Number>().is_err());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    /// Less than 10^38.
    coefficient: u128,
    /// The power of ten that the last digit of the coefficient stands for.
    exponent: i16,
}

impl Number {
    /// 0.
    pub const ZERO: Self = Self { negative: false, coefficient: 0, exponent: 0 };

    /// The sum.
    ///
    /// # Errors
    /// `ValidationException` if the sum has more than 38 significant digits, or is out of range.
    pub fn checked_add(self, other: Self) -> Result<Self> {
        if self.coefficient == 0 {
            return Ok(other);
        }
        if other.coefficient == 0 {
            return Ok(self);
        }
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        // Aligned to the lower exponent. Where this overflows the sum has more than 38 digits too, as the last digit
        // of `low` is not zero.
        let shift = u32::from(high.exponent.abs_diff(low.exponent));
        let shifted = 10_u128
            .checked_pow(shift)
            .and_then(|power| high.coefficient.checked_mul(power))
            .ok_or_else(overflow)?;
        let exponent = i64::from(low.exponent);
        if high.negative == low.negative {
            let sum = shifted.checked_add(low.coefficient).ok_or_else(overflow)?;
            return Self::exact(high.negative, sum, exponent);
        }
        match shifted.cmp(&low.coefficient) {
            Ordering::Equal => Ok(Self::ZERO),
            Ordering::Greater => Self::exact(high.negative, shifted - low.coefficient, exponent),
            Ordering::Less => Self::exact(low.negative, low.coefficient - shifted, exponent),
        }
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`checked_add`](Self::checked_add).
    pub fn checked_sub(self, other: Self) -> Result<Self> {
        self.checked_add(-other)
    }

    /// The number as an integer, if it is one and fits.
    ///
    /// ```
    /// use fourfold::kv::Number;
    /// assert_eq!("1e2".parse::<Number>()?.to_i128(), Some(100));
    /// assert_eq!("0.5".parse::<Number>()?.to_i128(), None);
    /// # Ok::<(), fourfold::kv::Error>(())
    /// ```
    pub fn to_i128(self) -> Option<i128> {
        let power = 10_i128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let magnitude = i128::try_from(self.coefficient).ok()?.checked_mul(power)?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The nearest binary floating-point number.
    pub fn to_f64(self) -> f64 {
        // The standard parser rounds correctly, and takes whatever `Display` writes.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Less than zero?
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// Bytes that the service charges for: one, one for every two digits (aligned to the decimal point), and one for
    /// a minus sign.
    pub fn size(self) -> usize {
        if self.coefficient == 0 {
            return 1;
        }
        let (first, last) = (self.magnitude().div_euclid(2), i64::from(self.exponent).div_euclid(2));
        let pairs = usize::try_from(first - last + 1).unwrap_or(PAIRS_MAX);
        1 + pairs + usize::from(self.negative)
    }

    /// Appends the bytes that sort as numbers do (N2), at most 22.
    pub(crate) fn write_key(self, out: &mut Vec<u8>) {
        if self.coefficient == 0 {
            out.extend_from_slice(&[ZERO_HEAD, POSITIVE_END]);
            return;
        }
        let mut pairs = [0; PAIRS_MAX];
        let mut at = PAIRS_MAX;
        let mut rest = self.coefficient;
        if self.exponent.rem_euclid(2) == 1 {
            // The last digit stands alone in its pair.
            at -= 1;
            pairs[at] = to_u8(rest % 10) * 10;
            rest /= 10;
        }
        while rest != 0 && at > 0 {
            at -= 1;
            pairs[at] = to_u8(rest % 100);
            rest /= 100;
        }
        let power = self.magnitude().div_euclid(2);
        if self.negative {
            out.push(u8::try_from(NEGATIVE_HEAD - power).unwrap_or(0));
            out.extend(pairs[at..].iter().map(|pair| 101 - pair));
            out.push(NEGATIVE_END);
        } else {
            out.push(u8::try_from(POSITIVE_HEAD + power).unwrap_or(u8::MAX));
            out.extend(pairs[at..].iter().map(|pair| 1 + pair));
            out.push(POSITIVE_END);
        }
    }

    /// The number whose key `bytes` begin with, and the key's length. None if there is none.
    pub(crate) fn read_key(bytes: &[u8]) -> Option<(Self, usize)> {
        let (head, rest) = bytes.split_first()?;
        let negative = *head < ZERO_HEAD;
        let end = if negative { NEGATIVE_END } else { POSITIVE_END };
        let count = rest.iter().take(PAIRS_MAX + 1).position(|byte| *byte == end)?;
        let len = count + 2;
        let Some(last) = count.checked_sub(1) else {
            return (*head == ZERO_HEAD).then_some((Self::ZERO, len));
        };
        let power =
            if negative { NEGATIVE_HEAD - i64::from(*head) } else { i64::from(*head) - POSITIVE_HEAD };
        let mut exponent = 2 * (power - i64::try_from(last).ok()?);
        let mut coefficient = 0_u128;
        for (index, byte) in rest.iter().take(count).enumerate() {
            let digit = if negative { 101_u8.checked_sub(*byte)? } else { byte.checked_sub(1)? };
            if digit > 99 || (digit == 0 && (index == 0 || index == last)) {
                return None;
            }
            let (scale, digit) =
                if index == last && digit.is_multiple_of(10) { (10, digit / 10) } else { (100, digit) };
            exponent += i64::from(scale == 10);
            coefficient = coefficient.checked_mul(scale)?.checked_add(u128::from(digit))?;
        }
        Some((Self::exact(negative, coefficient, exponent).ok()?, len))
    }

    /// The one form (N1) of a number that may have zeros at its end.
    fn exact(negative: bool, mut coefficient: u128, mut exponent: i64) -> Result<Self> {
        if coefficient == 0 {
            return Ok(Self::ZERO);
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        if coefficient >= COEFFICIENT_END {
            return Err(overflow());
        }
        check_magnitude(exponent + i64::from(coefficient.ilog10()))?;
        let exponent = i16::try_from(exponent).map_err(|_| overflow())?;
        Ok(Self { negative, coefficient, exponent })
    }

    /// The power of ten that the first digit stands for. Not for zero.
    fn magnitude(self) -> i64 {
        i64::from(self.exponent) + i64::from(self.coefficient.ilog10())
    }
}

fn to_u8(pair: u128) -> u8 {
    u8::try_from(pair).unwrap_or(0)
}

#[cold]
fn overflow() -> Error {
    Error::validation(
        "Number overflow. Attempting to store a number with magnitude larger than supported range",
    )
}

/// Refuses a power of ten that no number begins with.
fn check_magnitude(power: i64) -> Result<()> {
    if power > MAGNITUDE_MAX {
        return Err(overflow());
    }
    if power < MAGNITUDE_MIN {
        return Err(Error::validation(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ));
    }
    Ok(())
}

/// Digits, a point, an exponent; no space, no other notation.
impl FromStr for Number {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            let text = if text.is_empty() { String::new() } else { format!(": {text}") };
            Error::validation(format!("The parameter cannot be converted to a numeric value{text}"))
        };
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power).ok_or_else(invalid)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if (whole.is_empty() && fraction.is_empty()) || !digits().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        // Zeros count only once another digit follows them.
        let (mut coefficient, mut zeros, mut significant) = (0_u128, 0_u32, 0_u32);
        let mut last = 0;
        for (index, byte) in digits().enumerate() {
            if byte == b'0' {
                zeros = if significant == 0 { 0 } else { zeros.saturating_add(1) };
                continue;
            }
            significant = significant.saturating_add(zeros).saturating_add(1);
            if significant > DIGITS_MAX {
                return Err(Error::validation(
                    "Attempting to store more than 38 significant digits in a Number",
                ));
            }
            coefficient = coefficient * 10_u128.pow(zeros + 1) + u128::from(byte - b'0');
            (zeros, last) = (0, index);
        }
        if coefficient == 0 {
            // Of zero the exponent counts as it is written.
            check_magnitude(power)?;
        }
        let behind = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
        let exponent = behind(whole.len()) - 1 - behind(last);
        Self::exact(text.starts_with('-'), coefficient, exponent.saturating_add(power))
    }
}

/// The digits behind an `e`, none if they do not fit 64 bits. What is large is cut: it is out of range all the same.
fn parse_power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let power = text.parse::<i64>().ok()?;
    Some(power.clamp(i64::from(i32::MIN), i64::from(i32::MAX)))
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.coefficient.to_string();
        let text = if let Ok(zeros) = usize::try_from(self.exponent) {
            format!("{digits}{}", "0".repeat(zeros))
        } else {
            let places = usize::from(self.exponent.unsigned_abs());
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            format!("{whole}.{fraction}")
        };
        f.pad_integral(!self.negative, "", &text)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => compare_magnitudes(*self, *other),
            (true, true) => compare_magnitudes(*other, *self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

fn compare_magnitudes(a: Number, b: Number) -> Ordering {
    match (a.coefficient, b.coefficient) {
        (0, 0) => return Ordering::Equal,
        (0, _) => return Ordering::Less,
        (_, 0) => return Ordering::Greater,
        _ => {}
    }
    a.magnitude().cmp(&b.magnitude()).then_with(|| {
        // The same magnitude: to as many digits as the longer one, at most 38.
        let shift = |number: Number, other: Number| {
            let zeros = u32::try_from(i32::from(number.exponent) - i32::from(other.exponent)).unwrap_or(0);
            number.coefficient * 10_u128.pow(zeros.min(DIGITS_MAX))
        };
        shift(a, b).cmp(&shift(b, a))
    })
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::ops::Neg for Number {
    type Output = Self;

    fn neg(self) -> Self {
        Self { negative: !self.negative && self.coefficient != 0, ..self }
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => { $(
        impl From<$integer> for Number {
            fn from(integer: $integer) -> Self {
                let negative = i128::from(integer) < 0;
                // A 64-bit integer has at most 20 digits: it is in range.
                Self::exact(negative, i128::from(integer).unsigned_abs(), 0).unwrap_or_default()
            }
        }
    )* };
}
from_integers!(u8 u16 u32 u64 i8 i16 i32 i64);

/// The shortest decimal that is nearest to this floating-point number and no other.
impl TryFrom<f64> for Number {
    type Error = Error;

    fn try_from(number: f64) -> Result<Self> {
        number.to_string().parse()
    }
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
