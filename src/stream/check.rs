//! Names, tags and numbers, checked against the service's model.

use crate::stream::error::{Error, Result};
use crate::stream::limits::{NAME_LEN_MAX, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_MAX, UNTAG_MAX};
use crate::stream::meta::Tags;
use std::fmt;
use std::ops::RangeInclusive;

/// A name: 1 to 128 of `a-z A-Z 0-9 _ . -`.
pub(crate) fn name(text: &str, member: &'static str) -> Result<()> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if text.is_empty() {
        return Err(Error::constraint(Some(&text), member, "have length greater than or equal to 1"));
    }
    if !text.bytes().all(is_allowed) {
        let rule = "satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
        return Err(Error::constraint(Some(&text), member, rule));
    }
    if text.len() > NAME_LEN_MAX {
        let rule = format_args!("have length less than or equal to {NAME_LEN_MAX}").to_string();
        return Err(Error::constraint(Some(&text), member, rule));
    }
    Ok(())
}

/// A number within what the model allows.
pub(crate) fn within<N: PartialOrd + fmt::Display>(
    number: N,
    allowed: &RangeInclusive<N>,
    member: &'static str,
) -> Result<N> {
    if number < *allowed.start() {
        let rule = format!("have value greater than or equal to {}", allowed.start());
        return Err(Error::constraint(Some(&number), member, rule));
    }
    if number > *allowed.end() {
        let rule = format!("have value less than or equal to {}", allowed.end());
        return Err(Error::constraint(Some(&number), member, rule));
    }
    Ok(number)
}

/// Keys of tags that are to be removed from a stream.
pub(crate) fn tag_keys<'a>(
    keys: impl ExactSizeIterator<Item = &'a str> + Clone,
    stream: &str,
    account: &str,
) -> Result<()> {
    if keys.len() == 0 || keys.len() > UNTAG_MAX {
        let rule = if keys.len() == 0 {
            "have length greater than or equal to 1".to_owned()
        } else {
            format!("have length less than or equal to {UNTAG_MAX}")
        };
        return Err(Error::constraint(None, "tagKeys", rule));
    }
    keys.clone().try_for_each(tag_key)?;
    characters(keys, "remove tags from", stream, account)
}

/// Tags that are to be added to a stream, which has `known` ones.
pub(crate) fn tags(tags: &Tags, known: &Tags, stream: &str, account: &str) -> Result<()> {
    if tags.is_empty() {
        return Err(Error::constraint(None, "tags", "have length greater than or equal to 1"));
    }
    tags.keys().try_for_each(|key| tag_key(key))?;
    if let Some(long) = tags.values().find(|value| value.chars().count() > TAG_VALUE_CHARS_MAX) {
        let rule = format!(
            "satisfy constraint: [Member must have length less than or equal to {TAG_VALUE_CHARS_MAX}, Member must \
             have length greater than or equal to 0]"
        );
        return Err(Error::constraint(Some(long), "tags", rule));
    }
    let texts = tags.iter().flat_map(|(key, value)| [&**key, &**value]);
    characters(texts, "add tags to", stream, account)?;
    let added = tags.keys().filter(|key| !known.contains_key(*key)).count();
    if known.len() + added > TAGS_MAX {
        return Err(Error::invalid(format_args!(
            "Failed to add tags to stream {stream} under account {account} because a given stream cannot have more \
             than {TAGS_MAX} tags associated with it."
        )));
    }
    Ok(())
}

fn tag_key(key: &str) -> Result<()> {
    if key.is_empty() || key.chars().count() > TAG_KEY_CHARS_MAX {
        let rule = format!(
            "satisfy constraint: [Member must have length less than or equal to {TAG_KEY_CHARS_MAX}, Member must have \
             length greater than or equal to 1]"
        );
        return Err(Error::constraint(Some(&key), "tags", rule));
    }
    Ok(())
}

/// The service checks twice: for what no tag may have, then for the percent sign, which the first check lets pass.
fn characters<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    verb: &str,
    stream: &str,
    account: &str,
) -> Result<()> {
    let is_allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_./=+-%@:".contains(c);
    if !texts.clone().all(|text| text.chars().all(is_allowed)) {
        return Err(Error::invalid(
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - \
             % @ :.",
        ));
    }
    if texts.into_iter().any(|text| text.contains('%')) {
        return Err(Error::invalid(format_args!(
            "Failed to {verb} stream {stream} under account {account} because some tags contained illegal characters. \
             The allowed characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@',':'."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_three_signs() {
        for good in ["a", "A.b_c-9", &"x".repeat(128)] {
            assert!(name(good, "streamName").is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a b", "\u{e9}", &"x".repeat(129)] {
            assert_eq!(name(bad, "streamName").unwrap_err().code(), "ValidationException", "{bad}");
        }
        assert_eq!(
            name("a b", "streamName").unwrap_err().to_string(),
            "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [a-zA-Z0-9_.-]+"
        );
    }

    #[test]
    fn tags_have_words_of_their_own() {
        let one = |key: &str, value: &str| Tags::from([(key.to_owned(), value.to_owned())]);
        let check = |added: Tags, code: &str| {
            let error = tags(&added, &Tags::new(), "s", "1").unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        };
        assert!(tags(&one("\u{fc}ber_./=+-@:", " 9"), &Tags::new(), "s", "1").is_ok());
        check(Tags::new(), "ValidationException");
        check(one("", ""), "ValidationException");
        check(one(&"k".repeat(129), ""), "ValidationException");
        check(one("k", &"v".repeat(257)), "ValidationException");
        check(one("k", "50%"), "InvalidArgumentException");
        check(one("k", "a;b"), "InvalidArgumentException");
        check(one("k", "a\tb"), "InvalidArgumentException");
        check(one("a\nb", ""), "InvalidArgumentException");
        let many = |range: std::ops::Range<u32>| -> Tags {
            range.map(|number| (number.to_string(), String::new())).collect()
        };
        assert!(tags(&many(0..50), &many(0..50), "s", "1").is_ok());
        assert!(tags(&many(50..51), &many(0..50), "s", "1").is_err());
    }
}
