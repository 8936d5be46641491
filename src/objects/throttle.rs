//! The service's request rates, for those who want to meet them.
//!
//! A bucket begins as one partition, with one rate for reads and one for writes; that the service splits it under load is
//! not modelled.

use crate::clock::Timestamp;
use crate::objects::Bucket;
use crate::objects::error::{Error, Result};
use crate::objects::limits::{READS_PER_SECOND, WRITES_PER_SECOND};
use parking_lot::Mutex;
use std::sync::atomic::Ordering;

/// Requests of the present second.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    number: u64,
    reads: u32,
    writes: u32,
}

impl Meter {
    /// Counts a request, or refuses it.
    fn count(&self, is_read: bool, now: Timestamp) -> Result<()> {
        let mut second = self.0.lock();
        if second.number != now.as_secs() {
            *second = Second { number: now.as_secs(), ..Second::default() };
        }
        let (count, rate) = if is_read {
            (&mut second.reads, READS_PER_SECOND)
        } else {
            (&mut second.writes, WRITES_PER_SECOND)
        };
        if *count == rate {
            return Err(Error::SlowDown);
        }
        *count += 1;
        Ok(())
    }
}

impl Bucket {
    /// Runs an operation on this bucket.
    pub(crate) fn call<T>(&self, operation: &'static str, verb: impl FnOnce() -> Result<T>) -> Result<T> {
        self.store.call(operation, self.name(), || {
            self.admit(operation)?;
            verb()
        })
    }

    /// [`call`](Self::call) of an operation that holds no thread.
    pub(crate) async fn call_async<T>(
        &self,
        operation: &'static str,
        verb: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let verb = async {
            self.admit(operation)?;
            verb.await
        };
        self.store.call_async(operation, self.name(), verb).await
    }

    fn admit(&self, operation: &str) -> Result<()> {
        // Relaxed: the dial is turned before what it is to slow down begins, or it does not matter.
        if !self.state.is_throttled.load(Ordering::Relaxed) {
            return Ok(());
        }
        let is_read = ["Get", "Head", "List"].iter().any(|start| operation.starts_with(start));
        self.bucket.meter.count(is_read, self.store.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_for_reads_and_one_for_writes_in_each_second() {
        let (meter, now) = (Meter::default(), Timestamp::from_secs(5));
        for _ in 0..WRITES_PER_SECOND {
            meter.count(false, now).unwrap();
        }
        assert_eq!(meter.count(false, now).unwrap_err().code(), "SlowDown");
        for _ in 0..READS_PER_SECOND {
            meter.count(true, now).unwrap();
        }
        assert_eq!(meter.count(true, now).unwrap_err().status(), 503);
        meter.count(false, Timestamp::from_secs(6)).unwrap();
    }
}
