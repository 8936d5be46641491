//! From changes to their targets, in the batch of the changes.

use super::Delivery;
use super::message::{Scene, event_id, message};
use super::record::Deliveries;
use crate::Batch;
use crate::kv::changes::record::ChangeKind;
use crate::kv::error::Result;
use crate::kv::feed_locks::Wakes;
use crate::kv::keys::Key;
use crate::kv::schema::StreamViewType;
use crate::kv::state::Shape;
use crate::kv::value::Item;
use crate::kv::write::{After, Before, Effect};
use crate::store::Store;
use crate::store::deliver::{self, Arrival, Arrivals, deliver_all};
use crate::store::pending::Pending;
use parking_lot::MutexGuard;

/// A body up to this length, in bytes, fits every target.
const SURE_LEN: usize = 1 << 10;

/// A change that is to be told of.
#[derive(Debug)]
pub(crate) struct Told {
    /// What is told of one item stays in order (Y2).
    pub(crate) group: Vec<u8>,
    pub(crate) kind: ChangeKind,
    pub(crate) by_service: bool,
    pub(crate) keys: Item,
    pub(crate) old: Option<Item>,
    pub(crate) new: Option<Item>,
}

impl Told {
    /// What is told of a change, if anybody wants to know.
    pub(crate) fn of(
        shape: &Shape,
        key: &Key,
        before: Option<&Before>,
        after: Option<&After>,
        by_service: bool,
    ) -> Result<Option<Self>> {
        let Some(deliveries) = &shape.deliveries else { return Ok(None) };
        let old = before.map(Before::item).transpose()?;
        let new = after.map(|after| &after.item);
        let (kind, item) = match (old, new) {
            (None, None) => return Ok(None),
            (None, Some(new)) => (ChangeKind::Insert, new),
            (Some(_), Some(new)) => (ChangeKind::Modify, new),
            (Some(old), None) => (ChangeKind::Remove, old),
        };
        if !deliveries.all.iter().any(|delivery| delivery.tells_of(kind)) {
            return Ok(None);
        }
        let group = [&shape.items.id().to_le_bytes(), &*key.bytes].concat();
        let keys = shape.layout.key_item(item);
        Ok(Some(Self { group, kind, by_service, keys, old: old.cloned(), new: new.cloned() }))
    }

    fn arrival(&self, scene: &Scene<'_>, delivery: &Delivery) -> Arrival {
        let body = message(scene, self, delivery, delivery.view);
        let has_images = delivery.view != StreamViewType::KeysOnly;
        let short = (has_images && body.len() > SURE_LEN)
            .then(|| message(scene, self, delivery, StreamViewType::KeysOnly));
        let mut arrival = Arrival::new(&self.group, body);
        (arrival.short, arrival.id) = (short, Some(event_id(scene)));
        arrival
    }
}

impl Delivery {
    fn tells_of(&self, kind: ChangeKind) -> bool {
        self.is_enabled && self.kinds.contains(&kind)
    }
}

/// What some changes tell, with the tables in question locked against other numbers (Y3) until the batch is appended.
#[must_use = "it is told with the batch of the changes"]
pub(crate) struct Telling<'a> {
    _order: Vec<MutexGuard<'a, ()>>,
    arrivals: Arrivals,
}

impl<'a> Telling<'a> {
    /// Everything else that the tables are locked by is locked.
    pub(crate) fn of(store: &Store, effects: &'a [Effect<'a>]) -> Self {
        let mut tables: Vec<(u32, &Deliveries)> = effects.iter().filter_map(telling_table).collect();
        tables.sort_unstable_by_key(|(space, _)| *space);
        tables.dedup_by_key(|(space, _)| *space);
        let order = tables.into_iter().map(|(_, deliveries)| deliveries.order.lock()).collect();
        let mut arrivals = Arrivals::new();
        let mut number = store.frontier().get();
        for effect in effects {
            let (Some(told), Some(deliveries)) = (&effect.told, &effect.shape.deliveries) else {
                continue;
            };
            let table = &*effect.table.name;
            let arn = &store.arn("dynamodb", &format!("table/{table}"));
            let scene = Scene { region: store.region(), table, arn, now: store.now(), number };
            for delivery in deliveries.all.iter().filter(|delivery| delivery.tells_of(told.kind)) {
                let arrival = told.arrival(&scene, delivery);
                arrivals.entry(delivery.target.clone()).or_default().push(arrival);
            }
            // The frame takes more bytes than it makes changes, so the log ends behind all of these numbers.
            number += 1;
        }
        Self { _order: order, arrivals }
    }

    /// What arrives where: for who has the batch in hand, and delivers by itself.
    pub(crate) fn take(&mut self) -> Arrivals {
        std::mem::take(&mut self.arrivals)
    }

    /// Commits the batch of the changes together with what arrives.
    pub(crate) fn commit(self, store: &Store, batch: Batch, wakes: &mut Wakes) -> Result<Pending<()>> {
        if self.arrivals.is_empty() {
            return Ok(store.commit(batch)?);
        }
        let deliveries = self.arrivals.iter().filter_map(|(arn, arrivals)| {
            Some(deliver::Delivery { target: crate::targets::find_by_arn(arn)?, arn, arrivals })
        });
        let deliveries: Vec<_> = deliveries.collect();
        let mut pending = Pending::ready(store, ());
        let woken = deliver_all(store, &deliveries, batch, &mut |batch| {
            pending = store.commit(batch)?;
            Ok(())
        })?;
        wakes.then(woken);
        Ok(pending)
    }
}

fn telling_table<'a>(effect: &'a Effect<'a>) -> Option<(u32, &'a Deliveries)> {
    effect.told.as_ref()?;
    Some((effect.shape.items.id(), effect.shape.deliveries.as_deref()?))
}
