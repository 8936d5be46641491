"""S3, as boto3 and plain HTTP speak it."""

import base64
import hashlib
import io
import json
import os
import re
import unittest

import boto3
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from server import ServerTest

MIB = 1 << 20


class S3Test(ServerTest):
    key = ("test", "test")

    @classmethod
    def s3(cls, key=None, secret=None, **config):
        s3 = dict({"addressing_style": "path"}, **config.pop("s3", {}))
        return boto3.client(
            "s3",
            endpoint_url=cls.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key or cls.key[0],
            aws_secret_access_key=secret or cls.key[1],
            config=Config(retries={"max_attempts": 1}, s3=s3, **config),
        )

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.http = urllib3.PoolManager()

    @classmethod
    def tearDownClass(cls):
        cls.http.clear()
        super().tearDownClass()

    def setUp(self):
        self.client = self.s3()
        self.bucket = re.sub("[^a-z]", "-", self.id().rsplit(".", 1)[1])
        self.client.create_bucket(Bucket=self.bucket)

    def put(self, key, body=b"", **arguments):
        return self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **arguments)

    def get(self, key, **arguments):
        return self.client.get_object(Bucket=self.bucket, Key=key, **arguments)

    def refused(self, operation, client=None, **arguments):
        with self.assertRaises(ClientError) as caught:
            getattr(client or self.client, operation)(**{"Bucket": self.bucket, **arguments})
        response = caught.exception.response
        self.error = response["Error"]
        self.headers = response["ResponseMetadata"]["HTTPHeaders"]
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]

    def plain(self, method, path, **arguments):
        return self.http.request(method, f"{self.endpoint}/{self.bucket}{path}", retries=False, **arguments)


class Objects(S3Test):
    def test_put_get_head_delete(self):
        put = self.put("a/b c+d%", b"hello", Metadata={"X": "1"}, ContentType="text/plain", Tagging="a=1&b=2")
        self.assertEqual(put["ETag"], '"5d41402abc4b2a76b9719d911017c592"')
        got = self.get("a/b c+d%")
        self.assertEqual(got["Body"].read(), b"hello")
        self.assertEqual((got["Metadata"], got["ContentType"], got["TagCount"]), ({"x": "1"}, "text/plain", 2))
        self.assertEqual(self.client.head_object(Bucket=self.bucket, Key="a/b c+d%")["ContentLength"], 5)
        self.client.delete_object(Bucket=self.bucket, Key="a/b c+d%")
        self.assertEqual(self.refused("get_object", Key="a/b c+d%"), ("NoSuchKey", 404))
        self.assertEqual(self.error["Key"], "a/b c+d%")
        self.assertEqual(self.refused("head_object", Key="x"), ("404", 404))
        self.assertEqual(self.refused("get_object", Bucket="not-there", Key="x"), ("NoSuchBucket", 404))
        self.assertEqual(self.error["BucketName"], "not-there")

    def test_keys_of_all_kinds(self):
        keys = ["a b", "a+b", "\u00e4/\u00f6", "//x", "a%2fb", "~!*'()", "x=y&z", "..", "a/../b", "\n", "<&>"]
        for key in keys:
            self.put(key, key.encode())
        for key in keys:
            self.assertEqual(self.get(key)["Body"].read(), key.encode())
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, PaginationConfig={"PageSize": 3})
        found = [o["Key"] for page in pages for o in page["Contents"]]
        self.assertEqual(found, sorted(keys, key=lambda key: key.encode()))
        deleted = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys if key != "\n"]})
        self.assertEqual(len(deleted["Deleted"]), len(keys) - 1)

    def test_ranges_and_conditions(self):
        data = os.urandom(3 * MIB)
        etag = self.put("k", data)["ETag"]
        part = self.get("k", Range="bytes=10-19")
        self.assertEqual((part["Body"].read(), part["ContentRange"]), (data[10:20], f"bytes 10-19/{len(data)}"))
        self.assertEqual(self.get("k", Range="bytes=-5")["Body"].read(), data[-5:])
        self.assertEqual(self.refused("get_object", Key="k", Range="bytes=99999999-"), ("InvalidRange", 416))
        self.assertEqual(self.refused("get_object", Key="k", IfNoneMatch=etag), ("304", 304))
        self.assertEqual(self.headers["etag"], etag)
        self.assertEqual(self.refused("get_object", Key="k", IfMatch='"x"'), ("PreconditionFailed", 412))
        self.assertEqual(self.refused("put_object", Key="k", IfNoneMatch="*"), ("PreconditionFailed", 412))
        self.assertEqual(self.refused("put_object", Key="none", IfMatch=etag), ("NoSuchKey", 404))

    def test_checksums(self):
        for algorithm in ["CRC32", "SHA1", "SHA256"]:
            put = self.put("k", b"hello", ChecksumAlgorithm=algorithm)
            got = self.get("k", ChecksumMode="ENABLED")
            got["Body"].read()
            self.assertEqual(put[f"Checksum{algorithm}"], got[f"Checksum{algorithm}"])
        names = ["ETag", "Checksum", "ObjectSize", "StorageClass"]
        known = self.client.get_object_attributes(Bucket=self.bucket, Key="k", ObjectAttributes=names)
        self.assertEqual((known["ObjectSize"], known["Checksum"]["ChecksumType"]), (5, "FULL_OBJECT"))
        self.assertEqual(self.refused("put_object", Key="k", Body=b"x", ChecksumSHA256="AAAA"), ("InvalidRequest", 400))
        wrong = base64.b64encode(bytes(32)).decode()
        self.assertEqual(self.refused("put_object", Key="k", Body=b"x", ChecksumSHA256=wrong), ("BadDigest", 400))
        self.assertEqual(self.refused("put_object", Key="k", Body=b"x", ContentMD5="x"), ("InvalidDigest", 400))

    def test_transfer_manager(self):
        data = os.urandom(17 * MIB)
        parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
        self.client.upload_fileobj(io.BytesIO(data), self.bucket, "big", Config=parts)
        head = self.client.head_object(Bucket=self.bucket, Key="big", PartNumber=2)
        self.assertEqual((head["PartsCount"], head["ContentLength"]), (4, 5 * MIB))
        self.client.copy({"Bucket": self.bucket, "Key": "big"}, self.bucket, "copy", Config=parts)
        for key in ["big", "copy"]:
            out = io.BytesIO()
            self.client.download_fileobj(self.bucket, key, out, Config=parts)
            self.assertEqual(out.getvalue(), data)

    def test_multipart(self):
        about = {"Bucket": self.bucket, "Key": "k"}
        about["UploadId"] = self.client.create_multipart_upload(**about, Metadata={"a": "1"})["UploadId"]
        tags = [self.client.upload_part(**about, PartNumber=n, Body=b"x" * n)["ETag"] for n in (1, 2)]
        parts = [{"ETag": tag, "PartNumber": n + 1} for n, tag in enumerate(tags)]
        listed = self.client.list_parts(**about)["Parts"]
        self.assertEqual([(p["PartNumber"], p["Size"], p["ETag"]) for p in listed], [(1, 1, tags[0]), (2, 2, tags[1])])
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket)["Uploads"]
        self.assertEqual([u["UploadId"] for u in uploads], [about["UploadId"]])
        complete = lambda parts: self.refused("complete_multipart_upload", **about, MultipartUpload={"Parts": parts})
        self.assertEqual(complete(parts), ("EntityTooSmall", 400))
        self.assertEqual(self.error["MinSizeAllowed"], str(5 * MIB))
        self.assertEqual(complete(parts[::-1]), ("InvalidPartOrder", 400))
        self.assertEqual(complete([{"ETag": tags[1], "PartNumber": 1}]), ("InvalidPart", 400))
        self.client.complete_multipart_upload(**about, MultipartUpload={"Parts": parts[:1]})
        self.assertEqual(self.get("k")["Metadata"], {"a": "1"})
        self.assertEqual(self.refused("list_parts", **about), ("NoSuchUpload", 404))

    def test_copies(self):
        self.put("a", b"x", Metadata={"a": "1"}, Tagging="t=1")
        source = {"Bucket": self.bucket, "Key": "a"}
        self.client.copy_object(Bucket=self.bucket, Key="b \u00e9", CopySource=source)
        self.assertEqual(self.get("b \u00e9")["Metadata"], {"a": "1"})
        self.assertEqual(self.refused("copy_object", Key="a", CopySource=source), ("InvalidRequest", 400))
        self.client.copy_object(Bucket=self.bucket, Key="a", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
        self.assertEqual(self.get("a")["Metadata"], {"b": "2"})
        failed = self.refused("copy_object", Key="c", CopySource=source, CopySourceIfMatch='"x"')
        self.assertEqual(failed, ("PreconditionFailed", 412))
        self.assertEqual(self.refused("copy_object", Key="c", CopySource=f"{self.bucket}/none"), ("NoSuchKey", 404))

    def test_versions(self):
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        first, second = (self.put("k", body)["VersionId"] for body in (b"1", b"2"))
        marker = self.client.delete_object(Bucket=self.bucket, Key="k")
        self.assertTrue(marker["DeleteMarker"])
        self.assertEqual(self.refused("get_object", Key="k"), ("NoSuchKey", 404))
        self.assertEqual(self.headers["x-amz-delete-marker"], "true")
        gone = self.refused("get_object", Key="k", VersionId=marker["VersionId"])
        self.assertEqual((gone, self.headers["allow"]), (("MethodNotAllowed", 405), "DELETE"))
        self.assertEqual(self.get("k", VersionId=first)["Body"].read(), b"1")
        listed = self.client.list_object_versions(Bucket=self.bucket)
        self.assertEqual([v["VersionId"] for v in listed["Versions"]], [second, first])
        self.assertEqual([m["IsLatest"] for m in listed["DeleteMarkers"]], [True])
        self.assertEqual(self.refused("delete_bucket"), ("BucketNotEmpty", 409))
        ids = [first, second, marker["VersionId"]]
        self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "k", "VersionId": id} for id in ids]})
        self.client.delete_bucket(Bucket=self.bucket)

    def test_lists(self):
        for key in ["a/1", "a/2", "b", "c/1"]:
            self.put(key)
        listed = self.client.list_objects(Bucket=self.bucket, Delimiter="/", MaxKeys=2)
        self.assertEqual([p["Prefix"] for p in listed["CommonPrefixes"]], ["a/"])
        self.assertEqual((listed["NextMarker"], listed["IsTruncated"], listed["Marker"]), ("b", True, ""))
        self.assertEqual(self.refused("list_objects", MaxKeys=-1), ("InvalidArgument", 400))
        self.assertEqual(self.refused("list_objects", EncodingType="x"), ("InvalidArgument", 400))
        listed = self.client.list_objects_v2(Bucket=self.bucket, StartAfter="b", FetchOwner=True)
        self.assertEqual([(o["Key"], "ID" in o["Owner"]) for o in listed["Contents"]], [("c/1", True)])
        names = [b["Name"] for b in self.client.list_buckets()["Buckets"]]
        self.assertIn(self.bucket, names)

    def test_keys_of_the_caller(self):
        key = os.urandom(32)
        mine = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
        md5 = base64.b64encode(hashlib.md5(key).digest()).decode()
        encoded = base64.b64encode(key).decode()
        name = "x-amz-server-side-encryption-customer-"
        headers = {"Authorization": "AWS a:b", name + "algorithm": "AES256", name + "key": encoded, name + "key-md5": md5}
        self.assertEqual(self.plain("PUT", "/k", body=b"secret", headers=headers).status, 200)
        self.assertEqual(self.refused("get_object", Key="k"), ("InvalidRequest", 400))
        self.assertEqual(self.plain("GET", "/k", headers=headers).data, b"secret")
        other = base64.b64encode(bytes(32)).decode()
        wrong = {**headers, name + "key": other, name + "key-md5": base64.b64encode(hashlib.md5(bytes(32)).digest()).decode()}
        self.assertEqual(self.plain("GET", "/k", headers=wrong).status, 403)
        self.assertEqual(self.plain("GET", "/k", headers={**headers, name + "key-md5": other}).status, 400)
        self.assertEqual(len(mine), 2)


class Settings(S3Test):
    def test_tags(self):
        tags = [{"Key": "a", "Value": "1"}]
        self.assertEqual(self.refused("get_bucket_tagging"), ("NoSuchTagSet", 404))
        self.client.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": tags})
        self.assertEqual(self.client.get_bucket_tagging(Bucket=self.bucket)["TagSet"], tags)
        self.put("k")
        self.client.put_object_tagging(Bucket=self.bucket, Key="k", Tagging={"TagSet": tags})
        self.assertEqual(self.client.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"], tags)
        self.client.delete_object_tagging(Bucket=self.bucket, Key="k")
        self.assertEqual(self.client.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"], [])

    def test_cors(self):
        rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*suffix"], "ExposeHeaders": ["etag"], "MaxAgeSeconds": 9}]
        self.client.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": rules})
        self.assertEqual(self.client.get_bucket_cors(Bucket=self.bucket)["CORSRules"], rules)
        ask = lambda origin, method="GET": self.plain(
            "OPTIONS", "/k", headers={"Origin": origin, "Access-Control-Request-Method": method}
        )
        self.assertEqual(ask("foo.suffix").headers["access-control-allow-origin"], "foo.suffix")
        self.assertEqual([ask("foo").status, ask("foo.suffix", "PUT").status], [403, 403])
        self.assertEqual(self.plain("OPTIONS", "/k").status, 400)
        refused = self.plain("GET", "/k", headers={"Origin": "a.suffix"})
        self.assertEqual((refused.status, refused.headers["access-control-allow-origin"]), (403, "a.suffix"))

    def test_lifecycle(self):
        rules = [
            {
                "ID": "r",
                "Status": "Enabled",
                "Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "a", "Value": "b"}]}},
                "Expiration": {"Days": 3},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 2},
            },
            {"ID": "q", "Status": "Disabled", "Filter": {"Prefix": "x"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
        ]
        put = lambda rules: {"LifecycleConfiguration": {"Rules": rules}}
        self.client.put_bucket_lifecycle_configuration(Bucket=self.bucket, **put(rules))
        self.assertEqual(self.client.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"], rules)
        bad = [dict(rules[1], Status="enabled")]
        self.assertEqual(self.refused("put_bucket_lifecycle_configuration", **put(bad)), ("MalformedXML", 400))
        self.assertEqual(self.refused("put_bucket_lifecycle_configuration", **put([rules[1]] * 2)), ("InvalidArgument", 400))
        self.client.delete_bucket_lifecycle(Bucket=self.bucket)
        gone = self.refused("get_bucket_lifecycle_configuration")
        self.assertEqual(gone, ("NoSuchLifecycleConfiguration", 404))

    def test_expiration(self):
        rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
        self.client.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": rules})
        self.assertIn('rule-id="r"', self.put("k")["Expiration"])
        self.assertIn("expiry-date=", self.client.head_object(Bucket=self.bucket, Key="k")["Expiration"])

    def test_access(self):
        self.put("k", b"x")
        self.assertEqual([self.plain("GET", path).status for path in ("", "/k", "/none")], [403] * 3)
        self.client.put_object_acl(Bucket=self.bucket, Key="k", ACL="public-read")
        self.assertEqual(self.plain("GET", "/k").data, b"x")
        grants = self.client.get_object_acl(Bucket=self.bucket, Key="k")["Grants"]
        self.assertEqual([g["Permission"] for g in grants], ["FULL_CONTROL", "READ"])
        self.client.put_bucket_acl(Bucket=self.bucket, ACL="public-read-write")
        self.assertEqual([self.plain("GET", "").status, self.plain("GET", "/none").status], [200, 404])
        self.assertEqual(self.plain("PUT", "/anonymous", body=b"x").status, 200)
        acl = self.client.get_bucket_acl(Bucket=self.bucket)
        policy = {"Owner": acl["Owner"], "Grants": acl["Grants"][:1]}
        self.client.put_bucket_acl(Bucket=self.bucket, AccessControlPolicy=policy)
        self.assertEqual(self.plain("PUT", "/anonymous", body=b"x").status, 403)

    def test_policies(self):
        self.put("open/k", b"x")
        self.assertEqual(self.refused("get_bucket_policy"), ("NoSuchBucketPolicy", 404))
        statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
        policy = lambda resource: json.dumps({"Version": "2012-10-17", "Statement": [dict(statement, Resource=resource)]})
        self.client.put_bucket_policy(Bucket=self.bucket, Policy=policy(f"arn:aws:s3:::{self.bucket}/open/*"))
        self.assertTrue(self.client.get_bucket_policy_status(Bucket=self.bucket)["PolicyStatus"]["IsPublic"])
        self.assertEqual(self.plain("GET", "/open/k").data, b"x")
        self.assertEqual(self.plain("PUT", "/open/k", body=b"y").status, 403)
        refused = self.refused("put_bucket_policy", Policy=policy("arn:aws:s3:::other/*"))
        self.assertEqual(refused, ("MalformedPolicy", 400))
        self.client.delete_bucket_policy(Bucket=self.bucket)
        self.assertEqual(self.plain("GET", "/open/k").status, 403)

    def test_encryption_ownership_and_blocks(self):
        kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
        self.client.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=kms)
        self.assertEqual(self.put("k")["ServerSideEncryption"], "aws:kms")
        self.client.delete_bucket_encryption(Bucket=self.bucket)
        self.assertEqual(self.put("k")["ServerSideEncryption"], "AES256")
        owned = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        self.client.put_bucket_ownership_controls(Bucket=self.bucket, OwnershipControls=owned)
        refused = self.refused("put_bucket_acl", ACL="public-read")
        self.assertEqual(refused, ("AccessControlListNotSupported", 400))
        self.client.delete_bucket_ownership_controls(Bucket=self.bucket)
        block = {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": True, "RestrictPublicBuckets": False}
        self.client.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=block)
        found = self.client.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(found, block)
        self.assertEqual(self.refused("put_bucket_acl", ACL="public-read"), ("AccessDenied", 403))

    def test_a_new_bucket_says_what_one_of_the_service_says(self):
        encryption = self.client.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]
        default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
        self.assertEqual(encryption, {"Rules": [default]})
        ownership = self.client.get_bucket_ownership_controls(Bucket=self.bucket)["OwnershipControls"]
        self.assertEqual(ownership, {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        block = self.client.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(set(block.values()), {True})
        self.client.delete_public_access_block(Bucket=self.bucket)
        missing = ("NoSuchPublicAccessBlockConfiguration", 404)
        self.assertEqual(self.refused("get_public_access_block"), missing)

    def test_notifications(self):
        sqs = self.client_of("sqs")
        queue = sqs.create_queue(QueueName="events")["QueueUrl"]
        rule = {
            "Id": "i",
            "QueueArn": "arn:aws:sqs:us-east-1:000000000000:events",
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "n"}]}},
        }
        rules = {"QueueConfigurations": [rule]}
        self.client.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration=rules)
        found = self.client.get_bucket_notification_configuration(Bucket=self.bucket)
        self.assertEqual(found["QueueConfigurations"], [rule])
        self.put("n1")
        keys = []
        for _ in range(5):
            for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
                keys += [r["s3"]["object"]["key"] for r in json.loads(message["Body"]).get("Records", [])]
        self.assertEqual(keys, ["n1"])

    def client_of(self, service):
        return self.client_class(service)

    @classmethod
    def client_class(cls, service):
        return ServerTest.client.__func__(cls, service)

    def test_what_is_not_here(self):
        for operation, code, status in [
            ("get_bucket_website", "NoSuchWebsiteConfiguration", 404),
            ("get_bucket_replication", "ReplicationConfigurationNotFoundError", 404),
            ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError", 404),
        ]:
            self.assertEqual(self.refused(operation), (code, status))
        payer = {"RequestPaymentConfiguration": {"Payer": "Requester"}}
        self.assertEqual(self.refused("put_bucket_request_payment", **payer), ("NotImplemented", 501))
        self.assertEqual(self.client.get_bucket_request_payment(Bucket=self.bucket)["Payer"], "BucketOwner")
        self.assertIsNone(self.client.get_bucket_location(Bucket=self.bucket)["LocationConstraint"])
        self.put("k")
        restore = self.refused("restore_object", Key="k", RestoreRequest={"Days": 1})
        self.assertEqual(restore, ("InvalidObjectState", 403))


class Keys(S3Test):
    arguments = ["--memory", "--key", "AKID:SECRET"]
    key = ("AKID", "SECRET")

    def test_signatures(self):
        self.put("a b/\u00e4+%", b"x")
        for arguments in [{}, {"signature_version": "s3"}, {"s3": {"payload_signing_enabled": True}}]:
            client = self.s3(**arguments)
            client.put_object(Bucket=self.bucket, Key="k", Body=io.BytesIO(os.urandom(300_000)))
            self.assertEqual(client.list_objects_v2(Bucket=self.bucket, Prefix="a b/")["KeyCount"], 1)
        listed = {"client": self.s3(key="OTHER")}
        self.assertEqual(self.refused("list_objects_v2", **listed), ("InvalidAccessKeyId", 403))
        listed = {"client": self.s3(secret="OTHER")}
        self.assertEqual(self.refused("list_objects_v2", **listed), ("SignatureDoesNotMatch", 403))
        listed = {"client": self.s3(signature_version=UNSIGNED)}
        self.assertEqual(self.refused("list_objects_v2", **listed), ("AccessDenied", 403))

    def test_presigned_urls(self):
        self.put("a b", b"x")
        for version in ["s3", "s3v4"]:
            client = self.s3(signature_version=version)
            about = {"Bucket": self.bucket, "Key": "a b", "ResponseContentType": "a/b"}
            url = client.generate_presigned_url("get_object", Params=about)
            got = self.http.request("GET", url)
            self.assertEqual((got.data, got.headers["content-type"]), (b"x", "a/b"))
            self.assertEqual(self.http.request("GET", url.replace("a%20b", "c")).status, 403)
            expired = client.generate_presigned_url("get_object", Params=about, ExpiresIn=-1)
            self.assertEqual(self.http.request("GET", expired).status, 403)
            url = client.generate_presigned_url("put_object", Params={"Bucket": self.bucket, "Key": "new"})
            self.assertEqual(self.http.request("PUT", url, body=b"y").status, 200)
            self.assertEqual(self.get("new")["Body"].read(), b"y")

    def test_forms(self):
        for version in ["s3", "s3v4"]:
            client = self.s3(signature_version=version)
            fields = {"success_action_status": "201", "acl": "public-read"}
            conditions = [*({name: value} for name, value in fields.items()), ["content-length-range", 1, 100], ["starts-with", "$key", "form/"]]
            form = client.generate_presigned_post(self.bucket, "form/${filename}", Fields=dict(fields), Conditions=conditions)
            post = lambda body, **more: self.http.request(
                "POST", form["url"], fields={**form["fields"], **more, "file": ("f.txt", body)}
            )
            done = post(b"body")
            self.assertEqual(done.status, 201, done.data)
            self.assertIn(b"<Key>form/f.txt</Key>", done.data)
            self.assertEqual(self.plain("GET", "/form/f.txt").data, b"body")
            self.assertIn(b"EntityTooLarge", post(b"x" * 101).data)
            self.assertIn(b"EntityTooSmall", post(b"").data)
            self.assertEqual(post(b"x", other="1").status, 403)
            self.assertEqual(post(b"x", acl="private").status, 403)
            name = "x-amz-signature" if version == "s3v4" else "signature"
            self.assertEqual(post(b"x", **{name: "0" * 64}).status, 403)
        bare = self.http.request("POST", f"{self.endpoint}/{self.bucket}", fields={"key": "k", "file": ("f", b"x")})
        self.assertEqual(bare.status, 403)

    def test_bad_heads(self):
        for head, status, code in [
            ({"Authorization": "AWS HAHAHA"}, 400, b"InvalidArgument"),
            ({"Authorization": ""}, 403, b"AccessDenied"),
            ({"Authorization": "AWS4-HMAC-SHA256 x"}, 400, b"AuthorizationHeaderMalformed"),
            ({"Authorization": "Bearer x"}, 400, b"InvalidArgument"),
        ]:
            answer = self.plain("GET", "/k", headers=head)
            self.assertEqual((answer.status, code in answer.data), (status, True), answer.data)
        self.assertEqual(self.plain("HEAD", "/k").data, b"")


if __name__ == "__main__":
    unittest.main()
