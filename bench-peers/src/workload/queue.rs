//! Messages through a queue: half of the threads send, the other half receives and deletes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::{Child, Meter, Metrics, PREPARED, SAMPLE, touch};
use crate::data::Values;
use crate::engine::{Class, Result};
use crate::measure::{self, Run, drive};

/// Messages that wait, at most: who is ahead of the other half takes a nap.
const BACKLOG: u64 = 512;
const NAP: Duration = Duration::from_micros(50);

impl Child<'_> {
    /// The times of calls are those of the sends.
    pub(super) fn queue(&self, batch: usize) -> Result<Metrics> {
        let values = Values::text(self.workload.value, 41);
        let bodies: std::result::Result<Vec<&str>, _> =
            (0..PREPARED as u64).map(|i| str::from_utf8(values.get(i))).collect();
        let bodies = bodies?;
        let queue = self.engine.queue(&self.dir, self.workload.class)?;
        // What is prepared for the first one is not of this row.
        queue.send(&bodies[..1])?;
        queue.take(1, &mut touch)?;
        measure::settle();
        let (pairs, every) = (self.workload.threads / 2, self.sampled());
        let (sent, gone) = (AtomicU64::new(0), AtomicU64::new(0));
        let waiting = || sent.load(Relaxed).saturating_sub(gone.load(Relaxed));
        let nanos = Mutex::new(Vec::with_capacity(1 << 20));
        let send = |thread: u64, i: u64| {
            if waiting() > BACKLOG {
                thread::sleep(NAP);
                return Ok(());
            }
            let at = (i * pairs + thread) as usize * batch % (PREPARED - batch);
            let start = i.is_multiple_of(every).then(Instant::now);
            queue.send(&bodies[at..at + batch])?;
            if let Some(start) = start {
                nanos.lock().expect("no step panicked").push(start.elapsed().as_nanos() as u64);
            }
            sent.fetch_add(batch as u64, Relaxed);
            Ok(())
        };
        let take = |_, _| {
            let count = if waiting() < batch as u64 { 0 } else { queue.take(batch, &mut touch)? };
            if count == 0 {
                thread::sleep(NAP);
            }
            gone.fetch_add(count as u64, Relaxed);
            Ok(())
        };
        let (meter, until) = (Meter::start(&self.dir), self.for_slice());
        let (senders, takers) = thread::scope(|scope| {
            let takers = scope.spawn(|| drive(pairs, &until, every, take));
            (drive(pairs, &until, every, send), takers.join().expect("a step panicked"))
        });
        let (senders, takers) = (senders?, takers?);
        let nanos = nanos.into_inner().expect("no step panicked");
        let wall = senders.wall.max(takers.wall);
        let run = Run::new(gone.into_inner(), wall, senders.foreground + takers.foreground, nanos);
        meter.settled(&run, 1)
    }

    /// One call in so many is timed.
    pub(super) fn sampled(&self) -> u64 {
        if self.workload.class == Class::Power { 1 } else { SAMPLE }
    }
}
