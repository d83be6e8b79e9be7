/* SPDX-License-Identifier: MIT */
/* Every field of the report is written under its own name: a report in which no number occurs twice
 * is compared with the expected JSON. */
#include <signal.h>
#include <jansson.h>

#include "view_made.h"

static const char head[] =
	"{'schema': 'gilscope.report/1', 'version': '1.2.3', 'mode': 'edges',"
	" 'window': {'start_ns': 1001, 'end_ns': 1002}, 'realtime_ns': 1036,"
	" 'evidence': {'events': 1003, 'lost': 1004, 'late': 1005, 'missed': 1006,"
	"  'unknown_ns': 1007, 'sampled_ns': 1008, 'thread_ns': 1009, 'gaps': 1010,"
	"  'contradictions': 1011, 'unread': 1012, 'samples_lost': 1034,"
	"  'stacks': {'taken': 1013, 'missing': 1014, 'torn': 1015, 'unsure': 0,"
	"   'distinct': 1016, 'full': true}},"
	" 'partial': true, 'truncated': true, 'not_measured': [], 'rate_hz': 1017,"
	" 'stall_ns': 1018,"
	" 'service': {'loops': 1, 'loop_ns': 1211, 'stalls': 1504, 'stalled_ns': 0,"
	"  'longest_ns': 1, 'worst_first': [1201]}}";

static const char blame[] =
	"{'handler': {'function': 'work', 'file': '" LIBRARY "lib.py', 'line': 1101,"
	"  'role': 'executor'},"
	" 'loop_states': {'python': 1110, 'native': 1111, 'gil_wait': 1112, 'held_blocked': 1113,"
	"  'held_runnable': 1114, 'blocked': 1115, 'runnable': 1116, 'idle': 1117,"
	"  'unknown': 1118},"
	" 'elsewhere_states': {'python': 1120, 'native': 1121, 'gil_wait': 1122,"
	"  'held_blocked': 1123, 'held_runnable': 1124, 'blocked': 1125, 'runnable': 1126,"
	"  'idle': 1127, 'unknown': 1128},"
	" 'made_loops_wait_ns': 1102, 'made_wait_ns': 1103, 'gc_ns': 1104, 'stalls': 1105,"
	" 'stall_ns': 1106, 'worst_ns': 1107, 'worst_start_ns': 1108, 'samples': 1109}";

static const char process[] =
	"{'pid': 1201, 'cmdline': 'serve', 'title': 'serve', 'python': '3.11.2', 'gil': 'on', "
	"'gc': 'probes',"
	" 'sites': {'method': 'symbols', 'confidence': 'exact', 'take': 1202, 'drop': 1203,"
	"  'wait': 1204},"
	" 'death': {'at_ns': 1205, 'signal': 'SIGABRT', 'status': 1207, 'oom': true,"
	"  'core': true, 'peak_bytes': 1236992,"
	"  'sent': {'signal': 'SIGUSR2', 'at_ns': 1209, 'sender': 1210, 'comm': 'boss'}}}";

static const char gil[] =
	"{'address': '0x515', 'interpreter': 1302, 'held_ns': 1303, 'contended_ns': 1304,"
	" 'unknown_ns': 1308, 'handoffs': 1305, 'forced': 1306, 'violations': 1307,"
	" 'hold': {'count': 2, 'p50_ns': 8, 'p90_ns': 16, 'p99_ns': 16, 'max_ns': 16},"
	" 'wait': {'count': 1, 'p50_ns': 4, 'p90_ns': 4, 'p99_ns': 4, 'max_ns': 4}}";

static const char threads[] =
	"[{'tid': 1401, 'name': 'main', 'python_name': null, 'loop': true, 'gone': false,"
	"  'states': {'python': 1410, 'native': 1411, 'gil_wait': 1412, 'held_blocked': 1413,"
	"   'held_runnable': 1414, 'blocked': 1415, 'runnable': 1416, 'idle': 1417,"
	"   'unknown': 1418},"
	"  'holds': 1402, 'waits': 1403, 'forced_drops': 1404, 'sampled_ns': 1405},"
	" {'tid': 1421, 'name': 'pool', 'python_name': 'AnyIO worker thread', 'loop': false,"
	"  'gone': true,"
	"  'states': {'python': 1430, 'native': 1431, 'gil_wait': 1432, 'held_blocked': 1433,"
	"   'held_runnable': 1434, 'blocked': 1435, 'runnable': 1436, 'idle': 1437,"
	"   'unknown': 1438},"
	"  'holds': 1422, 'waits': 1423, 'forced_drops': 1424, 'sampled_ns': 1425,"
	"  'starved': {'count': 1441, 'ns': 1442, 'start_ns': 1443, 'end_ns': 1444,"
	"   'whole': true, 'blockers': [],"
	"   'stack': [{'function': 'sum_up', 'file': '" LIBRARY "lib.py', 'line': 31},"
	"    {'function': 'work', 'file': '" LIBRARY "lib.py', 'line': 12}]}}]";

static const char loop[] =
	"{'tid': 1401, 'kind': 'uvloop', 'evidence': 'behaviour', 'turns': 1,"
	" 'turn': {'count': 1, 'p50_ns': 2, 'p90_ns': 2, 'p99_ns': 2, 'max_ns': 2},"
	" 'longest_ns': 1501, 'freezes': 1503,"
	" 'longest_freeze': {'start_ns': 1504, 'end_ns': 1505, 'stalls': 1506},"
	" 'stalls_left_out': 1502}";

static const char stalls[] =
	"[{'start_ns': 1601, 'end_ns': 1602, 'began_before': false, 'ongoing': true, 'whole': "
	"false,"
	"  'states': {'python': 1610, 'native': 1611, 'gil_wait': 1612, 'held_blocked': 1613,"
	"   'held_runnable': 1614, 'blocked': 1615, 'runnable': 1616, 'idle': 1617,"
	"   'unknown': 1618},"
	"  'cause': 'gil_wait',"
	"  'stack': [{'function': 'sum_up', 'file': '" LIBRARY "lib.py', 'line': 31},"
	"   {'function': 'work', 'file': '" LIBRARY "lib.py', 'line': 12}],"
	"  'handler': {'function': 'sum_up', 'file': '" LIBRARY "lib.py', 'line': 1603,"
	"   'role': 'route'},"
	"  'task': 'Task-7', 'resolution_ns': 983284,"
	"  'parts': [{'handler': {'function': 'work', 'file': '" LIBRARY "lib.py',"
	"    'line': 1621, 'role': 'callback'},"
	"   'task': 'Task-8', 'start_ns': 1622, 'end_ns': 1623,"
	"   'states': {'python': 1630, 'native': 1631, 'gil_wait': 1632, 'held_blocked': 1633,"
	"    'held_runnable': 1634, 'blocked': 1635, 'runnable': 1636, 'idle': 1637,"
	"    'unknown': 1638}}],"
	"  'blockers': [{'tid': 1421, 'thread': 'pool', 'python_name': 'AnyIO worker thread',"
	"   'ns': 4926, 'states': {'python': 1641, 'held_blocked': 1642, 'held_runnable': 1643},"
	"   'stack': [{'function': 'work', 'file': '" LIBRARY "lib.py', 'line': 1646}],"
	"   'handler': {'function': 'sum_up', 'file': '" LIBRARY "lib.py', 'line': 1644,"
	"    'role': 'thread'},"
	"   'gc_ns': 1645}],"
	"  'syscalls': [{'name': 'read', 'ns': 1651}, {'name': 'syscall_9999', 'ns': 1652}],"
	"  'preempted_by': [{'pid': 1661, 'tid': 1662, 'comm': 'cc1', 'ns': 1663},"
	"   {'pid': 1664, 'tid': 0, 'comm': '(others)', 'ns': 1665},"
	"   {'pid': 0, 'tid': 0, 'comm': 'idle', 'ns': 1666}],"
	"  'throttled_ns': 1671, 'gc_ns': 1672, 'gc_sampled': true, 'stopped_ns': 6,"
	"  'stopped_by': {'stopped': 1, 'traced': 2, 'frozen': 3}},"
	" {'start_ns': 1681, 'end_ns': 1682, 'began_before': false, 'ongoing': false, 'whole': "
	"true,"
	"  'states': {'python': 0, 'native': 0, 'gil_wait': 0, 'held_blocked': 0,"
	"   'held_runnable': 0, 'blocked': 0, 'runnable': 0, 'idle': 0, 'unknown': 1},"
	"  'cause': 'unknown', 'stack': [], 'handler': null, 'task': null, 'resolution_ns': 0,"
	"  'parts': [], 'blockers': [], 'syscalls': [], 'preempted_by': [], 'throttled_ns': 0,"
	"  'gc_ns': 0, 'gc_sampled': false, 'stopped_ns': 0, 'stopped_by': {}}]";

#define STATES(first)                                                                              \
	{.ns = {(first), (first) + 1, (first) + 2, (first) + 3, (first) + 4, (first) + 5,          \
		(first) + 6, (first) + 7, (first) + 8}}

static struct gil_report gils[1];
static struct syscall_share syscalls[] = {{.sysno = 0, .ns = 1651}, {.sysno = 9999, .ns = 1652}};
static struct cpu_share occupants[] = {
	{.pid = 1661, .tid = 1662, .comm = "cc1", .ns = 1663},
	{.pid = 1664, .tid = TID_OTHERS, .comm = "cc2", .ns = 1665},
	{.pid = 0, .tid = 0, .comm = "swapper", .ns = 1666},
};

static void fill_head(struct report *report)
{
	memcpy(report->version, "1.2.3", 6);
	report->mode = MODE_EDGES;
	report->realtime_ns = 35;
	report->window = (struct world_window){.start = 1001,
					       .end = 1002,
					       .events = 1003,
					       .lost = 1004,
					       .late = 1005,
					       .missed = 1006,
					       .gaps = 1010,
					       .contradictions = 1011,
					       .unread = 1012,
					       .unsampled = 1034};
	report->unknown_ns = 1007;
	report->sampled_ns = 1008;
	report->thread_ns = 1009;
	report->stack_evidence.taken = 1013;
	report->stack_evidence.missing = 1014;
	report->stack_evidence.torn = 1015;
	report->stack_evidence.distinct = 1016;
	report->stack_evidence.full = true;
	report->truncated = true;
	report->rate_hz = 1017;
	report->stall_ns = 1018;
}

static void fill_blame(struct made *made)
{
	made->blame[0] = (struct blame){.handler = made_handler(1, 1101, HANDLER_EXECUTOR),
					.loop = STATES(1110),
					.elsewhere = STATES(1120),
					.made_loops_wait_ns = 1102,
					.made_wait_ns = 1103,
					.gc_ns = 1104,
					.stalls = 1105,
					.stall_ns = 1106,
					.worst_ns = 1107,
					.ts_worst = 1108,
					.samples = 1109};
	made->report.blame = made->blame;
	made->report.blame_count = 1;
}

static void fill_process(struct made *made)
{
	static struct gil one = {.address = 0x515, .interpreter = 1302, .violations = 1307};

	made->process.death = (struct death){.known = true,
					     .ts = 1205,
					     .signal = SIGABRT,
					     .status = 1207,
					     .oom = true,
					     .core = true,
					     .peak = 1208};
	made->process.sent = (struct signal_sent){
		.ts = 1209, .number = SIGUSR2, .sender = 1210, .comm = "boss"};
	made->process.info = (struct process_info){.pid = 1201,
						   .cmdline = "serve",
						   .python = "3.11.2",
						   .gil_enabled = true,
						   .gc = GC_PROBES,
						   .method = METHOD_SYMBOLS,
						   .confidence = CONFIDENCE_EXACT,
						   .take = 1202,
						   .drop = 1203,
						   .wait = 1204,
						   .machine = "x86_64"};
	gils[0] = (struct gil_report){.gil = &one,
				      .held_ns = 1303,
				      .contended_ns = 1304,
				      .unknown_ns = 1308,
				      .handoffs = 1305,
				      .forced = 1306};
	assert_int_equal(dist_add(&gils[0].hold, 8) | dist_add(&gils[0].hold, 16), 0);
	assert_int_equal(dist_add(&gils[0].wait, 4), 0);
	made->process_report.gils = gils;
	made->process_report.gil_count = 1;
}

static void fill_threads(struct made *made)
{
	made->loop_thread.tid = 1401;
	memcpy(made->loop_thread.comm, "main", 5);
	made->threads[0] = (struct thread_report){.thread = &made->loop_thread,
						  .states = STATES(1410),
						  .holds = 1402,
						  .waits = 1403,
						  .forced_drops = 1404,
						  .sampled_ns = 1405};
	made->worker.tid = 1421;
	made->worker.gone = true;
	memcpy(made->worker.comm, "pool", 5);
	made->threads[1] = (struct thread_report){.thread = &made->worker,
						  .states = STATES(1430),
						  .holds = 1422,
						  .waits = 1423,
						  .forced_drops = 1424,
						  .sampled_ns = 1425,
						  .starved = {.count = 1441,
							      .ns = 1442,
							      .start = 1443,
							      .end = 1444,
							      .whole = true,
							      .stack = 1}};
}

static void fill_stall(struct made *made)
{
	uint32_t there = made_stack(made, (struct stack_frame[]){{1, 1646}}, 1, false);

	made->shares[0] = (struct stack_share){.stack = there, .states = STATES(1)};
	made->shares[1] = (struct stack_share){.stack = 1, .task = made_text(made, "Task-7")};
	made->blocker = (struct blocker){.thread = &made->worker,
					 .states = {.ns = {[TS_PYTHON] = 1641,
							   [TS_HELD_BLOCKED] = 1642,
							   [TS_HELD_RUNNABLE] = 1643}},
					 .stacks = made->shares,
					 .stack_count = 1,
					 .handler = made_handler(2, 1644, HANDLER_THREAD),
					 .gc_ns = 1645};
	made->parts[0] = (struct turn_part){.handler = made_handler(1, 1621, HANDLER_CALLBACK),
					    .task = made_text(made, "Task-8"),
					    .start = 1622,
					    .end = 1623,
					    .states = STATES(1630)};
	made->stalls[0] = (struct stall){.start = 1601,
					 .end = 1602,
					 .ongoing = true,
					 .cause = TS_GIL_WAIT,
					 .stack = 1,
					 .handler = made_handler(2, 1603, HANDLER_ROUTE),
					 .parts = made->parts,
					 .part_count = 1};
	made->stalls[0].what = (struct breakdown){.states = STATES(1610),
						  .throttled_ns = 1671,
						  .stop_ns = {1, 2, 3},
						  .blockers = &made->blocker,
						  .blocker_count = 1,
						  .syscalls = syscalls,
						  .syscall_count = 2,
						  .preempted_by = occupants,
						  .preempted_by_count = 3,
						  .stacks = &made->shares[1],
						  .stack_count = 1,
						  .gc_ns = 1672,
						  .gc_sampled = true};
}

static void fill_loop(struct made *made)
{
	made->stalls[1] = (struct stall){
		.start = 1681, .end = 1682, .whole = true, .cause = TS_UNKNOWN};
	made->stalls[1].what.states.ns[TS_UNKNOWN] = 1;
	made->loop.kind = LOOP_UVLOOP;
	made->loop.by_behaviour = true;
	made->loop_report = (struct loop_report){.loop = &made->loop,
						 .observed_ns = 1211,
						 .stalls = made->stalls,
						 .stall_count = 2,
						 .stalls_left_out = 1502,
						 .longest_ns = 1501,
						 .freezes = 1503,
						 .freeze = {1504, 1505, 1506}};
	assert_int_equal(dist_add(&made->loop_report.turn, 2), 0);
	made->process_report.loops = &made->loop_report;
	made->process_report.loop_count = 1;
	made->process_report.observed_ns = 1211;
}

/* The JSON of the report; the caller releases it. */
static json_t *written(const struct made *made, uint64_t origin_ns)
{
	size_t size;
	char *text = made_shown(made, &view_json, &(struct view_options){.origin_ns = origin_ns},
				&size);
	json_t *found = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

	free(text);
	assert_non_null(found);
	return found;
}

/* `expected` has ' instead of ". */
static void assert_is(json_t *found, const char *expected)
{
	char *text = strdup(expected), *dumped = json_dumps(found, JSON_SORT_KEYS);
	json_t *value;

	assert_non_null(text);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(value);
	text = json_dumps(value, JSON_SORT_KEYS);
	assert_string_equal(dumped, text);
	json_decref(value);
	free(text);
	free(dumped);
}

/* Removes the only element of that list from the object and returns it. */
static json_t *only(json_t *object, const char *key)
{
	json_t *list = json_object_get(object, key), *element = json_array_get(list, 0);

	assert_int_equal(json_array_size(list), 1);
	json_incref(element);
	json_object_del(object, key);
	return element;
}

static json_t *taken(json_t *object, const char *key)
{
	json_t *value = json_incref(json_object_get(object, key));

	assert_non_null(value);
	json_object_del(object, key);
	return value;
}

static struct made made;

static int setup(void **state)
{
	(void)state;
	made_init(&made);
	fill_head(&made.report);
	fill_blame(&made);
	fill_process(&made);
	fill_threads(&made);
	fill_stall(&made);
	fill_loop(&made);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dist_done(&gils[0].hold);
	dist_done(&gils[0].wait);
	dist_done(&made.loop_report.turn);
	made_done(&made);
	return 0;
}

static void every_field_has_its_own_number(void **state)
{
	json_t *found = written(&made, 0), *blamed = only(found, "blame"),
	       *of_process = only(found, "processes"), *of_gil = only(of_process, "gils"),
	       *of_loop = only(of_process, "loops"), *of_threads = taken(of_process, "threads"),
	       *of_stalls = taken(of_loop, "stalls"), *of_findings = taken(found, "findings"),
	       *element;
	size_t i;

	(void)state;
	json_array_foreach(of_stalls, i, element)
	{
		json_t *remedy = taken(
			element,
			"remedy"); /* its sentences are tested with those of the text report */

		assert_true(json_is_string(remedy));
		json_decref(remedy);
	}
	json_decref(of_findings); /* findings are tested in diagnosis_findings */
	assert_is(found, head);
	assert_is(blamed, blame);
	assert_is(of_process, process);
	assert_is(of_gil, gil);
	assert_is(of_threads, threads);
	assert_is(of_loop, loop);
	assert_is(of_stalls, stalls);
	json_decref(of_stalls);
	json_decref(of_threads);
	json_decref(of_loop);
	json_decref(of_gil);
	json_decref(of_process);
	json_decref(blamed);
	json_decref(found);
}

static void what_is_not_so_is_false(void **state)
{
	json_t *found;

	(void)state;
	made.report.truncated = made.report.stack_evidence.full = false;
	made.report.window.lost = made.report.window.unread = 0;
	made.report.window.unsampled = 0;
	made.report.stacks = false;
	made.report.blame_count = made.report.process_count = 0;
	found = written(&made, 1000);
	json_decref(taken(found, "findings"));
	json_decref(taken(found, "blame"));
	json_decref(taken(found, "processes"));
	assert_is(found, "{'schema': 'gilscope.report/1', 'version': '1.2.3', 'mode': 'edges',"
			 " 'window': {'start_ns': 1, 'end_ns': 2}, 'realtime_ns': 1036,"
			 " 'evidence': {'events': 1003, 'lost': 0, 'late': 1005, 'missed': 1006,"
			 "  'unknown_ns': 1007, 'sampled_ns': 1008, 'thread_ns': 1009,"
			 "  'gaps': 1010, 'contradictions': 1011,"
			 "  'stacks': {'taken': 1013, 'missing': 1014, 'torn': 1015,"
			 "   'unsure': 0, 'distinct': 1016, 'full': false}},"
			 " 'partial': false, 'truncated': false,"
			 " 'not_measured': ['blame', 'handler', 'parts', 'stack', 'task', 'gc_ns'],"
			 " 'rate_hz': 1017, 'stall_ns': 1018, 'origin_ns': '1000',"
			 " 'service': {'loops': 0, 'loop_ns': 0, 'stalls': 0, 'stalled_ns': 0,"
			 "  'longest_ns': 0, 'worst_first': []}}");
	json_decref(found);
}

static void points_in_time_begin_at_the_origin(void **state)
{
	json_t *found = written(&made, 1000), *of_process = only(found, "processes"),
	       *of_loop = only(of_process, "loops"), *blamed = only(found, "blame");
	json_t *stall = json_array_get(json_object_get(of_loop, "stalls"), 0), *part;

	(void)state;
	part = json_array_get(json_object_get(stall, "parts"), 0);
	assert_int_equal(json_integer_value(json_object_get(stall, "start_ns")), 601);
	assert_int_equal(json_integer_value(json_object_get(stall, "end_ns")), 602);
	assert_int_equal(json_integer_value(json_object_get(part, "start_ns")), 622);
	assert_int_equal(json_integer_value(json_object_get(part, "end_ns")), 623);
	assert_int_equal(json_integer_value(json_object_get(blamed, "worst_start_ns")), 108);
	json_decref(blamed);
	json_decref(of_loop);
	json_decref(of_process);
	json_decref(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_field_has_its_own_number, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_so_is_false, setup, teardown),
		cmocka_unit_test_setup_teardown(points_in_time_begin_at_the_origin, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("view_json_fields", tests, NULL, NULL);
}
