//! How long records are kept.

use crate::store::pending::Pending;
use crate::stream::Stream;
use crate::stream::change::store_record;
use crate::stream::error::{Error, Result};
use crate::stream::limits::RETENTION_HOURS;
use crate::stream::meta::{ChangeKind, StreamRecord};
use crate::stream::state::hours;
use std::sync::atomic::Ordering;

/// Which way the retention may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Stream {
    /// Keeps records for `hours` from when they came: up to 8,760, and not less than now. What has expired does not come
    /// back.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for hours out of bounds or below the present ones;
    /// [`StreamNotActive`](Error::StreamNotActive) while another change is under way.
    pub fn increase_retention(&self, hours: u32) -> Result<()> {
        self.store.call("IncreaseStreamRetentionPeriod", self.name(), || {
            Ok(self.stage_retention(hours, Direction::Up)?.wait()?)
        })
    }

    /// [`increase_retention`](Self::increase_retention) that holds no thread while it waits for the disk.
    pub async fn increase_retention_async(&self, hours: u32) -> Result<()> {
        self.store
            .call_async("IncreaseStreamRetentionPeriod", self.name(), async {
                Ok(self.stage_retention(hours, Direction::Up)?.done().await?)
            })
            .await
    }

    /// Keeps records for `hours` from when they came: 24 or more, and not more than now. What is older is gone at once.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for hours out of bounds or above the present ones;
    /// [`StreamNotActive`](Error::StreamNotActive) while another change is under way.
    pub fn decrease_retention(&self, hours: u32) -> Result<()> {
        self.store.call("DecreaseStreamRetentionPeriod", self.name(), || {
            Ok(self.stage_retention(hours, Direction::Down)?.wait()?)
        })
    }

    /// [`decrease_retention`](Self::decrease_retention) that holds no thread while it waits for the disk.
    pub async fn decrease_retention_async(&self, hours: u32) -> Result<()> {
        self.store
            .call_async("DecreaseStreamRetentionPeriod", self.name(), async {
                Ok(self.stage_retention(hours, Direction::Down)?.done().await?)
            })
            .await
    }

    fn stage_retention(&self, requested: u32, direction: Direction) -> Result<Pending<()>> {
        let (store, state) = (&self.store, &self.state);
        let mut inner = self.active()?;
        let present = inner.record.retention_hours;
        self.check_hours(requested, present, direction)?;
        let now = store.now();
        let mut record = StreamRecord { retention_hours: requested, ..inner.record.clone() };
        record.hidden_before = inner.horizon(now).max(now - hours(requested).min(hours(present)));
        let delay = self.registry.dials.read().update_delay;
        let pending = if requested == present || delay.is_zero() {
            store_record(store, state, &mut inner, record)?
        } else {
            self.registry.begin(store, state, &mut inner, record, ChangeKind::Set, delay)?
        };
        // Relaxed: a reader that sees it late was as good as before.
        state.retentions.fetch_add(1, Ordering::Relaxed);
        drop(inner);
        self.registry.sweep_at(store, now);
        Ok(pending)
    }

    fn check_hours(&self, requested: u32, present: u32, direction: Direction) -> Result<()> {
        let refusal = if requested < *RETENTION_HOURS.start() {
            format!(
                "Minimum allowed retention period is {} hours. Requested retention period ({requested} hours) is too \
                 short.",
                RETENTION_HOURS.start()
            )
        } else if requested > *RETENTION_HOURS.end() {
            format!(
                "Maximum allowed retention period is {} hours. Requested retention period ({requested} hours) is too \
                 long.",
                RETENTION_HOURS.end()
            )
        } else if direction == Direction::Up && requested < present {
            self.wrong_way(requested, present, "shorter", "DecreaseRetentionPeriod")
        } else if direction == Direction::Down && requested > present {
            self.wrong_way(requested, present, "longer", "IncreaseRetentionPeriod")
        } else {
            return Ok(());
        };
        Err(Error::invalid(refusal))
    }

    fn wrong_way(&self, requested: u32, present: u32, than: &str, other: &str) -> String {
        format!(
            "Requested retention period ({requested} hours) for stream {} can not be {than} than existing retention \
             period ({present} hours). Use {other} API.",
            self.state.name
        )
    }
}
