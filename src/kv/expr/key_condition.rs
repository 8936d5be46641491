//! Key conditions: what a query reads, by the keys of a table or an index.

use super::{
    condition::{
        Condition, PreparedCondition,
        check::inverted,
        evaluate::{begins_with, order},
        tree::{Comparator, Node, Operand},
    },
    findings::ExpressionKind,
    path::Path,
    placeholders::{Names, Placeholders},
};
use crate::kv::{
    error::{Error, Result},
    value::{AttributeValue, Item, Type},
};
use std::cmp::Ordering;

/// Attributes of a plain key, at most. Of so many, whichever they are, it is not said that they are too many.
const PLAIN_KEYS: usize = 2;

/// What a query asks of one key attribute.
///
/// ```
/// use fourfold::kv::expr::{KeyTest, key};
/// let condition = key("id").eq("a").and(key("year").at_least(1999));
/// assert!(matches!(condition.terms()[1].1, KeyTest::AtLeast(_)));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum KeyTest {
    /// Equal to this.
    Equal(AttributeValue),
    /// Less than this.
    Less(AttributeValue),
    /// Less than or equal to this.
    AtMost(AttributeValue),
    /// Greater than this.
    Greater(AttributeValue),
    /// Greater than or equal to this.
    AtLeast(AttributeValue),
    /// From the first to the second, both included.
    Between(AttributeValue, AttributeValue),
    /// Text or bytes that begin with this.
    BeginsWith(AttributeValue),
}

impl KeyTest {
    /// Does it hold for this value?
    pub(crate) fn holds(&self, value: &AttributeValue) -> bool {
        let is = |with: &AttributeValue, wanted: fn(Ordering) -> bool| order(value, with).is_some_and(wanted);
        match self {
            Self::Equal(with) => value == with,
            Self::Less(with) => is(with, Ordering::is_lt),
            Self::AtMost(with) => is(with, Ordering::is_le),
            Self::Greater(with) => is(with, Ordering::is_gt),
            Self::AtLeast(with) => is(with, Ordering::is_ge),
            Self::Between(low, high) => is(low, Ordering::is_ge) && is(high, Ordering::is_le),
            Self::BeginsWith(prefix) => begins_with(value, prefix),
        }
    }

    /// Its values.
    fn values(&self) -> impl Iterator<Item = &AttributeValue> {
        let (first, second) = match self {
            Self::Between(low, high) => (low, Some(high)),
            Self::Equal(value)
            | Self::Less(value)
            | Self::AtMost(value)
            | Self::Greater(value)
            | Self::AtLeast(value)
            | Self::BeginsWith(value) => (value, None),
        };
        std::iter::once(first).chain(second)
    }
}

/// A key attribute of a table or an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyAttribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Type,
}

/// What a query reads: the values of all hash attributes, those of the first range attributes, and at most one test of
/// another kind of the range attribute behind them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyRange<'a> {
    pub(crate) hash: Vec<&'a AttributeValue>,
    pub(crate) range: Vec<&'a AttributeValue>,
    pub(crate) last: Option<&'a KeyTest>,
}

/// A condition on keys: an expression such as `id = :id AND begins_with(sort, :prefix)` with its values, or the same
/// from [`key`].
///
/// ```
/// use fourfold::kv::{expr::{KeyCondition, key}, item};
///
/// let values = item! { ":id" => "a", ":low" => 1, ":high" => 9 };
/// let parsed = KeyCondition::parse("id = :id AND num BETWEEN :low AND :high", &Default::default(), &values)?;
/// assert_eq!(parsed, key("id").eq("a").and(key("num").between(1, 9)));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KeyCondition {
    terms: Vec<(String, KeyTest)>,
    /// What the older parameter compares in ways that no key answers.
    odd: Vec<String>,
}

impl KeyCondition {
    /// Reads a key condition expression. All names and values must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn parse(text: &str, names: &Names, values: &Item) -> Result<Self> {
        let mut placeholders = Placeholders::of(names, values)?;
        let condition = Self::parse_with(text, &mut placeholders)?;
        placeholders.finish()?;
        Ok(condition)
    }

    /// Reads a key condition of a request that may have more expressions.
    pub(crate) fn parse_with(text: &str, placeholders: &mut Placeholders<'_>) -> Result<Self> {
        Self::from_condition(&Condition::parse_with(ExpressionKind::KeyCondition, text, placeholders)?)
    }

    pub(super) const fn of(terms: Vec<(String, KeyTest)>, odd: Vec<String>) -> Self {
        Self { terms, odd }
    }

    /// What a condition says of keys, if it says nothing else.
    pub(crate) fn from_condition(condition: &Condition) -> Result<Self> {
        let mut terms = Vec::new();
        collect(&condition.tree, &condition.values, &mut terms)?;
        let twice = terms.iter().enumerate().any(|(index, (name, _))| {
            terms.iter().take(index).any(|(earlier, _): &(String, KeyTest)| earlier == name)
        });
        if twice {
            return Err(invalid("KeyConditionExpressions must only contain one condition per key"));
        }
        Ok(Self { terms, odd: Vec::new() })
    }

    /// Both conditions.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.terms.extend(other.terms);
        self.odd.extend(other.odd);
        self
    }

    /// The attributes with their tests, in the order in which they were given.
    pub fn terms(&self) -> &[(String, KeyTest)] {
        &self.terms
    }

    /// How many attributes it tests.
    fn len(&self) -> usize {
        self.terms.len() + self.odd.len()
    }

    /// Refuses a condition of too many attributes, or without one of the hash attributes: the first things that the
    /// service looks at.
    ///
    /// # Errors
    /// `ValidationException`.
    pub(crate) fn check_hash(&self, hash: &[KeyAttribute<'_>], range: &[KeyAttribute<'_>]) -> Result<()> {
        let (count, schema) = (self.len(), hash.len() + range.len());
        if count > schema.max(PLAIN_KEYS) {
            return Err(Error::validation(format!(
                "The number of query conditions ({count}) exceeds the number of key attributes defined in the schema \
                 ({schema})"
            )));
        }
        let tests = |name: &str| {
            self.terms.iter().any(|(tested, _)| tested == name) || self.odd.iter().any(|odd| odd == name)
        };
        hash.iter()
            .find(|attribute| !tests(attribute.name))
            .map_or(Ok(()), |attribute| Err(missed(attribute)))
    }

    /// What it selects by these key attributes.
    ///
    /// # Errors
    /// `ValidationException` if a hash attribute is not required to be equal to something, range attributes are not
    /// tested from left to right with all but the last for equality, another attribute is tested, or a value is not of
    /// its attribute's type, or empty.
    pub(crate) fn resolve(
        &self,
        hash: &[KeyAttribute<'_>],
        range: &[KeyAttribute<'_>],
    ) -> Result<KeyRange<'_>> {
        self.check_hash(hash, range)?;
        let test = |attribute: &KeyAttribute<'_>| {
            self.terms.iter().find(|(name, _)| name == attribute.name).map(|(_, test)| test)
        };
        if hash.iter().chain(range).any(|attribute| self.odd.iter().any(|odd| odd == attribute.name)) {
            return Err(Error::validation("Attempted conditional constraint is not an indexable operation"));
        }
        let mut found = KeyRange { hash: Vec::new(), range: Vec::new(), last: None };
        for attribute in hash {
            match test(attribute) {
                Some(KeyTest::Equal(value)) => found.hash.push(value),
                Some(test) => {
                    check_values(attribute, test)?;
                    return Err(Error::validation("Query key condition not supported"));
                }
                None => return Err(missed(attribute)),
            }
        }
        // Range attributes without a test, or with one that leaves open what comes behind.
        let mut open: Vec<&str> = Vec::new();
        for attribute in range {
            match test(attribute) {
                None => open.push(attribute.name),
                Some(_) if !open.is_empty() => return Err(gap(&open, attribute)),
                Some(KeyTest::Equal(value)) => found.range.push(value),
                Some(test) => {
                    found.last = Some(test);
                    open.push(attribute.name);
                }
            }
        }
        let used = found.hash.len() + found.range.len() + usize::from(found.last.is_some());
        if used < self.len() {
            return Err(match range.iter().find(|attribute| test(attribute).is_none()) {
                Some(attribute) => missed(attribute),
                None => Error::validation("Query key condition not supported"),
            });
        }
        for attribute in hash.iter().chain(range) {
            test(attribute).map_or(Ok(()), |test| check_values(attribute, test))?;
        }
        Ok(found)
    }
}

fn check_values(attribute: &KeyAttribute<'_>, asked: &KeyTest) -> Result<()> {
    if let KeyTest::Between(low, high) = asked
        && order(low, high) == Some(Ordering::Greater)
    {
        return Err(invalid(inverted(low, high)));
    }
    for value in asked.values() {
        if value.kind() != attribute.kind {
            return Err(Error::validation(
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ));
        }
        if matches!(asked, KeyTest::BeginsWith(_)) && attribute.kind == Type::N {
            return Err(Error::validation("Query key condition not supported"));
        }
        let what = match value {
            AttributeValue::S(text) if text.is_empty() => "string",
            AttributeValue::B(bytes) if bytes.is_empty() => "binary",
            _ => continue,
        };
        return Err(Error::validation(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty {what} value. Key: {}",
            attribute.name
        )));
    }
    Ok(())
}

/// Range attributes that must be equal to something, as one behind them is tested.
#[cold]
fn gap(open: &[&str], tested: &KeyAttribute<'_>) -> Error {
    Error::validation(format!(
        "RANGE key attributes {} must have equality conditions specified in the query because a condition is present \
         on key attribute {}",
        open.join(", "),
        tested.name
    ))
}

#[cold]
fn missed(attribute: &KeyAttribute<'_>) -> Error {
    Error::validation(format!("Query condition missed key schema element: {}", attribute.name))
}

#[cold]
fn invalid(reason: impl std::fmt::Display) -> Error {
    ExpressionKind::KeyCondition.invalid(reason)
}

#[cold]
fn operator(name: &str) -> Error {
    invalid(format_args!("Invalid operator used in KeyConditionExpression: {name}"))
}

#[cold]
fn condition(problem: impl std::fmt::Display) -> Error {
    invalid(format_args!("Invalid condition in KeyConditionExpression: {problem}"))
}

/// The tests of keys that a condition consists of, if it consists of such.
fn collect(node: &Node, values: &[AttributeValue], terms: &mut Vec<(String, KeyTest)>) -> Result<()> {
    let (name, operands) = match node {
        Node::And(all) => return all.iter().try_for_each(|node| collect(node, values, terms)),
        Node::Or(_) => return Err(operator("OR")),
        Node::Not(_) => return Err(operator("NOT")),
        Node::In(..) => return Err(operator("IN")),
        Node::Exists(_) => return Err(operator("attribute_exists")),
        Node::NotExists(_) => return Err(operator("attribute_not_exists")),
        Node::HasType(..) => return Err(operator("attribute_type")),
        Node::Contains(..) => return Err(operator("contains")),
        Node::Compare(Comparator::NotEqual, ..) => return Err(operator("<>")),
        Node::Compare(comparator, ..) => (comparator.as_str(), node.operands()),
        Node::Between(..) => ("BETWEEN", node.operands()),
        Node::BeginsWith(..) => ("begins_with", node.operands()),
    };
    if operands.iter().any(|operand| matches!(operand, Operand::Size(_))) {
        return Err(invalid("KeyConditionExpressions cannot contain nested operations"));
    }
    let mut paths = operands.iter().filter_map(|operand| operand.as_path());
    let path = match (paths.next(), paths.next()) {
        (Some(path), None) => path,
        (Some(_), Some(_)) => return Err(condition("Multiple attribute names used in one condition")),
        (None, _) => return Err(condition("No key attribute specified")),
    };
    if path.is_nested() {
        return Err(invalid("KeyConditionExpressions cannot have conditions on nested attributes"));
    }
    let test = match node {
        Node::Compare(comparator, a, b) => compared(*comparator, a, b, values),
        Node::Between(Operand::Path(_), low, high) => low
            .constant(values)
            .zip(high.constant(values))
            .map(|(low, high)| KeyTest::Between(low.clone(), high.clone())),
        Node::BeginsWith(Operand::Path(_), prefix) => {
            prefix.constant(values).cloned().map(KeyTest::BeginsWith)
        }
        _ => None,
    };
    let not_first =
        || condition(format_args!("{name} operator must have the key attribute as its first operand"));
    terms.push((Path::root(path).to_owned(), test.ok_or_else(not_first)?));
    Ok(())
}

/// A comparison, whichever side the attribute is on.
fn compared(comparator: Comparator, a: &Operand, b: &Operand, values: &[AttributeValue]) -> Option<KeyTest> {
    let (comparator, value) = match (a.constant(values), b.constant(values)) {
        (None, Some(value)) => (comparator, value),
        (Some(value), None) => (comparator.mirrored(), value),
        _ => return None,
    };
    let value = value.clone();
    Some(match comparator {
        Comparator::Equal => KeyTest::Equal(value),
        Comparator::Less => KeyTest::Less(value),
        Comparator::LessOrEqual => KeyTest::AtMost(value),
        Comparator::Greater => KeyTest::Greater(value),
        Comparator::GreaterOrEqual => KeyTest::AtLeast(value),
        Comparator::NotEqual => return None,
    })
}

/// A key condition that was read once, to be given values many times.
///
/// ```
/// use fourfold::kv::{expr::{PreparedKeyCondition, key}, item};
///
/// let prepared = PreparedKeyCondition::new("id = :id", &Default::default())?;
/// assert_eq!(prepared.bind(&item! { ":id" => "a" })?, key("id").eq("a"));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedKeyCondition {
    condition: PreparedCondition,
}

impl PreparedKeyCondition {
    /// Reads a key condition expression. All names must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn new(text: &str, names: &Names) -> Result<Self> {
        Ok(Self { condition: PreparedCondition::of_kind(ExpressionKind::KeyCondition, text, names)? })
    }

    /// The key condition with these values, all of which must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn bind(&self, values: &Item) -> Result<KeyCondition> {
        KeyCondition::from_condition(&self.condition.bind(values)?)
    }
}

/// A key attribute, to say in Rust what a query reads.
///
/// ```
/// use fourfold::kv::expr::key;
/// let condition = key("artist").eq("No One You Know").and(key("song").begins_with("Call"));
/// assert_eq!(condition.terms().len(), 2);
/// ```
pub fn key(name: impl Into<String>) -> Key {
    Key { name: name.into() }
}

/// A key attribute; see [`key`].
///
/// ```
/// use fourfold::kv::expr::{Key, key};
/// let year: Key = key("year");
/// assert_eq!(year.less(2000).terms()[0].0, "year");
/// ```
#[derive(Clone, Debug)]
pub struct Key {
    name: String,
}

impl Key {
    fn test(self, test: KeyTest) -> KeyCondition {
        KeyCondition::of(vec![(self.name, test)], Vec::new())
    }

    /// It is equal to this.
    pub fn eq(self, value: impl Into<AttributeValue>) -> KeyCondition {
        self.test(KeyTest::Equal(value.into()))
    }

    /// It is less than this.
    pub fn less(self, value: impl Into<AttributeValue>) -> KeyCondition {
        self.test(KeyTest::Less(value.into()))
    }

    /// It is less than or equal to this.
    pub fn at_most(self, value: impl Into<AttributeValue>) -> KeyCondition {
        self.test(KeyTest::AtMost(value.into()))
    }

    /// It is greater than this.
    pub fn greater(self, value: impl Into<AttributeValue>) -> KeyCondition {
        self.test(KeyTest::Greater(value.into()))
    }

    /// It is greater than or equal to this.
    pub fn at_least(self, value: impl Into<AttributeValue>) -> KeyCondition {
        self.test(KeyTest::AtLeast(value.into()))
    }

    /// It is between these, both included.
    pub fn between(self, low: impl Into<AttributeValue>, high: impl Into<AttributeValue>) -> KeyCondition {
        self.test(KeyTest::Between(low.into(), high.into()))
    }

    /// It is a string or binary that begins with this.
    pub fn begins_with(self, prefix: impl Into<AttributeValue>) -> KeyCondition {
        self.test(KeyTest::BeginsWith(prefix.into()))
    }
}
