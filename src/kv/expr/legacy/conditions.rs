//! The older conditions.

use super::{ComparisonOperator, ConditionalOperator, Expected, LegacyCondition, invalid};
use crate::kv::{
    error::{Error, Result},
    expr::{
        condition::{
            Condition,
            evaluate::order,
            tree::{Comparator, Node, Operand},
        },
        key_condition::{KeyCondition, KeyTest},
        path::Path,
    },
    value::AttributeValue,
};
use std::{cmp::Ordering, collections::BTreeMap, slice};

/// Key attributes of a table or an index, at most: four hash and four range attributes.
const KEYS_MAX: usize = 8;

/// The condition that `Expected` is, none if it is empty.
///
/// # Errors
/// `ValidationException` with the service's text.
pub fn expected(
    attributes: &BTreeMap<String, Expected>,
    operator: Option<ConditionalOperator>,
) -> Result<Option<Condition>> {
    let nodes =
        attributes.iter().map(|(name, expected)| expectation(name, expected)).collect::<Result<_>>()?;
    join(nodes, operator)
}

/// The condition that `QueryFilter` or `ScanFilter` is, none if it is empty.
///
/// # Errors
/// `ValidationException` with the service's text.
pub fn filter(
    attributes: &BTreeMap<String, LegacyCondition>,
    operator: Option<ConditionalOperator>,
) -> Result<Option<Condition>> {
    let node = |(name, condition): (&String, &LegacyCondition)| {
        comparison(name, condition.operator, &condition.values)
    };
    join(attributes.iter().map(node).collect::<Result<_>>()?, operator)
}

/// The condition on keys that `KeyConditions` is.
///
/// # Errors
/// `ValidationException` with the service's text.
pub fn key_conditions(attributes: &BTreeMap<String, LegacyCondition>) -> Result<KeyCondition> {
    for condition in attributes.values() {
        check(condition.operator, &condition.values)?;
    }
    if attributes.is_empty() || attributes.len() > KEYS_MAX {
        return Err(Error::request("Conditions can be of length 1 or 2 only"));
    }
    let (mut terms, mut odd) = (Vec::new(), Vec::new());
    for (name, condition) in attributes {
        match key_test(condition) {
            Some(test) => terms.push((name.clone(), test)),
            None => odd.push(name.clone()),
        }
    }
    Ok(KeyCondition::of(terms, odd))
}

fn key_test(condition: &LegacyCondition) -> Option<KeyTest> {
    let value = || condition.values.first().cloned().unwrap_or(AttributeValue::Null);
    Some(match condition.operator {
        ComparisonOperator::Equal => KeyTest::Equal(value()),
        ComparisonOperator::Less => KeyTest::Less(value()),
        ComparisonOperator::AtMost => KeyTest::AtMost(value()),
        ComparisonOperator::Greater => KeyTest::Greater(value()),
        ComparisonOperator::AtLeast => KeyTest::AtLeast(value()),
        ComparisonOperator::BeginsWith => KeyTest::BeginsWith(value()),
        ComparisonOperator::Between => {
            let high = condition.values.get(1).cloned().unwrap_or(AttributeValue::Null);
            KeyTest::Between(value(), high)
        }
        _ => return None,
    })
}

fn join(nodes: Vec<Node>, operator: Option<ConditionalOperator>) -> Result<Option<Condition>> {
    if operator.is_some() && nodes.is_empty() {
        return Err(Error::request("ConditionalOperator cannot be used without Filter or Expected"));
    }
    if operator.is_some() && nodes.len() == 1 {
        return Err(Error::request(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ));
    }
    let join = match operator.unwrap_or_default() {
        ConditionalOperator::And => Node::and,
        ConditionalOperator::Or => Node::or,
    };
    Ok(nodes.into_iter().reduce(join).map(Condition::of))
}

fn expectation(name: &str, expected: &Expected) -> Result<Node> {
    if let Some(operator) = expected.operator {
        if expected.exists.is_some() {
            return Err(invalid(format_args!(
                "Exists and ComparisonOperator cannot be used together for Attribute: {name}"
            )));
        }
        let needs_none = matches!(operator, ComparisonOperator::Null | ComparisonOperator::NotNull);
        if expected.value.is_none() && expected.values.is_none() && !needs_none {
            return Err(invalid(format_args!(
                "Value or AttributeValueList must be used with ComparisonOperator: {operator} for Attribute: {name}"
            )));
        }
        let values = match (&expected.value, &expected.values) {
            (Some(_), Some(_)) => {
                return Err(invalid(format_args!(
                    "Value and AttributeValueList cannot be used together for Attribute: {name}"
                )));
            }
            (Some(value), None) => slice::from_ref(value),
            (None, values) => values.as_deref().unwrap_or_default(),
        };
        return comparison(name, operator, values);
    }
    if expected.values.is_some() {
        return Err(invalid(format_args!(
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
        )));
    }
    match (expected.exists, &expected.value) {
        (Some(false), None) => Ok(Node::NotExists(Path::new(name))),
        (Some(false), Some(_)) => {
            Err(invalid(format_args!("Value cannot be used when Exists is false for Attribute: {name}")))
        }
        (_, Some(value)) => comparison(name, ComparisonOperator::Equal, slice::from_ref(value)),
        (exists, None) => {
            let exists = exists.map_or("null", |_| "true");
            Err(invalid(format_args!("Value must be provided when Exists is {exists} for Attribute: {name}")))
        }
    }
}

/// A comparison of an attribute with values of the right number and types.
fn comparison(name: &str, operator: ComparisonOperator, values: &[AttributeValue]) -> Result<Node> {
    check(operator, values)?;
    let attribute = || Operand::Path(Path::new(name));
    let value = |index: usize| Operand::Literal(values.get(index).cloned().unwrap_or(AttributeValue::Null));
    let compare = |comparator| Node::Compare(comparator, attribute(), value(0));
    Ok(match operator {
        ComparisonOperator::In => Node::In(attribute(), (0..values.len()).map(value).collect()),
        ComparisonOperator::Null => Node::NotExists(Path::new(name)),
        ComparisonOperator::NotNull => Node::Exists(Path::new(name)),
        ComparisonOperator::Between => Node::Between(attribute(), value(0), value(1)),
        ComparisonOperator::Less => compare(Comparator::Less),
        ComparisonOperator::AtMost => compare(Comparator::LessOrEqual),
        ComparisonOperator::Greater => compare(Comparator::Greater),
        ComparisonOperator::AtLeast => compare(Comparator::GreaterOrEqual),
        ComparisonOperator::Equal => compare(Comparator::Equal),
        ComparisonOperator::NotEqual => compare(Comparator::NotEqual),
        ComparisonOperator::BeginsWith => Node::BeginsWith(attribute(), value(0)),
        ComparisonOperator::Contains => Node::Contains(attribute(), value(0)),
        ComparisonOperator::NotContains => {
            let contains = Node::Contains(attribute(), value(0));
            Node::Exists(Path::new(name)).and(Node::Not(Box::new(contains)))
        }
    })
}

fn check(operator: ComparisonOperator, values: &[AttributeValue]) -> Result<()> {
    if !operator.takes(values.len()) {
        return Err(invalid(format_args!(
            "Invalid number of argument(s) for the {operator} ComparisonOperator"
        )));
    }
    if let Some(wrong) = values.iter().find(|value| !operator.accepts(value.kind())) {
        return Err(invalid(format_args!(
            "ComparisonOperator {operator} is not valid for {} AttributeValue type",
            wrong.kind()
        )));
    }
    if !matches!(operator, ComparisonOperator::Between | ComparisonOperator::In) {
        return Ok(());
    }
    if values.windows(2).any(|pair| pair[0].kind() != pair[1].kind()) {
        return Err(invalid("AttributeValues inside AttributeValueList must be of same type"));
    }
    if let (ComparisonOperator::Between, [low, high]) = (operator, values)
        && order(low, high) == Some(Ordering::Greater)
    {
        return Err(Error::request(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
        ));
    }
    values.iter().try_for_each(AttributeValue::validate)
}
