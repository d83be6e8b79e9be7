/* SPDX-License-Identifier: MIT */
/*
 * Derived from stacks of the frameworks themselves, in old and new versions
 * (tests/unit/symbols/symbols_handler.stacks lists them). Sorted by framework; stacks are searched
 * from the inner end, so the order matters only where two rules match one frame: the first wins.
 */
#include "symbols/handler_rules.h"

#include <stddef.h>

const struct handler_rule handler_rules[] = {
	/* FastAPI: run_endpoint_function awaits async routes; `app` of get_request_handler and
	 * get_websocket_app calls the rest */
	{"fastapi/routing.py", "run_endpoint_function", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"fastapi/routing.py", "app", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"fastapi/dependencies/utils.py", "solve_dependencies", NULL, HANDLER_DEPENDENCY,
	 RULE_ENDS},
	/* the code after `yield` in a dependency: the exit stack of the request is closed */
	{"contextlib.py", "__aexit__", "fastapi/", HANDLER_DEPENDENCY, 0},

	/* Starlette: `app` is request_response, websocket_session and the router, which calls
	 * mounted applications */
	{"starlette/routing.py", "app", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"starlette/routing.py", "Router.__call__", NULL, HANDLER_ROUTE,
	 RULE_ENDS}, /* before 0.33 it was its own `app` */
	{"starlette/routing.py", "lifespan", NULL, HANDLER_TASK, RULE_ENDS},
	{"starlette/responses.py", "stream_response", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"starlette/background.py", "__call__", NULL, HANDLER_BACKGROUND, RULE_ENDS},
	/* its own middlewares call the application's, in the same task or (coro, of
	 * BaseHTTPMiddleware) in another one; and exception handlers */
	{"starlette/middleware/base.py", "coro", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT | RULE_CHAIN},
	{"starlette/middleware/", "__call__", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT | RULE_CHAIN},
	/* FastAPI wraps some of its own around them */
	{"fastapi/", "__call__", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_DIRECT | RULE_CHAIN},
	{"starlette/_exception_handler.py", "wrapped_app", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT},

	/* ASGI and WSGI servers and adapters: the application is one callable */
	{"uvicorn/protocols/", "run_asgi", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CHAIN},
	{"uvicorn/middleware/wsgi.py", "wsgi", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"starlette/middleware/wsgi.py", "wsgi", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"a2wsgi/wsgi.py", "wsgi", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"gunicorn/workers/sync.py", "handle_request", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"gunicorn/workers/gthread.py", "handle_request", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"gunicorn/workers/base.py", "init_process", NULL, HANDLER_FRAME,
	 RULE_LOOP | RULE_INNERMOST},
	{"wsgiref/handlers.py", "run", NULL, HANDLER_ROUTE, RULE_ENDS},

	{"flask/app.py", "dispatch_request", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"flask/app.py", "preprocess_request", NULL, HANDLER_MIDDLEWARE, RULE_ENDS},
	{"flask/app.py", "process_response", NULL, HANDLER_MIDDLEWARE, RULE_ENDS},
	{"flask/app.py", "do_teardown_request", NULL, HANDLER_MIDDLEWARE, RULE_ENDS},
	{"flask/app.py", "handle_user_exception", NULL, HANDLER_MIDDLEWARE, RULE_ENDS},
	{"flask/app.py", "handle_exception", NULL, HANDLER_MIDDLEWARE, RULE_ENDS},

	{"django/core/handlers/base.py", "_get_response", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"django/core/handlers/base.py", "_get_response_async", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"django/core/handlers/exception.py", "inner", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT},
	{"django/utils/deprecation.py", "MiddlewareMixin.__call__", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT},

	{"aiohttp/web_urldispatcher.py", "View._iter", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"aiohttp/web_app.py", "Application._handle", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CHAIN_BY_NAME},
	{"aiosignal/__init__.py", "send", NULL, HANDLER_TASK,
	 RULE_ENDS}, /* at startup, shutdown and cleanup */

	/* threads; WorkerThread of anyio is a Thread, and before Python 3.11 its `run` is not the
	 * only one in its file */
	{"anyio/_backends/_asyncio.py", "WorkerThread.run", "_bootstrap_inner", HANDLER_EXECUTOR,
	 0},
	{"asgiref/sync.py", "AsyncToSync.main_wrap", NULL, HANDLER_TASK, 0},
	{"asgiref/sync.py", "SyncToAsync.thread_handler", NULL, HANDLER_EXECUTOR, 0},
	{"concurrent/futures/thread.py", "_WorkItem.run", NULL, HANDLER_EXECUTOR, 0},
	{"threading.py", "_bootstrap_inner", NULL, HANDLER_THREAD, 0},

	/* asyncio: transports call protocols; Handle._run calls everything else, including tasks;
	 * uvloop has no frames, so its tasks are directly inside the function that runs the loop */
	{"asyncio/selector_events.py", "_SelectorTransport._call_connection_lost", NULL,
	 HANDLER_CALLBACK, 0},
	{"asyncio/selector_events.py", "_read_ready__data_received", NULL, HANDLER_CALLBACK, 0},
	{"asyncio/selector_events.py", "_read_ready__get_buffer", NULL, HANDLER_CALLBACK, 0},
	{"asyncio/selector_events.py", "_SelectorDatagramTransport._read_ready", NULL,
	 HANDLER_CALLBACK, 0},
	{"asyncio/events.py", "Handle._run", NULL, HANDLER_TASK, RULE_LOOP},
	{"asyncio/base_events.py", "BaseEventLoop._run_once", NULL, HANDLER_TASK, RULE_LOOP},
	{"asyncio/runners.py", "run", NULL, HANDLER_TASK, RULE_LOOP},
	{"uvicorn/_compat.py", "asyncio_run", NULL, HANDLER_TASK,
	 RULE_LOOP}, /* used instead before Python 3.12 */
};
const unsigned int handler_rule_count = sizeof(handler_rules) / sizeof(handler_rules[0]);
