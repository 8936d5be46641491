//! How the service words what is wrong with a value. It has two generations of checks, and which of them an operation has
//! decides about the words.

use super::precheck::COUNTED;
use crate::fields::Dialect;
use crate::refusal::{Refusal, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fourfold::kv::{Number, SetMember};
use std::collections::BTreeSet;

const INVALID: &str = "One or more parameter values were invalid: ";
const UNDERFLOW: &str =
    "Number underflow. Attempting to store a number with magnitude smaller than supported range";

/// The words of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// Of requests to write one item: the newer ones, behind a count.
    Counted,
    /// Of reading items by their keys, and of queries.
    Newer,
    /// Of scans, batches of writes, and transactions.
    Older,
}

impl Wording {
    /// The refusal of a value, with the count in front where there is one. That there is no value, or more than one, is
    /// not counted.
    pub(super) fn counted(self, refusal: Refusal) -> Refusal {
        let is_plain =
            refusal.name != "ValidationException" || refusal.message.starts_with("Supplied AttributeValue");
        if self != Self::Counted || is_plain || refusal.message.starts_with(COUNTED) {
            return refusal;
        }
        Refusal { message: format!("{COUNTED}{}", refusal.message), ..refusal }
    }

    /// Is it said of a value of this kind where the value stands? Of numbers and of sets the newer checks don't.
    pub(super) fn tells_place(self, refusal: &Refusal) -> bool {
        self == Self::Older || !is_of_number_or_set(&refusal.message)
    }

    pub(super) fn number(self, text: &str) -> Result<Number> {
        let refused = |refusal: Refusal| match self {
            Self::Older if wraps(text) => Dialect::Dynamo.invalid(UNDERFLOW),
            Self::Counted | Self::Newer if text.is_empty() => {
                Refusal { message: format!("{}: ", refusal.message), ..refusal }
            }
            _ => refusal,
        };
        text.parse::<Number>().map_err(|error| refused(Refusal::from(error)))
    }

    /// Refuses members of which one is there twice, in the newer words.
    pub(super) fn check_distinct<T: Member>(self, members: &[T]) -> Result<()> {
        if self == Self::Older {
            return Ok(());
        }
        let mut seen = BTreeSet::new();
        for (index, member) in members.iter().enumerate() {
            if !seen.insert(member) {
                let rest = members.get(index..).unwrap_or_default();
                let told = T::told(seen.into_iter().chain(rest));
                let message = format!("{INVALID}Input collection {told}contains duplicates.");
                return Err(Dialect::Dynamo.invalid(&message));
            }
        }
        Ok(())
    }
}

/// Is it about a number, about a set without members, or about a member that is there twice?
fn is_of_number_or_set(message: &str) -> bool {
    let of_numbers = ["numeric value", "Number overflow", "Number underflow", "significant digits"];
    let of_sets = ["contains duplicates", "set  may not be empty", "sets should not be empty"];
    of_numbers.iter().chain(&of_sets).any(|words| message.contains(words))
}

/// Does an exponent leave the range of 32 bits once the digits before the point are counted?
fn wraps(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some((mantissa, power)) = unsigned.split_once(['e', 'E']) else { return false };
    let digits = mantissa.split('.').next().map_or(0, str::len);
    let power = power.parse::<i64>().ok().filter(|power| i32::try_from(*power).is_ok());
    power.is_some_and(|power| power.saturating_add(i64::try_from(digits).unwrap_or(0)) > i64::from(i32::MAX))
}

/// Members of sets, as the newer checks list them.
pub(super) trait Member: SetMember {
    /// The list, with a blank behind it unless it is followed by its type.
    fn told<'a>(members: impl Iterator<Item = &'a Self>) -> String
    where
        Self: 'a;
}

impl Member for String {
    fn told<'a>(members: impl Iterator<Item = &'a Self>) -> String {
        let members: Vec<String> = members.map(|text| format!("\"{text}\"")).collect();
        format!("[{}] ", members.join(", "))
    }
}

impl Member for Bytes {
    fn told<'a>(members: impl Iterator<Item = &'a Self>) -> String {
        let members: Vec<String> = members.map(|bytes| format!("\"{}\"", STANDARD.encode(bytes))).collect();
        format!("[{}]of type BS ", members.join(","))
    }
}

impl Member for Number {
    fn told<'a>(_: impl Iterator<Item = &'a Self>) -> String {
        String::new()
    }
}
