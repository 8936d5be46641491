"""S3, as command line tools speak it: s3cmd, rclone, and the AWS CLI."""

import json
import os
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from server import ServerTest

TOOLS = Path(sys.executable).parent
MIB = 1 << 20


class Tools(ServerTest):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = Path(self.directory.name)
        (self.path / "small.txt").write_text("small\n")
        (self.path / "big.bin").write_bytes(os.urandom(18 * MIB))

    def run_tool(self, *command, **environment):
        environment = {"HOME": str(self.path), **environment}
        return self.run_program(*command, environment=environment, cwd=self.path)

    def same(self, name):
        self.assertEqual((self.path / name).read_bytes(), (self.path / "big.bin").read_bytes())

    def test_s3cmd(self):
        host = self.endpoint.split("//")[1]
        s3 = lambda *command: self.run_tool(
            TOOLS / "s3cmd", "--access_key=a", "--secret_key=b", f"--host={host}", f"--host-bucket={host}", "--no-ssl",
            "-c", os.devnull, "--no-progress", *command
        )
        s3("mb", "s3://s3cmd")
        s3("put", "small.txt", "s3://s3cmd/a dir/small.txt")
        s3("put", "--multipart-chunk-size-mb=5", "big.bin", "s3://s3cmd/big.bin")
        listed = s3("ls", "-r", "s3://s3cmd")
        self.assertIn("s3://s3cmd/a dir/small.txt", listed)
        s3("get", "s3://s3cmd/big.bin", "again.bin")
        self.same("again.bin")
        s3("cp", "s3://s3cmd/big.bin", "s3://s3cmd/copy.bin")
        s3("setacl", "--acl-public", "s3://s3cmd/copy.bin")
        self.assertIn("*anon*: READ", s3("info", "s3://s3cmd/copy.bin"))
        s3("sync", "./", "s3://s3cmd/sync/")
        s3("del", "-r", "--force", "s3://s3cmd")
        s3("rb", "s3://s3cmd")

    def test_rclone(self):
        remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": self.endpoint, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
        remote |= {"CHUNK_SIZE": "5Mi", "UPLOAD_CUTOFF": "5Mi", "COPY_CUTOFF": "10Mi", "VERSIONS": "false"}
        remote = {f"RCLONE_CONFIG_S3_{name}": value for name, value in remote.items()}
        rclone = lambda *command: self.run_tool(TOOLS / "rclone", "--config", os.devnull, *command, **remote)
        (self.path / "tree" / "deep").mkdir(parents=True)
        for number in range(30):
            (self.path / "tree" / "deep" / f"file {number} \u00e4.txt").write_text(f"{number}\n" * number)
        os.link(self.path / "big.bin", self.path / "tree" / "big.bin")
        rclone("mkdir", "s3:rclone")
        rclone("copy", "tree", "s3:rclone/tree", "--metadata")
        rclone("check", "tree", "s3:rclone/tree", "--download")
        rclone("check", "tree", "s3:rclone/tree")
        size = json.loads(rclone("size", "s3:rclone", "--json"))
        self.assertEqual((size["count"], size["bytes"] > 18 * MIB), (31, True))
        (self.path / "tree" / "deep" / "file 7 \u00e4.txt").write_text("changed")
        (self.path / "tree" / "deep" / "file 8 \u00e4.txt").unlink()
        rclone("sync", "tree", "s3:rclone/tree")
        self.assertEqual(rclone("cat", "s3:rclone/tree/deep/file 7 \u00e4.txt"), "changed")
        rclone("copyto", "s3:rclone/tree/big.bin", "s3:rclone/copied.bin")
        rclone("moveto", "s3:rclone/tree/deep/file 9 \u00e4.txt", "s3:rclone/nine.txt")
        listed = json.loads(rclone("lsjson", "-R", "--files-only", "--hash", "s3:rclone"))
        self.assertEqual(len(listed), 31)
        rclone("copyto", "s3:rclone/copied.bin", "again.bin", "--multi-thread-cutoff", "5Mi", "--multi-thread-streams", "3")
        self.same("again.bin")
        rclone("backend", "cleanup", "s3:rclone")
        link = rclone("link", "s3:rclone/nine.txt").strip()
        with urllib.request.urlopen(link) as answer:
            self.assertEqual(answer.read(), b"9\n" * 9)
        rclone("purge", "s3:rclone")
        self.assertEqual(rclone("lsd", "s3:"), "")

    def test_aws(self):
        s3 = lambda *command: self.run_tool(TOOLS / "aws", "--endpoint-url", self.endpoint, *command)
        s3("s3", "mb", "s3://awscli")
        s3("s3", "cp", "big.bin", "s3://awscli/a/big.bin", "--no-progress")
        s3("s3", "cp", "s3://awscli/a/big.bin", "again.bin", "--no-progress")
        self.same("again.bin")
        s3("s3", "sync", ".", "s3://awscli/sync/", "--no-progress")
        self.assertIn("small.txt", s3("s3", "ls", "s3://awscli/sync/"))
        s3("s3", "mv", "s3://awscli/sync/small.txt", "s3://awscli/moved.txt")
        url = s3("s3", "presign", "s3://awscli/moved.txt").strip()
        self.assertIn("moved.txt", url)
        s3("s3api", "put-object-tagging", "--bucket", "awscli", "--key", "moved.txt", "--tagging", "TagSet=[{Key=a,Value=1}]")
        self.assertIn('"Value": "1"', s3("s3api", "get-object-tagging", "--bucket", "awscli", "--key", "moved.txt"))
        s3("s3", "rb", "s3://awscli", "--force")

    def test_aws_of_other_services(self):
        aws = lambda *command: json.loads(self.run_tool(TOOLS / "aws", "--endpoint-url", self.endpoint, *command) or "null")
        url = aws("sqs", "create-queue", "--queue-name", "jobs")["QueueUrl"]
        aws("sqs", "send-message", "--queue-url", url, "--message-body", "hello")
        self.assertEqual(aws("sqs", "receive-message", "--queue-url", url)["Messages"][0]["Body"], "hello")
        table = ["dynamodb", "create-table", "--table-name", "users", "--billing-mode", "PAY_PER_REQUEST"]
        key = ["--attribute-definitions", "AttributeName=id,AttributeType=S", "--key-schema", "AttributeName=id,KeyType=HASH"]
        aws(*table, *key)
        aws("dynamodb", "put-item", "--table-name", "users", "--item", '{"id":{"S":"ann"},"n":{"N":"7"}}')
        self.assertEqual(aws("dynamodb", "scan", "--table-name", "users")["Items"][0]["n"], {"N": "7"})
        aws("kinesis", "create-stream", "--stream-name", "clicks", "--shard-count", "1")
        put = aws("kinesis", "put-record", "--stream-name", "clicks", "--partition-key", "k", "--data", "aGk=")
        self.assertEqual(put["ShardId"], "shardId-000000000000")
        self.assertEqual(aws("sts", "get-caller-identity")["Account"], "000000000000")


if __name__ == "__main__":
    unittest.main()
