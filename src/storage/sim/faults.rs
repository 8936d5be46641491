//! What the simulated disk does wrong, and when.

use std::{collections::BTreeMap, io};

/// How one call fails.
///
/// ```
/// use fourfold::{Error, Store, sim::{Fault, Faults, SimDisk}};
/// let disk = SimDisk::new();
/// disk.set_faults(Faults::new(1).fail_at(0, Fault::Full));
/// assert!(matches!(Store::builder().open_simulated(&disk, "store"), Err(Error::StorageFull { .. })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An input/output error (`EIO`), and nothing is done. A sync that fails, in this or another way, marks what it should
    /// have written as clean but makes only a random part of it durable; later syncs of the same file succeed and do not
    /// write the rest. That is what kernels do. Of a directory whose sync fails the first few changes are durable, and a
    /// later sync does the rest: file systems keep names in a journal, and one that fails stops the file system.
    Error,
    /// No space left (`ENOSPC`), and nothing is done.
    Full,
    /// An input/output error after a random part of the bytes was written or allocated. As [`Fault::Error`] where there
    /// is no such part.
    Short,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Error, Self::Full, Self::Short];

    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Error | Self::Short => rustix::io::Errno::IO.into(),
            Self::Full => rustix::io::Errno::NOSPC.into(),
        }
    }
}

/// A plan of faults. Calls that change the disk (write, allocate, truncate, sync, create, rename, remove, link, directory sync) are
/// counted from 0 since the disk was made; [`SimDisk::calls`](super::SimDisk::calls) tells how many there were.
///
/// ```
/// use fourfold::sim::{Fault, Faults, SimDisk};
/// let disk = SimDisk::new();
/// // The fifth call fails, and the process is gone before the tenth.
/// disk.set_faults(Faults::new(1).fail_at(4, Fault::Error).stop_at(9));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    seed: u64,
    at: BTreeMap<u64, Fault>,
    stop_at: Option<u64>,
    fail_one_in: u32,
    flip_one_in: u32,
}

impl Faults {
    /// No fault yet. The seed decides what the plan leaves open, such as which pages a failed sync made durable.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Call number `call` fails.
    #[must_use]
    pub fn fail_at(mut self, call: u64, fault: Fault) -> Self {
        self.at.insert(call, fault);
        self
    }

    /// From call number `call` on, everything fails and nothing is done, reads included: the process is dead. What it
    /// left is then up to [`SimDisk::kill`](super::SimDisk::kill) or [`SimDisk::crash`](super::SimDisk::crash).
    #[must_use]
    pub fn stop_at(mut self, call: u64) -> Self {
        self.stop_at = Some(call);
        self
    }

    /// Each counted call fails with a chance of one in `calls`, in a random way.
    #[must_use]
    pub fn fail_one_in(mut self, calls: u32) -> Self {
        self.fail_one_in = calls;
        self
    }

    /// Each read has one bit wrong with a chance of one in `reads`.
    #[must_use]
    pub fn flip_one_in(mut self, reads: u32) -> Self {
        self.flip_one_in = reads;
        self
    }

    pub(super) fn stops(&self, call: u64) -> bool {
        self.stop_at.is_some_and(|stop| stop <= call)
    }

    pub(super) fn fault(&self, call: u64) -> Option<Fault> {
        let planned = self.at.get(&call).copied();
        planned.or_else(|| {
            let mut random = self.random(call);
            random.one_in(self.fail_one_in).then(|| Fault::ALL[random.below(Fault::ALL.len())])
        })
    }

    /// Damages what read number `read` returned, if its turn has come.
    pub(super) fn flip(&self, read: u64, buffer: &mut [u8]) {
        let mut random = self.random(!read);
        if random.one_in(self.flip_one_in) && !buffer.is_empty() {
            let bit = random.below(buffer.len() * 8);
            buffer[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// The source of what happens in one call; calls do not depend on each other's.
    pub(super) fn random(&self, call: u64) -> Random {
        let mut random = Random::new(self.seed);
        Random::new(random.next() ^ call)
    }
}

/// `SplitMix64`: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// True with a chance of one in `chances`; never if that is 0.
    fn one_in(&mut self, chances: u32) -> bool {
        chances > 0 && self.next().is_multiple_of(u64::from(chances))
    }
}
