# SPDX-License-Identifier: MIT
"""What does work for others: task queues and schedulers."""

import asyncio
import os
import threading
import time

import recorder
from recorder import at, begin


def celery():
    begin("celery")
    import celery as library

    app = library.Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.worker_hijack_root_logger = False

    @app.task
    def convert():
        at("background")
        return 1

    @app.task(bind=True)
    def bound(self):
        at("background")
        return 1

    class Custom(library.Task):
        name = "custom"

        def run(self):
            at("background")

        def on_success(self, *args):
            at("callback|background")

    app.register_task(Custom())

    @library.signals.task_prerun.connect
    def before(*args, **kwargs):
        at("callback")

    from celery.contrib.testing.worker import start_worker

    with start_worker(app, pool="threads", perform_ping_check=False, shutdown_timeout=5):
        for task in convert, bound, app.tasks["custom"]:
            task.delay().get(timeout=10, disable_sync_subtasks=False)
    recorder.finish()


def dramatiq():
    begin("dramatiq")
    import dramatiq as library
    from dramatiq.brokers.stub import StubBroker

    broker = StubBroker()
    library.set_broker(broker)

    class Timing(library.Middleware):
        def before_process_message(self, broker, message):
            at("callback")

    broker.add_middleware(Timing())

    @library.actor
    def convert():
        at("background")

    worker = library.Worker(broker, worker_timeout=100)
    worker.start()
    convert.send()
    broker.join(convert.queue_name)
    worker.join()
    recorder.finish()


def rq_job():
    at("background")


def rq():
    begin("rq", "fakeredis")
    import fakeredis
    import rq as library

    connection = fakeredis.FakeStrictRedis()
    queue = library.Queue(connection=connection)
    queue.enqueue("apps.queues.rq_job")
    library.SimpleWorker([queue], connection=connection).work(burst=True)
    recorder.finish()


def huey():
    begin("huey")
    from huey import MemoryHuey

    queue = MemoryHuey()

    @queue.task()
    def convert():
        at("background")

    @queue.pre_execute()
    def before(task):
        at("callback")

    convert()
    consumer = queue.create_consumer(workers=1)
    consumer.start()
    time.sleep(1)
    recorder.finish()


async def arq_job(context):
    at("background|task")


def arq():
    begin("arq", "fakeredis")
    from arq.connections import ArqRedis
    from arq.worker import Worker
    import arq.worker
    import fakeredis

    async def nothing(*args):
        pass

    arq.worker.log_redis_info = nothing  # the imitation has no INFO

    async def main():
        server = fakeredis.FakeServer()
        pool = ArqRedis(connection_pool=fakeredis.FakeAsyncRedis(server=server).connection_pool)
        await pool.enqueue_job("arq_job")
        worker = Worker(
            [arq_job], redis_pool=pool, burst=True, handle_signals=False, poll_delay=0.1
        )
        await worker.main()

    asyncio.run(main())
    recorder.finish()


def taskiq():
    begin("taskiq")
    from taskiq import InMemoryBroker

    broker = InMemoryBroker()

    @broker.task
    async def convert():
        at("background")

    @broker.task
    def convert_sync():
        at("executor")

    async def main():
        await broker.startup()
        await (await convert.kiq()).wait_result()
        await (await convert_sync.kiq()).wait_result()

    asyncio.run(main())
    recorder.finish()


def apscheduler():
    begin("apscheduler")
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.schedulers.background import BackgroundScheduler

    def job():
        at("background")

    async def async_job():
        at("background")

    scheduler = BackgroundScheduler()
    scheduler.start()
    scheduler.add_job(job)
    time.sleep(0.5)

    async def main():
        scheduler = AsyncIOScheduler()
        scheduler.start()
        scheduler.add_job(async_job)
        await asyncio.sleep(0.5)

    asyncio.run(main())
    recorder.finish()
