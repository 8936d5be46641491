//! From key conditions and starting keys to a range of keys.

use crate::kv::error::{Error, Result};
use crate::kv::expr::{KeyRange, KeyTest};
use crate::kv::keys::{Key, Scalar, after, after_prefix, push_escaped, push_ordered};
use crate::kv::layout::{KeyAttribute, check_partition_len, check_sort_len};
use crate::kv::schema::ScalarType;
use crate::kv::value::AttributeValue;
use std::ops::Bound;

/// From a key to before another, or to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) lower: Vec<u8>,
    pub(crate) upper: Option<Vec<u8>>,
}

impl Bounds {
    fn prefix(prefix: Vec<u8>) -> Self {
        Self { upper: after_prefix(prefix.clone()), lower: prefix }
    }

    /// Places from one to before another, which may be behind the last.
    pub(crate) fn places((from, to): (u64, u64)) -> Self {
        let key = |place: u64| u32::try_from(place).ok().map(|place| place.to_be_bytes().to_vec());
        Self { lower: key(from).unwrap_or_default(), upper: key(to) }
    }

    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        key >= &self.lower[..] && self.upper.as_ref().is_none_or(|upper| key < &upper[..])
    }

    /// What lies behind `key` in the direction of the walk.
    pub(crate) fn behind(mut self, key: Vec<u8>, is_forward: bool) -> Self {
        if is_forward {
            self.lower = after(key);
        } else {
            self.upper = Some(key);
        }
        self
    }

    /// As the store wants it; what is empty is an empty range, never one that ends before it begins.
    pub(crate) fn range(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        match &self.upper {
            Some(upper) if *upper <= self.lower => {
                (Bound::Included(&self.lower), Bound::Excluded(&self.lower))
            }
            Some(upper) => (Bound::Included(&self.lower), Bound::Excluded(upper)),
            None => (Bound::Included(&self.lower), Bound::Unbounded),
        }
    }
}

/// The keys of a query. `is_raw`: the sort key is the end of the key, as in a table.
pub(crate) fn of_query(
    found: &KeyRange<'_>,
    hash: &[KeyAttribute],
    range: &[KeyAttribute],
    is_raw: bool,
) -> Result<Bounds> {
    let mut values = Vec::with_capacity(hash.len());
    for (value, attribute) in found.hash.iter().zip(hash) {
        let scalar = scalar(value, attribute.scalar_type)?;
        check_partition_len(scalar)?;
        values.push(scalar);
    }
    let mut start = Key::partition(values).bytes;
    for (value, attribute) in found.range.iter().zip(range) {
        let scalar = scalar(value, attribute.scalar_type)?;
        check_sort_len(scalar.len())?;
        if is_raw {
            scalar.write(&mut start);
            return Ok(Bounds { upper: Some(after(start.clone())), lower: start });
        }
        push_ordered(&mut start, scalar);
    }
    let last = found.last.zip(range.get(found.range.len()));
    match last {
        Some((test, attribute)) => of_test(&start, test, attribute.scalar_type, is_raw),
        None => Ok(Bounds::prefix(start)),
    }
}

fn scalar(value: &AttributeValue, scalar_type: ScalarType) -> Result<Scalar<'_>> {
    // The condition was resolved against the same attributes.
    Scalar::of(value, scalar_type).ok_or(Error::validation(
        "One or more parameter values were invalid: Condition parameter type does not match schema type",
    ))
}

fn of_test(start: &[u8], test: &KeyTest, scalar_type: ScalarType, is_raw: bool) -> Result<Bounds> {
    let exact = |value: &AttributeValue| {
        let scalar = scalar(value, scalar_type)?;
        check_sort_len(scalar.len())?;
        let mut key = start.to_vec();
        if is_raw {
            scalar.write(&mut key);
        } else {
            push_ordered(&mut key, scalar);
        }
        Ok::<_, Error>(key)
    };
    let behind = |value: &AttributeValue| {
        let key = exact(value)?;
        Ok::<_, Error>(if is_raw { Some(after(key)) } else { after_prefix(key) })
    };
    let end = after_prefix(start.to_vec());
    Ok(match test {
        KeyTest::Equal(value) => Bounds { lower: exact(value)?, upper: behind(value)? },
        KeyTest::Less(value) => Bounds { lower: start.to_vec(), upper: Some(exact(value)?) },
        KeyTest::AtMost(value) => Bounds { lower: start.to_vec(), upper: behind(value)? },
        KeyTest::Greater(value) => match behind(value)? {
            Some(lower) => Bounds { lower, upper: end },
            None => Bounds { lower: start.to_vec(), upper: Some(start.to_vec()) },
        },
        KeyTest::AtLeast(value) => Bounds { lower: exact(value)?, upper: end },
        KeyTest::Between(low, high) => Bounds { lower: exact(low)?, upper: behind(high)? },
        KeyTest::BeginsWith(value) => {
            let scalar = scalar(value, scalar_type)?;
            let mut prefix = start.to_vec();
            if is_raw {
                scalar.write(&mut prefix);
            } else {
                push_escaped(&mut prefix, scalar);
            }
            Bounds::prefix(prefix)
        }
    })
}
