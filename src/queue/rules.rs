//! What names, ids, bodies and attributes may look like, and what the service says otherwise.

use crate::queue::error::{Error, Result};
use crate::queue::limits::{
    ATTRIBUTE_NAME_LEN_MAX, ATTRIBUTES_MAX, BATCH_ENTRIES_MAX, BATCH_ID_LEN_MAX, QUEUE_NAME_LEN_MAX,
    TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX, TOKEN_LEN_MAX,
};
use crate::queue::message::{AttributeValue, Attributes, MessageAttribute, SendMessage, Text};
use std::collections::BTreeSet;

/// The suffix of FIFO queues' names; it counts into their length.
pub(super) const FIFO_SUFFIX: &str = ".fifo";

/// Is it 1 to `max` of `A-Z a-z 0-9 _ -`?
fn is_word(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A queue's name against its kind.
pub(super) fn queue_name(name: &str, is_fifo: bool) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("Queue name cannot be empty"));
    }
    let stem = name.strip_suffix(FIFO_SUFFIX);
    match (is_fifo, stem) {
        (true, Some(stem)) if is_word(stem, QUEUE_NAME_LEN_MAX - FIFO_SUFFIX.len()) => Ok(()),
        (true, _) => Err(Error::invalid(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
             .fifo suffix and be 1 to 80 in length.",
        )),
        (false, None) if is_word(name, QUEUE_NAME_LEN_MAX) => Ok(()),
        (false, _) => Err(Error::invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )),
    }
}

/// The entries of a batch, by their ids.
pub(super) fn batch_ids<'a>(
    ids: impl ExactSizeIterator<Item = &'a str> + Clone,
    entry: &'static str,
) -> Result<()> {
    match ids.len() {
        0 => return Err(Error::EmptyBatchRequest { entry }),
        count if count > BATCH_ENTRIES_MAX => return Err(Error::TooManyEntriesInBatchRequest { count }),
        _ => {}
    }
    if ids.clone().any(|id| !is_word(id, BATCH_ID_LEN_MAX)) {
        return Err(Error::InvalidBatchEntryId);
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(Error::BatchEntryIdsNotDistinct { id: id.to_owned() });
        }
    }
    Ok(())
}

/// A group, deduplication or attempt id: 1 to 128 visible ASCII characters.
pub(super) fn token(value: &str, name: &str) -> Result<()> {
    if (1..=TOKEN_LEN_MAX).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason =
        format_args!("{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    Err(Error::parameter(value, name, reason))
}

/// Is every character one that XML 1.0 has?
pub(super) fn is_legal_text(text: &str) -> bool {
    is_surely_legal(text.as_bytes())
        || text.chars().all(|c| {
            matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        })
}

/// Most texts have neither control characters nor what U+FFFE and U+FFFF begin with, and need no decoding. All bytes are
/// looked at, many at once.
fn is_surely_legal(text: &[u8]) -> bool {
    let is_fine = |byte| (byte >= 0x20 && byte != 0xef) || matches!(byte, b'\t' | b'\n' | b'\r');
    text.iter().fold(true, |all, byte| all & is_fine(*byte))
}

/// Everything about a message that does not depend on its queue.
pub(super) fn message(message: &SendMessage) -> Result<()> {
    if message.body == Text::default() {
        return Err(Error::missing("MessageBody"));
    }
    if !is_surely_legal(message.body.as_bytes()) && !is_legal_text(message.body.as_str()) {
        return Err(Error::InvalidMessageContents);
    }
    attributes(&message.attributes)?;
    for (name, attribute) in &message.system_attributes {
        if name != "AWSTraceHeader" {
            return Err(Error::invalid(format!("Message system attribute name '{name}' is invalid.")));
        }
        if attribute.data_type() != "String" {
            return Err(Error::invalid(format!(
                "The type of message (system) attribute '{name}' is invalid. You must use only the following \
                 supported type: String."
            )));
        }
        attribute_value(name, attribute)?;
    }
    Ok(())
}

/// The bytes of a message that count: body, and names, types and values of attributes.
pub(super) fn message_len(message: &SendMessage) -> usize {
    let attributes = message.attributes.iter();
    let attributes =
        attributes.map(|(name, attribute)| name.len() + attribute.data_type().len() + attribute.value_len());
    message.body.as_bytes().len() + attributes.sum::<usize>()
}

fn attributes(attributes: &Attributes) -> Result<()> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(Error::invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
            attributes.len()
        )));
    }
    for (name, attribute) in attributes {
        attribute_name(name)?;
        attribute_type(name, attribute)?;
        attribute_value(name, attribute)?;
    }
    Ok(())
}

fn attribute_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("The request must contain non-empty message (user) attribute names."));
    }
    if name.len() > ATTRIBUTE_NAME_LEN_MAX {
        return Err(Error::invalid("Message (user) attribute name must be shorter than 256 bytes."));
    }
    // Letters of any script: the service takes them, though it documents those of English alone.
    if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return Err(Error::invalid(
            "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens \
             and underscores.",
        ));
    }
    let lower = name.to_ascii_lowercase();
    let is_reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if is_reserved || name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(Error::invalid(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for \
             internal use. Additionally, they cannot start or end with '.'.",
        ));
    }
    Ok(())
}

fn attribute_type(name: &str, attribute: &MessageAttribute) -> Result<()> {
    let data_type = attribute.data_type();
    if data_type.is_empty() {
        let what = if attribute.value_len() == 0 { "value" } else { "type" };
        return Err(Error::invalid(format!(
            "The message (user) attribute '{name}' must contain a non-empty message attribute {what}."
        )));
    }
    let base = data_type.split('.').next().unwrap_or_default();
    if !matches!(base, "String" | "Number" | "Binary") {
        return Err(Error::invalid(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type \
             prefixes: Binary, Number, String."
        )));
    }
    if data_type.len() > ATTRIBUTE_NAME_LEN_MAX {
        return Err(Error::invalid("Message (user) attribute type must be shorter than 256 bytes."));
    }
    Ok(())
}

fn attribute_value(name: &str, attribute: &MessageAttribute) -> Result<()> {
    let base = attribute.data_type().split('.').next().unwrap_or_default();
    let text = match (base, attribute.value()) {
        ("Binary", AttributeValue::Binary(bytes)) if !bytes.is_empty() => return Ok(()),
        ("String" | "Number", AttributeValue::Text(text)) if !text.is_empty() => text,
        _ => {
            let kind = if base == "Number" { "String" } else { base };
            return Err(Error::invalid(format!(
                "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
            )));
        }
    };
    if !is_legal_text(text) {
        // The text of the error about bodies, under another code.
        return Err(Error::invalid(Error::InvalidMessageContents.to_string()));
    }
    if base == "Number" && !is_number(text) {
        return Err(Error::invalid(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
    }
    Ok(())
}

/// A decimal number, perhaps with an exponent.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    whole.len() + fraction.len() > 0 && digits(whole) && digits(fraction) && exponent
}

/// The length of a page within its range; none stands for all.
pub(super) fn page_len(max_results: Option<i32>, max: i32) -> Result<Option<i32>> {
    match max_results {
        Some(0) | None => Ok(None),
        Some(len) if (1..=max).contains(&len) => Ok(Some(len)),
        Some(_) => Err(Error::invalid(format!(
            "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and {max}."
        ))),
    }
}

/// An optional number within its range.
pub(super) fn in_range(value: Option<i32>, range: std::ops::RangeInclusive<i32>, name: &str) -> Result<()> {
    match value {
        Some(value) if !range.contains(&value) => {
            let reason = format_args!("Must be >= {} and <= {}, if provided.", range.start(), range.end());
            Err(Error::parameter(value, name, reason))
        }
        _ => Ok(()),
    }
}

/// A tag: what the service documents that it may be.
pub(super) fn tag((key, value): (&String, &String)) -> Result<()> {
    let refusal = if !(1..=TAG_KEY_CHARS_MAX).contains(&key.chars().count()) {
        format!("Tag keys must be between 1 and {TAG_KEY_CHARS_MAX} characters in length.")
    } else if key.to_ascii_lowercase().starts_with("aws:") {
        "Tag keys must not begin with aws:, which is reserved.".to_owned()
    } else if value.chars().count() > TAG_VALUE_CHARS_MAX {
        format!("Tag values must be between 0 and {TAG_VALUE_CHARS_MAX} characters in length.")
    } else {
        return Ok(());
    };
    Err(Error::invalid(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_queues() {
        let long = "x".repeat(80);
        for good in ["a", "A-b_9", &long] {
            assert!(queue_name(good, false).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a.b", "a.fifo", &"x".repeat(81), "\u{e9}"] {
            assert!(queue_name(bad, false).is_err(), "{bad}");
        }
        assert!(queue_name(&format!("{}.fifo", "x".repeat(75)), true).is_ok());
        for bad in ["a", ".fifo", &format!("{}.fifo", "x".repeat(76)), "a.b.fifo"] {
            assert!(queue_name(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn characters_of_xml() {
        for good in ["a", "\t\r\n", "\u{e000}\u{fffd}", "\u{10ffff}", "\u{7f}"] {
            assert!(is_legal_text(good), "{good:?}");
        }
        for bad in ["\0", "a\u{1}", "\u{b}", "\u{fffe}", "\u{ffff}"] {
            assert!(!is_legal_text(bad), "{bad:?}");
        }
    }

    #[test]
    fn numbers() {
        for good in ["0", "-1", "+1.5", ".5", "5.", "1e9", "1E-9"] {
            assert!(is_number(good), "{good}");
        }
        for bad in ["", "-", ".", "1e", "a", "1 ", "0x1", "NaN"] {
            assert!(!is_number(bad), "{bad}");
        }
    }

    #[test]
    fn names_and_types_of_attributes() {
        let check = |name: &str, attribute: MessageAttribute| {
            attributes(&Attributes::from([(name.to_owned(), attribute)])).map_err(|error| error.to_string())
        };
        let text = || MessageAttribute::string("x");
        assert_eq!(check("a.b-c_D9", text()), Ok(()));
        assert_eq!(check("gr\u{f6}\u{df}e.1", text()), Ok(()));
        for bad in ["", "AWS.x", "amazon.x", ".x", "x.", "a..b", "a b", "a\u{a7}b", &"x".repeat(257)] {
            assert!(check(bad, text()).is_err(), "{bad}");
        }
        assert_eq!(
            check("x", MessageAttribute::string("")).unwrap_err(),
            "Message (user) attribute 'x' must contain a non-empty value of type 'String'."
        );
        let control = attributes(&Attributes::from([("x".to_owned(), MessageAttribute::string("\u{8}"))]));
        let control = control.unwrap_err();
        assert_eq!(control.code(), "InvalidParameterValue");
        assert!(control.to_string().starts_with("Invalid characters found."));
        assert!(check("x", MessageAttribute::new("Other", AttributeValue::Text("1".into()))).is_err());
        assert!(check("x", MessageAttribute::new("Binary", AttributeValue::Text("1".into()))).is_err());
        assert_eq!(check("x", MessageAttribute::number(-1.5).labelled("float")), Ok(()));
        assert!(check("x", MessageAttribute::number("one")).is_err());
    }
}
