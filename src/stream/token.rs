//! Tokens that callers carry about: opaque text, checked before anything in it is believed.
//!
//! | size | field | value |
//! | ---: | --- | --- |
//! | 8 | lead | of an iterator: 1, big-endian; other tokens have none |
//! | 1 | format | 1 |
//! | 1 | kind | 1 iterator, 2 list of shards, 3 list of consumers, 4 list of streams |
//! | 8 | created | milliseconds; the token is honoured for 300,000 from then on |
//! | 8 | generation | of the stream |
//! | | fields | of the kind |
//! | 4 | checksum | CRC-32 of what stands before |
//!
//! In base64, with padding. A token says all that is needed to honour it, so it survives a reopening of the store. The
//! checksum finds tokens that were damaged on the way; it does not keep out someone who forges them, who could as well ask
//! for what they give.

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const FORMAT: u8 = 1;
const CHECKSUM_LEN: usize = size_of::<u32>();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Iterator = 1,
    Shards = 2,
    Consumers = 3,
    Streams = 4,
}

impl Kind {
    /// What stands before all else. The service's iterators can be told by it.
    const fn lead(self) -> &'static [u8] {
        match self {
            Self::Iterator => &[0, 0, 0, 0, 0, 0, 0, 1],
            _ => &[],
        }
    }
}

/// What every token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) created: Timestamp,
    pub(crate) generation: u64,
}

/// A token of `kind` whose fields are written by `fields`.
pub(crate) fn encode(kind: Kind, head: Head, fields: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer::new();
    kind.lead().iter().for_each(|byte| writer.u8(*byte));
    writer.u8(FORMAT);
    writer.u8(kind as u8);
    writer.u64(head.created.as_millis());
    writer.u64(head.generation);
    fields(&mut writer);
    let checksum = crc32fast::hash(writer.as_slice());
    writer.u32(checksum);
    STANDARD.encode(writer.as_slice())
}

/// What a token says; `None` if it is none of this kind.
pub(crate) fn decode<T>(
    kind: Kind,
    text: &str,
    fields: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Option<(Head, T)> {
    let bytes = STANDARD.decode(text).ok()?;
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_LEN)?)?;
    let found = Reader::new(checksum).u32("checksum").ok()?;
    if !crate::codec::checksums_agree(crc32fast::hash(body), found) {
        return None;
    }
    let reader = &mut Reader::new(body.strip_prefix(kind.lead())?);
    if reader.u8("format").ok()? != FORMAT || reader.u8("kind").ok()? != kind as u8 {
        return None;
    }
    let created = reader.u64("creation").map(Timestamp::from_millis).ok()?;
    let generation = reader.u64("generation").ok()?;
    let fields = fields(reader).ok()?;
    reader.finish("token").ok()?;
    Some((Head { created, generation }, fields))
}

/// The fields of a token as text.
pub(crate) fn text<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a str, Malformed> {
    let bytes = reader.bytes(what)?;
    std::str::from_utf8(bytes).map_err(|_| reader.malformed(what, "UTF-8", "other bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { created: Timestamp::from_secs(5), generation: 7 };

    fn sample() -> String {
        encode(Kind::Shards, HEAD, |writer| writer.bytes(b"name"))
    }

    fn read(token: &str) -> Option<(Head, String)> {
        decode(Kind::Shards, token, |reader| text(reader, "name").map(str::to_owned))
    }

    #[test]
    fn round_trip() {
        assert_eq!(read(&sample()), Some((HEAD, "name".to_owned())));
    }

    #[test]
    fn rejects_every_change() {
        let token = sample();
        for (at, byte) in token.bytes().enumerate() {
            for other in *b"AZaz09+/=" {
                let mut changed = token.clone().into_bytes();
                changed[at] = other;
                let changed = String::from_utf8(changed).unwrap();
                assert!(other == byte || read(&changed).is_none(), "{changed}");
            }
            assert_eq!(read(&token[..at]), None);
        }
        assert_eq!(read(&format!("{token}AAAA")), None);
    }

    #[test]
    fn rejects_tokens_of_another_kind() {
        let other = encode(Kind::Consumers, HEAD, |writer| writer.bytes(b"name"));
        assert_eq!(read(&other), None);
    }
}
