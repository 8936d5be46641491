//! What is wrong with an expression, the first in the service's order of saying it.
//!
//! The service reads an expression as a whole before it complains, and complains about one thing. Which one of several
//! depends on their kind first, then on where they stand.

use crate::kv::error::{Error, Result};
use std::fmt;

/// The expressions a request can have.
///
/// ```
/// use fourfold::kv::expr::ExpressionKind;
/// assert_eq!(ExpressionKind::Filter.to_string(), "FilterExpression");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    /// What must hold for a write.
    Condition,
    /// What a query or scan keeps of what it reads.
    Filter,
    /// What a query reads.
    KeyCondition,
    /// Which attributes a read returns.
    Projection,
    /// What a write changes.
    Update,
}

impl fmt::Display for ExpressionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Condition => "ConditionExpression",
            Self::Filter => "FilterExpression",
            Self::KeyCondition => "KeyConditionExpression",
            Self::Projection => "ProjectionExpression",
            Self::Update => "UpdateExpression",
        })
    }
}

impl ExpressionKind {
    /// The refusal of an expression for this reason.
    #[cold]
    pub(super) fn invalid(self, reason: impl fmt::Display) -> Error {
        Error::request(format!("Invalid {self}: {reason}"))
    }
}

/// The kinds of findings, in the order in which they are reported. Those from `Name` on belong to one comparison or
/// function of a condition: there all of the first come before all of the second, and names and values are one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    UnknownFunction,
    MisusedFunction,
    Reserved,
    Section,
    Name,
    Value,
    Overlap,
    Conflict,
    Operand,
    Distinct,
    Function,
}

/// Where a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The kind; of those that belong to a comparison, the last one, so that these come behind all others.
    class: Rank,
    /// The comparison, 0 if it belongs to none.
    comparison: u32,
    rank: Rank,
    at: usize,
}

/// The finding to report so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    first: Option<(Place, String)>,
}

impl Findings {
    /// Something is wrong at this byte, in this comparison or function of a condition (0 where there are none).
    #[cold]
    pub(super) fn note(&mut self, rank: Rank, comparison: u32, at: usize, reason: impl fmt::Display) {
        let of_comparison = comparison > 0 && rank >= Rank::Name;
        let (class, comparison) = if of_comparison { (Rank::Function, comparison) } else { (rank, 0) };
        let rank = if of_comparison && rank == Rank::Value { Rank::Name } else { rank };
        let place = Place { class, comparison, rank, at };
        if self.first.as_ref().is_none_or(|(first, _)| place < *first) {
            self.first = Some((place, reason.to_string()));
        }
    }

    /// Refuses the expression if anything was found.
    pub(super) fn report(self, kind: ExpressionKind) -> Result<()> {
        self.first.map_or(Ok(()), |(_, reason)| Err(kind.invalid(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_by_kind_then_comparison_then_place() {
        let check = |notes: &[(Rank, u32, usize)], first: usize| {
            let mut findings = Findings::default();
            for (index, (rank, comparison, at)) in notes.iter().enumerate() {
                findings.note(*rank, *comparison, *at, index);
            }
            let reported = findings.report(ExpressionKind::Filter).unwrap_err();
            assert_eq!(reported.to_string(), format!("Invalid FilterExpression: {first}"));
        };
        check(&[(Rank::Reserved, 1, 5), (Rank::UnknownFunction, 2, 9)], 1);
        check(&[(Rank::Function, 1, 5), (Rank::Name, 2, 9)], 0);
        check(&[(Rank::Function, 1, 5), (Rank::Name, 1, 9)], 1);
        check(&[(Rank::Name, 1, 5), (Rank::Reserved, 2, 9)], 1);
        check(&[(Rank::Value, 1, 5), (Rank::Value, 1, 2)], 1);
        check(&[(Rank::Function, 0, 1), (Rank::Overlap, 0, 9)], 1);
        assert!(Findings::default().report(ExpressionKind::Filter).is_ok());
    }
}
