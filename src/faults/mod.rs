//! Faults on purpose: what a test wants the services to do to the code that uses them.
//!
//! The services throttle, fail, lose the answer to what they have done, deliver twice and out of order, show indexes that
//! lag behind, and are slow. Code that is right when nothing of this happens may be wrong when it does; here it happens
//! when a test says so: by script, the third put fails, or by chance from a seed.
//!
//! ```
//! use fourfold::{Store, faults::{Chaos, Failure}};
//! let store = Store::in_memory();
//! let jobs = store.queues().create("jobs")?;
//! let faults = store.faults();
//!
//! faults.on("SendMessage").nth(3).fail(Failure::Throttle);
//! let sent: Vec<_> = (0..4).map(|n| jobs.send(n.to_string()).map_err(|error| error.code())).collect();
//! assert_eq!(sent[2].as_ref().unwrap_err(), &"RequestThrottled");
//! assert_eq!(jobs.stats()?.messages(), 3);
//!
//! faults.on("SendMessage").nth(1).lose_reply();
//! assert!(jobs.send("did it arrive?").is_err());
//! assert_eq!(jobs.stats()?.messages(), 4, "it did");
//!
//! faults.random(42, Chaos::rough()); // from here on by chance
//! # Ok::<(), fourfold::queue::Error>(())
//! ```
//!
//! # By chance
//!
//! All chance follows from the one seed, and what happens to a call from the seed, its operation, the resource and its
//! number among the calls of that operation on that resource ([`FaultEvent`]). So a run that makes the same calls in the
//! same order meets the same faults, bit for bit, and threads that work on different things do not disturb each other. A
//! test that fails prints its seed when the store or a [`Faults`] goes out of scope.
//!
//! # What is a call
//!
//! Each operation of the four services under the name that the service has for it: `SendMessage`, `PutRecord`, `PutItem`,
//! `PutObject`, … An operation in a blocking and an asynchronous form is the same operation. Not calls: what looks at a
//! store from outside, as `stats`, and what a cursor has read ahead already. Entries of a batch share its fate.
//!
//! Faults are not stored. A [fork](Store::fork) begins without any.

pub(crate) mod chaos;
pub(crate) mod failure;
pub(crate) mod plan;
mod script;

pub use chaos::Chaos;
pub use failure::{Failure, Injected, Service};
pub use plan::{FaultEvent, Happened};
pub use script::On;

use crate::store::Store;
use std::fmt;

/// The faults of a store. Cheap to clone; all are the same.
///
/// ```
/// use fourfold::{Store, faults::Failure};
/// let store = Store::in_memory();
/// let faults = store.faults();
/// faults.on("*").fail(Failure::Unavailable); // all four services are down
/// assert!(store.queues().create("jobs").is_err() && store.buckets().create("photos").is_err());
/// faults.clear();
/// assert!(store.queues().create("jobs").is_ok());
/// assert_eq!(faults.log().len(), 2);
/// ```
#[derive(Clone)]
pub struct Faults {
    store: Store,
}

impl Store {
    /// The faults that are planned for calls of this store's services: none, until a test plans some.
    pub fn faults(&self) -> Faults {
        Faults { store: self.clone() }
    }
}

impl Faults {
    /// Begins to plan a fault of an operation, by the service's name of it; `*` is any.
    pub fn on(&self, operation: &str) -> On<'_> {
        On::new(self, operation)
    }

    /// From now on faults happen by chance too, the same for the same seed.
    pub fn random(&self, seed: u64, chaos: Chaos) {
        self.plan().set_chaos(seed, chaos);
    }

    /// The seed of what happens by chance.
    pub fn seed(&self) -> Option<u64> {
        self.plan().seed()
    }

    /// Nothing is planned any more, and calls are counted anew.
    pub fn clear(&self) {
        self.plan().clear();
    }

    /// What has happened, oldest first: the last ten thousand faults.
    pub fn log(&self) -> Vec<FaultEvent> {
        self.plan().log()
    }

    fn plan(&self) -> &plan::Plan {
        self.store.plan()
    }
}

/// Says the seed if a test is failing.
impl Drop for Faults {
    fn drop(&mut self) {
        self.plan().tell_if_panicking();
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan().fmt(f)
    }
}
