"""A mapper of objects to items: PynamoDB."""

import unittest
from datetime import datetime, timezone

from pynamodb.attributes import (
    JSONAttribute, ListAttribute, MapAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute, UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError, UpdateError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite
from server import ServerTest


class ByAuthor(GlobalSecondaryIndex):
    class Meta:
        index_name = "by-author"
        projection = AllProjection()

    author = UnicodeAttribute(hash_key=True)
    votes = NumberAttribute(range_key=True)


class Place(MapAttribute):
    city = UnicodeAttribute()
    floor = NumberAttribute(default=0)


class Post(Model):
    class Meta:
        table_name = "posts"
        billing_mode = "PAY_PER_REQUEST"
        region = "us-east-1"
        aws_access_key_id = "test"
        aws_secret_access_key = "test"

    forum = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    author = UnicodeAttribute()
    votes = NumberAttribute(default=0)
    tags = UnicodeSetAttribute(null=True)
    place = Place(null=True)
    history = ListAttribute(default=list)
    extra = JSONAttribute(null=True)
    written = UTCDateTimeAttribute(null=True)
    version = VersionAttribute()
    by_author = ByAuthor()


class Pynamo(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Post.Meta.host = cls.endpoint

    def setUp(self):
        Post.create_table(wait=True)
        self.addCleanup(Post.delete_table)

    def test_items(self):
        written = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
        post = Post("db", 1, author="ann", tags={"a", "b"}, place=Place(city="Ulm"), extra={"x": [1, None]}, written=written)
        post.history = [{"at": 1}, "two"]
        post.save()
        found = Post.get("db", 1, consistent_read=True)
        self.assertEqual(found.to_dynamodb_dict(), post.to_dynamodb_dict())
        self.assertEqual((found.version, found.place.floor, found.written), (1, 0, written))
        with self.assertRaises(DoesNotExist):
            Post.get("db", 2)
        found.update(actions=[Post.votes.add(1), Post.history.set(Post.history.append(["three"])), Post.tags.delete({"a"})])
        self.assertEqual((found.votes, found.tags, len(found.history), found.version), (1, {"b"}, 3, 2))
        with self.assertRaises(PutError) as caught:
            post.save()
        self.assertEqual(caught.exception.cause_response_code, "ConditionalCheckFailedException")
        with self.assertRaises(UpdateError):
            found.update(actions=[Post.votes.set(9)], condition=Post.votes > 5)
        found.delete()
        self.assertEqual(Post.count("db"), 0)

    def test_searches(self):
        with Post.batch_write() as batch:
            for number in range(60):
                batch.save(Post("db" if number % 2 else "net", number, author="ann" if number % 3 else "bob", votes=number))
        found = Post.query("db", Post.number.between(10, 20), scan_index_forward=False)
        self.assertEqual([post.number for post in found], [19, 17, 15, 13, 11])
        found = list(Post.query("db", filter_condition=Post.votes.is_in(1, 3, 4), page_size=4))
        self.assertEqual([post.number for post in found], [1, 3])
        found = list(Post.by_author.query("bob", ByAuthor.votes > 50, attributes_to_get=["number"]))
        self.assertEqual([post.number for post in found], [51, 54, 57])
        self.assertEqual(sum(1 for _ in Post.scan(page_size=7)), 60)
        parts = [list(Post.scan(segment=part, total_segments=3)) for part in range(3)]
        self.assertEqual(sorted(post.number for part in parts for post in part), list(range(60)))
        keys = [("db", 1), ("net", 2), ("db", 2)]
        self.assertEqual(sorted(post.number for post in Post.batch_get(keys)), [1, 2])
        page = Post.query("db", limit=5, page_size=5)
        first = [post.number for post in page]
        rest = Post.query("db", last_evaluated_key=page.last_evaluated_key, limit=2)
        self.assertEqual((first, [post.number for post in rest]), ([1, 3, 5, 7, 9], [11, 13]))

    def test_transactions(self):
        connection = Connection(host=self.endpoint, region="us-east-1")
        connection.session.set_credentials("test", "test")
        with TransactWrite(connection=connection) as write:
            write.save(Post("db", 1, author="ann"))
            write.save(Post("db", 2, author="bob"))
        with self.assertRaises(TransactWriteError) as caught:
            with TransactWrite(connection=connection) as write:
                write.condition_check(Post, "db", 1, condition=Post.author == "nobody")
                write.delete(Post("db", 2, author="bob"), add_version_condition=False)
        reasons = caught.exception.cancellation_reasons
        self.assertEqual([reason and reason.code for reason in reasons], ["ConditionalCheckFailed", None])
        with TransactGet(connection=connection) as get:
            futures = [get.get(Post, "db", number) for number in (1, 2)]
        self.assertEqual([future.get().author for future in futures], ["ann", "bob"])


if __name__ == "__main__":
    unittest.main()
