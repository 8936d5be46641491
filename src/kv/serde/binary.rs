//! A field of bytes that is stored as binary, not as a list of numbers:
//! `#[serde(with = "fourfold::kv::serde::binary")]`.
//!
//! ```
//! use fourfold::kv::serde::{from_item, to_item};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Image {
//!     #[serde(with = "fourfold::kv::serde::binary")]
//!     pixels: Vec<u8>,
//! }
//!
//! let item = to_item(&Image { pixels: vec![1, 2, 3] })?;
//! assert_eq!(item["pixels"].as_bytes().map(|bytes| bytes.len()), Some(3));
//! assert_eq!(from_item::<Image>(item)?.pixels, [1, 2, 3]);
//! # Ok::<(), fourfold::kv::serde::Error>(())
//! ```

use ::serde::{
    Deserializer, Serializer,
    de::{Error, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// Writes bytes as binary.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<T: AsRef<[u8]>, S: Serializer>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes.as_ref())
}

/// Reads bytes from binary, or from a list of numbers.
///
/// # Errors
/// If it is neither.
pub fn deserialize<'de, T: From<Vec<u8>>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_byte_buf(BytesVisitor(PhantomData))
}

struct BytesVisitor<T>(PhantomData<T>);

impl<'de, T: From<Vec<u8>>> Visitor<'de> for BytesVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
        Ok(bytes.to_vec().into())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<T, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}
