"""Two consumers that share the shards of a stream and keep in a table how far they are. Run by `test_kinesis_consumer.py`."""

import asyncio
import os
import sys

from kinesis import Consumer, Producer
from kinesis.dynamodb import DynamoDBCheckPointer

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
WHERE = {"endpoint_url": ENDPOINT, "region_name": "us-east-1"}
STREAM = "clicks"


async def consume(name, count, of_all):
    points = DynamoDBCheckPointer(name="app", id=name, session_timeout=60, heartbeat_frequency=10, **WHERE)
    consumer = Consumer(
        STREAM, checkpointer=points, max_shard_consumers=2, sleep_time_no_records=0.1, iterator_type="TRIM_HORIZON", **WHERE
    )
    seen = []
    async with consumer:
        while len(of_all) < count:
            async for item in consumer:
                seen.append(item["n"])
                of_all.append(item["n"])
    return seen


async def main():
    async with Producer(STREAM, create_stream=True, create_stream_shards=4, buffer_time=0.1, **WHERE) as producer:
        for number in range(100):
            await producer.put({"n": number})
        await producer.flush()
    of_all = []
    one, other = await asyncio.gather(consume("one", 100, of_all), consume("other", 100, of_all))
    assert sorted(of_all) == list(range(100)), sorted(of_all)
    # Who comes later goes on where they stopped.
    async with Producer(STREAM, buffer_time=0.1, **WHERE) as producer:
        await producer.put({"n": 100})
        await producer.flush()
    of_all = []
    await asyncio.gather(consume("third", 1, of_all), consume("fourth", 1, of_all))
    assert of_all == [100], of_all
    print(len(one), len(other))


asyncio.run(asyncio.wait_for(main(), int(sys.argv[1])))
