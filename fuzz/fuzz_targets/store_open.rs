//! A store whose files were damaged: it opens to what it was, or to an earlier state if its end cannot be told from one
//! that was never committed, or says what is wrong. It never panics and never shows anything else. By the first byte,
//! no checksum is wrong, so that damage gets to every decoder; then only the panics count.
#![no_main]

use arbitrary::Arbitrary;
use fourfold::{Durability, Error, fuzzing, sim::SimDisk};
use fourfold_fuzz::model::{Change, DIR, KEYSPACES, Model, builder, push, read};
use std::sync::{OnceLock, atomic::Ordering};

#[derive(Arbitrary, Debug)]
enum Damage {
    Bit(u8, u32),
    Bytes(u8, u16, Vec<u8>),
    Zero(u8, u8),
    Break(u8, u8),
    Swap(u8, u8, u8),
    Truncate(u8, u16),
    Remove(u8),
    Copy(u8, u8),
    Add(u8, u8, Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Input {
    checksums_agree: bool,
    base: u8,
    damages: Vec<Damage>,
    then: u8,
}

/// A disk, its files, and all states that the store on it went through.
struct Base {
    disk: SimDisk,
    files: Vec<(std::path::PathBuf, u64)>,
    states: Vec<Model>,
}

/// Stores that were closed or killed, folded and compacted or not, of one incarnation or more.
fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(|| [1_u8, 2, 3, 4, 5, 6].map(base).into())
}

fn base(number: u8) -> Base {
    let (mut disk, mut states) = (SimDisk::new(), vec![Model::default()]);
    let mut bytes = (0_u32..).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ number);
    for life in 0..1 + number / 3 {
        let store = builder().durability(Durability::Synced).open_simulated(&disk, DIR).expect("a new store");
        let mut model = states.last().cloned().unwrap_or_default();
        let mut keyspaces = Vec::new();
        for name in KEYSPACES {
            keyspaces.push(store.keyspace(name).expect("a keyspace"));
            model.create(name);
            states.push(model.clone());
        }
        for round in 0..12 * u32::from(number) {
            let mut batch = store.batch();
            for _ in 0..1 + round % 4 {
                let chosen: Vec<u8> = bytes.by_ref().take(8).collect();
                let change = Change::arbitrary(&mut arbitrary::Unstructured::new(&chosen));
                let Ok(change) = change else { continue };
                // Floors on the way would leave little to damage.
                let change = match change {
                    Change::Floor(of, key) if round % 16 != 0 => Change::Delete(of, key),
                    change => change,
                };
                model.apply(change);
                let (Change::Put(of, ..) | Change::Delete(of, _) | Change::Floor(of, _)) = change;
                push(&mut batch, &keyspaces[usize::from(of) % KEYSPACES.len()], change).expect("it fits");
            }
            store.write(batch).expect("the disk works");
            states.push(model.clone());
            if number % 2 == 0 && round % 20 == 19 {
                store.maintain().expect("the disk works");
            }
        }
        if number == 4 {
            store.compact().expect("the disk works");
        }
        if (number + life) % 3 == 0 {
            disk = disk.kill();
        } else {
            drop((store, keyspaces));
            disk = disk.kill();
        }
    }
    let files = disk.files();
    Base { disk, files, states }
}

fn damage(disk: &SimDisk, base: &Base, damage: &Damage) {
    let file = |which: &u8| &base.files[usize::from(*which) % base.files.len()];
    // What does not apply, such as damage behind the end of a file, is left out.
    let _ = match damage {
        Damage::Bit(which, bit) => {
            let (path, len) = file(which);
            disk.flip_bit(path, u64::from(*bit) % (8 * len.max(&1)))
        }
        Damage::Bytes(which, at, bytes) => {
            let path = &file(which).0;
            disk.read(path).and_then(|mut content| {
                let at = usize::from(*at) % content.len().max(1);
                for (to, from) in content[at..].iter_mut().zip(bytes) {
                    *to = *from;
                }
                disk.write(path, &content)
            })
        }
        Damage::Zero(which, sector) => disk.zero_sector(&file(which).0, (*sector).into()),
        Damage::Break(which, sector) => disk.break_sector(&file(which).0, (*sector).into()),
        Damage::Swap(which, first, second) => {
            disk.swap_pages(&file(which).0, (first % 8).into(), (second % 8).into())
        }
        Damage::Truncate(which, len) => disk.truncate(&file(which).0, (*len).into()),
        Damage::Remove(which) => disk.remove(&file(which).0),
        Damage::Copy(from, to) => disk.copy(&file(from).0, &file(to).0),
        Damage::Add(kind, index, bytes) => {
            let ending = [".log", ".blob", ".run", ".tmp", ""][usize::from(*kind) % 5];
            disk.write(format!("{DIR}/{index:016x}{ending}"), bytes)
        }
    };
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let bases = bases();
    let base = &bases[usize::from(input.base) % bases.len()];
    let disk = base.disk.kill();
    for part in input.damages.iter().take(6) {
        damage(&disk, base, part);
    }
    fuzzing::CHECKSUMS_AGREE.store(input.checksums_agree, Ordering::Relaxed);
    look(&disk, base, &input);
    fuzzing::CHECKSUMS_AGREE.store(false, Ordering::Relaxed);
});

fn look(disk: &SimDisk, base: &Base, input: &Input) {
    let store = match builder().open_simulated(disk, DIR) {
        Ok(store) => store,
        Err(error) => {
            expected(&error);
            if input.then & 1 != 0 {
                match fuzzing::repair(disk, DIR) {
                    Ok(_) => {
                        let store = builder().open_simulated(disk, DIR);
                        let broken = input.damages.iter().any(|damage| matches!(damage, Damage::Break(..)));
                        if !input.checksums_agree && !broken {
                            store.expect("what was repaired opens");
                        }
                    }
                    Err(error) => expected(&error),
                }
            }
            return;
        }
    };
    let seen = read(&store, !input.checksums_agree);
    let problems = store.verify();
    match &seen {
        Err(error) => {
            expected(error);
            let quiet = matches!(&problems, Ok(problems) if problems.is_empty());
            assert!(!quiet || input.checksums_agree, "verify finds what readers find: {error}");
        }
        Ok(seen) if !input.checksums_agree => {
            let report = store.recovery();
            let newest = base.states.last().expect("there is one");
            // The end of a log that was not sealed is told from a torn one by no evidence but what came later.
            let known =
                newest.shows(seen) || (!report.clean && base.states.iter().any(|state| state.shows(seen)));
            assert!(known, "wrong data: {report:?}");
        }
        Ok(_) => {}
    }
    if let Err(error) = problems {
        expected(&error);
    }
    // A damaged store may still be used for what is whole.
    let mut batch = store.batch();
    let written = store.keyspace("a").and_then(|keyspace| {
        // Above every floor.
        batch.put(&keyspace, [0xff], "value")?;
        store.write(batch)?;
        let found = keyspace.get([0xff])?;
        assert!(input.checksums_agree || found.as_deref() == Some(&b"value"[..]));
        if input.then & 2 != 0 {
            store.compact()?;
        }
        Ok(())
    });
    if let Err(error) = written {
        expected(&error);
    }
}

/// Damage is told as such.
fn expected(error: &Error) {
    match error {
        Error::Corrupt(_) | Error::Version { .. } | Error::NotAStore { .. } | Error::Invalid { .. } => {}
        Error::Io { .. } | Error::TooLarge { .. } | Error::NotFound { .. } => {}
        Error::Poisoned { cause } => expected(cause),
        error => panic!("{error:?}"),
    }
}
