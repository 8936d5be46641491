//! Buckets of objects, as S3 keeps them.

pub(crate) mod checksum;
pub(crate) mod fields;
pub(crate) mod lifecycle;
pub(crate) mod notify;

pub use checksum::{
    Checksum, ChecksumAlgorithm, ChecksumError, ChecksumHasher, ChecksumOfParts, ChecksumType, ContentMd5,
};
pub use lifecycle::{
    Day, Expiration, LifecycleAnd, LifecycleConfiguration, LifecycleError, LifecycleFilter, LifecycleRule,
    LifecycleStatus, LifecycleTag, NoncurrentExpiration, NoncurrentTransition, Transition, TransitionClass,
    TransitionMinimum,
};
pub use notify::{EventType, KeyFilter, NotificationConfiguration, NotificationError, NotificationRule};
