//! What one engine lets others add to a batch of theirs, so that a change and what it brings about are one batch.
//!
//! D1. Engines do not name each other. Whoever takes deliveries is [found](crate::targets::find) by the service in the
//!     target's ARN.
//! D2. A target keeps what it locks locked from deciding until the batch is appended, and applies its change to its own
//!     memory only if appending succeeded. So delivering is nested: the target calls back with its locks held.
//! D3. Lock order: the engine whose change it is, then targets by ARN, each once. A target takes no lock of another
//!     engine, and calls back exactly once.

use crate::error::Result;
use crate::store::{Batch, Store};
use bytes::Bytes;

/// An engine that takes deliveries.
pub(crate) trait Deliver: Sync {
    /// Why nothing can be delivered to this ARN, for the person who names it as a target; none if it can.
    fn refusal(&self, store: &Store, arn: &str) -> Result<Option<String>>;

    /// Adds the arrival of what is delivered to `batch`, and hands it on to `append`, with what it locks held. If there is
    /// no such target any more, or it refuses, the batch is handed on as it came.
    fn deliver(
        &self,
        store: &Store,
        delivery: &Delivery<'_>,
        batch: Batch,
        append: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()>;
}

/// What is to arrive where.
pub(crate) struct Delivery<'a> {
    pub(crate) target: &'a dyn Deliver,
    pub(crate) arn: &'a str,
    /// What has the same group stays in order, where a target keeps several orders.
    pub(crate) group: &'a str,
    /// In this order.
    pub(crate) bodies: &'a [Bytes],
}

/// Adds the arrivals to `batch` and appends it, in the lock order of D3: who calls gives them in that order.
pub(crate) fn deliver_all(
    store: &Store,
    deliveries: &[Delivery<'_>],
    batch: Batch,
    append: &mut dyn FnMut(Batch) -> Result<()>,
) -> Result<()> {
    debug_assert!(
        deliveries.windows(2).all(|pair| pair[0].arn < pair[1].arn),
        "each ARN once, in order (D3)"
    );
    let Some((first, rest)) = deliveries.split_first() else { return append(batch) };
    first.target.deliver(store, first, batch, &mut |batch| deliver_all(store, rest, batch, &mut *append))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalog::ResourceKind;
    use parking_lot::Mutex;

    /// Keeps what arrives under the ARN, and in memory once it is appended.
    struct Shelf {
        space: u32,
        held: Mutex<Vec<Bytes>>,
    }

    impl Deliver for Shelf {
        fn refusal(&self, _: &Store, arn: &str) -> Result<Option<String>> {
            Ok((!arn.starts_with("arn:")).then(|| "no shelf".to_owned()))
        }

        fn deliver(
            &self,
            _: &Store,
            delivery: &Delivery<'_>,
            mut batch: Batch,
            append: &mut dyn FnMut(Batch) -> Result<()>,
        ) -> Result<()> {
            let mut held = self.held.lock();
            for body in delivery.bodies {
                batch.put_in(self.space, delivery.arn.as_bytes(), body)?;
            }
            append(batch)?;
            held.extend_from_slice(delivery.bodies);
            Ok(())
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
        let shelves = [(); 2].map(|()| Shelf { space, held: Mutex::default() });
        let bodies = [Bytes::from_static(b"event")];
        let delivery = |shelf, arn| Delivery { target: shelf, arn, group: "", bodies: &bodies };
        let deliveries = [delivery(&shelves[0] as &dyn Deliver, "arn:a"), delivery(&shelves[1], "arn:b")];
        let mut batch = store.batch();
        batch.put_in(space, b"change", b"").unwrap();
        deliver_all(&store, &deliveries, batch, &mut |batch| {
            assert_eq!(batch.len(), 3);
            assert!(
                shelves.iter().all(|shelf| shelf.held.is_locked()),
                "locks are held while it is appended (D2)"
            );
            store.commit(batch)?.wait()
        })
        .unwrap();
        assert!(shelves.iter().all(|shelf| *shelf.held.lock() == bodies));
        let space = store.space(space).unwrap();
        for key in ["change", "arn:a", "arn:b"] {
            assert!(space.get(&store, key.as_bytes()).unwrap().is_some(), "{key}");
        }
    }

    #[test]
    fn nothing_arrives_if_the_change_fails() {
        let (store, space) = store_with_space();
        let shelf = Shelf { space, held: Mutex::default() };
        let bodies = [Bytes::from_static(b"event")];
        let deliveries = [Delivery { target: &shelf, arn: "arn:a", group: "", bodies: &bodies }];
        let fails = |_| Err(crate::Error::invalid("batch", "it is refused"));
        assert!(deliver_all(&store, &deliveries, store.batch(), &mut { fails }).is_err());
        assert!(shelf.held.lock().is_empty() && !shelf.held.is_locked());
        assert_eq!(shelf.refusal(&store, "x").unwrap().as_deref(), Some("no shelf"));
    }
}
