//! With the feature `metrics`: calls, errors by code, and how long they took by the store's clock.

use crate::faults::Service;
use std::time::Duration;

pub(super) const IS_ON: bool = true;

/// Counts a call that is over.
pub(super) fn ended(service: Service, operation: &'static str, code: Option<&'static str>, took: Duration) {
    let service = service.name();
    metrics::counter!("fourfold_calls_total", "service" => service, "operation" => operation).increment(1);
    if let Some(code) = code {
        metrics::counter!(
            "fourfold_errors_total", "service" => service, "operation" => operation, "code" => code
        )
        .increment(1);
    }
    metrics::histogram!("fourfold_call_seconds", "service" => service, "operation" => operation)
        .record(took.as_secs_f64());
}
