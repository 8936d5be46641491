//! Giving up what is corrupt, on demand only.
//!
//! Repair keeps the log up to the first thing that is wrong and copies everything behind it to files of its own before it
//! changes anything. Then it adds a segment of a new incarnation whose header says that the log ended there; nothing is
//! removed. So it may stop at any step and be run again.

use super::{
    Options, Start,
    arena::Pool,
    chain::{Chain, Member, list, walk},
    format::{Geometry, Header, LogKind, file_name},
    poison::Poison,
    prepare::Preparer,
    recovery::{Report, examine},
    scan::{Stop, position, scan},
    segment::Table,
};
use crate::{
    error::{Error, Result},
    position::Position,
    storage::{File, Storage},
};
use std::sync::Arc;

/// Bytes copied at a time.
const PIECE: u64 = 1 << 20;

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repaired {
    /// Where the log ends now; its start, if that was above.
    pub(crate) end: Position,
    /// The files that hold what was cut.
    pub(crate) kept: Vec<String>,
    /// The epoch of the segment that says so: the manifest must know no newer one.
    pub(crate) epoch: u32,
}

/// Cuts the log at the first thing that is wrong with it. `Err(report)` in the result: nothing is.
pub(crate) fn repair<S: Storage, T: Table>(
    storage: &S,
    options: &Options,
    start: &Start,
) -> Result<Result<Repaired, Report>> {
    let geometry = Geometry::new(options.segment_shift);
    let pool = Pool::new(geometry.size(), 0, false);
    match examine::<S, T>(storage, geometry, start, &pool, &super::NoHooks) {
        Ok(examined) => return Ok(Err(examined.report)),
        Err(Error::Corrupt(_)) => {}
        Err(error) => return Err(error),
    }
    let chain = longest_chain(storage, geometry, start)?;
    let end = sound_end(&chain.members, start, &pool)?;
    let kept = keep(storage, geometry, end, &chain)?;
    let (base, epoch) = (geometry.base(chain.next), chain.epoch + 1);
    let header =
        Header { kind: LogKind::Main, store_id: start.store_id, geometry, epoch, base, predecessor_end: end };
    let poison = Arc::new(Poison::new());
    let preparer: Preparer<S, T> = Preparer::new(
        storage.clone(),
        start.store_id,
        geometry,
        epoch,
        0,
        pool,
        poison,
        chain.next,
        end,
        Vec::new(),
    );
    preparer.make_file(&header)?;
    Ok(Ok(Repaired { end, kept, epoch }))
}

/// The chain from the highest file that gives one.
fn longest_chain<S: Storage>(storage: &S, geometry: Geometry, start: &Start) -> Result<Chain<S::File>> {
    let mut ceiling = None;
    loop {
        match walk(storage, geometry, start, ceiling) {
            Ok(chain) => return Ok(chain),
            Err(Error::Corrupt(_)) => {
                let (indexes, _) = list(storage)?;
                let below = indexes.into_iter().rfind(|&index| ceiling.is_none_or(|ceiling| index < ceiling));
                ceiling = Some(below.unwrap_or_default());
            }
            Err(error) => return Err(error),
        }
    }
}

/// The position up to which every frame of the chain verifies.
fn sound_end<F: File>(members: &[Member<F>], start: &Start, pool: &Arc<Pool>) -> Result<Position> {
    let mut end = start.log_start;
    for member in members {
        let scan = match scan(member, pool) {
            Ok(scan) => scan,
            Err(Error::Corrupt(_)) => break,
            Err(error) => return Err(error),
        };
        if scan.any {
            end = end.max(position(member, scan.end));
        }
        if scan.stop != Stop::Whole {
            break;
        }
    }
    Ok(end)
}

/// Copies everything behind `end` to files named by position.
fn keep<S: Storage>(
    storage: &S,
    geometry: Geometry,
    end: Position,
    chain: &Chain<S::File>,
) -> Result<Vec<String>> {
    let mut kept = Vec::new();
    for index in list(storage)?.0 {
        let from = end.max(geometry.base(index));
        if geometry.base(index + 1) <= end || index >= chain.next {
            continue;
        }
        let name = format!("cut-{:016x}.bin", from.get());
        let source = storage.open(&file_name(index))?;
        // A copy of an earlier attempt may be a part only.
        match storage.remove(&name) {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let target = storage.create(&name)?;
        let first = from.get() - geometry.base(index).get();
        let len = source.len()?;
        let mut at = first;
        let mut piece = Vec::new();
        while at < len {
            piece.resize(usize::try_from(PIECE.min(len - at)).expect("a piece fits memory"), 0);
            source.read_at(&mut piece, at)?;
            target.write_at(&piece, at - first)?;
            at += piece.len() as u64;
        }
        target.sync()?;
        kept.push(name);
    }
    storage.sync_dir()?;
    Ok(kept)
}
