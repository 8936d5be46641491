"""Every paginator and every waiter that boto3 has for the services, with small pages, against what is there."""

import threading
import unittest

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError, WaiterError
from server import ServerTest

# What the paginators ask for is refused, as docs/aws.md says.
REFUSED = {
    "dynamodb": {"list_backups", "list_bulk_operations"},
    "kinesis": {"list_channels", "list_queues"},
    "s3": {"list_directory_buckets", "list_object_annotations"},
}


class Pages(ServerTest):
    def check(self, service, cases):
        """Cases: paginator, its arguments, where the items are, how many there are."""
        client = self.client(service)
        session = boto3.session.Session()._session
        model = session.get_component("data_loader").load_service_model(service, "paginators-1")["pagination"]
        names = {xform_name(name) for name in model}
        refused = REFUSED.get(service, set()) & names
        self.assertEqual({case[0] for case in cases} | refused, names)
        for name, arguments, items, count in cases:
            with self.subTest(f"{service} {name}"):
                size = {} if name == "list_tags_of_resource" else {"PageSize": 3 if name == "list_shards" else 2}
                pages = list(client.get_paginator(name).paginate(**arguments, PaginationConfig=size))
                found = [item for page in pages for item in _at(page, items)]
                self.assertEqual(len(found), count, found)
                if name not in ("list_shards", "list_tags_of_resource"):
                    self.assertGreater(len(pages), 1)
        for name in refused:
            with self.assertRaises(ClientError):
                arguments = {"Bucket": "films", "Key": "k"} if name == "list_object_annotations" else {}
                list(client.get_paginator(name).paginate(**arguments))

    def test_sqs(self):
        sqs = self.client("sqs")
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":"3"}' % arn
        for number in range(4):
            sqs.create_queue(QueueName=f"q{number}", Attributes={"RedrivePolicy": policy})
        cases = [
            ("list_queues", {}, "QueueUrls", 5),
            ("list_dead_letter_source_queues", {"QueueUrl": dead}, "queueUrls", 4),
        ]
        self.check("sqs", cases)
        self.assertEqual(sqs.waiter_names, [])

    def test_kinesis(self):
        kinesis = self.client("kinesis")
        for number in range(5):
            kinesis.create_stream(StreamName=f"s{number}", ShardCount=3)
        kinesis.get_waiter("stream_exists").wait(StreamName="s0")
        arn = kinesis.describe_stream_summary(StreamName="s0")["StreamDescriptionSummary"]["StreamARN"]
        for number in range(3):
            kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=f"c{number}")
        # The service takes the token of ListShards without the stream's name only, and this paginator sends both.
        small = kinesis.get_paginator("list_shards").paginate(StreamName="s0", PaginationConfig={"PageSize": 2})
        with self.assertRaises(ClientError):
            list(small)
        cases = [
            ("list_shards", {"StreamName": "s0"}, "Shards", 3),
            ("describe_stream", {"StreamName": "s0"}, "StreamDescription.Shards", 3),
            ("list_stream_consumers", {"StreamARN": arn}, "Consumers", 3),
            ("list_streams", {}, "StreamNames", 5),
        ]
        self.check("kinesis", cases)
        kinesis.delete_stream(StreamName="s1")
        kinesis.get_waiter("stream_not_exists").wait(StreamName="s1")
        self.assertLessEqual({"stream_exists", "stream_not_exists"}, set(kinesis.waiter_names))

    def test_dynamodb(self):
        dynamo = self.client("dynamodb")
        keys = {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        for number in range(5):
            tags = [{"Key": f"k{tag}", "Value": "v"} for tag in range(12)]
            made = dynamo.create_table(TableName=f"table{number}", Tags=tags, **keys)
        for number in range(5):
            dynamo.put_item(TableName="table0", Item={"id": {"S": "a"}, "n": {"N": str(number)}})
        query = {
            "TableName": "table0",
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": {"S": "a"}},
        }
        cases = [
            ("list_tables", {}, "TableNames", 5),
            ("list_tags_of_resource", {"ResourceArn": made["TableDescription"]["TableArn"]}, "Tags", 12),
            ("query", query, "Items", 5),
            ("scan", {"TableName": "table0"}, "Items", 5),
        ]
        self.check("dynamodb", cases)
        dynamo.get_waiter("table_exists").wait(TableName="table0")
        dynamo.delete_table(TableName="table0")
        dynamo.get_waiter("table_not_exists").wait(TableName="table0")
        with self.assertRaises(WaiterError):
            dynamo.get_waiter("table_exists").wait(TableName="table0", WaiterConfig={"Delay": 0, "MaxAttempts": 2})

    def test_s3(self):
        s3 = self.client("s3")
        waiter = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 100}}
        later = threading.Timer(0.5, lambda: s3.create_bucket(Bucket="films"))
        later.start()
        s3.get_waiter("bucket_exists").wait(Bucket="films", **waiter)
        later.join()
        for name in ["b1", "b2", "b3"]:
            s3.create_bucket(Bucket=f"bucket-{name}")
        s3.put_bucket_versioning(Bucket="films", VersioningConfiguration={"Status": "Enabled"})
        for number in range(5):
            s3.put_object(Bucket="films", Key=f"k{number}", Body=b"x")
        upload = {"Bucket": "films", "Key": "parts"}
        upload["UploadId"] = [s3.create_multipart_upload(**upload)["UploadId"] for _ in range(3)][0]
        for number in range(1, 6):
            s3.upload_part(**upload, PartNumber=number, Body=b"x")
        films = {"Bucket": "films"}
        cases = [
            ("list_buckets", {}, "Buckets", 4),
            ("list_multipart_uploads", films, "Uploads", 3),
            ("list_object_versions", films, "Versions", 5),
            ("list_objects", films, "Contents", 5),
            ("list_objects_v2", films, "Contents", 5),
            ("list_parts", upload, "Parts", 5),
        ]
        self.check("s3", cases)
        s3.get_waiter("object_exists").wait(Bucket="films", Key="k0", **waiter)
        s3.delete_object(Bucket="films", Key="k0")
        s3.get_waiter("object_not_exists").wait(Bucket="films", Key="k0", **waiter)
        s3.delete_bucket(Bucket="bucket-b1")
        s3.get_waiter("bucket_not_exists").wait(Bucket="bucket-b1", **waiter)
        names = {"bucket_exists", "bucket_not_exists", "object_exists", "object_not_exists"}
        self.assertEqual(set(s3.waiter_names), names)


def _at(page, path):
    for name in path.split("."):
        page = page.get(name, [])
    return page


if __name__ == "__main__":
    unittest.main()
