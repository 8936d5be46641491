//! The end of writing: the first failure that left the log in doubt, kept for every later writer.

use crate::{
    error::{Error, Result},
    sync::{AtomicBool, Mutex, Ordering},
};

#[derive(Debug)]
pub(crate) struct Poison {
    /// Is there a cause? Looked at by every append and every turn of a wait.
    set: AtomicBool,
    cause: Mutex<Option<Error>>,
}

impl Poison {
    pub(crate) fn new() -> Self {
        Self { set: AtomicBool::new(false), cause: Mutex::new(None) }
    }

    /// Keeps the first cause, in the form in which it is handed out.
    pub(crate) fn set(&self, error: Error) {
        let mut cause = self.cause.lock();
        if cause.is_none() {
            *cause = Some(error.into_poison());
        }
        // Release: pairs with the Acquire in `is_set`; the cause itself travels by the lock.
        self.set.store(true, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Fails once there is a cause.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_set() {
            Err(self.cause().expect("the flag is raised after the cause is kept"))
        } else {
            Ok(())
        }
    }

    pub(crate) fn cause(&self) -> Option<Error> {
        self.cause.lock().clone()
    }
}
