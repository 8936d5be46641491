//! AWS JSON 1.0, with the codes of the older protocol in a header (`awsQueryCompatible`).

use super::perform;
use crate::call::Call;
use crate::fields::{Dialect, Fields};
use crate::model;
use crate::refusal::{Origin, Refusal, Result};
use crate::reply::{Reply, reply, set};
use crate::value::Value;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// Answers `name`, the operation of the target header.
pub(crate) async fn json(call: &Call<'_>, name: &str, body: &[u8]) -> Reply {
    match answer(call, name, body).await {
        Ok(value) => with_id(call, reply(200, CONTENT_TYPE, value.to_json())),
        Err(refusal) => refused(call, &refusal),
    }
}

async fn answer(call: &Call<'_>, name: &str, body: &[u8]) -> Result<Value> {
    let mut request = Fields::tree(body, Dialect::Sqs)?;
    model::check(Dialect::Sqs, name, &mut request)?;
    perform(call, name, Fields::of(request, Dialect::Sqs)?).await
}

pub(crate) fn refused(call: &Call<'_>, refusal: &Refusal) -> Reply {
    let (namespace, message) = match refusal.origin {
        Origin::Service => ("com.amazonaws.sqs", "message"),
        Origin::Validation => ("com.amazon.coral.validate", "message"),
        Origin::Framework => ("com.amazon.coral.service", "Message"),
    };
    let kind = format!("{namespace}#{}", refusal.name);
    let text = (!refusal.message.is_empty()).then(|| refusal.message.as_str().into());
    let body = Value::map([("__type", Some(kind.into())), (message, text)]);
    let mut reply = with_id(call, reply(refusal.status, CONTENT_TYPE, body.to_json()));
    set(&mut reply, "x-amzn-query-error", &format!("{};{}", refusal.query_code(), refusal.fault()));
    reply
}

fn with_id(call: &Call<'_>, mut reply: Reply) -> Reply {
    set(&mut reply, "x-amzn-requestid", &call.id.uuid());
    reply
}
