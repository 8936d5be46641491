//! Registered consumers.

use super::{Operation, invalid_argument};
use crate::refusal::Result;
use crate::value::Value;
use fourfold::stream::ConsumerDescription;

impl Operation {
    pub(super) async fn register_consumer(&mut self) -> Result<Value> {
        let arn = self.input.required_text("StreamARN")?;
        let name = self.input.required_text("ConsumerName")?;
        let tags = self.tags()?.unwrap_or_default();
        let consumer = self.streams.stream_by_arn(&arn)?.register_consumer_async(&name, &tags).await?;
        Ok(Value::map([("Consumer", Some(described(&consumer, false)))]))
    }

    pub(super) async fn deregister_consumer(&mut self) -> Result<Value> {
        let consumer = self.consumer()?;
        self.streams.deregister_consumer_async(&consumer.arn).await?;
        Ok(Value::empty())
    }

    pub(super) fn describe_consumer(&mut self) -> Result<Value> {
        let consumer = self.consumer()?;
        Ok(Value::map([("ConsumerDescription", Some(described(&consumer, true)))]))
    }

    pub(super) fn list_consumers(&mut self) -> Result<Value> {
        let arn = self.input.required_text("StreamARN")?;
        let (max, token) = (self.count("MaxResults")?, self.input.text("NextToken")?);
        let page = self.streams.stream_by_arn(&arn)?.list_consumers(max, token.as_deref())?;
        let consumers: Vec<Value> =
            page.consumers.iter().map(|consumer| described(consumer, false)).collect();
        Ok(Value::map([
            ("Consumers", Some(consumers.into())),
            ("NextToken", page.next_token.map(Value::from)),
        ]))
    }

    /// The consumer that the request is for: by its ARN, or by its stream's and its name.
    fn consumer(&mut self) -> Result<ConsumerDescription> {
        let (stream, name) = (self.input.text("StreamARN")?, self.input.text("ConsumerName")?);
        match (self.input.text("ConsumerARN")?, stream, name) {
            (Some(arn), _, _) => Ok(self.streams.consumer(&arn)?),
            (None, Some(stream), Some(name)) => Ok(self.streams.stream_by_arn(&stream)?.consumer(&name)?),
            _ => Err(invalid_argument(
                "Either ConsumerARN or StreamARN and ConsumerName must be provided.".to_owned(),
            )),
        }
    }
}

fn described(consumer: &ConsumerDescription, with_stream: bool) -> Value {
    Value::map([
        ("ConsumerName", Some(consumer.name.as_str().into())),
        ("ConsumerARN", Some(consumer.arn.as_str().into())),
        ("ConsumerStatus", Some(consumer.status.to_string().into())),
        ("ConsumerCreationTimestamp", Some(consumer.created.into())),
        ("StreamARN", with_stream.then(|| consumer.stream_arn.as_str().into())),
    ])
}
