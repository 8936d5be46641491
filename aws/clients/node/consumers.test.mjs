// Clients for JavaScript: the AWS SDK with its helpers, and sqs-consumer.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ConditionalCheckFailedException, CreateTableCommand, DynamoDBClient, paginateListTables, waitUntilTableExists } from "@aws-sdk/client-dynamodb";
import {
  CreateStreamCommand, DescribeStreamSummaryCommand, GetRecordsCommand, GetShardIteratorCommand, KinesisClient, ListShardsCommand,
  PutRecordsCommand, RegisterStreamConsumerCommand, ResourceInUseException, SubscribeToShardCommand, waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";
import { CreateBucketCommand, GetObjectCommand, NoSuchKey, paginateListObjectsV2, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, DeleteMessageCommand, GetQueueAttributesCommand, QueueDoesNotExist, ReceiveMessageCommand, SendMessageBatchCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocument, paginateQuery } from "@aws-sdk/lib-dynamodb";
import { Upload } from "@aws-sdk/lib-storage";
import { Consumer } from "sqs-consumer";

const where = { endpoint: process.env.AWS_ENDPOINT_URL, region: "us-east-1", maxAttempts: 1 };

async function advance(advance_ms) {
  const answer = await fetch(`${where.endpoint}/_fourfold/clock`, { method: "POST", body: JSON.stringify({ advance_ms }) });
  assert.equal(answer.status, 200);
}

test("sqs-consumer takes messages, and gives back what fails", async () => {
  const sqs = new SQSClient(where);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "jobs", Attributes: { VisibilityTimeout: "30" } }));
  const entries = Array.from({ length: 10 }, (_, i) => ({ Id: `m${i}`, MessageBody: `job ${i}` }));
  const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries }));
  assert.equal(sent.Successful.length, 10);
  const seen = new Map();
  const errors = [];
  await new Promise((resolve) => {
    const done = new Set();
    const consumer = Consumer.create({
      queueUrl: QueueUrl,
      sqs,
      batchSize: 10,
      waitTimeSeconds: 1,
      visibilityTimeout: 30,
      heartbeatInterval: 10,
      terminateVisibilityTimeout: true,
      messageSystemAttributeNames: ["ApproximateReceiveCount"],
      handleMessage: async (message) => {
        const times = (seen.get(message.Body) ?? 0) + 1;
        seen.set(message.Body, times);
        assert.equal(message.Attributes.ApproximateReceiveCount, String(times));
        if (message.Body === "job 3" && times === 1) throw new Error("not yet");
        return message;
      },
    });
    consumer.on("processing_error", (error) => errors.push(error.message));
    consumer.on("error", (error) => errors.push(error.message));
    consumer.on("message_processed", (message) => {
      done.add(message.Body);
      if (done.size === 10) consumer.stop();
    });
    consumer.on("stopped", resolve);
    consumer.start();
  });
  assert.equal(errors.length, 1, errors);
  assert.deepEqual([...seen.values()].sort(), [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  assert.deepEqual(Object.values(Attributes), ["0", "0"]);
});

test("queues", async () => {
  const sqs = new SQSClient(where);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "order.fifo", Attributes: { FifoQueue: "true" } }));
  const MessageAttributes = { a: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) } };
  const send = { QueueUrl, MessageBody: "\u20ac <&> \r\n", MessageGroupId: "g", MessageDeduplicationId: "1", MessageAttributes };
  // The SDK checks the sums of what it sent and of what it receives.
  const sent = await sqs.send(new SendMessageCommand(send));
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: ["All"] }));
  assert.equal(Messages[0].Body, send.MessageBody);
  assert.equal(Messages[0].MessageId, sent.MessageId);
  assert.deepEqual([...Messages[0].MessageAttributes.a.BinaryValue], [0, 255]);
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle }));
  await assert.rejects(sqs.send(new ReceiveMessageCommand({ QueueUrl: `${QueueUrl}-not` })), QueueDoesNotExist);
});

test("documents", async () => {
  const client = new DynamoDBClient(where);
  const key = (AttributeName, KeyType) => ({ AttributeName, KeyType });
  await client.send(new CreateTableCommand({
    TableName: "posts",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "forum", AttributeType: "S" }, { AttributeName: "number", AttributeType: "N" }],
    KeySchema: [key("forum", "HASH"), key("number", "RANGE")],
  }));
  await waitUntilTableExists({ client, maxWaitTime: 60 }, { TableName: "posts" });
  const posts = DynamoDBDocument.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const Item = { forum: "db", number: 1, tags: new Set(["a", "b"]), deep: { list: [1.5, null, true] }, raw: new Uint8Array([1, 2]) };
  await posts.put({ TableName: "posts", Item });
  const got = await posts.get({ TableName: "posts", Key: { forum: "db", number: 1 }, ConsistentRead: true });
  assert.deepEqual({ ...got.Item, raw: [...got.Item.raw] }, { ...Item, raw: [1, 2] });
  const put = posts.put({ TableName: "posts", Item, ConditionExpression: "attribute_not_exists(forum)" });
  await assert.rejects(put, ConditionalCheckFailedException);
  await posts.batchWrite({
    RequestItems: { posts: Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { forum: "net", number: i } } })) },
  });
  const numbers = [];
  const query = { TableName: "posts", KeyConditionExpression: "forum = :f", ExpressionAttributeValues: { ":f": "net" } };
  for await (const page of paginateQuery({ client: posts, pageSize: 10 }, query)) numbers.push(page.Items.map((item) => item.number));
  assert.deepEqual(numbers.map((page) => page.length), [10, 10, 5]);
  const names = [];
  for await (const page of paginateListTables({ client }, {})) names.push(...page.TableNames);
  assert.deepEqual(names, ["posts"]);
});

test("streams", async () => {
  // Over HTTP/2, as this client does of itself.
  const client = new KinesisClient(where);
  const StreamName = "clicks";
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
  await waitUntilStreamExists({ client, maxWaitTime: 60 }, { StreamName });
  await assert.rejects(client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 })), ResourceInUseException);
  const Records = Array.from({ length: 20 }, (_, i) => ({ PartitionKey: `k${i}`, Data: Buffer.from(`r${i}`) }));
  assert.equal((await client.send(new PutRecordsCommand({ StreamName, Records }))).FailedRecordCount, 0);
  const { Shards } = await client.send(new ListShardsCommand({ StreamName }));
  const read = [];
  for (const { ShardId } of Shards) {
    const begin = new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" });
    const { ShardIterator } = await client.send(begin);
    const got = await client.send(new GetRecordsCommand({ ShardIterator }));
    read.push(...got.Records.map((record) => Buffer.from(record.Data).toString()));
  }
  assert.deepEqual(read.sort(), Records.map((record) => record.Data.toString()).sort());
  const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
  const register = { StreamARN: StreamDescriptionSummary.StreamARN, ConsumerName: "app" };
  const { Consumer: consumer } = await client.send(new RegisterStreamConsumerCommand(register));
  const StartingPosition = { Type: "TRIM_HORIZON" };
  const subscribe = { ConsumerARN: consumer.ConsumerARN, ShardId: Shards[0].ShardId, StartingPosition };
  const { EventStream } = await client.send(new SubscribeToShardCommand(subscribe));
  const events = [];
  for await (const event of EventStream) {
    events.push(event.SubscribeToShardEvent.Records.length);
    // A subscription ends after five minutes.
    if (events.length === 1) await advance(300_000);
  }
  assert.ok(events[0] > 0);
  client.destroy();
});

test("objects", async () => {
  const client = new S3Client({ ...where, forcePathStyle: true });
  const Bucket = "films";
  await client.send(new CreateBucketCommand({ Bucket }));
  const data = randomBytes(12 << 20);
  const upload = new Upload({ client, params: { Bucket, Key: "big", Body: Readable.from([data]) }, partSize: 5 << 20, queueSize: 3 });
  const done = await upload.done();
  assert.match(done.ETag, /-3"$/);
  const got = await client.send(new GetObjectCommand({ Bucket, Key: "big" }));
  const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
  assert.equal(hash(await got.Body.transformToByteArray()), hash(data));
  for (let i = 0; i < 5; i++) await client.send(new PutObjectCommand({ Bucket, Key: `small/${i} \u00e4`, Body: String(i) }));
  const keys = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix: "small/" })) {
    keys.push(page.Contents.map((object) => object.Key));
  }
  assert.deepEqual(keys.map((page) => page.length), [2, 2, 1]);
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: "none" })), NoSuchKey);
  // The bucket in the host, as this client has it of itself for names.
  const host = where.endpoint.replace("127.0.0.1", "localhost");
  const named = new S3Client({ ...where, endpoint: host });
  const small = await named.send(new GetObjectCommand({ Bucket, Key: "small/3 \u00e4" })).catch((error) => error);
  // Where such names are not those of this machine, or not of its address of old.
  if (!["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED"].includes(small.code ?? small.cause?.code)) assert.equal(await small.Body.transformToString(), "3");
});
