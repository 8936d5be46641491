//! Reading everything to see whether it is what was written.

use crate::error::{Corruption, Result};
use crate::store::{Store, catalog};
use crate::tree::keyspaces::FIRST_KEYSPACE;
use std::collections::BTreeMap;

impl Store {
    /// Reads everything and returns what is wrong, and where: each checksum of log, runs and blobs, the order of keys,
    /// the manifest against the runs, references to blobs, names against keyspaces. An empty answer is a clean bill.
    ///
    /// It reads by system calls, not by maps, so a bad device is a finding. Writes go on meanwhile; folding and compaction
    /// wait.
    ///
    /// # Errors
    /// Only if the check itself cannot go on; what it finds is the result.
    pub fn verify(&self) -> Result<Vec<Corruption>> {
        let mut problems = Vec::new();
        self.inner.tree.verify(&mut |problem| problems.push(problem))?;
        self.verify_catalog(&mut problems)?;
        Ok(problems)
    }

    /// Every keyspace has one name, every name its keyspaces.
    fn verify_catalog(&self, problems: &mut Vec<Corruption>) -> Result<()> {
        let _still = self.inner.catalog.lock();
        let mut owners: BTreeMap<u32, String> = BTreeMap::new();
        for (kind, name) in self.inner.names()? {
            for id in self.inner.resource(kind, &name)?.map(|found| found.ids).unwrap_or_default() {
                if self.inner.tree.keyspace(id).is_none_or(|state| state.is_dropped()) {
                    problems.push(catalog::dangling_record(&name, id));
                }
                if let Some(other) = owners.insert(id, name.clone()) {
                    problems.push(Corruption::new(
                        "catalog",
                        0,
                        "owner of a keyspace",
                        format_args!("keyspace {id} of {other:?}"),
                        format_args!("{name:?} too"),
                    ));
                }
            }
        }
        for id in self.inner.tree.live_keyspaces().into_iter().filter(|id| *id >= FIRST_KEYSPACE) {
            if !owners.contains_key(&id) {
                let found = format_args!("none for keyspace {id}").to_string();
                problems.push(Corruption::new("catalog", 0, "name of a keyspace", "one", found));
            }
        }
        Ok(())
    }
}
