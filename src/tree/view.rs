//! Everything a reader needs, as of one moment: the memtables and the runs, newest first.
//!
//! V1. A view is immutable but for its first memtable, which only gains versions above every position a reader took
//!     before; so a reader holds a view and a position and needs nothing else.
//! V2. A reader takes the view first and the position second (the other way round a fold in between could have dropped
//!     the version it was to see, in favour of one it may not see), and reads no later than the view goes
//!     ([`View::bound`]): of a batch in a segment that was opened meanwhile it would see the floors and not the keys.
//! V3. The order of places is the order of versions: for one key, whatever an earlier place holds is newer than what a
//!     later place holds. The first hit of a search is the answer.

use crate::error::Result;
use crate::position::Position;
use crate::storage::{File, Storage};
use crate::tree::entry::{Entry, Kind};
use crate::tree::memtable::{self, Memtable};
use crate::tree::merge::{Merge, Source, key_prefix};
use crate::tree::run::{self, Run};
use crate::tree::table::TreeSegment;
use bytes::Bytes;
use std::ops::Deref;
use std::sync::Arc;

/// The runs of the levels below 0 are disjoint and sorted by key.
pub(crate) type Level<F> = Vec<Arc<Run<F>>>;

/// One moment's memtables and runs.
#[derive(Debug)]
pub(crate) struct View<S: Storage> {
    /// Newest first. The first is the active one, unless nothing was written yet.
    pub(crate) memtables: Vec<Arc<TreeSegment>>,
    /// Level 0 newest first; the others by key. Never empty: level 0 is always there.
    pub(crate) levels: Vec<Level<S::File>>,
    /// It shows everything below, and nothing at or behind.
    pub(crate) end: Position,
    /// Of each level below 0, the order of its runs' last keys: a search among many runs touches one array.
    fences: Vec<Vec<u128>>,
}

/// What a point read found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) value: Bytes,
}

impl<S: Storage> Clone for View<S> {
    fn clone(&self) -> Self {
        Self {
            memtables: self.memtables.clone(),
            levels: self.levels.clone(),
            end: self.end,
            fences: self.fences.clone(),
        }
    }
}

impl<S: Storage> View<S> {
    pub(crate) fn new(memtables: Vec<Arc<TreeSegment>>, levels: Vec<Level<S::File>>, end: Position) -> Self {
        let mut view = Self { memtables, levels, end, fences: Vec::new() };
        view.set_fences();
        view
    }

    /// Must follow every change of `levels`.
    pub(crate) fn set_fences(&mut self) {
        let fences =
            |level: &Level<S::File>| level.iter().map(|run| key_prefix(&run.meta().max_key)).collect();
        self.fences = self.levels[1..].iter().map(fences).collect();
    }

    /// Which run of level `depth` may hold `key`, if any: the first that does not end before it.
    fn run_at(&self, depth: usize, key: &[u8]) -> Option<usize> {
        let (level, fences) = (&self.levels[depth], &self.fences[depth - 1]);
        let head = key_prefix(key);
        let first = fences.partition_point(|fence| *fence < head);
        let ties = fences[first..].partition_point(|fence| *fence == head);
        let ended = level[first..first + ties].partition_point(|run| run.meta().max_key[..] < *key);
        Some(first + ended).filter(|index| *index < level.len())
    }

    /// The newest position up to `at` that the view shows all of.
    pub(crate) fn bound(&self, at: Position) -> Position {
        at.min(Position::new(self.end.get().saturating_sub(1)))
    }

    /// The newest version of `key` at or below `at`; a delete is an answer.
    pub(crate) fn get(&self, key: &[u8], at: Position) -> Result<Option<Found>> {
        for segment in &self.memtables {
            if let Some((_, slot)) = segment.table().memtable().get(key, at) {
                return Ok(Some(Found { kind: slot.kind, value: segment.bytes(slot.offset, slot.len) }));
            }
        }
        if self.levels.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let hash = Run::<S::File>::hash(key);
        for run in &self.levels[0] {
            if covers(run, key)
                && let Some(found) = get_in_run(run, key, hash, at)?
            {
                return Ok(Some(found));
            }
        }
        for depth in 1..self.levels.len() {
            // Where the run begins is not asked: its filter answers that as well.
            if let Some(index) = self.run_at(depth, key)
                && let Some(found) = get_in_run(&self.levels[depth][index], key, hash, at)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A merge of everything a reader at `at` can see, for a walk over keys that start with `common`.
    pub(crate) fn merge(self: &Arc<Self>, at: Position, common: &[u8]) -> Merge<ViewSource<S>> {
        let mut sources = Vec::with_capacity(self.memtables.len() + self.levels[0].len() + self.levels.len());
        for segment in &self.memtables {
            let cursor = memtable::Cursor::new(Handle(Arc::clone(segment)), at);
            sources.push(ViewSource::Memtable(cursor));
        }
        for run in &self.levels[0] {
            sources.push(ViewSource::Run(run::Cursor::new(Arc::clone(run), at)));
        }
        for (depth, level) in self.levels.iter().enumerate().skip(1) {
            match level.as_slice() {
                [] => {}
                [run] => sources.push(ViewSource::Run(run::Cursor::new(Arc::clone(run), at))),
                _ => sources.push(ViewSource::Level(LevelCursor::new(Arc::clone(self), depth, at))),
            }
        }
        Merge::new(sources, common)
    }

    /// Every run, newest place first.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Arc<Run<S::File>>> {
        self.levels.iter().flatten()
    }
}

/// May `run` hold `key`, by its range?
pub(crate) fn covers<F: File>(run: &Run<F>, key: &[u8]) -> bool {
    let meta = run.meta();
    meta.min_key[..] <= *key && *key <= meta.max_key[..]
}

fn get_in_run<F: File>(run: &Run<F>, key: &[u8], hash: u64, at: Position) -> Result<Option<Found>> {
    let found = run.get(key, hash, at)?;
    Ok(found.map(|found| Found { kind: found.kind, value: found.value }))
}

/// Keeps a segment alive for a cursor over its memtable.
#[derive(Debug)]
pub(crate) struct Handle(Arc<TreeSegment>);

impl Deref for Handle {
    type Target = Memtable;

    fn deref(&self) -> &Memtable {
        self.0.table().memtable()
    }
}

/// One sorted place of a view.
#[derive(Debug)]
pub(crate) enum ViewSource<S: Storage> {
    Memtable(memtable::Cursor<Handle>),
    Run(run::Cursor<S::File>),
    Level(LevelCursor<S>),
}

impl<S: Storage> Source for ViewSource<S> {
    fn aim(&mut self, key: &[u8], forward: bool) {
        match self {
            Self::Memtable(_) => {}
            Self::Run(cursor) => cursor.aim(key, forward),
            Self::Level(cursor) => cursor.aim(key, forward),
        }
    }

    fn seek_ge(&mut self, key: &[u8]) -> Result<()> {
        match self {
            Self::Memtable(cursor) => cursor.seek_ge(key),
            Self::Run(cursor) => return cursor.seek_ge(key),
            Self::Level(cursor) => return cursor.seek_ge(key),
        }
        Ok(())
    }

    fn seek_lt(&mut self, key: &[u8]) -> Result<()> {
        match self {
            Self::Memtable(cursor) => cursor.seek_lt(key),
            Self::Run(cursor) => return cursor.seek_lt(key),
            Self::Level(cursor) => return cursor.seek_lt(key),
        }
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        match self {
            Self::Memtable(cursor) => cursor.next(),
            Self::Run(cursor) => return cursor.next(),
            Self::Level(cursor) => return cursor.next(),
        }
        Ok(())
    }

    fn prev(&mut self) -> Result<()> {
        match self {
            Self::Memtable(cursor) => cursor.prev(),
            Self::Run(cursor) => return cursor.prev(),
            Self::Level(cursor) => return cursor.prev(),
        }
        Ok(())
    }

    #[inline]
    fn current(&self) -> Option<Entry<'_>> {
        match self {
            Self::Memtable(cursor) => {
                let (key, version, slot) = cursor.current()?;
                let value = cursor.handle().0.value(slot.offset, slot.len);
                Some(Entry { key, version, kind: slot.kind, value })
            }
            Self::Run(cursor) => cursor.current(),
            Self::Level(cursor) => cursor.current(),
        }
    }

    fn value_bytes(&self) -> Bytes {
        match self {
            Self::Memtable(cursor) => cursor
                .current()
                .map_or_else(Bytes::new, |(_, _, slot)| cursor.handle().0.bytes(slot.offset, slot.len)),
            Self::Run(cursor) => cursor.value_bytes(),
            Self::Level(cursor) => cursor.value_bytes(),
        }
    }
}

/// A cursor over the disjoint runs of one level, one run open at a time.
#[derive(Debug)]
pub(crate) struct LevelCursor<S: Storage> {
    view: Arc<View<S>>,
    depth: usize,
    at: Position,
    /// The run that the cursor stands in, and its cursor.
    open: Option<(usize, run::Cursor<S::File>)>,
}

impl<S: Storage> LevelCursor<S> {
    fn new(view: Arc<View<S>>, depth: usize, at: Position) -> Self {
        Self { view, depth, at, open: None }
    }

    fn runs(&self) -> &Level<S::File> {
        &self.view.levels[self.depth]
    }

    fn cursor(&mut self, index: usize) -> &mut run::Cursor<S::File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            self.open = Some((index, run::Cursor::new(Arc::clone(&self.runs()[index]), self.at)));
        }
        &mut self.open.as_mut().expect("opened above").1
    }

    /// The run that a seek for `key` begins in.
    fn start(&self, key: &[u8], forward: bool) -> Option<usize> {
        if forward {
            self.view.run_at(self.depth, key)
        } else {
            self.runs().partition_point(|run| run.meta().min_key[..] < *key).checked_sub(1)
        }
    }

    fn aim(&mut self, key: &[u8], forward: bool) {
        if let Some(index) = self.start(key, forward) {
            self.cursor(index).aim(key, forward);
        }
    }

    fn seek_ge(&mut self, key: &[u8]) -> Result<()> {
        let Some(index) = self.start(key, true) else {
            self.open = None;
            return Ok(());
        };
        self.cursor(index).seek_ge(key)?;
        self.skip_forward()
    }

    fn seek_lt(&mut self, key: &[u8]) -> Result<()> {
        let Some(index) = self.start(key, false) else {
            self.open = None;
            return Ok(());
        };
        self.cursor(index).seek_lt(key)?;
        self.skip_backward()
    }

    fn next(&mut self) -> Result<()> {
        let Some((_, cursor)) = &mut self.open else { return Ok(()) };
        cursor.next()?;
        if cursor.is_on() { Ok(()) } else { self.skip_forward() }
    }

    fn prev(&mut self) -> Result<()> {
        let Some((_, cursor)) = &mut self.open else { return Ok(()) };
        cursor.prev()?;
        if cursor.is_on() { Ok(()) } else { self.skip_backward() }
    }

    /// A run may hold nothing more that is visible at this position: on to the next that does.
    fn skip_forward(&mut self) -> Result<()> {
        while let Some((index, cursor)) = &self.open {
            if cursor.is_on() {
                break;
            }
            let next = index + 1;
            if next == self.runs().len() {
                self.open = None;
                break;
            }
            self.cursor(next).seek_first()?;
        }
        Ok(())
    }

    fn skip_backward(&mut self) -> Result<()> {
        while let Some((index, cursor)) = &self.open {
            if cursor.is_on() {
                break;
            }
            let Some(previous) = index.checked_sub(1) else {
                self.open = None;
                break;
            };
            self.cursor(previous).seek_last()?;
        }
        Ok(())
    }

    fn current(&self) -> Option<Entry<'_>> {
        self.open.as_ref().and_then(|(_, cursor)| cursor.current())
    }

    fn value_bytes(&self) -> Bytes {
        self.open.as_ref().map_or_else(Bytes::new, |(_, cursor)| cursor.value_bytes())
    }
}
