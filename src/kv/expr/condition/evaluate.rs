//! Does a condition hold for an item?
//!
//! What an item lacks is equal to nothing, not even to something else that it lacks, and is neither less nor greater;
//! so `<>` holds for it. Values of different types are not equal and have no order.

use super::tree::{Comparator, Node, Operand};
use crate::kv::{
    codec::EncodedItem,
    number::Number,
    value::{AttributeValue, Item},
};
use std::{borrow::Cow, cmp::Ordering};

/// Something that has attributes.
pub(in crate::kv::expr) trait Attributes {
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>>;
}

impl Attributes for Item {
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>> {
        self.get(name).map(Cow::Borrowed)
    }
}

impl Attributes for EncodedItem<'_> {
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>> {
        self.get(name).map(Cow::Owned)
    }
}

/// Does the condition hold?
pub(in crate::kv::expr) fn holds(node: &Node, item: &impl Attributes, values: &[AttributeValue]) -> bool {
    let value = |operand| value(operand, item, values);
    match node {
        Node::And(all) => all.iter().all(|node| holds(node, item, values)),
        Node::Or(all) => all.iter().any(|node| holds(node, item, values)),
        Node::Not(node) => !holds(node, item, values),
        Node::Exists(path) => item.attribute(path.root()).and_then(|found| path.walk_cow(found)).is_some(),
        Node::NotExists(path) => item.attribute(path.root()).and_then(|found| path.walk_cow(found)).is_none(),
        Node::Compare(comparator, a, b) => compare(*comparator, value(a).as_deref(), value(b).as_deref()),
        Node::Between(of, low, high) => {
            let of = value(of);
            compare(Comparator::GreaterOrEqual, of.as_deref(), value(low).as_deref())
                && compare(Comparator::LessOrEqual, of.as_deref(), value(high).as_deref())
        }
        Node::In(of, list) => {
            let Some(of) = value(of) else { return false };
            list.iter().any(|one| value(one).is_some_and(|one| *of == *one))
        }
        Node::HasType(of, name) => match (value(of), value(name).as_deref()) {
            (Some(of), Some(AttributeValue::S(name))) => of.kind().as_str() == name,
            _ => false,
        },
        Node::BeginsWith(of, prefix) => match (value(of).as_deref(), value(prefix).as_deref()) {
            (Some(of), Some(prefix)) => begins_with(of, prefix),
            _ => false,
        },
        Node::Contains(of, part) => match (value(of).as_deref(), value(part).as_deref()) {
            (Some(of), Some(part)) => contains(of, part),
            _ => false,
        },
    }
}

/// What an operand stands for, if it is there.
fn value<'a>(
    operand: &'a Operand,
    item: &'a impl Attributes,
    values: &'a [AttributeValue],
) -> Option<Cow<'a, AttributeValue>> {
    match operand {
        Operand::Path(path) => path.walk_cow(item.attribute(path.root())?),
        Operand::Size(of) => {
            let size = size(&*value(of, item, values)?)?;
            let size = u64::try_from(size).unwrap_or(u64::MAX);
            Some(Cow::Owned(AttributeValue::N(Number::from(size))))
        }
        Operand::Slot(slot) => values.get(*slot).map(Cow::Borrowed),
        Operand::Literal(value) => Some(Cow::Borrowed(value)),
    }
}

/// What the function `size` gives: bytes of text and binary, elements of all that has some.
fn size(value: &AttributeValue) -> Option<usize> {
    Some(match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Ss(set) => set.len(),
        AttributeValue::Ns(set) => set.len(),
        AttributeValue::Bs(set) => set.len(),
        AttributeValue::M(map) => map.len(),
        AttributeValue::L(list) => list.len(),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => return None,
    })
}

fn compare(comparator: Comparator, a: Option<&AttributeValue>, b: Option<&AttributeValue>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return comparator == Comparator::NotEqual };
    match comparator {
        Comparator::Equal => a == b,
        Comparator::NotEqual => a != b,
        Comparator::Less => order(a, b).is_some_and(Ordering::is_lt),
        Comparator::LessOrEqual => order(a, b).is_some_and(Ordering::is_le),
        Comparator::Greater => order(a, b).is_some_and(Ordering::is_gt),
        Comparator::GreaterOrEqual => order(a, b).is_some_and(Ordering::is_ge),
    }
}

/// The order of two values, if they have one: of strings and binary as unsigned bytes, of numbers by value.
pub(in crate::kv::expr) fn order(a: &AttributeValue, b: &AttributeValue) -> Option<Ordering> {
    match (a, b) {
        (AttributeValue::S(a), AttributeValue::S(b)) => Some(a.cmp(b)),
        (AttributeValue::N(a), AttributeValue::N(b)) => Some(a.cmp(b)),
        (AttributeValue::B(a), AttributeValue::B(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

pub(in crate::kv::expr) fn begins_with(of: &AttributeValue, prefix: &AttributeValue) -> bool {
    match (of, prefix) {
        (AttributeValue::S(text), AttributeValue::S(prefix)) => text.starts_with(prefix.as_str()),
        (AttributeValue::B(bytes), AttributeValue::B(prefix)) => bytes.starts_with(prefix),
        _ => false,
    }
}

/// Part of a text or of bytes, or member of a set or a list.
fn contains(of: &AttributeValue, part: &AttributeValue) -> bool {
    match (of, part) {
        (AttributeValue::S(text), AttributeValue::S(part)) => text.contains(part.as_str()),
        (AttributeValue::B(bytes), AttributeValue::B(part)) => memchr::memmem::find(bytes, part).is_some(),
        (AttributeValue::Ss(set), AttributeValue::S(member)) => set.contains(member),
        (AttributeValue::Ns(set), AttributeValue::N(member)) => set.contains(member),
        (AttributeValue::Bs(set), AttributeValue::B(member)) => set.contains(member),
        (AttributeValue::L(list), member) => list.contains(member),
        _ => false,
    }
}
