# SPDX-License-Identifier: MIT
"""Frameworks with loops and protocols of their own, and programs that run what users write."""

import asyncio
import threading
import time
import types

import recorder
from recorder import at, begin


def aiohttp():
    begin("aiohttp")
    from aiohttp import web

    async def home(request):
        at("route")
        return web.Response()

    class Items(web.View):
        async def get(self):
            at("route")
            return web.Response()

    @web.middleware
    async def timing_middleware(request, handler):
        at("middleware|route", "timing_middleware|at")
        return await handler(request)

    async def startup(app):
        at("task")

    async def signed(request, response):
        at("middleware", "signed")

    app = web.Application(middlewares=[timing_middleware])
    app.router.add_get("/", home)
    app.router.add_view("/items", Items)
    app.on_startup.append(startup)
    app.on_response_prepare.append(signed)
    port = recorder.free_port()
    recorder.ask(port, "/", "/items", then=recorder.finish)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


def tornado():
    begin("tornado")
    import tornado.ioloop
    import tornado.web
    import tornado.websocket

    class Home(tornado.web.RequestHandler):
        def prepare(self):
            at("route")

        async def get(self):
            at("route")
            self.write("x")

        def on_finish(self):
            at("route")

    class Sync(tornado.web.RequestHandler):
        def get(self):
            at("route")

    class Decorated(tornado.web.RequestHandler):
        @tornado.web.removeslash
        def get(self):
            at("route")

    def periodic():
        at("callback")

    def delayed():
        at("callback")

    async def main():
        port = recorder.free_port()
        tornado.web.Application([("/", Home), ("/sync", Sync), ("/decorated", Decorated)]).listen(
            port
        )
        tornado.ioloop.PeriodicCallback(periodic, 20).start()
        tornado.ioloop.IOLoop.current().call_later(0.05, delayed)
        recorder.ask(port, "/", "/sync", "/decorated", then=recorder.finish)
        await asyncio.Event().wait()

    asyncio.run(main())


def websockets():
    begin("websockets")
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve

    async def echo(socket):
        async for message in socket:
            at("route")

    async def main():
        port = recorder.free_port()
        async with serve(echo, "127.0.0.1", port):
            async with connect("ws://127.0.0.1:%d" % port) as client:
                await client.send("x")
            await asyncio.sleep(0.2)

    asyncio.run(main())
    recorder.finish()


def socketio():
    begin("python-socketio", "uvicorn")
    import socketio as library

    server = library.AsyncServer(async_mode="asgi")

    @server.event
    async def connect(sid, environ, auth):
        at("route")

    @server.on("sum")
    async def received(sid, data):
        at("route")

    app = library.ASGIApp(server)

    def client():
        import http.client

        for _ in range(100):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/socket.io/?EIO=4&transport=polling")
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        import json

        sid = json.loads(connection.getresponse().read()[1:])["sid"]
        where = "/socket.io/?EIO=4&transport=polling&sid=" + sid
        for body in "40", '42["sum",{}]':
            connection.request("POST", where, body)
            connection.getresponse().read()
            time.sleep(0.2)
        recorder.finish()

    port = recorder.free_port()
    threading.Thread(target=client).start()
    import uvicorn

    uvicorn.run(app, port=port, log_level="error")


def trio():
    begin("trio", "anyio")
    import trio as library

    async def child():
        at("task")

    def in_thread():
        at("executor")

    async def main():
        at("task")
        async with library.open_nursery() as nursery:
            nursery.start_soon(child)
        await library.to_thread.run_sync(in_thread)

    library.run(main)
    recorder.finish()


def anyio():
    begin("anyio")
    import anyio as library
    import anyio.from_thread

    async def child():
        at("task")

    async def called_back():
        at("task")

    def called_back_sync():
        at("task")

    def in_thread():
        at("executor")
        anyio.from_thread.run(called_back)
        anyio.from_thread.run_sync(called_back_sync)

    async def main():
        at("task")
        async with library.create_task_group() as group:
            group.start_soon(child)
        await library.to_thread.run_sync(in_thread)

    library.run(main)
    recorder.finish()


def grpc():
    begin("grpcio")
    import grpc as library
    from concurrent import futures

    class Handler(library.GenericRpcHandler):
        def service(self, details):
            return library.unary_unary_rpc_method_handler(method)

    def method(request, context):
        at("route")
        return b"x"

    async def async_method(request, context):
        at("route|task")
        return b"x"

    class AsyncHandler(library.GenericRpcHandler):
        def service(self, details):
            return library.unary_unary_rpc_method_handler(async_method)

    server = library.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with library.insecure_channel("127.0.0.1:%d" % port) as channel:
        channel.unary_unary("/shop/method")(b"x", timeout=10)
    server.stop(0)

    async def main():
        server = library.aio.server()
        server.add_generic_rpc_handlers([AsyncHandler()])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with library.aio.insecure_channel("127.0.0.1:%d" % port) as channel:
            await channel.unary_unary("/shop/method")(b"x", timeout=10)
        await server.stop(0)

    asyncio.run(main())
    recorder.finish()


def aiogram():
    begin("aiogram")
    from aiogram import Bot, Dispatcher, types

    dispatcher = Dispatcher()

    @dispatcher.message()
    async def answer(message):
        at("route")

    @dispatcher.message.middleware()
    async def timing(handler, event, data):
        at("middleware")
        return await handler(event, data)

    update = {
        "update_id": 1,
        "message": {
            "message_id": 1,
            "date": 1,
            "chat": {"id": 1, "type": "private"},
            "from": {"id": 1, "is_bot": False, "first_name": "x"},
            "text": "x",
        },
    }
    asyncio.run(dispatcher.feed_update(Bot("1:x"), types.Update(**update)))
    recorder.finish()


def streamlit():
    begin("streamlit")
    import os
    import streamlit.testing.v1

    here = os.path.dirname(os.path.abspath(__file__))
    streamlit.testing.v1.AppTest.from_file(os.path.join(here, "script.py")).run(timeout=20)
    recorder.finish()


def gradio():
    begin("gradio", "fastapi")
    import gradio as library
    from gradio_client import Client

    def answer(text):
        at("executor")
        return text

    async def answer_async(text):
        at("task")
        return text

    with library.Blocks() as app:
        box = library.Textbox()
        library.Button().click(answer, box, box, api_name="answer")
        library.Button().click(answer_async, box, box, api_name="answer_async")
    port = recorder.free_port()
    app.launch(prevent_thread_lock=True, quiet=True, server_port=port)
    client = Client("http://127.0.0.1:%d" % port, verbose=False)
    client.predict("x", api_name="/answer")
    client.predict("x", api_name="/answer_async")
    recorder.finish()


def dash():
    begin("dash", "flask")
    import dash as library
    import apps.wsgi

    app = library.Dash("shop")
    app.layout = library.html.Div([library.dcc.Input(id="a"), library.html.Div(id="b")])

    @app.callback(library.Output("b", "children"), library.Input("a", "value"))
    def update(value):
        at("route")
        return "x"

    body = (
        '{"output": "b.children", "outputs": {"id": "b", "property": "children"}, '
        '"inputs": [{"id": "a", "property": "value", "value": "x"}], '
        '"changedPropIds": ["a.value"]}'
    )
    apps.wsgi.waitress_serve(app.server, ("POST", "/_dash-update-component", body))


def nicegui():
    begin("nicegui")
    from nicegui import app, ui

    @ui.page("/")
    def page():
        at("route")
        ui.timer(0.1, tick, immediate=True)

    def tick():
        at("task")

    @app.get("/api")
    async def api():
        at("route")
        return "x"

    @app.on_startup
    async def startup():
        at("task")

    port = recorder.free_port()
    recorder.ask(port, "/", "/api", then=recorder.finish)
    ui.run(port=port, reload=False, show=False, show_welcome_message=False)


def scrapy():
    begin("scrapy")
    import scrapy as library
    from scrapy.crawler import CrawlerProcess

    class Spider(library.Spider):
        name = "shop"

        async def start(self):
            at("callback", "start")
            yield library.Request("data:,x", callback=self.parse)

        def parse(self, response):
            at("callback", "parse")
            yield {"n": 1}

    class Pipeline:
        def process_item(self, item):
            at("callback")
            return item

    process = CrawlerProcess(
        {"LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False, "ITEM_PIPELINES": {Pipeline: 1}}
    )
    process.crawl(Spider)
    process.start()
    recorder.finish()


def jupyter():
    begin("jupyter-server", "tornado")
    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.serverapp import ServerApp
    from tornado.web import authenticated

    class Items(JupyterHandler):
        @authenticated
        async def get(self):
            at("route")
            self.finish("x")

    port = recorder.free_port()
    app = ServerApp(
        port=port, open_browser=False, token="", password="", allow_root=True, log_level=50
    )
    app.initialize(argv=[])
    app.web_app.add_handlers(".*", [("/items", Items)])
    recorder.ask(port, "/items", then=recorder.finish)
    app.start()


def datasette():
    begin("datasette")
    from datasette import hookimpl
    from datasette.app import Datasette
    from datasette.plugins import pm
    from datasette.utils.asgi import Response

    async def items(request):
        at("route")
        return Response.text("x")

    @hookimpl
    def register_routes():
        return [("^/items$", items)]

    plugin = types.ModuleType("shop")
    plugin.register_routes = register_routes
    pm.register(plugin, name="shop")
    recorder.uvicorn_serve(Datasette([], memory=True).app(), "/items")
