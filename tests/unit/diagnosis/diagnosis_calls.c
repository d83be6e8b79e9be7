/* SPDX-License-Identifier: MIT */
/*
 * Advice by frame: every row of calls.def and frameworks.def is found for a real function of a real
 * file (diagnosis_calls.frames), and for no other.
 *
 * A line of that file: the use (slept, ran, awaited, body), its file below the library's root, its
 * qualified name, the row that is found ("-": none), and, where it differs, the row found for the
 * last part of the name, which is all that code objects had before 3.11.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "diagnosis/calls.h"

#define FRAMES "tests/unit/diagnosis/diagnosis_calls.frames"

static const char *const roots[] = {
	"/usr/lib/python3.11/",
	"/usr/lib64/python3.9/",
	"/opt/conda/lib/python3.13t/",
	"/usr/lib/python311.zip/",
	"/srv/venv/lib/python3.14/site-packages/",
	"/usr/lib/python3/dist-packages/",
	"venv/lib/python3.12/site-packages/",
};

static const char *const uses[CALL_USES] = {
	[CALL_SLEPT] = "slept",
	[CALL_RAN] = "ran",
	[CALL_AWAITED] = "awaited",
	[CALL_BODY] = "body",
};

struct frame {
	const char *use, *file, *function, *what, *bare;
};

static void parse(char *line, struct frame *ret)
{
	char *save;

	line[strcspn(line, "\n")] = '\0';
	*ret = (struct frame){
		.use = strtok_r(line, "\t", &save),
		.file = strtok_r(NULL, "\t", &save),
		.function = strtok_r(NULL, "\t", &save),
		.what = strtok_r(NULL, "\t", &save),
	};
	assert_non_null(ret->what);
	ret->bare = strtok_r(NULL, "\t", &save);
	if (!ret->bare)
		ret->bare = ret->what;
}

static enum call_use use_of(const struct frame *frame)
{
	for (int use = 0; use < CALL_USES; use++)
		if (strcmp(frame->use, uses[use]) == 0)
			return (enum call_use)use;
	fail_msg("no use is called %s", frame->use);
	return CALL_USES;
}

/* The row that is found, whose text must be `what`. */
static const struct library_call *found(const struct frame *frame, const char *root,
					const char *function, const char *what)
{
	char file[512];
	const struct library_call *call;

	snprintf(file, sizeof(file), "%s%s", root, frame->file);
	call = library_call_find(file, function, use_of(frame));
	if (strcmp(call && call->what ? call->what : "-", what) != 0)
		fail_msg("%s %s of %s is %s, not %s", frame->use, function, file,
			 call && call->what ? call->what : "nothing", what);
	return call;
}

static const char *last_part(const char *name)
{
	return strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
}

static void each_frame(void (*each)(const struct frame *frame, void *ctx), void *ctx)
{
	_cleanup_(fclosep) FILE *file = fopen(FRAMES, "re");
	_cleanup_(freep) char *line = NULL;
	size_t room = 0;

	assert_non_null(file);
	while (getline(&line, &room, file) > 0) {
		struct frame frame;

		parse(line, &frame);
		each(&frame, ctx);
	}
}

/* ── real frames ─────────────────────────────────────────────────────────── */

#define ROWS_MAX 512

struct rows {
	bool found[ROWS_MAX][CALL_USES];
};

static void find_frame(const struct frame *frame, void *ctx)
{
	struct rows *rows = ctx;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		const struct library_call *call = found(frame, roots[i], frame->function,
							frame->what);

		found(frame, roots[i], last_part(frame->function), frame->bare);
		if (call)
			rows->found[call - library_calls][use_of(frame)] = true;
		call = library_call_find("", "", CALL_SLEPT);
		assert_null(call);
	}
	/* "-" for a name without its class may hide a row that only such a name finds */
	if (!strchr(frame->function, '.') || strcmp(frame->bare, "-") == 0)
		return;
	rows->found[found(frame, roots[0], last_part(frame->function), frame->bare) - library_calls]
		   [use_of(frame)] = true;
}

static void every_row_is_found_for_a_real_function(void **state)
{
	struct rows rows = {0};

	assert_true(library_call_count >= 60 && library_call_count <= ROWS_MAX);
	each_frame(find_frame, &rows);
	for (size_t i = 0; i < library_call_count; i++) {
		const struct library_call *call = &library_calls[i];

		for (int use = 0; use < CALL_USES; use++)
			if ((call->advice[use] || (!call->what && use == CALL_SLEPT)) &&
			    !rows.found[i][use])
				fail_msg("no frame finds row %zu for %s: %s %s", i, uses[use],
					 call->file, call->function);
	}
}

/* ── owners of files ─────────────────────────────────────────────────────── */

static void in_no_library(const struct frame *frame, void *ctx)
{
	static const char *const own[] = {
		"",
		"./",
		"/srv/app/",
		"/srv/python3.11/",
		"/srv/xlib/python3.11/",
		"/srv/lib/app/",
		"/srv/my-site-packages/",
		"/srv/lib/python3.11/app/",
		"/srv/venv/lib/python3.11/site-packages/shop/",
		"/srv/venv/lib/python3.11/site-packages/pip/_vendor/",
		"/srv/venv/lib/python3.11/site-packages/x",
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		found(frame, own[i], frame->function, "-");
}

static void an_applications_own_files_may_be_called_like_a_librarys(void **state)
{
	each_frame(in_no_library, NULL);
	assert_null(library_call_find("/srv/app/queue.py", "Queue.get", CALL_SLEPT));
	assert_null(library_call_find("/usr/lib/python3.11/queue.pyc", "Queue.get", CALL_SLEPT));
	assert_null(library_call_find("/usr/lib/python3.11/queue.py/", "Queue.get", CALL_SLEPT));
}

static void modules_in_the_interpreters_binary_are_the_standard_librarys(void **state)
{
	const struct library_call *call = library_call_find("<frozen os>", "walk", CALL_SLEPT);

	assert_non_null(call);
	assert_string_equal(call->what, "os.walk()");
	call = library_call_find("<frozen importlib._bootstrap>", "_find_and_load", CALL_SLEPT);
	assert_non_null(call);
	assert_string_equal(call->what, "an import");
	assert_null(library_call_find("<frozen os", "walk", CALL_SLEPT));
	assert_null(library_call_find("<frozen os>x", "walk", CALL_SLEPT));
	assert_null(library_call_find("<frozen os.path>", "walk", CALL_SLEPT));
	assert_null(library_call_find("<frozen importlib/_bootstrap>", "x", CALL_SLEPT));
	assert_null(library_call_find("<frozen >", "walk", CALL_SLEPT));
	assert_null(library_call_find("<string>", "walk", CALL_SLEPT));
}

/* ── functions ───────────────────────────────────────────────────────────── */

#define STDLIB "/usr/lib/python3.11/"

static void names_are_compared_from_a_dot_on(void **state)
{
	assert_null(library_call_find(STDLIB "queue.py", "PriorityQueue.getter", CALL_SLEPT));
	assert_null(library_call_find(STDLIB "queue.py", "_PySimpleQueue.get", CALL_SLEPT));
	assert_null(library_call_find(STDLIB "threading.py", "MyEvent.wait_", CALL_SLEPT));
	assert_null(library_call_find(STDLIB "subprocess.py", "rerun", CALL_SLEPT));
	assert_null(library_call_find(STDLIB "subprocess.py", "run.<locals>.x", CALL_SLEPT));
	assert_non_null(library_call_find(STDLIB "ssl.py", "x.SSLSocket.read", CALL_SLEPT));
	assert_null(library_call_find(STDLIB "ssl.py", "MySSLSocket.read", CALL_SLEPT));
}

/* ── sentences ───────────────────────────────────────────────────────────── */

static void advice_is_a_sentence(void **state)
{
	for (size_t i = 0; i < library_call_count; i++)
		for (int use = 0; use < CALL_USES; use++) {
			const struct library_call *call = &library_calls[i];
			const char *advice = call->advice[use];

			assert_true(!advice || call->what);
			if (!advice)
				continue;
			assert_true(advice[0] && advice[strlen(advice) - 1] == '.');
			assert_true(strstr(advice, "..") == NULL || strstr(advice, "..."));
			/* one colon at most */
			if (strchr(advice, ':'))
				assert_null(strchr(strchr(advice, ':') + 1, ':'));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_for_a_real_function),
		cmocka_unit_test(an_applications_own_files_may_be_called_like_a_librarys),
		cmocka_unit_test(modules_in_the_interpreters_binary_are_the_standard_librarys),
		cmocka_unit_test(names_are_compared_from_a_dot_on),
		cmocka_unit_test(advice_is_a_sentence),
	};

	return cmocka_run_group_tests_name("diagnosis_calls", tests, NULL, NULL);
}
