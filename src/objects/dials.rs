//! Settings for those who test what is built on buckets.

use crate::objects::Day;

/// What a test can turn to see how its code takes it. All off by default.
///
/// ```
/// use fourfold::{Store, objects::{Day, Dials}};
/// use std::time::Duration;
/// let mut dials = Dials::default();
/// dials.day = Day::of(Duration::from_secs(1)); // what expires in a day expires within two seconds
/// Store::in_memory().buckets().set_dials(dials);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dials {
    /// How long a day of lifecycle rules is. Default: 24 hours.
    pub day: Day,
}
