//! One table of cases, three ways: by the library, by the SDK in process, by the SDK over TCP. The answers are the same.

use crate::store;
use crate::wire::Wire;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_sdk_s3::primitives::ByteStream;
use fourfold::Store;
use fourfold::kv::{CreateTable, GetItem, PutItem, ScalarType, item};
use fourfold::queue::{QueueAttributes, Receive, SendMessage};
use fourfold::stream::{CreateStream, GetRecords, Start};
use fourfold_aws::{Router, sdk};
use std::fmt::Display;

/// What a case answers, a line for each step; a refusal is its code.
type Lines = Vec<String>;

fn line(answer: Result<impl Display, impl Display>) -> String {
    match answer {
        Ok(answer) => answer.to_string(),
        Err(code) => code.to_string(),
    }
}

/// What clients call an error.
macro_rules! code {
    ($answer:expr) => {
        $answer.map_err(|error| error.into_service_error().meta().code().unwrap_or_default().to_owned())
    };
}

/// Runs a case each way, on a store of its own.
async fn check(native: impl Fn(&Store) -> Lines, by_sdk: impl AsyncFn(aws_types::SdkConfig) -> Lines) {
    let (store, _) = store();
    let expected = native(&store);
    assert!(expected.len() > 2);
    let (store, _) = crate::store();
    assert_eq!(by_sdk(sdk::config(&store)).await, expected, "in process");
    let (store, _) = crate::store();
    let wire = Wire::new(Router::new(store.clone())).await;
    let config = sdk::config(&store).to_builder().endpoint_url(wire.endpoint()).http_client(wire).build();
    assert_eq!(by_sdk(config).await, expected, "over TCP");
}

#[tokio::test]
async fn queues() {
    let native = |store: &Store| {
        let queues = store.queues();
        let jobs = queues.create("jobs").unwrap();
        let sent = jobs.send(SendMessage::new("hello")).unwrap();
        let received = jobs.receive(Receive::new().max_messages(10)).unwrap();
        let attributes = QueueAttributes::new().delay(901);
        vec![
            line(Ok::<_, &str>(sent.id())),
            line(Ok::<_, &str>(received[0].body())),
            line(
                jobs.delete_message(received[0].receipt_handle())
                    .map(|()| "deleted")
                    .map_err(|e| e.query_code()),
            ),
            line(jobs.send(SendMessage::new("")).map(|_| "sent").map_err(|e| e.query_code())),
            line(jobs.set_attributes(&attributes).map(|()| "set").map_err(|e| e.query_code())),
            line(queues.get("nope").map(|_| "found").map_err(|e| e.query_code())),
        ]
    };
    check(native, async |config| {
        let sqs = aws_sdk_sqs::Client::new(&config);
        let url = sqs.create_queue().queue_name("jobs").send().await.unwrap().queue_url.unwrap();
        let sent = sqs.send_message().queue_url(&url).message_body("hello").send().await.unwrap();
        let received = sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
        let handle = received.messages()[0].receipt_handle().unwrap();
        let delay = aws_sdk_sqs::types::QueueAttributeName::DelaySeconds;
        vec![
            line(Ok::<_, &str>(sent.message_id().unwrap())),
            line(Ok::<_, &str>(received.messages()[0].body().unwrap())),
            line(
                code!(sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await)
                    .map(|_| "deleted"),
            ),
            line(code!(sqs.send_message().queue_url(&url).message_body("").send().await).map(|_| "sent")),
            line(
                code!(sqs.set_queue_attributes().queue_url(&url).attributes(delay, "901").send().await)
                    .map(|_| "set"),
            ),
            line(code!(sqs.get_queue_url().queue_name("nope").send().await).map(|_| "found")),
        ]
    })
    .await;
}

#[tokio::test]
async fn tables() {
    let native = |store: &Store| {
        let tables = store.tables();
        tables.create_table(CreateTable::new("users").hash("id", ScalarType::S)).unwrap();
        let put = || PutItem::new("users", item! { "id" => "ann", "n" => 7 });
        let get = |id: &str| tables.get_item(&GetItem::new("users", item! { "id" => id })).unwrap().item;
        vec![
            line(tables.put_item(put()).map(|_| "put").map_err(|e| e.code())),
            line(Ok::<_, &str>(get("ann").map_or(0, |item| item.len()))),
            line(Ok::<_, &str>(get("bob").map_or(0, |item| item.len()))),
            line(
                tables
                    .put_item(put().condition("attribute_not_exists(id)"))
                    .map(|_| "put")
                    .map_err(|e| e.code()),
            ),
            line(tables.put_item(put().condition("nonsense (")).map(|_| "put").map_err(|e| e.code())),
            line(tables.describe_table("nope").map(|_| "found").map_err(|e| e.code())),
        ]
    };
    check(native, async |config| {
        let dynamo = aws_sdk_dynamodb::Client::new(&config);
        crate::dynamodb::create(&dynamo, None).await;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = dynamo.put_item().table_name("users").item("id", text("ann"));
        let put = put.item("n", AttributeValue::N("7".to_owned()));
        let get = async |id: &str| {
            let got = dynamo.get_item().table_name("users").key("id", text(id)).send().await;
            got.unwrap().item.map_or(0, |item| item.len())
        };
        vec![
            line(code!(put.clone().send().await).map(|_| "put")),
            line(Ok::<_, &str>(get("ann").await)),
            line(Ok::<_, &str>(get("bob").await)),
            line(
                code!(put.clone().condition_expression("attribute_not_exists(id)").send().await)
                    .map(|_| "put"),
            ),
            line(code!(put.clone().condition_expression("nonsense (").send().await).map(|_| "put")),
            line(code!(dynamo.describe_table().table_name("nope").send().await).map(|_| "found")),
        ]
    })
    .await;
}

#[tokio::test]
async fn streams() {
    let native = |store: &Store| {
        let streams = store.streams();
        let clicks = streams.create("clicks", CreateStream::default().shard_count(1)).unwrap();
        let put = clicks.put("k", "home").unwrap();
        let iterator = clicks.shard_iterator(&put.shard_id, Start::TrimHorizon).unwrap();
        let got = streams.get_records(&GetRecords::new(&iterator)).unwrap();
        vec![
            line(Ok::<_, &str>(put.sequence_number)),
            line(Ok::<_, &str>(got.records[0].sequence_number())),
            line(Ok::<_, &str>(String::from_utf8_lossy(got.records[0].data()))),
            line(streams.stream("nope").map(|_| "found").map_err(|e| e.code())),
            line(
                streams
                    .create("clicks", CreateStream::default().shard_count(1))
                    .map(|_| "made")
                    .map_err(|e| e.code()),
            ),
            line(streams.get_records(&GetRecords::new("nonsense")).map(|_| "got").map_err(|e| e.code())),
        ]
    };
    check(native, async |config| {
        let kinesis = aws_sdk_kinesis::Client::new(&config);
        kinesis.create_stream().stream_name("clicks").shard_count(1).send().await.unwrap();
        let put = kinesis.put_record().stream_name("clicks").partition_key("k").data(Blob::new("home"));
        let put = put.send().await.unwrap();
        let iterator = kinesis.get_shard_iterator().stream_name("clicks").shard_id(put.shard_id());
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let got = kinesis.get_records().set_shard_iterator(iterator.shard_iterator).send().await.unwrap();
        let record = &got.records()[0];
        vec![
            line(Ok::<_, &str>(put.sequence_number())),
            line(Ok::<_, &str>(record.sequence_number())),
            line(Ok::<_, &str>(String::from_utf8_lossy(record.data().as_ref()))),
            line(code!(kinesis.describe_stream_summary().stream_name("nope").send().await).map(|_| "found")),
            line(
                code!(kinesis.create_stream().stream_name("clicks").shard_count(1).send().await)
                    .map(|_| "made"),
            ),
            line(code!(kinesis.get_records().shard_iterator("nonsense").send().await).map(|_| "got")),
        ]
    })
    .await;
}

#[tokio::test]
async fn objects() {
    let native = |store: &Store| {
        let buckets = store.buckets();
        let photos = buckets.create("photos").unwrap();
        let put = photos.put("a", "hello").unwrap();
        vec![
            line(Ok::<_, &str>(put.etag)),
            line(photos.get("a").map(|got| got.body.len()).map_err(|e| e.code().to_owned())),
            line(photos.get("b").map(|got| got.body.len()).map_err(|e| e.code().to_owned())),
            line(buckets.delete("photos").map(|()| "deleted").map_err(|e| e.code().to_owned())),
            line(buckets.create("NOT A NAME").map(|_| "made").map_err(|e| e.code().to_owned())),
        ]
    };
    check(native, async |config| {
        let s3 = aws_sdk_s3::Client::new(&config);
        s3.create_bucket().bucket("photos").send().await.unwrap();
        let body = ByteStream::from_static(b"hello");
        let put = s3.put_object().bucket("photos").key("a").body(body).send().await.unwrap();
        let get = async |key: &str| {
            let got = s3.get_object().bucket("photos").key(key).send().await;
            code!(got).map(|got| got.content_length().unwrap_or_default())
        };
        vec![
            line(Ok::<_, &str>(put.e_tag().unwrap())),
            line(get("a").await),
            line(get("b").await),
            line(code!(s3.delete_bucket().bucket("photos").send().await).map(|_| "deleted")),
            line(code!(s3.create_bucket().bucket("NOT A NAME").send().await).map(|_| "made")),
        ]
    })
    .await;
}
