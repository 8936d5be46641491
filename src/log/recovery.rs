//! Where the log ends, and whether that is where it must end.
//!
//! R1. *Proven* is the position below which everything was durable, by the best evidence there is: what the manifest
//!     says, that a later incarnation went on there, and the lag of every frame that verifies, wherever it stands.
//! R2. A flaw below `proven` is corruption: an error that names it, and nothing is changed. A flaw above is the torn tail:
//!     the log ends there, and whatever is behind it was never promised to anybody.
//! R3. Recovery writes nothing but the bytes above `proven` once more, unchanged, and syncs them: what a reader sees is
//!     durable then. (Once more, because after a failed sync the system may hold pages that it takes for clean and that
//!     the disk never got.) So it can stop anywhere and be run any number of times.
//! R4. What is behind the end stays where it is until the first segment of the next incarnation, whose header says
//!     where the log ended, is durable; from then on it is void (H2).
//!
//! Files are read by `read_at`, never through a map: a bad device is an error here and not a signal.

use super::{
    Hooks, Options, Start,
    arena::{Arena, Pool},
    chain::{Chain, Member, walk},
    format::{Geometry, HEADER_LEN, file_name},
    scan::{Scan, Stop, position, scan},
    segment::{RecoveredFrame, RecoveredSegment, Segment, Table},
};
use crate::{
    error::{Corruption, Result},
    position::Position,
    storage::{File, Storage},
    sync::{Mutex, flaw},
};
use std::{num::NonZero, path::PathBuf, sync::Arc};

/// Smaller segments are done before a thread has started.
const WORTH_A_THREAD: u32 = 1 << 20;

/// What is known at the place where the frames of a segment stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) stop: Stop,
    /// Is the stop below `proven`?
    pub(crate) below_proven: bool,
    /// Is there no later segment?
    pub(crate) last: bool,
    /// Do frames verify behind the stop?
    pub(crate) behind: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// On to the next segment.
    Continue,
    /// The log ends here and lost nothing that anyone can see.
    End,
    /// The log ends here; something that had been begun is given up.
    Cut,
    /// The log must not end here (R2).
    Corrupt,
}

/// The recovery table.
#[expect(clippy::match_same_arms, reason = "one row per case of the table")]
pub(crate) const fn decide(case: Case) -> Decision {
    match (case.stop, case.below_proven, case.last, case.behind) {
        (Stop::Whole, _, false, _) => Decision::Continue,
        (Stop::Whole, false, true, _) => Decision::End,
        (Stop::Whole, true, true, _) => Decision::Corrupt,
        (Stop::Blank, false, _, false) => Decision::End,
        (Stop::Blank, false, _, true) => Decision::Cut,
        (Stop::Torn | Stop::Refused, false, _, _) => Decision::Cut,
        (Stop::Blank | Stop::Torn | Stop::Refused, true, _, _) => Decision::Corrupt,
    }
}

/// What recovery gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) file: PathBuf,
    pub(crate) at: Position,
    pub(crate) reason: Stop,
    /// Frames behind the cut that verified by themselves.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

/// What recovery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Frames and payload bytes that are folded again.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// Where the log ends.
    pub(crate) end: Position,
    /// Below this the log had to be whole (R1).
    pub(crate) proven: Position,
    pub(crate) cut: Option<Cut>,
    /// Was the log closed, or is all of it proven?
    pub(crate) clean: bool,
    /// The newest commits cannot be told from a tail that was never committed: one copy knows no better.
    pub(crate) ambiguous_tail: bool,
}

/// A chain whose frames are read and whose end is decided.
#[derive(Debug)]
pub(crate) struct Examined<F> {
    pub(crate) members: Vec<(Member<F>, Scan)>,
    /// Files that the next incarnation does not need (R4).
    pub(crate) obsolete: Vec<String>,
    pub(crate) spares: Vec<String>,
    pub(crate) next: u64,
    pub(crate) epoch: u32,
    pub(crate) report: Report,
}

/// A recovered segment and its file.
pub(crate) type Kept<F, T> = (Arc<Segment<T>>, Arc<F>);

/// Reads everything and decides; writes nothing.
pub(crate) fn examine<S: Storage, T: Table>(
    storage: &S,
    geometry: Geometry,
    start: &Start,
    pool: &Arc<Pool>,
    hooks: &dyn Hooks<T>,
) -> Result<Examined<S::File>> {
    let Chain { members, obsolete, spares, next, epoch } = walk(storage, geometry, start, None)?;
    let indexes: Vec<u64> = members.iter().map(|member| member.header.index()).collect();
    let scanned = in_parallel(members, geometry, |member| {
        let scan = scan(&member, pool)?;
        Ok((member, scan))
    })?;
    let proven = evidence(start, &scanned);
    let mut examined = Examined {
        members: Vec::with_capacity(scanned.len()),
        obsolete,
        spares,
        next,
        epoch,
        report: Report {
            frames: 0,
            bytes: 0,
            end: start.log_start,
            proven,
            cut: None,
            clean: true,
            ambiguous_tail: false,
        },
    };
    judge(&mut examined, scanned, storage, start, hooks)?;
    let given_up = indexes.into_iter().filter(|&index| geometry.base(index) >= examined.report.end);
    examined.obsolete.extend(given_up.map(file_name));
    Ok(examined)
}

/// R1.
fn evidence<F>(start: &Start, scanned: &[(Member<F>, Scan)]) -> Position {
    let mut proven = start.proven.max(start.log_start);
    for (index, (member, scan)) in scanned.iter().enumerate() {
        proven = proven.max(scan.proven);
        if let Some((predecessor, _)) = index.checked_sub(1).and_then(|before| scanned.get(before))
            && predecessor.concluded
        {
            proven = proven.max(member.header.predecessor_end);
        }
    }
    proven
}

/// Finds the end, segment by segment.
fn judge<S: Storage, T: Table>(
    examined: &mut Examined<S::File>,
    scanned: Vec<(Member<S::File>, Scan)>,
    storage: &S,
    start: &Start,
    hooks: &dyn Hooks<T>,
) -> Result<()> {
    let report = &mut examined.report;
    let mut seal = None;
    let mut stopped = start.log_start;
    let mut corruption = None;
    let mut later: Vec<(u64, u64)> =
        scanned.iter().map(|(_, scan)| (scan.frames.len() as u64 + scan.behind, scan.behind_bytes)).collect();
    later.reverse();
    let count = scanned.len();
    for (number, (member, mut scan)) in scanned.into_iter().enumerate() {
        later.pop();
        refuse(&member, &mut scan, report.proven, hooks)?;
        stopped = position(&member, scan.end);
        let (frames, bytes) = later
            .iter()
            .fold((scan.behind, scan.behind_bytes), |sum, later| (sum.0 + later.0, sum.1 + later.1));
        let case = Case {
            stop: scan.stop,
            below_proven: stopped < report.proven,
            last: number + 1 == count,
            behind: frames > 0,
        };
        let decision = if flaw!("skip_hole") && scan.stop != Stop::Whole && frames > 0 {
            Decision::Continue
        } else {
            decide(case)
        };
        match decision {
            Decision::Corrupt if flaw!("silent_truncation") => {}
            Decision::Corrupt => {
                let (what, expected, found) = if scan.stop == Stop::Refused {
                    ("values that a frame refers to", "whole".into(), "not whole".into())
                } else if scan.stop == Stop::Whole {
                    ("end of the log", format!("at least {}", report.proven), stopped.to_string())
                } else {
                    scan.flaw.explain()
                };
                corruption =
                    Some(Corruption::new(member.file.path(), scan.end.into(), what, expected, found));
            }
            Decision::Cut => {
                let (file, at, reason) = (member.file.path(), stopped, scan.stop);
                report.cut = Some(Cut { file, at, reason, frames, bytes });
            }
            Decision::Continue | Decision::End => {}
        }
        if scan.any && scan.end > HEADER_LEN {
            report.end = report.end.max(stopped);
            seal = scan.seal.map(|offset| position(&member, offset));
        }
        examined.members.push((member, scan));
        if decision != Decision::Continue {
            break;
        }
    }
    if count == 0 && stopped < report.proven {
        let expected = format!("at least {}", report.proven);
        corruption = Some(Corruption::new(storage.path(), 0, "end of the log", expected, stopped));
    }
    if let Some(corruption) = corruption {
        return Err(corruption.into());
    }
    if let Some(seal) = seal.filter(|seal| *seal <= report.proven) {
        // All before the seal is durable; of the seal itself nobody knows, and nobody needs it any more.
        report.end = seal;
    }
    report.clean = report.cut.is_none() && report.end <= report.proven;
    report.ambiguous_tail = !report.clean;
    for (_, scan) in &examined.members {
        for frame in scan.frames.iter().filter(|frame| frame.at >= start.log_start) {
            report.frames += 1;
            report.bytes += u64::from(frame.len);
        }
    }
    Ok(())
}

/// Ends the segment before the first frame above `proven` that refers to something that is not whole.
fn refuse<F, T: Table>(
    member: &Member<F>,
    scan: &mut Scan,
    proven: Position,
    hooks: &dyn Hooks<T>,
) -> Result<()> {
    let first = scan.frames.partition_point(|frame| frame.at < proven);
    let bytes = scan.arena.bytes();
    let payload = |frame: &RecoveredFrame| &bytes[frame.offset as usize..][..frame.len as usize];
    let mut refused = None;
    for (index, frame) in scan.frames.iter().enumerate().skip(first) {
        if !hooks.validate(payload(frame), frame.at)? {
            refused = Some(index);
            break;
        }
    }
    if let Some(refused) = refused {
        debug_assert!(scan.frames[refused].at >= member.header.base);
        scan.refuse(refused);
    }
    Ok(())
}

/// Makes what was found durable (R3) and folds it; oldest segment first.
pub(crate) fn restore<S: Storage, T: Table>(
    mut members: Vec<(Member<S::File>, Scan)>,
    report: &Report,
    start: &Start,
    options: &Options,
) -> Result<Vec<Kept<S::File, T>>> {
    if !options.read_only && !report.clean && !flaw!("trust_what_is_seen") {
        for (member, scan) in &mut members {
            write_again(member, scan, report.proven)?;
        }
    }
    let geometry = Geometry::new(options.segment_shift);
    let restored = in_parallel(members, geometry, |(member, scan)| {
        let Scan { mut arena, frames, used, .. } = scan;
        let frames: Vec<RecoveredFrame> =
            frames.into_iter().filter(|frame| frame.at >= start.log_start).collect();
        if frames.is_empty() {
            return Ok(None);
        }
        let table = rebuild::<T>(&mut arena, &frames, &member.file.path())?;
        let (geometry, index) = (member.header.geometry, member.header.index());
        let segment = Segment::sealed(geometry, index, member.header.binding(), arena, table, used);
        Ok(Some((Arc::new(segment), member.file)))
    })?;
    Ok(restored.into_iter().flatten().collect())
}

fn rebuild<T: Table>(arena: &mut Arena, frames: &[RecoveredFrame], file: &std::path::Path) -> Result<T> {
    T::rebuild(&RecoveredSegment { frames, bytes: arena.bytes(), file })
}

/// Writes the bytes of a segment above `proven` again and syncs them.
fn write_again<F: File>(member: &Member<F>, scan: &mut Scan, proven: Position) -> Result<()> {
    let from = proven.get().saturating_sub(member.header.base.get()).max(HEADER_LEN.into());
    if from < scan.used.into() {
        let range = usize::try_from(from).expect("an offset in a segment")..scan.used as usize;
        member.file.write_at(&scan.arena.bytes()[range], from)?;
        member.file.sync()?;
    }
    Ok(())
}

/// `work` on every segment by as many threads as there are cores to use; results in order, or the first failure.
fn in_parallel<I: Send, O: Send>(
    items: Vec<I>,
    geometry: Geometry,
    work: impl Fn(I) -> Result<O> + Sync,
) -> Result<Vec<O>> {
    if items.len() < 2 || geometry.size() < WORTH_A_THREAD {
        return items.into_iter().map(work).collect();
    }
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let todo = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let run = || {
            loop {
                let next = todo.lock().next();
                let Some((number, item)) = next else { return };
                let result = work(item);
                done.lock().push((number, result));
            }
        };
        for _ in 1..threads {
            // Where no thread can be had, the others do its work.
            let _ = std::thread::Builder::new().name("fourfold-scan".to_owned()).spawn_scoped(scope, run);
        }
        run();
    });
    let mut done = std::mem::take(&mut *done.lock());
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod tests {
    use super::*;

    /// Every input of the table, against the rules it stands for.
    #[test]
    fn the_table_is_total_and_keeps_the_rules() {
        for stop in [Stop::Whole, Stop::Blank, Stop::Torn, Stop::Refused] {
            for bits in 0..8 {
                let (below_proven, last, behind) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
                let case = Case { stop, below_proven, last, behind };
                let decision = decide(case);
                let goes_on = stop == Stop::Whole && !last;
                // Only a whole segment is walked past: the log has no hole.
                assert_eq!(decision == Decision::Continue, goes_on, "{case:?}");
                // Durable bytes are never given up, and nothing else stops an open.
                assert_eq!(decision == Decision::Corrupt, below_proven && !goes_on, "{case:?}");
                // A cut is told whenever something was there.
                let something = behind || matches!(stop, Stop::Torn | Stop::Refused);
                let cut = !below_proven && stop != Stop::Whole && something;
                assert_eq!(decision == Decision::Cut, cut, "{case:?}");
            }
        }
    }
}
