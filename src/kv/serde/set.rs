//! A field that is stored as a set: `#[serde(with = "fourfold::kv::serde::set")]`.
//!
//! It may be any collection of strings, numbers or byte strings. No set is empty, so leave the field out then:
//! `#[serde(default, skip_serializing_if = "Vec::is_empty")]`.
//!
//! ```
//! use fourfold::kv::{AttributeValue, serde::{from_item, to_item}};
//! use serde::{Deserialize, Serialize};
//! use std::collections::BTreeSet;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Post {
//!     #[serde(default, with = "fourfold::kv::serde::set", skip_serializing_if = "BTreeSet::is_empty")]
//!     tags: BTreeSet<String>,
//! }
//!
//! let item = to_item(&Post { tags: ["a".to_owned(), "b".to_owned()].into() })?;
//! assert_eq!(item["tags"], AttributeValue::string_set(["a", "b"]).expect("a set"));
//! assert_eq!(from_item::<Post>(item)?.tags.len(), 2);
//! # Ok::<(), fourfold::kv::serde::Error>(())
//! ```

use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a collection as a set.
///
/// # Errors
/// If it is empty, has a member twice, or members of other types than a set can have.
pub fn serialize<T: Serialize, S: Serializer>(collection: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(super::SET, collection)
}

/// Reads a collection from a set.
///
/// # Errors
/// If it is none, or has members of another type.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer)
}
