//! Every bound of the service that queues keep, and where it comes from: its published model, or its public quotas.

use std::time::Duration;

/// Entries of a batch request (model).
pub const BATCH_ENTRIES_MAX: usize = 10;
/// Bytes of all messages of a batch request together (model).
pub const BATCH_LEN_MAX: usize = MESSAGE_LEN_MAX;
/// Bytes of a message: body, and names, types and values of its attributes (model).
pub const MESSAGE_LEN_MAX: usize = 1 << 20;
/// Characters of a queue's name, `.fifo` included (model).
pub const QUEUE_NAME_LEN_MAX: usize = 80;
/// Characters of a batch entry's id (model).
pub const BATCH_ID_LEN_MAX: usize = 80;
/// Characters of a message group id, a deduplication id and a receive request attempt id (model).
pub const TOKEN_LEN_MAX: usize = 128;
/// Attributes of a message (quota).
pub const ATTRIBUTES_MAX: usize = 10;
/// Bytes of an attribute's name, and of its type (model).
pub const ATTRIBUTE_NAME_LEN_MAX: usize = 256;
/// Statements of a queue's access policy (quota).
pub const STATEMENTS_MAX: usize = 20;
/// Tags of a queue (quota).
pub const TAGS_MAX: usize = 50;
/// Characters of a tag's key (quota).
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters of a tag's value (quota).
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// Messages of one receive (model).
pub const RECEIVE_MAX: i32 = 10;
/// Seconds that a receive waits at most (model).
pub const WAIT_SECONDS_MAX: i32 = 20;
/// Seconds that a message is delayed at most (model).
pub const DELAY_SECONDS_MAX: i32 = 900;
/// Seconds that a message is invisible at most, counted from when it was received (model).
pub const VISIBILITY_SECONDS_MAX: i32 = 43_200;
/// Messages of a queue that are in flight at once (quota).
pub const IN_FLIGHT_MAX: usize = 120_000;
/// Messages that a move task moves in a second (model).
pub const MOVE_RATE_MAX: i32 = 500;
/// Move tasks that are listed (model).
pub const MOVE_TASKS_MAX: i32 = 10;
/// Names on a page of a listing (model).
pub const PAGE_MAX: i32 = 1000;
/// How long a deduplication id suppresses what is sent with it again, and a receive request attempt can be repeated (model).
pub const DEDUPLICATION_WINDOW: Duration = Duration::from_mins(5);
/// How long after a deletion its name is taken, and after a purge the next one is refused (model).
pub const COOL_DOWN: Duration = Duration::from_mins(1);
