//! The digests that clients compare: MD5 of bodies and of attributes, SHA-256 for content-based deduplication.

use crate::queue::message::{AttributeValue, MessageAttribute};
use md5::{Digest, Md5};
use std::fmt::Write;

/// MD5 of `bytes`, as 32 hexadecimal digits.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// SHA-256 of `bytes`, as 64 hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

/// MD5 of attributes as the service's developer guide lays them out: in the order of their names, each field behind its
/// length, a byte for the kind of value. None for none.
pub(super) fn md5_of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a MessageAttribute)>,
) -> Option<String> {
    let mut digest = Md5::new();
    let mut any = false;
    for (name, attribute) in attributes {
        any = true;
        let (kind, value) = match attribute.value() {
            AttributeValue::Text(text) => (1, text.as_bytes()),
            AttributeValue::Binary(bytes) => (2, &bytes[..]),
        };
        field(&mut digest, name.as_bytes());
        field(&mut digest, attribute.data_type().as_bytes());
        digest.update([kind]);
        field(&mut digest, value);
    }
    any.then(|| hex(&digest.finalize()))
}

#[expect(clippy::big_endian_bytes, reason = "lengths are hashed in network order")]
fn field(digest: &mut Md5, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    digest.update(len.to_be_bytes());
    digest.update(bytes);
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_clients_compute() {
        assert_eq!(md5_hex(b"hello world"), "5eb63bbbe01eeed093cb22bb8f5acdc3");
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(md5_of_attributes([]), None);
        // The example of a test that checks the service itself.
        let timestamp = MessageAttribute::number("1493147359900");
        let found = md5_of_attributes([("timestamp", &timestamp)]);
        assert_eq!(found.as_deref(), Some("235c5c510d26fb653d073faed50ae77c"));
    }
}
