/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include "base/diag.h"
#include "stream/script/script.h"

static int read_text(const char *text, size_t length, struct kept *kept, struct diag *diag)
{
	FILE *file = fmemopen((void *)text, length, "r");
	int err;

	assert_non_null(file);
	err = script_read(file, keep_head, kept, keep_sink(kept), diag);
	fclose(file);
	return err;
}

static char *write_text(const struct kept *kept, size_t *ret_length)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_length);

	assert_non_null(file);
	assert_int_equal(script_write_head(file, &kept->head), 0);
	assert_int_equal(play(kept, script_sink(file)), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void every_event_survives_a_script_bit_for_bit(void **state)
{
	struct kept before = {0}, after = {0};
	struct diag diag = {0};
	size_t length;
	char *text;

	random_stream(&before, 20000);
	text = write_text(&before, &length);
	if (read_text(text, length, &after, &diag))
		fail_msg("%s", diag.what);
	assert_int_equal(after.heads, 1);
	assert_same_head(&before.head, &after.head);
	assert_identical(&before, &after);
	free(text);
	kept_done(&before);
	kept_done(&after);
}

static void the_longest_description_of_a_process_fits_a_line(void **state)
{
	struct kept before = {0}, after = {0};
	struct process_info info = {
		.pid = UINT32_MAX, .take = UINT32_MAX, .drop = UINT32_MAX, .wait = UINT32_MAX};
	struct diag diag = {0};
	size_t length;
	char *text;

	memset(info.cmdline, 0xff, sizeof(info.cmdline) - 1);
	memset(info.python, 1, sizeof(info.python) - 1);
	info.method = METHOD_SYMBOLS;
	info.confidence = CONFIDENCE_APPROXIMATE;
	memset(info.image, 0xff, sizeof(info.image) - 1);
	memset(info.machine, 0xff, sizeof(info.machine) - 1);
	info.gc = GC_SAMPLES;
	keep_process(&before, &info);
	text = write_text(&before, &length);
	assert_int_equal(read_text(text, length, &after, &diag), 0);
	assert_same(&before, &after);
	free(text);
	kept_done(&before);
	kept_done(&after);
}

static void the_longest_definitions_fit_a_line(void **state)
{
	struct kept before = {0}, after = {0};
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	char longest[DEFINE_TEXT_MAX], longer[DEFINE_TEXT_MAX + 1];
	struct definition function = {
		.kind = DEFINE_FUNCTION, .id = 1, .function = {longest, longest, UINT32_MAX}};
	struct definition stack = {
		.kind = DEFINE_STACK, .id = 1, .stack = {frames, DEFINE_FRAMES_MAX, true}};
	struct definition cut = {.kind = DEFINE_TEXT, .id = 1, .text = longer};
	struct diag diag = {0};
	size_t length;
	char *text;

	memset(longest, ' ', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	memset(longer, ' ', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	for (int i = 0; i < DEFINE_FRAMES_MAX; i++)
		frames[i] = (struct stack_frame){1, UINT32_MAX};
	keep_define(&before, &function);
	keep_define(&before, &stack);
	keep_define(&before, &cut);
	text = write_text(&before, &length);
	assert_int_equal(read_text(text, length, &after, &diag), 0);
	assert_identical(&before, &after);
	kept_done(&after);
	memcpy(strstr(text, "file=") - 1, "x", 1); /* a byte more than a name may have */
	assert_int_equal(read_text(text, length, &after, &diag), -EINVAL);
	assert_non_null(strstr(diag.what, "name= is longer than 1023 bytes"));
	free(text);
	kept_done(&before);
}

static void one_frame_too_many_is_refused(void **state)
{
	char text[2048] = "gilscope-script 1 {}\nstack 1";
	struct kept kept = {0};
	struct diag diag = {0};

	for (int i = 0; i < DEFINE_FRAMES_MAX; i++)
		strcat(text, " 0:1");
	assert_int_equal(read_text(text, strlen(text), &kept, &diag), 0);
	assert_int_equal(kept.definitions[0].count, DEFINE_FRAMES_MAX);
	kept_done(&kept);
	strcat(text, " 0:1");
	assert_int_equal(read_text(text, strlen(text), &kept, &diag), -EINVAL);
	assert_non_null(strstr(diag.what, "a stack has more than 128 frames"));
}

static void a_script_looks_as_documented(void **state)
{
	static const char expected[] =
		"gilscope-script 1 {\"version\": \"0.1.0\", \"mode\": \"exact\", \"kernel\": \"\", "
		"\"realtime_ns\": 0, \"monotonic_ns\": 0, "
		"\"stacks\": false, \"rate_hz\": 0}\n"
		"function 1 line=12 name=Handler.get file=/srv/my\\x20app.py\n"
		"function 2 line=0 name=<lambda> file=\n"
		"stack 1 1:15 0:0 2:4294967295\n"
		"stack 2 cut 1:16\n"
		"text 1 text=Aufgabe\\x20f\u00fcr\\x0a\\xff=5\n"
		"text 2 text=\n"
		"1000.000000000 4711 take gil=0\n"
		"1000.000000000 4711 stack gil=0 wait stack=1 task=1 root=0x7f0000001000\n"
		"1000.000120000 4711 switch_out cpu=1 syscall sysno=230\n"
		"1000.000130000 4712 comm pid=4711 comm=AnyIO\\x20worker\n"
		"1000.000140000 4711 epoll_enter epfd=5 timeout_ms=-1\n"
		"1000.000150000 4711 gil gil=1 address=0x7f0000001000\n"
		"1000.000160000 0 window aux=7 end flags=0xf0\n";
	static const char typed[] = "# a comment\n"
				    "\n"
				    "gilscope-script 1 {\"version\":\"0.1.0\",\"mode\":\"exact\"}\n"
				    "function 1 file=/srv/my\\x20app.py line=0xc name=Handler.get\n"
				    " function\t2 name=<lambda> \n"
				    "stack 1 1:15\t 0:0 2:0xffffffff \n"
				    "stack 2 cut 1:16\n"
				    "text 1 text=Aufgabe\\x20f\u00fcr\\x0A\\xff=5\n"
				    "text 2\n"
				    "1000 4711 take\n"
				    "1000 4711 stack wait root=139637976731648 task=1 stack=1\n"
				    "  1000.00012   4711\tswitch_out sysno=0xe6 syscall cpu=0x1  \n"
				    "# another\n"
				    "1000.000130000 4712 comm comm=AnyIO\\x20worker pid=4711\n"
				    "1000.00014 4711 epoll_enter timeout_ms=-1 epfd=5 aux=0\n"
				    "1000.00015 4711 gil address=139637976731648 gil=1\n"
				    "1000.00016 0 window flags=240 end aux=7";
	struct kept kept = {0};
	struct diag diag = {0};
	size_t length;
	char *text;

	if (read_text(typed, strlen(typed), &kept, &diag))
		fail_msg("%s", diag.what);
	text = write_text(&kept, &length);
	assert_string_equal(text, expected);
	free(text);
	kept_done(&kept);
}

struct wrong_line {
	const char *line, *what, *hint; /* parts of the message */
};

static void assert_named(const struct wrong_line *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct kept kept = {0};
		struct diag diag = {0};
		char text[512];
		int length = snprintf(text, sizeof(text),
				      "gilscope-script 1 {}\n1.0 1 take\n%s\n2.0 1 drop\n",
				      cases[i].line);

		assert_int_equal(read_text(text, (size_t)length, &kept, &diag), -EINVAL);
		if (!strstr(diag.what, cases[i].what) || strncmp(diag.what, "line 3: ", 8) != 0 ||
		    !strstr(diag.hint, cases[i].hint))
			fail_msg("'%s' is said to be: %s (%s)", cases[i].line, diag.what,
				 diag.hint);
		assert_int_equal(diag.status, EXIT_FAILED);
		assert_int_equal(kept.length, 1);
		kept_done(&kept);
	}
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
	static const struct wrong_line cases[] = {
		{"1000.0 1 tkae", "line 3: 'tkae' is not an event", "take, drop"},
		{"1000.0 1", "line 3: '' is not an event", "take, drop"},
		{"1000.0 -1 take", "line 3: '-1' is not a tid", "4294967295"},
		{"1000.0 4294967296 take", "is not a tid", "4294967295"},
		{"1000.0000000001 1 take", "is not a time", "seconds"},
		{"1000. 1 take", "is not a time", "seconds"},
		{"0x10.5 1 take", "is not a time", "seconds"},
		{"-1 1 take", "is not a time", "seconds"},
		{"18446744073.709551616 1 take", "is not a time", "seconds"},
		{"18446744074 1 take", "is not a time", "seconds"},
		{"take", "'take' is not a time", "seconds"},
		{"1 1 take gil=65536", "gil='65536' is not a number of 0 to 65535", ""},
		{"1 1 take gil=", "gil='' is not a number", ""},
		{"1 1 take gil=-1", "gil='-1' is not a number", ""},
		{"1 1 take gil=0x", "gil='0x' is not a number", ""},
		{"1 1 take gil=1 gil=1", "'gil' comes twice", ""},
		{"1 1 take gil", "take has no flag 'gil'", "gil="},
		{"1 1 take aux=1", "take has no field 'aux'", "gil="},
		{"1 1 take cpu=1", "take has no field 'cpu'", "gil="},
		{"1 1 wait_end locked locked", "'locked' comes twice", ""},
		{"1 1 wait_end locked=1", "wait_end has no field 'locked'", "locked"},
		{"1 1 wait_end flags=1", "has the bit of 'locked'", ""},
		{"1 1 wait_end flags=256", "flags='256' is not a number of 0 to 255", ""},
		{"1 1 switch_out sysno=2147483648", "sysno='2147483648' is not a number", ""},
		{"1 1 switch_out sysno=-2147483649", "sysno='-2147483649' is not a number", ""},
		{"1 1 observe holder=4294967296", "holder='4294967296' is not", ""},
		{"1 1 gil address=18446744073709551616",
		 "is not a number of 0 to 18446744073709551615", ""},
		{"1 1 comm comm=12345678901234567", "longer than 16 bytes", ""},
		{"1 1 comm comm=\\x4", "backslash that is not", ""},
		{"1 1 comm comm=a b", "comm has no flag 'b'", "pid="},
		{"1 1 take \x1b[31m", "take has no flag '\\x1b[31m'", ""},
		{"process", "not a JSON object", ""},
		{"process []", "not a JSON object", ""},
		{"process {}", "\"pid\" is missing", ""},
		{"process {\"pid\": 4294967296}", "\"pid\" must be a number", ""},
		{"process {\"pid\": 1.0}", "\"pid\" must be a number", ""},
		{"process {\"pid\": 1, \"pid\": 2}", "duplicate", ""},
		{"process {\"pid\": 1, \"colour\": 2}", "\"colour\" is unknown", ""},
		{"process {\"pid\": 1, \"python\": 3}", "\"python\" must be a string", ""},
		{"process {\"pid\": 1, \"python\": \"01234567890123456789012345678901\"}",
		 "\"python\" is too long", ""},
		{"process {\"pid\": 1, \"python\": \"\\\\q\"}", "\"python\" has a backslash", ""},
		{"process {\"pid\": 1, \"python\": \"\\\\x00\"}", "\"python\" has a NUL", ""},
		{"process {\"pid\": 1, \"gil_enabled\": 1}", "must be true or false", ""},
		{"process {\"pid\": 1} x", "not a JSON object", ""},
	};

	assert_named(cases, sizeof(cases) / sizeof(cases[0]));
}

static void what_is_wrong_with_a_definition_is_named_with_its_line(void **state)
{
	static const struct wrong_line cases[] = {
		{"function", "'' is not the number of a function", "name="},
		{"function x name=f", "'x' is not the number of a function", "name="},
		{"function 0 name=f", "a definition's number is not the next of its kind", ""},
		{"function 2 name=f", "a definition's number is not the next of its kind", ""},
		{"function 4294967297 name=f", "'4294967297' is not the number", ""},
		{"function 1 name=f name=g", "'name' comes twice", ""},
		{"function 1 name", "'name' does not belong", "function ID"},
		{"function 1 text=f", "'text' does not belong", "function ID"},
		{"function 1 name=my f", "'f' does not belong", "function ID"},
		{"function 1 line=-1", "line='-1' is not a number of 0 to 4294967295", ""},
		{"function 1 line=4294967296", "line='4294967296' is not a number", ""},
		{"function 1 name=a\\x00b", "name= has a NUL", ""},
		{"function 1 file=\\q", "file= has a backslash", ""},
		{"functions 1 name=f", "'functions' is not a time", "function"},
		{"stack 1", "a stack has no frames", ""},
		{"stack 1 cut", "a stack has no frames", ""},
		{"stack 1 0:1 cut", "'cut' is not a frame", "[cut]"},
		{"stack 1 cut cut 0:1", "'cut' is not a frame", "[cut]"},
		{"stack 1 1:1", "a stack names a function that is not defined", ""},
		{"stack 1 0", "'0' is not a frame", "FUNCTION:LINE"},
		{"stack 1 0:", "'0:' is not a frame", ""},
		{"stack 1 :5", "':5' is not a frame", ""},
		{"stack 1 0:1:2", "'0:1:2' is not a frame", ""},
		{"stack 1 0:-1", "'0:-1' is not a frame", ""},
		{"stack 1 0:4294967296", "is not a frame", ""},
		{"stack 2 0:1", "a definition's number is not the next of its kind", ""},
		{"text 1 name=f", "'name' does not belong", "text ID"},
		{"text 1 =f", "'' does not belong", "text ID"},
		{"text 1 text=\\x0", "text= has a backslash", ""},
	};

	assert_named(cases, sizeof(cases) / sizeof(cases[0]));
}

static void what_is_no_script_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		int err;
		const char *what;
	} cases[] = {
		{"# only a comment\n", 17, -EINVAL, "has no head"},
		{"1.0 1 take\n", 11, -EINVAL, "line 1: this is not a gilscope script"},
		{"gilscope-script 2 {}\n", 21, -ENOTSUP, "format '2'"},
		{"gilscope-script 1\n", 18, -EINVAL, "line 1: the head: not a JSON object"},
		{"gilscope-script 1 {}\n1.0 1\0 take\n", 34, -EINVAL, "line 2: a NUL"},
	};
	char longest[SCRIPT_LINE_MAX + 64];
	struct kept kept = {0};
	struct diag diag = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_text(cases[i].text, cases[i].length, &kept, &diag),
				 cases[i].err);
		assert_non_null(strstr(diag.what, cases[i].what));
		assert_int_equal(diag.status,
				 cases[i].err == -ENOTSUP ? EXIT_UNSUPPORTED : EXIT_FAILED);
		assert_int_equal(kept.length, 0);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "gilscope-script 1 {}\n#", 22);
	assert_int_equal(read_text(longest, 21 + SCRIPT_LINE_MAX - 1, &kept, &diag), 0);
	assert_int_equal(read_text(longest, 21 + SCRIPT_LINE_MAX, &kept, &diag), -EINVAL);
}

static void a_script_is_distinguished_from_a_trace(void **state)
{
	assert_true(script_recognise("gilscope-script 1", 15));
	assert_true(script_recognise("# twenty lines", 14));
	assert_false(script_recognise("gilscope-script", 14));
	assert_false(script_recognise("GILSCOPE\1\0\0\0\0\0\0\0", 16));
	assert_false(script_recognise("", 0));
}

static void errors_of_the_sink_and_of_the_disk_come_back(void **state)
{
	static const char text[] = "gilscope-script 1 {}\n1.0 1 take\n2.0 1 drop\n";
	struct kept kept = {.fail_at = 2};
	struct diag diag = {0};
	FILE *full = fopen("/dev/full", "w");
	union event event = random_event(EV_COMM);
	struct stream_sink sink = script_sink(full);
	int err = 0;

	assert_int_equal(read_text(text, strlen(text), &kept, &diag), -ECANCELED);
	assert_true(strstr(diag.what, "line 3"));
	kept_done(&kept);

	for (int i = 0; i < 10000 && !err; i++)
		err = sink_event(&sink, &event);
	assert_int_equal(err, -ENOSPC);
	event.hdr.type = EV_COUNT;
	assert_int_equal(sink_event(&sink, &event), -EINVAL);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_survives_a_script_bit_for_bit),
		cmocka_unit_test(the_longest_description_of_a_process_fits_a_line),
		cmocka_unit_test(the_longest_definitions_fit_a_line),
		cmocka_unit_test(one_frame_too_many_is_refused),
		cmocka_unit_test(a_script_looks_as_documented),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line),
		cmocka_unit_test(what_is_wrong_with_a_definition_is_named_with_its_line),
		cmocka_unit_test(what_is_no_script_is_refused),
		cmocka_unit_test(a_script_is_distinguished_from_a_trace),
		cmocka_unit_test(errors_of_the_sink_and_of_the_disk_come_back),
	};

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
