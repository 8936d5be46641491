//! Requests of up to ten entries, each of which succeeds or fails for itself.

use crate::Fault;
use crate::queue::error::Error;

/// One entry of a batch request: an id to find its result by, and what it asks for.
///
/// ```
/// use fourfold::queue::BatchEntry;
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// let result = jobs.send_batch(vec![
///     BatchEntry::new("first", "hello".into()),
///     BatchEntry::new("second", "".into()),
/// ])?;
/// assert_eq!(result.successful[0].0, "first");
/// assert_eq!((result.failed[0].id.as_str(), result.failed[0].error.code()), ("second", "MissingParameter"));
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchEntry<T> {
    pub(super) id: String,
    pub(super) value: T,
}

impl<T> BatchEntry<T> {
    /// An entry; its id is 1 to 80 of `A-Z a-z 0-9 _ -`, and no other entry of the request has it.
    pub fn new(id: impl Into<String>, value: T) -> Self {
        Self { id: id.into(), value }
    }
}

/// What became of the entries of a batch request, by their ids, each list in the order of the request.
///
/// ```
/// use fourfold::queue::BatchEntry;
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// let result = jobs.delete_batch(vec![BatchEntry::new("x", "no handle".to_owned())])?;
/// assert!(result.successful.is_empty());
/// assert_eq!(result.failed[0].error.code(), "ReceiptHandleIsInvalid");
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchResult<T> {
    /// Entries that were carried out, with their answers.
    pub successful: Vec<(String, T)>,
    /// Entries that were refused.
    pub failed: Vec<BatchFailure>,
}

impl<T> Default for BatchResult<T> {
    fn default() -> Self {
        Self { successful: Vec::new(), failed: Vec::new() }
    }
}

impl<T> BatchResult<T> {
    pub(super) fn push(&mut self, id: String, result: Result<T, Error>) {
        match result {
            Ok(answer) => self.successful.push((id, answer)),
            Err(error) => self.failed.push(BatchFailure { id, error }),
        }
    }
}

/// An entry that was refused.
///
/// ```
/// # use fourfold::queue::BatchEntry;
/// # let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// let result = jobs.change_visibility_batch(vec![BatchEntry::new("x", ("no handle".to_owned(), 0))])?;
/// assert!(result.failed[0].is_sender_fault());
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchFailure {
    /// The entry's id.
    pub id: String,
    /// Why.
    pub error: Error,
}

impl BatchFailure {
    /// Is it the caller's fault (`SenderFault`)?
    pub fn is_sender_fault(&self) -> bool {
        self.error.fault() == Fault::Caller
    }
}
