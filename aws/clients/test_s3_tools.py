"""S3, as command line tools speak it: s3cmd, and the AWS CLI."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from server import ServerTest

TOOLS = Path(sys.executable).parent
MIB = 1 << 20


@unittest.skipUnless((TOOLS / "s3cmd").exists() and (TOOLS / "aws").exists(), "the tools are not installed")
class Tools(ServerTest):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = Path(self.directory.name)
        (self.path / "small.txt").write_text("small\n")
        (self.path / "big.bin").write_bytes(os.urandom(18 * MIB))

    def run_tool(self, *command, **more):
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
        environment = {**os.environ, **keys, "HOME": str(self.path)}
        done = subprocess.run(
            [str(part) for part in command], cwd=self.path, env=environment, capture_output=True, text=True, timeout=120
        )
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

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


if __name__ == "__main__":
    unittest.main()
