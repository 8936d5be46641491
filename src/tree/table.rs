//! What a log segment folds into while it is written: its memtable, and the keyspaces its frames change.
//!
//! Applying a frame and rebuilding a segment after a crash go through the same decoder and say the same thing; the
//! rebuild sorts first, because inserting in order is several times cheaper.

use crate::error::Result;
use crate::log::{RecoveredSegment, Segment, Table};
use crate::position::Position;
use crate::tree::batch::{Op, OpKind, decode, keyspace_of};
use crate::tree::keyspaces::{FIRST_KEYSPACE, Keyspaces};
use crate::tree::memtable::{Memtable, Slot};
use crate::tree::merge::key_prefix;
use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};

/// The table of one segment.
#[derive(Debug)]
pub(crate) struct SegmentTable {
    memtable: Memtable,
    /// Given before the segment takes its first frame; never to a rebuilt segment, which takes none.
    keyspaces: OnceLock<Arc<Keyspaces>>,
    /// What a rebuilt segment's frames said of keyspaces: operation, full key, position; in order. Segments may be
    /// rebuilt at the same time, so whoever opens the tree applies these, oldest segment first.
    controls: Vec<(OpKind, Vec<u8>, Position)>,
}

/// A segment and its table, as readers hold it.
pub(crate) type TreeSegment = Segment<SegmentTable>;

impl SegmentTable {
    pub(crate) fn memtable(&self) -> &Memtable {
        &self.memtable
    }

    /// From now on frames change these keyspaces.
    pub(crate) fn attach(&self, keyspaces: &Arc<Keyspaces>) {
        // A segment whose opening failed is offered again.
        let _ = self.keyspaces.set(Arc::clone(keyspaces));
    }

    /// Carries out what a rebuilt segment's frames said of keyspaces.
    pub(crate) fn apply_controls(&self, keyspaces: &Keyspaces) {
        for (kind, key, at) in &self.controls {
            keyspaces.apply(*kind, keyspace_of(key), key, *at);
        }
    }
}

impl Table for SegmentTable {
    fn new(_base: Position) -> Self {
        Self { memtable: Memtable::new(), keyspaces: OnceLock::new(), controls: Vec::new() }
    }

    fn apply(&self, payload: &[u8], offset: u32, at: Position) {
        for op in decode(payload) {
            let op = op.expect("a batch is encoded by this crate");
            match op.kind {
                OpKind::Entry(kind) => {
                    let slot = Slot { kind, offset: offset + op.value_offset, len: value_len(&op) };
                    self.memtable.insert(op.key, at, slot);
                }
                control => {
                    let keyspaces = self.keyspaces.get().expect("attached before the first frame");
                    keyspaces.apply(control, op.keyspace(), op.key, at);
                }
            }
        }
    }

    fn rebuild(segment: &RecoveredSegment<'_>) -> Result<Self> {
        let (mut entries, mut controls) = (Vec::new(), Vec::new());
        for frame in segment.frames {
            for op in decode(segment.payload(frame)) {
                let op = op.map_err(|at| {
                    segment.corrupt(frame, "batch", "an operation", format_args!("none at byte {at}"))
                })?;
                match op.kind {
                    OpKind::Entry(kind) => {
                        let slot = Slot { kind, offset: frame.offset + op.value_offset, len: value_len(&op) };
                        entries.push((key_prefix(op.key), op.key, frame.at, slot));
                    }
                    // No batch has such a control: the one would end what is always there, the other has none behind it.
                    control
                        if op.keyspace() == u32::MAX
                            || op.keyspace() < FIRST_KEYSPACE && control != OpKind::Floor =>
                    {
                        let found = op.keyspace();
                        return Err(segment.corrupt(frame, "batch", "the id of a keyspace", found));
                    }
                    control => controls.push((control, op.key.to_vec(), frame.at)),
                }
            }
        }
        // Later operations of a frame stand later in the segment, and win (B3): newest first, then by place.
        entries.sort_unstable_by(|(prefix_a, key_a, at_a, slot_a), (prefix_b, key_b, at_b, slot_b)| {
            prefix_a.cmp(prefix_b).then_with(|| key_a.cmp(key_b)).then_with(|| {
                (Reverse(at_a), Reverse(slot_a.offset)).cmp(&(Reverse(at_b), Reverse(slot_b.offset)))
            })
        });
        entries.dedup_by(|(_, later, later_at, _), (_, key, at, _)| later == key && later_at == at);
        let memtable = Memtable::from_sorted(entries.into_iter().map(|(_, key, at, slot)| (key, at, slot)));
        Ok(Self { memtable, keyspaces: OnceLock::new(), controls })
    }
}

fn value_len(op: &Op<'_>) -> u32 {
    u32::try_from(op.value.len()).expect("lengths in a batch are u32")
}
