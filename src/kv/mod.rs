//! Tables: items of attributes with the semantics of Amazon DynamoDB.
//!
//! What is here so far stands without a store: values and items, numbers, the bytes of items, expressions, and what can
//! go wrong.

pub(crate) mod codec;
mod error;
pub mod expr;
mod macros;
mod number;
pub mod serde;
mod value;

pub use error::{CancellationReason, Error, Result, ThrottlingReason};
pub use number::{DIGITS_MAX, Number};
pub use value::{AttributeValue, ITEM_SIZE_MAX, Item, NAME_LEN_MAX, NESTING_MAX, Set, SetMember, Type};

pub use crate::item;

/// Binary as the service writes it in its texts.
fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}
