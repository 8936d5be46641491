//! What becomes of objects as time goes by: rules, what is due by them, doing it.
//!
//! L1. [`LifecycleConfiguration::due`] and [`removal`](LifecycleConfiguration::removal) are pure: rules, facts and a
//!     moment in, an action out. They never look at a clock, so what they say of the future is what will happen.
//! L2. Days end at midnights: an action after n days is due at the first midnight later than that.
//! L3. What removes goes before what changes the storage class.
//!
//! Not here: what a version or an upload is made of.

mod day;
mod due;
mod error;
mod header;
mod record;
mod rule;
mod sweep;
#[cfg(test)]
mod tests;
mod validate;
mod verbs;

pub use day::Day;
pub(crate) use day::HttpDate;
pub use due::Action;
pub(crate) use due::{Subject, What};
pub use error::LifecycleError;
pub(crate) use header::Removal;
pub use rule::{
    Expiration, LifecycleAnd, LifecycleConfiguration, LifecycleFilter, LifecycleRule, LifecycleStatus,
    LifecycleTag, NoncurrentExpiration, NoncurrentTransition, Transition, TransitionClass, TransitionMinimum,
};
pub(crate) use sweep::Sweeper;
pub use verbs::ObjectExpiration;
pub(crate) use verbs::{LIFECYCLE, facts};
