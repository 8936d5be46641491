//! User metadata beyond ASCII, which the service shows as encoded words (RFC 2047).
//!
//! ```text
//! =?UTF-8?Q?caf=C3=A9_au_lait?=    mostly ASCII
//! =?UTF-8?B?w6TDtsO8?=             mostly not
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters of a word between its prefix and its end.
const WORD_LEN_MAX: usize = 63;

/// As a header may have it: in encoded words if it is not all ASCII.
pub(crate) fn encoded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let chars: Vec<char> = text.chars().collect();
    let ascii = chars.iter().filter(|char| char.is_ascii()).count();
    let mut words = Vec::new();
    encode(&chars, ascii > chars.len() - ascii, &mut words);
    Cow::Owned(words.join(" "))
}

/// One word, or those of its halves if that would be too long.
fn encode(chars: &[char], is_quoted: bool, words: &mut Vec<String>) {
    let text: String = chars.iter().collect();
    let body = if is_quoted { quoted(&text) } else { STANDARD.encode(&text) };
    if body.len() > WORD_LEN_MAX && chars.len() > 1 {
        let (first, second) = chars.split_at(chars.len() / 2);
        encode(first, is_quoted, words);
        encode(second, is_quoted, words);
        return;
    }
    let kind = if is_quoted { 'Q' } else { 'B' };
    words.push(format!("=?UTF-8?{kind}?{body}?="));
}

fn quoted(text: &str) -> String {
    let mut body = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => body.push('_'),
            b'=' | b'_' | b'?' | ..b' ' | 127.. => {
                let _ = write!(body, "={byte:02X}");
            }
            _ => body.push(char::from(byte)),
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(encoded("plain = text"), "plain = text");
        assert_eq!(encoded("caf\u{e9} a_b"), "=?UTF-8?Q?caf=C3=A9_a=5Fb?=");
        assert_eq!(encoded("\u{e4}\u{f6}\u{fc}"), "=?UTF-8?B?w6TDtsO8?=");
        // The example of the service's documentation, which came as UTF-8 and was read as Latin-1.
        let came = "\u{c3}\u{84}M\u{c3}\u{84}Z\u{c3}\u{95}\u{c3}\u{91} S3";
        assert_eq!(encoded(came), "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=");
        let long = encoded(&"\u{e4}".repeat(100)).into_owned();
        assert!(long.split(' ').count() > 1 && long.split(' ').all(|word| word.len() <= 75), "{long}");
    }
}
