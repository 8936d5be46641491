//! `application/x-www-form-urlencoded`: the query of a URL, and the body of an older protocol.

/// Names and values in their order, decoded. What is not UTF-8 has the replacement character instead.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> + use<'_> {
    split(text).map(|(name, value)| (decode(name, true), decode(value, true)))
}

/// [`pairs`] of a URL, where a plus sign is one.
pub(crate) fn pairs_of_url(text: &str) -> impl Iterator<Item = (String, String)> + use<'_> {
    split(text).map(|(name, value)| (decode(name, false), decode(value, false)))
}

fn split(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The value of the first pair of this name.
pub(crate) fn value(text: &str, name: &str) -> Option<String> {
    pairs(text).find_map(|(found, value)| (found == name).then_some(value))
}

/// Has the parameter an equals sign?
pub(crate) fn has_value(text: &str, name: &str) -> bool {
    text.split('&').any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == name))
}

/// Stand two digits behind every percent sign, and is what they say UTF-8?
pub(crate) fn is_encoded(text: &str) -> bool {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    text.split('%').skip(1).all(is_escape) && decode_url(text).is_some()
}

/// A part of a URL, if it is UTF-8.
pub(crate) fn decode_url(text: &str) -> Option<String> {
    String::from_utf8(bytes(text, false)).ok()
}

/// Undoes percent signs, and in a form the plus signs.
fn decode(text: &str, is_form: bool) -> String {
    let bytes = bytes(text, is_form);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn bytes(text: &str, is_form: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = behind;
                }
                _ => bytes.push(b'%'),
            },
            (b'+', _) if is_form => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Percent signs for all but `A-Z a-z 0-9 - _ . ~` and what `keep` says.
pub(crate) fn encode(text: &str, keep: impl Fn(u8) -> bool, out: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') || keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

/// A header's value as a text. What is not UTF-8 is Latin-1, as headers once were.
pub(crate) fn latin(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_escapes_are_seen() {
        assert!(["", "a%2Fb", "%C3%A4"].into_iter().all(is_encoded));
        assert!(!["%", "a%2", "%ZZ", "%C3", "%C3%", "a%+1"].into_iter().any(is_encoded));
    }

    #[test]
    fn pairs_are_decoded() {
        let found: Vec<_> = pairs("a=1+2%20%2B&b&=c&%zz=%4").collect();
        let expected = [("a", "1 2 +"), ("b", ""), ("", "c"), ("%zz", "%4")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(value("x=1&y=2&y=3", "y").as_deref(), Some("2"));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let text: String = (1..300_u32).filter_map(char::from_u32).collect();
        let mut encoded = String::new();
        encode(&text, |_| false, &mut encoded);
        assert!(encoded.is_ascii());
        assert_eq!(decode(&encoded, true), text);
    }
}
