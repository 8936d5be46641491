//! Records put into a stream, and read from its beginning on, again and again.

use std::hint::black_box;
use std::sync::Mutex;

use super::{Child, LOGGED, Meter, Metrics, PREPARED, touch};
use crate::engine::{Result, Stream, Unsupported};
use crate::measure::{self, Until, drive};

/// Records to read, at most.
const READ: u64 = 1 << 18;
/// Calls in a step: taking a lock for each would show.
const CALLS: u64 = 64;
const FILL: usize = 100;

impl Child<'_> {
    pub(super) fn stream_put(&self, records: usize) -> Result<Metrics> {
        let values = self.values();
        let data: Vec<&[u8]> = (0..PREPARED as u64).map(|i| values.get(i)).collect();
        let stream = self.engine.stream(&self.dir, self.workload.class)?;
        let until = Until { steps: LOGGED / (records * self.workload.value) as u64, time: self.slice };
        // What is prepared for the first one is not of this row.
        stream.put(&data[..1])?;
        measure::settle();
        let meter = Meter::start(&self.dir);
        let run = drive(1, &until, self.sampled(), |_, i| {
            let at = i as usize * records % (data.len() - records);
            stream.put(&data[at..at + records])
        })?;
        meter.settled(&run, records as u64)
    }

    /// Copied, or only looked at.
    pub(super) fn stream_read(&self, records: usize, copied: bool) -> Result<Metrics> {
        let stream = self.engine.stream(&self.dir, self.workload.class)?;
        if stream.copies() && !copied {
            return Err(Unsupported.into());
        }
        let total = self.fill(stream.as_ref())?;
        let len = records * self.workload.value;
        let copied = copied && !stream.copies();
        let place = Mutex::new((stream.reader()?, 0));
        let step = |_, _| {
            let mut place = place.lock().expect("no step panicked");
            let (reader, seen) = &mut *place;
            for _ in 0..CALLS {
                let count = if copied {
                    let mut copy = Vec::with_capacity(len);
                    let count = reader.read(records, &mut |record| copy.extend_from_slice(record))?;
                    black_box(&copy);
                    count
                } else {
                    reader.read(records, &mut touch)?
                };
                if count < records {
                    return Err(format!("{count} records behind {seen} of {total}").into());
                }
                *seen += count as u64;
                // Some engines do not find the last ones.
                if *seen + 2 * FILL as u64 > total {
                    (*reader, *seen) = (stream.reader()?, 0);
                }
            }
            Ok(())
        };
        // Once through, so that caches are full.
        let calls = total / records as u64;
        drive(1, &Until::steps(calls / CALLS + 1), 1, step)?;
        let meter = Meter::start(&self.dir);
        let run = drive(1, &self.for_slice(), 1, step)?;
        Ok(meter.stop(&run, CALLS * records as u64))
    }

    fn fill(&self, stream: &dyn Stream) -> Result<u64> {
        let values = self.values();
        let calls = self.items.min(READ) / FILL as u64;
        for call in 0..calls {
            let data: Vec<&[u8]> = (0..FILL as u64).map(|i| values.get(call * FILL as u64 + i)).collect();
            stream.put(&data)?;
        }
        measure::settle();
        Ok(calls * FILL as u64)
    }
}
