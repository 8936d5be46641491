//! Conditions as trees. They are shallow by construction: no more levels than an expression may have operators.

use crate::kv::{
    expr::path::Path,
    value::{AttributeValue, Type},
};

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kv::expr) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    pub(in crate::kv::expr) const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Does it ask for an order?
    pub(in crate::kv::expr) const fn is_ordering(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }

    /// The one that says the same with the operands exchanged.
    pub(in crate::kv::expr) const fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::kv::expr) enum Operand {
    /// What the item has there.
    Path(Path),
    /// A value of the expression, by its number.
    Slot(usize),
    /// A value that is known.
    Literal(AttributeValue),
    /// The size of another operand.
    Size(Box<Operand>),
}

impl Operand {
    /// The value, unless it depends on the item.
    pub(in crate::kv::expr) fn constant<'a>(
        &'a self,
        values: &'a [AttributeValue],
    ) -> Option<&'a AttributeValue> {
        match self {
            Self::Slot(slot) => values.get(*slot),
            Self::Literal(value) => Some(value),
            Self::Path(_) | Self::Size(_) => None,
        }
    }

    /// The path, if it is one.
    pub(in crate::kv::expr) const fn as_path(&self) -> Option<&Path> {
        if let Self::Path(path) = self { Some(path) } else { None }
    }

    /// Puts the values in their places.
    fn fill(&mut self, values: &[AttributeValue]) {
        match self {
            Self::Slot(slot) => {
                *self = Self::Literal(values.get(*slot).cloned().unwrap_or(AttributeValue::Null));
            }
            Self::Size(of) => of.fill(values),
            Self::Path(_) | Self::Literal(_) => {}
        }
    }

    fn each_path<'a>(&'a self, visit: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::Path(path) => visit(path),
            Self::Size(of) => of.each_path(visit),
            Self::Slot(_) | Self::Literal(_) => {}
        }
    }
}

/// A condition, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::kv::expr) enum Node {
    Compare(Comparator, Operand, Operand),
    /// A value and its bounds, both inclusive.
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    /// An operand and the name of its type.
    HasType(Operand, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

impl Node {
    /// Both, as one list where one of them is such a list already.
    pub(in crate::kv::expr) fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            first => Self::And(vec![first, other]),
        }
    }

    /// Either, likewise.
    pub(in crate::kv::expr) fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut all) => {
                all.push(other);
                Self::Or(all)
            }
            first => Self::Or(vec![first, other]),
        }
    }

    /// All paths, in the order of the expression.
    pub(in crate::kv::expr) fn each_path<'a>(&'a self, visit: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::Exists(path) | Self::NotExists(path) => visit(path),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|node| node.each_path(visit)),
            Self::Not(node) => node.each_path(visit),
            leaf => leaf.operands().into_iter().for_each(|operand| operand.each_path(visit)),
        }
    }

    /// Puts the values in their places.
    pub(in crate::kv::expr) fn fill(&mut self, values: &[AttributeValue]) {
        let fill = |operands: &mut [&mut Operand]| {
            for operand in operands {
                operand.fill(values);
            }
        };
        match self {
            Self::Compare(_, a, b) | Self::HasType(a, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                fill(&mut [a, b]);
            }
            Self::Between(value, low, high) => fill(&mut [value, low, high]),
            Self::In(value, list) => fill(&mut std::iter::once(value).chain(list).collect::<Vec<_>>()),
            Self::Exists(_) | Self::NotExists(_) => {}
            Self::And(all) | Self::Or(all) => {
                for node in all {
                    node.fill(values);
                }
            }
            Self::Not(node) => node.fill(values),
        }
    }

    /// The operands of a comparison or function, in order.
    pub(in crate::kv::expr) fn operands(&self) -> Vec<&Operand> {
        match self {
            Self::Compare(_, a, b) | Self::HasType(a, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                vec![a, b]
            }
            Self::Between(value, low, high) => vec![value, low, high],
            Self::In(value, list) => std::iter::once(value).chain(list).collect(),
            Self::Exists(_) | Self::NotExists(_) | Self::And(_) | Self::Or(_) | Self::Not(_) => Vec::new(),
        }
    }
}

/// Has this type an order?
pub(in crate::kv::expr) const fn is_ordered(kind: Type) -> bool {
    matches!(kind, Type::S | Type::N | Type::B)
}
