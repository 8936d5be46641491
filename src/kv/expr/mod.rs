//! The expression language: conditions, filters, key conditions, projections and updates.
//!
//! One lexer and one parser read all five, in the service's words where something is wrong. What comes out is a
//! [`Condition`], [`KeyCondition`], [`Projection`] or [`Update`]; the same come from Rust, by [`attr`] and [`key`], and
//! from the older parameters that had no expressions ([`legacy`]).
//!
//! E1. What is wrong with an expression is found before any item is looked at. Conditions cannot fail on an item;
//!     updates can, and then change nothing.
//! E2. An expression of any bytes is read or refused: no panic, no deep recursion, no more time than its limits allow.

mod build;
mod condition;
mod findings;
mod key_condition;
pub mod legacy;
mod lexer;
mod parser;
mod path;
mod placeholders;
mod projection;
mod reserved;
mod update;

pub use build::{Attr, Size, Source, With, attr};
pub use condition::{Condition, PreparedCondition};
pub use findings::ExpressionKind;
pub use key_condition::{Key, KeyCondition, KeyTest, PreparedKeyCondition, key};
pub use parser::{EXPRESSION_LEN_MAX, OPERATORS_MAX};
pub use path::{PATH_LEN_MAX, Path};
pub use placeholders::{Names, PLACEHOLDERS_SIZE_MAX};
pub use projection::Projection;
pub use update::{PreparedUpdate, Touched, Update};

pub(crate) use key_condition::{KeyAttribute, KeyRange};
pub(crate) use placeholders::Placeholders;

#[cfg(test)]
mod tests;
