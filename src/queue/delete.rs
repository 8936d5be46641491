//! Deleting messages, and changing how long they stay invisible: both by a receipt handle.
//!
//! A standard queue takes any handle it ever gave out for a message; a FIFO queue only that of the present delivery.

use crate::clock::Timestamp;
use crate::queue::core::{Core, State};
use crate::queue::error::{Error, Result};
use crate::queue::index::Lease;
use crate::queue::keys;
use crate::queue::limits::VISIBILITY_SECONDS_MAX;
use crate::queue::receipt::{self, Receipt};
use crate::{Batch, Store};
use std::collections::BTreeMap;
use std::time::Duration;

/// Messages to be deleted.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    messages: BTreeMap<u64, String>,
}

/// Leases to be changed: their ends.
#[derive(Debug, Default)]
pub(super) struct Changes {
    ends: BTreeMap<u64, Timestamp>,
}

pub(super) fn parse(core: &Core, handle: &str) -> Result<Receipt> {
    if handle.trim().is_empty() {
        return Err(Error::missing("ReceiptHandle"));
    }
    let receipt = receipt::decode(core.identity.salt, handle);
    receipt.ok_or_else(|| Error::ReceiptHandleIsInvalid { handle: handle.to_owned() })
}

impl State {
    /// Decides about one deletion. A message that is gone already is fine.
    pub(super) fn decide_delete(
        &self,
        core: &Core,
        store: &Store,
        deletions: &mut Deletions,
        (handle, now): (&str, Timestamp),
    ) -> Result<()> {
        let receipt = parse(core, handle)?;
        if receipt.seq < self.cutoff(now) {
            return Ok(());
        }
        let is_there = match self.index.leases.get(&receipt.seq) {
            Some(lease) if core.identity.is_fifo && !is_present(lease, &receipt) => {
                return Err(expired(handle));
            }
            Some(_) => true,
            // Deleted, or a crash took the lease: then it is not in flight.
            None => self.is_there(store, &receipt)?,
        };
        if is_there && core.identity.is_fifo && !self.index.leases.contains_key(&receipt.seq) {
            return Err(expired(handle));
        }
        if is_there {
            deletions.messages.insert(receipt.seq, receipt.group);
        }
        Ok(())
    }

    /// Decides about one deletion of a message that must be there still: a later delivery may have been worked off by
    /// somebody else.
    pub(super) fn decide_acknowledge(
        &self,
        core: &Core,
        store: &Store,
        deletions: &mut Deletions,
        (handle, now): (&str, Timestamp),
    ) -> Result<()> {
        self.decide_delete(core, store, deletions, (handle, now))?;
        if deletions.messages.contains_key(&parse(core, handle)?.seq) {
            return Ok(());
        }
        Err(expired(handle))
    }

    fn is_there(&self, store: &Store, receipt: &Receipt) -> Result<bool> {
        let key = keys::message(&receipt.group, receipt.seq);
        Ok(self.spaces.messages.get(store, key.as_ref())?.is_some())
    }

    /// Adds to a batch what was decided.
    pub(super) fn put_deletions(&self, batch: &mut Batch, deletions: &Deletions) -> crate::Result<()> {
        for (seq, group) in &deletions.messages {
            self.delete_message(batch, *seq, Some(group))?;
        }
        self.put_counts(batch, deletions.messages.len() as u64)
    }

    /// Applies what was logged.
    pub(super) fn apply_deletions(&mut self, deletions: Deletions) {
        for (seq, group) in deletions.messages {
            self.index.remove(seq, Some(group.as_str()).filter(|group| !group.is_empty()));
        }
    }

    /// Decides how long a message stays invisible from now on.
    pub(super) fn decide_visibility(
        &self,
        core: &Core,
        store: &Store,
        changes: &mut Changes,
        (handle, seconds): (&str, i32),
        now: Timestamp,
    ) -> Result<()> {
        if !(0..=VISIBILITY_SECONDS_MAX).contains(&seconds) {
            let reason =
                format_args!("VisibilityTimeout must be an integer between 0 and {VISIBILITY_SECONDS_MAX}.");
            return Err(Error::parameter(seconds, "VisibilityTimeout", reason));
        }
        let receipt = parse(core, handle)?;
        let is_expired = receipt.seq < self.cutoff(now);
        let Some(lease) = self.index.leases.get(&receipt.seq).filter(|_| !is_expired) else {
            return Err(match !is_expired && self.is_there(store, &receipt)? {
                true if core.identity.is_fifo => expired(handle),
                true => Error::MessageNotInflight,
                false => Error::parameter(
                    handle,
                    "ReceiptHandle",
                    "Message does not exist or is not available for visibility timeout change.",
                ),
            });
        };
        if core.identity.is_fifo && !is_present(lease, &receipt) {
            return Err(expired(handle));
        }
        if !lease.is_in_flight {
            // The service minds only if somebody ended the delivery, not if its time did.
            return if lease.is_given_back() { Err(Error::MessageNotInflight) } else { Ok(()) };
        }
        let until = now + Duration::from_secs(u64::from(seconds.cast_unsigned()));
        let cap = Duration::from_secs(u64::from(VISIBILITY_SECONDS_MAX.cast_unsigned()));
        if until > lease.received + cap {
            let reason = format_args!(
                "Total VisibilityTimeout for the message is beyond the limit [{VISIBILITY_SECONDS_MAX} seconds]"
            );
            return Err(Error::parameter(seconds, "VisibilityTimeout", reason));
        }
        changes.ends.insert(receipt.seq, if seconds == 0 { lease.received } else { until });
        Ok(())
    }

    /// Adds to a batch what was decided.
    pub(super) fn put_changes(&self, batch: &mut Batch, changes: &Changes) -> crate::Result<()> {
        for (seq, until) in &changes.ends {
            if let Some(lease) = self.index.leases.get(seq) {
                self.put_lease(batch, *seq, &Lease { until: *until, ..lease.clone() })?;
            }
        }
        Ok(())
    }

    /// Applies what was logged.
    pub(super) fn apply_changes(&mut self, changes: &Changes, now: Timestamp) {
        for (seq, until) in &changes.ends {
            self.index.extend(*seq, *until, now);
        }
    }
}

impl Deletions {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Numbers and groups; the group is empty for one without.
    pub(super) fn messages(&self) -> impl Iterator<Item = (u64, &str)> {
        self.messages.iter().map(|(seq, group)| (*seq, group.as_str()))
    }
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Is it the receipt of the present delivery?
fn is_present(lease: &Lease, receipt: &Receipt) -> bool {
    lease.is_in_flight && (lease.received, lease.count) == (receipt.received, receipt.count)
}

fn expired(handle: &str) -> Error {
    Error::parameter(handle, "ReceiptHandle", "The receipt handle has expired.")
}
