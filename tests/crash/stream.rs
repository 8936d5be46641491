//! Streams after power cuts and kills at every call, over several lives.
//!
//! After each call of a life, each state that the disk enumerates is opened: the stream is as it was after so many
//! steps, no fewer than were promised, no more than were asked for, and `verify` finds nothing. A life that follows gives
//! out no sequence number that an earlier one gave out, also not one that the crash lost.

use crate::random::Random;
use crate::report::{Budget, Counts, run_seeds};
use fourfold::sim::{CrashLimits, Faults, SimDisk};
use fourfold::stream::{CreateStream, ListShards, PutRecord, SequenceNumber, Start, Stream, Tags};
use fourfold::{Clock, Durability, ManualClock, Store};
use std::collections::BTreeMap;
use std::time::Duration;

const DIR: &str = "store";
const DAY: u64 = 24 * 3_600_000;
const NEVER: u64 = u64::MAX;

#[derive(Clone, Debug)]
enum Step {
    Put(u128, usize),
    /// Over both halves of the hash keys, atomically as long as it fits into one batch.
    PutMany(usize),
    Split(usize, u128),
    Merge(usize),
    Register(u8),
    Tag(u8),
    /// Hours pass, and the sweeper comes by.
    Sweep(u64),
    Compact,
    Sync,
}

fn step(random: &mut Random) -> Step {
    let hash = u128::from(random.next()) << 64 | 5;
    match random.below(20) {
        0..8 => Step::Put(hash, *random.pick(&[10, 100, 1400, 3000])),
        8..11 => Step::PutMany(1 + random.below(6)),
        11 | 12 => Step::Split(random.below(8), hash),
        13 => Step::Merge(random.below(8)),
        14 => Step::Register(random.below(3).to_le_bytes()[0]),
        15 => Step::Tag(random.below(3).to_le_bytes()[0]),
        16 | 17 => Step::Sweep(1 + random.below(14) as u64),
        18 => Step::Compact,
        _ => Step::Sync,
    }
}

/// What there is of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    shards: BTreeMap<String, Shard>,
    consumers: Vec<String>,
    tags: Vec<(String, String)>,
}

#[derive(Clone, PartialEq, Eq)]
struct Shard {
    range: (u128, u128),
    parents: Vec<String>,
    end: Option<SequenceNumber>,
    records: Vec<(u64, SequenceNumber, Vec<u8>)>,
}

/// Records by time and the first bytes of what they hold, as a failure is best read.
impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let records =
            self.records.iter().map(|(at, number, data)| format!("{at} {number} {:02x?}", &data[..3]));
        let records: Vec<_> = records.collect();
        write!(f, "{:?} {:?} {:?} {records:#?}", self.range, self.parents, self.end)
    }
}

impl State {
    fn of(store: &Store) -> fourfold::stream::Result<Self> {
        let Ok(stream) = store.streams().stream("stream") else { return Ok(Self::default()) };
        let mut state = Self { tags: stream.list_tags(None, None)?.tags, ..Self::default() };
        state.consumers =
            stream.list_consumers(None, None)?.consumers.into_iter().map(|one| one.arn).collect();
        for shard in stream.list_shards(&ListShards::default())?.shards {
            let mut records = Vec::new();
            let mut cursor = stream.cursor(&shard.shard_id, Start::TrimHorizon)?;
            while let Some(record) = cursor.try_next()? {
                let data = record.data().to_vec();
                records.push((record.arrival().as_millis(), record.sequence_number(), data));
            }
            let parents = [shard.parent_shard_id, shard.adjacent_parent_shard_id];
            let parents = parents.iter().flatten().map(ToString::to_string).collect();
            let (range, end) = (shard.hash_key_range.into_inner(), shard.ending_sequence_number);
            state.shards.insert(shard.shard_id.to_string(), Shard { range, parents, end, records });
        }
        Ok(state)
    }

    /// The same when it is `now`; shards that were closed at these times have expired then.
    fn at(&self, now: u64, closed: &Closed) -> Self {
        let mut state = self.clone();
        let horizon = now.saturating_sub(DAY);
        state.shards.retain(|_, shard| {
            shard.records.retain(|(at, ..)| *at >= horizon);
            shard.end.is_none_or(|end| closed.get(&end).is_none_or(|at| *at >= horizon))
        });
        state
    }
}

/// When shards were closed, by the numbers that they ended with.
type Closed = BTreeMap<SequenceNumber, u64>;

type Issued = Vec<(String, SequenceNumber, u64)>;

/// States in order, with the calls between which each was asked for and promised.
struct Change {
    asked: u64,
    written: u64,
    durable: u64,
}

struct Life {
    disk: SimDisk,
    clock: ManualClock,
    store: Store,
    durability: Durability,
    states: Vec<State>,
    changes: Vec<Change>,
    closed: Closed,
    /// Numbers that shards gave out, in this life or before, and after how many calls of this one.
    issued: Issued,
    number: u64,
}

fn open(disk: &SimDisk, clock: &ManualClock, durability: Durability) -> fourfold::Result<Store> {
    let builder = Store::builder().segment_size(16 << 10).blob_threshold(1500).durability(durability);
    builder.flush_bytes(2000).seed(7).clock(clock.clone()).open_simulated(disk, DIR)
}

impl Life {
    fn stream(&self) -> Stream {
        self.store.streams().stream("stream").unwrap()
    }

    fn promise(&mut self, durability: Durability) {
        let calls = self.disk.calls();
        for change in &mut self.changes {
            if durability != Durability::Buffered {
                change.written = change.written.min(calls);
            }
            if durability == Durability::Synced {
                change.durable = change.durable.min(calls);
            }
        }
    }

    fn data(&mut self, len: usize) -> Vec<u8> {
        self.number += 1;
        let mut data = self.number.to_le_bytes().to_vec();
        data.resize(len.max(8), 7);
        data
    }

    /// A number that was given out is above all before it.
    fn issue(&mut self, shard: &str, number: SequenceNumber) -> Result<(), String> {
        let before = self.issued.iter().rev().find(|(known, ..)| *known == shard);
        if let Some((_, before, _)) = before.filter(|(_, before, _)| *before >= number) {
            return Err(format!("{shard} gave out {number} after {before}"));
        }
        self.issued.push((shard.to_owned(), number, self.disk.calls()));
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let asked = self.disk.calls() + 1;
        let stream = self.stream();
        let id = |index: usize| format!("shardId-{index:012}");
        match step {
            Step::Put(hash, len) => {
                let (data, hash) = (self.data(*len), hash.to_string());
                let put = stream.put_record(&PutRecord::new("key", &data).explicit_hash_key(&hash));
                let put = put.map_err(|error| error.to_string())?;
                self.issue(&put.shard_id, put.sequence_number)?;
            }
            Step::PutMany(count) => {
                let data: Vec<_> = (0..*count).map(|_| self.data(200)).collect();
                let keys: Vec<_> = (0..*count).map(|number| format!("key {number}")).collect();
                let records: Vec<_> =
                    keys.iter().zip(&data).map(|(key, data)| PutRecord::new(key, data)).collect();
                let answer = stream.put_many(&records).map_err(|error| error.to_string())?;
                for put in answer.records.into_iter().flatten() {
                    self.issue(&put.shard_id, put.sequence_number)?;
                }
            }
            // Refused for most indexes and places, which changes nothing.
            Step::Split(index, at) => drop(stream.split_shard(&id(*index), *at)),
            Step::Merge(index) => drop(stream.merge_shards(&id(*index), &id(*index + 1))),
            Step::Register(name) => drop(stream.register_consumer(&format!("c{name}"), &Tags::new())),
            Step::Tag(name) => {
                let tags = Tags::from([(format!("t{name}"), self.number.to_string())]);
                stream.add_tags(&tags).map_err(|error| error.to_string())?;
            }
            Step::Sweep(hours) => {
                self.clock.advance(Duration::from_hours(*hours));
                self.store.maintain().map_err(|error| error.to_string())?;
            }
            Step::Compact => self.store.compact().map_err(|error| error.to_string())?,
            Step::Sync => self.store.sync().map_err(|error| error.to_string())?,
        }
        let state = State::of(&self.store).map_err(|error| error.to_string())?;
        let now = self.clock.now().as_millis();
        for end in state.shards.values().filter_map(|shard| shard.end) {
            self.closed.entry(end).or_insert(now);
        }
        self.states.push(state);
        self.changes.push(Change { asked, written: NEVER, durable: NEVER });
        let swept = matches!(step, Step::Sweep(_));
        let durability = if matches!(step, Step::Sync) { Durability::Synced } else { self.durability };
        if !swept {
            self.promise(durability);
        }
        Ok(())
    }
}

/// Lives on `disk` and looks at what crashes leave.
fn live(
    disk: &SimDisk,
    clock: &ManualClock,
    random: &mut Random,
    (issued, closed): (Issued, Closed),
    lives: u32,
    counts: &Counts,
    budget: &Budget,
) -> Result<(), String> {
    let durability =
        *random.pick(&[Durability::Synced, Durability::Synced, Durability::Written, Durability::Buffered]);
    let start = disk.calls();
    disk.record();
    let store = open(disk, clock, durability).map_err(|error| format!("opening: {error}"))?;
    let first = State::of(&store).map_err(|error| format!("reading: {error}"))?;
    let mut life = Life {
        disk: disk.clone(),
        clock: clock.clone(),
        store,
        durability,
        states: vec![first],
        changes: Vec::new(),
        closed,
        issued,
        number: random.next() >> 16,
    };
    if life.states[0].shards.is_empty() {
        let asked = disk.calls() + 1;
        let made = life.store.streams().create("stream", CreateStream::default().shard_count(2));
        drop(made.map_err(|error| error.to_string())?);
        life.states.push(State::of(&life.store).map_err(|error| error.to_string())?);
        life.changes.push(Change { asked, written: NEVER, durable: NEVER });
        life.promise(durability);
    }
    let mut steps = Vec::new();
    let outcome = (0..3 + random.below(18)).try_for_each(|_| {
        let step = step(random);
        steps.push(step.clone());
        life.step(&step)
    });
    let told = |error: String| format!("{durability:?}, {steps:#?}\n{error}");
    outcome.map_err(told)?;
    let Life { store, states, changes, closed, issued, .. } = life;
    drop(store);
    let images = disk.images();
    counts.images(images.len());
    let now = clock.now();
    let states: Vec<State> = states.iter().map(|state| state.at(now.as_millis(), &closed)).collect();
    for (number, image) in images.iter().enumerate() {
        let calls = start + number as u64;
        let count = |is: &dyn Fn(&Change) -> bool| changes.iter().rposition(is).map_or(0, |last| last + 1);
        let asked = count(&|change| change.asked <= calls);
        let limits = CrashLimits {
            exhaustive_items: 3,
            exhaustive_states: 12,
            random: 2,
            torn: 1,
            cut: 512,
            seed: random.next(),
        };
        let crashed = image
            .crash_states(limits)
            .map(|survival| (image.crash(&survival), count(&|change| change.durable <= calls), true));
        let killed = std::iter::once((image.kill(), count(&|change| change.written <= calls), false));
        for (left, first, is_durable) in crashed.chain(killed) {
            counts.state();
            // What took no call was asked for and promised between two.
            let last = asked.max(first);
            look_at(&left, &ManualClock::new(now), &states, &closed, first, last)
                .map_err(|error| told(format!("after call {calls}: {error}")))?;
            // What a killed process left, a power cut before the next opening can still take.
            if lives > 0 && is_durable && random.one_in(400) {
                counts.life();
                // The disk that was looked at is dead; another one like it goes on.
                let again = left.kill();
                let clock = ManualClock::new(now);
                let issued = issued.iter().filter(|(.., given)| *given <= calls);
                let issued = issued.map(|(shard, number, _)| (shard.clone(), *number, 0)).collect();
                let inherited = (issued, closed.clone());
                live(&again, &clock, random, inherited, lives - 1, counts, budget).map_err(told)?;
            }
        }
        if budget.is_spent() {
            break;
        }
    }
    Ok(())
}

/// Opens what is left: one of the states from `first` to `last`.
fn look_at(
    disk: &SimDisk,
    clock: &ManualClock,
    states: &[State],
    closed: &Closed,
    first: usize,
    last: usize,
) -> Result<(), String> {
    let disk = disk.kill();
    let store = open(&disk, clock, Durability::Synced).map_err(|error| format!("opening: {error}"))?;
    let found = State::of(&store).map_err(|error| format!("reading: {error}"))?;
    let found = found.at(clock.now().as_millis(), closed);
    if !states[first..=last].contains(&found) {
        return Err(format!(
            "states {first} to {last} were possible: {:#?}\nfound {found:#?}",
            &states[first..=last]
        ));
    }
    let problems = store.verify().map_err(|error| format!("verifying: {error}"))?;
    if !problems.is_empty() {
        return Err(format!("verify finds {problems:#?}"));
    }
    disk.set_faults(Faults::new(0).stop_at(0));
    Ok(())
}

fn explore(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed);
    let clock = ManualClock::default();
    live(&SimDisk::new(), &clock, &mut random, (Issued::new(), Closed::new()), 2, counts, budget)
        .map_err(|error| format!("FOURFOLD_CRASH_SEED={seed}\n{error}"))
}

#[test]
fn streams_survive_every_power_cut() {
    run_seeds("streams", 6, explore);
}
