"""A consumer of Kinesis that leases shards and keeps its place in DynamoDB: async-kinesis."""

import os
import pathlib
import unittest

from server import PATIENCE, ServerTest

PROGRAM = pathlib.Path(__file__).with_name("async_kinesis.py")


class ConsumerTest(ServerTest):
    def test_consumers_share_the_shards_of_a_stream(self):
        self.run_program(os.environ["FOURFOLD_ASYNC"], "-B", PROGRAM, PATIENCE - 10)
        shards = self.client("kinesis").list_shards(StreamName="clicks")["Shards"]
        rows = self.client("dynamodb").scan(TableName="kinesis-checkpoints-app")["Items"]
        self.assertEqual((len(shards), len(rows)), (4, 4), rows)


if __name__ == "__main__":
    unittest.main()
