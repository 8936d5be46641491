//! Records: putting and getting them.

use super::Operation;
use super::shards::child;
use crate::fields::Fields;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use bytes::Bytes;
use fourfold::stream::{Error, GetRecords, GetShardIterator, IteratorKind, Put, PutRecord, Record, ShardId};

pub(super) const KINDS: [(&str, IteratorKind); 5] = [
    ("AFTER_SEQUENCE_NUMBER", IteratorKind::AfterSequenceNumber),
    ("LATEST", IteratorKind::Latest),
    ("AT_TIMESTAMP", IteratorKind::AtTimestamp),
    ("AT_SEQUENCE_NUMBER", IteratorKind::AtSequenceNumber),
    ("TRIM_HORIZON", IteratorKind::TrimHorizon),
];

/// A record as a request has it, which a [`PutRecord`] borrows from.
struct Parts {
    data: Bytes,
    key: Option<String>,
    hash: Option<String>,
    after: Option<String>,
}

impl Parts {
    fn of(input: &mut Fields) -> Result<Self> {
        let data = input.blob("Data")?;
        Ok(Self {
            data: input.required("Data", data)?,
            key: input.text("PartitionKey")?,
            hash: input.text("ExplicitHashKey")?,
            after: input.text("SequenceNumberForOrdering")?,
        })
    }

    fn record(&self) -> PutRecord<'_> {
        let mut record = match &self.key {
            Some(key) => PutRecord::new(key, &self.data),
            None => PutRecord::unkeyed(&self.data),
        };
        if let Some(hash) = &self.hash {
            record = record.explicit_hash_key(hash);
        }
        if let Some(after) = &self.after {
            record = record.sequence_number_for_ordering(after);
        }
        record
    }
}

impl Operation {
    pub(super) async fn put_record(&mut self) -> Result<Value> {
        let parts = Parts::of(&mut self.input)?;
        let is_dry = self.is_dry()?;
        let stream = self.stream()?;
        if is_dry {
            return Err(dry());
        }
        let put = stream.put_record_async(&parts.record()).await?;
        Ok(Value::map([
            ("ShardId", Some((&*put.shard_id).into())),
            ("SequenceNumber", Some(put.sequence_number.to_string().into())),
        ]))
    }

    /// Is it only asked whether the operation could be done?
    pub(super) fn is_dry(&mut self) -> Result<bool> {
        Ok(self.input.flag("DryRun")?.unwrap_or(false))
    }

    pub(super) async fn put_records(&mut self) -> Result<Value> {
        let records = self.input.structures("Records")?;
        let mut records = self.input.required("Records", records)?;
        let parts: Vec<Parts> = records.iter_mut().map(Parts::of).collect::<Result<_>>()?;
        let records: Vec<PutRecord<'_>> = parts.iter().map(Parts::record).collect();
        let is_dry = self.is_dry()?;
        let stream = self.stream()?;
        if is_dry {
            return Err(dry());
        }
        let answer = stream.put_many_async(&records).await?;
        let failed = u64::try_from(answer.failed_record_count()).unwrap_or(u64::MAX);
        let records: Vec<Value> = answer.records.iter().map(result).collect();
        Ok(Value::map([("FailedRecordCount", Some(failed.into())), ("Records", Some(records.into()))]))
    }

    pub(super) fn get_shard_iterator(&mut self) -> Result<Value> {
        let shard = self.input.required_text("ShardId")?;
        let kind = self.word("ShardIteratorType", &KINDS)?;
        let kind = self.input.required("ShardIteratorType", kind)?;
        let number = self.input.text("StartingSequenceNumber")?;
        let mut request = GetShardIterator::new(&shard, kind);
        request.starting_sequence_number = number.as_deref();
        request.timestamp = self.input.time("Timestamp")?;
        let names = self.names()?;
        let iterator = self.find(names).and_then(|stream| stream.get_shard_iterator(&request));
        let iterator = iterator.map_err(|error| without_iterator(error, &shard, number.as_deref()))?;
        if self.is_dry()? {
            return Err(dry());
        }
        Ok(Value::map([("ShardIterator", Some(iterator.into()))]))
    }

    pub(super) fn get_records(&mut self) -> Result<Value> {
        let iterator = self.input.required_text("ShardIterator")?;
        let arn = self.input.text("StreamARN")?;
        let mut request = GetRecords::new(&iterator);
        if let Some(limit) = self.count("Limit")? {
            request = request.limit(limit);
        }
        if let Some(arn) = &arn {
            request = request.stream_arn(arn);
        }
        let got = self.streams.get_records(&request)?;
        if self.is_dry()? {
            return Err(dry());
        }
        let records: Vec<Value> = got.records.iter().map(record).collect();
        Ok(Value::map([
            ("Records", Some(records.into())),
            ("NextShardIterator", got.next_shard_iterator.map(Value::from)),
            ("MillisBehindLatest", Some(got.millis_behind_latest.into())),
            ("ChildShards", Value::unless_empty(got.child_shards.iter().map(child).collect())),
        ]))
    }
}

/// Digits of the longest number of the form that the service gave out first.
const FIRST_NUMBER_LEN_MAX: usize = 39;

/// Why there is no iterator. The service looks for the shard at once, not for its stream first.
#[cold]
fn without_iterator(error: Error, shard: &str, number: Option<&str>) -> Refusal {
    let is_first = number.is_some_and(|number| number.len() <= FIRST_NUMBER_LEN_MAX);
    match error {
        Error::StreamNotFound { stream, account } => match ShardId::named(shard) {
            Some(shard) => Error::ShardGone { shard: shard.to_string(), stream, account }.into(),
            None => Error::ShardNotFound { shard: shard.to_owned(), stream, account }.into(),
        },
        // Nobody there thought of who comes with a number of the first form, and names its shard.
        Error::InvalidArgument { message }
            if is_first && message.ends_with("did not come from this stream.") =>
        {
            Refusal::framework("InternalFailure", "").with_status(500)
        }
        error => error.into(),
    }
}

/// It could be done, and was not.
#[cold]
pub(super) fn dry() -> Refusal {
    Refusal::new(
        "DryRunOperationException",
        "The request was rejected because the DryRun parameter was specified.",
    )
}

fn result(put: &Result<Put, Error>) -> Value {
    match put {
        Ok(put) => Value::map([
            ("SequenceNumber", Some(put.sequence_number.to_string().into())),
            ("ShardId", Some((&*put.shard_id).into())),
        ]),
        Err(error) => {
            // Of the codes of records that of an internal failure alone is without its end.
            let code =
                if error.code() == "InternalFailureException" { "InternalFailure" } else { error.code() };
            Value::map([("ErrorCode", Some(code.into())), ("ErrorMessage", Some(error.to_string().into()))])
        }
    }
}

pub(super) fn record(record: &Record) -> Value {
    Value::map([
        ("SequenceNumber", Some(record.sequence_number().to_string().into())),
        ("ApproximateArrivalTimestamp", Some(record.arrival().into())),
        ("Data", Some(Value::Blob(record.data_bytes()))),
        ("PartitionKey", Some(record.partition_key().into())),
    ])
}
