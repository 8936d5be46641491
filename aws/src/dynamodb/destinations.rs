//! Streams of Kinesis that get what changes in a table.

use super::{Operation, word};
use crate::fields::Dialect;
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::{Destination, TimePrecision};

/// The member that says how, and the member of it that there is.
const PRECISION: &str = "ApproximateCreationDateTimePrecision";

impl Operation<'_> {
    fn table_and_stream(&mut self) -> Result<(String, String)> {
        Ok((self.input.required_text("TableName")?, self.input.required_text("StreamArn")?))
    }

    fn precision(&mut self, configuration: &str) -> Result<Option<TimePrecision>> {
        match self.input.structure(configuration)? {
            Some(mut asked) => word!(asked, "ApproximateCreationDateTimePrecision", TimePrecision),
            None => Ok(None),
        }
    }

    pub(super) fn enable_destination(&mut self) -> Result<Value> {
        let (table, stream) = self.table_and_stream()?;
        let precision = self.precision("EnableKinesisStreamingConfiguration")?;
        let enabled = self.tables.enable_kinesis_streaming_destination(&table, &stream, precision)?;
        Ok(answer(&enabled, precision.map(|_| "EnableKinesisStreamingConfiguration")))
    }

    pub(super) fn disable_destination(&mut self) -> Result<Value> {
        let (table, stream) = self.table_and_stream()?;
        let precision = self.precision("EnableKinesisStreamingConfiguration")?;
        let disabled = self.tables.disable_kinesis_streaming_destination(&table, &stream)?;
        Ok(answer(&disabled, precision.map(|_| "EnableKinesisStreamingConfiguration")))
    }

    pub(super) fn update_destination(&mut self) -> Result<Value> {
        let (table, stream) = self.table_and_stream()?;
        let Some(precision) = self.precision("UpdateKinesisStreamingConfiguration")? else {
            return Err(Dialect::Dynamo.invalid(
                "Streaming destination cannot be updated with given parameters: \
                 UpdateKinesisStreamingConfiguration cannot be null or contain only null values",
            ));
        };
        let updated = self.tables.update_kinesis_streaming_destination(&table, &stream, precision)?;
        Ok(answer(&updated, Some("UpdateKinesisStreamingConfiguration")))
    }

    pub(super) fn describe_destinations(&mut self) -> Result<Value> {
        let table = self.input.required_text("TableName")?;
        let found = self.tables.describe_kinesis_streaming_destination(&table)?;
        let name = found.first().map_or_else(|| plain(&table).to_owned(), |one| one.table.clone());
        let streams: Vec<Value> = found.iter().map(described).collect();
        let streams = ("KinesisDataStreamDestinations", Some(streams.into()));
        Ok(Value::map([("TableName", Some(name.into())), streams]))
    }
}

/// The name of a table that may be given by its ARN.
fn plain(table: &str) -> &str {
    table.rsplit_once(":table/").map_or(table, |(_, name)| name)
}

fn described(destination: &Destination) -> Value {
    Value::map([
        ("StreamArn", Some(destination.stream_arn.as_str().into())),
        ("DestinationStatus", Some(destination.status.name().into())),
        (PRECISION, Some(destination.precision.name().into())),
    ])
}

/// The answer to a request that changed one, with the configuration if it said some.
fn answer(destination: &Destination, configuration: Option<&'static str>) -> Value {
    let precision = Value::map([(PRECISION, Some(destination.precision.name().into()))]);
    Value::map([
        ("TableName", Some(destination.table.as_str().into())),
        ("StreamArn", Some(destination.stream_arn.as_str().into())),
        ("DestinationStatus", Some(destination.status.name().into())),
        (configuration.unwrap_or_default(), configuration.map(|_| precision)),
    ])
}
