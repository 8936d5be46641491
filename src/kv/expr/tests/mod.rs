//! Tests of expressions: what they mean, what is said of those that mean nothing, and a model of both.

mod conditions;
mod keys;
mod model;
mod refusals;
mod updates;

use super::*;
use crate::kv::{
    error::Error,
    value::{AttributeValue, Item},
};

/// Names of two letters and one: `#ab` stands for `b` of it, so any test has what it needs.
fn names(placeholders: &[(&str, &str)]) -> Names {
    placeholders.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// Those placeholders of a text that are there.
fn used<'a>(text: &str, names: &'a Names, values: &'a Item) -> (Names, Item) {
    let is_used = |placeholder: &str| {
        let mut rest = text;
        while let Some(at) = rest.find(placeholder) {
            rest = &rest[at + placeholder.len()..];
            if !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                return true;
            }
        }
        false
    };
    (
        names.iter().filter(|(name, _)| is_used(name)).map(|(a, b)| (a.clone(), b.clone())).collect(),
        values.iter().filter(|(name, _)| is_used(name)).map(|(a, b)| (a.clone(), b.clone())).collect(),
    )
}
