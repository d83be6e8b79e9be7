# SPDX-License-Identifier: MIT
"""Starlette, FastAPI and bare applications under uvicorn."""

import contextlib
import http.client
import socket
import threading

from recorder import here, helper


def serve(app, loop, *requests, **config):
    """Runs the application in this thread until the requests are answered."""
    import uvicorn

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    server = uvicorn.Server(uvicorn.Config(app, loop=loop, log_level="error", **config))

    def ask():
        for request in requests:
            connection = http.client.HTTPConnection(*sock.getsockname(), timeout=20)
            websocket = {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Key": "MDEyMzQ1Njc4OTAxMjM0NQ==",
                "Sec-WebSocket-Version": "13",
            }
            connection.request(
                "GET", request, headers=websocket if request.startswith("/websocket") else {}
            )
            connection.getresponse().read(1 if request.startswith("/websocket") else None)
            connection.close()
        server.should_exit = True

    thread = threading.Thread(target=ask)
    thread.start()
    server.run([sock])
    thread.join()
    sock.close()


class PureMiddleware:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            helper("middleware", "__call__", "pure_middleware")
        await self.app(scope, receive, send)


class OuterMiddleware(PureMiddleware):
    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


def wsgi_mount():
    """Starlette's own adapter, where it still has one."""
    from starlette.routing import Mount

    try:
        from starlette.middleware.wsgi import WSGIMiddleware
    except ImportError:
        return []
    return [Mount("/wsgi", WSGIMiddleware(bare_wsgi))]


def starlette_app():
    from starlette.applications import Starlette
    from starlette.authentication import requires
    from starlette.background import BackgroundTask
    from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Mount, Route, WebSocketRoute

    async def background():
        helper("background", "background")

    def sync_background():
        here("executor")

    async def async_route(request):
        helper("route", "async_route")
        return PlainTextResponse("", background=BackgroundTask(background))

    def sync_route(request):
        helper("executor", "sync_route")
        return PlainTextResponse("", background=BackgroundTask(sync_background))

    @requires([])
    async def decorated_route(request):
        helper("route", "decorated_route")
        return PlainTextResponse("")

    class Endpoint(HTTPEndpoint):
        async def get(self, request):
            helper("route", "get", "endpoint")
            return PlainTextResponse("")

    async def stream():
        yield helper("route", "stream") or b"x"

    async def stream_route(request):
        return StreamingResponse(stream())

    async def failing(request):
        raise ValueError

    async def handle_error(request, error):
        helper("middleware", "handle_error")
        return PlainTextResponse("")

    async def websocket_route(websocket):
        await websocket.accept()
        helper("route", "websocket_route")
        await websocket.send_text("x")
        await websocket.close()

    class SocketEndpoint(WebSocketEndpoint):
        async def on_connect(self, websocket):
            await websocket.accept()
            helper("route", "on_connect")
            await websocket.close()

    async def raw(scope, receive, send):
        helper("route", "raw")
        await PlainTextResponse("")(scope, receive, send)

    class Dispatched(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            helper("middleware", "dispatch")
            response = await call_next(request)
            here("middleware", case="dispatch_after")
            return response

    @contextlib.asynccontextmanager
    async def lifespan(app):
        helper("task", "lifespan")
        yield
        helper("task", "lifespan", "lifespan_end")

    return Starlette(
        routes=[
            Route("/async", async_route),
            Route("/sync", sync_route),
            Route("/decorated", decorated_route),
            Route("/class", Endpoint),
            Route("/stream", stream_route),
            Route("/failing", failing),
            Mount("/raw", raw),
            WebSocketRoute("/websocket", websocket_route),
            WebSocketRoute("/websocket-class", SocketEndpoint),
            *wsgi_mount(),
        ],
        middleware=[
            Middleware(OuterMiddleware),
            Middleware(PureMiddleware),
            Middleware(Dispatched),
            Middleware(PureMiddleware),
        ],
        exception_handlers={ValueError: handle_error},
        lifespan=lifespan,
    )


STARLETTE_REQUESTS = (
    "/async",
    "/sync",
    "/decorated",
    "/class",
    "/stream",
    "/failing",
    "/raw/x",
    "/websocket",
    "/websocket-class",
    "/wsgi/x",
)
FASTAPI_REQUESTS = "/async", "/sync", "/failing", "/broken", "/websocket"


def fastapi_app():
    from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
    from fastapi.responses import PlainTextResponse

    app = FastAPI(dependencies=[])
    app.add_middleware(PureMiddleware)
    app.add_middleware(OuterMiddleware)

    async def async_dependency():
        helper("dependency", "async_dependency")

    def sync_dependency():
        helper("executor", "sync_dependency")

    async def yielding():
        helper("dependency", "yielding")
        yield
        helper("dependency", "yielding", "yielding_end")

    def sync_yielding():
        helper("executor", "sync_yielding")
        yield
        helper("executor", "sync_yielding", "sync_yielding_end")

    class Callable:
        async def __call__(self):
            helper("dependency", "__call__", "callable_dependency")

    async def nested_dependency(x=Depends(async_dependency)):
        here("dependency")

    def sync_background():
        helper("executor", "sync_background")

    async def background():
        helper("background", "background")

    @app.get("/async")
    async def async_route(
        tasks: BackgroundTasks,
        a=Depends(nested_dependency),
        b=Depends(sync_dependency),
        c=Depends(yielding),
        d=Depends(sync_yielding),
        e=Depends(Callable()),
    ):
        tasks.add_task(background)
        tasks.add_task(sync_background)
        helper("route", "async_route")
        await async_helper()

    async def async_helper():
        here("route", "async_route")

    @app.get("/sync")
    def sync_route(x=Depends(async_dependency)):
        helper("executor", "sync_route")

    @app.websocket("/websocket")
    async def websocket_route(websocket: WebSocket, x=Depends(async_dependency)):
        await websocket.accept()
        helper("route", "websocket_route")
        await websocket.send_text("x")
        await websocket.close()

    @app.get("/failing")
    async def failing():
        raise ValueError

    @app.exception_handler(ValueError)
    async def handle_error(request, error):
        helper("middleware", "handle_error")
        return PlainTextResponse("")

    @app.get("/broken")
    async def broken():
        raise RuntimeError

    @app.exception_handler(Exception)
    async def handle_anything(request, error):
        helper("middleware", "handle_anything")
        return PlainTextResponse("")

    @app.middleware("http")
    async def http_middleware(request, call_next):
        helper("middleware", "http_middleware")
        return await call_next(request)

    if hasattr(app, "on_event"):

        @app.on_event("startup")
        async def startup():
            helper("task", "startup")

        @app.on_event("shutdown")
        def shutdown():
            helper("task", "shutdown")

    return app


async def bare_asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    helper("route", "bare_asgi")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def bare_wsgi(environ, start_response):
    helper("route", "bare_wsgi")
    start_response("200 OK", [])
    return [b""]
