//! What the engine refuses, with the members that the service's errors have.

use super::attribute::item_value;
use crate::refusal::{Origin, Refusal};
use crate::value::Value;
use fourfold::Fault;
use fourfold::kv::{CancellationReason, Error, ThrottlingReason};

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let mut refusal = Self::new(error.code(), error.to_string());
        if error.fault() == Fault::Service {
            refusal.status = 500;
        }
        match &error {
            Error::Injected(injected) => refusal.status = injected.status,
            Error::Validation { .. } => refusal.origin = Origin::Validation,
            Error::ConditionalCheckFailed { item: Some(item) } => {
                refusal.members.push(("Item", item_value(item)));
            }
            Error::TransactionCanceled { reasons } => {
                let reasons: Vec<Value> = reasons.iter().map(cancellation).collect();
                refusal.members.push(("CancellationReasons", reasons.into()));
            }
            Error::ProvisionedThroughputExceeded { reasons }
            | Error::RequestLimitExceeded { reasons }
            | Error::Throttling { reasons }
                if !reasons.is_empty() =>
            {
                let name = if error.code() == "ThrottlingException" {
                    "throttlingReasons"
                } else {
                    "ThrottlingReasons"
                };
                let reasons: Vec<Value> = reasons.iter().map(throttling).collect();
                refusal.members.push((name, reasons.into()));
            }
            _ => {}
        }
        refusal
    }
}

fn cancellation(reason: &CancellationReason) -> Value {
    let item = match reason {
        CancellationReason::ConditionalCheckFailed { item } => item.as_deref().map(item_value),
        _ => None,
    };
    Value::map([
        ("Code", Some(reason.code().into())),
        ("Message", reason.message().map(Value::from)),
        ("Item", item),
    ])
}

fn throttling(reason: &ThrottlingReason) -> Value {
    Value::map([("reason", Some(reason.reason.into())), ("resource", Some(reason.resource.as_str().into()))])
}
