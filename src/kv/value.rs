//! Attribute values of the ten types, and items made of them.
//!
//! V1. A set has at least one member, and none twice: [`Set`] is built by checking.
//! V2. Members of sets and attributes of items are in order, so equal values are equal field by field, in whatever
//!     order they were written.

use super::{
    error::{Error, Result},
    number::Number,
};
use bytes::Bytes;
use std::{
    borrow::Borrow,
    collections::{BTreeMap, btree_map},
    fmt,
    ops::{Deref, DerefMut},
};

/// Levels of a value within an item, at most: a scalar is one, and so is every list or map around it.
pub const NESTING_MAX: usize = 32;
/// Bytes of an item, names and values, at most.
pub const ITEM_SIZE_MAX: usize = 400 << 10;
/// Bytes of the name of an attribute that is no key, at most.
pub const NAME_LEN_MAX: usize = 65_535;
/// What a list or a map is charged beside its elements.
const CONTAINER_OVERHEAD: usize = 3;
/// What each element of a list or a map is charged beside itself.
const ELEMENT_OVERHEAD: usize = 1;

const TOO_DEEP: &str = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels \
                        beyond supported limit";

/// A value of an attribute: one of the service's ten types.
///
/// Values are equal if they have the same type and content: numbers by value, sets whatever the order of their members.
///
/// ```
/// use fourfold::kv::{AttributeValue, Type, item};
///
/// let value = AttributeValue::from("text");
/// assert_eq!(value.kind(), Type::S);
/// assert_eq!(value.size(), 4);
///
/// let document = AttributeValue::M(item! { "tags" => ["a", "b"], "count" => 2 });
/// assert_eq!(document.as_map().and_then(|map| map.get("count")?.as_number()), Some(2.into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeValue {
    /// A string.
    S(String),
    /// A number.
    N(Number),
    /// Bytes.
    B(Bytes),
    /// A set of strings.
    Ss(Set<String>),
    /// A set of numbers.
    Ns(Set<Number>),
    /// A set of byte strings.
    Bs(Set<Bytes>),
    /// A map: a document within the document.
    M(Item),
    /// A list of values of any types.
    L(Vec<AttributeValue>),
    /// True or false.
    Bool(bool),
    /// Null.
    Null,
}

/// The type of an [`AttributeValue`].
///
/// ```
/// use fourfold::kv::Type;
/// assert_eq!(Type::Ss.as_str(), "SS");
/// assert_eq!(Type::parse("BOOL"), Some(Type::Bool));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A string.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
    /// A set of strings.
    Ss,
    /// A set of numbers.
    Ns,
    /// A set of byte strings.
    Bs,
    /// A map.
    M,
    /// A list.
    L,
    /// True or false.
    Bool,
    /// Null.
    Null,
}

impl Type {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::S, Self::N, Self::B, Self::Ss, Self::Ns, Self::Bs, Self::M, Self::L, Self::Bool, Self::Null];

    /// The service's name of the type, such as `SS` or `BOOL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
            Self::Ss => "SS",
            Self::Ns => "NS",
            Self::Bs => "BS",
            Self::M => "M",
            Self::L => "L",
            Self::Bool => "BOOL",
            Self::Null => "NULL",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AttributeValue {
    /// A number from its decimal digits.
    ///
    /// # Errors
    /// `ValidationException` if it is none, has more than 38 digits, or is out of range.
    pub fn number(text: &str) -> Result<Self> {
        text.parse().map(Self::N)
    }

    /// A set of strings.
    ///
    /// # Errors
    /// As [`Set::new`].
    pub fn string_set<T: Into<String>>(members: impl IntoIterator<Item = T>) -> Result<Self> {
        Set::new(members.into_iter().map(Into::into)).map(Self::Ss)
    }

    /// A set of numbers.
    ///
    /// # Errors
    /// As [`Set::new`].
    pub fn number_set<T: Into<Number>>(members: impl IntoIterator<Item = T>) -> Result<Self> {
        Set::new(members.into_iter().map(Into::into)).map(Self::Ns)
    }

    /// A set of byte strings.
    ///
    /// # Errors
    /// As [`Set::new`].
    pub fn binary_set<T: Into<Bytes>>(members: impl IntoIterator<Item = T>) -> Result<Self> {
        Set::new(members.into_iter().map(Into::into)).map(Self::Bs)
    }

    /// The type.
    pub const fn kind(&self) -> Type {
        match self {
            Self::S(_) => Type::S,
            Self::N(_) => Type::N,
            Self::B(_) => Type::B,
            Self::Ss(_) => Type::Ss,
            Self::Ns(_) => Type::Ns,
            Self::Bs(_) => Type::Bs,
            Self::M(_) => Type::M,
            Self::L(_) => Type::L,
            Self::Bool(_) => Type::Bool,
            Self::Null => Type::Null,
        }
    }

    /// Bytes as the service counts them: of text and binary their length, of numbers about half their digits, one of
    /// true, false and null; lists and maps cost 3, and one more for every element.
    pub fn size(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.size(),
            Self::B(bytes) => bytes.len(),
            Self::Ss(set) => set.iter().map(String::len).sum(),
            Self::Ns(set) => set.iter().map(|number| number.size()).sum(),
            Self::Bs(set) => set.iter().map(Bytes::len).sum(),
            Self::M(map) => CONTAINER_OVERHEAD + map.size() + map.len() * ELEMENT_OVERHEAD,
            Self::L(list) => {
                CONTAINER_OVERHEAD + list.iter().map(|value| value.size() + ELEMENT_OVERHEAD).sum::<usize>()
            }
            Self::Bool(_) | Self::Null => 1,
        }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::S(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub const fn as_number(&self) -> Option<Number> {
        if let Self::N(number) = self { Some(*number) } else { None }
    }

    /// The bytes, if it is binary.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        if let Self::B(bytes) = self { Some(bytes) } else { None }
    }

    /// True or false, if it is one of them.
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::L(list) = self { Some(list) } else { None }
    }

    /// The document, if it is a map.
    pub const fn as_map(&self) -> Option<&Item> {
        if let Self::M(map) = self { Some(map) } else { None }
    }

    /// Refuses what is nested too deep. Never goes deeper itself.
    ///
    /// # Errors
    /// `ValidationException` if there are more than [`NESTING_MAX`] levels.
    pub fn validate(&self) -> Result<()> {
        self.validate_below(NESTING_MAX)
    }

    fn validate_below(&self, levels: usize) -> Result<()> {
        let Some(below) = levels.checked_sub(1) else { return Err(Error::request(TOO_DEEP)) };
        match self {
            Self::M(map) => map.values().try_for_each(|value| value.validate_below(below)),
            Self::L(list) => list.iter().try_for_each(|value| value.validate_below(below)),
            _ => Ok(()),
        }
    }
}

/// An item: its attributes by name, in the order of the names as bytes. Also what a map holds.
///
/// It is a `BTreeMap` with the sizes and checks of the service; [`item!`](crate::item) makes one.
///
/// ```
/// use fourfold::kv::{Item, item};
///
/// let mut song = item! { "artist" => "No One You Know", "plays" => 12 };
/// song.insert("genre".to_owned(), "country".into());
/// assert_eq!(song.size(), 6 + 15 + 5 + 2 + 5 + 7);
/// song.validate()?;
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Item(BTreeMap<String, AttributeValue>);

impl Item {
    /// Without attributes.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Bytes as the service counts them: of the names and the values.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.size()).sum()
    }

    /// Refuses what no item may be. Sets and numbers are right by construction, so what is left is nesting, names and
    /// the size as a whole.
    ///
    /// # Errors
    /// `ValidationException` if a value has more than [`NESTING_MAX`] levels, a name of an attribute is empty or longer
    /// than [`NAME_LEN_MAX`] bytes, or the item is larger than [`ITEM_SIZE_MAX`] bytes.
    pub fn validate(&self) -> Result<()> {
        self.validate_values()?;
        if self.size() > ITEM_SIZE_MAX {
            return Err(Error::validation("Item size has exceeded the maximum allowed size"));
        }
        Ok(())
    }

    /// As [`validate`](Self::validate), whatever the size.
    pub(crate) fn validate_values(&self) -> Result<()> {
        for (name, value) in &self.0 {
            if name.is_empty() {
                return Err(Error::request("Empty attribute name"));
            }
            if name.len() > NAME_LEN_MAX {
                return Err(Error::validation(format!(
                    "One or more parameter values were invalid: Attribute name is too large, must be less than {} \
                     bytes",
                    NAME_LEN_MAX + 1
                )));
            }
            value.validate()?;
        }
        Ok(())
    }
}

impl Deref for Item {
    type Target = BTreeMap<String, AttributeValue>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Item {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: Into<String>, V: Into<AttributeValue>> FromIterator<(K, V)> for Item {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(attributes: I) -> Self {
        Self(attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl<K: Into<String>, V: Into<AttributeValue>, const N: usize> From<[(K, V); N]> for Item {
    fn from(attributes: [(K, V); N]) -> Self {
        attributes.into_iter().collect()
    }
}

impl From<BTreeMap<String, AttributeValue>> for Item {
    fn from(attributes: BTreeMap<String, AttributeValue>) -> Self {
        Self(attributes)
    }
}

impl IntoIterator for Item {
    type Item = (String, AttributeValue);
    type IntoIter = btree_map::IntoIter<String, AttributeValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Item {
    type Item = (&'a String, &'a AttributeValue);
    type IntoIter = btree_map::Iter<'a, String, AttributeValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// A set of strings, numbers or byte strings: at least one, none twice, in order.
///
/// ```
/// use fourfold::kv::Set;
/// let set = Set::new(["b".to_owned(), "a".to_owned()])?;
/// assert!(set.contains("a"));
/// assert_eq!(set.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b"]);
/// assert!(Set::<String>::new([]).is_err());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Set<T>(Vec<T>);

impl<T: SetMember> Set<T> {
    /// A set of these members, in any order.
    ///
    /// # Errors
    /// `ValidationException` if there are none, or one is there twice.
    pub fn new(members: impl IntoIterator<Item = T>) -> Result<Self> {
        let members: Vec<T> = members.into_iter().collect();
        if members.is_empty() {
            return Err(Error::request(T::EMPTY));
        }
        let mut sorted = members.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::request(T::duplicates(&members)));
        }
        Ok(Self(sorted))
    }

    /// A set of members that are in order already. None if they are not, or there are none.
    pub(crate) fn from_sorted(members: Vec<T>) -> Option<Self> {
        (!members.is_empty() && members.is_sorted_by(|a, b| a < b)).then_some(Self(members))
    }

    /// Is this a member?
    pub fn contains<Q: Ord + ?Sized>(&self, member: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.binary_search_by(|found| found.borrow().cmp(member)).is_ok()
    }

    /// The members in order: numbers by value, others as bytes.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// How many members there are, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty (V1)")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The members of both.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut members = [&*self.0, &*other.0].concat();
        members.sort_unstable();
        members.dedup();
        Self(members)
    }

    /// The members that `other` does not have. None if that is nothing.
    pub(crate) fn difference(&self, other: &Self) -> Option<Self> {
        let rest: Vec<T> = self.0.iter().filter(|member| !other.contains(*member)).cloned().collect();
        (!rest.is_empty()).then_some(Self(rest))
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// What a set can have as members: `String`, [`Number`] and `Bytes`.
///
/// ```
/// use fourfold::kv::{Number, Set, SetMember};
/// fn largest<T: SetMember>(set: &Set<T>) -> Option<&T> {
///     set.iter().last()
/// }
/// let set = Set::new([3, 1, 2].map(Number::from))?;
/// assert_eq!(largest(&set), Some(&3.into()));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
pub trait SetMember: Ord + Clone + sealed::Sealed {
    /// What the service says of an empty set.
    #[doc(hidden)]
    const EMPTY: &'static str;

    /// What the service says of a member that is there twice.
    #[doc(hidden)]
    fn duplicates(members: &[Self]) -> String;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for String {}
    impl Sealed for crate::kv::Number {}
    impl Sealed for bytes::Bytes {}
}

impl SetMember for String {
    const EMPTY: &'static str = "One or more parameter values were invalid: An string set  may not be empty";

    fn duplicates(members: &[Self]) -> String {
        let members = members.join(", ");
        format!(
            "One or more parameter values were invalid: Input collection [{members}] contains duplicates."
        )
    }
}

impl SetMember for Number {
    const EMPTY: &'static str = "One or more parameter values were invalid: An number set  may not be empty";

    fn duplicates(_: &[Self]) -> String {
        "Input collection contains duplicates".to_owned()
    }
}

impl SetMember for Bytes {
    const EMPTY: &'static str = "One or more parameter values were invalid: Binary sets should not be empty";

    fn duplicates(members: &[Self]) -> String {
        let members: Vec<String> = members.iter().map(|bytes| super::base64(bytes)).collect();
        let members = members.join(", ");
        format!(
            "One or more parameter values were invalid: Input collection [{members}]of type BS contains duplicates."
        )
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
