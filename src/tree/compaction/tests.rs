//! Plans carried out on runs that are lists of keys and versions, against a map.

use super::{
    pick::{Full, full, l0_pressure, pick},
    *,
};
use crate::{clock::Timestamp, random::Random, tree::manifest::Manifest};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// As long as every entry is; a segment has [`SEGMENT`] of them.
const ENTRY_LEN: u64 = 100;
const SEGMENT: u64 = 64;

const LIMITS: Limits = Limits {
    l0_merge: 4,
    l0_slow: 8,
    l0_stop: 12,
    level1: 4 * SEGMENT * ENTRY_LEN,
    ratio: 4,
    cut: SEGMENT * ENTRY_LEN,
    crumbs: 8,
    deletes_one_in: 3,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: u32,
    version: u64,
    is_delete: bool,
}

#[derive(Clone, Debug)]
struct Run {
    meta: Meta,
    entries: Vec<Entry>,
}

fn key(key: u32) -> Bytes {
    [1_u32.to_be_bytes(), key.to_be_bytes()].concat().into()
}

fn run(id: u64, entries: Vec<Entry>) -> Run {
    let versions = || entries.iter().map(|entry| entry.version);
    let meta = Meta {
        id: RunId::new(id),
        file_len: entries.len() as u64 * ENTRY_LEN,
        entries: entries.len() as u64,
        deletes: entries.iter().filter(|entry| entry.is_delete).count() as u64,
        keys: entries.iter().map(|entry| entry.key).collect::<BTreeSet<_>>().len() as u64,
        min_key: key(entries[0].key),
        max_key: key(entries[entries.len() - 1].key),
        min_version: Position::new(versions().min().unwrap()),
        max_version: Position::new(versions().max().unwrap()),
        checksum: 0,
    };
    Run { meta, entries }
}

/// What a reader at some version sees.
type Model = BTreeMap<u32, u64>;

/// A tree whose runs are in memory.
struct Tree {
    levels: Vec<Vec<Run>>,
    limits: Limits,
    memtable: Vec<Entry>,
    running: Vec<Merge>,
    dead: Vec<Range<u32>>,
    version: u64,
    next_run: u64,
    model: Model,
    snapshot: Option<(u64, Model)>,
    /// Bytes folded, and bytes written by merges.
    folded: u64,
    rewritten: u64,
}

impl Tree {
    fn new(limits: Limits) -> Self {
        Self {
            levels: vec![Vec::new(); LEVELS],
            limits,
            memtable: Vec::new(),
            running: Vec::new(),
            dead: Vec::new(),
            version: 0,
            next_run: 0,
            model: Model::new(),
            snapshot: None,
            folded: 0,
            rewritten: 0,
        }
    }

    fn write(&mut self, key: u32, is_delete: bool) {
        self.version += 1;
        self.memtable.push(Entry { key, version: self.version, is_delete });
        if is_delete {
            self.model.remove(&key);
        } else {
            self.model.insert(key, self.version);
        }
        if self.memtable.len() as u64 == SEGMENT {
            self.fold();
        }
    }

    fn fold(&mut self) {
        let entries = std::mem::take(&mut self.memtable);
        let entries = self.kept(entries, false);
        if entries.is_empty() {
            return;
        }
        self.folded += entries.len() as u64 * ENTRY_LEN;
        let run = run(self.next_run, entries);
        self.next_run += 1;
        self.levels[0].push(run);
    }

    fn horizon(&self) -> u64 {
        self.snapshot.as_ref().map_or(self.version, |(version, _)| *version)
    }

    fn is_dead(&self, key: u32) -> bool {
        self.dead.iter().any(|dead| dead.contains(&key))
    }

    /// What a merge keeps of `entries`.
    fn kept(&self, mut entries: Vec<Entry>, bottom: bool) -> Vec<Entry> {
        entries.sort_unstable_by_key(|entry| (entry.key, Reverse(entry.version)));
        let horizon = self.horizon();
        let mut shadowed = None;
        entries.retain(|entry| {
            if self.is_dead(entry.key) || shadowed == Some(entry.key) {
                return false;
            }
            if entry.version <= horizon {
                shadowed = Some(entry.key);
                return !(bottom && entry.is_delete);
            }
            true
        });
        entries
    }

    fn with_state<T>(&self, decide: impl FnOnce(&State<'_>) -> T) -> T {
        let levels: Vec<Vec<&Meta>> =
            self.levels.iter().map(|level| level.iter().map(|run| &run.meta).collect()).collect();
        let dead: Vec<_> = self.dead.iter().map(|dead| key(dead.start)..key(dead.end)).collect();
        decide(&State {
            levels: &levels,
            running: &self.running,
            dead: &dead,
            horizon: Position::new(self.horizon()),
        })
    }

    fn pick(&self) -> Option<Plan> {
        let plan = self.with_state(|state| pick(state, &self.limits));
        assert_eq!(plan, self.with_state(|state| pick(state, &self.limits)), "the same state, the same plan");
        plan
    }

    fn position(&self, level: usize, id: RunId) -> usize {
        self.levels[level].iter().position(|run| run.meta.id == id).expect("a plan names runs that are there")
    }

    /// Carries out what needs no rewriting; begins a merge.
    fn begin(&mut self, plan: Plan) {
        match plan {
            Plan::Drop { runs } => {
                assert!(!runs.is_empty());
                for id in runs {
                    let level = (0..LEVELS)
                        .find(|level| self.levels[*level].iter().any(|run| run.meta.id == id))
                        .unwrap();
                    let at = self.position(level, id);
                    let run = self.levels[level].remove(at);
                    assert!(
                        run.entries.iter().all(|entry| self.is_dead(entry.key)),
                        "only dead keys are dropped"
                    );
                }
            }
            Plan::Move { run, from, to } => {
                assert!(from < to);
                let at = self.position(from, run);
                let run = self.levels[from].remove(at);
                self.insert(to, run);
            }
            Plan::Merge(merge) => {
                let runs = |merge: &Merge| -> BTreeSet<RunId> {
                    merge.inputs.iter().flat_map(|input| input.runs.clone()).collect()
                };
                let are_shared = |other| !runs(other).is_disjoint(&runs(&merge));
                assert!(!self.running.iter().any(are_shared), "a run in two merges");
                self.running.push(merge);
            }
        }
    }

    fn insert(&mut self, level: usize, run: Run) {
        let at = self.levels[level].partition_point(|other| other.meta.min_key < run.meta.min_key);
        self.levels[level].insert(at, run);
    }

    /// Carries out a merge that was begun.
    fn finish(&mut self, index: usize) {
        let merge = self.running.remove(index);
        let mut entries = Vec::new();
        let mut lowest = 0;
        for input in &merge.inputs {
            lowest = input.level;
            for id in &input.runs {
                let at = self.position(input.level, *id);
                let run = self.levels[input.level].remove(at);
                assert!(merge.min_key <= run.meta.min_key);
                assert!(run.meta.max_key <= merge.max_key);
                entries.extend(run.entries);
            }
        }
        assert!(merge.output == lowest || merge.output == lowest + 1);
        let mut rest = &self.kept(entries, merge.bottom)[..];
        while !rest.is_empty() {
            let mut len = rest.len().min(usize::try_from(merge.cut / ENTRY_LEN).unwrap());
            while len < rest.len() && rest[len].key == rest[len - 1].key {
                len += 1;
            }
            let (head, tail) = rest.split_at(len);
            self.rewritten += len as u64 * ENTRY_LEN;
            let run = run(self.next_run, head.to_vec());
            self.next_run += 1;
            self.insert(merge.output, run);
            rest = tail;
        }
    }

    /// Compacts until there is nothing to do; the kinds of plans that it took.
    fn settle(&mut self) -> Counts {
        let mut counts = Counts::default();
        while let Some(plan) = self.pick() {
            counts.add(&plan);
            self.begin(plan);
            while !self.running.is_empty() {
                self.finish(0);
            }
            self.check();
            assert!(counts.all() < 10_000, "compaction ends");
        }
        self.check_sizes();
        counts
    }

    fn full(&mut self) -> Counts {
        let wish = Full { runs: RunId::new(self.next_run), versions: Position::new(self.version + 1) };
        let mut counts = Counts::default();
        while let Some(plan) = self.with_state(|state| full(state, &self.limits, wish)) {
            counts.add(&plan);
            self.begin(plan);
            while !self.running.is_empty() {
                self.finish(0);
            }
            self.check();
            assert!(counts.all() < 10_000, "compaction ends");
        }
        counts
    }

    /// K1 and K2, what readers see, and that a manifest accepts it.
    fn check(&self) {
        for level in &self.levels[1..] {
            for pair in level.windows(2) {
                assert!(pair[0].meta.max_key < pair[1].meta.min_key, "K2");
            }
        }
        let mut seen: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        let newest_first = self.levels[0].iter().rev().chain(self.levels[1..].iter().flatten());
        let mut memtable = self.memtable.clone();
        memtable.reverse();
        for entry in memtable.iter().chain(newest_first.flat_map(|run| &run.entries)) {
            let versions = seen.entry(entry.key).or_default();
            assert!(versions.last().is_none_or(|newer| newer.version > entry.version), "K1 for {entry:?}");
            versions.push(*entry);
        }
        self.check_reads(&seen, u64::MAX, &self.model);
        if let Some((version, model)) = &self.snapshot {
            self.check_reads(&seen, *version, model);
        }
        self.check_manifest();
    }

    fn check_reads(&self, seen: &BTreeMap<u32, Vec<Entry>>, at: u64, model: &Model) {
        let visible = seen.iter().filter_map(|(key, versions)| {
            let newest = versions.iter().find(|entry| entry.version <= at)?;
            (!newest.is_delete && !self.is_dead(*key)).then_some((*key, newest.version))
        });
        let alive =
            model.iter().filter(|(key, _)| !self.is_dead(**key)).map(|(key, version)| (*key, *version));
        assert!(visible.eq(alive), "what is read is what was written");
    }

    fn check_manifest(&self) {
        let levels =
            self.levels.iter().map(|level| level.iter().map(|run| run.meta.clone()).collect()).collect();
        let manifest = Manifest {
            store_id: 1,
            created: Timestamp::UNIX_EPOCH,
            segment_shift: 20,
            blob_shift: 20,
            epoch: 1,
            log_start: Position::ZERO,
            durable: Position::ZERO,
            next_run: self.next_run,
            next_keyspace: 2,
            next_blob: 0,
            levels,
            keyspaces: Vec::new(),
            blobs: Vec::new(),
        };
        assert_eq!(Manifest::decode(&manifest.encode(), Path::new("m")).unwrap(), manifest);
    }

    fn bytes(&self, level: usize) -> u64 {
        self.levels[level].iter().map(|run| run.meta.file_len).sum()
    }

    /// Nothing is over its limit when there is nothing to do.
    fn check_sizes(&self) {
        let level0: Vec<_> = self.levels[0].iter().map(|run| &run.meta).collect();
        assert_eq!(l0_pressure(&level0, &self.limits), Pressure::None);
        let spans: Vec<_> = level0.iter().map(|run| (&run.min_key, &run.max_key)).collect();
        for (min, _) in &spans {
            let depth = spans.iter().filter(|span| span.0 <= *min && *min <= span.1).count();
            assert!(depth < self.limits.l0_merge);
        }
        assert!(spans.len() < 4 * self.limits.l0_merge);
        for level in 1..LEVELS {
            assert!(self.bytes(level) <= self.limits.target(level), "level {level} is over its target");
            for run in &self.levels[level] {
                // A key's versions stay together, however many a snapshot keeps.
                assert!(run.meta.keys * ENTRY_LEN <= self.limits.cut);
            }
        }
    }

    /// How often a byte is written once it is folded, in tenths.
    fn amplification(&self) -> String {
        let tenths = (self.folded + self.rewritten) * 10 / self.folded;
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    fn sizes(&self) -> Vec<u64> {
        (0..LEVELS).map(|level| self.bytes(level) / ENTRY_LEN).collect()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    drops: u32,
    moves: u32,
    merges: u32,
}

impl Counts {
    fn add(&mut self, plan: &Plan) {
        match plan {
            Plan::Drop { .. } => self.drops += 1,
            Plan::Move { .. } => self.moves += 1,
            Plan::Merge(_) => self.merges += 1,
        }
    }

    fn all(self) -> u32 {
        self.drops + self.moves + self.merges
    }
}

/// A kind of work for the tree: the key to write, and whether it is deleted.
type Load = fn(&Random, u64) -> (u32, bool);

const KEYS: u64 = 4000;

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap()
}

const LOADS: [(&str, Load); 6] = [
    ("random", |random, _| (small(random.below(KEYS)), false)),
    ("random, a third deleted", |random, _| (small(random.below(KEYS)), random.below(3) == 0)),
    ("ascending", |_, n| (small(n), false)),
    // Sent at the head, deleted 200 later: three segments on.
    ("queue", |_, n| if n % 2 == 0 || n < 400 { (small(n / 2), false) } else { (small(n / 2 - 200), true) }),
    ("hot", |random, _| (small(random.below(KEYS) * random.below(KEYS) / KEYS), false)),
    ("mixed", |random, n| match random.below(3) {
        0 => (small(random.below(500)), false),
        1 => (small(1000 + n), false),
        _ => (small(1_000_000 + n / 9), random.below(2) == 0),
    }),
];

#[test]
fn levels_stay_in_order_under_every_load() {
    for (name, load) in LOADS {
        for seed in 0..2 {
            println!("{name}, seed {seed}");
            let random = Random::from_seed(seed);
            let mut tree = Tree::new(LIMITS);
            for n in 0..20_000 {
                let (key, is_delete) = load(&random, n);
                tree.write(key, is_delete);
                if tree.memtable.is_empty() {
                    tree.settle();
                }
            }
            println!("  wrote {} times, levels {:?}", tree.amplification(), tree.sizes());
        }
    }
}

/// Merges take their time: several run at once, and segments are folded meanwhile. Snapshots come and go, keys die.
#[test]
fn levels_stay_in_order_while_merges_run() {
    let mut most = 0;
    for seed in 0..24 {
        let random = Random::from_seed(seed);
        let (name, load) = LOADS[usize::try_from(seed).unwrap() % LOADS.len()];
        println!("{name}, seed {seed}");
        let mut tree = Tree::new(LIMITS);
        for n in 0..6000 {
            let (key, is_delete) = load(&random, n);
            if !tree.is_dead(key) {
                tree.write(key, is_delete);
            }
            match random.below(160) {
                0..8 => {
                    if let Some(plan) = tree.pick() {
                        tree.begin(plan);
                        tree.check();
                    }
                }
                8..10 if !tree.running.is_empty() => {
                    let index = random.below(tree.running.len() as u64);
                    tree.finish(usize::try_from(index).unwrap());
                    tree.check();
                }
                10 => tree.snapshot = Some((tree.version, tree.model.clone())),
                11 => tree.snapshot = None,
                12 if n % 10 == 0 && random.below(5) == 0 && tree.memtable.is_empty() => {
                    // As a floor that rises: everything below.
                    let end = tree.dead.first().map_or(0, |dead| dead.end) + small(random.below(300)) + 1;
                    tree.dead.clear();
                    tree.dead.push(0..end);
                    tree.snapshot = None;
                }
                _ => {}
            }
            most = most.max(tree.running.len());
        }
        while !tree.running.is_empty() {
            tree.finish(0);
            tree.check();
        }
        tree.settle();
    }
    assert!(most >= 3, "merges run side by side: {most}");
}

#[test]
fn ascending_runs_are_moved_and_never_rewritten() {
    let mut tree = Tree::new(LIMITS);
    let mut counts = Counts::default();
    for n in 0..50_000 {
        tree.write(n, false);
        if tree.memtable.is_empty() {
            let settled = tree.settle();
            counts.moves += settled.moves;
            counts.merges += settled.merges;
        }
    }
    assert_eq!((tree.rewritten, counts.merges), (0, 0));
    let folds = 50_000 / SEGMENT;
    assert!(
        u64::from(counts.moves) < 2 * folds,
        "{counts:?}: most runs are moved once, to where there is room"
    );
    println!("ascending: {folds} folds, {counts:?}, levels {:?}", tree.sizes());
}

/// A second pass over what the first has written: segments lie side by side, each over something deeper.
#[test]
fn runs_side_by_side_do_not_pile_up() {
    let mut tree = Tree::new(LIMITS);
    for n in 0..20_000 {
        tree.write(n % 10_000, false);
        if tree.memtable.is_empty() {
            tree.settle();
        }
    }
    println!("second pass: wrote {} times, levels {:?}", tree.amplification(), tree.sizes());
    assert!(tree.levels[0].len() < 16);
}

/// A queue that is drained leaves nothing, and the few bytes of each segment do not become a file each.
#[test]
fn a_drained_queue_leaves_few_files_and_then_none() {
    let mut tree = Tree::new(LIMITS);
    let queued = |tree: &Tree| tree.levels.iter().map(Vec::len).sum::<usize>();
    for n in 0..20_000 {
        tree.write(n, false);
        // All but one of fifty are gone within the segment.
        if n % 50 != 0 {
            tree.write(n, true);
        }
        if tree.memtable.is_empty() {
            tree.settle();
        }
    }
    tree.fold();
    tree.settle();
    assert!(queued(&tree) < 100, "{} files for 400 entries in 600 segments", queued(&tree));
    for n in (0..20_000).step_by(50) {
        tree.write(n, true);
    }
    tree.fold();
    tree.full();
    assert_eq!(queued(&tree), 0);
}

#[test]
fn a_full_compaction_leaves_what_is_alive() {
    for (name, load) in LOADS {
        for seed in 0..3 {
            println!("{name}, seed {seed}");
            let random = Random::from_seed(seed);
            let mut tree = Tree::new(LIMITS);
            for n in 0..8000 {
                let (key, is_delete) = load(&random, n);
                tree.write(key, is_delete);
                if n == 2000 {
                    tree.snapshot = Some((tree.version, tree.model.clone()));
                }
                if tree.memtable.is_empty() && random.below(3) == 0 {
                    tree.settle();
                }
            }
            tree.snapshot = None;
            tree.fold();
            tree.full();
            let alive = tree.model.len() as u64;
            let entries: u64 = tree.levels.iter().flatten().map(|run| run.meta.entries).sum();
            assert_eq!(entries, alive);
            assert!(tree.levels.iter().filter(|level| !level.is_empty()).count() <= 1, "one level");
            let before = tree.rewritten;
            assert_eq!(tree.full(), Counts::default(), "nothing is left to do");
            assert_eq!(tree.rewritten, before);
        }
    }
}

#[test]
fn a_full_compaction_rewrites_no_clean_run() {
    let mut tree = Tree::new(LIMITS);
    for n in 0..10_000 {
        tree.write(n, false);
        if tree.memtable.is_empty() {
            tree.settle();
        }
    }
    tree.full();
    assert_eq!(tree.rewritten, 0);
}

/// What a snapshot pins is kept, and does not make compaction run in circles.
#[test]
fn deletes_that_a_snapshot_needs_wait_for_it() {
    let mut tree = Tree::new(LIMITS);
    (0..640).for_each(|n| tree.write(n, false));
    tree.settle();
    tree.snapshot = Some((tree.version, tree.model.clone()));
    (0..640).for_each(|n| tree.write(n, true));
    tree.settle();
    tree.full();
    tree.check();
    let entries = |tree: &Tree| tree.levels.iter().flatten().map(|run| run.meta.entries).sum::<u64>();
    assert_eq!(entries(&tree), 2 * 640);
    tree.snapshot = None;
    tree.settle();
    tree.full();
    assert_eq!(entries(&tree), 0);
}

/// Runs over `spans` of keys, with ascending versions, in the given levels.
fn state(levels: &[&[(u32, u32)]]) -> Tree {
    let mut tree = Tree::new(LIMITS);
    for level in (0..levels.len()).rev() {
        for &(min, max) in levels[level] {
            tree.version += 1;
            let entry = |key| Entry { key, version: tree.version, is_delete: false };
            let entries = if min == max { vec![entry(min)] } else { vec![entry(min), entry(max)] };
            tree.levels[level].push(run(tree.next_run, entries));
            tree.next_run += 1;
        }
    }
    tree
}

fn merge(plan: Option<Plan>) -> Merge {
    match plan {
        Some(Plan::Merge(merge)) => merge,
        other => panic!("a merge expected: {other:?}"),
    }
}

fn inputs(merge: &Merge) -> Vec<(usize, Vec<u64>)> {
    merge.inputs.iter().map(|input| (input.level, input.runs.iter().map(|id| id.get()).collect())).collect()
}

#[test]
fn only_what_lies_over_nothing_older_falls() {
    let falls = |levels: &[&[(u32, u32)]]| state(levels).pick();
    let plan = |run, to| Some(Plan::Move { run: RunId::new(run), from: 0, to });
    assert_eq!(falls(&[&[(0, 9)]]), plan(0, 1));
    assert_eq!(falls(&[&[(0, 9), (5, 12)]]), plan(0, 1), "a newer one may lie over it");
    assert_eq!(falls(&[&[(5, 12)], &[(0, 5)]]), None);
    assert_eq!(
        falls(&[&[(5, 12), (8, 20), (30, 40)], &[(0, 5)]]),
        plan(3, 1),
        "the second lies over the first"
    );
    assert_eq!(falls(&[&[(5, 12)], &[], &[(6, 7)]]), plan(1, 1), "what lies deeper is older still");
}

#[test]
fn a_full_level_is_fallen_through() {
    let mut tree = state(&[&[(100, 110)], &[(0, 9)], &[(50, 50)]]);
    tree.levels[1][0].meta.file_len = LIMITS.level1;
    assert_eq!(tree.pick(), Some(Plan::Move { run: RunId::new(2), from: 0, to: 2 }));
    tree.levels[2][0].meta.max_key = key(105);
    assert_eq!(tree.pick(), Some(Plan::Move { run: RunId::new(2), from: 0, to: 1 }), "as far as it can");
}

#[test]
fn a_heap_is_merged_as_a_whole_and_others_stay() {
    // Two heaps: four over key 10, and two over key 100. The chain from 10 to 20 hangs together by (12, 18).
    let tree = state(&[
        &[(0, 10), (90, 100), (10, 11), (5, 10), (10, 12), (12, 18), (95, 110)],
        &[(0, 1), (17, 30), (40, 99)],
    ]);
    let merge = merge(tree.pick());
    assert_eq!(inputs(&merge), [(0, vec![3, 5, 6, 7, 8]), (1, vec![0, 1])]);
    assert_eq!((merge.output, merge.bottom), (1, true));
    assert_eq!((&merge.min_key, &merge.max_key), (&key(0), &key(30)));
}

#[test]
fn a_merge_is_bottom_only_over_nothing() {
    let bottom = |below: (u32, u32)| {
        let upper = [(0, 10), (0, 10), (0, 10), (0, 10)];
        merge(state(&[&upper, &[(10, 20)], &[], &[below]]).pick()).bottom
    };
    assert!(!bottom((20, 25)), "it may hide what is under the run that is taken along");
    assert!(!bottom((0, 0)));
    assert!(bottom((21, 25)));
}

#[test]
fn running_merges_are_left_alone() {
    let upper = [(0, 10), (0, 10), (0, 10), (0, 10), (50, 60), (50, 60), (50, 60), (50, 60)];
    let mut tree = state(&[&upper, &[(5, 5), (55, 55)]]);
    let first = tree.pick().unwrap();
    tree.begin(first);
    let second = tree.pick().unwrap();
    tree.begin(second);
    assert_eq!(inputs(&tree.running[1]), [(0, vec![6, 7, 8, 9]), (1, vec![1])]);
    assert_eq!(tree.pick(), None);
    tree.version += 1;
    let over = run(90, vec![Entry { key: 7, version: tree.version, is_delete: false }]);
    let beside = run(91, vec![Entry { key: 30, version: tree.version, is_delete: false }]);
    tree.levels[0].extend([over, beside]);
    assert_eq!(tree.pick(), Some(Plan::Move { run: RunId::new(91), from: 0, to: 1 }));
}

#[test]
fn dead_runs_are_forgotten_first() {
    let mut tree = state(&[&[(0, 10), (5, 20)], &[(3, 4), (18, 30)], &[(20, 21)]]);
    tree.dead = vec![0..11, 15..21, 22..31];
    assert_eq!(tree.pick(), Some(Plan::Drop { runs: vec![RunId::new(3), RunId::new(1)] }));
    tree.dead = vec![0..10, 11..20];
    assert_eq!(tree.pick(), Some(Plan::Drop { runs: vec![RunId::new(1)] }), "the end is not dead");
}

#[test]
fn pressure_counts_what_lies_over_one_key() {
    let pressure = |spans: &[(u32, u32)]| {
        let tree = state(&[spans]);
        tree.with_state(|state| l0_pressure(&state.levels[0], &LIMITS))
    };
    let disjoint: Vec<_> = (0..30).map(|n| (n * 10, n * 10 + 9)).collect();
    assert_eq!(pressure(&[]), Pressure::None);
    assert_eq!(pressure(&disjoint), Pressure::None);
    assert_eq!(
        pressure(&[&disjoint[..], &[(300, 300), (400, 400)]].concat()),
        Pressure::Slow { step: 1, steps: 4 }
    );
    assert_eq!(pressure(&[(0, 9); 7]), Pressure::None);
    assert_eq!(pressure(&[(0, 9); 8]), Pressure::Slow { step: 1, steps: 4 });
    assert_eq!(pressure(&[(0, 9); 11]), Pressure::Slow { step: 4, steps: 4 });
    assert_eq!(pressure(&[(0, 9); 12]), Pressure::Stop);
}

#[test]
fn targets_grow_by_the_ratio_and_the_last_has_none() {
    let limits = Limits::for_segments(64 << 20);
    assert_eq!(limits.target(1), 256 << 20);
    assert_eq!(limits.target(2), 2560 << 20);
    assert_eq!(limits.target(LEVELS - 1), u64::MAX);
    assert_eq!(Limits::for_segments(1 << 14).target(1), 1 << 20);
    assert_eq!(Limits::for_segments(u64::MAX).target(3), u64::MAX);
}
