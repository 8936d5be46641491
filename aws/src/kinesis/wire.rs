//! Kinesis on the wire: AWS JSON 1.1, or the same trees in CBOR.

use super::{cbor, perform, subscribe, subscription};
use crate::call::Call;
use crate::fields::{Dialect, Fields};
use crate::model;
use crate::refusal::{Refusal, Result};
use crate::reply::{Reply, reply, set};
use crate::signature::check_form;
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;

const JSON: &str = "application/x-amz-json-1.1";
const CBOR: &str = "application/x-amz-cbor-1.1";
/// A form of long ago, in which nothing is answered any more but that.
const OLD_JSON: &str = "application/json";

const DENIED: &str = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be \
    authorized</Message>\n</AccessDeniedException>\n";
const UNKNOWN: &str = "<UnknownOperationException/>\n";

/// How trees are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Cbor,
}

impl Form {
    /// The answer's form is the request's. To who says nothing of a form the service speaks in CBOR; who sends
    /// something nonetheless has written it by hand, which is read here, as it is of `DynamoDB`.
    fn of(call: &Call<'_>, body: &[u8]) -> Self {
        match call.content_type() {
            JSON => Self::Json,
            "" if !body.is_empty() => Self::Json,
            _ => Self::Cbor,
        }
    }

    /// The request that a body is to the operation `name`.
    fn decode(self, call: &Call<'_>, name: &str, body: &[u8]) -> Result<Fields> {
        let dialect = Dialect::Kinesis;
        let is_known = model::has(dialect, name);
        if body.is_empty() && !is_known {
            return Err(Refusal::unknown_operation());
        }
        let mut request = match self {
            Self::Json => Fields::tree(body, dialect)?,
            Self::Cbor => {
                let is_map = |value: &Value| matches!(value, Value::Map(_));
                cbor::decode(body).filter(is_map).ok_or_else(|| Refusal::serialization(""))?
            }
        };
        if is_known {
            check_form(call.head, dialect)?;
        }
        model::check(dialect, name, &mut request)?;
        Fields::of(request, dialect)
    }

    pub(super) fn encode(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Json => value.to_json(),
            Self::Cbor => cbor::encode(value),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Cbor => CBOR,
        }
    }

    /// The content type of what a frame of an event stream holds.
    pub(super) fn of_events(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Cbor => CBOR,
        }
    }
}

/// What is said to a request that is in neither form, before anybody looks who it is from and what it wants.
fn unformed(call: &Call<'_>, body: &[u8]) -> Option<Reply> {
    let kind = call.content_type();
    if call.head.method != Method::POST {
        return Some(with_ids(call, reply(403, "", DENIED)));
    }
    if body.is_empty() || [JSON, CBOR].contains(&kind) {
        return None;
    }
    if kind == OLD_JSON {
        let (status, name) = match Fields::tree(body, Dialect::Kinesis) {
            Ok(_) => (404, "UnknownOperationException"),
            Err(_) => (400, "SerializationException"),
        };
        let name = format!(r#"{{"Output":{{"__type":"com.amazon.coral.service#{name}"}},"Version":"1.0"}}"#);
        return Some(with_ids(call, reply(status, OLD_JSON, name)));
    }
    let target = call.header("x-amz-target").and_then(|target| target.split_once('.'));
    let is_named = target.is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if kind.is_empty() && is_named {
        return None;
    }
    let (status, text) = if is_named { (404, UNKNOWN) } else { (403, DENIED) };
    Some(with_ids(call, reply(status, "", text)))
}

/// Answers `name`, the operation of the target header, or an empty one.
pub(crate) async fn answer(call: &Call<'_>, name: &str, body: &[u8]) -> Reply {
    if let Some(reply) = unformed(call, body) {
        return reply;
    }
    let form = Form::of(call, body);
    if name == "SubscribeToShard" {
        return match form.decode(call, name, body).and_then(|input| subscribe(call, input, form)) {
            Ok(events) => with_ids(call, reply(200, subscription::CONTENT_TYPE, events)),
            Err(refusal) => refused_in(call, form, &refusal),
        };
    }
    let answer = match form.decode(call, name, body) {
        Ok(input) => perform(call, name, input).await,
        Err(refusal) => Err(refusal),
    };
    match answer {
        // An operation that has nothing to say has no body.
        Ok(Value::Map(members)) if members.is_empty() => finish(call, form, 200, Vec::new()),
        Ok(value) => finish(call, form, 200, form.encode(&value)),
        Err(refusal) => refused_in(call, form, &refusal),
    }
}

/// The answer to a request of which nobody reads the body.
pub(crate) fn refused(call: &Call<'_>, refusal: &Refusal) -> Reply {
    refused_in(call, Form::of(call, b""), refusal)
}

fn refused_in(call: &Call<'_>, form: Form, refusal: &Refusal) -> Reply {
    let member = if refusal.name == "SerializationException" { "Message" } else { "message" };
    let text = (!refusal.message.is_empty()).then(|| refusal.message.as_str().into());
    let body = Value::map([("__type", Some((&*refusal.name).into())), (member, text)]);
    // Who signs wrongly is refused with the status of any other bad request.
    let status = if refusal.status < 500 { 400 } else { refusal.status };
    finish(call, form, status, form.encode(&body))
}

fn finish(call: &Call<'_>, form: Form, status: u16, body: Vec<u8>) -> Reply {
    with_ids(call, reply(status, form.content_type(), body))
}

fn with_ids(call: &Call<'_>, mut reply: Reply) -> Reply {
    let id = call.id.uuid();
    set(&mut reply, "x-amz-id-2", &STANDARD.encode(format!("{id}{id}")));
    set(&mut reply, "x-amzn-requestid", &id);
    reply
}
