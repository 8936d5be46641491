//! Reading updates.

use super::{
    PreparedUpdate,
    tree::{Action, Change, Term},
};
use crate::kv::{
    error::Result,
    expr::{
        findings::{ExpressionKind, Findings, Rank},
        lexer::Kind,
        parser::{Argument, Call, Parser},
        path::check_apart,
        placeholders::Placeholders,
    },
};
use std::{mem, sync::Arc};

const FUNCTIONS: [(&str, usize); 2] = [("if_not_exists", 2), ("list_append", 2)];
const SECTIONS: [&str; 4] = ["SET", "REMOVE", "ADD", "DELETE"];
/// Parentheses around sums within each other, at most (X1).
const DEPTH_MAX: usize = 64;

/// The update, and what is wrong with it as far as that does not depend on values.
pub(super) fn parse(text: &str, placeholders: &mut Placeholders<'_>) -> Result<(PreparedUpdate, Findings)> {
    let mut parser = Parser::new(ExpressionKind::Update, text, placeholders)?;
    let (mut actions, mut places) = (Vec::new(), Vec::new());
    let mut seen = [false; SECTIONS.len()];
    while parser.peek().kind != Kind::End {
        let token = parser.peek();
        let Some(section) = SECTIONS.iter().position(|section| token.is(section)) else {
            return parser.syntax_error();
        };
        parser.next();
        if mem::replace(&mut seen[section], true) {
            let name = SECTIONS[section];
            let reason =
                format_args!("The \"{name}\" section can only be used once in an update expression;");
            parser.note(Rank::Section, token.at, reason);
        }
        loop {
            places.push(parser.peek().at);
            actions.push(action(&mut parser, section)?);
            if !parser.take(Kind::Comma) {
                break;
            }
        }
    }
    let mut findings = parser.findings;
    let paths = actions.iter().map(|action: &Action| &action.path).zip(places);
    check_apart(paths, &mut findings);
    Ok((PreparedUpdate { actions: Arc::new(actions), slots: parser.slots }, findings))
}

/// One action of a section.
fn action(parser: &mut Parser<'_, '_, '_>, section: usize) -> Result<Action> {
    let path = parser.path()?;
    let change = match section {
        0 => {
            parser.expect(Kind::Equal)?;
            Change::Set(sum(parser, 0)?)
        }
        1 => Change::Remove,
        2 => Change::Add(Term::Slot(parser.slot()?)),
        _ => Change::Delete(Term::Slot(parser.slot()?)),
    };
    Ok(Action { path, change })
}

/// An operand, or two with a sign between them.
fn sum(parser: &mut Parser<'_, '_, '_>, depth: usize) -> Result<Term> {
    let first = operand(parser, depth)?;
    let sign = parser.peek().kind;
    if !matches!(sign, Kind::Plus | Kind::Minus) {
        return Ok(first);
    }
    parser.next();
    parser.count_operator()?;
    let (first, second) = (Box::new(first), Box::new(operand(parser, depth)?));
    Ok(if sign == Kind::Plus { Term::Plus(first, second) } else { Term::Minus(first, second) })
}

fn operand(parser: &mut Parser<'_, '_, '_>, depth: usize) -> Result<Term> {
    if parser.peek().kind != Kind::Open {
        let argument = parser.argument(0)?;
        return Ok(term(parser, argument));
    }
    if depth >= DEPTH_MAX {
        return parser.syntax_error();
    }
    parser.next();
    let inner = sum(parser, depth + 1)?;
    parser.expect(Kind::Close)?;
    Ok(inner)
}

fn term(parser: &mut Parser<'_, '_, '_>, argument: Argument<'_>) -> Term {
    match argument {
        Argument::Path(path) => Term::Path(path),
        Argument::Slot(slot) => Term::Slot(slot),
        Argument::Call(call) => function(parser, call),
    }
}

fn function(parser: &mut Parser<'_, '_, '_>, call: Call<'_>) -> Term {
    let nothing = Term::Slot(usize::MAX);
    if !parser.check_call(&call, &FUNCTIONS) {
        // What it has as operands may still be reported first.
        call.arguments.into_iter().for_each(|argument| drop(term(parser, argument)));
        return nothing;
    }
    if call.name == "list_append" {
        // A list may be made of what is there or else of a value, but not of a list that was just made.
        for inner in &call.arguments {
            if let Argument::Call(inner) = inner
                && inner.name == "list_append"
            {
                parser.misused(inner);
            }
        }
    }
    let mut arguments = call.arguments.into_iter();
    let (Some(first), Some(second)) = (arguments.next(), arguments.next()) else { return nothing };
    let is_default = call.name == "if_not_exists";
    match (is_default, term(parser, first), Box::new(term(parser, second))) {
        (true, Term::Path(path), default) => Term::IfNotExists(path, default),
        (true, other, _) => {
            parser.needs_path(call.name, call.at);
            other
        }
        (false, first, second) => Term::ListAppend(Box::new(first), second),
    }
}
