//! The next segment, ready before it is needed.
//!
//! P1. A file gets its segment's name only when it has all of its space and its header is synced; the name is durable
//!     before a frame is written. So a full disk is an error here, before anything is claimed, and nothing else.
//! P2. Segments are made in order, one at a time, under one lock.
//! P3. Files that a new segment makes obsolete (void and dead ones) go only after its name is durable.
//! P4. Only files that were segments are recycled: their extents are initialised, and old frames in them do not verify
//!     under a new index (F1).
//!
//! A failure leaves nothing changed and can be tried again, except a failed sync of the directory: nobody knows then
//! what it holds, so it poisons.

use super::{
    arena::Pool,
    format::{Geometry, HEADER_FIELDS_LEN, Header, LogKind, file_name},
    poison::Poison,
    segment::{Segment, Table},
};
use crate::{
    error::{Error, Result},
    position::Position,
    storage::{File, Storage},
    sync::{Mutex, flaw},
};
use std::sync::Arc;

/// Bytes at the start of a segment made ahead that are faulted in before they are needed; the rest follows the writers.
const TOUCHED: u64 = 2 << 20;

const SPARE_PREFIX: &str = "spare-";
const SPARE_SUFFIX: &str = ".tmp";

/// Is this the name of a file that never became a segment?
pub(crate) fn is_spare(name: &str) -> bool {
    name.starts_with(SPARE_PREFIX) && name.ends_with(SPARE_SUFFIX)
}

fn number_of_spare(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(SPARE_PREFIX)?.strip_suffix(SPARE_SUFFIX)?;
    u64::from_str_radix(digits, 16).ok().filter(|number| spare_name(*number) == name)
}

fn spare_name(number: u64) -> String {
    format!("{SPARE_PREFIX}{number:016x}{SPARE_SUFFIX}")
}

/// A segment that can be opened.
#[derive(Debug)]
pub(crate) struct Prepared<F, T> {
    pub(crate) segment: Arc<Segment<T>>,
    /// `None` in memory.
    pub(crate) file: Option<Arc<F>>,
}

#[derive(Debug)]
struct State<F, T> {
    /// Index of the segment that is ready, or of the one to make.
    next: u64,
    /// What its header says about the one before it.
    predecessor_end: Position,
    ready: Option<Prepared<F, T>>,
    /// The segment `next` is made, and its opening is under way: nothing may be made in its place.
    opening: bool,
    /// Has this incarnation opened a segment? Before that nothing is prepared ahead: opening writes nothing.
    opened: bool,
}

#[derive(Debug, Default)]
struct Spares {
    names: Vec<String>,
    /// Number of the next spare name.
    number: u64,
    /// Goes once the first segment of this incarnation is durable (P3).
    obsolete: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Preparer<S: Storage, T> {
    storage: S,
    store_id: u128,
    geometry: Geometry,
    epoch: u32,
    /// Files kept for recycling at most.
    spares_max: usize,
    pool: Arc<Pool>,
    poison: Arc<Poison>,
    state: Mutex<State<S::File, T>>,
    spares: Mutex<Spares>,
}

impl<S: Storage, T: Table> Preparer<S, T> {
    #[expect(clippy::too_many_arguments, reason = "all of what a header says; called once")]
    pub(crate) fn new(
        storage: S,
        store_id: u128,
        geometry: Geometry,
        epoch: u32,
        spares_max: usize,
        pool: Arc<Pool>,
        poison: Arc<Poison>,
        next: u64,
        predecessor_end: Position,
        obsolete: Vec<String>,
    ) -> Self {
        let state = State { next, predecessor_end, ready: None, opening: false, opened: false };
        let spares = Spares { obsolete, ..Spares::default() };
        Self {
            storage,
            store_id,
            geometry,
            epoch,
            spares_max,
            pool,
            poison,
            state: Mutex::new(state),
            spares: Mutex::new(spares),
        }
    }

    /// Makes the next segment if it is not there; says whether it did.
    pub(crate) fn ahead(&self) -> Result<bool> {
        let mut state = self.state.lock();
        if !state.opened || state.opening || state.ready.is_some() {
            return Ok(false);
        }
        let prepared = self.make(state.next, state.predecessor_end)?;
        prepared.segment.words().touch(0, TOUCHED);
        state.ready = Some(prepared);
        Ok(true)
    }

    /// Takes the name away from a segment that was made ahead and will not be opened: the next open need not look for
    /// frames in it.
    pub(crate) fn put_back(&self) -> Result<()> {
        let mut state = self.state.lock();
        // Nothing is made ahead any more.
        state.opened = false;
        match state.ready.take() {
            Some(prepared) if prepared.file.is_some() => self.discard(&file_name(prepared.segment.index())),
            _ => Ok(()),
        }
    }

    /// Hands segment `index`, made now if need be, to `open`; it stays ready if `open` fails.
    pub(crate) fn take<R>(
        &self,
        index: u64,
        open: impl FnOnce(&Prepared<S::File, T>) -> Result<R>,
    ) -> Result<R> {
        let prepared = {
            let mut state = self.state.lock();
            assert_eq!(state.next, index, "segments are taken in order");
            let prepared = match state.ready.take() {
                Some(prepared) => prepared,
                None => self.make(index, state.predecessor_end)?,
            };
            state.opening = true;
            prepared
        };
        // Without the lock: `open` may wait for somebody who prepares or retires.
        let result = open(&prepared);
        let mut state = self.state.lock();
        state.opening = false;
        if result.is_ok() {
            state.opened = true;
            state.next = index + 1;
            state.predecessor_end = self.geometry.base(index + 1);
        } else {
            state.ready = Some(prepared);
        }
        result
    }

    fn make(&self, index: u64, predecessor_end: Position) -> Result<Prepared<S::File, T>> {
        self.poison.check()?;
        let base = self.geometry.base(index);
        let header = Header {
            kind: LogKind::Main,
            store_id: self.store_id,
            geometry: self.geometry,
            epoch: self.epoch,
            base,
            predecessor_end,
        };
        // Memory first: a file that is there already is one more thing to undo.
        let arena = self.pool.take()?;
        let file = if self.storage.is_persistent() { Some(self.make_file(&header)?) } else { None };
        let segment = Segment::open(self.geometry, index, header.binding(), arena, T::new(base));
        Ok(Prepared { segment: Arc::new(segment), file })
    }

    /// A file for `header`, recycled where there is one, by its final and durable name.
    pub(crate) fn make_file(&self, header: &Header) -> Result<Arc<S::File>> {
        let (name, recycled) = {
            let mut spares = self.spares.lock();
            if let Some(name) = spares.names.pop() {
                (name, true)
            } else {
                spares.number += 1;
                (spare_name(spares.number), false)
            }
        };
        let made = self.fill_file(&name, recycled, header);
        let file = match made {
            Ok(file) => file,
            Err(error) => {
                // A file whose sync failed is never used again. If it cannot be removed, the next open does it.
                drop(self.storage.remove(&name));
                return Err(error);
            }
        };
        if !flaw!("segment_without_a_name")
            && let Err(error) = self.storage.sync_dir()
        {
            if !matches!(error, Error::StorageFull { .. }) {
                self.poison.set(error.clone());
            }
            return Err(error);
        }
        let obsolete = std::mem::take(&mut self.spares.lock().obsolete);
        for name in obsolete {
            // What cannot be removed now is found again by the next open.
            drop(self.discard(&name));
        }
        Ok(Arc::new(file))
    }

    fn fill_file(&self, name: &str, recycled: bool, header: &Header) -> Result<S::File> {
        let file = if recycled {
            self.storage.open(name)?
        } else {
            let file = self.storage.create(name)?;
            file.allocate(self.geometry.size().into())?;
            file
        };
        file.write_at(&header.encode(), 0)?;
        file.sync()?;
        self.storage.rename(name, &file_name(header.index()))?;
        Ok(file)
    }

    /// Keeps files that an earlier incarnation left for recycling, as many as are wanted, and removes the others. What
    /// has no header goes too: the crash that left it may have come before its extents were initialised (P4).
    pub(crate) fn adopt(&self, names: Vec<String>) -> Result<()> {
        let mut spares = self.spares.lock();
        for name in names {
            let number = number_of_spare(&name);
            spares.number = spares.number.max(number.unwrap_or(0));
            if number.is_some() && self.is_wanted(&spares, &name)? && self.was_segment(&name)? {
                spares.names.push(name);
            } else {
                self.storage.remove(&name)?;
            }
        }
        Ok(())
    }

    fn was_segment(&self, name: &str) -> Result<bool> {
        let mut fields = [0; HEADER_FIELDS_LEN];
        self.storage.open(name)?.read_at(&mut fields, 0)?;
        Ok(Header::is_one(&fields))
    }

    /// Is there a use for this file, and is it as long as a segment?
    fn is_wanted(&self, spares: &Spares, name: &str) -> Result<bool> {
        Ok(spares.names.len() < self.spares_max
            && self.storage.open(name)?.len()? == u64::from(self.geometry.size()))
    }

    /// Keeps the file of a segment that nobody needs for recycling, or removes it.
    pub(crate) fn discard(&self, name: &str) -> Result<()> {
        let mut spares = self.spares.lock();
        if !self.is_wanted(&spares, name)? {
            return self.storage.remove(name);
        }
        spares.number += 1;
        let spare = spare_name(spares.number);
        self.storage.rename(name, &spare)?;
        spares.names.push(spare);
        Ok(())
    }
}
