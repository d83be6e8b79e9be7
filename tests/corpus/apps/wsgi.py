# SPDX-License-Identifier: MIT
"""WSGI frameworks and servers, and Django."""

import os
import signal
import sys
import threading
import time
import types

import recorder
from recorder import at, begin


def waitress_serve(app, *paths):
    import waitress

    port = recorder.free_port()
    recorder.ask(port, *paths, then=recorder.finish)
    waitress.serve(app, listen="127.0.0.1:%d" % port, threads=2)


def flask():
    begin("flask", "flask-caching", "flask-login", "waitress")
    import click
    import flask as library
    import flask.views
    from flask_caching import Cache

    app = library.Flask("app")
    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})

    @app.before_request
    def before():
        at("middleware")

    @app.after_request
    def after(response):
        at("middleware")
        return response

    @app.teardown_request
    def teardown(error):
        at("middleware")

    @app.context_processor
    def context():
        at("route", "templated")
        return {}

    @app.route("/")
    def home():
        at("route")
        return "x"

    @app.route("/cached")
    @cache.cached(1)
    def cached():
        at("route")
        return "x"

    @app.route("/template")
    def templated():
        return library.render_template_string("{{ f() }}", f=filled)

    def filled():
        at("route", "templated")
        return "x"

    @app.route("/async")
    async def home_async():
        at("task")
        return "x"

    class Items(flask.views.MethodView):
        def get(self):
            at("route")
            return "x"

    @app.errorhandler(KeyError)
    def failed(error):
        at("middleware")
        return "x"

    @app.route("/broken")
    def broken():
        raise KeyError

    @app.cli.command("work")
    @click.argument("n")
    def work(n):
        at("command")

    app.add_url_rule("/items", view_func=Items.as_view("items"))
    app.test_cli_runner().invoke(args=["work", "1"])
    waitress_serve(app, "/", "/cached", "/template", "/items", "/broken", "/async")


def flask_restx():
    begin("flask-restx", "flask", "gunicorn")
    import flask as library
    from flask_restx import Api, Resource

    app = library.Flask("app")
    api = Api(app)

    @api.route("/items")
    class Items(Resource):
        def get(self):
            at("route")
            return "x"

    gunicorn_serve(app, "gthread", "/items")


def gunicorn_serve(app, kind, *paths):
    from gunicorn.app.base import BaseApplication

    port = recorder.free_port()

    class Application(BaseApplication):
        def load_config(self):
            for key, value in {
                "bind": "127.0.0.1:%d" % port,
                "worker_class": kind,
                "threads": 2,
                "loglevel": "critical",
            }.items():
                self.cfg.set(key, value)

        def load(self):
            return app

    pid = os.fork()
    if not pid:
        Application().run()
        os._exit(0)
    recorder.ask(port, *paths).join()
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def gunicorn():
    begin("gunicorn", "gevent")

    def app(environ, start_response):
        at("route")
        start_response("200 OK", [])
        return lines()

    def lines():
        at("route", "lines")
        yield b"x"

    for kind in "sync", "gthread", "gevent":
        gunicorn_serve(app, kind, "/")


def bottle():
    begin("bottle", "waitress")
    import bottle as library

    app = library.Bottle()

    @app.route("/")
    def home():
        at("route")
        return "x"

    @app.route("/broken")
    def broken():
        library.abort(401)

    @app.error(401)
    def failed(error):
        at("middleware")
        return "x"

    @app.hook("before_request")
    def before():
        at("middleware")

    waitress_serve(app, "/", "/broken")


def falcon():
    begin("falcon", "waitress", "uvicorn")
    import falcon as library
    import falcon.asgi

    class Items:
        def on_get(self, request, response):
            at("route")

    class AsyncItems:
        async def on_get(self, request, response):
            at("route")

    class Timing:
        def process_request(self, request, response):
            at("middleware|route")

        def process_response(self, request, response, resource, ok):
            at("middleware|route")

    class AsyncTiming:
        async def process_request(self, request, response):
            at("middleware|route")

        async def process_response(self, request, response, resource, ok):
            at("middleware|route")

    def hook(request, response, resource, params):
        at("middleware|route", "hook")

    @library.before(hook)
    class Hooked:
        def on_get(self, request, response):
            at("route")

    app = library.App(middleware=[Timing()])
    app.add_route("/items", Items())
    app.add_route("/hooked", Hooked())
    asynchronous = falcon.asgi.App(middleware=[AsyncTiming()])
    asynchronous.add_route("/items", AsyncItems())
    pid = os.fork()
    if not pid:
        waitress_serve(app, "/items", "/hooked")
    os.waitpid(pid, 0)
    begin("falcon", "waitress", "uvicorn")
    recorder.uvicorn_serve(asynchronous, "/items")


def pyramid():
    begin("pyramid", "waitress")
    from pyramid.config import Configurator
    from pyramid.response import Response

    def home(request):
        at("route")
        return Response("x")

    class Items:
        def __init__(self, request):
            pass

        def items(self):
            at("route")
            return Response("x")

    def failed(error, request):
        at("route")
        return Response("x")

    def broken(request):
        raise KeyError

    def tween_factory(handler, registry):
        def tween(request):
            at("middleware")
            return handler(request)

        return tween

    sys.modules["shop_tweens"] = types.ModuleType("shop_tweens")
    sys.modules["shop_tweens"].factory = tween_factory
    with Configurator() as config:
        config.add_tween("shop_tweens.factory")
        config.add_route("home", "/")
        config.add_view(home, route_name="home")
        config.add_route("items", "/items")
        config.add_view(Items, attr="items", route_name="items")
        config.add_route("broken", "/broken")
        config.add_view(broken, route_name="broken")
        config.add_exception_view(failed, context=KeyError)
        app = config.make_wsgi_app()
    waitress_serve(app, "/", "/items", "/broken")


def cherrypy():
    begin("cherrypy")
    import cherrypy as library

    class Root:
        @library.expose
        def index(self):
            at("route")
            return "x"

    def before():
        at("middleware")

    library.tools.shop = library.Tool("before_handler", before)
    port = recorder.free_port()
    library.config.update({"server.socket_port": port, "tools.shop.on": True, "log.screen": False})
    recorder.ask(port, "/", then=recorder.finish)
    library.quickstart(Root())


def django_configure():
    from django.conf import settings

    def tween(get_response):
        def timing(request):
            at("middleware")
            return get_response(request)

        return timing

    module = types.ModuleType("shop_urls")
    module.timing = tween
    module.urlpatterns = []
    sys.modules["shop_urls"] = module
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="shop_urls",
        SECRET_KEY="x",
        LOGGING_CONFIG=None,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        MIDDLEWARE=["shop_urls.timing"],
    )
    import django as library

    library.setup()
    return module


def django_urls():
    import rest_framework.decorators
    import rest_framework.response
    import rest_framework.serializers
    import rest_framework.views
    from django.http import HttpResponse, StreamingHttpResponse
    from django.urls import path
    from django.views import View
    from django.views.decorators.cache import never_cache
    from ninja import NinjaAPI

    def home(request):
        at("route")
        return HttpResponse("x")

    @never_cache
    def decorated(request):
        at("route")
        return HttpResponse("x")

    class Items(View):
        def get(self, request):
            at("route")
            return HttpResponse("x")

    class Numbers(rest_framework.serializers.Serializer):
        n = rest_framework.serializers.SerializerMethodField()

        def get_n(self, value):
            at("route", "get")
            return 1

    class ApiItems(rest_framework.views.APIView):
        def get(self, request):
            at("route")
            return rest_framework.response.Response(Numbers({}).data)

    @rest_framework.decorators.api_view()
    def api_function(request):
        at("route")
        return rest_framework.response.Response({})

    def lines():
        at("route")
        yield "x"

    def stream(request):
        return StreamingHttpResponse(lines())

    api = NinjaAPI()

    @api.get("/items")
    def ninja_items(request):
        at("route")
        return {}

    return [
        path("", home),
        path("decorated", decorated),
        path("items", Items.as_view()),
        path("api", ApiItems.as_view()),
        path("api-function", api_function),
        path("ninja/", api.urls),
        path("stream", stream),
    ]


def django():
    begin("django", "djangorestframework", "django-ninja", "waitress")
    module = django_configure()
    from django.core.management import call_command
    from django.core.management.base import BaseCommand
    from django.core.wsgi import get_wsgi_application
    from django.dispatch import Signal

    class Command(BaseCommand):
        def handle(self, *args, **options):
            at("command")

    module.urlpatterns += django_urls()
    call_command(Command())
    waitress_serve(
        get_wsgi_application(),
        "/",
        "/decorated",
        "/items",
        "/api",
        "/api-function",
        "/ninja/items",
        "/stream",
    )


def django_asgi():
    begin("django", "uvicorn", "asgiref")
    module = django_configure()
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path

    async def home(request):
        at("route")
        return HttpResponse("x")

    def home_sync(request):
        at("executor")
        return HttpResponse("x")

    from django.conf import settings

    settings.MIDDLEWARE = []
    module.urlpatterns += [path("", home), path("sync", home_sync)]
    recorder.uvicorn_serve(get_asgi_application(), "/", "/sync")
