//! What requests may look like: the shapes of the services' models, and the check of a request against them.
//!
//! The services check in three steps, each for the whole request before the next begins: is every member of its type
//! ([`types`]), does every member keep the constraints of the model ([`constraints`], which reports all that do not at
//! once), and only then, by the operation itself, does the request mean something. The tables are as compact as the
//! models allow; the order of members in them is the order in which the service reports.

mod constraints;
mod dynamodb;
mod dynamodb_tables;
mod kinesis;
mod newer;
mod sqs;
mod types;

use crate::fields::Dialect;
use crate::refusal::Result;
use crate::value::Value;

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    Text(Text),
    /// A whole number, what Java calls it, and its bounds.
    Int(&'static str, i64, i64),
    Flag,
    /// Bytes, at most so many.
    Blob(usize),
    /// Seconds.
    Time,
    List(List),
    Map(Map),
    Struct(Struct),
}

/// Rules for a text.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// Characters.
    min: usize,
    max: Option<usize>,
    pattern: Option<Pattern>,
    /// The words that it may be, if not any.
    words: &'static [&'static str],
    /// A name that an ARN may stand for.
    is_or_arn: bool,
}

/// A pattern as the model words it, and what it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    text: &'static str,
    matches: fn(&str) -> bool,
}

/// Rules for a list.
#[derive(Debug)]
pub(crate) struct List {
    min: usize,
    max: usize,
    item: &'static Shape,
    /// Bounds of the length of every item, reported for the list as a whole.
    item_len: Option<(usize, usize)>,
}

/// Rules for a map by names of the caller's choice.
#[derive(Debug)]
pub(crate) struct Map {
    min: usize,
    max: usize,
    value: &'static Shape,
    /// Rules of keys and bounds of the lengths of values, reported for the map as a whole.
    key: Option<&'static Text>,
    value_len: Option<(usize, usize)>,
}

/// A structure: what the service calls it, and its members.
#[derive(Debug)]
pub(crate) struct Struct {
    class: &'static str,
    members: &'static [Member],
    /// Its table is looked at before everything else, and refused in words of its own.
    is_of_table: bool,
}

/// A member of a structure.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    shape: &'static Shape,
    need: Need,
}

/// Must a member be there?
#[derive(Clone, Copy, Debug)]
enum Need {
    Never,
    Always,
    /// Unless another one is.
    Without(&'static str),
}

const fn may(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, need: Need::Never }
}

const fn must(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, need: Need::Always }
}

/// A member that has to be there if the other one is not.
const fn unless(other: &'static str, name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, need: Need::Without(other) }
}

const fn structure(class: &'static str, members: &'static [Member]) -> Shape {
    Shape::Struct(Struct { class, members, is_of_table: false })
}

const fn list(item: &'static Shape, min: usize, max: usize) -> Shape {
    Shape::List(List { min, max, item, item_len: None })
}

const fn map(value: &'static Shape) -> Shape {
    Shape::Map(Map { min: 0, max: usize::MAX, value, key: None, value_len: None })
}

const fn words(words: &'static [&'static str]) -> Shape {
    Shape::Text(Text { words, ..ANY })
}

const fn text(min: usize, max: usize, pattern: Option<Pattern>) -> Shape {
    Shape::Text(Text { min, max: Some(max), pattern, ..ANY })
}

/// Rules of a text that has none.
const ANY: Text = Text { min: 0, max: None, pattern: None, words: &[], is_or_arn: false };
static TEXT: Shape = Shape::Text(ANY);

/// Names of tables, indexes, streams, shards and consumers.
const NAME: Pattern = Pattern { text: "[a-zA-Z0-9_.-]+", matches: is_name };

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'))
}

/// Checks a request to the operation of this name; one that has no shape here is let through.
///
/// # Errors
///
/// The first value of a wrong type, or all constraints that are not kept; of SQS, the first member that is missing.
pub(crate) fn check(dialect: Dialect, operation: &str, request: &mut Value) -> Result<()> {
    check_in(dialect, operation, request, false)
}

/// The same. `is_older`: in the words of the model, even where the service has newer ones.
///
/// # Errors
///
/// As [`check`].
pub(crate) fn check_in(dialect: Dialect, operation: &str, request: &mut Value, is_older: bool) -> Result<()> {
    let Some(shape) = input(dialect, operation) else { return Ok(()) };
    // A form has texts only: what they stand for is seen when they are read.
    if dialect != Dialect::SqsQuery {
        types::check(dialect, shape, request)?;
    }
    match dialect {
        Dialect::Sqs | Dialect::SqsQuery => sqs::required(dialect, shape, request),
        Dialect::Kinesis | Dialect::Dynamo => {
            constraints::check(dialect, operation, shape, request, is_older)
        }
    }
}

/// Is there a shape for the operation of this name?
pub(crate) fn has(dialect: Dialect, operation: &str) -> bool {
    input(dialect, operation).is_some()
}

fn input(dialect: Dialect, operation: &str) -> Option<&'static Shape> {
    match dialect {
        Dialect::Dynamo => dynamodb::input(operation),
        Dialect::Kinesis => kinesis::input(operation),
        Dialect::Sqs | Dialect::SqsQuery => sqs::input(operation),
    }
}

#[cfg(test)]
mod tests;
