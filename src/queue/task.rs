//! Move tasks as they are kept.

use crate::Timestamp;

/// What became of a [move task](crate::queue::Queues::start_move).
///
/// ```
/// use fourfold::queue::TaskStatus;
/// assert_eq!(TaskStatus::Completed.name(), "COMPLETED");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TaskStatus {
    /// It moves messages, as fast as it may.
    Running = 1,
    /// There was nothing left to move.
    Completed = 2,
    /// It was stopped; what it had moved stays moved.
    Cancelled = 3,
    /// It could not go on.
    Failed = 4,
    /// It is to stop, and will with its next step.
    Cancelling = 5,
}

impl TaskStatus {
    pub(super) const ALL: [Self; 5] =
        [Self::Running, Self::Completed, Self::Cancelled, Self::Failed, Self::Cancelling];

    /// Has the task something to do yet?
    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }

    /// The service's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
        }
    }
}

/// A task in its source queue's keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: [u8; 16],
    pub(super) status: TaskStatus,
    pub(super) started: Timestamp,
    /// Messages in a second; as fast as can be without.
    pub(super) rate: Option<u32>,
    pub(super) moved: u64,
    /// How many messages there were when it began.
    pub(super) to_move: u64,
    /// Later messages are not its business, so it comes to an end.
    pub(super) last: u64,
    /// The name of the queue that gets all of them; without, each goes where it came from.
    pub(super) destination: Option<String>,
    pub(super) failure: Option<String>,
}
