//! Which crash images are worth looking at: all of them if they are few, else the telling ones.
//!
//! E1. No two states of one enumeration leave the same choice of versions: what cannot be seen (pages of a file that has no
//!     name then, or behind its end) counts as lost.
//! E2. Few items: every combination of every version. Many: nothing; everything; everything up to each call, which is
//!     what a device that keeps the order leaves; each item alone; all but each; the names up to each operation, without
//!     and with the data; and random choices.
//! E3. Each of these also with one page torn, where the two versions differ around the cut.

use super::{
    content::Page,
    crash::{Item, Survival, Torn, What},
    faults::Random,
    world::{Dir, World},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// How far [`SimDisk::crash_states`](super::SimDisk::crash_states) goes.
///
/// ```
/// use fourfold::sim::CrashLimits;
/// // Also tears pages at any 64 bytes, as devices without sectors do.
/// let limits = CrashLimits { cut: 64, ..CrashLimits::default() };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrashLimits {
    /// Up to so many unsynced items, all combinations are enumerated ...
    pub exhaustive_items: usize,
    /// ... unless that makes more states than this.
    pub exhaustive_states: usize,
    /// Random combinations, and states "up to a call", of each kind where not all are enumerated.
    pub random: usize,
    /// Torn variants of each state; a random choice where there are more.
    pub torn: usize,
    /// Pages are torn at multiples of this many bytes.
    pub cut: usize,
    /// Of all that is random.
    pub seed: u64,
}

impl Default for CrashLimits {
    /// All combinations of up to 4 items, 16 random ones else, each with up to 16 torn variants at 512 bytes.
    fn default() -> Self {
        Self { exhaustive_items: 4, exhaustive_states: 512, random: 16, torn: 16, cut: 512, seed: 0 }
    }
}

/// The states of a disk after a power cut; see [`SimDisk::crash_states`](super::SimDisk::crash_states).
///
/// ```
/// use fourfold::sim::{CrashLimits, SimDisk};
/// let disk = SimDisk::new();
/// let mut states = disk.crash_states(CrashLimits::default());
/// assert!(states.next().is_some(), "a disk with nothing to lose has one state");
/// assert!(states.next().is_none());
/// ```
#[derive(Debug)]
pub struct CrashStates {
    items: Vec<Item>,
    limits: CrashLimits,
    random: Random,
    whole: VecDeque<Arc<[u32]>>,
    torn: Vec<Survival>,
}

impl CrashStates {
    pub(super) fn new(world: &World, limits: CrashLimits) -> Self {
        let random = Random::new(limits.seed);
        let mut plan = Plan {
            items: world.items(),
            dirs: world.dirs.values().cloned().collect(),
            seen: BTreeSet::new(),
            found: VecDeque::new(),
        };
        let mut states = Self {
            items: Vec::new(),
            limits: CrashLimits { cut: limits.cut.max(1), ..limits },
            random,
            whole: VecDeque::new(),
            torn: Vec::new(),
        };
        let combinations =
            plan.items.iter().try_fold(1_usize, |all, item| all.checked_mul(item.calls.len() + 1));
        let few = plan.items.len() <= states.limits.exhaustive_items;
        match combinations {
            Some(combinations) if few && combinations <= states.limits.exhaustive_states => {
                plan.every_combination(combinations);
            }
            _ => plan.telling_ones(states.limits.random, &mut states.random),
        }
        (states.items, states.whole) = (plan.items, plan.found);
        states
    }

    fn torn_variants(&mut self, versions: &Arc<[u32]>) {
        for (number, (item, &version)) in self.items.iter().zip(&**versions).enumerate() {
            let What::Page { pages, .. } = &item.what else { continue };
            // Over the version before, and over the durable one: the device may have skipped those between.
            let olders = version.checked_sub(1).into_iter().chain((version > 1).then_some(0));
            for older in olders {
                for cut in cuts(&pages[older as usize], &pages[version as usize], self.limits.cut) {
                    for tail in [false, true] {
                        let torn = Some(Torn { item: number, older, cut, tail });
                        self.torn.push(Survival { versions: Arc::clone(versions), others: 0, torn });
                    }
                }
            }
        }
        while self.torn.len() > self.limits.torn {
            let victim = self.random.below(self.torn.len());
            self.torn.swap_remove(victim);
        }
    }
}

impl Iterator for CrashStates {
    type Item = Survival;

    fn next(&mut self) -> Option<Survival> {
        if let Some(torn) = self.torn.pop() {
            return Some(torn);
        }
        let versions = self.whole.pop_front()?;
        self.torn_variants(&versions);
        Some(Survival { versions, others: 0, torn: None })
    }
}

/// Where a tear between two pages shows: the multiples of `step` inside the range in which they differ.
fn cuts(older: &Page, newer: &Page, step: usize) -> impl Iterator<Item = usize> {
    let differ = |(old, new): (&u8, &u8)| old != new;
    let first = older.iter().zip(newer.iter()).position(differ);
    let last = older.iter().zip(newer.iter()).rposition(differ);
    let inside = first.zip(last).map_or(0..0, |(first, last)| first / step + 1..last / step + 1);
    inside.map(move |multiple| multiple * step)
}

/// The states as they are found.
struct Plan {
    items: Vec<Item>,
    dirs: Vec<Dir>,
    seen: BTreeSet<Arc<[u32]>>,
    found: VecDeque<Arc<[u32]>>,
}

impl Plan {
    fn every_combination(&mut self, combinations: usize) {
        for mut number in 0..combinations {
            let versions = self.items.iter().map(|item| {
                let radix = item.calls.len() + 1;
                let version = number % radix;
                number /= radix;
                u32::try_from(version).expect("versions fit in memory")
            });
            let versions = versions.collect();
            self.add(versions);
        }
    }

    fn telling_ones(&mut self, samples: usize, random: &mut Random) {
        let newest: Vec<u32> = self.items.iter().map(Item::newest).collect();
        self.add(vec![0; newest.len()]);
        self.add(newest.clone());

        let mut calls: Vec<u64> = self.items.iter().flat_map(|item| item.calls.iter().copied()).collect();
        calls.sort_unstable();
        calls.dedup();
        while calls.len() > samples {
            calls.remove(random.below(calls.len()));
        }
        for call in calls {
            let versions =
                self.items.iter().map(|item| item.calls.iter().filter(|made| **made <= call).count());
            let versions =
                versions.map(|version| u32::try_from(version).expect("versions fit in memory")).collect();
            self.add(versions);
        }

        for item in 0..newest.len() {
            let mut alone = vec![0; newest.len()];
            alone[item] = newest[item];
            self.add(alone);
            let mut others = newest.clone();
            others[item] = 0;
            self.add(others);
        }

        let names = self.items.iter().filter(|item| matches!(item.what, What::Name { .. })).count();
        for kept in 0..=names {
            for data in [0, u32::MAX] {
                let versions = newest.iter().enumerate().map(|(item, newest)| match item {
                    item if item < kept => *newest,
                    item if item < names => 0,
                    _ => data.min(*newest),
                });
                self.add(versions.collect());
            }
        }

        for _ in 0..samples {
            let versions = newest.iter().map(|newest| {
                let version = random.below(*newest as usize + 1);
                u32::try_from(version).expect("not above the newest")
            });
            self.add(versions.collect());
        }
    }

    /// Adds a state if no other looks the same (E1).
    fn add(&mut self, mut versions: Vec<u32>) {
        self.keep_names_in_order(&mut versions);
        self.forget_unseen(&mut versions);
        let versions: Arc<[u32]> = versions.into();
        if self.seen.insert(Arc::clone(&versions)) {
            self.found.push_back(versions);
        }
    }

    /// Drops each name operation that builds on one that did not survive.
    fn keep_names_in_order(&self, versions: &mut [u32]) {
        let mut first = 0;
        for dir in &self.dirs {
            let ops = &dir.pending;
            for later in 0..ops.len() {
                let lost = |earlier: usize| versions[first + earlier] == 0;
                if (0..later).any(|earlier| lost(earlier) && ops[earlier].1.shares_name(&ops[later].1)) {
                    versions[first + later] = 0;
                }
            }
            first += ops.len();
        }
    }

    fn forget_unseen(&self, versions: &mut [u32]) {
        let mut linked = BTreeSet::new();
        let mut item = 0;
        for dir in &self.dirs {
            let mut names = Arc::clone(&dir.durable);
            for (_, op) in &dir.pending {
                if versions[item] > 0 {
                    op.apply(&mut names);
                }
                item += 1;
            }
            linked.extend(names.values().copied());
        }
        // The length of a file comes before its pages; without such an item, every page is within it.
        let mut lens = BTreeMap::new();
        for (item, version) in self.items.iter().zip(versions) {
            let seen = match &item.what {
                What::Name { .. } => true,
                What::Len { node, lens: versions } => {
                    lens.insert(*node, versions[*version as usize]);
                    linked.contains(node)
                }
                What::Page { node, index, .. } => {
                    let start = (*index * super::content::PAGE_LEN) as u64;
                    linked.contains(node) && lens.get(node).is_none_or(|len| start < *len)
                }
            };
            if !seen {
                *version = 0;
            }
        }
    }
}
