//! Reading conditions.

use super::{
    PreparedCondition,
    tree::{Comparator, Node, Operand},
};
use crate::kv::{
    error::Result,
    expr::{
        findings::{ExpressionKind, Findings, Rank},
        lexer::Kind,
        parser::{Argument, Call, Parser},
        placeholders::Placeholders,
    },
};
use std::{mem, sync::Arc};

const FUNCTIONS: [(&str, usize); 6] = [
    ("attribute_exists", 1),
    ("attribute_not_exists", 1),
    ("attribute_type", 2),
    ("begins_with", 2),
    ("contains", 2),
    ("size", 1),
];
/// Operands of `IN`, the one that is looked for included, at most.
const IN_OPERANDS_MAX: usize = 100;

/// The condition, and what is wrong with it as far as that does not depend on values.
pub(super) fn parse(
    kind: ExpressionKind,
    text: &str,
    placeholders: &mut Placeholders<'_>,
) -> Result<(PreparedCondition, Findings)> {
    let mut parser = Parser::new(kind, text, placeholders)?;
    let tree = Arc::new(condition(&mut parser)?);
    Ok((PreparedCondition { kind, tree, slots: parser.slots }, parser.findings))
}

/// An operator that waits for what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Group,
    Or,
    And,
    Not,
}

/// Conditions that are complete, and operators that wait: no recursion (X1).
#[derive(Default)]
struct Stack {
    nodes: Vec<Node>,
    waiting: Vec<Waiting>,
}

impl Stack {
    /// Applies what binds more tightly than, or as tightly as, this.
    fn reduce(&mut self, to: Waiting) {
        while let Some(operator) = self.waiting.pop_if(|operator| binding(*operator) >= binding(to)) {
            let Some(last) = self.nodes.pop() else { return };
            let node = match operator {
                Waiting::Not => Some(Node::Not(Box::new(last))),
                Waiting::And => self.nodes.pop().map(|first| first.and(last)),
                Waiting::Or => self.nodes.pop().map(|first| first.or(last)),
                Waiting::Group => None,
            };
            self.nodes.extend(node);
        }
    }
}

const fn binding(operator: Waiting) -> u8 {
    match operator {
        Waiting::Group => 0,
        Waiting::Or => 1,
        Waiting::And => 2,
        Waiting::Not => 3,
    }
}

fn condition(parser: &mut Parser<'_, '_, '_>) -> Result<Node> {
    let mut stack = Stack::default();
    loop {
        if parser.take_keyword("NOT") {
            parser.count_operator()?;
            stack.waiting.push(Waiting::Not);
            continue;
        }
        if parser.peek().kind == Kind::Open && !opens_operand(parser) {
            parser.next();
            stack.waiting.push(Waiting::Group);
            continue;
        }
        parser.comparison += 1;
        let leaf = comparison(parser)?;
        stack.nodes.push(leaf);
        // Behind a condition: what closes groups, then what connects it to the next one.
        while parser.peek().kind == Kind::Close {
            stack.reduce(Waiting::Or);
            if stack.waiting.pop() != Some(Waiting::Group) {
                return parser.syntax_error();
            }
            parser.next();
        }
        let connective = if parser.take_keyword("AND") {
            Waiting::And
        } else if parser.take_keyword("OR") {
            Waiting::Or
        } else if parser.peek().kind == Kind::End {
            stack.reduce(Waiting::Or);
            let (true, Some(node)) = (stack.waiting.is_empty(), stack.nodes.pop()) else {
                return parser.syntax_error();
            };
            return Ok(node);
        } else {
            return parser.syntax_error();
        };
        parser.count_operator()?;
        stack.reduce(connective);
        stack.waiting.push(connective);
    }
}

/// Do the parentheses that open here contain an operand, not a condition?
fn opens_operand(parser: &Parser<'_, '_, '_>) -> bool {
    let Some(behind) = parser.behind_closing() else { return false };
    comparator(behind.kind).is_some() || behind.is("BETWEEN") || behind.is("IN")
}

const fn comparator(kind: Kind) -> Option<Comparator> {
    Some(match kind {
        Kind::Equal => Comparator::Equal,
        Kind::NotEqual => Comparator::NotEqual,
        Kind::Less => Comparator::Less,
        Kind::LessOrEqual => Comparator::LessOrEqual,
        Kind::Greater => Comparator::Greater,
        Kind::GreaterOrEqual => Comparator::GreaterOrEqual,
        _ => return None,
    })
}

/// A comparison, `BETWEEN`, `IN` or a function.
fn comparison(parser: &mut Parser<'_, '_, '_>) -> Result<Node> {
    let first = parser.argument(0)?;
    let next = parser.peek();
    if let Some(comparator) = comparator(next.kind) {
        parser.next();
        parser.count_operator()?;
        let second = parser.argument(0)?;
        let (first, second) = (operand(parser, first), operand(parser, second));
        check_distinct(parser, comparator.as_str(), next.at, &first, &second);
        return Ok(Node::Compare(comparator, first, second));
    }
    if parser.take_keyword("BETWEEN") {
        parser.count_operator()?;
        let low = parser.argument(0)?;
        if !parser.take_keyword("AND") {
            return parser.syntax_error();
        }
        let high = parser.argument(0)?;
        let value = operand(parser, first);
        return Ok(Node::Between(value, operand(parser, low), operand(parser, high)));
    }
    if parser.take_keyword("IN") {
        parser.count_operator()?;
        return membership(parser, first, next.at);
    }
    match first {
        Argument::Call(call) => Ok(function(parser, call)),
        Argument::Path(_) | Argument::Slot(_) => parser.syntax_error(),
    }
}

fn membership(parser: &mut Parser<'_, '_, '_>, first: Argument<'_>, at: usize) -> Result<Node> {
    parser.expect(Kind::Open)?;
    let value = operand(parser, first);
    let mut list = Vec::new();
    loop {
        let argument = parser.argument(0)?;
        list.push(operand(parser, argument));
        if !parser.take(Kind::Comma) {
            break;
        }
    }
    parser.expect(Kind::Close)?;
    let operands = 1 + list.len();
    if operands > IN_OPERANDS_MAX {
        let reason = format_args!(
            "The IN operator is provided with too many operands; number of operands: {operands}"
        );
        parser.note(Rank::Operand, at, reason);
    }
    Ok(Node::In(value, list))
}

/// What is compared. Of the functions only `size` has a value.
fn operand(parser: &mut Parser<'_, '_, '_>, argument: Argument<'_>) -> Operand {
    match argument {
        Argument::Path(path) => Operand::Path(path),
        Argument::Slot(slot) => Operand::Slot(slot),
        Argument::Call(mut call) => {
            parser.check_call(&call, &FUNCTIONS);
            if is_condition(call.name) {
                parser.misused(&call);
            }
            let of = mem::take(&mut call.arguments).into_iter().next();
            let of = of.map_or(Operand::Slot(usize::MAX), |of| operand(parser, of));
            Operand::Size(Box::new(of))
        }
    }
}

/// Is it a function that is true or false, and so no operand?
fn is_condition(function: &str) -> bool {
    function != "size" && FUNCTIONS.iter().any(|(name, _)| *name == function)
}

/// A function that is true or false.
fn function(parser: &mut Parser<'_, '_, '_>, mut call: Call<'_>) -> Node {
    if call.name == "size" {
        parser.misused(&call);
    }
    let has_operands = parser.check_call(&call, &FUNCTIONS);
    let mut operands: Vec<_> =
        mem::take(&mut call.arguments).into_iter().map(|argument| operand(parser, argument)).collect();
    let nothing = || Operand::Slot(usize::MAX);
    let second = operands.get_mut(1).map_or_else(nothing, |operand| mem::replace(operand, nothing()));
    let first = operands.into_iter().next().unwrap_or_else(nothing);
    if has_operands {
        check_distinct(parser, call.name, call.at, &first, &second);
    }
    match (call.name, first) {
        ("attribute_exists", Operand::Path(path)) => Node::Exists(path),
        ("attribute_not_exists", Operand::Path(path)) => Node::NotExists(path),
        ("attribute_exists" | "attribute_not_exists", other) => {
            // Behind what is wrong with the operand itself.
            parser.needs_path(call.name, call.at + 1);
            Node::Contains(other, second)
        }
        ("attribute_type", first) => Node::HasType(first, second),
        ("begins_with", first) => Node::BeginsWith(first, second),
        (_, first) => Node::Contains(first, second),
    }
}

/// Notes the same path as both operands.
fn check_distinct(
    parser: &mut Parser<'_, '_, '_>,
    operator: &str,
    at: usize,
    first: &Operand,
    second: &Operand,
) {
    let (Some(path), true) = (first.as_path(), first == second) else { return };
    let reason = format_args!(
        "The first operand must be distinct from the remaining operands for this operator or function; \
         operator: {operator}, first operand: {}",
        path.listed()
    );
    parser.note(Rank::Distinct, at, reason);
}
