//! What targets are told, in the service's JSON.

use crate::clock::Timestamp;
use crate::objects::notify::EventType;
use bytes::Bytes;
use serde::Serialize;
use std::fmt::Write;

/// Something that happened to an object, as the engine reports it.
#[derive(Clone, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) kind: EventType,
    pub(crate) key: &'a str,
    /// Of an object that is there now, or was expired.
    pub(crate) size: Option<u64>,
    /// Without quotes.
    pub(crate) etag: Option<String>,
    /// In a bucket that is, or was, versioned.
    pub(crate) version_id: Option<String>,
    /// The storage class; told of where a transition led to.
    pub(crate) class: Option<&'static str>,
}

/// Where and when it happened, and who did it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) now: Timestamp,
    /// Grows with every change of a key.
    pub(crate) sequence: u64,
    /// A number for the ids of the request.
    pub(crate) request: u128,
}

/// What an `ETag` is of that has no bytes: that of a delete marker.
const EMPTY_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";
/// Who does what lifecycle rules say.
const SERVICE: &str = "s3.amazonaws.com";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Records<'a> {
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'static str,
    user_identity: Identity<'a>,
    request_parameters: RequestParameters,
    response_elements: ResponseElements,
    s3: S3<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_event_data: Option<LifecycleEventData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    principal_id: &'a str,
}

#[derive(Serialize)]
struct RequestParameters {
    #[serde(rename = "sourceIPAddress")]
    source: &'static str,
}

#[derive(Serialize)]
struct ResponseElements {
    #[serde(rename = "x-amz-request-id")]
    request_id: String,
    #[serde(rename = "x-amz-id-2")]
    host_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct S3<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'static str,
    configuration_id: &'a str,
    bucket: Bucket<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'a> {
    name: &'a str,
    owner_identity: Identity<'a>,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LifecycleEventData<'a> {
    transition_event_data: TransitionEventData<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransitionEventData<'a> {
    destination_storage_class: &'a str,
}

/// What a kind of event tells.
#[expect(clippy::struct_excessive_bools, reason = "a row of a table")]
struct Form {
    version: &'static str,
    by_service: bool,
    size: bool,
    etag: bool,
    sequencer: bool,
}

impl Form {
    fn of(kind: EventType) -> Self {
        let marker = matches!(
            kind,
            EventType::ObjectRemovedDeleteMarkerCreated | EventType::LifecycleExpirationDeleteMarkerCreated
        );
        let is = |kinds: EventType| kinds.covers(kind);
        let by_service = is(EventType::LifecycleExpiration) || kind == EventType::LifecycleTransition;
        let created = is(EventType::ObjectCreated);
        let removed = is(EventType::ObjectRemoved) || is(EventType::LifecycleExpiration);
        let first_version = created || is(EventType::ObjectRemoved);
        Self {
            version: if first_version { "2.1" } else { "2.3" },
            by_service,
            size: created || kind == EventType::LifecycleTransition,
            etag: marker || !removed,
            sequencer: created || removed,
        }
    }
}

/// The message about an event, to the target of the rule with this ID.
pub(crate) fn record(scene: &Scene<'_>, event: &Event<'_>, rule_id: &str) -> Bytes {
    let form = Form::of(event.kind);
    let principal = format!("AWS:{}", scene.account);
    let by = if form.by_service { SERVICE } else { &principal };
    let class = event.class.filter(|_| event.kind == EventType::LifecycleTransition);
    let record = Record {
        event_version: form.version,
        event_source: "aws:s3",
        aws_region: scene.region,
        event_time: scene.now.to_string(),
        event_name: event.kind.record_name(),
        user_identity: Identity { principal_id: by },
        request_parameters: RequestParameters { source: if form.by_service { SERVICE } else { "127.0.0.1" } },
        response_elements: scene.response_elements(),
        s3: S3 {
            schema_version: "1.0",
            configuration_id: rule_id,
            bucket: Bucket {
                name: scene.bucket,
                owner_identity: Identity { principal_id: scene.account },
                arn: format!("arn:aws:s3:::{}", scene.bucket),
            },
            object: Object {
                key: form_encoded(event.key),
                size: event.size.filter(|_| form.size),
                e_tag: event.etag.as_deref().or(Some(EMPTY_ETAG)).filter(|_| form.etag),
                version_id: event.version_id.as_deref(),
                sequencer: form.sequencer.then(|| format!("{:018X}", scene.sequence)),
            },
        },
        lifecycle_event_data: class.map(|class| LifecycleEventData {
            transition_event_data: TransitionEventData { destination_storage_class: class },
        }),
    };
    json(&Records { records: [record] })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TestEvent<'a> {
    service: &'static str,
    event: &'static str,
    time: String,
    bucket: &'a str,
    request_id: String,
    host_id: String,
}

/// What a target is told when it becomes one.
pub(crate) fn test_event(scene: &Scene<'_>) -> Bytes {
    let ResponseElements { request_id, host_id } = scene.response_elements();
    json(&TestEvent {
        service: "Amazon S3",
        event: "s3:TestEvent",
        time: scene.now.to_string(),
        bucket: scene.bucket,
        request_id,
        host_id,
    })
}

impl Scene<'_> {
    fn response_elements(&self) -> ResponseElements {
        use base64::Engine;
        let bytes = self.request.to_be_bytes();
        let host_id = base64::engine::general_purpose::STANDARD.encode([bytes, bytes, bytes].concat());
        ResponseElements { request_id: format!("{:016X}", self.request >> 64), host_id }
    }
}

fn json(value: &impl Serialize) -> Bytes {
    // Structs of texts and numbers cannot fail to be written.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// A key as the service writes it into records: as an HTML form would, but for slashes.
fn form_encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"/-_.*".contains(&byte) => encoded.push(char::from(byte)),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}
