/* SPDX-License-Identifier: MIT */
/* Which files are the application's, a library's, or the standard library's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "symbols/handler.h"
#include "symbols/owner.h"

#define SITE   "/srv/venv/lib/python3.11/site-packages/"
#define STDLIB "/usr/lib/python3.11/"

static void files_of_the_application_and_of_libraries(void **state)
{
	static const char *const application[] = {
		"/srv/app/main.py",
		"main.py",
		"./app/main.py",
		"../main.py",
		"",
		"<stdin>",
		"<ipython-input-1-0>",
		"/usr/share/thing/run.py",
		"/home/me/python3.11/app.py",
		"/srv/lib/app/python3.11.py",
		"/srv/site-packages.py",
		"/srv/lib/python3.11",
		"/srv/lib/python3.x/app.py",
		"/srv/lib/python3/app.py",
		"/srv/my-site-packages/app.py",
		"/opt/lib/python31/app.py",
		"/srv/xlib/python3.11/app.py",
		"/srv/приложение/é.py",
	};
	static const char *const library[] = {
		STDLIB "asyncio/events.py",
		"/usr/lib64/python3.9/ssl.py",
		"/usr/local/lib/python3.13/threading.py",
		SITE "fastapi/routing.py",
		"/usr/lib/python3/dist-packages/fastapi/routing.py",
		"/opt/pyenv/versions/3.11.7/lib/python3.11/asyncio/tasks.py",
		"/opt/conda/lib/python3.12/site-packages/numpy/__init__.py",
		"/usr/lib/python311.zip/os.py",
		"/usr/lib/python3.13t/os.py",
		"venv/lib/python3.11/site-packages/x.py",
		"lib/python3.11/os.py",
		"<frozen importlib._bootstrap>",
		"<frozen runpy>",
		"<attrs generated init app.Model>",
		"<decorator-gen-12>",
		"<__array_function__ internals>",
		"<string>",
	};
	struct handler_finder *finder = handler_finder_new(NULL, 0);

	for (size_t i = 0; i < sizeof(application) / sizeof(application[0]); i++)
		if (!handler_is_application(finder, application[i]))
			fail_msg("%s is the application's", application[i]);
	for (size_t i = 0; i < sizeof(library) / sizeof(library[0]); i++)
		if (handler_is_application(finder, library[i]))
			fail_msg("%s is a library's", library[i]);
	handler_finder_free(finder);
}

static void what_a_person_says_is_the_application_is(void **state)
{
	static const char *const roots[] = {SITE "shop", SITE "tool.py",
					    "/usr/lib/python3/dist-packages/shop//"};
	struct handler_finder *finder = handler_finder_new(roots, 3);

	assert_true(handler_is_application(finder, SITE "shop/views.py"));
	assert_true(handler_is_application(finder, SITE "tool.py"));
	assert_true(handler_is_application(finder, "/usr/lib/python3/dist-packages/shop/x.py"));
	assert_true(handler_is_application(finder, "/elsewhere.py"));
	assert_false(handler_is_application(finder, SITE "shopping/views.py"));
	assert_false(handler_is_application(finder, SITE "tool.pyc"));
	assert_false(handler_is_application(finder, SITE "x/shop/views.py"));
	handler_finder_free(finder);
}

static void what_the_command_line_names_is_the_applications(void **state)
{
	static const struct {
		const char *command, *file;
		bool application;
	} cases[] = {
		{"/srv/venv/bin/python -m uvicorn shop.api:app", SITE "shop/api.py", true},
		{"/srv/venv/bin/python -m uvicorn shop.api:app", SITE "shops/api.py", false},
		{"/srv/venv/bin/python -m uvicorn shop.api:app", SITE "uvicorn/server.py", false},
		{"python -m shop", SITE "shop/__main__.py", true},
		{"python -m tool serve", SITE "tool.py", true},
		{"/usr/bin/python3 /srv/venv/bin/my-shop run", SITE "my_shop/cli.py", true},
		{"gunicorn -b localhost:8000 shop.wsgi", SITE "shop/wsgi.py", true},
		{"gunicorn -b localhost:8000 shop.wsgi", SITE "localhost/x.py", false},
		{"celery -A shop worker", SITE "shop/tasks.py", true},
		{"celery -A shop worker", SITE "worker/x.py", false},
		{"python /srv/venv/bin/datasette shop.db", SITE "datasette/views/x.py", true},
		{"python /srv/venv/bin/fastapi dev", SITE "fastapi/routing.py", false},
		{"python3 -c import time", "<string>", true},
		{"/usr/bin/python3.11 -X dev -W error -Iuc import time", "<string>", true},
		{"python3 -c from multiprocessing.spawn import spawn_main", "<string>", false},
		{"python3 -u /srv/app.py -c x", "<string>", false},
		{"gunicorn -c conf.py shop:app", "<string>", false},
		{"python3", "<string>", false},
		{"python -m gunicorn -k uvicorn.workers.UvicornWorker x:y", SITE "uvicorn/x.py",
		 false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct handler_finder *finder = handler_finder_new(NULL, 0);
		struct stream_sink sink = handler_finder_sink(finder);
		struct process_info info = {0};

		snprintf(info.cmdline, sizeof(info.cmdline), "%s", cases[i].command);
		assert_int_equal(sink_process(&sink, &info), 0);
		if (handler_is_application(finder, cases[i].file) != cases[i].application)
			fail_msg("%s: %s", cases[i].command, cases[i].file);
		handler_finder_free(finder);
	}
}

static void libraries_are_recognised_by_their_modules(void **state)
{
	static const struct {
		const char *file, *module;
	} cases[] = {
		{STDLIB "subprocess.py", "subprocess"},
		{STDLIB "json/decoder.py", "json.decoder"},
		{STDLIB "json/__init__.py", "json"},
		{SITE "requests/api.py", "requests.api"},
		{SITE "tool.py", "tool"},
		{"/srv/app/main.py", "main"},
		{"<string>", "<string>"},
		{"", ""},
	};
	char module[64], small[4];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		owner_module(cases[i].file, module, sizeof(module));
		assert_string_equal(module, cases[i].module);
	}
	owner_module(STDLIB "subprocess.py", small, sizeof(small));
	assert_string_equal(small, "sub");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_the_application_and_of_libraries),
		cmocka_unit_test(what_a_person_says_is_the_application_is),
		cmocka_unit_test(what_the_command_line_names_is_the_applications),
		cmocka_unit_test(libraries_are_recognised_by_their_modules),
	};

	return cmocka_run_group_tests_name("symbols_owner", tests, NULL, NULL);
}
