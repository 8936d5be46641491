//! What the catalog keeps of a table: its definition, as bytes (`docs/format.md`, "Tables").

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};
use crate::kv::schema::{
    AttributeDefinition, BillingMode, KeyElement, KeyType, OnDemandThroughput, ProjectionType, ScalarType,
    SseSpecification, StreamViewType, TableClass, Tag, Throughput, WarmThroughput,
};
use crate::kv::stored::{Stored, stored, stored_enum};

/// The version of the record that this code writes.
const VERSION: u8 = 1;

/// All that a table is, except its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The `TableId`.
    pub(crate) uuid: u128,
    pub(crate) created: Timestamp,
    /// The keyspace of the items.
    pub(crate) items: u32,
    pub(crate) attributes: Vec<AttributeDefinition>,
    pub(crate) keys: Vec<KeyElement>,
    pub(crate) indexes: Vec<IndexDefinition>,
    pub(crate) billing: BillingMode,
    /// When it was last paid by request.
    pub(crate) by_request_since: Option<Timestamp>,
    pub(crate) throughput: Provisioned,
    pub(crate) on_demand: Option<OnDemandThroughput>,
    pub(crate) warm: Option<WarmThroughput>,
    pub(crate) class: Option<TableClass>,
    pub(crate) class_changed: Option<Timestamp>,
    pub(crate) sse: Option<SseSpecification>,
    pub(crate) is_protected: bool,
    pub(crate) tags: Vec<Tag>,
    pub(crate) stream: Option<StreamDefinition>,
    /// The label of the newest stream, running or not.
    pub(crate) stream_label: Option<String>,
    pub(crate) ttl: Option<TtlDefinition>,
    pub(crate) ttl_changed: Option<Timestamp>,
}

/// Provisioned capacity and its history; zeros for a table paid by request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provisioned {
    pub(crate) units: Throughput,
    pub(crate) increased: Option<Timestamp>,
    pub(crate) decreased: Option<Timestamp>,
    /// Decreases on the day of the last one.
    pub(crate) decreases: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexDefinition {
    pub(crate) name: String,
    pub(crate) is_local: bool,
    pub(crate) space: u32,
    pub(crate) keys: Vec<KeyElement>,
    pub(crate) projection: ProjectionType,
    pub(crate) non_key_attributes: Vec<String>,
    pub(crate) throughput: Provisioned,
    pub(crate) on_demand: Option<OnDemandThroughput>,
    pub(crate) warm: Option<WarmThroughput>,
    /// Items from before it are still being entered.
    pub(crate) is_building: bool,
}

/// The running stream of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamDefinition {
    pub(crate) label: String,
    pub(crate) view: StreamViewType,
}

/// Items expire by this attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TtlDefinition {
    pub(crate) attribute: String,
    /// The keyspace of expiry times.
    pub(crate) space: u32,
    /// Items from before it are still being entered.
    pub(crate) is_building: bool,
}

stored!(Definition {
    uuid,
    created,
    items,
    attributes,
    keys,
    indexes,
    billing,
    by_request_since,
    throughput,
    on_demand,
    warm,
    class,
    class_changed,
    sse,
    is_protected,
    tags,
    stream,
    stream_label,
    ttl,
    ttl_changed,
});
stored!(Provisioned { units, increased, decreased, decreases });
stored!(IndexDefinition {
    name,
    is_local,
    space,
    keys,
    projection,
    non_key_attributes,
    throughput,
    on_demand,
    warm,
    is_building,
});
stored!(StreamDefinition { label, view });
stored!(TtlDefinition { attribute, space, is_building });
stored!(AttributeDefinition { name, scalar_type });
stored!(KeyElement { name, key_type });
stored!(Throughput { read, write });
stored!(OnDemandThroughput { max_read, max_write });
stored!(WarmThroughput { read, write });
stored!(SseSpecification { enabled, sse_type, kms_key });
stored!(Tag { key, value });
stored_enum!(KeyType { Hash = 0, Range = 1 });
stored_enum!(ScalarType { S = 0, N = 1, B = 2 });
stored_enum!(ProjectionType { All = 0, KeysOnly = 1, Include = 2 });
stored_enum!(BillingMode { Provisioned = 0, PayPerRequest = 1 });
stored_enum!(TableClass { Standard = 0, StandardInfrequentAccess = 1 });
stored_enum!(StreamViewType { KeysOnly = 0, NewImage = 1, OldImage = 2, NewAndOldImages = 3 });

/// A record behind the version of its layout.
pub(crate) fn encode<T: Stored>(record: &T) -> Vec<u8> {
    let mut to = Writer::new();
    to.u8(VERSION);
    record.store(&mut to);
    to.into_vec()
}

/// A record of this version, to its last byte.
pub(crate) fn decode<T: Stored>(bytes: &[u8], what: &'static str) -> Result<T, Malformed> {
    let mut from = Reader::new(bytes);
    let before = from.clone();
    let version = from.u8("version of a record")?;
    if version != VERSION {
        return Err(before.malformed("version of a record", VERSION, version));
    }
    let record = T::load(&mut from, what)?;
    from.finish(what)?;
    Ok(record)
}

impl Definition {
    /// Its keyspaces, as the catalog lists them.
    pub(crate) fn spaces(&self) -> Vec<u32> {
        let indexes = self.indexes.iter().map(|index| index.space);
        let ttl = self.ttl.iter().map(|ttl| ttl.space);
        std::iter::once(self.items).chain(indexes).chain(ttl).collect()
    }

    pub(crate) fn scalar_type(&self, attribute: &str) -> Option<ScalarType> {
        self.attributes.iter().find(|known| known.name == attribute).map(|known| known.scalar_type)
    }

    pub(crate) fn index(&self, name: &str) -> Option<&IndexDefinition> {
        self.indexes.iter().find(|index| index.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Definition {
        let throughput = Provisioned {
            units: Throughput { read: 5, write: 7 },
            increased: Some(Timestamp::from_secs(9)),
            decreased: None,
            decreases: 2,
        };
        Definition {
            uuid: 7,
            created: Timestamp::from_secs(1),
            items: 12,
            attributes: vec![AttributeDefinition::new("p", ScalarType::B)],
            keys: vec![KeyElement::hash("p"), KeyElement::range("c")],
            indexes: vec![IndexDefinition {
                name: "by_c".into(),
                is_local: false,
                space: 13,
                keys: vec![KeyElement::hash("c")],
                projection: ProjectionType::Include,
                non_key_attributes: vec!["x".into()],
                throughput: throughput.clone(),
                on_demand: Some(OnDemandThroughput { max_read: Some(-1), max_write: None }),
                warm: None,
                is_building: true,
            }],
            billing: BillingMode::Provisioned,
            by_request_since: None,
            throughput,
            on_demand: None,
            warm: Some(WarmThroughput { read: Some(1), write: None }),
            class: Some(TableClass::StandardInfrequentAccess),
            class_changed: None,
            sse: Some(SseSpecification { enabled: Some(true), sse_type: Some("KMS".into()), kms_key: None }),
            is_protected: true,
            tags: vec![Tag::new("a", "b")],
            stream: Some(StreamDefinition { label: "now".into(), view: StreamViewType::OldImage }),
            stream_label: Some("now".into()),
            ttl: Some(TtlDefinition { attribute: "until".into(), space: 14, is_building: false }),
            ttl_changed: Some(Timestamp::from_secs(3)),
        }
    }

    #[test]
    fn round_trip() {
        let bytes = encode(&sample());
        assert_eq!(decode::<Definition>(&bytes, "table"), Ok(sample()));
        assert_eq!(sample().spaces(), [12, 13, 14]);
    }

    #[test]
    fn rejects_every_truncation_and_what_follows() {
        let mut bytes = encode(&sample());
        for len in 0..bytes.len() {
            assert!(decode::<Definition>(&bytes[..len], "table").is_err(), "{len} bytes");
        }
        bytes.push(0);
        assert!(decode::<Definition>(&bytes, "table").is_err());
    }

    #[test]
    fn no_flipped_bit_panics() {
        let bytes = encode(&sample());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = decode::<Definition>(&flipped, "table") {
                assert_ne!(decoded, sample(), "bit {bit} says nothing");
            }
        }
    }
}
