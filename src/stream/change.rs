//! Changes of a stream that take time: how they begin, and how they are carried out when they are due.
//!
//! A change is stored with the moment at which it is done. Whoever comes by later carries it out before anything else, so
//! it seems to have happened then; the sweeper does if nobody comes.

use crate::clock::Timestamp;
use crate::store::catalog::ResourceKind;
use crate::store::pending::Pending;
use crate::store::{Batch, Store};
use crate::stream::error::{Error, Result};
use crate::stream::meta::{Change, ChangeKind, StreamRecord};
use crate::stream::reshard;
use crate::stream::state::{Inner, Registry, StreamState};
use std::fmt;
use std::time::Duration;

/// What a stream is doing.
///
/// ```
/// use fourfold::stream::Status;
/// assert_eq!(Status::Updating.to_string(), "UPDATING");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is being made; it takes and gives nothing yet.
    Creating,
    /// It takes and gives records, and changes.
    Active,
    /// It takes and gives records; another change has to wait.
    Updating,
    /// It goes away.
    Deleting,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
        })
    }
}

impl Registry {
    /// Carries out the change of `stream` if it is due.
    pub(crate) fn settle(&self, store: &Store, stream: &StreamState) -> Result<()> {
        let now = store.now();
        let due = {
            let inner = stream.inner.read();
            inner.record.change.filter(|change| change.due <= now)
        };
        match due.map(|change| change.kind) {
            None => Ok(()),
            Some(ChangeKind::Delete) => {
                let mut directory = self.directory_mut(store)?;
                let mut inner = stream.alone();
                if !inner.is_gone {
                    remove(store, stream, &mut inner)?.forget();
                    directory.remove(&stream.name);
                }
                // Before the stream, whose waiters are woken when it is given back.
                drop(directory);
                Ok(())
            }
            Some(_) => {
                let mut inner = stream.alone();
                // It may have been carried out meanwhile, and another may have begun.
                match inner.record.change {
                    Some(Change { due, kind }) if due <= now && kind != ChangeKind::Delete => {
                        carry_out(store, stream, &mut inner, kind, due).map(Pending::forget)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Begins a change that ends after `delay`; `record` is what the stream is until then. Not for deleting.
    pub(crate) fn begin(
        &self,
        store: &Store,
        stream: &StreamState,
        inner: &mut Inner,
        mut record: StreamRecord,
        kind: ChangeKind,
        delay: Duration,
    ) -> Result<Pending<()>> {
        let now = store.now();
        if delay.is_zero() {
            let before = std::mem::replace(&mut inner.record, record);
            let done = carry_out(store, stream, inner, kind, now);
            if done.is_err() {
                inner.record = before;
            }
            return done;
        }
        let due = now + delay;
        record.change = Some(Change { due, kind });
        let pending = store_record(store, stream, inner, record)?;
        self.sweep_at(store, due);
        Ok(pending)
    }
}

/// Does what a change is about, as of `at`, and ends it.
fn carry_out(
    store: &Store,
    stream: &StreamState,
    inner: &mut Inner,
    kind: ChangeKind,
    at: Timestamp,
) -> Result<Pending<()>> {
    let record = StreamRecord { change: None, ..inner.record.clone() };
    match kind {
        ChangeKind::Create | ChangeKind::Set | ChangeKind::Delete => {
            store_record(store, stream, inner, record)
        }
        ChangeKind::Split { .. } | ChangeKind::Merge { .. } | ChangeKind::Scale { .. } => {
            let plan = reshard::plan(inner, kind, at);
            reshard::carry_out(store, stream, inner, record, &plan, at)
        }
    }
}

/// Stores what is new of a stream besides its shards.
pub(crate) fn store_record(
    store: &Store,
    stream: &StreamState,
    inner: &mut Inner,
    record: StreamRecord,
) -> Result<Pending<()>> {
    let mut batch = store.batch();
    put_record(&mut batch, &stream.name, &inner.spaces(), &record)?;
    let pending = store.commit(batch)?;
    inner.record = record;
    Ok(pending)
}

pub(crate) fn put_record(batch: &mut Batch, name: &str, spaces: &[u32], record: &StreamRecord) -> Result<()> {
    Ok(batch.put_resource(ResourceKind::Stream, name, spaces, &record.encode())?)
}

/// Removes a stream with all its records; its name goes from the directory by the caller.
pub(crate) fn remove(store: &Store, stream: &StreamState, inner: &mut Inner) -> Result<Pending<()>> {
    let mut batch = store.batch();
    batch.delete_resource(ResourceKind::Stream, &stream.name)?;
    for space in inner.spaces() {
        batch.drop_space(space)?;
    }
    let pending = store.commit(batch)?;
    inner.is_gone = true;
    inner.end_all();
    Ok(pending)
}

/// Only an active stream takes changes.
pub(crate) fn check_active(store: &Store, stream: &StreamState, inner: &Inner) -> Result<()> {
    if inner.is_gone {
        return Err(stream.not_found(store));
    }
    match inner.status() {
        Status::Active => Ok(()),
        status => Err(Error::StreamNotActive {
            stream: stream.name.clone(),
            account: store.account().to_owned(),
            status,
        }),
    }
}
