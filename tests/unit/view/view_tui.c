/* SPDX-License-Identifier: MIT */
/* The live view's screen, drawn into ncurses' own memory and read back. Real terminals are tested
 * in tests/live/commands/test_top.py. */
#include "view_made.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "analysis/live/live.h"
#include "view/tui/tui.h"

#define LINE_MAX_ 256

static struct made made;
static struct live *live;
static struct tui *tui;
static FILE *in, *out;
static struct tui_status status;
static char screen[160 * LINE_MAX_ * 4];

static int open_tui(const char *term, bool plain, const char *locale)
{
	struct tui_options options = {.in = in = fopen("/dev/null", "r"),
				      .out = out = fopen("/dev/null", "w"),
				      .term = term,
				      .plain = plain};
	struct diag diag = {0};

	if (!setlocale(LC_CTYPE, locale))
		return -1;
	setenv("LINES", "24", 1);
	setenv("COLUMNS", "80", 1);
	assert_int_equal(tui_new(&options, &diag, &tui), 0);
	return 0;
}

static void close_tui(void)
{
	tui_free(tui);
	fclose(in);
	fclose(out);
	tui = NULL;
}

static int setup(void **state)
{
	made_init(&made);
	made_stalls(&made);
	made.stalls[0].culprit = made.blame[2].handler;
	made.stalls[1].culprit = made.stalls[1].handler;
	made.stalls[2].culprit = made.stalls[2].handler;
	made.threads[0].held_ns = 30 * MS;
	made.threads[1].held_ns = 60 * MS;
	live = live_new();
	status = (struct tui_status){0};
	return live_update(live, &made.report);
}

static int teardown(void **state)
{
	close_tui();
	live_free(live);
	made_done(&made);
	return 0;
}

/* All text on the screen; wide characters count once. */
static const char *draw(void)
{
	size_t length = 0;

	tui_draw(tui, &status);
	for (int y = 0; y < LINES; y++) {
		wchar_t line[LINE_MAX_ + 1] = {0};

		mvinnwstr(y, 0, line, LINE_MAX_);
		for (int i = 0; line[i]; i++)
			length += (size_t)snprintf(screen + length, 8, "%lc", (wint_t)line[i]);
		screen[length++] = '\n';
	}
	screen[length] = '\0';
	return screen;
}

static void take(void)
{
	struct live_view view;

	assert_int_equal(live_view_make(live, &view), 0);
	tui_take(tui, &view);
}

static void press(int key)
{
	ungetch(key);
	tui_key(tui, 0);
}

static void assert_shows(const char *words)
{
	if (!strstr(draw(), words))
		fail_msg("no '%s' on\n%s", words, screen);
}

static void the_lists_have_the_figures(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	assert_shows("gilscope top · PID 100 · uvicorn app:app");
	assert_shows(
		"3 stalls in the last 0 s, 262 ms total, longest 120 ms; 47 % of that running");
	assert_shows("1 by tick (");
	assert_shows("LOOP  uvicorn ");
	assert_shows(
		">  -0 s     120 ms  Python        PPPPPPPPPP tick …/application/routes/app.py:92");
	assert_shows(
		"  -0 s    80.0 ms  blocking call BBBBBBBBBB async_sleep_blocking …/app.py:71, …");
	assert_shows(
		"  -0 s    62.0 ms  GIL wait      WWWWWWWWWW work …/dist-packages/lib.py:12     ");
	assert_shows("STALLS 3 newest first");
	assert_shows("AnyIO worker thread     101 ");
	assert_shows("no events lost");
}

static void who_had_the_cpu_is_named(void **state)
{
	struct cpu_share occupant = {.pid = 900, .tid = 900, .comm = "stress-ng", .ns = 60 * MS};

	open_tui("xterm-256color", false, "C.UTF-8");
	made.stalls[1].cause = TS_RUNNABLE;
	made.stalls[1].what.preempted_by = &occupant;
	made.stalls[1].what.preempted_by_count = 1;
	live_free(live);
	live = live_new();
	assert_int_equal(live_update(live, &made.report), 0);
	take();
	assert_shows("no CPU, taken by stress-ng (900)");
	made.stalls[1].what.preempted_by = NULL;
	made.stalls[1].what.preempted_by_count = 0;
}

static void an_ongoing_stall_comes_first(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	made.stalls[1].ongoing = true;
	live_free(live);
	live = live_new();
	assert_int_equal(live_update(live, &made.report), 0);
	take();
	assert_shows("STALLED for 80.0 ms: in blocking calls, in ");
	assert_shows("async_sleep_blocking (…/routes/app.py:71), route; in lib.sum_up");
	assert_shows(">   now  ≥ 80.0 ms  blocking call ");
	press('s');
	assert_shows(">   now  ≥ 80.0 ms  blocking call ");
	press('s');
	assert_shows(">   now  ≥ 80.0 ms  blocking call ");
	press('\r');
	assert_shows("ONGOING STALL of ≥ 80.0 ms");
	/* the details follow the selection */
	made.report.window.end += 500 * MS;
	made.stalls[1].end += 500 * MS;
	made.loop_report.stall_count = 2; /* an ongoing stall is the last in the report */
	made.stalls[1].what.states.ns[TS_BLOCKED] += 500 * MS;
	assert_int_equal(live_update(live, &made.report), 0);
	take();
	assert_shows("ONGOING STALL of ≥ 580 ms");
}

static void details_have_words_of_the_report(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	press(KEY_DOWN);
	press(KEY_DOWN);
	press('\r');
	assert_shows("STALL of 62.0 ms: most of the time waiting for the GIL");
	assert_shows("GIL wait         60.0 ms    97 %  WWWW");
	assert_shows("GIL held by work (…/dist-packages/lib.py:12) in 'AnyIO");
	assert_shows("WHAT TO DO");
	assert_shows("to a process pool");
	press(KEY_END);
	assert_shows("stack of the GIL's holder, innermost frame first:");
	press(27);
	assert_shows(">  -0 s    62.0 ms");
	press('\t');
	press('\r');
	assert_shows("STALL of 80.0 ms");
}

/* A selected stall stays selected when others are inserted before it. */
static void a_choice_stays(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	made.loop_report.stall_count = 2;
	live_free(live);
	live = live_new();
	assert_int_equal(live_update(live, &made.report), 0);
	take();
	press(KEY_DOWN);
	assert_shows(">  -0 s    62.0 ms");
	made.loop_report.stall_count = 3;
	made.report.window.end += 500 * MS;
	assert_int_equal(live_update(live, &made.report), 0);
	take();
	assert_shows(">  -1 s    62.0 ms");
	assert_shows("STALLS 3 ");
}

static void what_is_missing_is_said(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	made.report.window.end += 500 * MS;
	made.report.window.lost = 12345;
	made.report.unknown_ns = 20 * MS;
	made.report.thread_ns += 300 * MS;
	assert_int_equal(live_update(live, &made.report), 0);
	take();
	assert_shows("12 345 events lost in the last minute: 4.0 % of the threads' time unknown.");
	status.ended = "The process has exited.";
	assert_shows("The process has exited. This is what was seen last; q quits.");
	assert_shows("[ended]");
}

static void in_an_ascii_locale_all_is_ascii(void **state)
{
	open_tui("vt100", false, "C");
	made.stalls[2].ongoing = true;
	take();
	for (int sheet = 0; sheet < 3; sheet++) {
		const char *shown = draw();

		for (const char *c = shown; *c; c++)
			assert_true(*c == '\n' || (*c >= ' ' && *c < 0x7f));
		press(sheet ? 'h' : '\r');
	}
	press('h');
	assert_shows("stall >= 0 ns | ");
}

static void the_findings_are_those_of_a_report(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	press('f');
	assert_shows("FINDINGS of the last minute");
	assert_shows(" 1  An unknown function ran Python (or C code holding the GIL) on the");
	assert_shows(" 2  async_sleep_blocking (…/routes/app.py:71) blocked the event loop in ");
	assert_shows("Use the async equivalent of that call");
	assert_null(strstr(draw(), "STALLS"));
	press('f');
	assert_shows("STALLS 3 newest first");
}

static void without_findings_is_said_what_was_looked_at(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	made.loop_report.stall_count = 0;
	live_free(live);
	live = live_new();
	assert_int_equal(live_update(live, &made.report), 0);
	take();
	press('f');
	assert_shows(" 1  No stalls (≥");
	assert_shows("Not looked at");
}

static void again(void)
{
	live_free(live);
	live = live_new();
	assert_int_equal(live_update(live, &made.report), 0);
	take();
}

/* A loop that is idle while every request waits is no good sign. */
static void what_is_no_stall_is_found_too(void **state)
{
	struct pool_report pool = {.process = made.process_report.process,
				   .kind = POOL_ANYIO,
				   .threads = 40,
				   .busy_max = 40,
				   .full_ns = 1500 * MS,
				   .full_worst_ns = 1500 * MS,
				   .back_to_back = 20};

	open_tui("xterm-256color", false, "C.UTF-8");
	made.report.window.end += 1700 * MS;
	made.loop_report.stall_count = 0;
	made.report.pools = &pool;
	made.report.pool_count = 1;
	again();
	assert_shows(
		"The event loop did not stall, but: All 40 threads of AnyIO's pool were busy ");
	assert_shows("1.50 s of 2.00 s; 20 jobs began as soon as a thread was free.");
	press('f');
	assert_shows(" 1  All 40 threads of AnyIO's pool were busy for 1.50 s of 2.00 s");
	assert_shows("raise the limit");
	assert_null(strstr(draw(), "No stalls (≥"));
	made.report.pool_count = 0;
}

static void a_gil_that_was_not_seen_is_not_said_to_be_free(void **state)
{
	struct gil gil = {.process = &made.process};
	struct gil_report unseen = {.gil = &gil};

	open_tui("xterm-256color", false, "C.UTF-8");
	made.report.window.end += 1000 * MS;
	made.process_report.gils = &unseen;
	made.process_report.gil_count = 1;
	for (int i = 0; i < 2; i++) {
		made.threads[i].held_ns = 0;
		made.threads[i].states = (struct state_sums){.ns = {[TS_UNKNOWN] = 1000 * MS}};
	}
	again();
	assert_shows(" not seen to be taken or waited for");
	assert_null(strstr(draw(), "held 0"));
}

static void hostile_names_are_escaped(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	strcpy(made.loop_thread.comm, "x\x1b]0;\xe2\x80\xaexy");
	take();
	assert_shows("x\\x1b]0;\\xe2\\x80\\xa…");
	for (const char *c = screen; *c; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= ' ');
}

/* For any size and any keys: nothing is drawn outside of the screen, and every call returns (under
 * sanitizers). */
static void any_size_and_any_key_will_do(void **state)
{
	static const int keys[] = {KEY_UP,  KEY_DOWN, KEY_NPAGE, KEY_PPAGE, KEY_HOME,
				   KEY_END, '\t',     KEY_BTAB,	 '\r',	    27,
				   's',	    'h',      'q',	 'p',	    '+',
				   '-',	    'r',      'x',	 KEY_RESIZE};
	uint64_t random = 88172645463325252u;

	open_tui("xterm-256color", false, "C.UTF-8");
	draw(); /* before there is any data */
	take();
	for (int i = 0; i < 3000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		if (random % 7 == 0)
			resizeterm(1 + (int)(random >> 8) % 60, 1 + (int)(random >> 16) % 200);
		if (random % 5 == 0) {
			made.report.window.end += 10000 * MS;
			made.loop_report.stall_count = (uint32_t)(random >> 24) % 4;
			assert_int_equal(live_update(live, &made.report), 0);
			take();
		}
		press(keys[(random >> 32) % (sizeof(keys) / sizeof(keys[0]))]);
		draw();
	}
}

static void a_filter_leaves_what_it_names(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	press('/');
	assert_shows("Filter: _");
	for (const char *at = "LIBX"; *at; at++)
		press(*at);
	press(KEY_BACKSPACE);
	assert_shows("Filter: LIB_");
	assert_shows("STALLS 1 newest first /LIB");
	assert_shows(">  -0 s    62.0 ms  GIL wait ");
	assert_null(strstr(draw(), "async_sleep_blocking …"));
	press('\r');
	take(); /* in the next view, too */
	assert_shows("STALLS 1 newest first /LIB");
	assert_shows("THREADS /LIB");
	assert_shows("none matches the filter; Esc clears it");
	press(27);
	assert_shows("STALLS 3 newest first ");
	assert_shows("async_sleep_blocking …");
}

static void letters_are_no_commands_while_a_filter_is_typed(void **state)
{
	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	press('/');
	ungetch('q');
	assert_int_equal(tui_key(tui, 0), TUI_DRAW);
	for (int i = 0; i < 200; i++)
		press('x');
	press(KEY_RESIZE);
	assert_shows("Filter: qxxx");
	press(27);
	ungetch('o');
	assert_int_equal(tui_key(tui, 0), TUI_OTHER);
}

static void mouse(int y, mmask_t button)
{
	MEVENT event = {.y = y, .bstate = button};

	ungetmouse(&event);
	tui_key(tui, 0);
}

static void a_click_chooses_and_another_one_opens(void **state)
{
	const char *at;
	int y = 0;

	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	at = strstr(draw(), "  -0 s    80.0 ms");
	assert_non_null(at);
	for (const char *line = screen; line < at; line++)
		y += *line == '\n';
	mouse(y, BUTTON1_PRESSED);
	assert_shows(">  -0 s    80.0 ms");
	mouse(y + 1, BUTTON1_PRESSED);
	assert_shows(">  -0 s    62.0 ms");
	mouse(0, BUTTON4_PRESSED);
	assert_shows(">  -0 s     120 ms");
	mouse(0, BUTTON5_PRESSED);
	mouse(y + 1, BUTTON1_PRESSED);
	assert_shows("STALL of 62.0 ms");
}

/* Every heading is whole and no figure is cut, whatever the size. */
static void nothing_is_overprinted(void **state)
{
	static const int widths[] = {60, 79, 80, 120, 200};

	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		for (int rows = 10; rows <= 50; rows++) {
			resizeterm(rows, widths[i]);
			if (rows < 12) {
				assert_shows("The window is too small");
				continue;
			}
			assert_shows(">  -0 s     120 ms  Python ");
			assert_shows(" FUNCTIONS 5 by loop time  ");
			assert_shows(" stalls    total    worst ");
			assert_shows(" THREADS 2 by GIL  ");
			assert_shows("  GIL  waits ");
			assert_shows("/ filter  o other  h help  q quit");
			assert_int_equal(strstr(screen, "share, 5 s") != NULL, widths[i] > 60);
			assert_int_equal(strstr(screen, "on loop    waited stalls") != NULL,
					 widths[i] >= 80);
			assert_int_equal(strstr(screen, "W GIL wait  ") != NULL, rows >= 20);
		}
	}
}

static void the_time_of_day_is_shown(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	made.report.realtime_ns = 3723000 * MS - made.report.window.end;
	assert_int_equal(live_update(live, &made.report), 0);
	open_tui("xterm-256color", false, "C.UTF-8");
	take();
	assert_shows(" · 01:02:03 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_lists_have_the_figures, setup, teardown),
		cmocka_unit_test_setup_teardown(who_had_the_cpu_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(an_ongoing_stall_comes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(details_have_words_of_the_report, setup, teardown),
		cmocka_unit_test_setup_teardown(a_choice_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_missing_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(in_an_ascii_locale_all_is_ascii, setup, teardown),
		cmocka_unit_test_setup_teardown(the_findings_are_those_of_a_report, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_findings_is_said_what_was_looked_at, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_no_stall_is_found_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gil_that_was_not_seen_is_not_said_to_be_free,
						setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_names_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(any_size_and_any_key_will_do, setup, teardown),
		cmocka_unit_test_setup_teardown(a_filter_leaves_what_it_names, setup, teardown),
		cmocka_unit_test_setup_teardown(letters_are_no_commands_while_a_filter_is_typed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_click_chooses_and_another_one_opens, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nothing_is_overprinted, setup, teardown),
		cmocka_unit_test_setup_teardown(the_time_of_day_is_shown, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
