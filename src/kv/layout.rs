//! Keys of items and of index entries, from what items hold and the schema says.

use crate::kv::error::{Error, Result};
use crate::kv::expr;
use crate::kv::item;
use crate::kv::keys::{Key, Scalar, push_ordered};
use crate::kv::record::{Definition, IndexDefinition};
use crate::kv::schema::{KeyElement, KeyType, ProjectionType, ScalarType};
use crate::kv::value::{Item, Type};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Bytes of the value of a partition key, at most.
pub const PARTITION_KEY_LEN_MAX: usize = 2048;
/// Bytes of the value of a sort key, at most.
pub const SORT_KEY_LEN_MAX: usize = 1024;

pub(crate) const KEY_MISMATCH: &str = "The provided key element does not match the schema";
const INDEX_MISMATCH: &str = "One or more parameter values were invalid: Type mismatch for Index Key ";

/// An attribute that a key uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyAttribute {
    pub(crate) name: String,
    pub(crate) scalar_type: ScalarType,
}

impl KeyAttribute {
    fn of(definition: &Definition, element: &KeyElement) -> Self {
        // Every key attribute has its definition: creating and updating see to that.
        let scalar_type = definition.scalar_type(&element.name).unwrap_or(ScalarType::S);
        Self { name: element.name.clone(), scalar_type }
    }

    /// As conditions on keys know it.
    fn kind(&self) -> Type {
        self.for_conditions().kind
    }

    pub(crate) fn for_conditions(&self) -> expr::KeyAttribute<'_> {
        let kind = match self.scalar_type {
            ScalarType::S => Type::S,
            ScalarType::N => Type::N,
            ScalarType::B => Type::B,
        };
        expr::KeyAttribute { name: &self.name, kind }
    }

    fn all(definition: &Definition, elements: &[KeyElement], key_type: KeyType) -> Vec<Self> {
        let elements = elements.iter().filter(|element| element.key_type == key_type);
        elements.map(|element| Self::of(definition, element)).collect()
    }
}

/// The keys of a table.
#[derive(Clone, Debug)]
pub(crate) struct TableLayout {
    pub(crate) partition: KeyAttribute,
    pub(crate) sort: Option<KeyAttribute>,
}

impl TableLayout {
    pub(crate) fn new(definition: &Definition) -> Self {
        let first = |key_type| {
            let element = definition.keys.iter().find(|element| element.key_type == key_type);
            element.map(|element| KeyAttribute::of(definition, element))
        };
        let none = KeyAttribute { name: String::new(), scalar_type: ScalarType::S };
        Self { partition: first(KeyType::Hash).unwrap_or(none), sort: first(KeyType::Range) }
    }

    /// The key attributes, the partition key first.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }

    /// The key that a request gives: the key attributes and nothing else.
    pub(crate) fn key(&self, given: &Item) -> Result<Key> {
        let expected = 1 + usize::from(self.sort.is_some());
        if given.len() != expected {
            return Err(Error::validation(KEY_MISMATCH));
        }
        let find = |attribute: &KeyAttribute| {
            let value = given.get(&attribute.name).ok_or(Error::validation(KEY_MISMATCH))?;
            let scalar = Scalar::of(value, attribute.scalar_type).ok_or(Error::validation(KEY_MISMATCH))?;
            refuse_empty(scalar, attribute)?;
            Ok::<_, Error>(scalar)
        };
        assemble(find(&self.partition)?, self.sort.as_ref().map(find).transpose()?)
    }

    /// The key of a whole item.
    pub(crate) fn key_of_item(&self, item: &Item) -> Result<Key> {
        let find = |attribute: &KeyAttribute| {
            let value = item.get(&attribute.name).ok_or_else(|| {
                let name = &attribute.name;
                Error::validation(format!(
                    "One or more parameter values were invalid: Missing the key {name} in the item"
                ))
            })?;
            let scalar = Scalar::of(value, attribute.scalar_type).ok_or_else(|| {
                Error::validation(format!(
                    "One or more parameter values were invalid: Type mismatch for key {} expected: {} actual: {}",
                    attribute.name,
                    attribute.scalar_type,
                    value.kind().as_str()
                ))
            })?;
            refuse_empty(scalar, attribute)?;
            Ok::<_, Error>(scalar)
        };
        assemble(find(&self.partition)?, self.sort.as_ref().map(find).transpose()?)
    }

    /// The key attributes of an item.
    /// The key that an item to be put in a batch has, which is refused as a given key is.
    pub(crate) fn key_of_batch_item(&self, item: &Item) -> Result<Key> {
        self.key(&self.key_item(item))
    }

    pub(crate) fn key_item(&self, item: &Item) -> Item {
        pick(item, self.attributes())
    }
}

/// A key of values that are not too long.
/// The refusal of an item that does not fit an index, where an update expression made it what it is.
pub(crate) fn made_by_update(error: Error) -> Error {
    match &error {
        Error::Validation { message, .. } if message.starts_with(INDEX_MISMATCH) => Error::validation(
            "The update expression attempted to update the secondary index key to unsupported type",
        ),
        _ => error,
    }
}

fn assemble(partition: Scalar<'_>, sort: Option<Scalar<'_>>) -> Result<Key> {
    check_partition_len(partition)?;
    check_sort_len(sort.map_or(0, Scalar::len))?;
    Ok(Key::of(partition, sort))
}

/// The attributes of `item` that a key uses.
pub(crate) fn pick<'a>(item: &Item, attributes: impl Iterator<Item = &'a KeyAttribute>) -> Item {
    attributes
        .filter_map(|attribute| Some((attribute.name.clone(), item.get(&attribute.name)?.clone())))
        .collect()
}

const EMPTY_KEY: &str = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
                         contain an empty ";

/// Is it the refusal of a key attribute that is empty?
pub(crate) fn is_empty_key(error: &Error) -> bool {
    matches!(error, Error::Validation { message, .. } if message.starts_with(EMPTY_KEY))
}

fn refuse_empty(scalar: Scalar<'_>, attribute: &KeyAttribute) -> Result<()> {
    if scalar.len() > 0 {
        return Ok(());
    }
    Err(Error::validation(format!(
        "{EMPTY_KEY}{} value. Key: {}",
        word(attribute.scalar_type),
        attribute.name
    )))
}

const fn word(scalar_type: ScalarType) -> &'static str {
    match scalar_type {
        ScalarType::B => "binary",
        ScalarType::S | ScalarType::N => "string",
    }
}

pub(crate) fn check_partition_len(value: Scalar<'_>) -> Result<()> {
    if value.len() <= PARTITION_KEY_LEN_MAX {
        return Ok(());
    }
    Err(Error::validation(format!(
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit \
         of{PARTITION_KEY_LEN_MAX} bytes"
    )))
}

pub(crate) fn check_sort_len(len: usize) -> Result<()> {
    if len <= SORT_KEY_LEN_MAX {
        return Ok(());
    }
    Err(Error::validation(format!(
        "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit \
         of {SORT_KEY_LEN_MAX} bytes"
    )))
}

/// The keys of an index, and what its entries hold.
#[derive(Clone, Debug)]
pub(crate) struct IndexLayout {
    pub(crate) name: String,
    pub(crate) is_local: bool,
    pub(crate) hash: Vec<KeyAttribute>,
    pub(crate) range: Vec<KeyAttribute>,
    /// The attributes that entries hold; all if none are named.
    pub(crate) projected: Option<BTreeSet<String>>,
}

impl IndexLayout {
    pub(crate) fn new(definition: &Definition, index: &IndexDefinition) -> Self {
        let keys = definition.keys.iter().chain(&index.keys).map(|element| element.name.clone());
        let projected = match index.projection {
            ProjectionType::All => None,
            ProjectionType::KeysOnly => Some(keys.collect()),
            ProjectionType::Include => Some(keys.chain(index.non_key_attributes.iter().cloned()).collect()),
        };
        Self {
            name: index.name.clone(),
            is_local: index.is_local,
            hash: KeyAttribute::all(definition, &index.keys, KeyType::Hash),
            range: KeyAttribute::all(definition, &index.keys, KeyType::Range),
            projected,
        }
    }

    /// The key attributes, partition keys first.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        self.hash.iter().chain(&self.range)
    }

    /// Does it hold this attribute?
    pub(crate) fn holds(&self, attribute: &str) -> bool {
        self.projected.as_ref().is_none_or(|names| names.contains(attribute))
    }

    /// The key of an item's entry; none if the item lacks one of the index's keys. `base` is the item's own key.
    pub(crate) fn entry(&self, item: &Item, base: &Key) -> Result<Option<Vec<u8>>> {
        let mut hash = Vec::with_capacity(self.hash.len());
        for attribute in &self.hash {
            match self.scalar(item, attribute)? {
                Some(scalar) => {
                    check_partition_len(scalar)?;
                    hash.push(scalar);
                }
                // What else is there must still be right.
                None => {
                    return self
                        .attributes()
                        .try_for_each(|key| self.scalar(item, key).map(drop))
                        .map(|()| None);
                }
            }
        }
        let mut range = Vec::with_capacity(self.range.len());
        let mut len = 0;
        for attribute in &self.range {
            if let Some(scalar) = self.scalar(item, attribute)? {
                len += scalar.len();
                range.push(scalar);
            }
        }
        check_sort_len(len)?;
        if range.len() < self.range.len() {
            return Ok(None);
        }
        let mut key = Key::partition(hash).bytes;
        for value in range {
            push_ordered(&mut key, value);
        }
        if self.is_local {
            // The partition stands at its front already.
            key.extend_from_slice(&base.rest()[Key::containing(&base.bytes).rest().len()..]);
        } else {
            key.extend_from_slice(base.rest());
        }
        Ok(Some(key))
    }

    fn scalar<'a>(&self, item: &'a Item, attribute: &KeyAttribute) -> Result<Option<Scalar<'a>>> {
        let Some(value) = item.get(&attribute.name) else { return Ok(None) };
        let scalar =
            Scalar::of(value, attribute.scalar_type).ok_or_else(|| self.mismatch(attribute, value.kind()))?;
        if scalar.len() == 0 {
            return Err(Error::validation(format!(
                "One or more parameter values are not valid. A value specified for a secondary index key is not \
                 supported. The AttributeValue for a key attribute cannot contain an empty {} value. IndexName: {}, \
                 IndexKey: {}",
                word(attribute.scalar_type),
                self.name,
                attribute.name
            )));
        }
        Ok(Some(scalar))
    }

    fn mismatch(&self, attribute: &KeyAttribute, found: Type) -> Error {
        Error::validation(format!(
            "{INDEX_MISMATCH}{} Expected: {} Actual: {} IndexName: {}",
            attribute.name,
            attribute.scalar_type,
            found.as_str(),
            self.name
        ))
    }

    /// Refuses a value of this type for a key attribute of another.
    pub(crate) fn check_kind(&self, name: &str, kind: Type) -> Result<()> {
        match self.attributes().find(|attribute| attribute.name == name && attribute.kind() != kind) {
            Some(attribute) => Err(self.mismatch(attribute, kind)),
            None => Ok(()),
        }
    }

    /// The record of an item's entry: the item's own if the index holds all of it.
    pub(crate) fn record<'a>(&self, item: &Item, record: &'a [u8]) -> Cow<'a, [u8]> {
        match self.project(item) {
            None => Cow::Borrowed(record),
            Some(projected) => Cow::Owned(item::encode(&projected, projected.size())),
        }
    }

    /// What an entry holds of an item, if that is not all.
    fn project(&self, item: &Item) -> Option<Item> {
        let names = self.projected.as_ref()?;
        let held = item.iter().filter(|(name, _)| names.contains(*name));
        Some(held.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}
