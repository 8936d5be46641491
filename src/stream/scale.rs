//! The verbs that change which shards there are.

use crate::clock::Timestamp;
use crate::store::pending::Pending;
use crate::stream::Stream;
use crate::stream::change::Status;
use crate::stream::check;
use crate::stream::create::{check_shard_limit, open_shards};
use crate::stream::error::{Error, Result};
use crate::stream::hash;
use crate::stream::limits::{ROLLING_DAY, SCALE_TARGET_MAX, SCALINGS_PER_DAY, SHARD_INDEX_MAX};
use crate::stream::meta::{ChangeKind, Mode};
use crate::stream::shard::{Shard, ShardId};
use crate::stream::state::{Alone, Inner};
use std::sync::Arc;

/// From how many shards a stream was scaled to how many.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::CreateStream};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", CreateStream::default().shard_count(2))?;
/// let scaled = stream.update_shard_count(4)?;
/// assert_eq!((scaled.current_shard_count, scaled.target_shard_count), (2, 4));
/// assert_eq!(stream.summary()?.open_shard_count, 4);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scaled {
    /// Open shards before.
    pub current_shard_count: u32,
    /// Open shards once it is done.
    pub target_shard_count: u32,
}

impl Stream {
    /// Splits a shard: one new shard takes the hash keys below `new_starting_hash_key`, another it and those above.
    ///
    /// # Errors
    /// [`ShardNotFound`](Error::ShardNotFound); [`InvalidArgument`](Error::InvalidArgument) for a hash key that is not
    /// inside the shard, and for a shard that is closed; [`StreamNotActive`](Error::StreamNotActive) while another
    /// change is under way; [`Validation`](Error::Validation) for a stream on demand;
    /// [`ShardLimit`](Error::ShardLimit).
    pub fn split_shard(&self, shard_to_split: &str, new_starting_hash_key: u128) -> Result<()> {
        self.store.call("SplitShard", self.name(), || {
            Ok(self
                .stage_split(shard_to_split, Some(new_starting_hash_key), &new_starting_hash_key)?
                .wait()?)
        })
    }

    /// [`split_shard`](Self::split_shard) at a hash key as text, as the service takes it.
    ///
    /// # Errors
    /// Those of [`split_shard`](Self::split_shard); [`Validation`](Error::Validation) for what is no hash key.
    pub fn split_shard_at_text(&self, shard_to_split: &str, new_starting_hash_key: &str) -> Result<()> {
        self.store.call("SplitShard", self.name(), || {
            Ok(self.stage_split_at_text(shard_to_split, new_starting_hash_key)?.wait()?)
        })
    }

    /// [`split_shard_at_text`](Self::split_shard_at_text) that holds no thread while it waits for the disk.
    pub async fn split_shard_at_text_async(
        &self,
        shard_to_split: &str,
        new_starting_hash_key: &str,
    ) -> Result<()> {
        self.store
            .call_async("SplitShard", self.name(), async {
                Ok(self.stage_split_at_text(shard_to_split, new_starting_hash_key)?.done().await?)
            })
            .await
    }

    fn stage_split_at_text(&self, shard_to_split: &str, new_starting_hash_key: &str) -> Result<Pending<()>> {
        let at = hash::parse(new_starting_hash_key, "newStartingHashKey")?;
        self.stage_split(shard_to_split, at, &new_starting_hash_key)
    }

    /// [`split_shard`](Self::split_shard) that holds no thread while it waits for the disk.
    pub async fn split_shard_async(&self, shard_to_split: &str, new_starting_hash_key: u128) -> Result<()> {
        self.store
            .call_async("SplitShard", self.name(), async {
                Ok(self
                    .stage_split(shard_to_split, Some(new_starting_hash_key), &new_starting_hash_key)?
                    .done()
                    .await?)
            })
            .await
    }

    /// Merges two shards into one: `adjacent_shard` has the hash keys behind those of `shard_to_merge`.
    ///
    /// # Errors
    /// As for [`split_shard`](Self::split_shard); [`InvalidArgument`](Error::InvalidArgument) for shards that are not
    /// neighbours in this order.
    pub fn merge_shards(&self, shard_to_merge: &str, adjacent_shard: &str) -> Result<()> {
        self.store.call("MergeShards", self.name(), || {
            Ok(self.stage_merge(shard_to_merge, adjacent_shard)?.wait()?)
        })
    }

    /// [`merge_shards`](Self::merge_shards) that holds no thread while it waits for the disk.
    pub async fn merge_shards_async(&self, shard_to_merge: &str, adjacent_shard: &str) -> Result<()> {
        self.store
            .call_async("MergeShards", self.name(), async {
                Ok(self.stage_merge(shard_to_merge, adjacent_shard)?.done().await?)
            })
            .await
    }

    /// Splits and merges shards until there are `target` open ones, about equally wide. It can make shards that are
    /// closed at once.
    ///
    /// # Errors
    /// [`LimitExceeded`](Error::LimitExceeded) for more than twice as many shards as there are, for less than half, for
    /// more than 10,000, and after ten scalings within 24 hours; [`StreamNotActive`](Error::StreamNotActive);
    /// [`Validation`](Error::Validation) for a stream on demand; [`ShardLimit`](Error::ShardLimit).
    pub fn update_shard_count(&self, target: u32) -> Result<Scaled> {
        self.store.call("UpdateShardCount", self.name(), || Ok(self.stage_scale(target)?.wait()?))
    }

    /// [`update_shard_count`](Self::update_shard_count) that holds no thread while it waits for the disk.
    pub async fn update_shard_count_async(&self, target: u32) -> Result<Scaled> {
        self.store
            .call_async("UpdateShardCount", self.name(), async {
                Ok(self.stage_scale(target)?.done().await?)
            })
            .await
    }

    fn stage_split(
        &self,
        shard_id: &str,
        at: Option<u128>,
        text: &dyn std::fmt::Display,
    ) -> Result<Pending<()>> {
        let room = self.shard_room()?;
        let now = self.store.now();
        let mut inner = self.changing()?;
        let shard = self.shard_to_change(&inner, shard_id, now)?;
        room.check(self, 1)?;
        // Both new shards get more than one hash key.
        let inside = at.filter(|at| *at > shard.start().saturating_add(1) && *at < shard.end());
        let Some(at) = inside else {
            return Err(Error::invalid(format_args!(
                "NewStartingHashKey {text} used in SplitShard() on shard {} in stream {} under account {} is not both \
                 greater than one plus the shard's StartingHashKey {} and less than the shard's EndingHashKey {}.",
                shard.id(),
                self.state.name,
                self.store.account(),
                shard.start(),
                shard.end()
            )));
        };
        self.check_open(&shard)?;
        self.check_reshardable(&inner, "SplitShard")?;
        self.begin_update(&mut inner, ChangeKind::Split { shard: shard.index, at })
    }

    fn stage_merge(&self, shard_to_merge: &str, adjacent_shard: &str) -> Result<Pending<()>> {
        let now = self.store.now();
        let mut inner = self.changing()?;
        let shard = self.shard_to_change(&inner, shard_to_merge, now)?;
        let adjacent = self.shard_to_change(&inner, adjacent_shard, now)?;
        if shard.end().checked_add(1) != Some(adjacent.start()) {
            return Err(Error::invalid(format_args!(
                "Shards {} and {} in stream {} under account {} are not an adjacent pair of shards eligible for merging",
                shard.id(),
                adjacent.id(),
                self.state.name,
                self.store.account()
            )));
        }
        self.check_open(&shard)?;
        self.check_open(&adjacent)?;
        self.check_reshardable(&inner, "MergeShards")?;
        self.begin_update(&mut inner, ChangeKind::Merge { shard: shard.index, adjacent: adjacent.index })
    }

    fn stage_scale(&self, target: u32) -> Result<Pending<Scaled>> {
        check::within(target, &(1..=u32::MAX), "targetShardCount")?;
        let room = self.shard_room()?;
        let now = self.store.now();
        let mut inner = self.changing()?;
        self.check_reshardable(&inner, "UpdateShardCount")?;
        let current = u32::try_from(inner.open.len()).unwrap_or(u32::MAX);
        check_target(current, target)?;
        room.check(self, u64::from(target.saturating_sub(current)))?;
        let mut record = inner.record.clone();
        record.scalings.retain(|at| now - *at < ROLLING_DAY);
        if record.scalings.len() >= SCALINGS_PER_DAY {
            return Err(Error::limit(format_args!(
                "UpdateShardCount cannot be called more than {SCALINGS_PER_DAY} times per rolling 24-hour period for \
                 stream {} under account {}.",
                self.state.name,
                self.store.account()
            )));
        }
        let scaled = Scaled { current_shard_count: current, target_shard_count: target };
        if current == target {
            return Ok(Pending::ready(&self.store, scaled));
        }
        record.scalings.push(now);
        let delay = self.registry.dials.read().update_delay;
        let kind = ChangeKind::Scale { target };
        let pending = self.registry.begin(&self.store, &self.state, &mut inner, record, kind, delay)?;
        Ok(pending.map(|()| scaled))
    }

    fn begin_update(&self, inner: &mut Inner, kind: ChangeKind) -> Result<Pending<()>> {
        let delay = self.registry.dials.read().update_delay;
        let record = inner.record.clone();
        self.registry.begin(&self.store, &self.state, inner, record, kind, delay)
    }

    /// The stream, alone; whether it takes changes is judged after the arguments.
    fn changing(&self) -> Result<Alone<'_>> {
        self.registry.settle(&self.store, &self.state)?;
        let inner = self.state.alone();
        if inner.is_gone || matches!(inner.status(), Status::Creating | Status::Deleting) {
            return Err(self.state.not_found(&self.store));
        }
        Ok(inner)
    }

    fn shard_to_change(&self, inner: &Inner, shard_id: &str, now: Timestamp) -> Result<Arc<Shard>> {
        check::name(shard_id, "shardId")?;
        let index = ShardId::index_of(shard_id).ok_or_else(|| self.shard_not_found(shard_id))?;
        let shard = inner.shard(index, now);
        shard.cloned().ok_or_else(|| self.shard_not_found(&ShardId::new(index)))
    }

    /// A closed shard does not change any more.
    fn check_open(&self, shard: &Shard) -> Result<()> {
        if shard.closed().is_none() {
            return Ok(());
        }
        Err(Error::invalid(format_args!(
            "Shard {} in stream {} under account {} is closed and cannot be split or merged.",
            shard.id(),
            self.state.name,
            self.store.account()
        )))
    }

    fn check_reshardable(&self, inner: &Inner, operation: &str) -> Result<()> {
        if inner.record.mode == Mode::OnDemand {
            return Err(Error::Validation {
                message: format!(
                    "{operation} is not supported for stream {} under account {} in ON_DEMAND mode.",
                    self.state.name,
                    self.store.account()
                ),
            });
        }
        if inner.record.next_shard > SHARD_INDEX_MAX - 4 * SCALE_TARGET_MAX {
            return Err(Error::limit("The stream has had as many shards as there are ids."));
        }
        crate::stream::change::check_active(&self.store, &self.state, inner)
    }

    /// How many shards there are and may be, looked up before the stream is locked.
    fn shard_room(&self) -> Result<Room> {
        let limit = self.registry.dials.read().shard_limit;
        let current = open_shards(&*self.registry.directory(&self.store)?);
        Ok(Room { current, limit })
    }
}

/// Shards of all streams.
#[derive(Clone, Copy, Debug)]
struct Room {
    current: u64,
    limit: u64,
}

impl Room {
    fn check(self, stream: &Stream, additional: u64) -> Result<()> {
        if additional == 0 {
            return Ok(());
        }
        check_shard_limit(&stream.store, self.current, additional, self.limit)
    }
}

/// May a stream of `current` open shards be scaled to `target`?
fn check_target(current: u32, target: u32) -> Result<()> {
    let refusal = if target > SCALE_TARGET_MAX {
        format!("Target shard count or number of open shards cannot be greater than {SCALE_TARGET_MAX}.")
    } else if target > current.saturating_mul(2) {
        "UpdateShardCount cannot scale up over double your current open shard count.".to_owned()
    } else if target < current.div_ceil(2) {
        "UpdateShardCount cannot scale down below half your current open shard count.".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::limit(format_args!(
        "{refusal} Current open shard count: {current}, Target shard count: {target}"
    )))
}
