//! What all expressions have in common: tokens one by one, names, paths, calls of functions, and how it is said that a
//! token is in the wrong place.
//!
//! X1. Whatever the text, the parser does not recurse deeper than [`DEPTH_MAX`] calls or parentheses within each other.
//! X2. A tree that was built without findings has every placeholder for a name resolved; values are put in later, by
//!     [`Slots`].

use super::{
    findings::{ExpressionKind, Findings, Rank},
    lexer::{self, Kind, Token},
    path::{PATH_LEN_MAX, Path, Step},
    placeholders::Placeholders,
    reserved,
};
use crate::kv::{
    error::Result,
    value::{AttributeValue, Item},
};

/// Bytes of an expression, at most.
pub const EXPRESSION_LEN_MAX: usize = 4096;
/// Operators and functions of an expression, at most.
pub const OPERATORS_MAX: u32 = 300;
/// Index of a list in a path, at most.
const INDEX_MAX: usize = i32::MAX as usize;
/// Calls and parentheses within each other, at most (X1).
const DEPTH_MAX: usize = 64;

/// The values of an expression, each once, in the order in which it names them first.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    placeholder: String,
    comparison: u32,
    at: usize,
}

impl Slots {
    /// The values that stand there. Notes those that are not defined; the result is of use only if none is.
    pub(super) fn fill(
        &self,
        placeholders: &mut Placeholders<'_>,
        findings: &mut Findings,
    ) -> Vec<AttributeValue> {
        let mut values = Vec::with_capacity(self.slots.len());
        for Slot { placeholder, comparison, at } in &self.slots {
            let value = placeholders.value(placeholder);
            if value.is_none() {
                let reason = format_args!(
                    "An expression attribute value used in expression is not defined; attribute value: {placeholder}"
                );
                findings.note(Rank::Value, *comparison, *at, reason);
            }
            values.push(value.cloned().unwrap_or(AttributeValue::Null));
        }
        values
    }

    /// Fills from values alone, each of which must be used.
    pub(super) fn placeholders(values: &Item) -> Result<Placeholders<'_>> {
        Placeholders::new(None, Some(values).filter(|values| !values.is_empty()))
    }
}

/// The call of a function.
#[derive(Debug)]
pub(super) struct Call<'s> {
    pub(super) name: &'s str,
    pub(super) arguments: Vec<Argument<'s>>,
    pub(super) at: usize,
}

/// What stands where a value is expected.
#[derive(Debug)]
pub(super) enum Argument<'s> {
    Path(Path),
    Slot(usize),
    Call(Call<'s>),
}

/// An expression that is being read.
#[derive(Debug)]
pub(super) struct Parser<'s, 'p, 'v> {
    pub(super) kind: ExpressionKind,
    source: &'s str,
    tokens: Vec<Token<'s>>,
    at: usize,
    /// For every opening parenthesis the token that closes it.
    closing: Vec<Option<usize>>,
    placeholders: &'p mut Placeholders<'v>,
    pub(super) slots: Slots,
    pub(super) findings: Findings,
    operators: u32,
    /// The comparison or function of a condition that is being read, counted from 1.
    pub(super) comparison: u32,
}

impl<'s, 'p, 'v> Parser<'s, 'p, 'v> {
    /// At the first token.
    ///
    /// # Errors
    /// If there is none, or there is too much.
    pub(super) fn new(
        kind: ExpressionKind,
        source: &'s str,
        placeholders: &'p mut Placeholders<'v>,
    ) -> Result<Self> {
        if source.len() > EXPRESSION_LEN_MAX {
            let is_told = placeholders.tells_sizes
                && matches!(kind, ExpressionKind::Condition | ExpressionKind::Filter);
            let size = if is_told { format!(" expression size: {}", source.len()) } else { String::new() };
            return Err(
                kind.invalid(format_args!("Expression size has exceeded the maximum allowed size;{size}"))
            );
        }
        let tokens = lexer::tokens(source);
        if tokens.len() == 1 {
            return Err(kind.invalid("The expression can not be empty;"));
        }
        let closing = closing(&tokens);
        let (slots, findings) = (Slots::default(), Findings::default());
        let parser = Self {
            kind,
            source,
            tokens,
            at: 0,
            closing,
            placeholders,
            slots,
            findings,
            operators: 0,
            comparison: 0,
        };
        if parser.has_redundant_parentheses() {
            return Err(kind.invalid("The expression has redundant parentheses;"));
        }
        Ok(parser)
    }

    /// Parentheses around nothing but parentheses, where neither belongs to a function or a list.
    fn has_redundant_parentheses(&self) -> bool {
        let is_group = |at: usize| match at.checked_sub(1).and_then(|before| self.tokens.get(before)) {
            Some(before) => {
                before.kind != Kind::Word
                    || ["AND", "OR", "NOT", "BETWEEN"].iter().any(|keyword| before.is(keyword))
            }
            None => true,
        };
        (0..self.tokens.len()).any(|at| {
            let Some(outer) = self.closing.get(at).copied().flatten() else { return false };
            let Some(inner) = self.closing.get(at + 1).copied().flatten() else { return false };
            inner + 1 == outer && is_group(at)
        })
    }

    /// The token that comes next.
    pub(super) fn peek(&self) -> Token<'s> {
        let end = Token { kind: Kind::End, text: "", at: self.source.len() };
        self.tokens.get(self.at).copied().unwrap_or(end)
    }

    /// The token behind the next one.
    pub(super) fn peek_second(&self) -> Kind {
        self.tokens.get(self.at + 1).map_or(Kind::End, |token| token.kind)
    }

    /// The token behind the parenthesis that closes the next one, which opens one.
    pub(super) fn behind_closing(&self) -> Option<Token<'s>> {
        let closing = self.closing.get(self.at).copied().flatten()?;
        self.tokens.get(closing + 1).copied()
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Token<'s> {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// Takes the next token if it is of this kind.
    pub(super) fn take(&mut self, kind: Kind) -> bool {
        let found = self.peek().kind == kind;
        self.at += usize::from(found);
        found
    }

    /// Takes the next token, which must be of this kind.
    pub(super) fn expect(&mut self, kind: Kind) -> Result<Token<'s>> {
        if self.peek().kind == kind { Ok(self.next()) } else { self.syntax_error() }
    }

    /// Takes the next token if it is this keyword.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        self.at += usize::from(found);
        found
    }

    /// The next token is in the wrong place.
    #[cold]
    pub(super) fn syntax_error<T>(&self) -> Result<T> {
        let token = self.peek();
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before)).unwrap_or(&token);
        let behind = self.tokens.get(self.at + 1).filter(|behind| behind.kind != Kind::End);
        let end = match behind {
            Some(behind) => behind.at + behind.text.len(),
            None if token.kind == Kind::End => before.at + before.text.len(),
            None => token.at + token.text.len(),
        };
        let near = self.source.get(before.at..end).unwrap_or(self.source);
        Err(self.kind.invalid(format_args!("Syntax error; token: \"{}\", near: \"{near}\"", token.text)))
    }

    /// Counts an operator or a function.
    pub(super) fn count_operator(&mut self) -> Result<()> {
        self.operators += 1;
        if self.operators <= OPERATORS_MAX {
            return Ok(());
        }
        let count = self.operators;
        Err(self
            .kind
            .invalid(format_args!("The expression contains too many operators; operator count: {count}")))
    }

    /// Something is wrong with what is being read.
    #[cold]
    pub(super) fn note(&mut self, rank: Rank, at: usize, reason: impl std::fmt::Display) {
        self.findings.note(rank, self.comparison, at, reason);
    }

    /// Is it a word that this kind of expression is made of, and so never the name of anything there?
    fn is_keyword(&self, token: &Token<'_>) -> bool {
        use ExpressionKind::{Condition, Filter, KeyCondition, Projection, Update};
        let keywords: &[&str] = match self.kind {
            Condition | Filter | KeyCondition => &["AND", "OR", "NOT", "BETWEEN", "IN"],
            Update => &["SET", "REMOVE", "ADD", "DELETE"],
            Projection => &[],
        };
        keywords.iter().any(|keyword| token.is(keyword))
    }

    /// A name of an attribute or a field.
    fn name(&mut self) -> Result<String> {
        let token = self.peek();
        match token.kind {
            Kind::Word if self.is_keyword(&token) => self.syntax_error(),
            Kind::Word => {
                self.at += 1;
                if reserved::is_reserved(token.text) {
                    let reason = format_args!(
                        "Attribute name is a reserved keyword; reserved keyword: {}",
                        token.text
                    );
                    self.note(Rank::Reserved, token.at, reason);
                }
                Ok(token.text.to_owned())
            }
            Kind::Name => {
                self.at += 1;
                let name = self.placeholders.name(token.text);
                if name.is_none() {
                    let reason = format_args!(
                        "An expression attribute name used in the document path is not defined; attribute name: {}",
                        token.text
                    );
                    self.note(Rank::Name, token.at, reason);
                }
                Ok(name.unwrap_or_default().to_owned())
            }
            _ => self.syntax_error(),
        }
    }

    /// A document path.
    pub(super) fn path(&mut self) -> Result<Path> {
        let mut path = Path::new(self.name()?);
        loop {
            if self.take(Kind::Dot) {
                let name = self.name()?;
                path.push(Step::Field(name));
            } else if self.take(Kind::OpenIndex) {
                let digits = self.expect(Kind::Digits)?;
                let index = digits.text.parse().ok().filter(|index| *index <= INDEX_MAX);
                let Some(index) = index else {
                    return Err(self.kind.invalid(format_args!(
                        "List index is not within the allowable range; index: [{}]",
                        digits.text
                    )));
                };
                self.expect(Kind::CloseIndex)?;
                path.push(Step::Index(index));
            } else {
                break;
            }
        }
        let levels = 1 + path.steps().len();
        if levels > PATH_LEN_MAX {
            return Err(self.kind.invalid(format_args!(
                "The document path has too many nesting levels; nesting levels: {levels}"
            )));
        }
        Ok(path)
    }

    /// A `:value`.
    pub(super) fn slot(&mut self) -> Result<usize> {
        let token = self.expect(Kind::Value)?;
        // A value that is named again is not copied again, as large as it may be.
        let known = self.slots.slots.iter().position(|slot| slot.placeholder == token.text);
        if let Some(known) = known {
            return Ok(known);
        }
        let slot = Slot { placeholder: token.text.to_owned(), comparison: self.comparison, at: token.at };
        self.slots.slots.push(slot);
        Ok(self.slots.slots.len() - 1)
    }

    /// A path, a value, a call, or one of them in parentheses.
    pub(super) fn argument(&mut self, depth: usize) -> Result<Argument<'s>> {
        if depth > DEPTH_MAX {
            return self.syntax_error();
        }
        match self.peek().kind {
            Kind::Open => {
                self.at += 1;
                let argument = self.argument(depth + 1)?;
                self.expect(Kind::Close)?;
                Ok(argument)
            }
            Kind::Value => self.slot().map(Argument::Slot),
            Kind::Word if self.peek_second() == Kind::Open => self.call(depth).map(Argument::Call),
            _ => self.path().map(Argument::Path),
        }
    }

    fn call(&mut self, depth: usize) -> Result<Call<'s>> {
        let name = self.next();
        self.count_operator()?;
        self.expect(Kind::Open)?;
        let mut arguments = vec![self.argument(depth + 1)?];
        while self.take(Kind::Comma) {
            arguments.push(self.argument(depth + 1)?);
        }
        self.expect(Kind::Close)?;
        Ok(Call { name: name.text, arguments, at: name.at })
    }

    /// Notes a function that does not exist in this kind of expression, or has another number of operands than this.
    pub(super) fn check_call(&mut self, call: &Call<'_>, functions: &[(&str, usize)]) -> bool {
        let Some((_, operands)) = functions.iter().find(|(name, _)| *name == call.name) else {
            let is_update = self.kind == ExpressionKind::Update;
            let reason = match call.name {
                "if_not_exists" | "list_append" if !is_update => {
                    "The function is not allowed in a condition expression"
                }
                "attribute_exists"
                | "attribute_not_exists"
                | "attribute_type"
                | "begins_with"
                | "contains"
                | "size"
                    if is_update =>
                {
                    "The function is not allowed in an update expression"
                }
                _ => "Invalid function name",
            };
            self.note(Rank::UnknownFunction, call.at, format_args!("{reason}; function: {}", call.name));
            return false;
        };
        let found = call.arguments.len();
        if found != *operands {
            let reason = format_args!(
                "Incorrect number of operands for operator or function; operator or function: {}, \
                 number of operands: {found}",
                call.name
            );
            self.note(Rank::Operand, call.at, reason);
        }
        found == *operands
    }

    /// Notes a function that this kind of expression has, but not here.
    #[cold]
    pub(super) fn misused(&mut self, call: &Call<'_>) {
        let reason = format_args!(
            "The function is not allowed to be used this way in an expression; function: {}",
            call.name
        );
        self.note(Rank::MisusedFunction, call.at, reason);
    }

    /// Notes a function whose first operand had to be a path.
    pub(super) fn needs_path(&mut self, call: &str, at: usize) {
        let reason =
            format_args!("Operator or function requires a document path; operator or function: {call}");
        self.note(Rank::Function, at, reason);
    }
}

/// For every opening parenthesis the token that closes it.
fn closing(tokens: &[Token<'_>]) -> Vec<Option<usize>> {
    let mut closing = vec![None; tokens.len()];
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => open.push(at),
            Kind::Close => {
                if let Some(slot) = open.pop().and_then(|opened: usize| closing.get_mut(opened)) {
                    *slot = Some(at);
                }
            }
            _ => {}
        }
    }
    closing
}

/// The reason for which a value of the wrong type is refused.
pub(super) fn wrong_type(operator: &str, kind: impl std::fmt::Display) -> String {
    format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
    )
}
