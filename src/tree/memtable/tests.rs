//! The memtable against a `BTreeMap`, and against itself under many threads.
#![expect(
    clippy::cast_possible_truncation,
    reason = "seeds, counters and bytes, all small or meant to be cut"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::node::CAPACITY;
use super::*;

/// A number of steps, few under miri.
const fn steps(many: usize, few: usize) -> usize {
    if cfg!(miri) { few } else { many }
}

/// splitmix64
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Keys that share prefixes of all lengths, are prefixes of each other, hold and end in zeros and 0xff.
    fn key(&mut self) -> Vec<u8> {
        let mut key = self.pick(&[0_u32, 1, 7, 0x0100_0000, u32::MAX]).to_be_bytes().to_vec();
        match self.below(7) {
            0 => {}
            1 => key.extend((0..self.below(4)).map(|_| self.pick(&[0, 0, 1, 255]))),
            2 => key.extend(std::iter::repeat_n(0, self.below(30))),
            3 => {
                key.extend(b"one long prefix that is shared by many keys/");
                key.extend((0..self.below(6)).map(|_| self.pick(b"\0ab\xff")));
            }
            4 => {
                key.extend(std::iter::repeat_n(b'x', self.pick(&[11, 12, 13, 27, 28, 29, 290])));
                key.extend((0..self.below(3)).map(|_| self.pick(b"\0x\xff")));
            }
            5 => key.extend(self.next().to_be_bytes()),
            _ => key.extend((0..self.below(297)).map(|_| self.next() as u8)),
        }
        key
    }

    fn slot(&mut self) -> Slot {
        Slot {
            kind: self.pick(&[Kind::Put, Kind::Put, Kind::Delete, Kind::Blob]),
            offset: self.next() as u32 >> 2,
            len: self.next() as u32,
        }
    }
}

type Model = BTreeMap<(Vec<u8>, Reverse<u64>), Slot>;
type Row = (Vec<u8>, u64, Slot);

fn row((key, version, slot): (&[u8], Position, Slot)) -> Row {
    (key.to_vec(), version.get(), slot)
}

fn rows(model: &Model) -> Vec<Row> {
    model.iter().map(|((key, Reverse(version)), slot)| (key.clone(), *version, *slot)).collect()
}

/// What a snapshot at `at` shows: of each key the newest version.
fn visible(model: &Model, at: u64) -> Vec<Row> {
    let mut shown = rows(model);
    shown.retain(|row| row.1 <= at);
    shown.dedup_by(|later, earlier| later.0 == earlier.0);
    shown
}

fn filled(seed: u64, inserts: usize) -> (Memtable, Model) {
    let mut random = Random(seed);
    let (table, mut model) = (Memtable::new(), Model::new());
    let mut known = vec![random.key()];
    for step in 0..inserts {
        let key = if random.below(4) == 0 { known[random.below(known.len())].clone() } else { random.key() };
        // Mostly growing versions, some out of order, some twice.
        let version = (step as u64).saturating_sub(random.pick(&[0, 0, 0, 1, 5, 100]));
        let slot = random.slot();
        table.insert(&key, Position::new(version), slot);
        model.insert((key.clone(), Reverse(version)), slot);
        known.push(key);
    }
    (table, model)
}

fn check_whole(table: &Memtable, model: &Model, seed: u64) {
    assert!(table.versions().map(row).eq(rows(model)), "seed {seed}");
}

#[test]
fn agrees_with_a_map() {
    for seed in 0..steps(30, 2) as u64 {
        let inserts = [0, 1, CAPACITY, 300, 3_000][seed as usize % 5];
        let (table, model) = filled(seed, inserts.min(steps(3_000, 60)));
        check_whole(&table, &model, seed);
        let mut random = Random(!seed);
        for _ in 0..steps(2_000, 60) {
            let key = match model.keys().nth(random.below(model.len() + 1)) {
                Some((key, _)) if random.below(3) > 0 => key.clone(),
                _ => random.key(),
            };
            let at = random.below(inserts + 2) as u64;
            let expected =
                model.range((key.clone(), Reverse(at))..).next().filter(|((found, _), _)| *found == key);
            let expected = expected.map(|((_, Reverse(version)), slot)| (Position::new(*version), *slot));
            assert_eq!(table.get(&key, Position::new(at)), expected, "seed {seed}, key {key:?} at {at}");
        }
    }
}

#[test]
fn cursor_walks_like_a_list() {
    for seed in 0..steps(20, 2) as u64 {
        let inserts = [0, 1, 40, 400, 2_000][seed as usize % 5].min(steps(2_000, 50));
        let (table, model) = filled(seed, inserts);
        let mut random = Random(!seed);
        for at in [0, inserts as u64 / 3, inserts as u64] {
            let list = visible(&model, at);
            let mut cursor = Cursor::new(&table, Position::new(at));
            // 0 is before the first, `i + 1` at `list[i]`, `list.len() + 1` behind the last.
            let mut place = 0;
            for _ in 0..steps(1_500, 60) {
                let any = random.key();
                match random.below(24) {
                    0 => {
                        cursor.seek_first();
                        place = 1;
                    }
                    1 => {
                        cursor.seek_lt(LAST);
                        place = list.len();
                    }
                    2 => {
                        cursor.seek_ge(&any);
                        place = list.partition_point(|row| row.0 < any) + 1;
                    }
                    3 => {
                        cursor.seek_lt(&any);
                        place = list.partition_point(|row| row.0 < any);
                    }
                    step if list.is_empty() && step > 3 => {}
                    4 | 5 => {
                        let key = &list[random.below(list.len())].0;
                        place = list.partition_point(|row| row.0 < *key) + 1;
                        cursor.seek_ge(key);
                        if random.below(2) == 0 {
                            cursor.seek_lt(key);
                            place -= 1;
                        }
                    }
                    step => {
                        // Runs in one direction, so that leaves are left, and turns.
                        for _ in 0..random.below(CAPACITY * 2) {
                            if step < 15 {
                                cursor.next();
                                place = (place + 1).min(list.len() + 1);
                            } else {
                                cursor.prev();
                                place = place.saturating_sub(1);
                            }
                        }
                    }
                }
                let expected = place.checked_sub(1).and_then(|index| list.get(index));
                assert_eq!(cursor.current().map(row).as_ref(), expected, "seed {seed} at {at}");
            }
        }
    }
}

#[test]
fn versions_in_any_order_form_one_list() {
    let mut random = Random(5);
    for _ in 0..steps(200, 10) {
        let (table, mut model) = (Memtable::new(), Model::new());
        for _ in 0..12 {
            let (version, slot) = (random.below(10) as u64, random.slot());
            table.insert(b"0000key", Position::new(version), slot);
            model.insert((b"0000key".to_vec(), Reverse(version)), slot);
        }
        check_whole(&table, &model, 5);
        for at in 0..10 {
            let expected = visible(&model, at).pop().map(|row| (Position::new(row.1), row.2));
            assert_eq!(table.get(b"0000key", Position::new(at)), expected);
        }
    }
}

#[test]
fn the_later_write_of_a_frame_wins() {
    let table = Memtable::new();
    let put = Slot { kind: Kind::Put, offset: (1 << 30) - 1, len: u32::MAX };
    let delete = Slot { kind: Kind::Delete, offset: 0, len: 0 };
    for (version, slots) in [(7, [put, delete]), (9, [delete, put]), (8, [put, delete])] {
        for slot in slots {
            table.insert(b"0000key", Position::new(version), slot);
        }
    }
    let found: Vec<_> = table.versions().map(|(_, version, slot)| (version.get(), slot)).collect();
    assert_eq!(found, [(9, put), (8, delete), (7, delete)]);
}

#[test]
fn empty_takes_no_memory_and_few_keys_take_little() {
    let table = Memtable::new();
    assert_eq!(table.allocated(), 0);
    assert_eq!(table.get(b"0000", Position::MAX), None);
    assert_eq!(table.versions().count(), 0);
    let mut cursor = Cursor::new(&table, Position::MAX);
    cursor.seek_lt(LAST);
    cursor.next();
    cursor.prev();
    assert_eq!(cursor.current(), None);
    table.insert(b"0000", Position::ZERO, Slot { kind: Kind::Put, offset: 0, len: 0 });
    assert!(table.allocated() <= 4 << 10);
}

/// Records in each leaf, from left to right.
fn leaf_sizes(table: &Memtable) -> Vec<usize> {
    let first = table.page(Aim::At(&[]), |_| Some(0)).map(|(page, _)| page);
    std::iter::successors(first, Page::next).map(|page| page.into_records().count()).collect()
}

#[test]
fn keys_in_order_fill_their_leaves() {
    let table = Memtable::new();
    let slot = Slot { kind: Kind::Put, offset: 0, len: 0 };
    let each = CAPACITY * CAPACITY * 3;
    for step in 0..each as u32 {
        // Three queues that grow side by side.
        for queue in [1_u32, 2, 3] {
            let key = [queue.to_be_bytes(), [0; 4], [0; 4], [0; 4], step.to_be_bytes()].concat();
            table.insert(&key, Position::new(u64::from(step)), slot);
        }
    }
    let sizes = leaf_sizes(&table);
    assert_eq!(sizes.iter().sum::<usize>(), 3 * each);
    let full = sizes.iter().filter(|&&size| size == CAPACITY).count();
    assert!(full * 10 >= sizes.len() * 9, "{full} of {} leaves are full", sizes.len());
}

#[test]
fn descending_keys_are_found() {
    let table = Memtable::new();
    let slot = Slot { kind: Kind::Put, offset: 0, len: 0 };
    let count = steps(5_000, 60) as u64;
    for step in (0..count).rev() {
        table.insert(&step.to_be_bytes(), Position::new(step), slot);
    }
    let found: Vec<_> = table.versions().map(|(_, version, _)| version.get()).collect();
    assert!(found.into_iter().eq(0..count));
}

#[test]
fn from_sorted_is_the_same_table() {
    for seed in 0..steps(5, 1) as u64 {
        let (table, model) = filled(seed, steps(2_000, 80));
        let copy = Memtable::from_sorted(table.versions());
        check_whole(&copy, &model, seed);
    }
    // One key with very many versions takes no more than its share.
    let many = (0..steps(200_000, 100) as u64).rev();
    let slot = Slot { kind: Kind::Put, offset: 0, len: 0 };
    let table = Memtable::from_sorted(many.map(|version| (b"0000key", Position::new(version), slot)));
    assert_eq!(table.versions().count(), steps(200_000, 100));
    assert_eq!(leaf_sizes(&table), [1]);
}

/// Behind every key of these tests.
const LAST: &[u8] = &[0xff; 400];

fn start<H: Deref<Target = Memtable>>(cursor: &mut Cursor<H>, forward: bool) {
    if forward {
        cursor.seek_first();
    } else {
        cursor.seek_lt(LAST);
    }
}

fn step<H: Deref<Target = Memtable>>(cursor: &mut Cursor<H>, forward: bool) {
    if forward {
        cursor.next();
    } else {
        cursor.prev();
    }
}

/// A cursor stands in a leaf that is split under it, again and again, and still sees what it had to see once.
#[test]
fn leaves_split_under_a_cursor() {
    for seed in 0..steps(20, 2) as u64 {
        let (table, model) = filled(seed, steps(600, 25));
        let at = Position::new(1_000_000);
        let list = visible(&model, at.get());
        let mut random = Random(seed);
        for forward in [true, false] {
            let mut cursor = Cursor::new(&table, at);
            start(&mut cursor, forward);
            let mut seen = Vec::new();
            while let Some(current) = cursor.current() {
                seen.push(row(current));
                if random.below(3) == 0 {
                    for _ in 0..random.below(20) {
                        table.insert(&random.key(), Position::new(2_000_000), random.slot());
                    }
                }
                step(&mut cursor, forward);
            }
            if !forward {
                seen.reverse();
            }
            assert_eq!(seen, list, "seed {seed}, forward {forward}");
        }
    }
}

/// Deref is safe code and may lead elsewhere the second time.
#[test]
#[should_panic(expected = "the handle leads to another table")]
fn a_handle_that_leads_elsewhere_is_refused() {
    struct Fickle<'a>(&'a [Memtable; 2], &'a AtomicUsize);
    impl Deref for Fickle<'_> {
        type Target = Memtable;
        fn deref(&self) -> &Memtable {
            &self.0[self.1.load(Ordering::Relaxed)]
        }
    }
    let (tables, which) = ([filled(1, 10).0, Memtable::new()], AtomicUsize::new(0));
    let mut cursor = Cursor::new(Fickle(&tables, &which), Position::MAX);
    cursor.seek_first();
    which.store(1, Ordering::Relaxed);
    cursor.next();
}

const WRITERS: u64 = 4;

/// Key `step` of a writer: some in order, some scattered, next to those of the others.
fn key_of(writer: u64, step: u64) -> Vec<u8> {
    if step.is_multiple_of(2) {
        let scattered = step.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        [&b"\0\0\0\x01scattered/scattered/"[..], &scattered, &writer.to_be_bytes()].concat()
    } else {
        [&b"\0\0\0\x02"[..], &writer.to_be_bytes(), &step.to_be_bytes()].concat()
    }
}

fn slot_of(writer: u64, step: u64) -> Slot {
    Slot { kind: Kind::Put, offset: writer as u32, len: step as u32 }
}

/// What was inserted before a cursor was made is seen by it, in both directions, once, in order.
#[test]
fn readers_see_what_was_before_them() {
    let table = Arc::new(Memtable::new());
    let count = steps(20_000, 24) as u64;
    let done: [AtomicU64; WRITERS as usize] = Default::default();
    let running = AtomicUsize::new(WRITERS as usize);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (table, done, running) = (&table, &done[writer as usize], &running);
            scope.spawn(move || {
                for step in 0..count {
                    let slot = slot_of(writer, step);
                    table.insert(&key_of(writer, step), Position::new(step), slot);
                    done.store(step + 1, Ordering::Release);
                }
                running.fetch_sub(1, Ordering::Release);
            });
        }
        let mut random = Random(0);
        let mut check = |forward: bool| {
            let before: Vec<u64> = done.iter().map(|done| done.load(Ordering::Acquire)).collect();
            let mut cursor = Cursor::new(Arc::clone(&table), Position::MAX);
            start(&mut cursor, forward);
            let mut seen = [0; WRITERS as usize];
            let mut last: Option<Vec<u8>> = None;
            while let Some((key, version, slot)) = cursor.current() {
                assert!(last.is_none_or(|last| if forward { *last < *key } else { *last > *key }));
                last = Some(key.to_vec());
                let writer = u64::from(slot.offset);
                assert_eq!(key, key_of(writer, u64::from(slot.len)));
                seen[writer as usize] += u64::from(version.get() < before[writer as usize]);
                step(&mut cursor, forward);
            }
            assert_eq!(seen[..], before[..], "forward {forward}");
            for _ in 0..steps(2_000, 4) {
                let writer = random.below(before.len());
                if before[writer] == 0 {
                    continue;
                }
                // Often one of the last, which are in the leaves that are being changed.
                let back = random.pick(&[1, 2, 10, before[writer]]).min(before[writer]);
                let step = before[writer] - 1 - random.below(back as usize) as u64;
                let (key, expected) = (key_of(writer as u64, step), slot_of(writer as u64, step));
                assert_eq!(table.get(&key, Position::MAX), Some((Position::new(step), expected)));
                cursor.seek_ge(&key);
                assert_eq!(cursor.current(), Some((&key[..], Position::new(step), expected)));
                cursor.seek_lt(&key);
                // What came between meanwhile may be in the way.
                while cursor.current().is_none_or(|(at, ..)| at < &key[..]) {
                    cursor.next();
                }
                assert_eq!(cursor.current(), Some((&key[..], Position::new(step), expected)));
            }
        };
        while running.load(Ordering::Acquire) > 0 {
            check(true);
            check(false);
        }
        check(true);
    });
    assert_eq!(table.versions().count() as u64, WRITERS * count);
}

/// A key comes just when a leaf was copied and not yet found unchanged.
#[test]
fn a_leaf_that_changed_is_read_again() {
    let (table, slot) = (Memtable::new(), Slot { kind: Kind::Put, offset: 0, len: 0 });
    table.insert(b"0000b", Position::ZERO, slot);
    let first = Cell::new(true);
    let (page, index) = table
        .page(Aim::At(b"0000b"), |leaf| {
            let index = leaf.find(b"0000b")?.index;
            if first.replace(false) {
                table.insert(b"0000a", Position::ZERO, slot);
            }
            Some(index)
        })
        .unwrap();
    let keys: Vec<_> = page.into_records().map(Ref::key).collect();
    assert_eq!((keys, index), (vec![&b"0000a"[..], b"0000b"], 1));
}

/// Small tables whose few leaves are shifted and split all the time, so that most reads are of a changing one.
#[test]
fn a_changing_leaf_is_not_believed() {
    let tables: Vec<_> = std::iter::repeat_with(Memtable::new).take(steps(2_000, 2)).collect();
    let each = CAPACITY as u64 * 4;
    let done = AtomicU64::new(0);
    let slot = Slot { kind: Kind::Put, offset: 0, len: 0 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for table in &tables {
                for version in 0..each {
                    // In front of all others: everything moves.
                    table.insert(&(each - version).to_be_bytes(), Position::new(version), slot);
                    done.fetch_add(1, Ordering::Release);
                }
            }
        });
        let mut forward = false;
        loop {
            let before = done.load(Ordering::Acquire);
            let Some(table) = tables.get((before / each) as usize) else { break };
            let before = before % each;
            forward = !forward;
            let mut cursor = Cursor::new(table, Position::MAX);
            start(&mut cursor, forward);
            let mut seen = Vec::new();
            while let Some((_, version, _)) = cursor.current() {
                seen.push(version.get());
                step(&mut cursor, forward);
            }
            if forward {
                seen.reverse();
            }
            // Versions grow from the last key to the first: all that were there, and perhaps some more.
            assert!(seen.iter().copied().take(before as usize).eq(0..before), "{seen:?} after {before}");
            assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        }
    });
}

/// All writers write all keys, each in its own order and with its own versions.
#[test]
fn writers_of_the_same_keys_lose_nothing() {
    for seed in 0..steps(5, 1) as u64 {
        let keys: BTreeSet<_> = std::iter::repeat_with(&mut {
            let mut random = Random(seed);
            move || random.key()
        })
        .take(steps(1_500, 12))
        .collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let table = Memtable::new();
        let rounds = steps(4, 2) as u64;
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (table, keys) = (&table, &keys);
                scope.spawn(move || {
                    let mut random = Random(seed ^ writer);
                    for round in 0..rounds {
                        let mut order: Vec<_> = keys.iter().collect();
                        for index in 1..order.len() {
                            order.swap(index, random.below(index + 1));
                        }
                        for key in order {
                            let version = Position::new(round * WRITERS + writer);
                            table.insert(key, version, slot_of(writer, round));
                            let (newest, _) = table.get(key, Position::MAX).expect("just inserted");
                            assert!(newest >= version, "seed {seed}");
                            assert_eq!(table.get(key, version), Some((version, slot_of(writer, round))));
                        }
                    }
                });
            }
        });
        let mut model = Model::new();
        for key in &keys {
            for version in 0..rounds * WRITERS {
                let slot = slot_of(version % WRITERS, version / WRITERS);
                model.insert((key.clone(), Reverse(version)), slot);
            }
        }
        check_whole(&table, &model, seed);
    }
}
