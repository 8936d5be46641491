"""DynamoDB and its streams, as boto3 speaks them. It checks the checksum of every answer."""

import decimal
import json
import unittest
import urllib.error
import urllib.request
import zlib

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError
from server import ServerTest


class Dynamo(ServerTest):
    def setUp(self):
        self.dynamo = self.client("dynamodb")
        self.name = self.id().rsplit(".", 1)[1]
        self.dynamo.create_table(
            TableName=self.name,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
                {"AttributeName": "color", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-color",
                    "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.dynamo.get_waiter("table_exists").wait(TableName=self.name)
        resource = boto3.resource(
            "dynamodb",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.table = resource.Table(self.name)

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as caught:
            getattr(self.dynamo, operation)(**arguments)
        return caught.exception.response

    def test_values_of_every_type(self):
        item = {
            "pk": "a",
            "sk": decimal.Decimal("1.5"),
            "bytes": b"\x00\xff",
            "list": ["x", decimal.Decimal(-3), None, True, {"deep": []}],
            "strings": {"a", "b"},
            "numbers": {decimal.Decimal(1), decimal.Decimal(2)},
            "empty": "",
        }
        self.table.put_item(Item=item)
        got = self.table.get_item(Key={"pk": "a", "sk": decimal.Decimal("1.5")}, ConsistentRead=True)["Item"]
        self.assertEqual(got, dict(item, bytes=boto3.dynamodb.types.Binary(b"\x00\xff")))
        self.assertNotIn("Item", self.table.get_item(Key={"pk": "b", "sk": 1}))

    def test_update_and_conditions(self):
        key = {"pk": "a", "sk": 1}
        update = {
            "UpdateExpression": "SET #c = if_not_exists(#c, :zero) + :one",
            "ExpressionAttributeNames": {"#c": "count"},
            "ExpressionAttributeValues": {":zero": 0, ":one": 1},
        }
        for expected in [1, 2]:
            got = self.table.update_item(Key=key, ReturnValues="UPDATED_NEW", **update)
            self.assertEqual(got["Attributes"], {"count": expected})
        with self.assertRaises(ClientError) as caught:
            self.table.put_item(
                Item=key,
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], "ConditionalCheckFailedException")
        self.assertEqual(response["Error"]["Message"], "The conditional request failed")
        self.assertEqual(response["Item"]["count"], {"N": "2"})
        old = self.table.delete_item(Key=key, ReturnValues="ALL_OLD", ReturnConsumedCapacity="TOTAL")
        self.assertEqual(old["Attributes"]["count"], 2)
        self.assertEqual(old["ConsumedCapacity"]["CapacityUnits"], 1.0)

    def test_query_scan_and_pages(self):
        with self.table.batch_writer() as batch:
            for i in range(60):
                batch.put_item(Item={"pk": f"p{i % 2}", "sk": i, "color": ["red", "blue"][i % 3 == 0]})
        page = self.table.query(
            KeyConditionExpression=Key("pk").eq("p1") & Key("sk").between(10, 20), ScanIndexForward=False
        )
        self.assertEqual([int(item["sk"]) for item in page["Items"]], [19, 17, 15, 13, 11])
        page = self.table.query(IndexName="by-color", KeyConditionExpression=Key("color").eq("blue"))
        self.assertEqual(page["Count"], 20)
        paginator = self.dynamo.get_paginator("scan")
        pages = list(paginator.paginate(TableName=self.name, PaginationConfig={"PageSize": 7}))
        self.assertEqual(sum(page["Count"] for page in pages), 60)
        self.assertGreater(len(pages), 8)
        page = self.table.scan(FilterExpression=Attr("sk").lt(10), Select="COUNT")
        self.assertEqual((page["Count"], page["ScannedCount"]), (10, 60))
        self.assertNotIn("Items", page)
        keys = [{"pk": {"S": "p0"}, "sk": {"N": str(i)}} for i in range(4)]
        got = self.dynamo.batch_get_item(RequestItems={self.name: {"Keys": keys, "ProjectionExpression": "sk"}})
        self.assertEqual(sorted(item["sk"]["N"] for item in got["Responses"][self.name]), ["0", "2"])
        self.assertEqual(got["UnprocessedKeys"], {})

    def test_transactions(self):
        put = lambda sk: {"Put": {"TableName": self.name, "Item": {"pk": {"S": "t"}, "sk": {"N": str(sk)}}}}
        self.dynamo.transact_write_items(TransactItems=[put(1), put(2)])
        check = {
            "ConditionCheck": {
                "TableName": self.name,
                "Key": {"pk": {"S": "t"}, "sk": {"N": "1"}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        response = self.refused("transact_write_items", TransactItems=[put(3), check])
        self.assertEqual(response["Error"]["Code"], "TransactionCanceledException")
        self.assertTrue(response["Error"]["Message"].endswith("[None, ConditionalCheckFailed]"))
        self.assertEqual([r["Code"] for r in response["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
        get = lambda sk: {"Get": {"TableName": self.name, "Key": {"pk": {"S": "t"}, "sk": {"N": str(sk)}}}}
        items = self.dynamo.transact_get_items(TransactItems=[get(1), get(3)])["Responses"]
        self.assertEqual(["Item" in item for item in items], [True, False])

    def test_tables(self):
        table = self.dynamo.describe_table(TableName=self.name)["Table"]
        self.assertEqual(table["TableStatus"], "ACTIVE")
        self.assertEqual(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        self.assertEqual(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE")
        self.assertIn(self.name, self.dynamo.list_tables()["TableNames"])
        specification = {"AttributeName": "expires", "Enabled": True}
        self.dynamo.update_time_to_live(TableName=self.name, TimeToLiveSpecification=specification)
        state = self.dynamo.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]
        self.assertEqual(state, {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
        self.dynamo.tag_resource(ResourceArn=table["TableArn"], Tags=[{"Key": "a", "Value": "b"}])
        tags = self.dynamo.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        self.assertEqual(tags, [{"Key": "a", "Value": "b"}])
        self.dynamo.delete_table(TableName=self.name)
        self.dynamo.get_waiter("table_not_exists").wait(TableName=self.name)
        self.assertEqual(
            self.refused("describe_table", TableName=self.name)["Error"]["Code"], "ResourceNotFoundException"
        )

    def test_streams(self):
        self.table.put_item(Item={"pk": "a", "sk": 1, "v": 1})
        self.table.put_item(Item={"pk": "a", "sk": 1, "v": 2})
        self.table.delete_item(Key={"pk": "a", "sk": 1})
        streams = self.client("dynamodbstreams")
        arn = streams.list_streams(TableName=self.name)["Streams"][0]["StreamArn"]
        events = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            events += streams.get_records(ShardIterator=iterator)["Records"]
        self.assertEqual([event["eventName"] for event in events], ["INSERT", "MODIFY", "REMOVE"])
        self.assertEqual(events[1]["dynamodb"]["OldImage"]["v"], {"N": "1"})
        self.assertEqual(events[1]["dynamodb"]["NewImage"]["v"], {"N": "2"})

    def test_refusals(self):
        error = self.refused("put_item", TableName=self.name, Item={"pk": {"S": "x"}})["Error"]
        self.assertEqual(error["Code"], "ValidationException")
        error = self.refused("put_item", TableName="nope", Item={"pk": {"S": "x"}})["Error"]
        self.assertEqual(error["Code"], "ResourceNotFoundException")
        error = self.refused("list_backups")["Error"]
        self.assertEqual(error["Code"], "UnknownOperationException")

    def test_the_wire(self):
        def post(target, body):
            headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
            request = urllib.request.Request(self.endpoint, data=body, headers=headers)
            try:
                answer = urllib.request.urlopen(request)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                body = answer.read()
            self.assertEqual(answer.headers["x-amz-crc32"], str(zlib.crc32(body)))
            self.assertEqual(len(answer.headers["x-amzn-requestid"]), 52)
            return answer.status, json.loads(body)

        status, body = post("DynamoDB_20120810.ListTables", b"not json")
        self.assertEqual((status, body), (400, {"__type": "com.amazon.coral.service#SerializationException"}))
        status, body = post("DynamoDB_20120810.DescribeTable", b"{}")
        self.assertEqual(body["__type"], "com.amazon.coral.validate#ValidationException")
        status, body = post("DynamoDB_20120810.Nope", b"{}")
        self.assertEqual(body, {"__type": "com.amazon.coral.service#UnknownOperationException"})
        status, body = post("DynamoDB_20120810.DescribeTable", b'{"TableName": "nope"}')
        self.assertEqual(body["__type"], "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException")


if __name__ == "__main__":
    unittest.main()
