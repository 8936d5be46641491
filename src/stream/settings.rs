//! What can be set of a stream once it is made.

use crate::store::pending::Pending;
use crate::stream::Stream;
use crate::stream::check;
use crate::stream::error::{Error, Result};
use crate::stream::hot::HotKey;
use crate::stream::limits::{MODE_CHANGES_PER_DAY, RECORD_KIB, ROLLING_DAY};
use crate::stream::meta::{ChangeKind, Distribution, Mode, StreamRecord};
use crate::stream::state::Inner;
use std::fmt;
use std::sync::Arc;

impl Stream {
    /// Changes how the stream's capacity is set, up to twice within 24 hours. Its shards stay as they are.
    ///
    /// # Errors
    /// [`LimitExceeded`](Error::LimitExceeded) for the third change of a day; [`InvalidArgument`](Error::InvalidArgument)
    /// for the mode it is in, and for a provisioned stream that [distributes](Distribution::Auto) records itself;
    /// [`StreamNotActive`](Error::StreamNotActive).
    pub fn update_mode(&self, mode: Mode) -> Result<()> {
        self.store.call("UpdateStreamMode", self.name(), || Ok(self.stage_mode(mode)?.wait()?))
    }

    /// [`update_mode`](Self::update_mode) that holds no thread while it waits for the disk.
    pub async fn update_mode_async(&self, mode: Mode) -> Result<()> {
        self.store
            .call_async("UpdateStreamMode", self.name(), async { Ok(self.stage_mode(mode)?.done().await?) })
            .await
    }

    /// Sets how many KiB a record may have, key and data: 1,024 to 10,240.
    ///
    /// # Errors
    /// [`Validation`](Error::Validation) for a size out of bounds; [`StreamNotActive`](Error::StreamNotActive).
    pub fn update_max_record_size(&self, kib: u32) -> Result<()> {
        self.store.call("UpdateMaxRecordSize", self.name(), || Ok(self.stage_record_size(kib)?.wait()?))
    }

    /// [`update_max_record_size`](Self::update_max_record_size) that holds no thread while it waits for the disk.
    pub async fn update_max_record_size_async(&self, kib: u32) -> Result<()> {
        self.store
            .call_async("UpdateMaxRecordSize", self.name(), async {
                Ok(self.stage_record_size(kib)?.done().await?)
            })
            .await
    }

    /// Sets which shard a record goes to, from the next one on.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a provisioned stream; [`StreamNotActive`](Error::StreamNotActive).
    pub fn update_distribution(&self, distribution: Distribution) -> Result<()> {
        Ok(self.stage_distribution(distribution)?.wait()?)
    }

    /// [`update_distribution`](Self::update_distribution) that holds no thread while it waits for the disk.
    pub async fn update_distribution_async(&self, distribution: Distribution) -> Result<()> {
        Ok(self.stage_distribution(distribution)?.done().await?)
    }

    /// The partition keys with the most records since the store was opened, up to `max` of them, the most frequent first;
    /// as far as they were [counted](super::Dials::count_hot_keys). Up to 64 keys of each open shard are known.
    ///
    /// # Errors
    /// [`StreamNotFound`](Error::StreamNotFound).
    pub fn hot_keys(&self, max: usize) -> Result<Vec<HotKey>> {
        let inner = self.present()?;
        let mut keys = Vec::new();
        for shard in inner.open.iter().map(Arc::as_ref) {
            let tail = shard.tail(&self.store)?;
            let counters = tail.hot.iter().flat_map(|hot| hot.counters());
            keys.extend(counters.map(|counter| HotKey {
                partition_key: counter.key.to_string(),
                shard_id: shard.id(),
                records: counter.records,
                bytes: counter.bytes,
                error: counter.error,
            }));
        }
        keys.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.partition_key.cmp(&b.partition_key)));
        keys.truncate(max);
        Ok(keys)
    }

    fn stage_mode(&self, mode: Mode) -> Result<Pending<()>> {
        let now = self.store.now();
        let mut inner = self.active()?;
        let mut record = inner.record.clone();
        if record.mode == mode {
            return Err(Error::invalid(format_args!(
                "Stream {} under account {} is already in {mode} mode.",
                self.state.name,
                self.store.account()
            )));
        }
        if mode == Mode::Provisioned && record.distribution == Distribution::Auto {
            return Err(only_on_demand());
        }
        record.mode_changes.retain(|at| now - *at < ROLLING_DAY);
        if record.mode_changes.len() >= MODE_CHANGES_PER_DAY {
            return Err(Error::limit(format_args!(
                "Stream {} under account {} has already changed its mode {MODE_CHANGES_PER_DAY} times within 24 hours.",
                self.state.name,
                self.store.account()
            )));
        }
        record.mode_changes.push(now);
        record.mode = mode;
        self.set(&mut inner, record)
    }

    fn stage_record_size(&self, kib: u32) -> Result<Pending<()>> {
        check::within(kib, &RECORD_KIB, "maxRecordSizeInKiB")?;
        let mut inner = self.active()?;
        let record = StreamRecord { record_kib: kib, ..inner.record.clone() };
        self.set(&mut inner, record)
    }

    fn stage_distribution(&self, distribution: Distribution) -> Result<Pending<()>> {
        let mut inner = self.active()?;
        if inner.record.mode == Mode::Provisioned && distribution == Distribution::Auto {
            return Err(only_on_demand());
        }
        let record = StreamRecord { distribution, ..inner.record.clone() };
        self.set(&mut inner, record)
    }

    /// The setting holds at once; the stream says for a while that it is changing.
    fn set(&self, inner: &mut Inner, record: StreamRecord) -> Result<Pending<()>> {
        let delay = self.registry.dials.read().update_delay;
        self.registry.begin(&self.store, &self.state, inner, record, ChangeKind::Set, delay)
    }
}

#[cold]
fn only_on_demand() -> Error {
    Error::invalid("RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.")
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provisioned => "PROVISIONED",
            Self::OnDemand => "ON_DEMAND",
        })
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserPartitionKey => "USER_PARTITION_KEY",
            Self::Auto => "AUTO",
        })
    }
}
