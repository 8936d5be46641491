"""A server of its own for each class of tests, and clients of it."""

import json
import os
import subprocess
import unittest
import urllib.request

import boto3
from botocore.config import Config


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
        status = cls.process.wait(timeout=20)
        cls.process.stdout.close()
        assert status == 0, f"the server ended with {status}"

    @classmethod
    def client(cls, service, key="test", secret="test"):
        return boto3.client(
            service,
            endpoint_url=cls.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 1}),
        )

    @classmethod
    def advance(cls, seconds):
        body = json.dumps({"advance_ms": int(seconds * 1000)}).encode()
        with urllib.request.urlopen(f"{cls.endpoint}/_fourfold/clock", data=body) as answer:
            assert answer.status == 200
