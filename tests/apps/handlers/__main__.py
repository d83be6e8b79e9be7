# SPDX-License-Identifier: MIT
"""Stacks of applications under real frameworks, taken inside the functions that a person would
name: the data of tests/unit/symbols/symbols_handler.c.

    python tests/apps/handlers >> tests/unit/symbols/symbols_handler.stacks      for every Python
    with its frameworks; what is not installed is left out

Format, a text: `environment WORDS` · `function N NAME<tab>FILE` · `stack CASE ROLE HANDLER N N …`,
innermost function first; numbers count within an environment. Paths are replaced by those of common
installations. Runs on Python 3.8 and later.
"""

import asyncio
import functools

import recorder
from asgi import (
    FASTAPI_REQUESTS,
    STARLETTE_REQUESTS,
    bare_asgi,
    bare_wsgi,
    fastapi_app,
    serve,
    starlette_app,
)
from loops import main, own_loop, threads
from others import (
    DJANGO_REQUESTS,
    FLASK_REQUESTS,
    aiohttp_app,
    aiohttp_middlewares,
    aiohttp_serve,
    django_setup,
    flask_app,
    gunicorn_serve,
    wsgiref_serve,
)
from recorder import has


def run(name, function, *args):
    recorder.suite = name
    function(*args)


def everything():
    run("threads", threads)
    run("asyncio", asyncio.run, main())
    run("own-loop", own_loop)
    loops = ["asyncio"]
    if has("uvloop"):
        import uvloop

        loops.append("uvloop")
        uvloop.install()
        run("uvloop", asyncio.run, main())
        asyncio.set_event_loop_policy(None)
    if has("aiohttp"):
        run("aiohttp", asyncio.run, aiohttp_serve(aiohttp_app()))
        run("aiohttp-middleware", asyncio.run, aiohttp_serve(aiohttp_app(*aiohttp_middlewares())))
    for loop in loops if has("uvicorn") else ():
        run("bare-" + loop, serve, bare_asgi, loop, "/")
        run("starlette-" + loop, serve, starlette_app(), loop, *STARLETTE_REQUESTS)
        run("fastapi-" + loop, serve, fastapi_app(), loop, *FASTAPI_REQUESTS)
    if has("uvicorn"):
        run("uvicorn-wsgi", functools.partial(serve, interface="wsgi"), bare_wsgi, "asyncio", "/")
    run("wsgiref", wsgiref_serve, bare_wsgi, ["/"])
    if has("a2wsgi"):
        from a2wsgi import WSGIMiddleware

        run("a2wsgi", serve, WSGIMiddleware(bare_wsgi), "asyncio", "/")
    if has("flask"):
        if has("a2wsgi"):
            run("flask-a2wsgi", serve, WSGIMiddleware(flask_app()), "asyncio", *FLASK_REQUESTS)
        if has("uvicorn"):
            run(
                "flask-uvicorn-wsgi",
                functools.partial(serve, interface="wsgi"),
                flask_app(),
                "asyncio",
                *FLASK_REQUESTS[:-1],
            )
        run("flask-wsgiref", wsgiref_serve, flask_app(), FLASK_REQUESTS[:-1])
    if has("django"):
        django_setup()
        import django.core.asgi
        import django.core.wsgi

        run(
            "django-asgi",
            serve,
            django.core.asgi.get_asgi_application(),
            "asyncio",
            *DJANGO_REQUESTS,
        )
        run("django-wsgi", wsgiref_serve, django.core.wsgi.get_wsgi_application(), DJANGO_REQUESTS)
    if has("gunicorn"):
        for kind in "sync", "gthread":
            run(
                "gunicorn-" + kind,
                functools.partial(gunicorn_serve, worker_class=kind),
                bare_wsgi,
                ["/"],
            )


everything()
