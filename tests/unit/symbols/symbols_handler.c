/* SPDX-License-Identifier: MIT */
/* Handlers: stacks of real applications (symbols_handler.stacks, written by tests/apps/handlers)
 * and hand-made ones. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbols/handler.h"

#define STACKS "tests/unit/symbols/symbols_handler.stacks"

struct names {
	struct dictionary *dictionary;
	struct handler_finder *finder;
};

static void names_init(struct names *names)
{
	names->dictionary = dictionary_new();
	names->finder = handler_finder_new(NULL, 0);
	assert_non_null(names->dictionary);
	assert_non_null(names->finder);
}

static void names_done(struct names *names)
{
	handler_finder_free(names->finder);
	dictionary_free(names->dictionary);
}

static uint32_t define_function(struct names *names, const char *name, const char *file)
{
	uint32_t id = dictionary_count(names->dictionary, DEFINE_FUNCTION) + 1;

	assert_int_equal(
		dictionary_define(
			names->dictionary,
			&(struct definition){.kind = DEFINE_FUNCTION,
					     .id = id,
					     .function = {.name = name, .file = file, .line = id}}),
		0);
	return id;
}

static uint32_t define_stack(struct names *names, const struct stack_frame *frames, uint32_t count)
{
	uint32_t id;

	assert_int_equal(
		dictionary_intern(names->dictionary,
				  &(struct definition){.kind = DEFINE_STACK,
						       .stack = {.frames = frames, .count = count}},
				  &id),
		0);
	return id;
}

static const char *last_part(const char *name)
{
	return strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
}

static const char *function_name(const struct names *names, uint32_t function)
{
	const struct definition *definition = dictionary_find(names->dictionary, DEFINE_FUNCTION,
							      function);

	return definition ? definition->function.name : "";
}

/* ── real stacks ─────────────────────────────────────────────────────────── */

/* "stack CASE ROLE HANDLER N N …"; N counts from `first`. Returns false, after a message, if
 * something else is found. */
static bool real_stack(struct names *names, char *line, uint32_t first)
{
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	const char *at = strtok(line, " \n") ? strtok(NULL, " \n") : NULL,
		   *role = strtok(NULL, " \n"), *wanted = strtok(NULL, " \n"), *word;
	struct handler handler;
	uint32_t count = 0, stack;

	while ((word = strtok(NULL, " \n"))) {
		assert_true(count < DEFINE_FRAMES_MAX);
		frames[count] = (struct stack_frame){.function = first + (uint32_t)atoi(word),
						     .line = count};
		count++;
	}
	assert_true(count);
	stack = define_stack(names, frames, count);
	handler = handler_find(names->finder, names->dictionary, stack);
	if (strcmp(handler_role_name(handler.role), role) == 0 &&
	    strcmp(last_part(function_name(names, handler.frame.function)), wanted) == 0) {
		assert_memory_equal(&handler.frame, &frames[handler.index], sizeof(handler.frame));
		return true;
	}
	print_message("           %s: %s %s, not %s %s\n", at, handler_role_name(handler.role),
		      function_name(names, handler.frame.function), role, wanted);
	return false;
}

static void every_function_that_a_person_would_name_is_found(void **state)
{
	_cleanup_(names_done) struct names names;
	_cleanup_(freep) char *line = NULL;
	_cleanup_(fclosep) FILE *file = fopen(STACKS, "re");
	uint32_t first = 0, stacks = 0, wrong = 0;
	size_t room = 0;

	assert_non_null(file);
	names_init(&names);
	while (getline(&line, &room, file) > 0) {
		if (strncmp(line, "environment ", 12) == 0) {
			first = dictionary_count(names.dictionary, DEFINE_FUNCTION);
			print_message("           %s", line + 12);
		} else if (strncmp(line, "function ", 9) == 0) {
			char *name = strchr(line + 9, ' ') + 1, *path = strchr(name, '\t');

			*path++ = '\0';
			path[strcspn(path, "\n")] = '\0';
			assert_int_equal(define_function(&names, name, path),
					 first + (uint32_t)atoi(line + 9));
		} else {
			stacks++;
			wrong += !real_stack(&names, line, first);
		}
	}
	assert_true(stacks > 100);
	assert_int_equal(wrong, 0);
}

/* ── made stacks ─────────────────────────────────────────────────────────── */

#define SITE   "/srv/venv/lib/python3.11/site-packages/"
#define STDLIB "/usr/lib/python3.11/"

/* Name and file of frames, innermost first, up to an entry without a name; "?" is a frame that
 * could not be read. */
struct place {
	const char *name, *file;
};

static const struct place loop[] = {{"Handle._run", STDLIB "asyncio/events.py"},
				    {"BaseEventLoop._run_once", STDLIB "asyncio/base_events.py"},
				    {"Runner.run", STDLIB "asyncio/runners.py"},
				    {"serve", "/srv/app/main.py"},
				    {"<module>", "/srv/app/main.py"},
				    {0}};
static const struct place worker[] = {{"_WorkItem.run", STDLIB "concurrent/futures/thread.py"},
				      {"_worker", STDLIB "concurrent/futures/thread.py"},
				      {"Thread.run", STDLIB "threading.py"},
				      {"Thread._bootstrap_inner", STDLIB "threading.py"},
				      {0}};

static struct handler made_stack(struct names *names, const struct place *inner,
				 const struct place *outer)
{
	struct stack_frame frames[32];
	const struct place *parts[] = {inner, outer};
	uint32_t count = 0;

	for (int part = 0; part < 2; part++)
		for (const struct place *place = parts[part]; place && place->name; place++)
			frames[count++] = (struct stack_frame){
				strcmp(place->name, "?")
					? define_function(names, place->name, place->file)
					: 0,
				7};
	return handler_find(names->finder, names->dictionary, define_stack(names, frames, count));
}

static void assert_handler(struct names *names, const struct place *inner,
			   const struct place *outer, enum handler_role role, uint32_t index)
{
	struct handler handler = made_stack(names, inner, outer);

	assert_int_equal(handler.role, role);
	if (role == HANDLER_NONE) {
		assert_int_equal(handler.frame.function, 0);
		return;
	}
	assert_int_equal(handler.index, index);
	assert_string_equal(function_name(names, handler.frame.function), inner[index].name);
	assert_int_equal(handler.frame.line, 7);
}

static void without_a_rule_it_is_the_innermost_frame_of_the_application(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place plain[] = {{"sleep", STDLIB "x.py"},
					     {"helper", "/srv/app/a.py"},
					     {"main", "/srv/app/a.py"},
					     {0}};
	static const struct place library[] = {
		{"sleep", STDLIB "x.py"}, {"get", SITE "requests/api.py"}, {0}};

	names_init(&names);
	assert_handler(&names, plain, NULL, HANDLER_FRAME, 1);
	assert_handler(&names, library, NULL, HANDLER_NONE, 0);
	assert_int_equal(handler_find(names.finder, names.dictionary, 0).role, HANDLER_NONE);
	assert_int_equal(handler_find(names.finder, names.dictionary, 999).role, HANDLER_NONE);
}

static void the_library_that_a_handler_calls_does_not_matter(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place route[] = {{"read", STDLIB "ssl.py"},
					     {"get", SITE "requests/api.py"},
					     {"hook", "/srv/app/hooks.py"},
					     {"send", SITE "requests/sessions.py"},
					     {"fetch", "/srv/app/a.py"},
					     {"route", "/srv/app/a.py"},
					     {"wrapper", SITE "limits/decorate.py"},
					     {"run_endpoint_function", SITE "fastapi/routing.py"},
					     {0}};

	names_init(&names);
	assert_handler(&names, route, loop, HANDLER_ROUTE, 5);
}

static void the_innermost_rule_with_something_inside_wins(void **state)
{
	_cleanup_(names_done) struct names names;
	/* a sync route that runs its own loop, with a coroutine of a library and with one of its
	 * own */
	static const struct place library[] = {{"recv", SITE "httpx/x.py"},
					       {"Handle._run", STDLIB "asyncio/events.py"},
					       {"Runner.run", STDLIB "asyncio/runners.py"},
					       {"route", "/srv/app/a.py"},
					       {0}};
	static const struct place own[] = {{"recv", SITE "httpx/x.py"},
					   {"inner", "/srv/app/a.py"},
					   {"Handle._run", STDLIB "asyncio/events.py"},
					   {"Runner.run", STDLIB "asyncio/runners.py"},
					   {"route", "/srv/app/a.py"},
					   {0}};

	names_init(&names);
	assert_handler(&names, library, worker, HANDLER_EXECUTOR, 3);
	assert_handler(&names, own, worker, HANDLER_TASK, 1);
}

static void who_started_the_loop_is_not_to_blame_for_it(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place idle[] = {{"EpollSelector.select", STDLIB "selectors.py"}, {0}};
	static const struct place server[] = {
		{"data_received", SITE "uvicorn/protocols/http/h11_impl.py"}, {0}};

	static const struct place own_loop[] = {
		{"EpollSelector.select", STDLIB "selectors.py"},
		{"BaseEventLoop._run_once", STDLIB "asyncio/base_events.py"},
		{"BaseEventLoop.run_forever", STDLIB "asyncio/base_events.py"},
		{"main", "/srv/app/a.py"},
		{0}};
	static const struct place gunicorn_idle[] = {
		{"SyncWorker.wait", SITE "gunicorn/workers/sync.py"},
		{"Worker.init_process", SITE "gunicorn/workers/base.py"},
		{"<module>", "/srv/venv/bin/gunicorn"},
		{0}};
	static const struct place gunicorn_loading[] = {
		{"load_model", "/srv/app/a.py"},
		{"<module>", "/srv/app/a.py"},
		{"import_app", SITE "gunicorn/util.py"},
		{"Worker.init_process", SITE "gunicorn/workers/base.py"},
		{"<module>", "/srv/venv/bin/gunicorn"},
		{0}};

	names_init(&names);
	assert_handler(&names, idle, loop + 1, HANDLER_NONE, 0);
	assert_handler(&names, server, loop, HANDLER_NONE, 0);
	assert_handler(&names, idle, worker, HANDLER_NONE, 0);
	assert_handler(&names, own_loop, NULL, HANDLER_NONE, 0);
	assert_handler(&names, gunicorn_idle, NULL, HANDLER_NONE, 0);
	assert_handler(&names, gunicorn_loading, NULL, HANDLER_FRAME, 0);
}

static void who_hands_on_is_not_to_blame_for_the_framework(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place serialize[] = {
		{"serialize_response", SITE "fastapi/routing.py"},
		{"get_request_handler.<locals>.app", SITE "fastapi/routing.py"},
		{"Router.__call__", SITE "starlette/routing.py"},
		{"ExceptionMiddleware.__call__", SITE "starlette/middleware/exceptions.py"},
		{"Timing.__call__", "/srv/app/a.py"},
		{"ServerErrorMiddleware.__call__", SITE "starlette/middleware/errors.py"},
		{0}};

	names_init(&names);
	assert_handler(&names, serialize, loop, HANDLER_NONE, 0);
	assert_handler(&names, serialize + 4, loop, HANDLER_MIDDLEWARE, 0);
}

static void what_lies_deeper_than_a_rule_that_wants_it_next_has_no_role(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place custom[] = {
		{"sleep", STDLIB "x.py"},
		{"deep", "/srv/app/a.py"},
		{"endpoint", "/srv/app/a.py"},
		{"handle", SITE "routers/custom.py"},
		{"ExceptionMiddleware.__call__", SITE "starlette/middleware/exceptions.py"},
		{"Timing.__call__", "/srv/app/a.py"},
		{0}};

	names_init(&names);
	assert_handler(&names, custom, loop, HANDLER_FRAME, 1);
}

/* An unread frame may be the handler itself. */
static void what_is_missing_is_not_guessed(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place handler[] = {{"helper", "/srv/app/a.py"},
					       {"?", ""},
					       {"run_endpoint_function", SITE "fastapi/routing.py"},
					       {0}};
	static const struct place deeper[] = {{"?", ""},
					      {"route", "/srv/app/a.py"},
					      {"run_endpoint_function", SITE "fastapi/routing.py"},
					      {0}};
	static const struct place fallback[] = {{"?", ""}, {"main", "/srv/app/a.py"}, {0}};
	static const struct place outside[] = {{"main", "/srv/app/a.py"}, {"?", ""}, {0}};
	static const struct place all[] = {{"?", ""}, {"?", ""}, {0}};

	names_init(&names);
	assert_handler(&names, handler, loop, HANDLER_NONE, 0);
	assert_handler(&names, deeper, loop, HANDLER_ROUTE, 1);
	assert_handler(&names, fallback, NULL, HANDLER_NONE, 0);
	assert_handler(&names, outside, NULL, HANDLER_FRAME, 0);
	assert_handler(&names, all, NULL, HANDLER_NONE, 0);
}

/* Directories of the application may have the name of a framework. */
static void the_applications_own_code_is_no_framework(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place exit[] = {{"cleanup", "/srv/fastapi/app.py"},
					    {"AsyncExitStack.__aexit__", STDLIB "contextlib.py"},
					    {"main", "/srv/fastapi/app.py"},
					    {0}};
	static const struct place call[] = {{"helper", "/srv/starlette/middleware/a.py"},
					    {"Auth.__call__", "/srv/starlette/middleware/a.py"},
					    {0}};

	names_init(&names);
	assert_handler(&names, exit, loop, HANDLER_TASK, 2);
	assert_handler(&names, call, loop, HANDLER_TASK, 1);
}

static void middlewares_that_call_each_other_are_passed(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place asgi[] = {
		{"helper", "/srv/app/a.py"},
		{"Auth.__call__", "/srv/app/a.py"},
		{"Timing.__call__", "/srv/app/b.py"},
		{"ServerErrorMiddleware.__call__", SITE "starlette/middleware/errors.py"},
		{0}};
	static const struct place aiohttp[] = {{"helper", "/srv/app/a.py"},
					       {"view", "/srv/app/a.py"},
					       {"auth_middleware", "/srv/app/a.py"},
					       {"errors.<locals>.middleware", "/srv/app/a.py"},
					       {"Application._handle", SITE "aiohttp/web_app.py"},
					       {0}};

	names_init(&names);
	assert_handler(&names, asgi, loop, HANDLER_MIDDLEWARE, 1);
	assert_handler(&names, aiohttp, loop, HANDLER_ROUTE, 1);
	assert_handler(&names, aiohttp + 2, loop, HANDLER_MIDDLEWARE, 0);
}

static void a_task_without_a_coroutine_is_a_callback(void **state)
{
	_cleanup_(names_done) struct names names;
	static const enum handler_role roles[] = {HANDLER_TASK, HANDLER_CALLBACK, HANDLER_CALLBACK,
						  HANDLER_ROUTE};
	struct stack_frame frames[2] = {0};
	uint32_t route, runs, plain, coroutine;

	names_init(&names);
	route = define_function(&names, "run_endpoint_function", SITE "fastapi/routing.py");
	runs = define_function(&names, "Handle._run", STDLIB "asyncio/events.py");
	plain = define_function(&names, "plain", "/srv/app/a.py");
	coroutine = define_function(&names, "coroutine", "/srv/app/a.py");
	for (uint32_t n = 0; n < 4; n++) {
		uint32_t stack;

		frames[0] = (struct stack_frame){n == 0 ? coroutine : plain, 7 + n};
		frames[1] = (struct stack_frame){n < 3 ? runs : route, 7};
		stack = define_stack(&names, frames, 2);
		/* 2: it called a generator */
		handler_note(names.finder, names.dictionary, stack, n == 1 || n == 3 ? 0 : 4096);
		handler_note(names.finder, names.dictionary, UINT32_MAX, 0);
		assert_int_equal(handler_find(names.finder, names.dictionary, stack).role,
				 roles[n]);
	}
}

/* ── roles before paths ──────────────────────────────────────────────────── */

static void what_a_framework_calls_is_the_applications_wherever_it_lies(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place installed[] = {
		{"JSONDecoder.raw_decode", STDLIB "json/decoder.py"},
		{"price", SITE "shop/api.py"},
		{"cart", SITE "shop/api.py"},
		{"run_endpoint_function", SITE "fastapi/routing.py"},
		{0}};
	static const struct place wrapped[] = {
		{"cart", SITE "shop/api.py"},
		{"helper", SITE "limits/decorate.py"},
		{"limit.<locals>.wrapper", SITE "limits/decorate.py"},
		{"run_endpoint_function", SITE "fastapi/routing.py"},
		{0}};
	static const struct place own[] = {{"swagger_ui_html", SITE "fastapi/applications.py"},
					   {"run_endpoint_function", SITE "fastapi/routing.py"},
					   {0}};
	static const struct place unreadable[] = {
		{"price", SITE "shop/api.py"},
		{"?", ""},
		{"run_endpoint_function", SITE "fastapi/routing.py"},
		{0}};

	names_init(&names);
	assert_handler(&names, installed, loop, HANDLER_ROUTE, 2);
	assert_handler(&names, wrapped, loop, HANDLER_ROUTE, 0);
	assert_handler(&names, own, loop, HANDLER_NONE, 0);
	assert_handler(&names, unreadable, loop, HANDLER_NONE, 0);
}

static void what_a_middleware_puts_in_place_of_send_is_its_own(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place send[] = {
		{"Headers.__call__.<locals>.send_with_headers", "/srv/app/a.py"},
		{"Response.__call__", SITE "starlette/responses.py"},
		{"get_request_handler.<locals>.app", SITE "fastapi/routing.py"},
		{0}};

	names_init(&names);
	assert_handler(&names, send, loop, HANDLER_MIDDLEWARE, 0);
}

static void entry_points_and_generated_code_are_no_handlers(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place launcher[] = {
		{"main", SITE "worker/cli.py"}, {"<module>", "/srv/venv/bin/worker"}, {0}};
	static const struct place program[] = {
		{"sleep", STDLIB "x.py"}, {"<module>", "/srv/bin/job"}, {0}};
	static const struct place made[] = {
		{"__create_fn__.<locals>.__init__", "<string>"},
		{"get_request_handler.<locals>.app", SITE "fastapi/routing.py"},
		{0}};
	static const struct place spawned[] = {
		{"wait", STDLIB "threading.py"}, {"<module>", "<string>"}, {0}};
	static const struct place trampoline[] = {
		{"__init__", "__init__"}, {"make", "/srv/app/a.py"}, {0}};

	names_init(&names);
	assert_handler(&names, launcher, NULL, HANDLER_NONE, 0);
	assert_handler(&names, program, NULL, HANDLER_NONE, 0);
	assert_handler(&names, program + 1, NULL, HANDLER_FRAME, 0);
	assert_handler(&names, made, loop, HANDLER_NONE, 0);
	assert_handler(&names, spawned, NULL, HANDLER_NONE, 0);
	assert_handler(&names, trampoline, NULL, HANDLER_FRAME, 1);
}

/* A method of a billiard proxy, called in a thread of celery; a `python -c` program in a thread. */
static void functions_in_strings_are_the_applications_if_that_is_the_program(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place proxy[] = {{"append", "<string>"},
					     {"Worker.run", SITE "celery/worker/x.py"},
					     {"Thread.run", STDLIB "threading.py"},
					     {"Thread._bootstrap_inner", STDLIB "threading.py"},
					     {0}};
	static const struct place target[] = {{"work", "<string>"},
					      {"Thread.run", STDLIB "threading.py"},
					      {"Thread._bootstrap_inner", STDLIB "threading.py"},
					      {0}};
	struct process_info info = {.cmdline = "/usr/bin/python3 -c import threading; def work"};
	struct stream_sink sink;

	names_init(&names);
	assert_handler(&names, proxy, NULL, HANDLER_NONE, 0);
	assert_handler(&names, target, NULL, HANDLER_NONE, 0);
	sink = handler_finder_sink(names.finder);
	assert_int_equal(sink_process(&sink, &info), 0);
	assert_handler(&names, target, NULL, HANDLER_THREAD, 0);
}

/* Datasette, named on the command line: one of its views, and one of a plugin, not its entry
 * point. */
static void a_program_that_calls_views_is_not_their_handler(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place outer[] = {
		{"DatasetteRouter.route_path", SITE "datasette/app.py"},
		{"DatasetteRouter.__call__", SITE "datasette/app.py"},
		{"asgi_csrf_decorator.<locals>.app_wrapped_with_csrf", SITE "asgi_csrf.py"},
		{"AsgiLifespan.__call__", SITE "datasette/utils/asgi.py"},
		{"RequestResponseCycle.run_asgi", SITE "uvicorn/protocols/http/h11_impl.py"},
		{"BaseEventLoop._run_once", STDLIB "asyncio/base_events.py"},
		{0}};
	static const struct place plugin[] = {
		{"burn", "/srv/plugins/shop.py"},
		{"items", "/srv/plugins/shop.py"},
		{"async_call_with_supported_arguments", SITE "datasette/utils/__init__.py"},
		{"wrap_view.<locals>.async_view_fn", SITE "datasette/app.py"},
		{0}};
	static const struct place own[] = {
		{"render", SITE "jinja2/environment.py"},
		{"TableView.get", SITE "datasette/views/table.py"},
		{"BaseView.dispatch_request", SITE "datasette/views/base.py"},
		{"View.as_view.<locals>.view", SITE "datasette/views/base.py"},
		{0}};
	static const struct place plain[] = {{"table_view", SITE "datasette/views/table.py"}, {0}};
	struct process_info info = {
		.cmdline = "/srv/venv/bin/python /srv/venv/bin/datasette shop.db"};
	struct stream_sink sink;

	names_init(&names);
	sink = handler_finder_sink(names.finder);
	assert_int_equal(sink_process(&sink, &info), 0);
	assert_handler(&names, plugin, outer, HANDLER_ROUTE, 1);
	assert_handler(&names, own, outer, HANDLER_ROUTE, 1);
	assert_handler(&names, plain, outer, HANDLER_ROUTE, 0);
}

static void the_applications_innermost_function_is_found(void **state)
{
	_cleanup_(names_done) struct names names;
	static const struct place places[] = {{"select", STDLIB "selectors.py"},
					      {"run", STDLIB "subprocess.py"},
					      {"convert", SITE "shop/api.py"},
					      {"cart", SITE "shop/api.py"},
					      {"run_endpoint_function", SITE "fastapi/routing.py"},
					      {0}};
	static const struct place missing[] = {{"?", ""},
					       {"convert", "/srv/app/a.py"},
					       {"cart", "/srv/app/a.py"},
					       {"run_endpoint_function", SITE "fastapi/routing.py"},
					       {0}};
	struct handler handler;
	uint32_t index = 99;

	names_init(&names);
	handler = made_stack(&names, places, loop);
	assert_true(handler_inner(names.finder, names.dictionary,
				  dictionary_count(names.dictionary, DEFINE_STACK), &handler,
				  &index));
	assert_int_equal(index, 2);
	handler = made_stack(&names, missing, loop);
	assert_int_equal(handler.index, 2);
	assert_false(handler_inner(names.finder, names.dictionary,
				   dictionary_count(names.dictionary, DEFINE_STACK), &handler,
				   &index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_function_that_a_person_would_name_is_found),
		cmocka_unit_test(without_a_rule_it_is_the_innermost_frame_of_the_application),
		cmocka_unit_test(the_library_that_a_handler_calls_does_not_matter),
		cmocka_unit_test(the_innermost_rule_with_something_inside_wins),
		cmocka_unit_test(who_started_the_loop_is_not_to_blame_for_it),
		cmocka_unit_test(who_hands_on_is_not_to_blame_for_the_framework),
		cmocka_unit_test(what_lies_deeper_than_a_rule_that_wants_it_next_has_no_role),
		cmocka_unit_test(what_is_missing_is_not_guessed),
		cmocka_unit_test(the_applications_own_code_is_no_framework),
		cmocka_unit_test(middlewares_that_call_each_other_are_passed),
		cmocka_unit_test(a_task_without_a_coroutine_is_a_callback),
		cmocka_unit_test(what_a_framework_calls_is_the_applications_wherever_it_lies),
		cmocka_unit_test(what_a_middleware_puts_in_place_of_send_is_its_own),
		cmocka_unit_test(entry_points_and_generated_code_are_no_handlers),
		cmocka_unit_test(functions_in_strings_are_the_applications_if_that_is_the_program),
		cmocka_unit_test(a_program_that_calls_views_is_not_their_handler),
		cmocka_unit_test(the_applications_innermost_function_is_found),
	};

	return cmocka_run_group_tests_name("symbols_handler", tests, NULL, NULL);
}
