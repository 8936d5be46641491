//! Any history of a store, with snapshots, reopenings, killed processes and power cuts at any call, against a map.
#![no_main]

use arbitrary::Arbitrary;
use fourfold::{
    Durability, Keyspace, Snapshot, Store,
    sim::{CrashLimits, Faults, SimDisk, Survival},
};
use fourfold_fuzz::model::{
    Change, DIR, KEYSPACES, Key, Model, bounds, builder, check_range, name, push, read,
};

#[derive(Arbitrary, Debug)]
enum Op {
    Write(Vec<Change>),
    Get(u8, Key),
    Range(u8, Key, Key, u8),
    Open,
    Check(u8),
    Close(u8),
    Drop(u8),
    Maintain,
    Compact,
    Sync,
    Verify,
    Reopen,
    Kill,
    /// The power fails at the call after so many; what then survives.
    Crash(u8, u8),
}

struct World {
    disk: SimDisk,
    store: Store,
    keyspaces: Vec<Keyspace>,
    model: Model,
    snapshots: Vec<(Snapshot, Vec<Keyspace>, Model)>,
    /// What survives of the crash that is on its way.
    crash: Option<u8>,
}

impl World {
    /// Opens what is on the disk, which is one of `models`.
    fn open(disk: SimDisk, models: &[Model]) -> Self {
        let store = builder().durability(Durability::Synced).open_simulated(&disk, DIR);
        let store = store.expect("what a store leaves can be opened");
        let seen = read(&store, true).expect("what a store leaves can be read");
        let model = models.iter().find(|model| model.shows(&seen));
        let mut model =
            model.unwrap_or_else(|| panic!("lost or invented:\n{seen:?}\nnot\n{models:?}")).clone();
        assert_eq!(store.verify().expect("it can be verified"), []);
        let keyspaces: Vec<_> =
            KEYSPACES.iter().map(|name| store.keyspace(name).expect("a keyspace is made")).collect();
        for name in KEYSPACES {
            model.create(name);
        }
        Self { disk, store, keyspaces, model, snapshots: Vec::new(), crash: None }
    }

    /// The call failed: the power must be off, and what is left is the state before or after.
    fn lost(self, error: &fourfold::Error, after: Model) -> Self {
        let Some(survival) = self.crash else { panic!("{error}") };
        self.restart(survival, &[after])
    }

    fn restart(self, survival: u8, or: &[Model]) -> Self {
        let Self { disk, store, keyspaces, model, snapshots, .. } = self;
        let left = match survival {
            0 => disk.kill(),
            1 => disk.crash(&Survival::nothing()),
            2 => disk.crash(&Survival::everything()),
            which => {
                let limits = CrashLimits { random: 4, torn: 2, seed: which.into(), ..CrashLimits::default() };
                let survival = disk.crash_states(limits).nth(usize::from(which / 4));
                disk.crash(&survival.unwrap_or_else(Survival::everything))
            }
        };
        // What the dying process does to its own disk does not matter any more.
        drop((snapshots, keyspaces, store));
        let models: Vec<_> = std::iter::once(model).chain(or.iter().cloned()).collect();
        Self::open(left, &models)
    }

    fn step(mut self, op: Op) -> Self {
        let (mut after, done) = (self.model.clone(), ());
        let result = match op {
            Op::Write(changes) => {
                let mut batch = self.store.batch();
                let pushed = changes.iter().take(12).try_for_each(|change| {
                    after.apply(*change);
                    let (Change::Put(of, ..) | Change::Delete(of, _) | Change::Floor(of, _)) = change;
                    push(&mut batch, &self.keyspaces[usize::from(*of) % KEYSPACES.len()], *change)
                });
                pushed.and_then(|()| self.store.write(batch)).map(drop)
            }
            Op::Get(of, key) => {
                self.keyspaces[usize::from(of) % KEYSPACES.len()].get(key.bytes()).map(|found| {
                    assert_eq!(
                        found.as_deref(),
                        self.model.0[name(of)].0.get(&key.bytes()).map(Vec::as_slice)
                    );
                })
            }
            Op::Range(of, from, to, turns) if self.crash.is_none() => {
                let (from, to) = (from.bytes(), to.bytes());
                let range =
                    self.keyspaces[usize::from(of) % KEYSPACES.len()].range::<&[u8]>(bounds(&from, &to));
                let entries = &self.model.0[name(of)].0;
                let expected = entries.iter().filter(|(key, _)| **key >= from && **key < to).collect();
                check_range(range, expected, turns);
                Ok(done)
            }
            Op::Open if self.snapshots.len() < 3 => {
                self.snapshots.push((self.store.snapshot(), self.keyspaces.clone(), self.model.clone()));
                Ok(done)
            }
            Op::Check(which) if self.crash.is_none() => {
                if let Some((snapshot, keyspaces, model)) = self.snapshots.get(usize::from(which)) {
                    for (keyspace, name) in keyspaces.iter().zip(KEYSPACES) {
                        let entries = model.0[name].0.iter().collect();
                        check_range(snapshot.range::<&[u8]>(keyspace, ..), entries, which);
                    }
                }
                Ok(done)
            }
            Op::Close(which) => {
                if usize::from(which) < self.snapshots.len() {
                    self.snapshots.remove(which.into());
                }
                Ok(done)
            }
            Op::Drop(of) => {
                after.0.remove(name(of));
                let dropped = self.store.drop_keyspace(name(of));
                dropped.and_then(|()| {
                    self.model = after.clone();
                    after.create(name(of));
                    self.keyspaces[usize::from(of) % KEYSPACES.len()] = self.store.keyspace(name(of))?;
                    Ok(done)
                })
            }
            Op::Maintain => self.store.maintain(),
            Op::Compact => self.store.compact(),
            Op::Sync => self.store.sync(),
            Op::Verify if self.crash.is_none() => self.store.verify().map(|found| assert_eq!(found, [])),
            Op::Reopen if self.crash.is_none() => {
                let Self { disk, store, keyspaces, model, snapshots, .. } = self;
                drop((snapshots, keyspaces, store));
                return Self::open(disk, &[model]);
            }
            Op::Kill => {
                let survival = self.crash.unwrap_or(0);
                return self.restart(survival, &[after]);
            }
            Op::Crash(calls, survival) if self.crash.is_none() => {
                let at = self.disk.calls() + u64::from(calls);
                self.disk.set_faults(Faults::new(survival.into()).stop_at(at));
                self.crash = Some(survival);
                Ok(done)
            }
            _ => Ok(done),
        };
        match result {
            Ok(()) => Self { model: after, ..self },
            Err(error) => self.lost(&error, after),
        }
    }
}

libfuzzer_sys::fuzz_target!(|ops: Vec<Op>| {
    let world = World::open(SimDisk::new(), &[Model::default()]);
    let world = ops.into_iter().take(200).fold(world, World::step);
    let survival = world.crash.unwrap_or(0);
    world.restart(survival, &[]);
});
