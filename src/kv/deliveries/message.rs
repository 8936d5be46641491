//! What queues and streams are told, in the service's JSON.

use super::{Delivery, TimePrecision};
use crate::clock::Timestamp;
use crate::kv::base64;
use crate::kv::changes::describe::sequence_number;
use crate::kv::deliveries::tell::Told;
use crate::kv::schema::StreamViewType;
use crate::kv::tables::describe::hyphenated;
use crate::kv::value::{AttributeValue, Item};
use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use xxhash_rust::xxh3::xxh3_128;

/// Where and when something changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) region: &'a str,
    pub(crate) table: &'a str,
    pub(crate) arn: &'a str,
    pub(crate) now: Timestamp,
    /// The number of the change (Y3).
    pub(crate) number: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ForQueues<'a> {
    #[serde(rename = "eventID")]
    event_id: &'a str,
    event_name: &'static str,
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'a str,
    dynamodb: Record<'a>,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_identity: Option<Identity>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ForStreams<'a> {
    aws_region: &'a str,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    event_name: &'static str,
    user_identity: Option<Identity>,
    record_format: &'static str,
    table_name: &'a str,
    dynamodb: Record<'a>,
    event_source: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    approximate_creation_date_time: u64,
    keys: Attributes<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_image: Option<Attributes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_image: Option<Attributes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
    size_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_view_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approximate_creation_date_time_precision: Option<&'static str>,
}

/// Who deletes what has expired.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(rename = "type")]
    kind: &'static str,
    principal_id: &'static str,
}

const SERVICE: Identity = Identity { kind: "Service", principal_id: "dynamodb.amazonaws.com" };
const SOURCE: &str = "aws:dynamodb";

/// The id of a change.
pub(crate) fn event_id(scene: &Scene<'_>) -> String {
    let id = xxh3_128(format!("{}/{}", scene.arn, scene.number).as_bytes());
    hyphenated(id)
}

/// What a delivery tells of a change; `view` is at most what it shows.
pub(crate) fn message(scene: &Scene<'_>, told: &Told, delivery: &Delivery, view: StreamViewType) -> Bytes {
    let event_id = &*event_id(scene);
    let shows_new = matches!(view, StreamViewType::NewImage | StreamViewType::NewAndOldImages);
    let shows_old = matches!(view, StreamViewType::OldImage | StreamViewType::NewAndOldImages);
    let (new, old) = (told.new.as_ref().filter(|_| shows_new), told.old.as_ref().filter(|_| shows_old));
    let user_identity = told.by_service.then_some(SERVICE);
    let millis = scene.now.as_millis();
    let record = Record {
        approximate_creation_date_time: millis / 1000,
        keys: Attributes(&told.keys),
        new_image: new.map(Attributes),
        old_image: old.map(Attributes),
        sequence_number: None,
        size_bytes: std::iter::once(&told.keys).chain(new).chain(old).map(Item::size).sum(),
        stream_view_type: (view == StreamViewType::KeysOnly).then(|| view.name()),
        approximate_creation_date_time_precision: None,
    };
    if delivery.is_to_stream() {
        let is_fine = delivery.precision == TimePrecision::Microsecond;
        return json(&ForStreams {
            aws_region: scene.region,
            event_id,
            event_name: told.kind.name(),
            user_identity,
            record_format: "application/json",
            table_name: scene.table,
            dynamodb: Record {
                approximate_creation_date_time: if is_fine { millis.saturating_mul(1000) } else { millis },
                approximate_creation_date_time_precision: is_fine.then(|| delivery.precision.name()),
                ..record
            },
            event_source: SOURCE,
        });
    }
    json(&ForQueues {
        event_id,
        event_name: told.kind.name(),
        event_version: "1.1",
        event_source: SOURCE,
        aws_region: scene.region,
        dynamodb: Record {
            sequence_number: Some(sequence_number(scene.number)),
            stream_view_type: Some(view.name()),
            ..record
        },
        event_source_arn: scene.arn,
        user_identity,
    })
}

fn json(value: &impl Serialize) -> Bytes {
    // Texts, numbers and maps by texts cannot fail to be written.
    let text = serde_json::to_string(value).unwrap_or_default();
    // Two characters that JSON takes as they are and queues do not.
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        return text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff").into();
    }
    text.into()
}

/// An item, each value in a map by its type.
struct Attributes<'a>(&'a Item);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, Value(value))))
    }
}

struct Value<'a>(&'a AttributeValue);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1))?;
        match self.0 {
            AttributeValue::S(text) => map.serialize_entry("S", text)?,
            AttributeValue::N(number) => map.serialize_entry("N", &number.to_string())?,
            AttributeValue::B(bytes) => map.serialize_entry("B", &base64(bytes))?,
            AttributeValue::Ss(set) => map.serialize_entry("SS", &set.iter().collect::<Vec<_>>())?,
            AttributeValue::Ns(set) => {
                map.serialize_entry("NS", &set.iter().map(ToString::to_string).collect::<Vec<_>>())?;
            }
            AttributeValue::Bs(set) => {
                map.serialize_entry("BS", &set.iter().map(|bytes| base64(bytes)).collect::<Vec<_>>())?;
            }
            AttributeValue::M(item) => map.serialize_entry("M", &Attributes(item))?,
            AttributeValue::L(list) => {
                map.serialize_entry("L", &list.iter().map(Value).collect::<Vec<_>>())?;
            }
            AttributeValue::Bool(is_true) => map.serialize_entry("BOOL", is_true)?,
            AttributeValue::Null => map.serialize_entry("NULL", &true)?,
        }
        map.end()
    }
}

#[cfg(all(test, not(fourfold_loom)))]
mod tests {
    use super::*;
    use crate::kv::changes::record::ChangeKind;
    use crate::kv::item;

    fn scene() -> Scene<'static> {
        Scene {
            region: "us-east-1",
            table: "t",
            arn: "arn:aws:dynamodb:us-east-1:000000000000:table/t",
            now: Timestamp::from_millis(1_735_689_600_123),
            number: 7,
        }
    }

    fn told(by_service: bool) -> Told {
        let (keys, old) = (item! { "p" => "a" }, item! { "p" => "a", "n" => 1 });
        let (kind, new) = if by_service {
            (ChangeKind::Remove, None)
        } else {
            (ChangeKind::Modify, Some(item! { "p" => "a", "n" => 2 }))
        };
        Told { group: Vec::new(), kind, by_service, keys, old: Some(old), new }
    }

    #[test]
    fn a_queue_is_told_what_a_record_is_as_an_event() {
        let delivery = Delivery::new("arn:aws:sqs:us-east-1:000000000000:q");
        let id = event_id(&scene());
        assert_eq!(
            message(&scene(), &told(false), &delivery, delivery.view),
            format!(
                "{{\"eventID\":\"{id}\",\"eventName\":\"MODIFY\",\"eventVersion\":\"1.1\",\
                 \"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"us-east-1\",\
                 \"dynamodb\":{{\"ApproximateCreationDateTime\":1735689600,\"Keys\":{{\"p\":{{\"S\":\"a\"}}}},\
                 \"NewImage\":{{\"n\":{{\"N\":\"2\"}},\"p\":{{\"S\":\"a\"}}}},\
                 \"OldImage\":{{\"n\":{{\"N\":\"1\"}},\"p\":{{\"S\":\"a\"}}}},\
                 \"SequenceNumber\":\"100000000000000000007\",\"SizeBytes\":12,\
                 \"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}},\
                 \"eventSourceARN\":\"arn:aws:dynamodb:us-east-1:000000000000:table/t\"}}"
            )
        );
    }

    #[test]
    fn a_stream_is_told_as_the_service_tells_its_own() {
        let delivery = Delivery::new("arn:aws:kinesis:us-east-1:000000000000:stream/s");
        let id = event_id(&scene());
        assert_eq!(
            message(&scene(), &told(true), &delivery, delivery.view),
            format!(
                "{{\"awsRegion\":\"us-east-1\",\"eventID\":\"{id}\",\"eventName\":\"REMOVE\",\
                 \"userIdentity\":{{\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}},\
                 \"recordFormat\":\"application/json\",\"tableName\":\"t\",\
                 \"dynamodb\":{{\"ApproximateCreationDateTime\":1735689600123,\
                 \"Keys\":{{\"p\":{{\"S\":\"a\"}}}},\
                 \"OldImage\":{{\"n\":{{\"N\":\"1\"}},\"p\":{{\"S\":\"a\"}}}},\"SizeBytes\":7}},\
                 \"eventSource\":\"aws:dynamodb\"}}"
            )
        );
        let fine = delivery.precision(TimePrecision::Microsecond);
        let fine = message(&scene(), &told(false), &fine, StreamViewType::KeysOnly);
        let fine: serde_json::Value = serde_json::from_slice(&fine).unwrap();
        assert_eq!(fine["userIdentity"], serde_json::Value::Null);
        assert_eq!(fine["dynamodb"]["ApproximateCreationDateTime"], 1_735_689_600_123_000_u64);
        assert_eq!(fine["dynamodb"]["ApproximateCreationDateTimePrecision"], "MICROSECOND");
        assert_eq!(fine["dynamodb"].get("NewImage"), None);
    }

    #[test]
    fn every_type_has_its_word() {
        let all = item! {
            "s" => "x\u{0}\u{ffff}",
            "n" => 1,
            "b" => AttributeValue::B(Bytes::from_static(b"\xff")),
            "ss" => AttributeValue::string_set(["a"]).unwrap(),
            "ns" => AttributeValue::number_set([1, 2]).unwrap(),
            "bs" => AttributeValue::binary_set([Bytes::from_static(b"a")]).unwrap(),
            "m" => AttributeValue::M(item! { "x" => 1 }),
            "l" => AttributeValue::L(vec![AttributeValue::Bool(true), AttributeValue::Null]),
        };
        assert_eq!(
            json(&Attributes(&all)),
            "{\"b\":{\"B\":\"/w==\"},\"bs\":{\"BS\":[\"YQ==\"]},\
             \"l\":{\"L\":[{\"BOOL\":true},{\"NULL\":true}]},\"m\":{\"M\":{\"x\":{\"N\":\"1\"}}},\
             \"n\":{\"N\":\"1\"},\"ns\":{\"NS\":[\"1\",\"2\"]},\"s\":{\"S\":\"x\\u0000\\uffff\"},\
             \"ss\":{\"SS\":[\"a\"]}}"
        );
    }
}
