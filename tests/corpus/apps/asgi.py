# SPDX-License-Identifier: MIT
"""ASGI frameworks."""

import contextlib
import functools

from recorder import at, begin, uvicorn_serve


def logged(function):
    """A decorator as applications have them."""

    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


class Pure:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_headers(message):
            at("middleware")
            await send(message)

        if scope["type"] == "http":
            at("middleware")
        await self.app(scope, receive, send_with_headers)


def fastapi():
    begin("fastapi", "starlette", "uvicorn", "slowapi", "opentelemetry-instrumentation-fastapi")
    from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request
    from fastapi.responses import StreamingResponse
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from pydantic import BaseModel, field_validator
    from slowapi import Limiter
    from slowapi.util import get_remote_address

    @contextlib.asynccontextmanager
    async def lifespan(app):
        at("task")
        yield

    app = FastAPI(lifespan=lifespan)
    app.state.limiter = limiter = Limiter(key_func=get_remote_address)
    router = APIRouter()

    class Item(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def check(cls, value):
            at("route|dependency", "check")
            return value

    async def session():
        at("dependency")
        yield 1
        at("dependency")

    def settings():
        at("executor")

    class Auth:
        async def __call__(self, request: Request):
            at("dependency")

    async def mail():
        at("background")

    def report():
        at("executor")

    @router.get("/async")
    async def read(
        tasks: BackgroundTasks, a=Depends(session), b=Depends(settings), c=Depends(Auth())
    ):
        tasks.add_task(mail)
        tasks.add_task(report)
        at("route")

    @router.get("/sync")
    def read_sync():
        at("executor")

    @router.get("/limited")
    @limiter.limit("100/second")
    async def limited(request: Request):
        at("route")

    @router.get("/logged")
    @logged
    async def decorated():
        at("route")

    async def lines():
        at("route")
        yield "x"

    def rows():
        at("executor")
        yield "x"

    @router.get("/stream")
    async def stream():
        return StreamingResponse(lines())

    @router.get("/rows")
    async def stream_rows():
        return StreamingResponse(rows())

    @router.post("/item")
    async def item(item: Item):
        at("route")

    @app.middleware("http")
    async def timing(request, call_next):
        at("middleware")
        return await call_next(request)

    @app.exception_handler(KeyError)
    async def failed(request, error):
        at("middleware")
        return StreamingResponse(iter(["x"]))

    @router.get("/broken")
    async def broken():
        raise KeyError

    app.add_middleware(Pure)
    app.include_router(router)
    FastAPIInstrumentor.instrument_app(app)
    uvicorn_serve(
        app,
        "/async",
        "/sync",
        "/limited",
        "/logged",
        "/stream",
        "/rows",
        ("POST", "/item", '{"n": 1}'),
        "/broken",
    )


def starlette():
    begin("starlette", "uvicorn", "uvloop")
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.endpoints import HTTPEndpoint
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    async def mail():
        at("background")

    async def home(request):
        at("route")
        return PlainTextResponse("x" * 2000, background=BackgroundTask(mail))

    def home_sync(request):
        at("executor")
        return PlainTextResponse("x")

    class Endpoint(HTTPEndpoint):
        async def get(self, request):
            at("route")
            return PlainTextResponse("x")

    async def raw(scope, receive, send):
        at("route")
        await PlainTextResponse("x")(scope, receive, send)

    class Timing(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            at("middleware")
            return await call_next(request)

    uvicorn_serve(
        Starlette(
            routes=[
                Route("/", home),
                Route("/sync", home_sync),
                Route("/class", Endpoint),
                Mount("/raw", raw),
            ],
            middleware=[Middleware(Timing), Middleware(GZipMiddleware), Middleware(Pure)],
        ),
        "/",
        "/sync",
        "/class",
        "/raw/x",
        loop="uvloop",
    )


def litestar():
    begin("litestar", "uvicorn")
    from litestar import Litestar, Controller, get
    from litestar.background_tasks import BackgroundTask
    from litestar.di import Provide
    from litestar.response import Response

    async def session() -> int:
        at("dependency")
        return 1

    async def mail() -> None:
        at("background")

    @get("/", dependencies={"session": Provide(session)})
    async def home(session: int) -> Response:
        at("route")
        return Response("x", background=BackgroundTask(mail))

    @get("/sync", sync_to_thread=True)
    def home_sync() -> str:
        at("executor")
        return "x"

    @get("/direct", sync_to_thread=False)
    def direct() -> str:
        at("route")
        return "x"

    class Items(Controller):
        path = "/items"

        @get()
        async def items(self) -> str:
            at("route")
            return "x"

    @get("/broken")
    async def broken() -> str:
        raise KeyError

    def failed(request, error):
        at("middleware")
        return Response("x")

    async def before(request):
        at("middleware|route")

    async def after(response):
        at("middleware")
        return response

    async def startup(app):
        at("task")

    uvicorn_serve(
        Litestar(
            [home, home_sync, direct, Items, broken],
            before_request=before,
            after_request=after,
            on_startup=[startup],
            exception_handlers={KeyError: failed},
        ),
        "/",
        "/sync",
        "/direct",
        "/items",
        "/broken",
    )


def quart():
    begin("quart", "hypercorn")
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from quart import Quart
    import asyncio
    import recorder

    app = Quart(__name__)

    @app.before_request
    async def before():
        at("middleware")

    @app.after_request
    async def after(response):
        at("middleware")
        return response

    @app.before_serving
    async def startup():
        at("task")

    @app.get("/")
    async def home():
        at("route")
        app.add_background_task(mail)
        return "x"

    @app.get("/sync")
    def home_sync():
        at("executor")
        return "x"

    async def mail():
        at("task")

    @app.get("/broken")
    async def broken():
        raise KeyError

    @app.errorhandler(KeyError)
    async def failed(error):
        at("middleware")
        return "x"

    config = Config()
    port = recorder.free_port()
    config.bind = ["127.0.0.1:%d" % port]
    recorder.ask(port, "/", "/sync", "/broken", then=recorder.finish)
    asyncio.run(serve(app, config))


def blacksheep():
    begin("blacksheep", "uvicorn")
    from blacksheep import Application, get, text

    app = Application()

    @get("/")
    async def home():
        at("route")
        return text("x")

    @get("/sync")
    def home_sync():
        at("route")
        return text("x")

    @app.on_start
    async def startup(app):
        at("task")

    async def timing(request, handler):
        at("middleware")
        return await handler(request)

    app.middlewares.append(timing)
    uvicorn_serve(app, "/", "/sync")


def sanic():
    begin("sanic")
    import recorder
    from sanic import Sanic, response

    app = Sanic("shop")

    @app.get("/")
    async def home(request):
        at("route")
        request.app.add_task(mail())
        return response.text("x")

    @app.get("/sync")
    def home_sync(request):
        at("route")
        return response.text("x")

    async def mail():
        at("task")

    @app.on_request
    async def before(request):
        at("middleware")

    @app.on_response
    async def after(request, response):
        at("middleware")

    @app.before_server_start
    async def startup(app):
        at("task")

    @app.get("/broken")
    async def broken(request):
        raise KeyError

    @app.exception(KeyError)
    async def failed(request, error):
        at("middleware")
        return response.text("x")

    port = recorder.free_port()
    recorder.ask(port, "/", "/sync", "/broken", then=recorder.finish)
    app.run(port=port, single_process=True, access_log=False)


def granian():
    begin("granian")
    import recorder
    from granian.server.embed import Server
    import asyncio
    from granian.constants import Interfaces

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        at("route", "app")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    port = recorder.free_port()
    recorder.ask(port, "/", then=recorder.finish)
    asyncio.run(Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI).serve())


def strawberry():
    begin("strawberry-graphql", "fastapi")
    import strawberry as library
    from fastapi import FastAPI
    from strawberry.fastapi import GraphQLRouter

    @library.type
    class Query:
        @library.field
        async def price(self) -> int:
            at("route", "price")
            return 1

        @library.field
        def cost(self) -> int:
            at("route", "cost")
            return 1

    app = FastAPI()
    app.include_router(GraphQLRouter(library.Schema(Query)), prefix="/graphql")
    uvicorn_serve(app, ("POST", "/graphql", '{"query": "{ price cost }"}'))
