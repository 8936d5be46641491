//! What can be wrong with an update once its values are known.

use super::tree::{Action, Change, Term};
use crate::kv::{
    expr::{
        findings::{Findings, Rank},
        parser::wrong_type,
    },
    value::{AttributeValue, Type},
};

/// Notes operands of types that can never make sense.
pub(super) fn check(actions: &[Action], values: &[AttributeValue], findings: &mut Findings) {
    for (number, action) in actions.iter().enumerate() {
        let mut checker = Checker { values, findings, number };
        match &action.change {
            Change::Set(value) => checker.term(value),
            Change::Remove => {}
            Change::Add(value) => checker.section("ADD", value),
            Change::Delete(value) => checker.section("DELETE", value),
        }
    }
}

struct Checker<'a> {
    values: &'a [AttributeValue],
    findings: &'a mut Findings,
    /// Of the action, in the order of the expression.
    number: usize,
}

impl Checker<'_> {
    fn term(&mut self, term: &Term) {
        match term {
            Term::Path(_) | Term::Slot(_) | Term::Literal(_) => {}
            Term::IfNotExists(_, default) => self.term(default),
            Term::ListAppend(first, second) => self.operands("list_append", Type::L, [first, second]),
            Term::Plus(first, second) => self.operands("+", Type::N, [first, second]),
            Term::Minus(first, second) => self.operands("-", Type::N, [first, second]),
        }
    }

    fn operands(&mut self, operator: &str, allowed: Type, operands: [&Term; 2]) {
        for operand in operands {
            self.term(operand);
            match operand.constant(self.values).map(AttributeValue::kind) {
                Some(kind) if kind != allowed => {
                    self.findings.note(Rank::Function, 0, self.number, wrong_type(operator, kind));
                }
                _ => {}
            }
        }
    }

    fn section(&mut self, section: &str, value: &Term) {
        let Some(kind) = value.constant(self.values).map(AttributeValue::kind) else { return };
        let allowed = match kind {
            Type::Ss | Type::Ns | Type::Bs => true,
            Type::N => section == "ADD",
            _ => false,
        };
        if !allowed {
            let reason = format_args!(
                "Incorrect operand type for operator or function; operator: {section}, operand type: {}, \
                 typeSet: ALLOWED_FOR_{section}_OPERAND",
                long_name(kind)
            );
            self.findings.note(Rank::Operand, 0, self.number, reason);
        }
    }
}

/// The type as the service spells it out here.
const fn long_name(kind: Type) -> &'static str {
    match kind {
        Type::S => "STRING",
        Type::N => "NUMBER",
        Type::B => "BINARY",
        Type::M => "MAP",
        Type::L => "LIST",
        Type::Bool => "BOOLEAN",
        other => other.as_str(),
    }
}
