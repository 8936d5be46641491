//! The runs that a fold or a merge writes: one stream of entries, cut into files.

use crate::error::Result;
use crate::storage::Storage;
use crate::tree::Tree;
use crate::tree::batch::keyspace_of;
use crate::tree::entry::Entry;
use crate::tree::run::{Run, RunWriter};

/// Where one run may end and the next begin, once it has reached the length `from`. Never between versions of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    BetweenKeys { from: u64 },
    BetweenKeyspaces { from: u64 },
}

impl Cut {
    fn is_due(self, len: u64, last: &[u8], next: &[u8]) -> bool {
        match self {
            Self::BetweenKeys { from } => len >= from && last != next,
            Self::BetweenKeyspaces { from } => len >= from && keyspace_of(last) != keyspace_of(next),
        }
    }
}

/// Runs under way.
#[derive(Debug)]
pub(super) struct Outputs<'a, S: Storage> {
    tree: &'a Tree<S>,
    cut: Cut,
    writer: Option<RunWriter<S>>,
    last_key: Vec<u8>,
    done: Vec<Run<S::File>>,
}

impl<'a, S: Storage> Outputs<'a, S> {
    pub(super) fn new(tree: &'a Tree<S>, cut: Cut) -> Self {
        Self { tree, cut, writer: None, last_key: Vec::new(), done: Vec::new() }
    }

    pub(super) fn add(&mut self, entry: Entry<'_>) -> Result<()> {
        let is_due =
            |writer: &mut RunWriter<S>| self.cut.is_due(writer.estimated_len(), &self.last_key, entry.key);
        if let Some(writer) = self.writer.take_if(is_due) {
            self.close(writer)?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(self.tree.run_writer()?),
        };
        self.last_key.clear();
        self.last_key.extend_from_slice(entry.key);
        writer.add(entry)
    }

    /// The finished runs, by key. After a failure nothing is left of any.
    pub(super) fn finish(mut self) -> Result<Vec<Run<S::File>>> {
        let closed = self.writer.take().map_or(Ok(()), |writer| self.close(writer));
        match closed {
            Ok(()) => Ok(self.done),
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    fn close(&mut self, writer: RunWriter<S>) -> Result<()> {
        self.done.push(self.tree.finish_run(writer)?);
        Ok(())
    }

    /// Removes what was written. What cannot be removed now is unknown to the manifest and goes at the next open.
    pub(super) fn abandon(self) {
        if let Some(writer) = self.writer {
            let _ = writer.abandon();
        }
        self.tree.discard_runs(self.done.iter().map(|run| run.meta().id));
    }
}
