//! Which files are the log: the chain of segment headers.
//!
//! H1. The highest file is the youngest. Each header says where the log before it ends; so the member before is known, and
//!     the walk ends where that is not above the start of the log.
//! H2. Files between members are *void*: their content was given up by a later incarnation. Files below the start are
//!     *dead*. Neither is ever read, and both may vanish or come back at any time.
//! H3. A member that is missing or whose header is wrong is corruption, and is named.
//! H4. Epochs never fall along the chain; within one epoch segments follow each other without a gap.

use super::{
    Start,
    format::{Geometry, HEADER_FIELDS_LEN, Header, LogKind, file_name, index_of_name},
    prepare::is_spare,
};
use crate::{
    error::{Corruption, Error, Result},
    position::Position,
    storage::{File, Storage},
    sync::flaw,
};
use std::sync::Arc;

/// A segment of the log, on disk.
#[derive(Debug)]
pub(crate) struct Member<F> {
    pub(crate) header: Header,
    pub(crate) file: Arc<F>,
    /// Offset at which its frames end, as far as its successor knows; the segment's size if there is none.
    pub(crate) limit: u32,
    /// Did a later incarnation go on behind `limit`? Then all below it was durable.
    pub(crate) concluded: bool,
}

#[derive(Debug)]
pub(crate) struct Chain<F> {
    /// Oldest first.
    pub(crate) members: Vec<Member<F>>,
    /// Every segment file that is not a member.
    pub(crate) obsolete: Vec<String>,
    /// Files that never became segments.
    pub(crate) spares: Vec<String>,
    /// No file has this index or a higher one.
    pub(crate) next: u64,
    /// Newest epoch that any member or the start has seen.
    pub(crate) epoch: u32,
}

/// The segment files and the spares in the directory.
pub(crate) fn list<S: Storage>(storage: &S) -> Result<(Vec<u64>, Vec<String>)> {
    let entries = storage.list()?;
    let mut indexes: Vec<u64> =
        entries.iter().filter(|entry| entry.is_file).filter_map(|entry| index_of_name(&entry.name)).collect();
    indexes.sort_unstable();
    let spares = entries.into_iter().map(|entry| entry.name).filter(|name| is_spare(name)).collect();
    Ok((indexes, spares))
}

/// Walks the chain down from the highest file, or from the highest below `ceiling`.
pub(crate) fn walk<S: Storage>(
    storage: &S,
    geometry: Geometry,
    start: &Start,
    ceiling: Option<u64>,
) -> Result<Chain<S::File>> {
    let (indexes, spares) = list(storage)?;
    let first = geometry.index(start.log_start);
    let below_start =
        if start.log_start == Position::ZERO { 0 } else { geometry.index_before(start.log_start) + 1 };
    let next = indexes.last().map_or(0, |last| last + 1).max(below_start);
    let mut members: Vec<Member<S::File>> = Vec::new();
    let mut epoch = start.epoch;
    let mut wanted =
        indexes.iter().rev().copied().find(|&index| ceiling.is_none_or(|ceiling| index < ceiling));
    let mut limit = geometry.size();
    while let Some(index) = wanted.take_if(|index| *index >= first) {
        if indexes.binary_search(&index).is_err() {
            if flaw!("no_chain") {
                break;
            }
            let path = storage.path().join(file_name(index));
            return Err(Corruption::new(path, 0, "segment chain", "a segment", "no file").into());
        }
        let file = storage.open(&file_name(index))?;
        let header = read_header(&file, geometry, start.store_id, index)?;
        epoch = epoch.max(header.epoch);
        let concluded = match members.last() {
            Some(successor) => follows(&file, &header, successor)?,
            None => false,
        };
        members.push(Member { header, file: Arc::new(file), limit, concluded });
        let end = header.predecessor_end;
        if end > start.log_start {
            let index = geometry.index_before(end);
            limit = u32::try_from(end.get() - geometry.base(index).get()).expect("an offset in a segment");
            wanted = Some(index);
        }
    }
    members.reverse();
    let is_member = |index: &u64| members.binary_search_by_key(index, |member| member.header.index()).is_ok();
    let obsolete = indexes.iter().filter(|index| !is_member(index)).map(|&index| file_name(index)).collect();
    Ok(Chain { members, obsolete, spares, next, epoch })
}

fn read_header<F: File>(file: &F, geometry: Geometry, store_id: u128, index: u64) -> Result<Header> {
    let mut fields = [0; HEADER_FIELDS_LEN];
    file.read_at(&mut fields, 0)?;
    Header::decode(&fields, &file.path(), LogKind::Main, store_id, geometry, index)
}

/// Checks H4; says whether the successor is of a later incarnation.
fn follows<F: File>(file: &F, header: &Header, successor: &Member<F>) -> Result<bool> {
    let wrong = |expected: String| {
        let found = format!("epoch {} before {}", header.epoch, successor.header.epoch);
        Err(Error::from(Corruption::new(file.path(), 0, "segment epoch", expected, found)))
    };
    if header.epoch > successor.header.epoch {
        return wrong(format!("at most {}", successor.header.epoch));
    }
    let adjacent = successor.header.predecessor_end == successor.header.base;
    if header.epoch == successor.header.epoch && !adjacent {
        return wrong(format!("less than {}", successor.header.epoch));
    }
    Ok(header.epoch < successor.header.epoch)
}
