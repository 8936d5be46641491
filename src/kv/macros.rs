//! Items as they are written in Rust: the `item!` macro, and what converts into a value.

use super::{
    number::Number,
    value::{AttributeValue, Item, Set},
};
use bytes::Bytes;

/// An [`Item`](crate::kv::Item) of attributes: `item! { name => value, ... }`.
///
/// Names convert into `String`, values into [`AttributeValue`](crate::kv::AttributeValue): text, integers, booleans,
/// [`Number`](crate::kv::Number)s, `Bytes`, sets, lists, items. `None` is null, and so is `()`.
///
/// ```
/// use fourfold::kv::{AttributeValue, Set, item};
///
/// let user = item! {
///     "id" => "u-17",
///     "visits" => 12,
///     "admin" => false,
///     "manager" => (),
///     "address" => item! { "city" => "Basel", "zip" => 4051 },
///     "nicknames" => ["ann", "annie"],
///     "roles" => Set::new(["author".to_owned(), "editor".to_owned()])?,
/// };
/// assert_eq!(user["address"].as_map().map(|address| address.len()), Some(2));
/// assert_eq!(user["manager"], AttributeValue::Null);
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[macro_export]
macro_rules! item {
    ($($name:expr => $value:expr),* $(,)?) => {{
        // An expansion without attributes changes nothing.
        #[allow(unused_mut, reason = "an item may be empty")]
        let mut item = $crate::kv::Item::new();
        $( item.insert(::std::string::String::from($name), $crate::kv::AttributeValue::from($value)); )*
        item
    }};
}

macro_rules! from_each {
    ($($from:ty => $value:expr),* $(,)?) => { $(
        impl From<$from> for AttributeValue {
            fn from(value: $from) -> Self {
                $value(value)
            }
        }
    )* };
}

from_each! {
    String => Self::S,
    Number => Self::N,
    Bytes => Self::B,
    bool => Self::Bool,
    Set<String> => Self::Ss,
    Set<Number> => Self::Ns,
    Set<Bytes> => Self::Bs,
    Item => Self::M,
    u8 => |integer| Self::N(Number::from(integer)),
    u16 => |integer| Self::N(Number::from(integer)),
    u32 => |integer| Self::N(Number::from(integer)),
    u64 => |integer| Self::N(Number::from(integer)),
    i8 => |integer| Self::N(Number::from(integer)),
    i16 => |integer| Self::N(Number::from(integer)),
    i32 => |integer| Self::N(Number::from(integer)),
    i64 => |integer| Self::N(Number::from(integer)),
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::S(text.to_owned())
    }
}

impl From<&String> for AttributeValue {
    fn from(text: &String) -> Self {
        Self::S(text.clone())
    }
}

impl From<()> for AttributeValue {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl<T: Into<AttributeValue>> From<Option<T>> for AttributeValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<AttributeValue>> From<Vec<T>> for AttributeValue {
    fn from(list: Vec<T>) -> Self {
        Self::L(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<AttributeValue>, const N: usize> From<[T; N]> for AttributeValue {
    fn from(list: [T; N]) -> Self {
        Self::L(list.into_iter().map(Into::into).collect())
    }
}
