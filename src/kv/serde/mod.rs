//! Items from Rust types and back, by `serde`.
//!
//! | Rust | attribute value |
//! | --- | --- |
//! | integers, floats, [`Number`](crate::kv::Number) | number |
//! | `String`, `&str`, `char`, unit variants of enums | string |
//! | `bool` | boolean |
//! | `()`, unit structs, `None` | null |
//! | `Vec`, arrays, tuples, sets | list |
//! | structs, maps | map |
//! | variants of enums with content | map of one field, the variant's name |
//! | byte strings (`serde_bytes`, or [`binary`]) | binary |
//! | a collection with [`set`] | set |
//! | [`AttributeValue`], [`Item`] | what it is |
//!
//! Keys of maps are strings, or integers, booleans, characters or unit variants written as such. `Some(x)` is what `x`
//! is. What is stored as a set is read into any collection.

pub mod binary;
mod de;
mod key;
mod ser;
pub mod set;
mod value;

use super::value::{AttributeValue, Item};
use ::serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// The newtype whose content is made into a set.
const SET: &str = "$fourfold::kv::Set";
/// The newtype whose content is a number in decimal digits.
const NUMBER: &str = "$fourfold::kv::Number";
/// The newtype whose content is an attribute value, exactly.
const VALUE: &str = "$fourfold::kv::AttributeValue";
/// The field whose content is a map that has a field of one of these names.
const MAP: &str = "$fourfold::kv::Item";

/// Why a Rust value is no item, or an item not that Rust value.
///
/// ```
/// use fourfold::kv::serde::to_item;
/// assert_eq!(to_item(&7).unwrap_err().to_string(), "an item is made of a struct or a map, not of a value of type N");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl ::serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl ::serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<super::Error> for Error {
    fn from(error: super::Error) -> Self {
        Self(error.to_string())
    }
}

/// The item that a struct or a map is.
///
/// ```
/// use fourfold::kv::{item, serde::{from_item, to_item}};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Song {
///     artist: String,
///     plays: u64,
///     length: Option<f32>,
///     labels: Vec<String>,
/// }
///
/// let song = Song { artist: "Ann".to_owned(), plays: 3, length: None, labels: vec!["pop".to_owned()] };
/// let item = to_item(&song)?;
/// assert_eq!(item, item! { "artist" => "Ann", "plays" => 3, "length" => (), "labels" => ["pop"] });
/// assert_eq!(from_item::<Song>(item)?, song);
/// # Ok::<(), fourfold::kv::serde::Error>(())
/// ```
///
/// # Errors
/// If it is something else, or holds what no attribute can: a number out of range, a map with keys that are no strings,
/// an empty set, more than 32 levels.
pub fn to_item<T: Serialize + ?Sized>(value: &T) -> Result<Item, Error> {
    match to_value(value)? {
        AttributeValue::M(item) => Ok(item),
        other => {
            let kind = other.kind();
            Err(Error(format!("an item is made of a struct or a map, not of a value of type {kind}")))
        }
    }
}

/// The attribute value that a Rust value is.
///
/// ```
/// use fourfold::kv::serde::to_value;
/// assert_eq!(to_value(&(1, "a"))?, [to_value(&1)?, "a".into()].into());
/// # Ok::<(), fourfold::kv::serde::Error>(())
/// ```
///
/// # Errors
/// If it holds what no attribute can.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<AttributeValue, Error> {
    value.serialize(ser::ValueSerializer::new())
}

/// The Rust value that an item is.
///
/// # Errors
/// If it lacks an attribute, or one is of another type.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    from_value(AttributeValue::M(item))
}

/// The Rust value that an attribute value is.
///
/// ```
/// use fourfold::kv::{AttributeValue, serde::from_value};
/// assert_eq!(from_value::<Vec<u8>>([1, 2].into())?, [1, 2]);
/// assert!(from_value::<Vec<u8>>([1, 256].into()).is_err());
/// # Ok::<(), fourfold::kv::serde::Error>(())
/// ```
///
/// # Errors
/// If it is of another type.
pub fn from_value<T: DeserializeOwned>(value: AttributeValue) -> Result<T, Error> {
    T::deserialize(de::ValueDeserializer(value))
}

#[cfg(test)]
mod tests;
