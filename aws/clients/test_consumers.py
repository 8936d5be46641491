"""Workers that take their tasks from SQS: Celery, Dramatiq."""

import logging
import queue
import threading
import time
import unittest

import dramatiq
from celery import Celery
from celery.contrib.testing.worker import start_worker
from dramatiq_sqs import SQSBroker
from server import PATIENCE, ServerTest


class CeleryTest(ServerTest):
    """Its transport, Kombu, polls by an event loop of its own, and by curl."""

    def app(self, **options):
        host = self.endpoint.removeprefix("http://")
        app = Celery("tasks", broker=f"sqs://test:test@{host}", set_as_current=False)
        options = {"is_secure": False, "region": "us-east-1", "wait_time_seconds": 1, "polling_interval": 0.1, **options}
        app.conf.update(broker_transport_options=options, task_default_queue="celery", worker_prefetch_multiplier=1)
        app.conf.update(broker_connection_retry_on_startup=False, task_acks_late=True)
        return app

    def test_tasks_are_done_and_deleted(self):
        app, done = self.app(), queue.Queue()

        @app.task(name="double")
        def double(number):
            done.put(2 * number)

        @app.task(name="again", bind=True, max_retries=2)
        def again(task):
            if task.request.retries < 2:
                raise task.retry(countdown=0)
            done.put(f"tried {task.request.retries + 1} times")

        for number in range(20):
            double.delay(number)
        again.delay()
        with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=PATIENCE):
            results = {done.get(timeout=PATIENCE) for _ in range(21)}
        self.assertEqual(results, {*range(0, 40, 2), "tried 3 times"})
        self.assert_empty("celery")

    def test_routes_and_delays(self):
        app, done = self.app(queue_name_prefix="prefix-"), queue.Queue()
        app.conf.task_routes = {"mail": {"queue": "mail"}}

        @app.task(name="mail")
        def mail(text):
            done.put((text, time.time()))

        due = time.time() + 1
        mail.apply_async(["later"], countdown=1)
        mail.delay("now")
        with start_worker(app, pool="solo", queues=["mail"], perform_ping_check=False, shutdown_timeout=PATIENCE):
            found = dict(done.get(timeout=PATIENCE) for _ in range(2))
        self.assertEqual(set(found), {"now", "later"})
        self.assertGreaterEqual(found["later"], due)
        self.assert_empty("prefix-mail")

    def assert_empty(self, name):
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        self.assertEqual(set(counts.values()), {"0"}, counts)


class DramatiqTest(ServerTest):
    def test_actors(self):
        # It logs what fails, which is what is tried.
        logging.disable()
        self.addCleanup(logging.disable, logging.NOTSET)
        broker = SQSBroker(namespace="app", middleware=[], dead_letter=True, **self.where())
        broker.add_middleware(dramatiq.middleware.Retries(min_backoff=1, max_backoff=1))
        done, lock, seen = queue.Queue(), threading.Lock(), []

        @dramatiq.actor(broker=broker, queue_name="work", max_retries=3)
        def work(number):
            with lock:
                seen.append(number)
                is_first = seen.count(number) == 1
            if is_first and number % 5 == 0:
                raise ValueError("not yet")
            done.put(number)

        for number in range(15):
            work.send(number)
        worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=4)
        worker.start()
        try:
            self.assertEqual({done.get(timeout=PATIENCE) for _ in range(15)}, set(range(15)))
        finally:
            worker.stop(timeout=1000 * PATIENCE)
        self.assertEqual(len(seen), 18)
        urls = self.client("sqs").list_queues(QueueNamePrefix="app_")["QueueUrls"]
        self.assertEqual([url.rsplit("/", 1)[1] for url in urls][:2], ["app_work", "app_work_dlq"])


if __name__ == "__main__":
    unittest.main()
