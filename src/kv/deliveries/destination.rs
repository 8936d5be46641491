//! Streams that get a table's changes, by the operations of the service for them.
//!
//! A destination is a delivery of all changes, with both images, to a stream. One that is disabled is remembered, as the
//! service does.

use super::{Delivery, TimePrecision};
use crate::kv::Tables;
use crate::kv::error::{Error, Result};
use crate::kv::names::named;
use crate::kv::tables::describe::hyphenated;
use crate::store::pending::Pending;

named! {
    /// Where a destination stands.
    ///
    /// ```
    /// # use fourfold::kv::DestinationStatus;
    /// assert_eq!(DestinationStatus::Active.name(), "ACTIVE");
    /// ```
    pub enum DestinationStatus {
        /// It is being enabled: what the request to do so answers.
        Enabling = "ENABLING",
        /// It gets what changes.
        Active = "ACTIVE",
        /// It is being disabled: what the request to do so answers.
        Disabling = "DISABLING",
        /// It gets nothing.
        Disabled = "DISABLED",
        /// It is being changed: what the request to do so answers.
        Updating = "UPDATING",
    }
}

/// A stream that gets a table's changes, or did.
///
/// ```
/// use fourfold::kv::{CreateTable, DestinationStatus, ScalarType, item};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = fourfold::Store::in_memory();
/// let tables = store.tables();
/// tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let stream = store.streams().create("changes", Default::default())?;
/// let enabled = tables.enable_kinesis_streaming_destination("users", &stream.arn(), None)?;
/// assert_eq!(enabled.status, DestinationStatus::Enabling);
///
/// tables.table("users").put(item! { "id" => "ann" })?;
/// assert_eq!(tables.describe_kinesis_streaming_destination("users")?[0].status, DestinationStatus::Active);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// The table.
    pub table: String,
    /// The stream.
    pub stream_arn: String,
    /// Where it stands.
    pub status: DestinationStatus,
    /// How its records say when something changed.
    pub precision: TimePrecision,
}

/// What is asked of a destination that is in no state for it.
fn not_in_state(message: &str) -> Error {
    Error::validation(message.to_owned())
}

impl Tables {
    /// From now on every change of the table puts a record into the stream, in the commit of the change. It is so when
    /// this returns; the answer says `ENABLING`, as the service's does.
    ///
    /// # Errors
    /// `ResourceNotFoundException` without such a table; `ValidationException` if there is no such stream, or it is a
    /// destination already.
    pub fn enable_kinesis_streaming_destination(
        &self,
        table: &str,
        stream_arn: &str,
        precision: Option<TimePrecision>,
    ) -> Result<Destination> {
        self.store.call("EnableKinesisStreamingDestination", table, || {
            Ok(self.stage_enable(table, stream_arn, precision)?.wait()?)
        })
    }

    fn stage_enable(
        &self,
        table: &str,
        stream_arn: &str,
        precision: Option<TimePrecision>,
    ) -> Result<Pending<Destination>> {
        let precision = precision.unwrap_or(TimePrecision::Millisecond);
        let wanted = Delivery::new(stream_arn).precision(precision);
        self.known(table)?;
        self.check_stream(&wanted)?;
        let (found, pending) = self.change_deliveries(table, |all| {
            if all.iter().any(|known| known.target == stream_arn && known.is_enabled) {
                return Err(not_in_state(
                    "Table is not in a valid state to enable Kinesis Streaming Destination: \
                     EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform ENABLE operation.",
                ));
            }
            all.retain(|known| known.target != stream_arn);
            if all.len() >= super::DELIVERIES_MAX {
                return Err(Error::LimitExceeded { message: "Too many destinations of the table".into() });
            }
            all.push(wanted.clone());
            Ok(())
        })?;
        Ok(pending.map(|()| wanted.destination(&found.name, DestinationStatus::Enabling)))
    }

    fn check_stream(&self, wanted: &Delivery) -> Result<()> {
        let target = crate::targets::find_by_arn(&wanted.target).filter(|_| wanted.is_to_stream());
        let is_there = match target {
            Some(target) => target.refusal(&self.store, &wanted.target, true)?.is_none(),
            None => false,
        };
        if is_there {
            return Ok(());
        }
        Err(Error::validation("User does not have a permission to use kinesis stream"))
    }

    /// The stream gets no changes any more. It is so when this returns; the answer says `DISABLING`.
    ///
    /// # Errors
    /// `ResourceNotFoundException` without such a table; `ValidationException` if the stream gets none anyway.
    pub fn disable_kinesis_streaming_destination(
        &self,
        table: &str,
        stream_arn: &str,
    ) -> Result<Destination> {
        self.store.call("DisableKinesisStreamingDestination", table, || {
            let refusal = "Table is not in a valid state to disable Kinesis Streaming Destination: \
                           DisableKinesisStreamingDestination must be ACTIVE to perform DISABLE operation.";
            let status = DestinationStatus::Disabling;
            let change = |delivery: &mut Delivery, _: &str| {
                delivery.is_enabled = false;
                Ok(())
            };
            Ok(self.stage_change(table, stream_arn, refusal, status, change)?.wait()?)
        })
    }

    /// Changes how the records of the stream say when something changed. The answer says `UPDATING`.
    ///
    /// # Errors
    /// `ResourceNotFoundException` without such a table; `ValidationException` if the stream gets no changes, or says it
    /// so already.
    pub fn update_kinesis_streaming_destination(
        &self,
        table: &str,
        stream_arn: &str,
        precision: TimePrecision,
    ) -> Result<Destination> {
        self.store.call("UpdateKinesisStreamingDestination", table, || {
            let refusal = "Table is not in a valid state to enable Kinesis Streaming Destination: No streaming \
                           destination is active for the table.";
            let status = DestinationStatus::Updating;
            let change = |delivery: &mut Delivery, table: &str| {
                if delivery.precision == precision {
                    return Err(Error::validation(format!(
                        "Invalid Request: Precision is already set to the desired value of {precision} for tableId: \
                         {table}, kdsArn: {stream_arn}"
                    )));
                }
                delivery.precision = precision;
                Ok(())
            };
            Ok(self.stage_change(table, stream_arn, refusal, status, change)?.wait()?)
        })
    }

    fn stage_change(
        &self,
        table: &str,
        stream_arn: &str,
        refusal: &str,
        status: DestinationStatus,
        change: impl FnOnce(&mut Delivery, &str) -> Result<()>,
    ) -> Result<Pending<Destination>> {
        let mut changed = None;
        let id = hyphenated(self.known(table)?.shape.read().definition.uuid);
        let (found, pending) = self.change_deliveries(table, |all| {
            let known = all.iter_mut().find(|known| known.target == stream_arn && known.is_enabled);
            let known = known.filter(|known| known.is_to_stream()).ok_or_else(|| not_in_state(refusal))?;
            change(known, &id)?;
            changed = Some(known.clone());
            Ok(())
        })?;
        let changed = changed.ok_or_else(|| not_in_state(refusal))?;
        Ok(pending.map(|()| changed.destination(&found.name, status)))
    }

    /// The streams that get a table's changes, and those that did.
    ///
    /// # Errors
    /// `ResourceNotFoundException` without such a table.
    pub fn describe_kinesis_streaming_destination(&self, table: &str) -> Result<Vec<Destination>> {
        self.store.call("DescribeKinesisStreamingDestination", table, || {
            let name = &self.known(table)?.name;
            let streams = self.deliveries(table)?.into_iter().filter(Delivery::is_to_stream);
            Ok(streams.map(|delivery| delivery.destination(name, delivery.status())).collect())
        })
    }
}

impl Delivery {
    fn status(&self) -> DestinationStatus {
        if self.is_enabled { DestinationStatus::Active } else { DestinationStatus::Disabled }
    }

    fn destination(&self, table: &str, status: DestinationStatus) -> Destination {
        let (stream_arn, precision) = (self.target.clone(), self.precision);
        Destination { table: table.to_owned(), stream_arn, status, precision }
    }
}
