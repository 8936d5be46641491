//! Amazon `DynamoDB` and its streams: their operations, by JSON.

mod attribute;
mod batch;
mod changes;
mod definition;
mod describe;
mod destinations;
mod items;
mod legacy;
mod precheck;
mod refuse;
mod search;
mod tables;
mod transact;
mod wire;
mod wording;

pub(crate) use wire::{answer, refused};

use crate::call::Call;
use crate::fields::{Dialect, Fields, lower_first};
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use attribute::item;
use fourfold::kv::{Item, Tables};
use wording::Wording;

/// Which of two services on one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Tables,
    Streams,
}

/// An operation in progress: the request, and what it is about.
struct Operation<'a> {
    call: &'a Call<'a>,
    tables: Tables,
    input: Fields,
    /// How writes of one item are refused.
    writes: Wording,
}

/// Carries out an operation. Global tables, backups, `PartiQL`, imports and exports, resource policies and contributor
/// insights are not there.
async fn perform(
    call: &Call<'_>,
    service: Service,
    name: &str,
    input: Fields,
    writes: Wording,
) -> Result<Value> {
    let mut operation = Operation { call, tables: call.store.tables(), input, writes };
    let operation = &mut operation;
    if service == Service::Streams {
        return match name {
            "ListStreams" => operation.list_streams(),
            "DescribeStream" => operation.describe_stream(),
            "GetShardIterator" => operation.get_shard_iterator(),
            "GetRecords" => operation.get_records(),
            _ => Err(Refusal::unknown_operation()),
        };
    }
    match name {
        "PutItem" => operation.put_item().await,
        "GetItem" => operation.get_item(),
        "UpdateItem" => operation.update_item().await,
        "DeleteItem" => operation.delete_item().await,
        "Query" => operation.query(),
        "Scan" => operation.scan(),
        "BatchGetItem" => operation.batch_get_item(),
        "BatchWriteItem" => operation.batch_write_item().await,
        "TransactGetItems" => operation.transact_get_items(),
        "TransactWriteItems" => operation.transact_write_items().await,
        "CreateTable" => operation.create_table().await,
        "UpdateTable" => operation.update_table().await,
        "DeleteTable" => operation.delete_table().await,
        "DescribeTable" => operation.describe_table(),
        "ListTables" => operation.list_tables(),
        "UpdateTimeToLive" => operation.update_time_to_live().await,
        "DescribeTimeToLive" => operation.describe_time_to_live(),
        "EnableKinesisStreamingDestination" => operation.enable_destination(),
        "DisableKinesisStreamingDestination" => operation.disable_destination(),
        "UpdateKinesisStreamingDestination" => operation.update_destination(),
        "DescribeKinesisStreamingDestination" => operation.describe_destinations(),
        "TagResource" => operation.tag_resource().await,
        "UntagResource" => operation.untag_resource().await,
        "ListTagsOfResource" => operation.list_tags_of_resource(),
        "DescribeLimits" => Ok(operation.describe_limits()),
        "DescribeEndpoints" => Ok(operation.describe_endpoints()),
        _ => Err(Refusal::unknown_operation()),
    }
}

impl Fields {
    fn item(&mut self, name: &str, wording: Wording) -> Result<Option<Item>> {
        self.map(name)?.map(|members| item(members, wording)).transpose()
    }

    fn required_item(&mut self, name: &str, wording: Wording) -> Result<Item> {
        let item = self.item(name, wording)?;
        self.required(name, item)
    }

    /// A number that counts something. One that is out of every range stands at its end.
    fn count<T: TryFrom<i64>>(&mut self, name: &str, end: T) -> Result<Option<T>> {
        match self.int(name)? {
            None => Ok(None),
            Some(number) if number < 0 => {
                Err(constraint(&number.to_string(), name, "have value greater than or equal to 1"))
            }
            Some(number) => Ok(Some(T::try_from(number).unwrap_or(end))),
        }
    }

    /// One of the words that the model allows.
    fn word<T: Copy>(
        &mut self,
        name: &str,
        find: impl Fn(&str) -> Option<T>,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let rule = || {
            let words: Vec<&str> = all.iter().map(|value| word(*value)).collect();
            constraint(&text, name, &format!("satisfy enum value set: [{}]", words.join(", ")))
        };
        find(&text).map(Some).ok_or_else(rule)
    }
}

/// A member that is one of the words of an enum of the engine's.
macro_rules! word {
    ($fields:expr, $name:literal, $Enum:ident) => {
        $fields.word($name, $Enum::from_name, $Enum::ALL, $Enum::name)
    };
}
use word;

/// A constraint of the model that a member breaks.
#[cold]
fn constraint(value: &str, name: &str, rule: &str) -> Refusal {
    Dialect::Dynamo.invalid(&format!(
        "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: Member must {rule}",
        lower_first(name)
    ))
}
