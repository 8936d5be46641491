"""A server of its own for each class of tests, and clients of it."""

import json
import os
import subprocess
import unittest
import urllib.request

import boto3
from botocore.config import Config

# Nothing is measured: after so many seconds a test that waits is one that waits for ever.
PATIENCE = 300


class ServerTest(unittest.TestCase):
    arguments = ["--memory", "--movable-clock"]

    @classmethod
    def setUpClass(cls):
        command = [os.environ["FOURFOLD"], "serve", "--listen", "127.0.0.1:0", *cls.arguments]
        cls.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        cls.endpoint = cls.process.stdout.readline().split()[-1]

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        status = cls.process.wait(timeout=PATIENCE)
        cls.process.stdout.close()
        assert status == 0, f"the server ended with {status}"

    @classmethod
    def client(cls, service, key="test", secret="test"):
        return boto3.client(service, **cls.where(key, secret), config=Config(retries={"max_attempts": 1}))

    @classmethod
    def where(cls, key="test", secret="test"):
        return {
            "endpoint_url": cls.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
        }

    @classmethod
    def environment(cls):
        """For programs that find the endpoint by themselves."""
        names = {
            "AWS_ENDPOINT_URL": cls.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return {**os.environ, **names}

    def run_program(self, *command, **more):
        command = [str(part) for part in command]
        environment = {**self.environment(), **more.pop("environment", {})}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, **more)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @classmethod
    def advance(cls, seconds):
        body = json.dumps({"advance_ms": int(seconds * 1000)}).encode()
        with urllib.request.urlopen(f"{cls.endpoint}/_fourfold/clock", data=body) as answer:
            assert answer.status == 200
