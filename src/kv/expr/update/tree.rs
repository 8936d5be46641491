//! Updates as lists of actions.

use crate::kv::{
    expr::path::Path,
    value::{AttributeValue, Type},
};

/// A change of what is at a path.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::kv::expr) struct Action {
    pub(in crate::kv::expr) path: Path,
    pub(in crate::kv::expr) change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::kv::expr) enum Change {
    /// This is put there.
    Set(Term),
    Remove,
    /// A number is added, or members are.
    Add(Term),
    /// Members are taken away.
    Delete(Term),
}

impl Action {
    /// Puts the values in their places.
    pub(in crate::kv::expr) fn fill(&mut self, values: &[AttributeValue]) {
        match &mut self.change {
            Change::Set(term) | Change::Add(term) | Change::Delete(term) => term.fill(values),
            Change::Remove => {}
        }
    }
}

/// What a value is made of.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::kv::expr) enum Term {
    /// What the item has there.
    Path(Path),
    /// A value of the expression, by its number.
    Slot(usize),
    /// A value that is known.
    Literal(AttributeValue),
    /// What the item has there, or else the term.
    IfNotExists(Path, Box<Term>),
    /// One list behind another.
    ListAppend(Box<Term>, Box<Term>),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
}

impl Term {
    /// The type of the value, unless it depends on the item.
    pub(in crate::kv::expr) fn kind(&self, values: &[AttributeValue]) -> Option<Type> {
        match self {
            Self::Path(_) | Self::IfNotExists(..) => None,
            Self::ListAppend(..) => Some(Type::L),
            Self::Plus(..) | Self::Minus(..) => Some(Type::N),
            Self::Slot(_) | Self::Literal(_) => self.constant(values).map(AttributeValue::kind),
        }
    }

    /// All paths that it reads.
    pub(in crate::kv::expr) fn each_path<'a>(&'a self, visit: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::Path(path) => visit(path),
            Self::Slot(_) | Self::Literal(_) => {}
            Self::IfNotExists(path, default) => {
                visit(path);
                default.each_path(visit);
            }
            Self::ListAppend(a, b) | Self::Plus(a, b) | Self::Minus(a, b) => {
                a.each_path(visit);
                b.each_path(visit);
            }
        }
    }

    /// The value, unless it depends on the item.
    pub(in crate::kv::expr) fn constant<'a>(
        &'a self,
        values: &'a [AttributeValue],
    ) -> Option<&'a AttributeValue> {
        match self {
            Self::Slot(slot) => values.get(*slot),
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }

    fn fill(&mut self, values: &[AttributeValue]) {
        match self {
            Self::Slot(slot) => {
                *self = Self::Literal(values.get(*slot).cloned().unwrap_or(AttributeValue::Null));
            }
            Self::Path(_) | Self::Literal(_) => {}
            Self::IfNotExists(_, default) => default.fill(values),
            Self::ListAppend(a, b) | Self::Plus(a, b) | Self::Minus(a, b) => {
                a.fill(values);
                b.fill(values);
            }
        }
    }
}
