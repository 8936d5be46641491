"""The list in docs/aws.md against the models that boto3 has."""

import pathlib
import re
import unittest

from botocore.session import get_session

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "aws.md"
SERVICES = {
    "SQS": "sqs",
    "Kinesis": "kinesis",
    "DynamoDB": "dynamodb",
    "DynamoDB Streams": "dynamodbstreams",
    "STS": "sts",
    "S3": "s3",
}


class OperationsTest(unittest.TestCase):
    def test_every_operation_of_the_models_is_listed(self):
        sections = dict(section.split("\n", 1) for section in PAGE.read_text().split("\n## "))
        for heading, service in SERVICES.items():
            listed = set(re.findall(r"^\| `(\w+)` \|", sections[heading], re.M))
            model = set(get_session().get_service_model(service).operation_names)
            self.assertLessEqual(listed, model, f"{heading}: not in the model")
            # Models grow. What is newer than the list is not there, and answered so; it should be listed.
            for name in sorted(model - listed):
                print(f"not in docs/aws.md: {heading} {name}")
