//! A simulated disk that keeps what is *written* and what is *durable* apart, fails on demand and yields every state that
//! a power cut could leave. See [`SimDisk`].
//!
//! Rules of the simulation stand where they are kept: what a call does in `world` (W1 to W4), what survives in `crash` (C1
//! to C3), which states are enumerated in `enumerate` (E1 to E3).
//!
//! Not simulated: directories as dirty items (the seam makes them durable at once), time, and a disk that lies about a
//! sync that succeeded.

mod content;
mod crash;
mod dir;
mod enumerate;
mod faults;
mod rot;
#[cfg(test)]
mod tests;
mod world;

pub use crash::Survival;
pub(crate) use dir::{SimDir, SimFile, SimLock};
pub use enumerate::{CrashLimits, CrashStates};
pub use faults::{Fault, Faults};

use crate::error::{Error, Result};
use parking_lot::{Mutex, MutexGuard};
use std::{fmt, io, path::Path, sync::Arc};
use world::{Call, World};

/// A simulated disk. Clones are handles to the same disk.
///
/// A crash test runs a workload on it, cuts the power, opens what is left and checks that nothing that was promised is
/// missing. To cut the power after *every* call, let the disk keep an image of itself after each
/// ([`record`](Self::record)) and look at all the states that each image could have left behind:
///
/// ```
/// use fourfold::sim::{CrashLimits, SimDisk};
///
/// let disk = SimDisk::new();
/// disk.record();
/// // ... the workload, with `disk.calls()` noted whenever something was acknowledged ...
/// let mut states = 0;
/// for (calls, image) in disk.images().iter().enumerate() {
///     for survival in image.crash_states(CrashLimits::default()) {
///         let left = image.crash(&survival);
///         // ... open `left`; all that was acknowledged up to `calls` must be there ...
///         assert!(left.files().is_empty(), "after {calls} calls:\n{}", image.explain(&survival));
///         states += 1;
///     }
/// }
/// assert_eq!(states, 1);
/// ```
///
/// Everything is deterministic: the same calls, faults and seeds give the same states.
///
/// Besides crashes there are faults ([`Faults`]), a quota ([`set_quota`](Self::set_quota)) and damage by hand:
///
/// ```
/// use fourfold::sim::SimDisk;
///
/// let disk = SimDisk::new();
/// disk.write("store/file", b"some bytes")?;
/// disk.flip_bit("store/file", 5)?;
/// assert_eq!(disk.read("store/file")?, b"Some bytes");
/// # Ok::<(), fourfold::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
}

impl SimDisk {
    /// An empty disk without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the plan of faults. Calls keep their numbers; a process that was dead lives again.
    pub fn set_faults(&self, faults: Faults) {
        let mut world = self.world();
        world.faults = faults;
        world.dead = false;
    }

    /// Limits the sum of the lengths of all files: what would go beyond fails for lack of space, as it does on a full disk,
    /// until files are removed or the quota is raised. Files that are removed count while they are open.
    pub fn set_quota(&self, bytes: Option<u64>) {
        self.world().quota = bytes;
    }

    /// The bytes that count against the quota.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// How many calls there were that change the disk, failed ones included. The next one has this number.
    pub fn calls(&self) -> u64 {
        self.world().calls.len() as u64
    }

    /// What call number `call` was, for messages.
    pub fn describe(&self, call: u64) -> String {
        let world = self.world();
        match usize::try_from(call).ok().and_then(|call| world.calls.get(call)) {
            Some(Call { op, path, offset: 0, len: 0 }) => format!("call {call}: {op} {}", path.display()),
            Some(Call { op, path, offset, len }) => {
                format!("call {call}: {op} {}, {len} bytes at {offset}", path.display())
            }
            None => format!("call {call}: never made"),
        }
    }

    /// From now on, keeps an image of the disk after each call that changes it.
    pub fn record(&self) {
        let mut world = self.world();
        let image = world.killed();
        world.images = Some(vec![image]);
    }

    /// Ends the recording and returns it: the disk when it began, then after each call.
    pub fn images(&self) -> Vec<Self> {
        let images = self.world().images.take();
        images.unwrap_or_default().into_iter().map(Self::from).collect()
    }

    /// The disk as the process leaves it if it is killed now: all that was written is there, and no more durable than it
    /// was. Faults are gone, nothing is open or locked. This disk stays as it is.
    #[must_use]
    pub fn kill(&self) -> Self {
        self.world().killed().into()
    }

    /// The disk after a power cut that left `survival`. All of it is durable; faults are gone, nothing is open or locked.
    /// This disk stays as it is. The two share what they have in common: an image costs about a microsecond.
    #[must_use]
    pub fn crash(&self, survival: &Survival) -> Self {
        self.world().crashed(survival).into()
    }

    /// The states that a power cut could leave now: all of them while they are few, else those that tell most.
    pub fn crash_states(&self, limits: CrashLimits) -> CrashStates {
        CrashStates::new(&self.world(), limits)
    }

    /// What `survival` keeps and loses, one line for each thing that was not synced.
    pub fn explain(&self, survival: &Survival) -> String {
        self.world().explain(survival)
    }

    /// The directory `path` of this disk.
    pub(crate) fn dir(&self, path: impl AsRef<Path>) -> SimDir {
        SimDir::new(self.clone(), path.as_ref())
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.world, &other.world)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }

    /// Carries out a counted call.
    fn change<T>(
        &self,
        call: Call,
        run: impl FnOnce(&mut World, Option<Fault>) -> io::Result<T>,
    ) -> Result<T> {
        let (op, path, len) = (call.op, Arc::clone(&call.path), call.len);
        let mut world = self.world();
        let result = world.admit(call).and_then(|fault| {
            let result = run(&mut world, fault);
            if world.images.is_some() {
                let image = world.killed();
                world.images.get_or_insert_default().push(image);
            }
            result
        });
        result.map_err(|error| Error::io(op, &*path, len, error))
    }
}

impl From<World> for SimDisk {
    fn from(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)) }
    }
}

/// Without the content, and without the lock, which the caller may hold.
impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").finish_non_exhaustive()
    }
}
