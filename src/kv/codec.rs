//! Bytes of stored items: compact, checked, and such that one attribute is found without decoding the others.
//!
//! C1. Reading never panics, whatever the bytes are, and allocates no more than their number justifies.
//! C2. An item has one encoding: what is read without complaint is what was written.
//!
//! The layout is described in `docs/format.md`, section Items.

use super::{
    error::{Error, Result},
    number::Number,
    value::{AttributeValue, Item, NESTING_MAX, Set},
};
use crate::codec::Malformed;
use bytes::Bytes;
use std::{cell::RefCell, path::Path};

/// The first byte of every item.
const ITEM_FORMAT: u8 = 1;

const TAG_S: u8 = 1;
const TAG_N: u8 = 2;
const TAG_B: u8 = 3;
const TAG_SS: u8 = 4;
const TAG_NS: u8 = 5;
const TAG_BS: u8 = 6;
const TAG_M: u8 = 7;
const TAG_L: u8 = 8;
const TAG_FALSE: u8 = 9;
const TAG_TRUE: u8 = 10;
const TAG_NULL: u8 = 11;

/// The bytes of an item, as tables store them, for those who keep items elsewhere.
impl Item {
    /// The item as bytes: compact, and stable across releases. It must be a [valid](Self::validate) one to be read
    /// again.
    ///
    /// ```
    /// use fourfold::kv::{Item, item};
    /// let item = item! { "id" => 7, "tags" => ["a", "b"] };
    /// let bytes = item.to_bytes();
    /// assert_eq!(Item::from_bytes(&bytes)?, item);
    /// assert_eq!(Item::attribute_of(&bytes, "id")?, Some(7.into()));
    /// # Ok::<(), fourfold::kv::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        encode_item(self)
    }

    /// The item that these bytes are.
    ///
    /// # Errors
    /// [`Error::Storage`] if they are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        decode_item(bytes).map_err(damaged)
    }

    /// One attribute of the item that these bytes are, if it has it. The others are passed over, not decoded.
    ///
    /// # Errors
    /// [`Error::Storage`] if the bytes are damaged, as far as they were read.
    pub fn attribute_of(bytes: &[u8], name: &str) -> Result<Option<AttributeValue>> {
        get_attribute(bytes, name).map_err(damaged)
    }
}

/// The error of whoever does not know where the bytes are from.
#[cold]
pub(crate) fn damaged(malformed: Malformed) -> Error {
    Error::Storage(malformed.in_file(Path::new("item")))
}

/// The bytes of an item. It must be a valid one ([`Item::validate`]) to be read again.
pub(crate) fn encode_item(item: &Item) -> Vec<u8> {
    let mut out = Vec::new();
    write_item(item, &mut out);
    out
}

/// Appends the bytes of an item.
pub(crate) fn write_item(item: &Item, out: &mut Vec<u8>) {
    out.reserve(16 + item.size() + 4 * item.len());
    out.push(ITEM_FORMAT);
    write_map(item, out);
}

fn write_map(map: &Item, out: &mut Vec<u8>) {
    write_len(map.len(), out);
    for (name, value) in map {
        write_bytes(name.as_bytes(), out);
        write_value(value, out);
    }
}

fn write_value(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => {
            out.push(TAG_S);
            write_bytes(text.as_bytes(), out);
        }
        AttributeValue::N(number) => {
            out.push(TAG_N);
            number.write_key(out);
        }
        AttributeValue::B(bytes) => {
            out.push(TAG_B);
            write_bytes(bytes, out);
        }
        AttributeValue::Ss(set) => write_sized(TAG_SS, out, |out| {
            write_len(set.len(), out);
            set.iter().for_each(|member| write_bytes(member.as_bytes(), out));
        }),
        AttributeValue::Ns(set) => write_sized(TAG_NS, out, |out| {
            write_len(set.len(), out);
            set.iter().for_each(|member| member.write_key(out));
        }),
        AttributeValue::Bs(set) => write_sized(TAG_BS, out, |out| {
            write_len(set.len(), out);
            set.iter().for_each(|member| write_bytes(member, out));
        }),
        AttributeValue::M(map) => write_sized(TAG_M, out, |out| write_map(map, out)),
        AttributeValue::L(list) => write_sized(TAG_L, out, |out| {
            write_len(list.len(), out);
            for value in list {
                write_value(value, out);
            }
        }),
        AttributeValue::Bool(truth) => out.push(if *truth { TAG_TRUE } else { TAG_FALSE }),
        AttributeValue::Null => out.push(TAG_NULL),
    }
}

/// What `write` appends, behind a tag and its length in four bytes, so that it can be passed over.
fn write_sized(tag: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0, 0, 0, 0]);
    let start = out.len();
    write(out);
    let len = u32::try_from(out.len() - start).expect("an item is smaller than 4 GiB");
    if let Some(field) = out.get_mut(start - 4..start) {
        field.copy_from_slice(&len.to_le_bytes());
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Seven bits to a byte, low bits first.
fn write_len(len: usize, out: &mut Vec<u8>) {
    let mut rest = u32::try_from(len).expect("an item is smaller than 4 GiB");
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

/// The item that these bytes are.
pub(crate) fn decode_item(bytes: &[u8]) -> Result<Item, Malformed> {
    let mut reader = ItemReader::new(bytes);
    reader.format()?;
    let item = reader.map(NESTING_MAX)?;
    match reader.rest.len() {
        0 => Ok(item),
        more => Err(reader.malformed("item", "its end", format_args!("{more} bytes more"))),
    }
}

/// One attribute of the item that these bytes are, without decoding the others. It reads no farther than to the
/// attribute, so it does not notice damage behind.
pub(crate) fn get_attribute(bytes: &[u8], name: &str) -> Result<Option<AttributeValue>, Malformed> {
    let mut reader = ItemReader::new(bytes);
    let is_there = reader.find(name)?;
    if is_there { reader.value(NESTING_MAX).map(Some) } else { Ok(None) }
}

/// The bytes of an item, to look attributes up in. Damage counts as an attribute that is not there, and is remembered.
#[derive(Debug)]
pub(crate) struct EncodedItem<'a> {
    bytes: &'a [u8],
    damage: RefCell<Option<Malformed>>,
}

impl<'a> EncodedItem<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, damage: RefCell::new(None) }
    }

    /// An attribute, decoded.
    pub(crate) fn get(&self, name: &str) -> Option<AttributeValue> {
        get_attribute(self.bytes, name).unwrap_or_else(|damage| {
            self.damage.replace(Some(damage));
            None
        })
    }

    /// The damage that was met last, if any was.
    pub(crate) fn damage(&self) -> Option<Malformed> {
        self.damage.take()
    }
}

/// Takes fields from the front of an item's bytes. A plain slice that shrinks, for speed: offsets are for errors only.
struct ItemReader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> ItemReader<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    #[cold]
    fn malformed(
        &self,
        what: &'static str,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Malformed {
        let offset = (self.len - self.rest.len()) as u64;
        Malformed { offset, what, expected: expected.to_string(), found: found.to_string() }
    }

    fn format(&mut self) -> Result<(), Malformed> {
        match self.u8()? {
            ITEM_FORMAT => Ok(()),
            other => Err(self.malformed("item format", ITEM_FORMAT, other)),
        }
    }

    /// Goes to the value of the attribute, if there is one.
    fn find(&mut self, name: &str) -> Result<bool, Malformed> {
        self.format()?;
        let count = self.length()?;
        for _ in 0..count {
            match self.bytes()?.cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => self.skip()?,
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Greater => return Ok(false),
            }
        }
        Ok(false)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        let (first, rest) =
            self.rest.split_first().ok_or_else(|| self.malformed("item", "a byte more", "its end"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| {
            self.malformed("item", format_args!("{len} bytes"), format_args!("{} bytes", self.rest.len()))
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length or count in its only form. What is counted takes at least a byte, so it fits into the rest (C1).
    fn length(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 != 0 {
                continue;
            }
            if byte == 0 && shift > 0 {
                return Err(self.malformed("item length", "its shortest form", "a zero at its end"));
            }
            let room = self.rest.len();
            return match usize::try_from(value) {
                Ok(len) if len <= room => Ok(len),
                _ => Err(self.malformed("item length", format_args!("at most {room}"), value)),
            };
        }
        Err(self.malformed("item length", "at most five bytes", "more"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.length()?;
        self.take(len)
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| self.malformed("text in an item", "UTF-8", error))
    }

    fn number(&mut self) -> Result<Number, Malformed> {
        let (number, len) = Number::read_key(self.rest)
            .ok_or_else(|| self.malformed("number in an item", "a number", "something else"))?;
        self.take(len)?;
        Ok(number)
    }

    /// The length field of what [`write_sized`] wrote.
    fn sized(&mut self) -> Result<usize, Malformed> {
        let field = self.take(4)?;
        let mut len = [0; 4];
        len.copy_from_slice(field);
        Ok(u32::from_le_bytes(len) as usize)
    }

    /// What `read` takes, which must be as long as the length field says.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<T, Malformed> {
        let len = self.sized()?;
        let before = self.rest.len();
        let found = read(self)?;
        match before - self.rest.len() {
            used if used == len => Ok(found),
            used => Err(self.malformed("value in an item", format_args!("{len} bytes"), used)),
        }
    }

    fn map(&mut self, levels: usize) -> Result<Item, Malformed> {
        let count = self.length()?;
        let mut last: Option<&str> = None;
        let mut attributes = Vec::with_capacity(count.min(self.rest.len() / 2));
        for _ in 0..count {
            let name = self.text()?;
            if last.is_some_and(|last| last >= name) {
                return Err(self.malformed("names in an item", "a name behind the last", name));
            }
            last = Some(name);
            attributes.push((name.to_owned(), self.value(levels)?));
        }
        Ok(attributes.into_iter().collect())
    }

    fn set<T: super::value::SetMember>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Set<T>, Malformed> {
        self.within(|reader| {
            let count = reader.length()?;
            let mut members = Vec::new();
            for _ in 0..count {
                members.push(read(reader)?);
            }
            Set::from_sorted(members).ok_or_else(|| {
                reader.malformed("set in an item", "members in order", "none, or not in order")
            })
        })
    }

    fn value(&mut self, levels: usize) -> Result<AttributeValue, Malformed> {
        let Some(below) = levels.checked_sub(1) else {
            return Err(self.malformed("nesting of an item", format_args!("{NESTING_MAX} levels"), "more"));
        };
        Ok(match self.u8()? {
            TAG_S => AttributeValue::S(self.text()?.to_owned()),
            TAG_N => AttributeValue::N(self.number()?),
            TAG_B => AttributeValue::B(Bytes::copy_from_slice(self.bytes()?)),
            TAG_SS => AttributeValue::Ss(self.set(|reader| reader.text().map(str::to_owned))?),
            TAG_NS => AttributeValue::Ns(self.set(Self::number)?),
            TAG_BS => AttributeValue::Bs(self.set(|reader| reader.bytes().map(Bytes::copy_from_slice))?),
            TAG_M => AttributeValue::M(self.within(|reader| reader.map(below))?),
            TAG_L => AttributeValue::L(self.within(|reader| {
                let count = reader.length()?;
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(reader.value(below)?);
                }
                Ok(list)
            })?),
            TAG_FALSE => AttributeValue::Bool(false),
            TAG_TRUE => AttributeValue::Bool(true),
            TAG_NULL => AttributeValue::Null,
            other => return Err(self.malformed("type in an item", "a type", other)),
        })
    }

    /// Passes over a value.
    fn skip(&mut self) -> Result<(), Malformed> {
        match self.u8()? {
            TAG_S | TAG_B => self.bytes().map(drop),
            TAG_N => self.number().map(drop),
            TAG_SS | TAG_NS | TAG_BS | TAG_M | TAG_L => {
                let len = self.sized()?;
                self.take(len).map(drop)
            }
            TAG_FALSE | TAG_TRUE | TAG_NULL => Ok(()),
            other => Err(self.malformed("type in an item", "a type", other)),
        }
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
pub(crate) mod tests;
