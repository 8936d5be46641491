//! What becomes of objects as time goes by: rules, what is due by them, doing it.
//!
//! L1. [`LifecycleConfiguration::due`] and [`removal`](LifecycleConfiguration::removal) are pure: rules, facts and a
//!     moment in, an action out. They never look at a clock, so what they say of the future is what will happen.
//! L2. Days end at midnights: an action after n days is due at the first midnight later than that.
//! L3. What removes goes before what changes the storage class.
//!
//! Not here: finding what the rules look at, and doing what they say.

mod day;
mod due;
mod error;
mod header;
mod record;
mod rule;
#[cfg(test)]
mod tests;
mod validate;

pub use day::Day;
pub(crate) use day::HttpDate;
pub(crate) use due::{Action, Due, Object, Subject, What};
pub use error::LifecycleError;
pub(crate) use header::Removal;
pub use rule::{
    Expiration, LifecycleAnd, LifecycleConfiguration, LifecycleFilter, LifecycleRule, LifecycleStatus,
    LifecycleTag, NoncurrentExpiration, NoncurrentTransition, Transition, TransitionClass, TransitionMinimum,
};
