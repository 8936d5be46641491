"""SQS, as boto3 and plain HTTP speak it."""

import json
import threading
import unittest
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

from botocore.exceptions import ClientError
from server import ServerTest


class Sqs(ServerTest):
    def setUp(self):
        self.sqs = self.client("sqs")
        name = self.id().rsplit(".", 1)[1].replace("_", "-")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]

    def refused(self, operation, **arguments):
        with self.assertRaises(ClientError) as caught:
            getattr(self.sqs, operation)(**arguments)
        response = caught.exception.response
        return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]

    def test_send_receive_delete(self):
        attributes = {
            "text": {"DataType": "String", "StringValue": "v"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "number": {"DataType": "Number.int", "StringValue": "7"},
        }
        body = "hello <&> \r\n \u20ac"
        sent = self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes=attributes)
        got = self.sqs.receive_message(
            QueueUrl=self.url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
        )["Messages"][0]
        self.assertEqual(got["Body"], body)
        self.assertEqual(got["MessageId"], sent["MessageId"])
        self.assertEqual(got["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
        self.assertEqual(got["MessageAttributes"], attributes)
        self.assertEqual(got["Attributes"]["ApproximateReceiveCount"], "1")
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=got["ReceiptHandle"])
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=self.url))

    def test_batches(self):
        entries = [{"Id": str(i), "MessageBody": f"m{i}"} for i in range(10)]
        entries[3]["MessageBody"] = "\x01"
        sent = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        self.assertEqual(len(sent["Successful"]), 9)
        self.assertEqual(
            [(f["Id"], f["Code"], f["SenderFault"]) for f in sent["Failed"]], [("3", "InvalidMessageContents", True)]
        )
        got = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)["Messages"]
        self.assertEqual([m["Body"] for m in got], [f"m{i}" for i in range(10) if i != 3])
        handles = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
        hidden = [dict(handle, VisibilityTimeout=60) for handle in handles]
        changed = self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=hidden)
        self.assertEqual(len(changed["Successful"]), 9)
        deleted = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=handles)
        self.assertEqual(len(deleted["Successful"]), 9)
        self.assertNotIn("Failed", deleted)

    def test_refusals(self):
        missing = self.url + "-not"
        self.assertEqual(
            self.refused("send_message", QueueUrl=missing, MessageBody="x"),
            ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.", 400),
        )
        with self.assertRaises(self.sqs.exceptions.QueueDoesNotExist):
            self.sqs.get_queue_url(QueueName="not-there")
        code, message, status = self.refused("receive_message", QueueUrl=self.url, MaxNumberOfMessages=11)
        self.assertEqual((code, status), ("InvalidParameterValue", 400))
        self.assertTrue(message.startswith("Value 11 for parameter MaxNumberOfMessages is invalid."))
        self.sqs.purge_queue(QueueUrl=self.url)
        code, _, status = self.refused("purge_queue", QueueUrl=self.url)
        self.assertEqual((code, status), ("AWS.SimpleQueueService.PurgeQueueInProgress", 403))

    def test_permissions(self):
        arguments = {"QueueUrl": self.url, "AWSAccountIds": ["111122223333"], "Actions": ["SendMessage"]}
        self.sqs.add_permission(Label="x", **arguments)
        self.sqs.add_permission(Label="x", **arguments)
        other = dict(arguments, Actions=["ReceiveMessage"])
        self.assertEqual(self.refused("add_permission", Label="x", **other)[0], "InvalidParameterValue")
        policy = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        self.assertEqual(json.loads(policy)["Statement"][0]["Sid"], "x")
        self.sqs.remove_permission(QueueUrl=self.url, Label="x")
        self.assertEqual(self.refused("remove_permission", QueueUrl=self.url, Label="x")[0], "InvalidParameterValue")

    def test_attributes_tags_and_lists(self):
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": "7"})
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        self.assertEqual(attributes["VisibilityTimeout"], "7")
        self.assertEqual(attributes["QueueArn"], "arn:aws:sqs:us-east-1:000000000000:test-attributes-tags-and-lists")
        self.assertNotIn("Attributes", self.sqs.get_queue_attributes(QueueUrl=self.url))
        self.sqs.tag_queue(QueueUrl=self.url, Tags={"a": "1", "b": ""})
        self.sqs.untag_queue(QueueUrl=self.url, TagKeys=["a", "z"])
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=self.url)["Tags"], {"b": ""})
        names = [f"page-{i}" for i in range(5)]
        for name in names:
            self.sqs.create_queue(QueueName=name)
        pages = self.sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix="page-", PaginationConfig={"PageSize": 2}
        )
        urls = [page.get("QueueUrls", []) for page in pages]
        self.assertEqual([len(page) for page in urls], [2, 2, 1])
        self.assertEqual([url.rsplit("/", 1)[1] for page in urls for url in page], names)
        self.assertNotIn("QueueUrls", self.sqs.list_queues(QueueNamePrefix="zzz"))

    def test_fifo(self):
        queue = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        url = self.sqs.create_queue(QueueName="orders.fifo", Attributes=queue, tags={"a": "b"})["QueueUrl"]
        first = self.sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g")
        again = self.sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g")
        self.assertEqual(first["SequenceNumber"], again["SequenceNumber"])
        self.assertEqual(len(self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]), 1)
        with self.assertRaises(ClientError) as caught:
            self.sqs.send_message(QueueUrl=url, MessageBody="a")
        self.assertEqual(caught.exception.response["Error"]["Code"], "MissingParameter")
        self.assertEqual(caught.exception.response["Error"]["QueryErrorCode"], "MissingRequiredParameterException")

    def test_long_poll_ends_when_a_message_comes(self):
        timer = threading.Timer(0.5, lambda: self.client("sqs").send_message(QueueUrl=self.url, MessageBody="now"))
        timer.start()
        got = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=20)["Messages"]
        self.assertEqual(got[0]["Body"], "now")
        timer.join()

    def test_time_is_moved(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="later", DelaySeconds=900)
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=self.url))
        self.advance(901)
        self.assertEqual(len(self.sqs.receive_message(QueueUrl=self.url, VisibilityTimeout=3600)["Messages"]), 1)
        timer = threading.Timer(0.5, lambda: self.advance(3600))
        timer.start()
        got = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=20)
        self.assertEqual(len(got["Messages"]), 1)
        timer.join()

    def test_dead_letters_go_back(self):
        dead = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":"1"}' % arn
        self.sqs.set_queue_attributes(
            QueueUrl=self.url, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"}
        )
        self.sqs.send_message(QueueUrl=self.url, MessageBody="too hard")
        self.sqs.receive_message(QueueUrl=self.url)
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=self.url))
        self.assertEqual(self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [self.url])
        self.assertIn("TaskHandle", self.sqs.start_message_move_task(SourceArn=arn))
        got = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=5)["Messages"]
        self.assertEqual(got[0]["Body"], "too hard")
        task = self.sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]
        self.assertEqual((task["Status"], task["ApproximateNumberOfMessagesMoved"]), ("COMPLETED", 1))

    def query(self, url, **form):
        request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode())
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, ElementTree.fromstring(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ElementTree.fromstring(error.read())

    def test_the_query_protocol(self):
        namespace = {"s": "http://queue.amazonaws.com/doc/2012-11-05/"}
        form = {"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"}
        status, answer = self.query(self.endpoint, Action="CreateQueue", QueueName="old", **form)
        url = answer.findtext("s:CreateQueueResult/s:QueueUrl", namespaces=namespace)
        self.assertEqual((status, url), (200, f"{self.endpoint}/000000000000/old"))
        attribute = {
            "MessageAttribute.1.Name": "a",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "v",
        }
        self.query(url, Action="SendMessage", MessageBody="x\ry", **attribute)
        names = {"AttributeName.1": "All", "MessageAttributeName.1": "a"}
        status, answer = self.query(url, Action="ReceiveMessage", MaxNumberOfMessages="10", **names)
        message = answer.find("s:ReceiveMessageResult/s:Message", namespace)
        self.assertEqual(message.findtext("s:Body", namespaces=namespace), "x\ry")
        self.assertEqual(message.findtext("s:MessageAttribute/s:Value/s:StringValue", namespaces=namespace), "v")
        system = message.findall("s:Attribute/s:Name", namespace)
        self.assertIn("SentTimestamp", [name.text for name in system])
        status, answer = self.query(url + "-not", Action="PurgeQueue")
        self.assertEqual(status, 400)
        error = {child.tag.split("}")[1]: child.text for child in answer.find("s:Error", namespace)}
        self.assertEqual(
            error,
            {
                "Type": "Sender",
                "Code": "AWS.SimpleQueueService.NonExistentQueue",
                "Message": "The specified queue does not exist for this wsdl version.",
                "Detail": None,
            },
        )
        status, answer = self.query(url, Action="CreateQueue", QueueName="x")
        self.assertEqual((status, answer.findtext("s:Error/s:Code", namespaces=namespace)), (400, "InvalidAction"))


class Keys(ServerTest):
    arguments = ["--memory", "--key", "AKID:secret"]

    def test_only_those_with_a_key_are_let_in(self):
        self.client("sqs", "AKID", "secret").create_queue(QueueName="a")
        self.assertEqual(self.client("sts", "AKID", "secret").get_caller_identity()["Account"], "000000000000")
        for key, secret, code in [
            ("AKID", "wrong", "SignatureDoesNotMatch"),
            ("OTHER", "secret", "InvalidClientTokenId"),
        ]:
            with self.assertRaises(ClientError) as caught:
                self.client("sqs", key, secret).list_queues()
            self.assertEqual(caught.exception.response["Error"]["Code"], code)
            self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 403)


if __name__ == "__main__":
    unittest.main()
