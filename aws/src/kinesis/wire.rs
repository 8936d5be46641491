//! Kinesis on the wire: AWS JSON 1.1, or the same trees in CBOR.

use super::{cbor, perform};
use crate::call::Call;
use crate::fields::{Dialect, Fields};
use crate::model;
use crate::refusal::{Refusal, Result};
use crate::reply::{Reply, reply, set};
use crate::signature::check_form;
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const JSON: &str = "application/x-amz-json-1.1";
const CBOR: &str = "application/x-amz-cbor-1.1";

/// Is the request in CBOR, and so the answer?
fn is_cbor(call: &Call<'_>) -> bool {
    call.header("content-type").is_some_and(|kind| kind.starts_with(CBOR))
}

/// Answers `name`, the operation of the target header.
pub(crate) async fn answer(call: &Call<'_>, name: &str, body: &[u8]) -> Reply {
    match carry_out(call, name, body).await {
        // An operation that has nothing to say has no body.
        Ok(Value::Map(members)) if members.is_empty() => finish(call, 200, None),
        Ok(value) => finish(call, 200, Some(&value)),
        Err(refusal) => refused(call, &refusal),
    }
}

async fn carry_out(call: &Call<'_>, name: &str, body: &[u8]) -> Result<Value> {
    let dialect = Dialect::Kinesis;
    if body.is_empty() && !model::has(dialect, name) {
        return Err(Refusal::unknown_operation());
    }
    let mut request = if is_cbor(call) {
        cbor::decode(body).ok_or_else(|| Refusal::serialization(""))?
    } else {
        Fields::tree(body, dialect)?
    };
    if model::has(dialect, name) {
        check_form(call.head, dialect)?;
    }
    model::check(dialect, name, &mut request)?;
    perform(call, name, Fields::of(request, dialect)?).await
}

pub(crate) fn refused(call: &Call<'_>, refusal: &Refusal) -> Reply {
    let member = if refusal.name == "SerializationException" { "Message" } else { "message" };
    let text = (!refusal.message.is_empty()).then(|| refusal.message.as_str().into());
    let body = Value::map([("__type", Some((&*refusal.name).into())), (member, text)]);
    // Who signs wrongly is refused with the status of any other bad request.
    let status = if refusal.status < 500 { 400 } else { refusal.status };
    finish(call, status, Some(&body))
}

fn finish(call: &Call<'_>, status: u16, value: Option<&Value>) -> Reply {
    let (kind, body) = match (value, is_cbor(call)) {
        (Some(value), true) => (CBOR, cbor::encode(value)),
        (Some(value), false) => (JSON, value.to_json()),
        (None, true) => (CBOR, Vec::new()),
        (None, false) => (JSON, Vec::new()),
    };
    let mut reply = reply(status, kind, body);
    let id = call.id.uuid();
    set(&mut reply, "x-amz-id-2", &STANDARD.encode(format!("{id}{}", &id[..18])));
    set(&mut reply, "x-amzn-requestid", &id);
    reply
}
