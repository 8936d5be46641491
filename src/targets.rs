//! Which engine takes deliveries for which service: the one place that names engines beside each other.

use crate::store::deliver::Deliver;

/// By the service in an ARN: `arn:aws:<service>:..`.
static TARGETS: &[(&str, &dyn Deliver)] =
    &[("kinesis", &crate::stream::ToStreams), ("sqs", &crate::queue::ToQueues)];

/// Who takes deliveries for a service.
pub(crate) fn find(service: &str) -> Option<&'static dyn Deliver> {
    TARGETS.iter().find(|(known, _)| *known == service).map(|(_, target)| *target)
}
