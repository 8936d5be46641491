//! Streams: making, changing, tagging and deleting them.

use super::{Operation, invalid_argument};
use crate::refusal::Result;
use crate::value::Value;
use fourfold::stream::{CreateStream, Distribution, Mode};

const MODES: [(&str, Mode); 2] = [("PROVISIONED", Mode::Provisioned), ("ON_DEMAND", Mode::OnDemand)];
const DISTRIBUTIONS: [(&str, Distribution); 2] =
    [("USER_PARTITION_KEY", Distribution::UserPartitionKey), ("AUTO", Distribution::Auto)];

impl Operation {
    pub(super) async fn create_stream(&mut self) -> Result<Value> {
        let name = self.input.required_text("StreamName")?;
        let mut settings = CreateStream::default();
        let mode = self.mode()?;
        if let Some(mode) = mode {
            settings = settings.mode(mode);
        }
        match self.count("ShardCount")? {
            Some(count) => settings = settings.shard_count(count),
            None if mode == Some(Mode::Provisioned) => {
                return Err(self.input.dialect().missing("ShardCount"));
            }
            // On demand, with four shards.
            None => {}
        }
        self.refuse_warm()?;
        for (key, value) in self.tags()?.unwrap_or_default() {
            settings = settings.tag(key, value);
        }
        if let Some(kib) = self.count("MaxRecordSizeInKiB")? {
            settings = settings.max_record_size_kib(kib);
        }
        if let Some(distribution) = self.word("RecordDistributionStrategy", &DISTRIBUTIONS)? {
            settings = settings.distribution(distribution);
        }
        self.streams.create_async(&name, settings).await?;
        Ok(Value::empty())
    }

    /// Throughput is not kept ready here: who asks for it is told so.
    fn refuse_warm(&mut self) -> Result<()> {
        match self.input.int("WarmThroughputMiBps")? {
            None => Ok(()),
            Some(_) => Err(invalid_argument("WarmThroughputMiBps is not supported.".to_owned())),
        }
    }

    fn mode(&mut self) -> Result<Option<Mode>> {
        let Some(details) = self.input.structure("StreamModeDetails")? else { return Ok(None) };
        let outer = std::mem::replace(&mut self.input, details);
        let mode = self.word("StreamMode", &MODES);
        self.input = outer;
        let mode = mode?;
        self.input.required("streamModeDetails.streamMode", mode).map(Some)
    }

    pub(super) async fn delete_stream(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let enforce = self.input.flag("EnforceConsumerDeletion")?.unwrap_or(false);
        self.streams.delete_async(stream.name(), enforce).await?;
        Ok(Value::empty())
    }

    pub(super) async fn increase_retention(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        stream.increase_retention_async(self.required_count("RetentionPeriodHours")?).await?;
        Ok(Value::empty())
    }

    pub(super) async fn decrease_retention(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        stream.decrease_retention_async(self.required_count("RetentionPeriodHours")?).await?;
        Ok(Value::empty())
    }

    pub(super) async fn update_mode(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let mode = self.mode()?;
        self.refuse_warm()?;
        stream.update_mode_async(self.input.required("StreamModeDetails", mode)?).await?;
        Ok(Value::empty())
    }

    pub(super) async fn update_max_record_size(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        stream.update_max_record_size_async(self.required_count("MaxRecordSizeInKiB")?).await?;
        Ok(Value::empty())
    }

    pub(super) async fn update_distribution(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let distribution = self.word("RecordDistributionStrategy", &DISTRIBUTIONS)?;
        let distribution = self.input.required("RecordDistributionStrategy", distribution)?;
        stream.update_distribution_async(distribution).await?;
        Ok(Value::empty())
    }

    pub(super) async fn add_tags(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let tags = self.tags()?;
        stream.add_tags_async(&self.input.required("Tags", tags)?).await?;
        Ok(Value::empty())
    }

    pub(super) async fn remove_tags(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let keys = self.tag_keys()?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        stream.remove_tags_async(&keys).await?;
        Ok(Value::empty())
    }

    fn tag_keys(&mut self) -> Result<Vec<String>> {
        let keys = self.input.texts("TagKeys")?;
        self.input.required("TagKeys", keys)
    }

    pub(super) fn list_tags(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let start = self.input.text("ExclusiveStartTagKey")?;
        let page = stream.list_tags(start.as_deref(), self.count("Limit")?)?;
        let tags = page.tags.into_iter().map(|(key, value)| tag(key, value)).collect::<Vec<_>>();
        Ok(Value::map([("Tags", Some(tags.into())), ("HasMoreTags", Some(page.has_more_tags.into()))]))
    }

    pub(super) async fn tag_resource(&mut self) -> Result<Value> {
        let arn = self.input.required_text("ResourceARN")?;
        let tags = self.tags()?;
        self.streams.tag_resource_async(&arn, &self.input.required("Tags", tags)?).await?;
        Ok(Value::empty())
    }

    pub(super) async fn untag_resource(&mut self) -> Result<Value> {
        let arn = self.input.required_text("ResourceARN")?;
        let keys = self.tag_keys()?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.streams.untag_resource_async(&arn, &keys).await?;
        Ok(Value::empty())
    }

    pub(super) fn list_tags_for_resource(&mut self) -> Result<Value> {
        let arn = self.input.required_text("ResourceARN")?;
        let tags = self.streams.list_tags_for_resource(&arn)?;
        let tags = tags.into_iter().map(|(key, value)| tag(key, value)).collect::<Vec<_>>();
        Ok(Value::map([("Tags", Some(tags.into()))]))
    }
}

fn tag(key: String, value: String) -> Value {
    Value::map([("Key", Some(key.into())), ("Value", Some(value.into()))])
}
