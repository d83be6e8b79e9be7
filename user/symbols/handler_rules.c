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
	{"fastapi/routing.py", "run_endpoint_function", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"fastapi/routing.py", "app", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"fastapi/telemetry/_api.py", "_run_sync_endpoint", NULL, HANDLER_EXECUTOR,
	 RULE_ENDS | RULE_CALLS},
	{"fastapi/dependencies/utils.py", "solve_dependencies", NULL, HANDLER_DEPENDENCY,
	 RULE_ENDS | RULE_CALLS},
	/* the code after `yield` in a dependency: the exit stack of the request is closed */
	{"contextlib.py", "__aexit__", "fastapi/", HANDLER_DEPENDENCY, 0},

	/* Starlette: `app` is request_response, websocket_session and the router, which calls
	 * mounted applications */
	{"starlette/routing.py", "app", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"starlette/routing.py", "Router.__call__", NULL, HANDLER_ROUTE,
	 RULE_ENDS}, /* before 0.33 it was its own `app` */
	{"starlette/routing.py", "lifespan", NULL, HANDLER_TASK, RULE_ENDS},
	{"starlette/responses.py", "stream_response", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"starlette/background.py", "__call__", NULL, HANDLER_BACKGROUND, RULE_ENDS | RULE_CALLS},
	/* its own middlewares call the application's, in the same task or (coro, of
	 * BaseHTTPMiddleware) in another one; and exception handlers */
	{"starlette/middleware/base.py", "coro", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT | RULE_CHAIN},
	{"starlette/middleware/", "__call__", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT | RULE_CHAIN},
	/* FastAPI wraps some of its own around them */
	{"fastapi/", "__call__", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_DIRECT | RULE_CHAIN},
	/* what `send` calls belongs to the middleware; otherwise to the sender */
	{"starlette/_exception_handler.py", "sender", NULL, HANDLER_MIDDLEWARE, 0},
	{"starlette/middleware/", "sender", NULL, HANDLER_MIDDLEWARE, 0},
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

	{"flask/app.py", "dispatch_request", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"flask/app.py", "preprocess_request", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"flask/app.py", "process_response", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"flask/app.py", "do_teardown_request", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"flask/app.py", "handle_user_exception", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"flask/app.py", "handle_exception", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},

	{"django/core/handlers/base.py", "_get_response", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"django/core/handlers/base.py", "_get_response_async", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"django/core/handlers/exception.py", "inner", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT},
	{"django/utils/deprecation.py", "MiddlewareMixin.__call__", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT},

	{"aiohttp/web_urldispatcher.py", "View._iter", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"aiohttp/web_app.py", "Application._handle", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CHAIN_BY_NAME},
	{"aiosignal/__init__.py", "send", "_prepare_hook", HANDLER_MIDDLEWARE, 0},
	{"aiosignal/__init__.py", "send", NULL, HANDLER_TASK,
	 RULE_ENDS | RULE_CALLS}, /* at startup, shutdown and cleanup */

	/* Litestar */
	{"litestar/routes/http.py", "_call_handler_function", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"litestar/routes/websocket.py", "handle", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"litestar/di.py", "Provide.__call__", NULL, HANDLER_DEPENDENCY, RULE_ENDS | RULE_CALLS},
	{"litestar/background_tasks.py", "__call__", NULL, HANDLER_BACKGROUND,
	 RULE_ENDS | RULE_CALLS},
	{"litestar/handlers/http_handlers/_utils.py", "handler", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_CALLS},
	{"litestar/middleware/_internal/exceptions/middleware.py", "handle_request_exception", NULL,
	 HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"litestar/app.py", "_call_lifespan_hook", NULL, HANDLER_TASK, RULE_ENDS | RULE_CALLS},

	/* BlackSheep wraps routes in functions that are all called `handler` */
	{"blacksheep/server/normalization.py", "handler", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"blacksheep/middlewares.py", "middleware_wrapper", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT},
	{"blacksheep/server/application.py", "ApplicationEvent.fire", NULL, HANDLER_TASK,
	 RULE_ENDS | RULE_CALLS},

	/* Sanic compiles its methods anew, in files of their own names */
	{"handle_request", "handle_request", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"sanic/app.py", "Sanic.handle_request", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"_run_request_middleware", "_run_request_middleware", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_CALLS},
	{"sanic/app.py", "_run_request_middleware", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_CALLS},
	{"_run_response_middleware", "_run_response_middleware", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_CALLS},
	{"sanic/app.py", "_run_response_middleware", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_CALLS},
	{"handle_exception", "handle_exception", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"sanic/app.py", "Sanic.handle_exception", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_CALLS},
	{"sanic/app.py", "Sanic._listener", NULL, HANDLER_TASK, RULE_ENDS | RULE_CALLS},
	{"sanic/app.py", "do", NULL, HANDLER_TASK, RULE_ENDS | RULE_CALLS},
	{"sanic/server/runners.py", "_run_server_forever", NULL, HANDLER_TASK, RULE_LOOP},

	/* Quart */
	{"quart/app.py", "dispatch_request", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"quart/app.py", "preprocess_request", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"quart/app.py", "process_response", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"quart/app.py", "do_teardown_request", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"quart/app.py", "handle_user_exception", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"quart/app.py", "handle_exception", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"quart/app.py", "Quart.startup", NULL, HANDLER_TASK, RULE_ENDS | RULE_CALLS},
	{"quart/app.py", "Quart.shutdown", NULL, HANDLER_TASK, RULE_ENDS | RULE_CALLS},

	/* Bottle, Falcon, Pyramid, CherryPy, Tornado (and Jupyter), Dash, Streamlit */
	{"bottle.py", "Bottle._handle", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"bottle.py", "Bottle.trigger_hook", NULL, HANDLER_MIDDLEWARE, RULE_ENDS | RULE_CALLS},
	{"bottle.py", "Bottle._cast", NULL, HANDLER_MIDDLEWARE, RULE_ENDS},
	{"falcon/app.py", "App.__call__", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"falcon/asgi/app.py", "App.__call__", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"pyramid/viewderivers.py", "_requestonly_view", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"pyramid/viewderivers.py", "_class_requestonly_view", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"pyramid/viewderivers.py", "_class_view", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"pyramid/viewderivers.py", "_attr_view", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"pyramid/viewderivers.py", "viewresult_to_response", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"pyramid/router.py", "Router.invoke_request", NULL, HANDLER_MIDDLEWARE,
	 RULE_ENDS | RULE_DIRECT},
	{"cherrypy/_cpdispatch.py", "PageHandler.__call__", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"cherrypy/_cprequest.py", "Hook.__call__", NULL, HANDLER_MIDDLEWARE, RULE_ENDS},
	{"tornado/web.py", "RequestHandler._execute", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"tornado/web.py", "RequestHandler.finish", NULL, HANDLER_ROUTE, 0},
	{"tornado/ioloop.py", "PeriodicCallback._run", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"tornado/ioloop.py", "IOLoop._run_callback", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"dash/_callback.py", "_invoke_callback", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"streamlit/runtime/scriptrunner/script_runner.py", "code_to_exec", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},

	/* Datasette: views of its own and of plugins; what it calls these with calls other hooks,
	 * too */
	{"datasette/utils/__init__.py", "async_call_with_supported_arguments", "async_view_fn",
	 HANDLER_ROUTE, RULE_ENDS | RULE_CALLS | RULE_PROGRAM},
	{"datasette/utils/__init__.py", "call_with_supported_arguments", "async_view_fn",
	 HANDLER_ROUTE, RULE_ENDS | RULE_CALLS | RULE_PROGRAM},
	{"datasette/views/base.py", "BaseView.dispatch_request", NULL, HANDLER_ROUTE,
	 RULE_CALLS | RULE_PROGRAM},
	{"datasette/app.py", "DatasetteRouter.route_path", NULL, HANDLER_ROUTE, RULE_PROGRAM},

	/* what is built on other frameworks */
	{"flask/views.py", "dispatch_request", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS | RULE_INSTALLED},
	{"flask_restx/resource.py", "dispatch_request", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS | RULE_INSTALLED},
	{"flask_restful/__init__.py", "dispatch_request", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS | RULE_INSTALLED},
	{"django/views/generic/base.py", "View.dispatch", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS | RULE_INSTALLED},
	{"rest_framework/views.py", "APIView.dispatch", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS | RULE_INSTALLED},
	{"rest_framework/decorators.py", "handler", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"ninja/operation.py", "Operation.run", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"ninja/operation.py", "AsyncOperation.run", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"strawberry/types/fields/resolver.py", "StrawberryResolver.__call__", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"strawberry/utils/await_maybe.py", "await_maybe", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"nicegui/page.py", "decorated", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"starlette/endpoints.py", "HTTPEndpoint.dispatch", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS | RULE_INSTALLED},

	/* messages */
	{"websockets/asyncio/server.py", "protocol_handler", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"websockets/asyncio/server.py", "conn_handler", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"websockets/legacy/server.py", "handler", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"socketio/async_server.py", "_trigger_event", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"socketio/server.py", "_trigger_event", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"grpc/_server.py", "_call_behavior", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CALLS},
	{"aiogram/dispatcher/event/handler.py", "CallableObject.call", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CALLS},
	{"aiogram/dispatcher/event/telegram.py", "TelegramEventObserver.trigger", NULL,
	 HANDLER_MIDDLEWARE, RULE_ENDS | RULE_DIRECT},
	{"scrapy/utils/asyncgen.py", "as_async_generator", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"scrapy/spidermiddlewares/base.py", "process_start", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"scrapy/middleware.py", "_process_chain", NULL, HANDLER_CALLBACK, RULE_ENDS},

	/* task queues and schedulers */
	{"celery/app/trace.py", "__protected_call__", NULL, HANDLER_BACKGROUND,
	 RULE_ENDS | RULE_CALLS},
	{"celery/app/task.py", "Task.__call__", NULL, HANDLER_BACKGROUND, RULE_ENDS | RULE_CALLS},
	{"celery/app/trace.py", "trace_task", NULL, HANDLER_BACKGROUND, RULE_ENDS},
	{"celery/utils/dispatch/signal.py", "Signal.send", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"dramatiq/actor.py", "Actor.__call__", NULL, HANDLER_BACKGROUND, RULE_ENDS | RULE_CALLS},
	{"dramatiq/broker.py", "emit_before", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"dramatiq/broker.py", "emit_after", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"rq/job.py", "Job._execute", NULL, HANDLER_BACKGROUND, RULE_ENDS | RULE_CALLS},
	{"huey/api.py", "_run_pre_execute", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"huey/api.py", "_run_post_execute", NULL, HANDLER_CALLBACK, RULE_ENDS},
	{"huey/api.py", "execute", NULL, HANDLER_BACKGROUND, RULE_ENDS},
	{"arq/worker.py", "run_job", NULL, HANDLER_BACKGROUND, RULE_ENDS},
	{"taskiq/receiver/receiver.py", "run_task", NULL, HANDLER_BACKGROUND, RULE_ENDS},
	{"apscheduler/executors/base.py", "run_job", NULL, HANDLER_BACKGROUND,
	 RULE_ENDS | RULE_CALLS},
	{"apscheduler/executors/base.py", "run_coroutine_job", NULL, HANDLER_BACKGROUND,
	 RULE_ENDS | RULE_CALLS},

	/* commands */
	{"django/core/management/base.py", "BaseCommand.execute", NULL, HANDLER_COMMAND,
	 RULE_ENDS | RULE_CALLS},
	{"click/core.py", "Context.invoke", NULL, HANDLER_COMMAND, 0},

	/* more servers */
	{"waitress/task.py", "WSGITask.execute", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"gunicorn/workers/base_async.py", "handle_request", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"cheroot/wsgi.py", "respond", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"hypercorn/app_wrappers.py", "ASGIWrapper.__call__", NULL, HANDLER_ROUTE,
	 RULE_ENDS | RULE_CHAIN},
	{"hypercorn/app_wrappers.py", "WSGIWrapper.run_app", NULL, HANDLER_ROUTE, RULE_ENDS},
	{"granian/_futures.py", "future_watcher", NULL, HANDLER_ROUTE, RULE_ENDS | RULE_CHAIN},
	{"daphne/server.py", "create_application", NULL, HANDLER_ROUTE, RULE_ENDS},

	/* threads; WorkerThread of anyio is a Thread, and before Python 3.11 its `run` is not the
	 * only one in its file */
	{"anyio/_backends/_asyncio.py", "WorkerThread.run", "_bootstrap_inner", HANDLER_EXECUTOR,
	 RULE_CALLS},
	{"trio/_threads.py", "worker_fn", NULL, HANDLER_EXECUTOR, 0},
	{"trio/_core/_run.py", "unrolled_run", NULL, HANDLER_TASK, RULE_LOOP},
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

const char *const handler_frameworks[] = {
	"pydantic",   "pydantic_core", "graphql",    "click",	      "typer",	 "jupyter_server",
	"gradio",     "werkzeug",      "sentry_sdk", "opentelemetry", "ddtrace", "newrelic",
	"elasticapm", "wrapt",	       "billiard",   "kombu",
};
const unsigned int handler_framework_count = sizeof(handler_frameworks) /
					     sizeof(handler_frameworks[0]);
