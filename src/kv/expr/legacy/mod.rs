//! The parameters that came before expressions, as the same trees: `Expected`, `QueryFilter`, `ScanFilter`,
//! `KeyConditions` and `AttributeUpdates`. (`AttributesToGet` is
//! [`Projection::attributes_to_get`](super::Projection::attributes_to_get).)

mod conditions;
mod updates;

pub use conditions::{expected, filter, key_conditions};
pub use updates::{AttributeUpdate, UpdateAction, attribute_updates};

use crate::kv::{
    error::{Error, Result},
    value::{AttributeValue, Type},
};
use std::fmt;

/// How an attribute is compared with a list of values.
///
/// ```
/// use fourfold::kv::expr::legacy::ComparisonOperator;
/// assert_eq!(ComparisonOperator::parse("NOT_NULL"), Some(ComparisonOperator::NotNull));
/// assert_eq!(ComparisonOperator::parse("eq"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonOperator {
    /// Equal to one of the values.
    In,
    /// The attribute is not there.
    Null,
    /// Between two values, both included.
    Between,
    /// Less than the value.
    Less,
    /// The attribute is there, and neither has the value as a part nor as a member.
    NotContains,
    /// Equal to the value.
    Equal,
    /// Greater than the value.
    Greater,
    /// The attribute is there.
    NotNull,
    /// Not equal to the value.
    NotEqual,
    /// Less than or equal to the value.
    AtMost,
    /// Begins with the value.
    BeginsWith,
    /// Greater than or equal to the value.
    AtLeast,
    /// Has the value as a part or as a member.
    Contains,
}

impl ComparisonOperator {
    /// All of them, in the service's order.
    pub const ALL: [Self; 13] = [
        Self::In,
        Self::Null,
        Self::Between,
        Self::Less,
        Self::NotContains,
        Self::Equal,
        Self::Greater,
        Self::NotNull,
        Self::NotEqual,
        Self::AtMost,
        Self::BeginsWith,
        Self::AtLeast,
        Self::Contains,
    ];

    /// The service's name, such as `NOT_CONTAINS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "IN",
            Self::Null => "NULL",
            Self::Between => "BETWEEN",
            Self::Less => "LT",
            Self::NotContains => "NOT_CONTAINS",
            Self::Equal => "EQ",
            Self::Greater => "GT",
            Self::NotNull => "NOT_NULL",
            Self::NotEqual => "NE",
            Self::AtMost => "LE",
            Self::BeginsWith => "BEGINS_WITH",
            Self::AtLeast => "GE",
            Self::Contains => "CONTAINS",
        }
    }

    /// The operator of that name, in capitals.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == name)
    }

    /// Can it be used with so many values?
    const fn takes(self, count: usize) -> bool {
        match self {
            Self::Null | Self::NotNull => count == 0,
            Self::In => count > 0,
            Self::Between => count == 2,
            _ => count == 1,
        }
    }

    /// Can it be used with values of this type?
    const fn accepts(self, kind: Type) -> bool {
        match self {
            Self::Null | Self::NotNull | Self::Equal | Self::NotEqual => true,
            Self::BeginsWith => matches!(kind, Type::S | Type::B),
            Self::Contains | Self::NotContains => {
                matches!(kind, Type::S | Type::N | Type::B | Type::Bool | Type::Null)
            }
            _ => matches!(kind, Type::S | Type::N | Type::B),
        }
    }
}

impl fmt::Display for ComparisonOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Must all conditions hold, or is one enough?
///
/// ```
/// use fourfold::kv::expr::legacy::ConditionalOperator;
/// assert_eq!(ConditionalOperator::default(), ConditionalOperator::And);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConditionalOperator {
    /// All of them.
    #[default]
    And,
    /// At least one.
    Or,
}

/// A condition on an attribute in `KeyConditions`, `QueryFilter` or `ScanFilter`.
///
/// ```
/// use fourfold::kv::{expr::legacy::{ComparisonOperator, LegacyCondition, filter}, item};
///
/// let adults = LegacyCondition { operator: ComparisonOperator::AtLeast, values: vec![18.into()] };
/// let condition = filter(&[("age".to_owned(), adults)].into(), None)?.expect("there is one");
/// assert!(condition.evaluate(&item! { "age" => 18 }));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyCondition {
    /// How the attribute is compared.
    pub operator: ComparisonOperator,
    /// With what: none for `NULL` and `NOT_NULL`, two for `BETWEEN`, any number for `IN`, else one.
    pub values: Vec<AttributeValue>,
}

/// What `Expected` says of an attribute: an operator with its values, or a value, or that there is none.
///
/// ```
/// use fourfold::kv::{expr::legacy::{Expected, expected}, item};
///
/// let is_new = Expected { exists: Some(false), ..Expected::default() };
/// let condition = expected(&[("id".to_owned(), is_new)].into(), None)?.expect("there is one");
/// assert!(condition.evaluate(&item! {}) && !condition.evaluate(&item! { "id" => 1 }));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// The value that the attribute must have, or the operator's only value.
    pub value: Option<AttributeValue>,
    /// Must the attribute be there? Only without an operator; true if there is a value.
    pub exists: Option<bool>,
    /// How the attribute is compared.
    pub operator: Option<ComparisonOperator>,
    /// With what.
    pub values: Option<Vec<AttributeValue>>,
}

/// Refuses a request that has parameters of both kinds, each given with its name and whether it is there.
///
/// # Errors
/// `ValidationException` that names them.
pub(crate) fn refuse_mixture(legacy: &[(&str, bool)], expressions: &[(&str, bool)]) -> Result<()> {
    let given = |all: &[(&str, bool)]| {
        let names: Vec<String> =
            all.iter().filter(|(_, given)| *given).map(|(name, _)| (*name).to_owned()).collect();
        names.join(", ")
    };
    let (legacy, expressions) = (given(legacy), given(expressions));
    if legacy.is_empty() || expressions.is_empty() {
        return Ok(());
    }
    Err(Error::request(format!(
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {{{legacy}}} Expression parameters: {{{expressions}}}"
    )))
}

#[cold]
fn invalid(problem: impl fmt::Display) -> Error {
    Error::request(format!("One or more parameter values were invalid: {problem}"))
}

#[cfg(test)]
mod tests;
