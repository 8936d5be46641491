//! What one engine lets others add to a batch of theirs, so that a change and what it brings about are one batch.
//!
//! D1. Engines do not name each other. Whoever takes deliveries is [found](crate::targets::find) by the service in the
//!     target's ARN.
//! D2. A target keeps what it locks locked from deciding until the batch is appended, and applies its change to its own
//!     memory only if appending succeeded. So delivering is nested: the target calls back with its locks held.
//! D3. Lock order: the engine whose change it is, then targets by ARN, each once. A target takes no lock of another
//!     engine, and calls back exactly once.
//! D4. All targets are found before the first is locked, and one that is locked looks for nothing: who makes or deletes
//!     targets locks where they are found first and the target then.
//! D5. Who waits for what arrived is woken by whoever began the change, when nothing is locked any more: a waker may do
//!     anything, also ask for a lock. So wakers are handed out.

use crate::error::Result;
use crate::store::{Batch, Store};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::task::Waker;
use xxhash_rust::xxh3::xxh3_128;

/// An engine that takes deliveries.
pub(crate) trait Deliver: Sync {
    /// Why nothing can be delivered to this ARN, for the person who names it as a target; none if it can. `has_ids`: what
    /// would come has ids, and is short if need be.
    fn refusal(&self, store: &Store, arn: &str, has_ids: bool) -> Result<Option<String>>;

    /// What takes deliveries to this ARN (D4); none if there is no such target any more.
    fn find(&self, store: &Store, arn: &str) -> Result<Option<Box<dyn Target + '_>>>;
}

/// A target that was found.
pub(crate) trait Target {
    /// Adds the arrival of what is delivered to `batch`, and hands it on to `append`, with what it locks held. If it is
    /// gone meanwhile, or refuses, the batch is handed on as it came. Gives who is to be woken (D5).
    fn deliver(
        &self,
        store: &Store,
        delivery: &Delivery<'_>,
        batch: Batch,
        append: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<Vec<Waker>>;
}

/// Who is to be woken once nothing is locked: when this is dropped (D5).
#[derive(Debug, Default)]
#[must_use = "who waits is woken when this is dropped: not while anything is locked"]
pub(crate) struct Woken(Vec<Waker>);

impl Woken {
    /// These, and then `later`.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }
}

impl From<Vec<Waker>> for Woken {
    fn from(wakers: Vec<Waker>) -> Self {
        Self(wakers)
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

/// What is to arrive where.
pub(crate) struct Delivery<'a> {
    pub(crate) target: &'a dyn Deliver,
    pub(crate) arn: &'a str,
    /// In this order.
    pub(crate) arrivals: &'a [Arrival],
}

/// What is to arrive, by ARN.
pub(crate) type Arrivals = BTreeMap<String, Vec<Arrival>>;

/// One thing that arrives.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    group: u128,
    pub(crate) body: Bytes,
    /// What arrives instead if the body is too long for the target.
    pub(crate) short: Option<Bytes>,
    /// No other arrival at any target has it. Without, nothing arrives where things that came before are told by ids.
    pub(crate) id: Option<String>,
}

impl Arrival {
    /// What has the same group stays in order, where a target keeps several orders.
    pub(crate) fn new(group: impl AsRef<[u8]>, body: Bytes) -> Self {
        Self { group: xxh3_128(group.as_ref()), body, short: None, id: None }
    }

    /// The group, as a name that every target takes.
    pub(crate) fn group(&self) -> String {
        format!("{:032X}", self.group)
    }

    /// The bodies that will do, the best first.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.body).chain(&self.short)
    }
}

/// Adds the arrivals to `batch` and appends it, in the lock order of D3: who calls gives them in that order, and wakes
/// those that are given back (D5).
pub(crate) fn deliver_all(
    store: &Store,
    deliveries: &[Delivery<'_>],
    batch: Batch,
    append: &mut dyn FnMut(Batch) -> Result<()>,
) -> Result<Woken> {
    debug_assert!(
        deliveries.windows(2).all(|pair| pair[0].arn < pair[1].arn),
        "each ARN once, in order (D3)"
    );
    let mut found = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        found.extend(delivery.target.find(store, delivery.arn)?.map(|target| (target, delivery)));
    }
    deliver_nested(store, &found, batch, append).map(Woken)
}

fn deliver_nested(
    store: &Store,
    found: &[(Box<dyn Target + '_>, &Delivery<'_>)],
    batch: Batch,
    append: &mut dyn FnMut(Batch) -> Result<()>,
) -> Result<Vec<Waker>> {
    let Some(((target, delivery), rest)) = found.split_first() else {
        return append(batch).map(|()| Vec::new());
    };
    let mut others = Vec::new();
    let mut woken = target.deliver(store, delivery, batch, &mut |batch| {
        others = deliver_nested(store, rest, batch, &mut *append)?;
        Ok(())
    })?;
    woken.append(&mut others);
    Ok(woken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalog::ResourceKind;
    use parking_lot::Mutex;
    use std::sync::Arc;

    /// Keeps what arrives under the ARN, and in memory once it is appended.
    struct Shelf {
        space: u32,
        held: Arc<Mutex<Vec<Bytes>>>,
        /// What all shelves hold.
        others: Vec<Arc<Mutex<Vec<Bytes>>>>,
    }

    impl Deliver for Shelf {
        fn refusal(&self, _: &Store, arn: &str, _: bool) -> Result<Option<String>> {
            Ok((!arn.starts_with("arn:")).then(|| "no shelf".to_owned()))
        }

        fn find(&self, _: &Store, _: &str) -> Result<Option<Box<dyn Target + '_>>> {
            assert!(!self.others.iter().any(|other| other.is_locked()), "found before any is locked (D4)");
            Ok(Some(Box::new(self)))
        }
    }

    impl Target for &Shelf {
        fn deliver(
            &self,
            _: &Store,
            delivery: &Delivery<'_>,
            mut batch: Batch,
            append: &mut dyn FnMut(Batch) -> Result<()>,
        ) -> Result<Vec<Waker>> {
            let mut held = self.held.lock();
            for arrival in delivery.arrivals {
                batch.put_in(self.space, delivery.arn.as_bytes(), &arrival.body)?;
            }
            append(batch)?;
            held.extend(delivery.arrivals.iter().map(|arrival| arrival.body.clone()));
            Ok(vec![Waker::noop().clone()])
        }
    }

    fn store_with_space() -> (Store, u32) {
        let store = Store::in_memory();
        let mut batch = store.batch();
        let id = batch.create_space().unwrap();
        batch.put_resource(ResourceKind::Keyspace, "shelf", &[id], &[]).unwrap();
        store.write(batch).unwrap();
        (store, id)
    }

    #[test]
    fn a_change_and_its_deliveries_are_one_batch() {
        let (store, space) = store_with_space();
        let held = [(); 2].map(|()| Arc::<Mutex<Vec<Bytes>>>::default());
        let shelves =
            held.each_ref().map(|mine| Shelf { space, held: Arc::clone(mine), others: held.to_vec() });
        let bodies = [Bytes::from_static(b"event")];
        let arrivals = bodies.clone().map(|body| Arrival::new("", body));
        let delivery = |shelf, arn| Delivery { target: shelf, arn, arrivals: &arrivals };
        let deliveries = [delivery(&shelves[0] as &dyn Deliver, "arn:a"), delivery(&shelves[1], "arn:b")];
        let mut batch = store.batch();
        batch.put_in(space, b"change", b"").unwrap();
        let woken = deliver_all(&store, &deliveries, batch, &mut |batch| {
            assert_eq!(batch.len(), 3);
            assert!(
                shelves.iter().all(|shelf| shelf.held.is_locked()),
                "locks are held while it is appended (D2)"
            );
            store.commit(batch)?.wait()
        })
        .unwrap();
        assert_eq!(woken.0.len(), 2, "wakers of all targets are handed out (D5)");
        assert!(shelves.iter().all(|shelf| *shelf.held.lock() == bodies));
        let space = store.space(space).unwrap();
        for key in ["change", "arn:a", "arn:b"] {
            assert!(space.get(&store, key.as_bytes()).unwrap().is_some(), "{key}");
        }
    }

    #[test]
    fn nothing_arrives_if_the_change_fails() {
        let (store, space) = store_with_space();
        let shelf = Shelf { space, held: Arc::default(), others: Vec::new() };
        let arrivals = [Arrival::new("", Bytes::from_static(b"event"))];
        let deliveries = [Delivery { target: &shelf, arn: "arn:a", arrivals: &arrivals }];
        let fails = |_| Err(crate::Error::invalid("batch", "it is refused"));
        assert!(deliver_all(&store, &deliveries, store.batch(), &mut { fails }).is_err());
        assert!(shelf.held.lock().is_empty() && !shelf.held.is_locked());
        assert_eq!(shelf.refusal(&store, "x", false).unwrap().as_deref(), Some("no shelf"));
    }
}
