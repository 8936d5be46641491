//! Tables and their streams.

use crate::store;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableOutput;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put, ScalarAttributeType,
    StreamSpecification, StreamViewType, TransactWriteItem,
};
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use fourfold::Store;

/// Makes the table `users`.
pub(crate) async fn create(dynamo: &Client, changes: Option<StreamSpecification>) -> CreateTableOutput {
    let key = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let table = dynamo
        .create_table()
        .table_name("users")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(key.build().unwrap())
        .key_schema(schema.build().unwrap())
        .set_stream_specification(changes);
    table.send().await.unwrap()
}

/// A client, and the ARN of the stream of the table `users`.
async fn table(store: &Store) -> (Client, String) {
    let dynamo = Client::new(&fourfold_aws::sdk::config(store));
    let changes = StreamSpecification::builder().stream_enabled(true);
    let changes = changes.stream_view_type(StreamViewType::NewAndOldImages).build().unwrap();
    let made = create(&dynamo, Some(changes)).await;
    (dynamo, made.table_description.unwrap().latest_stream_arn.unwrap())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test]
async fn items_are_put_and_got_and_conditions_hold() {
    let (dynamo, _) = table(&store().0).await;
    let number = AttributeValue::N("1.50".to_owned());
    let put = dynamo.put_item().table_name("users").item("id", text("ann")).item("n", number);
    put.clone().send().await.unwrap();
    let got = dynamo.get_item().table_name("users").key("id", text("ann")).send().await.unwrap();
    assert_eq!(got.item().unwrap()["n"], AttributeValue::N("1.5".to_owned()));
    let again = put.condition_expression("attribute_not_exists(id)").send().await;
    assert!(again.unwrap_err().into_service_error().is_conditional_check_failed_exception());
    let nowhere = dynamo.get_item().table_name("nope").key("id", text("ann")).send().await;
    assert!(nowhere.unwrap_err().into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn a_scan_goes_through_pages() {
    let (dynamo, _) = table(&store().0).await;
    for number in 0..25 {
        dynamo.put_item().table_name("users").item("id", text(&number.to_string())).send().await.unwrap();
    }
    let mut pages = dynamo.scan().table_name("users").limit(10).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().count());
    }
    assert_eq!(sizes, [10, 10, 5]);
}

#[tokio::test]
async fn a_transaction_says_which_condition_failed() {
    let (dynamo, _) = table(&store().0).await;
    let put = |id: &str, condition: Option<&str>| {
        let put = Put::builder().table_name("users").item("id", text(id));
        let put = put.set_condition_expression(condition.map(str::to_owned)).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let write = dynamo.transact_write_items();
    let write = write.transact_items(put("a", None)).transact_items(put("b", Some("attribute_exists(id)")));
    let error = write.send().await.unwrap_err().into_service_error();
    let reasons = match &error {
        aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
            cancelled,
        ) => cancelled.cancellation_reasons(),
        other => panic!("{other:?}"),
    };
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    let count = dynamo.scan().table_name("users").send().await.unwrap().count();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn changes_are_read_from_the_stream() {
    let (store, _) = store();
    let (dynamo, arn) = table(&store).await;
    dynamo.put_item().table_name("users").item("id", text("ann")).send().await.unwrap();
    dynamo.delete_item().table_name("users").key("id", text("ann")).send().await.unwrap();
    let changes = aws_sdk_dynamodbstreams::Client::new(&fourfold_aws::sdk::config(&store));
    let stream = changes.describe_stream().stream_arn(&arn).send().await.unwrap();
    let shard = stream.stream_description.unwrap().shards.unwrap()[0].shard_id.clone().unwrap();
    let iterator = changes.get_shard_iterator().stream_arn(&arn).shard_id(shard);
    let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
    let got = changes.get_records().set_shard_iterator(iterator.shard_iterator).send().await.unwrap();
    let names: Vec<&str> = got.records().iter().map(|record| record.event_name().unwrap().as_str()).collect();
    assert_eq!(names, ["INSERT", "REMOVE"]);
}
