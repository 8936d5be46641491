//! A change as it lies in a stream's keyspace (`docs/format.md`, "Changes").
//!
//! | field | bytes |
//! | --- | --- |
//! | version | 1 |
//! | time, ms | u64 |
//! | shard | u32 |
//! | kind: 1 insert, 2 modify, 3 remove | u8 |
//! | flags: 1 by the service, 2 an old image, 4 a new image | u8 |
//! | keys, then the images | u32 length and an item's record, each |

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use crate::kv::item;
use crate::kv::names::named;
use crate::kv::schema::StreamViewType;
use crate::kv::value::Item;

const VERSION: u8 = 1;
const BY_SERVICE: u8 = 1;
const HAS_OLD: u8 = 2;
const HAS_NEW: u8 = 4;

named! {
    /// What happened to an item.
    ///
    /// ```
    /// # use fourfold::kv::ChangeKind;
    /// assert_eq!(ChangeKind::Insert.name(), "INSERT");
    /// ```
    pub enum ChangeKind {
        /// It came.
        Insert = "INSERT",
        /// It was there and is another now.
        Modify = "MODIFY",
        /// It went.
        Remove = "REMOVE",
    }
}

/// A change that is to be recorded: all of its record but what the feed knows.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) hash: u64,
    tail: Vec<u8>,
}

impl Change {
    pub(crate) fn new(
        kind: ChangeKind,
        view: StreamViewType,
        by_service: bool,
        hash: u64,
        keys: &Item,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Self {
        let shows_old = matches!(view, StreamViewType::OldImage | StreamViewType::NewAndOldImages);
        let shows_new = matches!(view, StreamViewType::NewImage | StreamViewType::NewAndOldImages);
        let (old, new) = (old.filter(|_| shows_old), new.filter(|_| shows_new));
        let mut to = Writer::new();
        to.u8(match kind {
            ChangeKind::Insert => 1,
            ChangeKind::Modify => 2,
            ChangeKind::Remove => 3,
        });
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        to.u8(flag(by_service, BY_SERVICE) | flag(old.is_some(), HAS_OLD) | flag(new.is_some(), HAS_NEW));
        to.bytes(&item::encode(keys, keys.size()));
        old.into_iter().chain(new).for_each(|image| to.bytes(image));
        Self { hash, tail: to.into_vec() }
    }

    /// Its record.
    pub(crate) fn encode(&self, at: Timestamp, shard: u32) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION);
        to.u64(at.as_millis());
        to.u32(shard);
        to.raw(&self.tail);
        to.into_vec()
    }
}

/// The front of a record: what is looked at before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) at: Timestamp,
    pub(crate) shard: u32,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) at: Timestamp,
    pub(crate) kind: ChangeKind,
    pub(crate) by_service: bool,
    pub(crate) keys: Item,
    pub(crate) old: Option<Item>,
    pub(crate) new: Option<Item>,
    /// Bytes as the service counts them: of keys and images.
    pub(crate) size: usize,
}

pub(crate) fn head(bytes: &[u8]) -> Result<Head, Malformed> {
    read_head(&mut Reader::new(bytes))
}

fn read_head(from: &mut Reader<'_>) -> Result<Head, Malformed> {
    let before = from.clone();
    let version = from.u8("version of a change")?;
    if version != VERSION {
        return Err(before.malformed("version of a change", VERSION, version));
    }
    Ok(Head {
        at: Timestamp::from_millis(from.u64("time of a change")?),
        shard: from.u32("shard of a change")?,
    })
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Recorded, Malformed> {
    let mut from = Reader::new(bytes);
    let head = read_head(&mut from)?;
    let before = from.clone();
    let kind = match from.u8("kind of a change")? {
        1 => ChangeKind::Insert,
        2 => ChangeKind::Modify,
        3 => ChangeKind::Remove,
        other => return Err(before.malformed("kind of a change", "1 to 3", other)),
    };
    let flags = from.u8("flags of a change")?;
    let mut size = 0;
    let mut image = |what: &'static str| {
        let record = from.bytes(what)?;
        size += item::size(record);
        crate::kv::codec::decode_item(item::body(record))
    };
    let keys = image("keys of a change")?;
    let old = (flags & HAS_OLD != 0).then(|| image("old image")).transpose()?;
    let new = (flags & HAS_NEW != 0).then(|| image("new image")).transpose()?;
    from.finish("change")?;
    Ok(Recorded { at: head.at, kind, by_service: flags & BY_SERVICE != 0, keys, old, new, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_truncations() {
        let key: Item = [("p", "a")].into();
        let image: Item = [("p", "a"), ("x", "y")].into();
        let record = item::encode(&image, image.size());
        let view = StreamViewType::NewAndOldImages;
        let change = Change::new(ChangeKind::Modify, view, true, 9, &key, Some(&record), Some(&record));
        let bytes = change.encode(Timestamp::from_secs(5), 3);
        assert_eq!(head(&bytes), Ok(Head { at: Timestamp::from_secs(5), shard: 3 }));
        let read = decode(&bytes).unwrap();
        assert_eq!((read.kind, read.by_service, &read.keys), (ChangeKind::Modify, true, &key));
        assert_eq!((read.old.as_ref(), read.new.as_ref()), (Some(&image), Some(&image)));
        assert_eq!(read.size, key.size() + 2 * image.size());
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_view_shows_what_it_says() {
        let image: Item = [("p", "a")].into();
        let record = item::encode(&image, image.size());
        for (view, old, new) in [
            (StreamViewType::KeysOnly, false, false),
            (StreamViewType::OldImage, true, false),
            (StreamViewType::NewImage, false, true),
        ] {
            let change =
                Change::new(ChangeKind::Modify, view, false, 0, &image, Some(&record), Some(&record));
            let read = decode(&change.encode(Timestamp::from_secs(1), 0)).unwrap();
            assert_eq!((read.old.is_some(), read.new.is_some()), (old, new), "{view}");
        }
    }
}
