//! Settings with which a test makes a queue as awkward as the service may be.

/// What a queue may do to its consumers, for those who test them; everything off by default.
///
/// The service promises at-least-once delivery in best-effort order for standard queues and limits the rate of FIFO
/// queues. Here messages come once and in order unless a dial says otherwise; chance comes from the
/// [seed](crate::Builder::seed), so a run can be repeated.
///
/// ```
/// use fourfold::{Store, queue::Dials};
/// let mut dials = Dials::default();
/// dials.duplicates_per_mille = 1000;
/// let store = Store::in_memory();
/// store.queues().set_dials(dials);
/// let jobs = store.queues().create("jobs")?;
/// jobs.send("again and again")?;
/// let (first, second) = (jobs.receive(1)?, jobs.receive(1)?);
/// assert_eq!(first[0].id(), second[0].id());
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dials {
    /// FIFO queues refuse what goes over the service's quota: 300 sends, receives and deletions each in a second, of up
    /// to ten messages; with `FifoThroughputLimit` `perMessageGroupId`, 300 sends in a second for each group instead.
    pub throttle: bool,
    /// Of a thousand messages received from a standard queue, how many stay visible and are delivered again.
    pub duplicates_per_mille: u16,
    /// Of a thousand messages received from a standard queue, how many come before an older one.
    pub reorder_per_mille: u16,
}
