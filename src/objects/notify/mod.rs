//! Telling others what happens to objects: rules, messages, deliveries.
//!
//! N1. What queues and streams are told is in the batch of the change: no event is lost, none comes without its change.
//! N2. A function is called after its change is committed, with no lock held; not at all if the process dies between.
//! N3. A target that is gone when something happens is told nothing. The change goes on, as with the service.
//! N4. Of two events of one key, the later has the greater sequencer, also across restarts.
//!
//! Not here: what happens to objects, and how a target keeps what it is told.

mod deliveries;
mod error;
mod event;
mod functions;
mod message;
mod record;
mod rule;
#[cfg(test)]
mod tests;
mod verbs;

pub(crate) use deliveries::{Calls, Deliveries, check_targets};
pub use error::NotificationError;
pub use event::EventType;
pub(crate) use functions::Functions;
pub(crate) use message::{Event, Scene};
pub use rule::{KeyFilter, NotificationConfiguration, NotificationRule};
pub(crate) use verbs::{Change, NOTIFICATION, random_id};
