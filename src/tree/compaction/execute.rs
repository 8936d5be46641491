//! Carrying out a plan: moves, drops and merges of runs.
//!
//! C1. One plan at a time (`compacting`); folds may add runs to level 0 meanwhile, in front of everything a plan names,
//!     so the order of places holds.
//! C2. Outputs are complete and synced before the manifest names them; inputs are removed after it forgot them.
//! C3. All versions of a key stay in one output run: the levels below 0 stay disjoint by key.

use crate::error::Result;
use crate::storage::{File, Storage};
use crate::sync::flaw;
use crate::tree::compaction::pick::{Full, full, pick};
use crate::tree::compaction::{Merge, Plan, State};
use crate::tree::entry::Entry;
use crate::tree::outputs::{Cut, Outputs};
use crate::tree::retain::Retain;
use crate::tree::run::{Meta, Run, RunId, Versions};
use crate::tree::view::covers;
use crate::tree::{Garbage, Tree};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Between two looks at more urgent work, a merge handles this many entries.
const ENTRIES_PER_LOOK: u32 = 4096;

impl<S: Storage> Tree<S> {
    /// Carries out the most useful plan, if there is one. `false`: the tree is in shape.
    pub(crate) fn compact_step(&self) -> Result<bool> {
        let _one_at_a_time = self.compacting.lock();
        self.compact_once()
    }

    /// Waits for the plan that is being carried out, or carries one out if there is none. `false`: the tree is in shape.
    pub(crate) fn help_compact(&self) -> Result<bool> {
        if let Some(_one_at_a_time) = self.compacting.try_lock() {
            return self.compact_once();
        }
        drop(self.compacting.lock());
        Ok(true)
    }

    fn compact_once(&self) -> Result<bool> {
        self.log.check()?;
        match self.plan(|state| pick(state, &self.limits)) {
            Some(plan) => self.execute(plan).map(|()| true),
            None => Ok(false),
        }
    }

    /// Rewrites everything that is in runs now into one level, without a trace of what is gone.
    pub(crate) fn compact_fully(&self) -> Result<()> {
        let _one_at_a_time = self.compacting.lock();
        self.log.check()?;
        let wish = Full { runs: RunId::new(self.structure.lock().next_run), versions: self.log.frontier() };
        while let Some(plan) = self.plan(|state| full(state, &self.limits, wish)) {
            self.execute(plan)?;
        }
        Ok(())
    }

    /// Decides from the present state.
    fn plan(&self, decide: impl FnOnce(&State<'_>) -> Option<Plan>) -> Option<Plan> {
        let structure = self.structure.lock();
        // Behind the lock: an id counts as dead until the frame that creates it is applied, which it is for all that these
        // runs hold.
        let keep = self.keep();
        let dead = self.dead_ranges(&keep);
        let levels: Vec<Vec<&Meta>> = structure.levels.iter().map(|level| level.iter().collect()).collect();
        decide(&State { levels: &levels, running: &[], dead: &dead, horizon: keep.oldest() })
    }

    fn execute(&self, plan: Plan) -> Result<()> {
        let garbage = Garbage::default();
        match plan {
            Plan::Move { run, from: _, to } => {
                self.replace(&BTreeSet::from([run]), Vec::new(), to, Some(run), garbage)
            }
            Plan::Drop { runs } => {
                let garbage = self.blobs_of(&runs)?;
                self.replace(&runs.into_iter().collect(), Vec::new(), 0, None, garbage)
            }
            Plan::Merge(Merge { inputs, output, cut, .. }) => {
                let mut garbage = garbage;
                let inputs = inputs.into_iter().flat_map(|input| input.runs).collect();
                let outputs = self.merge(&inputs, cut, &mut garbage)?;
                self.replace(&inputs, outputs, output, None, garbage)
            }
        }
    }

    /// The blobs that entries of `runs` name, all of which are about to be forgotten unread.
    fn blobs_of(&self, runs: &[RunId]) -> Result<Garbage> {
        let mut garbage = Garbage::default();
        if self.structure.lock().blobs.is_empty() {
            return Ok(garbage);
        }
        for run in self.view().runs().filter(|run| runs.contains(&run.meta().id)) {
            let mut versions = Versions::new(Arc::clone(run));
            versions.next()?;
            while let Some(entry) = versions.current() {
                garbage.note(&entry);
                versions.next()?;
            }
        }
        Ok(garbage)
    }

    /// Merges the runs `inputs` into new runs of about `cut` bytes.
    fn merge(&self, inputs: &BTreeSet<RunId>, cut: u64, garbage: &mut Garbage) -> Result<Vec<Run<S::File>>> {
        let view = self.view();
        let keep = self.keep();
        let dead = self.dead_ranges(&keep);
        let is_input = |run: &&Arc<Run<S::File>>| inputs.contains(&run.meta().id);
        // The newest place is first. What is newer than all inputs hides, and is not hidden: a delete that waited for it
        // would wait for ever (K1).
        let (inputs, older): (Vec<_>, Vec<_>) =
            view.runs().skip_while(|run| !is_input(run)).cloned().partition(|run| is_input(&run));
        let below = |key: &[u8]| {
            let hash = Run::<S::File>::hash(key);
            for run in &older {
                if covers(run, key) && run.may_contain(hash)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let mut retain = Retain::new(&keep, &dead, below, |entry: Entry<'_>| garbage.note(&entry));
        let mut outputs = Outputs::new(self, Cut::BetweenKeys { from: cut });
        let merged = (|| {
            let mut versions = MergedVersions::new(inputs)?;
            let mut until_look = ENTRIES_PER_LOOK;
            while let Some(entry) = versions.current() {
                retain.push(entry, &mut |entry| outputs.add(entry))?;
                versions.next()?;
                until_look -= 1;
                if until_look == 0 {
                    until_look = ENTRIES_PER_LOOK;
                    let _ = self.log.prepare_ahead(); // the writer that needs it hears why it failed
                    while self.waiting() > 0 && self.fold_oldest()? {}
                }
            }
            retain.finish(&mut |entry| outputs.add(entry))
        })();
        drop(retain);
        match merged {
            Ok(()) => outputs.finish(),
            Err(error) => {
                outputs.abandon();
                Err(error)
            }
        }
    }

    /// Puts `outputs` (and the kept run `moved`) into level `to` in the place of `inputs`, whose files go unless moved.
    fn replace(
        &self,
        inputs: &BTreeSet<RunId>,
        outputs: Vec<Run<S::File>>,
        to: usize,
        moved: Option<RunId>,
        garbage: Garbage,
    ) -> Result<()> {
        let written: Vec<_> = outputs.iter().map(|run| run.meta().id).collect();
        let view = self.view();
        let mut arriving: Vec<_> = outputs.into_iter().map(Arc::new).collect();
        arriving.extend(view.runs().filter(|run| Some(run.meta().id) == moved).cloned());
        if flaw!("remove_before_manifest") {
            inputs.iter().filter(|id| Some(**id) != moved).for_each(|id| drop(self.remove_run(*id)));
        }
        let installed = self.install(
            |manifest| {
                garbage.add_to(manifest);
                for level in &mut manifest.levels {
                    level.retain(|run| !inputs.contains(&run.id));
                }
                let depth = manifest.levels.len().max(to + 1);
                manifest.levels.resize_with(depth, Vec::new);
                manifest.levels[to].extend(arriving.iter().map(|run| run.meta().clone()));
                if to > 0 {
                    manifest.levels[to].sort_by(|a, b| a.min_key.cmp(&b.min_key));
                }
            },
            |view| {
                for level in &mut view.levels {
                    level.retain(|run| !inputs.contains(&run.meta().id));
                }
                let depth = view.levels.len().max(to + 1);
                view.levels.resize_with(depth, Vec::new);
                view.levels[to].extend(arriving.iter().cloned());
                if to > 0 {
                    view.levels[to].sort_by(|a, b| a.meta().min_key.cmp(&b.meta().min_key));
                }
            },
        );
        installed.inspect_err(|_| self.discard_runs(written))?;
        for id in inputs.iter().filter(|id| Some(**id) != moved) {
            // What cannot be removed now is unknown to the manifest and goes at the next open.
            drop(self.remove_run(*id));
        }
        Ok(())
    }
}

/// The entries of several runs as one stream: key ascending, version descending.
struct MergedVersions<F: File> {
    sources: Vec<Versions<F>>,
    best: Option<usize>,
}

impl<F: File> MergedVersions<F> {
    fn new(runs: Vec<Arc<Run<F>>>) -> Result<Self> {
        let mut sources: Vec<_> = runs.into_iter().map(Versions::new).collect();
        sources.iter_mut().try_for_each(Versions::next)?;
        let mut merged = Self { sources, best: None };
        merged.elect();
        Ok(merged)
    }

    fn current(&self) -> Option<Entry<'_>> {
        self.best.and_then(|best| self.sources[best].current())
    }

    fn next(&mut self) -> Result<()> {
        if let Some(best) = self.best {
            self.sources[best].next()?;
        }
        self.elect();
        Ok(())
    }

    fn elect(&mut self) {
        let candidates =
            self.sources.iter().enumerate().filter_map(|(i, source)| Some((i, source.current()?)));
        let best = candidates.min_by(|(_, a), (_, b)| a.key.cmp(b.key).then(b.version.cmp(&a.version)));
        self.best = best.map(|(index, _)| index);
    }
}
