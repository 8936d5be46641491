//! `DynamoDB` on the wire: AWS JSON 1.0, with a checksum of the answer in a header.

use super::wording::Wording;
use super::{Service, perform, precheck};
use crate::call::Call;
use crate::fields::{Dialect, Fields};
use crate::model;
use crate::refusal::{Origin, Refusal, Result};
use crate::reply::{Reply, no_such_operation, reply, set};
use crate::signature::check_form;
use crate::value::{Read, Value};
use std::borrow::Cow;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// As good as the other; the answer has the one of the request.
const PLAIN_CONTENT_TYPE: &str = "application/json";

/// Levels of a request that the newer checks of the service read; writes of one item that have more are left to the
/// older ones, in whose words they are then refused.
const NEWER_LEVELS_MAX: u32 = 127;

/// Answers `name`, the operation of the target header.
pub(crate) async fn answer(call: &Call<'_>, service: Service, name: &str, body: &[u8]) -> Reply {
    if !body.is_empty() && !["", CONTENT_TYPE, PLAIN_CONTENT_TYPE].contains(&call.content_type()) {
        return no_such_operation(call);
    }
    match carry_out(call, service, name, body).await {
        Ok(value) => finish(call, 200, &value),
        Err(refusal) => refused(call, &refusal),
    }
}

async fn carry_out(call: &Call<'_>, service: Service, name: &str, body: &[u8]) -> Result<Value> {
    let dialect = Dialect::Dynamo;
    if body.is_empty() && !model::has(dialect, name) {
        return Err(Refusal::unknown_operation());
    }
    let Read { value: mut request, levels } = Fields::read(body)?;
    if model::has(dialect, name) {
        check_form(call.head, dialect)?;
    }
    let is_older = levels > NEWER_LEVELS_MAX && matches!(name, "PutItem" | "UpdateItem" | "DeleteItem");
    model::check_in(dialect, name, &mut request, is_older)?;
    check_region(call, &request)?;
    let performed = async {
        precheck::check(name, &request)?;
        let writes = if is_older { Wording::Older } else { Wording::Counted };
        perform(call, service, name, Fields::of(request, dialect)?, writes).await
    };
    performed.await.map_err(|refusal| if is_older { precheck::uncounted(refusal) } else { refusal })
}

/// Refuses the ARN of a table of another region in the place of its name.
fn check_region(call: &Call<'_>, request: &Value) -> Result<()> {
    let Value::Map(members) = request else { return Ok(()) };
    let table = members.iter().rev().find(|(name, _)| name == "TableName").map(|(_, value)| value);
    match table {
        Some(Value::Text(arn))
            if arn.starts_with("arn:") && arn.split(':').nth(3) != Some(call.store.region()) =>
        {
            let message = format!("1 validation error detected: Invalid AWS region in '{arn}'");
            Err(Dialect::Dynamo.invalid(&message))
        }
        _ => Ok(()),
    }
}

pub(crate) fn refused(call: &Call<'_>, refusal: &Refusal) -> Reply {
    let namespace = match refusal.origin {
        Origin::Service => "com.amazonaws.dynamodb.v20120810",
        Origin::Validation => "com.amazon.coral.validate",
        Origin::Framework => "com.amazon.coral.service",
    };
    let message = match &*refusal.name {
        "SerializationException" | "TransactionCanceledException" => "Message",
        _ => "message",
    };
    let mut members: Vec<(Cow<'static, str>, Value)> =
        vec![("__type".into(), format!("{namespace}#{}", refusal.name).into())];
    if !refusal.message.is_empty() {
        members.push((message.into(), refusal.message.as_str().into()));
    }
    members.extend(refusal.members.iter().map(|(name, value)| ((*name).into(), value.clone())));
    // Who signs wrongly is refused with the status of any other bad request.
    let status = if refusal.status < 500 { 400 } else { refusal.status };
    finish(call, status, &Value::Map(members))
}

fn finish(call: &Call<'_>, status: u16, value: &Value) -> Reply {
    let body = value.to_json();
    let checksum = crc32fast::hash(&body);
    let kind = if call.content_type() == PLAIN_CONTENT_TYPE { PLAIN_CONTENT_TYPE } else { CONTENT_TYPE };
    let mut reply = reply(status, kind, body);
    set(&mut reply, "x-amzn-requestid", &call.id.long());
    set(&mut reply, "x-amz-crc32", &checksum.to_string());
    reply
}
