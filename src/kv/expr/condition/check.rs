//! What can be wrong with a condition once its values are known.
//!
//! Comparisons and functions are counted as the parser counts them, in the order of the expression.

use super::tree::{Comparator, Node, Operand, is_ordered};
use crate::kv::{
    expr::{
        findings::{Findings, Rank},
        parser::wrong_type,
    },
    value::{AttributeValue, Type},
};
use std::cmp::Ordering;

/// Notes operands of types that can never make sense.
pub(super) fn check(tree: &Node, values: &[AttributeValue], findings: &mut Findings) {
    Checker { values, findings, comparison: 0 }.node(tree);
}

struct Checker<'a> {
    values: &'a [AttributeValue],
    findings: &'a mut Findings,
    comparison: u32,
}

impl Checker<'_> {
    fn node(&mut self, node: &Node) {
        match node {
            Node::And(all) | Node::Or(all) => return all.iter().for_each(|node| self.node(node)),
            Node::Not(node) => return self.node(node),
            _ => self.comparison += 1,
        }
        node.operands().into_iter().for_each(|operand| self.size(operand));
        match node {
            Node::Compare(comparator, a, b) if comparator.is_ordering() => self.ordered(*comparator, a, b),
            Node::Between(value, low, high) => self.between(value, low, high),
            Node::HasType(_, name) => self.type_name(name),
            Node::BeginsWith(a, b) => {
                for operand in [a, b] {
                    self.only(operand, "begins_with", |kind| matches!(kind, Type::S | Type::B));
                }
            }
            _ => {}
        }
    }

    /// The type of an operand, unless it depends on the item.
    fn kind(&self, operand: &Operand) -> Option<Type> {
        match operand {
            Operand::Size(_) => Some(Type::N),
            other => other.constant(self.values).map(AttributeValue::kind),
        }
    }

    fn note(&mut self, reason: impl std::fmt::Display) {
        self.findings.note(Rank::Function, self.comparison, 0, reason);
    }

    /// Notes an operand of another type than these.
    fn only(&mut self, operand: &Operand, operator: &str, allowed: impl Fn(Type) -> bool) {
        if let Some(kind) = self.kind(operand).filter(|kind| !allowed(*kind)) {
            self.note(wrong_type(operator, kind));
        }
    }

    fn size(&mut self, operand: &Operand) {
        if let Operand::Size(of) = operand {
            self.size(of);
            self.only(of, "size", |kind| !matches!(kind, Type::N | Type::Bool | Type::Null));
        }
    }

    fn ordered(&mut self, comparator: Comparator, a: &Operand, b: &Operand) {
        for operand in [a, b] {
            self.only(operand, comparator.as_str(), is_ordered);
        }
    }

    fn between(&mut self, value: &Operand, low: &Operand, high: &Operand) {
        for operand in [value, low, high] {
            self.only(operand, "BETWEEN", is_ordered);
        }
        let (Some(low), Some(high)) = (low.constant(self.values), high.constant(self.values)) else { return };
        if low.kind() != high.kind() {
            self.note(bounds("same data type for lower and upper bounds", low, high));
        } else if super::evaluate::order(low, high) == Some(Ordering::Greater) {
            self.note(inverted(low, high));
        }
    }

    fn type_name(&mut self, operand: &Operand) {
        let Some(name) = operand.constant(self.values) else {
            return match self.kind(operand) {
                Some(kind) => self.note(wrong_type("attribute_type", kind)),
                None => self.note(wrong_type("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")),
            };
        };
        match name {
            AttributeValue::S(name) if Type::parse(name).is_some() => {}
            AttributeValue::S(name) => self.note(format_args!(
                "Invalid attribute type name found; type: {name}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
            )),
            other => self.note(wrong_type("attribute_type", other.kind())),
        }
    }
}

/// The reason for which bounds are refused whose lower one is the greater one.
pub(in crate::kv::expr) fn inverted(low: &AttributeValue, high: &AttributeValue) -> String {
    bounds("upper bound to be greater than or equal to lower bound", low, high)
}

fn bounds(required: &str, low: &AttributeValue, high: &AttributeValue) -> String {
    format!(
        "The BETWEEN operator requires {required}; lower bound operand: AttributeValue: {}, \
         upper bound operand: AttributeValue: {}",
        shown(low),
        shown(high)
    )
}

/// A value as the service's texts show it: `{S:text}`.
fn shown(value: &AttributeValue) -> String {
    let content = match value {
        AttributeValue::S(text) => text.clone(),
        AttributeValue::N(number) => number.to_string(),
        AttributeValue::B(bytes) => crate::kv::base64(bytes),
        AttributeValue::Bool(truth) => truth.to_string(),
        other => return format!("{{{}}}", other.kind()),
    };
    format!("{{{}:{content}}}", value.kind())
}
