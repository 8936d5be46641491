//! Telling queues and streams of what changes in a table, in the very commit that changes it.
//!
//! Y1. A change and what tells of it are one batch: no change without it, and none of it without its change. A write that
//!     changes nothing tells nothing.
//! Y2. What is told of one item is told in the order of its changes: under one partition key of a stream, in one group of
//!     a FIFO queue.
//! Y3. The numbers of what is told grow with the table's changes and are never given twice: a number is where the log
//!     ended when it was given, and nobody else gives one until the change is behind it.
//! Y4. A target that is gone, or takes nothing of the kind any more, holds up no write: it is told nothing.

mod destination;
mod message;
pub(crate) mod record;
mod set;
pub(crate) mod tell;

pub use destination::{Destination, DestinationStatus};

use crate::kv::changes::record::ChangeKind;
use crate::kv::names::named;
use crate::kv::schema::StreamViewType;

/// Deliveries of a table, at most.
pub const DELIVERIES_MAX: usize = 10;

named! {
    /// In which unit records of streams say when something changed.
    ///
    /// ```
    /// # use fourfold::kv::TimePrecision;
    /// assert_eq!(TimePrecision::Microsecond.name(), "MICROSECOND");
    /// ```
    pub enum TimePrecision {
        /// In milliseconds since 1970.
        Millisecond = "MILLISECOND",
        /// In microseconds since 1970, and it says so. The store's clock has milliseconds.
        Microsecond = "MICROSECOND",
    }
}

/// Who is told of changes of a table's items, and of which: a queue gets a message, a stream a record for each change, in
/// the commit of the change.
///
/// A queue's message is what a record of the table's stream is as an event (`eventID`, `eventName`, `dynamodb` with
/// `Keys`, images, `SequenceNumber`), a stream's record has the form of Kinesis Data Streams for `DynamoDB`. The `eventID` is
/// another one for each change. A stream has all that is told of an item under one partition key. A FIFO queue has it in one
/// group, under a deduplication id of its own for each change. If the images of a large item do not fit into a message of
/// the target, the message comes without them, and its `StreamViewType` is `KEYS_ONLY`.
///
/// ```
/// use fourfold::kv::{ChangeKind, CreateTable, Delivery, ScalarType, StreamViewType, item};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = fourfold::Store::in_memory();
/// let tables = store.tables();
/// tables.create_table(CreateTable::new("orders").hash("id", ScalarType::S))?;
/// let orders = tables.table("orders");
/// let placed = store.queues().create("placed")?;
/// let delivery = Delivery::new(placed.arn()).kinds([ChangeKind::Insert]).view(StreamViewType::NewImage);
/// orders.set_deliveries([delivery])?;
///
/// orders.put(item! { "id" => "17", "lamps" => 2 })?; // the item and the message, or nothing
/// let message = placed.receive(1)?.remove(0);
/// assert!(message.body().contains(r#""NewImage":{"id":{"S":"17"},"lamps":{"N":"2"}}"#));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The ARN of the queue or stream.
    pub target: String,
    /// What is told: by default all.
    pub kinds: Vec<ChangeKind>,
    /// What it shows of the item: by default as it was and as it is.
    pub view: StreamViewType,
    /// How a stream's records say when: by default in milliseconds.
    pub precision: TimePrecision,
    /// Is anything told? By default yes. One that is disabled is only remembered.
    pub is_enabled: bool,
}

impl Delivery {
    /// All changes to the queue or stream of this ARN, with both images.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            kinds: ChangeKind::ALL.to_vec(),
            view: StreamViewType::NewAndOldImages,
            precision: TimePrecision::Millisecond,
            is_enabled: true,
        }
    }

    /// Only changes of these kinds.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = ChangeKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// What it shows of the item.
    #[must_use]
    pub fn view(mut self, view: StreamViewType) -> Self {
        self.view = view;
        self
    }

    /// How a stream's records say when.
    #[must_use]
    pub fn precision(mut self, precision: TimePrecision) -> Self {
        self.precision = precision;
        self
    }

    /// Does it go to a stream?
    fn is_to_stream(&self) -> bool {
        self.target.split(':').nth(2) == Some("kinesis")
    }
}
