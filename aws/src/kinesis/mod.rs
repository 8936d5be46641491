//! Amazon Kinesis Data Streams: its operations, by JSON and by CBOR.

mod cbor;
mod consumers;
mod describe;
mod records;
mod shards;
mod streams;
mod subscription;
mod wire;

pub(crate) use wire::{answer, refused};

use crate::body::Body;
use crate::call::Call;
use crate::fields::{Dialect, Fields};
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use fourfold::Fault;
use fourfold::stream::{Error, ShardId, Stream, Streams, Tags};

/// Name and ARN of a stream, as far as they are given.
type Names = (Option<String>, Option<String>);

/// An operation in progress: the request, and what it is about.
struct Operation {
    streams: Streams,
    input: Fields,
}

/// Carries out an operation. What has no place in an embedded store (encryption by keys of another service, policies,
/// monitoring, channels) is not there.
async fn perform(call: &Call<'_>, name: &str, input: Fields) -> Result<Value> {
    let mut operation = Operation { streams: call.store.streams(), input };
    let operation = &mut operation;
    match name {
        "CreateStream" => operation.create_stream().await,
        "DeleteStream" => operation.delete_stream().await,
        "DescribeStream" => operation.describe_stream(),
        "DescribeStreamSummary" => operation.describe_stream_summary(),
        "DescribeLimits" => operation.describe_limits(),
        "ListStreams" => operation.list_streams(),
        "IncreaseStreamRetentionPeriod" => operation.increase_retention().await,
        "DecreaseStreamRetentionPeriod" => operation.decrease_retention().await,
        "UpdateStreamMode" => operation.update_mode().await,
        "UpdateMaxRecordSize" => operation.update_max_record_size().await,
        "UpdateStreamRecordDistributionStrategy" => operation.update_distribution().await,
        "AddTagsToStream" => operation.add_tags().await,
        "RemoveTagsFromStream" => operation.remove_tags().await,
        "ListTagsForStream" => operation.list_tags(),
        "TagResource" => operation.tag_resource().await,
        "UntagResource" => operation.untag_resource().await,
        "ListTagsForResource" => operation.list_tags_for_resource(),
        "PutRecord" => operation.put_record().await,
        "PutRecords" => operation.put_records().await,
        "GetShardIterator" => operation.get_shard_iterator(),
        "GetRecords" => operation.get_records(),
        "ListShards" => operation.list_shards(),
        "SplitShard" => operation.split_shard().await,
        "MergeShards" => operation.merge_shards().await,
        "UpdateShardCount" => operation.update_shard_count().await,
        "RegisterStreamConsumer" => operation.register_consumer().await,
        "DeregisterStreamConsumer" => operation.deregister_consumer().await,
        "DescribeStreamConsumer" => operation.describe_consumer(),
        "ListStreamConsumers" => operation.list_consumers(),
        _ => Err(Refusal::unknown_operation()),
    }
}

/// The one operation whose answer has no end.
fn subscribe(call: &Call<'_>, input: Fields, form: wire::Form) -> Result<Body> {
    Operation { streams: call.store.streams(), input }.subscribe_to_shard(form)
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Injected(injected) => injected.status,
            error if error.fault() == Fault::Service => 500,
            _ => 400,
        };
        Self::new(error.code(), error.to_string()).with_status(status)
    }
}

impl Operation {
    /// The stream that the request is for, by name or ARN.
    fn stream(&mut self) -> Result<Stream> {
        let names = self.names()?;
        Ok(self.find(names)?)
    }

    /// The stream that these are said to be shards of. A stream that is not there is told only to who names shards by
    /// what could be their names.
    fn stream_of(&mut self, shards: &[&str]) -> Result<Stream> {
        let unnamed = shards.iter().find(|shard| ShardId::named(shard).is_none());
        let names = self.names()?;
        self.find(names).map_err(|error| match (error, unnamed) {
            (Error::StreamNotFound { stream, account }, Some(shard)) => {
                Error::ShardNotFound { shard: (*shard).to_owned(), stream, account }.into()
            }
            (error, _) => error.into(),
        })
    }

    /// What a request calls its stream: name and ARN.
    fn names(&mut self) -> Result<Names> {
        Ok((self.input.text("StreamName")?, self.input.text("StreamARN")?))
    }

    fn find(&self, names: Names) -> Result<Stream, Error> {
        let message = match names {
            (Some(name), None) => return self.streams.stream(&name),
            (None, Some(arn)) => return self.streams.stream_by_arn(&arn),
            (Some(name), Some(arn)) => {
                let stream = self.streams.stream_by_arn(&arn)?;
                if stream.name() == name {
                    return Ok(stream);
                }
                format!("StreamARN {arn} and StreamName {name} are not of one stream.")
            }
            (None, None) => "Either StreamName or StreamARN must be provided.".to_owned(),
        };
        Err(Error::InvalidArgument { message })
    }

    /// A number that counts something. One that is out of every range stands at its end.
    fn count(&mut self, name: &str) -> Result<Option<u32>> {
        let Some(number) = self.input.int(name)? else { return Ok(None) };
        if number < 0 {
            return Err(constraint(&number.to_string(), name, "have value greater than or equal to 1"));
        }
        Ok(Some(i32::try_from(number).unwrap_or(i32::MAX).unsigned_abs()))
    }

    fn required_count(&mut self, name: &str) -> Result<u32> {
        let count = self.count(name)?;
        self.input.required(name, count)
    }

    fn tags(&mut self) -> Result<Option<Tags>> {
        Ok(self.input.text_map("Tags")?.map(Tags::from_iter))
    }

    /// One of the words that the model allows.
    fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        word(&mut self.input, name, name, words)
    }
}

/// One of the words that the model allows; `path` is where it is from the request's top.
fn word<T: Copy>(input: &mut Fields, name: &str, path: &str, words: &[(&str, T)]) -> Result<Option<T>> {
    let Some(text) = input.text(name)? else { return Ok(None) };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(Some(*value));
    }
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(constraint(&text, path, &format!("satisfy enum value set: [{}]", all.join(", "))))
}

#[cold]
fn invalid_argument(message: String) -> Refusal {
    Refusal::new("InvalidArgumentException", message)
}

/// A constraint of the model that a member breaks.
#[cold]
fn constraint(value: &str, name: &str, rule: &str) -> Refusal {
    Dialect::Kinesis.invalid(&format!(
        "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: Member must {rule}",
        crate::fields::lower_first(name)
    ))
}
