//! What is stored of a bucket, in the catalog (`docs/format.md`, "Buckets").

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use crate::objects::Versioning;
use crate::objects::metadata::Tags;
use crate::objects::record::{format_is, malformed};
use bytes::Bytes;
use std::collections::BTreeMap;

const FORMAT: u8 = 1;
/// The setting that says in which region it is, if that is not the store's.
const REGION: u8 = 102;

/// A bucket but for what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketRecord {
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
    pub(crate) tags: Tags,
    /// By the number of what they set: [`Setting`](crate::objects::Setting) and others.
    pub(crate) settings: BTreeMap<u8, Bytes>,
}

impl BucketRecord {
    /// One of a bucket that is made now in this region, in a store of another or the same.
    pub(crate) fn new(created: Timestamp, region: &str, of_store: &str) -> Self {
        let mut record = Self { created, ..Self::default() };
        if region != of_store {
            record.settings.insert(REGION, Bytes::copy_from_slice(region.as_bytes()));
        }
        record
    }

    /// Where it is.
    pub(crate) fn region<'a>(&'a self, of_store: &'a str) -> &'a str {
        self.settings.get(&REGION).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or(of_store)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(FORMAT);
        to.u64(self.created.as_millis());
        to.u8(self.versioning as u8);
        self.tags.encode(&mut to);
        to.count(self.settings.len());
        for (number, value) in &self.settings {
            to.u8(*number);
            to.bytes(value);
        }
        to.into_vec()
    }

    pub(crate) fn decode(record: &[u8]) -> crate::Result<Self> {
        Self::read(&mut Reader::new(record)).map_err(|flaw| malformed(&flaw, "bucket record"))
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        format_is(FORMAT, from)?;
        let created = Timestamp::from_millis(from.u64("time of a bucket")?);
        let before = from.clone();
        let number = from.u8("versioning")?;
        let versioning = Versioning::ALL.into_iter().find(|known| *known as u8 == number);
        let versioning =
            versioning.ok_or_else(|| before.malformed("versioning", "a known number", number))?;
        let tags = Tags::decode(from)?;
        let mut settings = BTreeMap::new();
        for _ in 0..from.count(1 + size_of::<u32>(), "settings of a bucket")? {
            let number = from.u8("setting of a bucket")?;
            let value = Bytes::copy_from_slice(from.bytes("setting of a bucket")?);
            settings.insert(number, value);
        }
        from.finish("bucket record")?;
        Ok(Self { created, versioning, tags, settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BucketRecord {
        BucketRecord {
            created: Timestamp::from_millis(77),
            versioning: Versioning::Suspended,
            tags: Tags::from([("team", "a")]),
            settings: BTreeMap::from([(1, Bytes::from("<x/>")), (200, Bytes::new())]),
        }
    }

    #[test]
    fn round_trip() {
        assert_eq!(BucketRecord::decode(&sample().encode()).unwrap(), sample());
        let fresh = BucketRecord::default();
        assert_eq!(BucketRecord::decode(&fresh.encode()).unwrap(), fresh);
    }

    #[test]
    fn rejects_every_truncation() {
        let record = sample().encode();
        for len in 0..record.len() {
            assert!(BucketRecord::decode(&record[..len]).is_err(), "{len}");
        }
    }
}
