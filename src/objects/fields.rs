//! Fields that the records of a bucket's configurations share: optional ones, lists, text.

use crate::codec::{Malformed, Reader, Writer};

pub(crate) type Result<T> = std::result::Result<T, Malformed>;

pub(crate) fn write_option<T>(to: &mut Writer, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
    to.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        write(to, value);
    }
}

pub(crate) fn option<T>(
    from: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T>,
) -> Result<Option<T>> {
    match one_of(from, "an optional field", &[0, 1])? {
        1 => read(from).map(Some),
        _ => Ok(None),
    }
}

/// Items behind their number, each of one byte or more.
pub(crate) fn list<T>(
    from: &mut Reader<'_>,
    what: &'static str,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = from.count(1, what)?;
    (0..count).map(|_| read(from)).collect()
}

/// A byte that can only be one of these.
pub(crate) fn one_of(from: &mut Reader<'_>, what: &'static str, known: &[u8]) -> Result<u8> {
    let before = from.clone();
    let found = from.u8(what)?;
    if known.contains(&found) {
        return Ok(found);
    }
    Err(before.malformed(what, format_args!("one of {known:?}"), found))
}

pub(crate) fn write_text(to: &mut Writer, text: impl AsRef<str>) {
    to.bytes(text.as_ref().as_bytes());
}

pub(crate) fn text(from: &mut Reader<'_>) -> Result<String> {
    let before = from.clone();
    let bytes = from.bytes("text")?;
    let text = std::str::from_utf8(bytes).map_err(|error| before.malformed("text", "UTF-8", error))?;
    Ok(text.to_owned())
}
