//! Limits of a shard's throughput, for those who want to see what their code does at them.
//!
//! Each is a bucket that holds what one second allows and is filled evenly. What does not fit is refused and takes
//! nothing out.

use crate::clock::Timestamp;
use crate::stream::limits::{
    BYTES_PER_READ_MAX, FULL_READ_PAUSE, READ_BYTES_PER_SECOND, READS_PER_SECOND, WRITE_BYTES_PER_SECOND,
    WRITE_RECORDS_PER_SECOND,
};

/// What one shard took and gave lately.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    records: Bucket,
    bytes: Bucket,
    reads: Bucket,
    read_bytes: Bucket,
    /// Nothing is read before: the last answer was as large as can be.
    paused_until: Timestamp,
}

impl Throttle {
    /// May a record of `size` bytes be written now? It is counted if so.
    pub(crate) fn write(&mut self, now: Timestamp, size: usize) -> bool {
        let size = size as u64;
        let fits = self.records.has(now, WRITE_RECORDS_PER_SECOND, 1)
            && self.bytes.has(now, WRITE_BYTES_PER_SECOND, size);
        if fits {
            self.records.take(1);
            self.bytes.take(size);
        }
        fits
    }

    /// May something be read now? It is counted if so.
    pub(crate) fn read(&mut self, now: Timestamp) -> bool {
        let fits = now >= self.paused_until
            && self.reads.has(now, READS_PER_SECOND, 1)
            && self.read_bytes.has(now, READ_BYTES_PER_SECOND, 0);
        if fits {
            self.reads.take(1);
        }
        fits
    }

    /// So much was read. What it was is known only afterwards, so it may be more than a second allows: then nothing is
    /// read for longer.
    pub(crate) fn has_read(&mut self, now: Timestamp, size: usize) {
        self.read_bytes.take(size as u64);
        if size >= BYTES_PER_READ_MAX {
            self.paused_until = now + FULL_READ_PAUSE;
        }
    }
}

/// Holds one second's worth.
#[derive(Debug, Default)]
struct Bucket {
    /// What was taken out and has not flowed back, in thousandths.
    used: u64,
    at: Timestamp,
}

const THOUSAND: u64 = 1000;

impl Bucket {
    /// Is there so much in it? More than it can hold is there when it is full.
    fn has(&mut self, now: Timestamp, per_second: u64, amount: u64) -> bool {
        let millis = now.as_millis().saturating_sub(self.at.as_millis());
        // So much flows in within a millisecond, in thousandths.
        self.used = self.used.saturating_sub(millis.saturating_mul(per_second));
        self.at = self.at.max(now);
        let amount = amount.min(per_second);
        self.used.saturating_add(amount * THOUSAND) <= per_second * THOUSAND
    }

    fn take(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount.saturating_mul(THOUSAND));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: Timestamp = Timestamp::from_secs(1_735_689_600);

    #[test]
    fn a_second_allows_so_many_records() {
        let mut throttle = Throttle::default();
        assert!((0..1000).all(|_| throttle.write(START, 10)));
        assert!(!throttle.write(START, 10));
        let later = START + Duration::from_millis(10);
        assert_eq!((0..100).filter(|_| throttle.write(later, 10)).count(), 10);
        assert!((0..1000).all(|_| throttle.write(START + Duration::from_secs(9), 10)), "it does not pile up");
        assert!(!throttle.write(START + Duration::from_secs(9), 10));
    }

    #[test]
    fn a_second_allows_so_many_bytes() {
        let mut throttle = Throttle::default();
        assert!(throttle.write(START, 1 << 19));
        assert!(!throttle.write(START, (1 << 19) + 1));
        assert!(throttle.write(START, 1 << 19), "what was refused took nothing");
        assert!(
            throttle.write(START + Duration::from_secs(1), 10 << 20),
            "a large one, when nothing else was"
        );
        assert!(!throttle.write(START + Duration::from_secs(2), 1), "and then it takes its time");
    }

    #[test]
    fn reads_are_limited_in_number_and_bytes() {
        let mut throttle = Throttle::default();
        assert!((0..5).all(|_| throttle.read(START)));
        assert!(!throttle.read(START));
        let second = START + Duration::from_secs(1);
        assert!(throttle.read(second));
        throttle.has_read(second, 6 << 20);
        assert!(!throttle.read(second + Duration::from_millis(1900)));
        assert!(throttle.read(second + Duration::from_secs(2)));
        let full = second + Duration::from_mins(1);
        assert!(throttle.read(full));
        throttle.has_read(full, 10 << 20);
        assert!(!throttle.read(full + Duration::from_millis(4999)));
        assert!(throttle.read(full + Duration::from_secs(5)));
    }
}
