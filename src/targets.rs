//! Which engine takes deliveries for which service, and which keeps large things: the one place that names engines beside each other.

use crate::store::Store;
use crate::store::catalog::ResourceKind;
use crate::store::deliver::Deliver;
use crate::store::keep::Keep;

/// By the service in an ARN: `arn:aws:<service>:..`.
static TARGETS: &[(&str, &dyn Deliver)] =
    &[("kinesis", &crate::stream::ToStreams), ("sqs", &crate::queue::ToQueues)];

/// Who takes deliveries to an ARN.
pub(crate) fn find_by_arn(arn: &str) -> Option<&'static dyn Deliver> {
    find(arn.strip_prefix("arn:")?.split(':').nth(1)?)
}

/// Who takes deliveries for a service.
pub(crate) fn find(service: &str) -> Option<&'static dyn Deliver> {
    TARGETS.iter().find(|(known, _)| *known == service).map(|(_, target)| *target)
}

/// Who keeps what is too large for others.
pub(crate) fn keeper() -> &'static dyn Keep {
    &crate::objects::InBuckets
}

/// Starts the engines that the store has resources of, so that what time brings about happens though nobody asks for them.
pub(crate) fn begin(store: &Store) {
    let has = |kind| store.list_resources(kind, "").next().is_some();
    if has(ResourceKind::Queue) {
        drop(store.queues());
    }
    if has(ResourceKind::Stream) {
        drop(store.streams());
    }
    if has(ResourceKind::Table) {
        drop(store.tables());
    }
    if has(ResourceKind::Bucket) {
        drop(store.buckets());
    }
}
