//! Which bytes of an object are read.

use crate::objects::error::{Error, Result};
use std::fmt;

/// A stretch of an object: `Content-Range`.
///
/// ```
/// use fourfold::{Store, objects::GetObject};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// bucket.put("a", "hello")?;
/// let read = bucket.get_object(GetObject::new("a").range("bytes=1-3"))?;
/// assert_eq!(read.content_range.expect("a range was asked for").to_string(), "bytes 1-3/5");
/// assert_eq!(read.body.bytes()?, "ell");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
    /// Bytes of the whole object.
    pub size: u64,
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}/{}", self.start, self.end.saturating_sub(1), self.size)
    }
}

/// What a `Range` header means for an object of `size` bytes. None: it is to be ignored.
///
/// # Errors
/// `InvalidRange` if no byte of the object is in it.
pub(crate) fn resolve(header: &str, size: u64) -> Result<Option<ContentRange>> {
    let unsatisfiable = || Error::InvalidRange { requested: header.to_owned(), size };
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let (start, end) = match (number(first), number(last)) {
        (Some(start), None) if last.is_empty() => (start, size),
        (Some(start), Some(last)) if start <= last => (start, last.saturating_add(1).min(size)),
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 {
                return Err(unsatisfiable());
            }
            (size.saturating_sub(suffix), size)
        }
        _ => return Ok(None),
    };
    if start >= size {
        return Err(unsatisfiable());
    }
    Ok(Some(ContentRange { start, end, size }))
}

/// The range of a part's copy source, which must be `bytes=first-last` and lie within it.
pub(crate) fn of_copy(header: &str, size: u64) -> Result<(u64, u64)> {
    let bounds = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let bounds = bounds.and_then(|(first, last)| Some((number(first)?, number(last)?)));
    let Some((first, last)) = bounds.filter(|(first, last)| first <= last) else {
        return Err(Error::argument(
            "x-amz-copy-source-range",
            header,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
        ));
    };
    if first >= size {
        return Err(Error::request("The specified copy range is invalid for the source object size"));
    }
    if last >= size {
        return Err(Error::argument(
            "x-amz-copy-source-range",
            header,
            format!("Range specified is not valid for source object of size: {size}"),
        ));
    }
    Ok((first, last + 1))
}

/// Digits only; a number that no object reaches stands for all of them.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let check = |header: &str, size: u64, expected: Option<(u64, u64)>| {
            let found = resolve(header, size).unwrap().map(|range| (range.start, range.end));
            assert_eq!(found, expected, "{header} of {size}");
        };
        check("bytes=0-0", 10, Some((0, 1)));
        check("bytes=3-", 10, Some((3, 10)));
        check("bytes=3-99", 10, Some((3, 10)));
        check("bytes=3-99999999999999999999999", 10, Some((3, 10)));
        check("bytes=-3", 10, Some((7, 10)));
        check("bytes=-30", 10, Some((0, 10)));
        for ignored in
            ["bytes=1-0", "bytes=0-1,3-4", "bytes=a-b", "bytes=", "bytes=-", "items=0-1", "0-1", "bytes=+1-2"]
        {
            check(ignored, 10, None);
        }
    }

    #[test]
    fn ranges_without_a_byte() {
        for (header, size) in
            [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-0", 0), ("bytes=-1", 0), ("bytes=10-20", 10)]
        {
            let error = resolve(header, size).unwrap_err();
            assert_eq!((error.code(), error.status()), ("InvalidRange", 416));
            let details = [("RangeRequested", header.to_owned()), ("ActualObjectSize", size.to_string())];
            assert_eq!(error.details(), details);
        }
    }

    #[test]
    fn ranges_of_copies() {
        assert_eq!(of_copy("bytes=0-4", 5).unwrap(), (0, 5));
        let refusal = |header: &str| of_copy(header, 5).unwrap_err().to_string();
        assert_eq!(refusal("bytes=0-5"), "Range specified is not valid for source object of size: 5");
        for header in ["bytes=0-", "bytes=-1", "0-1", "bytes=2-1"] {
            assert!(refusal(header).starts_with("The x-amz-copy-source-range value must be of the form"));
        }
    }
}
