"""Kinesis, as boto3 speaks it, and CBOR as clients for Java do."""

import time
import unittest
import urllib.request

from botocore.exceptions import ClientError
from server import ServerTest


class Kinesis(ServerTest):
    def setUp(self):
        self.kinesis = self.client("kinesis")
        self.name = self.id().rsplit(".", 1)[1]
        self.kinesis.create_stream(StreamName=self.name, ShardCount=2)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=self.name)

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as caught:
            getattr(self.kinesis, operation)(**arguments)
        return caught.exception.response["Error"]["Code"], caught.exception.response["Error"]["Message"]

    def read(self, shard, **position):
        position = position or {"ShardIteratorType": "TRIM_HORIZON"}
        iterator = self.kinesis.get_shard_iterator(StreamName=self.name, ShardId=shard, **position)["ShardIterator"]
        return self.kinesis.get_records(ShardIterator=iterator)

    def test_put_and_get(self):
        put = self.kinesis.put_record(StreamName=self.name, Data=b"\x00\xff", PartitionKey="key")
        records = [{"Data": f"r{i}".encode(), "PartitionKey": "key"} for i in range(20)]
        answer = self.kinesis.put_records(StreamName=self.name, Records=records)
        self.assertEqual((answer["FailedRecordCount"], len(answer["Records"])), (0, 20))
        got = self.read(put["ShardId"])
        self.assertEqual(got["Records"][0]["Data"], b"\x00\xff")
        self.assertEqual(got["Records"][0]["SequenceNumber"], put["SequenceNumber"])
        self.assertLess(abs(got["Records"][0]["ApproximateArrivalTimestamp"].timestamp() - time.time()), 600)
        self.assertEqual([r["Data"] for r in got["Records"][1:]], [r["Data"] for r in records])
        self.assertEqual(got["MillisBehindLatest"], 0)
        behind = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": put["SequenceNumber"]}
        self.assertEqual(len(self.read(put["ShardId"], **behind)["Records"]), 20)

    def test_descriptions(self):
        stream = self.kinesis.describe_stream(StreamName=self.name)["StreamDescription"]
        self.assertEqual((stream["StreamStatus"], len(stream["Shards"])), ("ACTIVE", 2))
        self.assertEqual(stream["Shards"][1]["HashKeyRange"]["EndingHashKey"], str(2**128 - 1))
        summary = self.kinesis.describe_stream_summary(StreamARN=stream["StreamARN"])["StreamDescriptionSummary"]
        self.assertEqual((summary["OpenShardCount"], summary["RetentionPeriodHours"]), (2, 24))
        self.assertIn(self.name, self.kinesis.list_streams()["StreamNames"])
        self.kinesis.increase_stream_retention_period(StreamName=self.name, RetentionPeriodHours=48)
        self.kinesis.add_tags_to_stream(StreamName=self.name, Tags={"a": "1"})
        tags = self.kinesis.list_tags_for_stream(StreamName=self.name)
        self.assertEqual((tags["Tags"], tags["HasMoreTags"]), ([{"Key": "a", "Value": "1"}], False))

    def test_a_subscription(self):
        summary = self.kinesis.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]
        consumer = self.kinesis.register_stream_consumer(StreamARN=summary["StreamARN"], ConsumerName="app")
        put = self.kinesis.put_record(StreamName=self.name, Data=b"pushed", PartitionKey="key")
        where = {
            "ConsumerARN": consumer["Consumer"]["ConsumerARN"],
            "ShardId": put["ShardId"],
            "StartingPosition": {"Type": "TRIM_HORIZON"},
        }
        events = self.kinesis.subscribe_to_shard(**where)["EventStream"]
        event = next(iter(events))["SubscribeToShardEvent"]
        self.assertEqual([record["Data"] for record in event["Records"]], [b"pushed"])
        self.assertEqual(self.refused("subscribe_to_shard", **where)[0], "ResourceInUseException")
        events.close()

    def test_splitting(self):
        shard = self.kinesis.list_shards(StreamName=self.name)["Shards"][0]
        half = str(int(shard["HashKeyRange"]["EndingHashKey"]) // 2)
        self.kinesis.split_shard(StreamName=self.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=half)
        latest = self.kinesis.list_shards(StreamName=self.name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
        self.assertEqual(len(latest), 3)
        end = self.read(shard["ShardId"])
        self.assertNotIn("NextShardIterator", end)
        self.assertEqual(len(end["ChildShards"]), 2)
        first = self.kinesis.list_shards(StreamName=self.name, MaxResults=3)
        # The service takes a token without the stream's name only, so boto3's paginator is of no use here.
        second = self.kinesis.list_shards(NextToken=first["NextToken"])
        self.assertEqual((len(first["Shards"]), len(second["Shards"])), (3, 1))
        self.assertEqual(
            self.refused("list_shards", StreamName=self.name, NextToken=first["NextToken"])[0],
            "InvalidArgumentException",
        )

    def test_consumers(self):
        arn = self.kinesis.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]["StreamARN"]
        consumer = self.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="app")["Consumer"]
        self.assertEqual(consumer["ConsumerStatus"], "ACTIVE")
        self.assertEqual(len(self.kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]), 1)
        self.kinesis.deregister_stream_consumer(ConsumerARN=consumer["ConsumerARN"])
        self.assertEqual(
            self.refused("describe_stream_consumer", StreamARN=arn, ConsumerName="app")[0],
            "ResourceNotFoundException",
        )

    def test_refusals(self):
        self.assertEqual(
            self.refused("describe_stream", StreamName="nope"),
            ("ResourceNotFoundException", "Stream nope under account 000000000000 not found."),
        )
        self.assertEqual(self.refused("create_stream", StreamName=self.name, ShardCount=1)[0], "ResourceInUseException")
        code, message = self.refused("describe_stream", StreamName=self.name, Limit=100000)
        self.assertEqual(code, "ValidationException")
        self.assertTrue(message.startswith("1 validation error detected: Value '100000' at 'limit'"), message)
        self.assertEqual(self.refused("put_resource_policy", ResourceARN="x", Policy="{}")[0], "UnknownOperationException")

    def test_retention_passes(self):
        put = self.kinesis.put_record(StreamName=self.name, Data=b"old", PartitionKey="key")
        self.advance(25 * 3600)
        self.assertEqual(self.read(put["ShardId"])["Records"], [])

    def test_cbor(self):
        name = self.name.encode()
        # {"StreamName": name}, a map of unknown length.
        body = b"\xbf\x6aStreamName" + bytes([0x60 + len(name)]) + name + b"\xff"
        headers = {"X-Amz-Target": "Kinesis_20131202.DescribeStreamSummary", "Content-Type": "application/x-amz-cbor-1.1"}
        request = urllib.request.Request(self.endpoint, data=body, headers=headers)
        with urllib.request.urlopen(request) as answer:
            self.assertEqual(answer.headers["Content-Type"], "application/x-amz-cbor-1.1")
            answer = answer.read()
        self.assertTrue(answer.startswith(b"\xbf\x78\x18StreamDescriptionSummary\xbf"))
        self.assertIn(b"\x77StreamCreationTimestamp\xc1\x1b", answer)


if __name__ == "__main__":
    unittest.main()
