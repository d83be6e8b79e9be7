# SPDX-License-Identifier: MIT
"""Flask, Django and aiohttp, and WSGI servers."""

import asyncio
import http.client
import os
import signal
import socket
import sys
import threading
import time

import recorder
from recorder import here, helper


def flask_app():
    import flask
    import flask.views

    app = flask.Flask("app")

    @app.before_request
    def before():
        helper("middleware", "before")

    @app.after_request
    def after(response):
        helper("middleware", "after")
        return response

    @app.teardown_request
    def teardown(error):
        helper("middleware", "teardown")

    @app.errorhandler(ValueError)
    def handle_error(error):
        helper("middleware", "handle_error")
        return ""

    @app.errorhandler(404)
    def handle_missing(error):
        helper("middleware", "handle_missing")
        return ""

    @app.errorhandler(500)
    def handle_broken(error):
        helper("middleware", "handle_broken")
        return ""

    @app.route("/broken")
    def broken():
        raise RuntimeError

    @app.route("/view")
    def view():
        helper("route", "view")
        return ""

    @app.route("/async")
    async def async_view():
        helper("task", "async_view")
        return ""

    @app.route("/failing")
    def failing():
        raise ValueError

    class Methods(flask.views.MethodView):
        def get(self):
            helper("route", "get", "class_view")
            return ""

    app.add_url_rule("/class", view_func=Methods.as_view("methods"))
    app.wsgi_app = WSGIWrapper(app.wsgi_app)
    return app


class WSGIWrapper:
    """A middleware below the framework."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


FLASK_REQUESTS = "/view", "/failing", "/missing", "/broken", "/class", "/async"


def django_views():
    from django.http import HttpResponse
    from django.urls import path as url
    from django.utils.decorators import method_decorator
    from django.views import View
    from django.views.decorators.cache import never_cache

    async def async_view(request):
        helper("route" if recorder.suite == "django-asgi" else "task", "async_view")
        return HttpResponse("")

    @never_cache
    def sync_view(request):
        helper("executor" if recorder.suite == "django-asgi" else "route", "sync_view")
        return HttpResponse("")

    class ClassView(View):
        @method_decorator(never_cache)
        def get(self, request):
            helper("executor" if recorder.suite == "django-asgi" else "route", "get", "class_view")
            return HttpResponse("")

    class AsyncClassView(View):
        async def get(self, request):
            helper(
                "route" if recorder.suite == "django-asgi" else "task", "get", "async_class_view"
            )
            return HttpResponse("")

    return [
        url("async", async_view),
        url("sync", sync_view),
        url("class", ClassView.as_view()),
        url("async-class", AsyncClassView.as_view()),
    ]


DJANGO_REQUESTS = "/async", "/sync", "/class", "/async-class"


def django_sync_middleware(get_response):
    def middleware(request):
        helper("middleware", "middleware", "sync_middleware")
        return get_response(request)

    return middleware


def django_setup():
    import types
    from django.conf import settings
    from django.utils.decorators import sync_and_async_middleware
    from django.utils.deprecation import MiddlewareMixin

    @sync_and_async_middleware
    def both(get_response):
        if not asyncio.iscoroutinefunction(get_response):
            return get_response

        async def middleware(request):
            helper("middleware", "middleware", "async_middleware")
            return await get_response(request)

        return middleware

    class Mixed(MiddlewareMixin):
        def process_request(self, request):
            helper("middleware", "process_request")

    module = types.ModuleType("django_app")
    module.both, module.Mixed, module.sync, module.urlpatterns = (
        both,
        Mixed,
        django_sync_middleware,
        [],
    )
    sys.modules["django_app"] = module
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="django_app",
        SECRET_KEY="x",
        LOGGING_CONFIG=None,
        MIDDLEWARE=["django_app.both", "django_app.Mixed", "django_app.sync", "django_app.both"],
    )
    import django

    django.setup()
    module.urlpatterns += django_views()


def aiohttp_app(*middlewares):
    from aiohttp import web

    async def handler(request):
        helper("route", "handler")
        return web.Response()

    class ClassView(web.View):
        async def get(self):
            helper("route", "get", "class_view")
            return web.Response()

    async def startup(app):
        helper("task", "startup")

    app = web.Application(middlewares=middlewares)
    app.router.add_get("/handler", handler)
    app.router.add_view("/class", ClassView)
    app.on_startup.append(startup)
    return app


def aiohttp_middlewares():
    from aiohttp import web

    @web.middleware
    async def first_middleware(request, handler):
        return await handler(request)

    @web.middleware
    async def second_middleware(request, handler):
        here("middleware")
        return await handler(request)

    return first_middleware, second_middleware


async def aiohttp_serve(app):
    from aiohttp import web

    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    await asyncio.get_running_loop().run_in_executor(
        None, ask, sock.getsockname(), ("/handler", "/class")
    )
    await runner.cleanup()


def ask(address, requests):
    for request in requests:
        connection = http.client.HTTPConnection(*address, timeout=20)
        connection.request("GET", request)
        connection.getresponse().read()
        connection.close()


def gunicorn_serve(app, requests, **options):
    """The worker is a child that writes what it finds to our output; it goes on counting
    functions in a range of its own."""
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):
        def load_config(self):
            for key, value in options.items():
                self.cfg.set(key, value)

        def load(self):
            return app

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    address = sock.getsockname()
    sock.close()
    options.update(bind="%s:%d" % address, loglevel="critical", workers=1)
    pid = os.fork()
    if not pid:
        Application().run()
        os._exit(0)
    for _ in range(100):
        try:
            ask(address, requests)
            break
        except OSError:
            time.sleep(0.1)
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    recorder.functions.clear()  # the child's are unknown here


def wsgiref_serve(app, requests):
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args):
            pass

    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=ask, args=(server.server_address, requests))
    thread.start()
    for _ in requests:
        server.handle_request()
    thread.join()
    server.server_close()
