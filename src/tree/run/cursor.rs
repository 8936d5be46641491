//! Walks over the keys of a run as of one position, in both directions.
//!
//! C1. A cursor stands on the newest visible version of a key, before the first such key or after the last.
//! C2. `block`, `start` and `shape` are of one block that verified; `key` has its prefix.
//! C3. The first error stays: every later call gives it again, and the cursor is at no entry (`State::Start`).

use super::{
    block::{Item, Shape},
    key::KeyBuffer,
    reader::{Run, SEARCHED_LEN},
};
use crate::{
    Error, Result,
    position::Position,
    storage::File,
    tree::{
        entry::{Entry, Kind},
        prefetch,
    },
};
use bytes::Bytes;
use std::{ops::Range, sync::Arc};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    On,
    End,
}

/// Yields each key at most once, with its newest version not above the snapshot; deletes included. Starts before the
/// first key. A step that leaves the run on one side is undone by a step in the other direction.
#[derive(Debug)]
pub(crate) struct Cursor<F> {
    run: Arc<Run<F>>,
    at: Position,
    state: State,
    failure: Option<Error>,
    /// What the index said to an `aim`, for the seek that follows.
    aimed: Option<Option<usize>>,
    /// The loaded block; `usize::MAX` if none is.
    block: usize,
    start: usize,
    shape: Shape,
    /// The current entry: its place in the block, and what it says.
    place: usize,
    again: bool,
    version: Position,
    kind: Kind,
    /// In the map.
    value: Range<usize>,
    key: KeyBuffer,
}

impl<F: File> Cursor<F> {
    pub(crate) fn new(run: Arc<Run<F>>, at: Position) -> Self {
        Self {
            run,
            at,
            state: State::Start,
            failure: None,
            aimed: None,
            block: usize::MAX,
            start: 0,
            shape: Shape::default(),
            place: 0,
            again: false,
            version: Position::ZERO,
            kind: Kind::Delete,
            value: 0..0,
            key: KeyBuffer::default(),
        }
    }

    /// Does it stand on an entry?
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.state == State::On
    }

    /// The entry it stands on.
    #[inline]
    pub(crate) fn current(&self) -> Option<Entry<'_>> {
        let value = &self.run.map[self.value.clone()];
        (self.state == State::On).then(|| Entry {
            key: self.key.get(),
            version: self.version,
            kind: self.kind,
            value,
        })
    }

    /// The current value without a copy; empty if there is no current entry.
    pub(crate) fn value_bytes(&self) -> Bytes {
        if self.state == State::On { self.run.map.slice(self.value.clone()) } else { Bytes::new() }
    }

    /// Prepares a seek for `key`: finds the block and asks for its memory. The very next call must be that seek.
    pub(crate) fn aim(&mut self, key: &[u8], forward: bool) {
        let version = if forward { self.at } else { Position::MAX };
        // What goes wrong here goes wrong there again.
        let Ok(index) = self.run.index() else { return };
        let Ok(found) = self.run.find(&index, key, version) else { return };
        if let Ok(extent) = self.run.extent(&index, found.unwrap_or(0)) {
            prefetch::bytes(&self.run.map[extent], SEARCHED_LEN);
        }
        self.aimed = Some(found);
    }

    /// Goes to the first key not before `key`.
    pub(crate) fn seek_ge(&mut self, key: &[u8]) -> Result<()> {
        self.walk(|cursor| {
            // The entry at or behind (key, at) is visible if it has the key, and the first of its key if it has not.
            let place = cursor.locate(key, cursor.at)?.unwrap_or(0);
            cursor.forward(place, false)
        })
    }

    /// Goes to the last key before `key`.
    pub(crate) fn seek_lt(&mut self, key: &[u8]) -> Result<()> {
        self.walk(|cursor| match cursor.locate(key, Position::MAX)? {
            Some(place) => cursor.backward(place, false),
            None => Ok(State::Start),
        })
    }

    pub(crate) fn seek_first(&mut self) -> Result<()> {
        self.walk(Self::first)
    }

    pub(crate) fn seek_last(&mut self) -> Result<()> {
        self.walk(Self::last)
    }

    /// Goes to the next key; from before the first to the first.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<()> {
        if self.state == State::On && self.step_to(self.place + 1) {
            return Ok(());
        }
        self.walk(|cursor| match cursor.state {
            State::Start => cursor.first(),
            State::On => cursor.forward(cursor.place + 1, true),
            State::End => Ok(State::End),
        })
    }

    /// Goes to the previous key; from after the last to the last.
    #[inline]
    pub(crate) fn prev(&mut self) -> Result<()> {
        if self.state == State::On && !self.again && self.place > 0 && self.step_to(self.place - 1) {
            return Ok(());
        }
        self.walk(|cursor| match cursor.state {
            State::Start => Ok(State::Start),
            State::On => cursor.backward(cursor.place, cursor.again),
            State::End => cursor.last(),
        })
    }

    /// Stands on an entry of the loaded block, if it is the only version of its key so far and visible: nearly every
    /// step is such a one. For all others, and for broken entries, `forward` and `backward` find out what to do.
    fn step_to(&mut self, place: usize) -> bool {
        let block = &self.run.map[self.start..self.start + self.shape.len];
        match self.shape.item(block, place) {
            Some(item) if !item.again && item.version <= self.at => {
                self.take(place, &item);
                true
            }
            _ => false,
        }
    }

    #[inline(never)]
    fn walk(&mut self, step: impl FnOnce(&mut Self) -> Result<State>) -> Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        match step(self) {
            Ok(state) => self.state = state,
            Err(failure) => {
                self.state = State::Start;
                self.failure = Some(failure.clone());
                return Err(failure);
            }
        }
        Ok(())
    }

    fn first(&mut self) -> Result<State> {
        self.enter(0)?;
        self.forward(0, false)
    }

    fn last(&mut self) -> Result<State> {
        self.enter(self.run.block_count() - 1)?;
        self.backward(self.shape.count, false)
    }

    /// Loads the block that `version` of `key` belongs in; returns the place of the first entry not before it. `None`
    /// if that is the first entry of the run, whose block is loaded.
    fn locate(&mut self, key: &[u8], version: Position) -> Result<Option<usize>> {
        let number = match self.aimed.take() {
            Some(number) => number,
            None => self.run.find(&self.run.index()?, key, version)?,
        };
        self.enter(number.unwrap_or(0))?;
        if number.is_none() {
            return Ok(None);
        }
        let block = self.run.block_again(self.start, self.shape);
        Ok(Some(self.run.lower_bound(self.start, &block, key, version)?.0))
    }

    fn enter(&mut self, number: usize) -> Result<()> {
        if self.block != number {
            let (start, block) = self.run.block(&self.run.index()?, number)?;
            self.key.enter(block.prefix());
            (self.block, self.start, self.shape) = (number, start, block.shape);
        }
        Ok(())
    }

    #[inline]
    fn item(&self, place: usize) -> Result<Item> {
        let block = self.run.block_again(self.start, self.shape);
        self.run.item(self.start, &block, place)
    }

    /// Stands on the first visible entry at or behind `place`; `skip` passes over what is left of one key first.
    fn forward(&mut self, mut place: usize, mut skip: bool) -> Result<State> {
        loop {
            if place >= self.shape.count {
                if self.block + 1 >= self.run.block_count() {
                    return Ok(State::End);
                }
                self.enter(self.block + 1)?;
                place = 0;
            }
            let item = self.item(place)?;
            skip &= item.again;
            if !skip && item.version <= self.at {
                self.take(place, &item);
                return Ok(State::On);
            }
            place += 1;
        }
    }

    /// Stands on the newest visible version of the last key with one before `end`; `skip` passes over what precedes `end`
    /// of one key first.
    fn backward(&mut self, end: usize, mut skip: bool) -> Result<State> {
        let mut place = end;
        let mut newest = None;
        loop {
            while place == 0 {
                if self.block == 0 {
                    return Ok(State::Start);
                }
                self.enter(self.block - 1)?;
                place = self.shape.count;
            }
            place -= 1;
            let item = self.item(place)?;
            if skip {
                skip = item.again;
                continue;
            }
            if item.version <= self.at {
                newest = Some((self.block, place));
            }
            if item.again {
                continue;
            }
            // All versions of a key were seen, oldest first.
            if let Some((block, newest)) = newest {
                if (block, newest) == (self.block, place) {
                    self.take(place, &item);
                } else {
                    self.enter(block)?;
                    let item = self.item(newest)?;
                    self.take(newest, &item);
                }
                return Ok(State::On);
            }
        }
    }

    #[expect(clippy::inline_always, reason = "part of every step")]
    #[inline(always)]
    fn take(&mut self, place: usize, item: &Item) {
        self.key.set(item, &self.run.map[self.start..self.start + self.shape.len]);
        self.place = place;
        self.again = item.again;
        self.version = item.version;
        self.kind = item.kind;
        self.value = self.start + item.value..self.start + item.end;
    }
}
