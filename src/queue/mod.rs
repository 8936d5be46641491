//! Queues: messages that are sent, received by one consumer at a time, and deleted when they are done. The semantics are
//! those of Amazon SQS, in process.
//!
//! ```
//! use fourfold::{Store, queue::{NewQueue, QueueAttributes, Receive, SendMessage}};
//!
//! let store = Store::in_memory(); // or Store::open(dir), for queues that last
//! let queues = store.queues();
//!
//! // A queue, and another one for what cannot be handled.
//! let failed = queues.create("failed-jobs")?;
//! let jobs = queues.create(
//!     NewQueue::new("jobs").attributes(QueueAttributes::new().dead_letters_to(failed.arn(), 3)),
//! )?;
//!
//! jobs.send("resize image 17")?;
//! jobs.send(SendMessage::new("resize image 18").delay(60))?;
//!
//! // Nobody else gets the message for two minutes; who does not delete it by then leaves it to others.
//! for message in jobs.receive(Receive::new().max_messages(10).visibility_timeout(120))? {
//!     println!("{} (try {})", message.body(), message.receive_count());
//!     jobs.delete_message(message.receipt_handle())?;
//! }
//! # Ok::<(), fourfold::queue::Error>(())
//! ```
//!
//! # Standard and FIFO
//!
//! A *standard* queue delivers at least once: a message comes back when its visibility timeout ends before it was deleted.
//! Messages come in the order they were sent, as far as nothing comes back. With [groups](SendMessage::group) each group
//! is a tenant, and those with fewer messages in flight come first.
//!
//! A *FIFO* queue ([`NewQueue::fifo`]) keeps the order within each group: while a message is in flight, those behind it in
//! its group wait. What is sent twice with the same deduplication id within five minutes is sent once.
//!
//! ```
//! use fourfold::{Store, queue::{NewQueue, QueueAttributes, SendMessage}};
//! let queues = Store::in_memory().queues();
//! let by_content = QueueAttributes::new().content_based_deduplication();
//! let orders = queues.create(NewQueue::new("orders.fifo").fifo().attributes(by_content))?;
//! for (customer, order) in [("ann", "apples"), ("bob", "bread"), ("ann", "pears"), ("ann", "apples")] {
//!     orders.send(SendMessage::new(order).group(customer))?;
//! }
//! let first = orders.receive(1)?;
//! assert_eq!(first[0].body(), "apples");
//! let next = orders.receive(10)?; // not the pears: the apples are in flight
//! assert_eq!(next.iter().map(|message| message.body()).collect::<Vec<_>>(), ["bread"]);
//! orders.delete_message(first[0].receipt_handle())?;
//! assert_eq!(orders.receive(10)?[0].body(), "pears"); // and then nothing: the second apples were a duplicate
//! # Ok::<(), fourfold::queue::Error>(())
//! ```
//!
//! # Waiting
//!
//! A receive that [waits](Receive::wait) sleeps until there is something, without looking again and again. Those who wait
//! are served in the order in which they came. [`Queue::receive_async`] is a future that any executor can poll; ten
//! thousand of them cost no thread.
//!
//! # What is kept
//!
//! What a send or a deletion acknowledged survives as the store's [durability](crate::Durability) promises. That a message
//! was received is logged and not waited for: after a crash it may be delivered again, and is never lost; the order in a
//! group stays as it was. Receive request attempts are known until the store is closed.
//!
//! Opening a queue reads where each group begins and ends, what was received and not deleted, what is delayed and the
//! deduplication ids of five minutes; the rest of the backlog stays on disk until it is its turn, however long it is.
//!
//! Time comes from the store's clock: with a [`ManualClock`](crate::ManualClock) a test passes twelve hours in a
//! microsecond. [`Dials`] make a queue as awkward as the service may be.
//!
//! # Limits
//!
//! Those of the service, in [`limits`]; a refusal has its [code](Error::code) and its message. Not here: access policies
//! (kept as they are), encryption (attributes are kept, nothing is encrypted).
//!
//! # Invariants
//!
//! Q1. What was sent and acknowledged is delivered until it is deleted, expired or purged; what is gone does not come back.
//! Q2. While a message is in flight nobody else gets it (unless a dial says so), and in a FIFO queue nobody gets one that
//!     is behind it in its group.
//! Q3. Every message taken is visible, in flight, delayed, or gone: the counts are exact, after every crash as well.

mod attempts;
mod attributes;
mod batch;
mod configure;
mod core;
mod dead_letter;
mod delete;
mod deliver;
mod dials;
mod digest;
mod engine;
mod error;
mod expire;
mod handle;
mod identify;
mod index;
mod inspect;
mod keys;
mod lane;
mod large;
pub mod limits;
mod load;
mod message;
mod move_task;
pub(crate) mod participant;
mod purge;
mod queues;
mod receipt;
mod receive;
mod receiving;
mod record;
mod redrive;
mod rules;
mod send;
mod settings;
mod stored;
mod take;
mod task;
mod throttle;
mod tokens;
mod trail;
mod waiters;

#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) use record::fuzz_records;

pub use attributes::{NewQueue, QueueAttributes};
pub use batch::{BatchEntry, BatchFailure, BatchResult};
pub(crate) use deliver::ToQueues;
pub use dials::Dials;
pub use error::{Error, Result};
pub use handle::Queue;
pub use inspect::{MessageState, QueueStats, Seen};
pub(crate) use large::no_place;
pub use large::{LARGE_BODY_LEN_MAX, LargeBodies};
pub use message::{AttributeValue, Message, MessageAttribute, SendMessage, Sent, Text};
pub use move_task::MoveTask;
pub use queues::{QueuePage, Queues};
pub use receive::Receive;
pub use receiving::Receiving;
pub use task::TaskStatus;
pub use trail::{GivenUp, GivesUp, Stay, Trail};
