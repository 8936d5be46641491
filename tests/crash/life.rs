//! One life of a store on a simulated disk: what was asked of it, and when it was promised.

use crate::model::{Keyspace, Op, State, digest, line};
use crate::random::Random;
use fourfold::sim::SimDisk;
use fourfold::{Durability, Error, Snapshot, Store};

/// Where stores live on the simulated disk.
pub(crate) const DIR: &str = "store";
/// The smallest segments there are, so that few batches make many files.
pub(crate) const SEGMENT: u64 = 16 << 10;
/// Values longer than this are blobs.
pub(crate) const BLOB_THRESHOLD: usize = 1500;
/// Above how many numbers a life uses.
const LIFE: u64 = 1 << 32;
/// The number of a call that never comes.
const NEVER: u64 = u64::MAX;

/// Something that a program does with a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(Vec<Op>, Durability),
    Sync,
    Maintain,
    Compact,
    Drop(&'static str),
    /// Copies the store to another directory.
    Checkpoint,
    OpenSnapshot,
    CloseSnapshot,
    /// A clean close and another open.
    Reopen,
}

/// How lives are lived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// What creating and dropping keyspaces waits for.
    pub(crate) durability: Durability,
    /// Bytes of buffered writes that may wait.
    pub(crate) flush_bytes: u64,
}

pub(crate) fn open(disk: &SimDisk, dir: &str, settings: Settings) -> fourfold::Result<Store> {
    Store::builder()
        .segment_size(SEGMENT)
        .blob_threshold(BLOB_THRESHOLD)
        .durability(settings.durability)
        .flush_bytes(settings.flush_bytes)
        .seed(7)
        .open_simulated(disk, dir)
}

/// All states that a store went through, one for each atomic change, with the numbers of the calls between which the
/// change was asked for and promised.
#[derive(Clone, Debug)]
pub(crate) struct History {
    states: Vec<State>,
    digests: Vec<u64>,
    /// Change number `i` led to state `i + 1`.
    changes: Vec<Change>,
    /// Tells values apart.
    number: u64,
    /// Copies: directory, state, and the call after which it was promised.
    pub(crate) copies: Vec<(u64, usize, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    /// The first call that may carry some of it.
    asked: u64,
    /// It was promised against a killed process after so many calls, against a power cut after so many.
    written: u64,
    durable: u64,
}

impl History {
    pub(crate) fn new() -> Self {
        Self::from_state(State::default(), 0)
    }

    fn from_state(state: State, number: u64) -> Self {
        let digests = vec![state.digest()];
        Self { states: vec![state], digests, changes: Vec::new(), number, copies: Vec::new() }
    }

    /// What follows on state `index`, in a later life.
    pub(crate) fn goes_on_from(&self, index: usize) -> Self {
        // Values of the next life differ from the ones that this life wrote and lost.
        Self::from_state(self.states[index].clone(), self.number + LIFE)
    }

    /// What follows where a killed process left states up to `last`, those behind `first` not yet durable.
    pub(crate) fn goes_on_within(&self, first: usize, last: usize) -> Self {
        let inherited = Change { asked: 0, written: 0, durable: NEVER };
        Self {
            states: self.states[first..=last].to_vec(),
            digests: self.digests[first..=last].to_vec(),
            changes: vec![inherited; last - first],
            number: self.number + LIFE,
            copies: Vec::new(),
        }
    }

    pub(crate) fn last(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn state(&self, index: usize) -> &State {
        &self.states[index]
    }

    pub(crate) fn digest(&self, index: usize) -> u64 {
        self.digests[index]
    }

    fn ask(&mut self, calls: u64, state: State) {
        self.digests.push(state.digest());
        self.states.push(state);
        self.changes.push(Change { asked: calls + 1, written: NEVER, durable: NEVER });
    }

    /// The newest change was refused.
    pub(crate) fn take_back(&mut self) {
        self.cut(self.last() - 1);
    }

    /// The changes from `first` to `last` did not come to be, those behind did.
    pub(crate) fn forget(&mut self, first: usize, last: usize) {
        let applied = self.states.split_off(last + 1);
        debug_assert_eq!(applied.len(), 1);
        self.states.truncate(first + 1);
        let mut state = self.states[first].clone();
        state.take_probe(&applied[0]);
        self.digests.truncate(first + 1);
        self.digests.push(state.digest());
        self.states.push(state);
        let probe = self.changes[last];
        self.changes.truncate(first);
        self.changes.push(probe);
    }

    /// The same as of `calls` calls, for a copy of the disk, which counts from 0.
    pub(crate) fn inherited(&self, calls: u64) -> Self {
        let known = |promised: u64| if promised <= calls { 0 } else { NEVER };
        let changes = self.changes.iter();
        let changes = changes.map(|change| Change {
            asked: 0,
            written: known(change.written),
            durable: known(change.durable),
        });
        Self { changes: changes.collect(), ..self.clone() }
    }

    /// States behind `last` did not come to be.
    fn cut(&mut self, last: usize) {
        self.states.truncate(last + 1);
        self.digests.truncate(last + 1);
        self.changes.truncate(last);
    }

    fn promise(&mut self, calls: u64, durability: Durability) {
        for change in &mut self.changes {
            if durability != Durability::Buffered {
                change.written = change.written.min(calls);
            }
            if durability == Durability::Synced {
                change.durable = change.durable.min(calls);
            }
        }
    }

    /// The first and the last state that a power cut after `calls` calls may leave.
    pub(crate) fn after_power_cut(&self, calls: u64) -> (usize, usize) {
        (self.count(|change| change.durable <= calls), self.count(|change| change.asked <= calls))
    }

    /// The first and the last state that a killed process may leave.
    pub(crate) fn after_kill(&self, calls: u64) -> (usize, usize) {
        (self.count(|change| change.written <= calls), self.count(|change| change.asked <= calls))
    }

    fn count(&self, is: impl Fn(&Change) -> bool) -> usize {
        self.changes.iter().rposition(is).map_or(0, |last| last + 1)
    }

    /// Does a state from `first` to `last` look like state `index` and go on otherwise? A keyspace that was dropped and
    /// made anew is as empty as one whose keys are all below its floor.
    pub(crate) fn is_ambiguous(&self, index: usize, first: usize, last: usize) -> bool {
        let twins = (first..=last).filter(|other| self.digests[*other] == self.digests[index]);
        let state = &self.states[index];
        twins.into_iter().any(|other| !self.states[other].has_floors_of(state))
    }

    /// The newest state from `first` to `last` that a store with this digest is in.
    pub(crate) fn find(&self, digest: u64, first: usize, last: usize) -> Option<usize> {
        (first..=last).rev().find(|index| self.digests[*index] == digest)
    }
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done,
    /// Refused for lack of space: nothing changed.
    Full,
    /// An error after which nobody knows whether the change is there.
    Failed(Error),
}

/// A store in use.
pub(crate) struct Life {
    pub(crate) disk: SimDisk,
    pub(crate) history: History,
    settings: Settings,
    /// The disk fails: what a close promises nobody hears, and a store may come back without its end.
    faulty: bool,
    store: Option<Store>,
    snapshots: Vec<(Snapshot, usize)>,
}

impl Life {
    /// Opens the store.
    pub(crate) fn begin(disk: SimDisk, history: History, settings: Settings) -> fourfold::Result<Self> {
        let store = open(&disk, DIR, settings)?;
        let mut life =
            Self { disk, history, settings, faulty: false, store: Some(store), snapshots: Vec::new() };
        // What a reader sees after recovery is durable, whatever it was before.
        life.promise(Durability::Synced);
        Ok(life)
    }

    /// From now on the disk may fail.
    pub(crate) fn expect_faults(&mut self) {
        self.faulty = true;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.store.is_some()
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("open between steps")
    }

    fn promise(&mut self, durability: Durability) {
        self.history.promise(self.disk.calls(), durability);
    }

    /// Ends without a clean close if the disk's process is dead.
    pub(crate) fn end(mut self) -> History {
        self.snapshots.clear();
        self.store = None;
        self.history
    }

    pub(crate) fn step(&mut self, step: &Step) -> Outcome {
        let done = match step {
            Step::Write(ops, durability) => return self.write(ops, *durability),
            Step::Drop(name) => return self.drop_keyspace(name),
            Step::Sync => self.store().sync().map(|()| self.promise(Durability::Synced)),
            Step::Maintain => self.store().maintain(),
            Step::Compact => self.store().compact(),
            Step::Checkpoint => self.checkpoint(),
            Step::OpenSnapshot => {
                let snapshot = self.store().snapshot();
                self.snapshots.push((snapshot, self.history.last()));
                Ok(())
            }
            Step::CloseSnapshot => {
                self.snapshots.pop();
                Ok(())
            }
            Step::Reopen => self.reopen(),
        };
        match done {
            Ok(()) => Outcome::Done,
            Err(Error::StorageFull { .. }) => Outcome::Full,
            Err(error) => Outcome::Failed(error),
        }
    }

    fn checkpoint(&mut self) -> fourfold::Result<()> {
        self.history.number += 1;
        let number = self.history.number;
        self.store().checkpoint(format!("copy{number}"))?;
        self.promise(Durability::Synced);
        self.history.copies.push((number, self.history.last(), self.disk.calls()));
        Ok(())
    }

    fn reopen(&mut self) -> fourfold::Result<()> {
        self.snapshots.clear();
        self.store = None;
        if !self.faulty {
            self.promise(Durability::Synced);
        }
        let store = open(&self.disk, DIR, self.settings)?;
        if self.faulty {
            let (first, last) = self.history.after_kill(self.disk.calls());
            let found = digest(&store)?;
            let missing = || Error::NotFound { kind: "state", name: format!("{first} to {last}") };
            let index = self.history.find(found, first, last).ok_or_else(missing)?;
            if self.history.is_ambiguous(index, first, last) {
                return Err(Error::StorageFull { path: DIR.into(), needed: 0 }); // ends this life
            }
            self.history.cut(index);
        } else if !store.recovery().clean && store.recovery().cut.is_none() {
            // What was closed must not lose its end to damage in silence. (The torn end of an earlier life stays where
            // it is until something is written.)
            return Err(Error::Unsupported {
                op: "unclean close",
                reason: format!("{:?}", store.recovery()),
            });
        }
        self.store = Some(store);
        self.promise(Durability::Synced);
        Ok(())
    }

    /// Carries out one atomic change; in the history it is there from before it is asked for.
    fn change(
        &mut self,
        durability: Durability,
        after: State,
        run: impl FnOnce(&Store) -> fourfold::Result<()>,
    ) -> Outcome {
        self.history.ask(self.disk.calls(), after);
        match run(self.store()) {
            Ok(()) => {
                self.promise(durability);
                Outcome::Done
            }
            Err(Error::StorageFull { .. }) => {
                self.history.take_back();
                Outcome::Full
            }
            Err(error) => Outcome::Failed(error),
        }
    }

    fn current(&self) -> &State {
        self.history.state(self.history.last())
    }

    fn write(&mut self, ops: &[Op], durability: Durability) -> Outcome {
        for op in ops {
            if !self.current().keyspaces.contains_key(op.keyspace()) {
                let mut after = self.current().clone();
                after.keyspaces.insert(op.keyspace(), Keyspace::default());
                let outcome = self.change(self.settings.durability, after, |store| {
                    store.keyspace(op.keyspace()).map(|_| ())
                });
                if !matches!(outcome, Outcome::Done) {
                    return outcome;
                }
            }
        }
        let first = self.history.number;
        self.history.number += ops.len() as u64;
        let mut after = self.current().clone();
        for (op, number) in ops.iter().zip(first..) {
            after.apply(op, number);
        }
        self.change(durability, after, |store| {
            let mut batch = store.batch();
            for (op, number) in ops.iter().zip(first..) {
                let keyspace = store.keyspace(op.keyspace())?;
                match op {
                    Op::Put(_, key, len) => batch.put(&keyspace, key, crate::model::value(number, *len))?,
                    Op::Delete(_, key) => batch.delete(&keyspace, key)?,
                    Op::Floor(_, floor) => batch.floor(&keyspace, floor)?,
                }
            }
            store.write_with(batch, durability).map(|_| ())
        })
    }

    fn drop_keyspace(&mut self, name: &'static str) -> Outcome {
        if !self.current().keyspaces.contains_key(name) {
            return Outcome::Done;
        }
        let mut after = self.current().clone();
        after.keyspaces.remove(name);
        self.change(self.settings.durability, after, |store| store.drop_keyspace(name))
    }

    /// The store shows what it should.
    pub(crate) fn check(&self) -> Result<(), String> {
        let last = self.history.last();
        self.check_shows(last, last)
    }

    /// It shows a state from `first` to `last`, and its snapshots what they showed.
    pub(crate) fn check_shows(&self, first: usize, last: usize) -> Result<(), String> {
        let store = self.store();
        let found = digest(store).map_err(|error| format!("reading: {error}"))?;
        if self.history.find(found, first, last).is_none() {
            let difference = crate::model::difference(store, self.history.state(last));
            return Err(format!(
                "the running store is not in state {last}:\n{}",
                difference.unwrap_or_default()
            ));
        }
        for (snapshot, index) in &self.snapshots {
            self.check_snapshot(snapshot, *index)?;
        }
        Ok(())
    }

    fn check_snapshot(&self, snapshot: &Snapshot, index: usize) -> Result<(), String> {
        for (name, keyspace) in &self.history.state(index).keyspaces {
            let (now, since) =
                (&self.history.state(self.history.last()).keyspaces, index..self.history.last());
            let lived_on = now.contains_key(name)
                && since.clone().all(|at| self.history.state(at).keyspaces.contains_key(name));
            if lived_on {
                let handle = self.store().keyspace(name).map_err(|error| error.to_string())?;
                let found: Vec<_> = snapshot
                    .range::<&[u8]>(&handle, ..)
                    .collect::<fourfold::Result<_>>()
                    .map_err(|error| format!("reading a snapshot: {error}"))?;
                if !keyspace.is(&found) {
                    let expected = keyspace.lines(name);
                    let found: Vec<_> = found.iter().map(|(key, value)| line(name, key, value)).collect();
                    return Err(format!("the snapshot of state {index} shows {found:#?}, not {expected:#?}"));
                }
            }
        }
        Ok(())
    }
}

/// A random workload. It makes segments roll, runs merge, blobs move and the manifest change.
pub(crate) fn workload(random: &mut Random, steps: usize) -> Vec<Step> {
    // Some workloads are about few keys, some about big values, some never maintain: each turns some steps off.
    let keys = *random.pick(&[3, 12, 60]);
    let (values, blobs) = (*random.pick(&[20, 300, 900]), *random.pick(&[0, 4, 12]));
    let maintenance = *random.pick(&[0, 6, 12]);
    let catalog = *random.pick(&[0, 30]);
    let durabilities: &[Durability] = match random.below(4) {
        0 => &[Durability::Synced],
        1 => &[Durability::Written, Durability::Synced],
        _ => &[Durability::Buffered, Durability::Written, Durability::Synced],
    };
    (0..steps)
        .map(|_| {
            if catalog > 0 && random.one_in(catalog) {
                return Step::Drop(KEYSPACES[random.below(KEYSPACES.len())]);
            }
            if maintenance > 0 && random.one_in(maintenance) {
                return match random.below(8) {
                    0..3 => Step::Maintain,
                    3 => Step::Compact,
                    4 => Step::Sync,
                    5 => Step::OpenSnapshot,
                    6 => Step::CloseSnapshot,
                    _ => Step::Reopen,
                };
            }
            if random.one_in(80) {
                return Step::Checkpoint;
            }
            Step::Write(batch(random, keys, values, blobs), *random.pick(durabilities))
        })
        .collect()
}

const KEYSPACES: [&str; 3] = ["a", "b", "c"];

fn batch(random: &mut Random, keys: usize, values: usize, blobs: usize) -> Vec<Op> {
    let count = 1 + random.below(5);
    let mut ops: Vec<Op> = (0..count)
        .map(|_| {
            let keyspace = *random.pick(&KEYSPACES[..2]);
            let key = format!("{:03}", random.below(keys)).into_bytes();
            match random.below(24) {
                0..4 => Op::Delete(keyspace, key),
                // A keyspace of its own, so that floors do not empty the others.
                4 => Op::Floor(KEYSPACES[2], key),
                5 => Op::Put(KEYSPACES[2], key, random.below(values)),
                _ if blobs > 0 && random.one_in(blobs) => {
                    Op::Put(keyspace, key, BLOB_THRESHOLD + 1 + random.below(3000))
                }
                _ => Op::Put(keyspace, key, random.below(values)),
            }
        })
        .collect();
    // Two states must not look alike and differ in a floor.
    if ops.iter().any(|op| matches!(op, Op::Floor(..))) {
        ops.push(Op::Put("a", b"counter".to_vec(), 16));
    }
    ops
}
