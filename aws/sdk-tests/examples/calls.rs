//! What calls of the AWS SDK for Rust cost in process: from the client's method to its answer, one after the other.
//!
//! ```sh
//! cargo run --release -p fourfold-aws-sdk-tests --example calls
//! ```
#![expect(clippy::disallowed_methods, reason = "it measures with the machine's clock")]

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_s3::primitives::ByteStream;
use fourfold::Store;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Calls that are timed, after a tenth as many that are not.
const CALLS: usize = 5000;

/// One call.
async fn timed(call: impl AsyncFn() -> Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    call().await?;
    Ok(begun.elapsed())
}

async fn row(name: &str, call: impl AsyncFn() -> Result<()>) -> Result<()> {
    for _ in 0..CALLS / 10 {
        call().await?;
    }
    let mut took = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        took.push(timed(&call).await?);
    }
    took.sort_unstable();
    let (p50, p99) = (took[CALLS / 2], took[CALLS * 99 / 100]);
    writeln!(io::stdout(), "| {name} | {p50:.0?} | {p99:.0?} |")?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = Store::in_memory();
    let config = fourfold_aws::sdk::config(&store);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let dynamo = aws_sdk_dynamodb::Client::new(&config);
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    let s3 = aws_sdk_s3::Client::new(&config);
    let text = "x".repeat(100);
    let jobs = sqs.create_queue().queue_name("jobs").send().await?.queue_url.unwrap_or_default();
    let key = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let users = dynamo.create_table().table_name("users").billing_mode(BillingMode::PayPerRequest);
    users.attribute_definitions(key.build()?).key_schema(schema.build()?).send().await?;
    kinesis.create_stream().stream_name("clicks").shard_count(1).send().await?;
    s3.create_bucket().bucket("films").send().await?;

    writeln!(io::stdout(), "| SDK in process | p50 | p99 |\n| --- | --- | --- |")?;
    row("SQS SendMessage 100 B", async || {
        sqs.send_message().queue_url(&jobs).message_body(&text).send().await?;
        Ok(())
    })
    .await?;
    row("SQS ReceiveMessage", async || {
        sqs.receive_message().queue_url(&jobs).send().await?;
        Ok(())
    })
    .await?;
    let ann = || AttributeValue::S("ann".to_owned());
    row("DynamoDB PutItem 100 B", async || {
        let put = dynamo.put_item().table_name("users").item("id", ann());
        put.item("text", AttributeValue::S(text.clone())).send().await?;
        Ok(())
    })
    .await?;
    row("DynamoDB GetItem 100 B", async || {
        dynamo.get_item().table_name("users").key("id", ann()).send().await?;
        Ok(())
    })
    .await?;
    row("Kinesis PutRecord 100 B", async || {
        let put = kinesis.put_record().stream_name("clicks").partition_key("k");
        put.data(Blob::new(text.as_bytes())).send().await?;
        Ok(())
    })
    .await?;
    row("S3 PutObject 4 KiB", async || {
        let body = ByteStream::from_static(&[7; 4 << 10]);
        s3.put_object().bucket("films").key("a").body(body).send().await?;
        Ok(())
    })
    .await?;
    row("S3 GetObject 4 KiB", async || {
        s3.get_object().bucket("films").key("a").send().await?.body.collect().await?;
        Ok(())
    })
    .await
}
