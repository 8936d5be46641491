//! The events of a bucket, by their names.

use crate::objects::notify::NotificationError;
use std::fmt;
use std::str::FromStr;

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Something that can happen to an object, or (with a `*`) everything of one kind.
        ///
        /// All names of the service can be listened to. Those of restoring, replication, intelligent tiering and loss
        /// never happen here.
        ///
        /// ```
        /// use fourfold::objects::EventType;
        /// let created: EventType = "s3:ObjectCreated:*".parse().unwrap();
        /// assert!(created.covers(EventType::ObjectCreatedPut));
        /// assert!(!EventType::ObjectCreatedPut.covers(created));
        /// assert_eq!(EventType::ObjectRemovedDelete.name(), "s3:ObjectRemoved:Delete");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventType {
            $($(#[$doc])* $variant,)*
        }

        impl EventType {
            /// All of them, in the order in which they are numbered on disk.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire, such as `s3:ObjectCreated:Put`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

event_types! {
    /// Every way to create an object.
    ObjectCreated = "s3:ObjectCreated:*",
    /// By a put.
    ObjectCreatedPut = "s3:ObjectCreated:Put",
    /// By an HTML form.
    ObjectCreatedPost = "s3:ObjectCreated:Post",
    /// By a copy.
    ObjectCreatedCopy = "s3:ObjectCreated:Copy",
    /// By completing a multipart upload.
    ObjectCreatedCompleteMultipartUpload = "s3:ObjectCreated:CompleteMultipartUpload",
    /// Every way to remove an object.
    ObjectRemoved = "s3:ObjectRemoved:*",
    /// An object, or a version of it, was deleted for good.
    ObjectRemovedDelete = "s3:ObjectRemoved:Delete",
    /// A delete marker came in front of it.
    ObjectRemovedDeleteMarkerCreated = "s3:ObjectRemoved:DeleteMarkerCreated",
    /// Does not happen here.
    ObjectRestore = "s3:ObjectRestore:*",
    /// Does not happen here.
    ObjectRestorePost = "s3:ObjectRestore:Post",
    /// Does not happen here.
    ObjectRestoreCompleted = "s3:ObjectRestore:Completed",
    /// Does not happen here.
    ObjectRestoreDelete = "s3:ObjectRestore:Delete",
    /// Does not happen here.
    ReducedRedundancyLostObject = "s3:ReducedRedundancyLostObject",
    /// Does not happen here.
    Replication = "s3:Replication:*",
    /// Does not happen here.
    ReplicationOperationFailed = "s3:Replication:OperationFailedReplication",
    /// Does not happen here.
    ReplicationOperationNotTracked = "s3:Replication:OperationNotTracked",
    /// Does not happen here.
    ReplicationOperationMissedThreshold = "s3:Replication:OperationMissedThreshold",
    /// Does not happen here.
    ReplicationOperationReplicatedAfterThreshold = "s3:Replication:OperationReplicatedAfterThreshold",
    /// A rule changed the storage class.
    LifecycleTransition = "s3:LifecycleTransition",
    /// Does not happen here.
    IntelligentTiering = "s3:IntelligentTiering",
    /// The access control list was set.
    ObjectAclPut = "s3:ObjectAcl:Put",
    /// Every expiration by a rule.
    LifecycleExpiration = "s3:LifecycleExpiration:*",
    /// A rule deleted an object, or a version of it, for good.
    LifecycleExpirationDelete = "s3:LifecycleExpiration:Delete",
    /// A rule put a delete marker in front of it.
    LifecycleExpirationDeleteMarkerCreated = "s3:LifecycleExpiration:DeleteMarkerCreated",
    /// Every change of its tags.
    ObjectTagging = "s3:ObjectTagging:*",
    /// Tags were set.
    ObjectTaggingPut = "s3:ObjectTagging:Put",
    /// Tags were removed.
    ObjectTaggingDelete = "s3:ObjectTagging:Delete",
    /// Every change of its annotations.
    ObjectAnnotation = "s3:ObjectAnnotation:*",
    /// An annotation was set.
    ObjectAnnotationPut = "s3:ObjectAnnotation:Put",
    /// An annotation was removed.
    ObjectAnnotationDelete = "s3:ObjectAnnotation:Delete",
    /// A retention was set.
    ObjectRetentionPut = "s3:ObjectRetention:Put",
}

impl EventType {
    /// Is `other` this, or of the kind that this stands for?
    pub fn covers(self, other: Self) -> bool {
        let kind = self.name().strip_suffix('*');
        self == other || kind.is_some_and(|kind| other.name().starts_with(kind))
    }

    /// Is there something that both stand for?
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The name in records, which is without the service.
    pub(crate) fn record_name(self) -> &'static str {
        self.name().strip_prefix("s3:").unwrap_or_default()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Exactly by its name on the wire.
impl FromStr for EventType {
    type Err = NotificationError;

    fn from_str(text: &str) -> Result<Self, NotificationError> {
        let found = Self::ALL.iter().copied().find(|event| event.name() == text);
        found.ok_or_else(|| NotificationError::UnknownEvent { given: text.to_owned() })
    }
}
