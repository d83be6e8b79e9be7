/* SPDX-License-Identifier: MIT */
/* Code objects of real processes: every installed Python describes many of its own
 * (tests/apps/code_objects.py), and each must be resolved to that. */
#include "symbols_helpers.h"

#include <jansson.h>

#define SCRIPT "tests/apps/code_objects.py"

struct truth {
	struct child child;
	struct target *target;
	struct received received;
	json_t *codes;
};

static void truth_done(struct truth *truth)
{
	json_decref(truth->codes);
	received_done(&truth->received);
	target_free(truth->target);
	child_kill(&truth->child);
}

static void truth_init(struct truth *truth, const char *program, const char *which)
{
	_cleanup_(freep) char *line = NULL;
	size_t room = 0;

	truth->child = spawn(
		program, (char *[]){(char *)program, (char *)SCRIPT, (char *)which, NULL}, NULL);
	truth->codes = json_array();
	for (;;) {
		json_t *code;
		json_error_t error;

		assert_true(getline(&line, &room, truth->child.from) > 0);
		if (line[0] == '\n')
			break;
		code = json_loads(line, 0, &error);
		if (!code)
			fail_msg("%s: %s", error.text, line);
		json_array_append_new(truth->codes, code);
	}
	truth->target = open_target(truth->child.pid);
	assert_true(truth->target->stack.runtime);
	received_init(&truth->received);
	assert_int_equal(symbols_add_process(truth->received.symbols, (uint32_t)truth->child.pid,
					     &truth->target->stack, &truth->target->layout),
			 0);
}

/* Has the child execute a statement. */
static void make(struct truth *truth, const char *statement)
{
	assert_int_equal(write(truth->child.to, statement, strlen(statement)),
			 (ssize_t)strlen(statement));
	assert_int_equal(write(truth->child.to, "\n", 1), 1);
	assert_string_equal(line_of(&truth->child), "done");
}

static uint64_t number(const json_t *code, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(code, key));
}

static const char *text(const json_t *code, const char *key)
{
	return json_string_value(json_object_get(code, key));
}

static struct shared_frame frame_of(struct truth *truth, const json_t *code, uint32_t lasti)
{
	uint64_t address = number(code, "code");

	return (struct shared_frame){
		.code = address,
		.lasti = lasti,
		.check = check_of(truth->child.pid, &truth->target->stack, address)};
}

static uint32_t true_line(const json_t *code, uint32_t lasti)
{
	const json_t *lines = json_object_get(code, "lines"), *pair;
	uint32_t line = 0;
	size_t i;

	json_array_foreach(lines, i, pair)
	{
		if (json_integer_value(json_array_get(pair, 0)) > lasti)
			break;
		line = (uint32_t)json_integer_value(json_array_get(pair, 1));
	}
	return line;
}

static void assert_frame(const struct truth *truth, const json_t *code, struct stack_frame frame,
			 uint32_t line)
{
	const struct definition *function = dictionary_find(truth->received.dictionary,
							    DEFINE_FUNCTION, frame.function);

	assert_non_null(function);
	assert_string_equal(function->function.name, text(code, "name"));
	assert_string_equal(function->function.file, text(code, "file"));
	assert_int_equal(function->function.line, number(code, "first"));
	if (frame.line != line)
		fail_msg("%s of %s: line %u, not %u", text(code, "name"), text(code, "file"),
			 frame.line, line);
}

/* All its instructions, as stacks of up to 128 frames. */
static void assert_code(struct truth *truth, const json_t *code)
{
	uint32_t bytes = (uint32_t)number(code, "bytes");
	struct shared_frame frame = frame_of(truth, code, 0);

	while (frame.lasti < bytes) {
		struct shared_stack stack = stack_of(&truth->received, (uint32_t)truth->child.pid,
						     0);
		const struct definition *found;

		for (; stack.hdr.aux < DEFINE_FRAMES_MAX && frame.lasti < bytes; frame.lasti += 2)
			stack.frames[stack.hdr.aux++] = frame;
		found = resolved(&truth->received, &stack);
		for (uint32_t i = 0; i < stack.hdr.aux; i++)
			assert_frame(truth, code, found->stack.frames[i],
				     true_line(code, stack.frames[i].lasti));
	}
}

static void all_right(const char *program)
{
	_cleanup_(truth_done) struct truth truth;
	const json_t *code;
	size_t i;

	truth_init(&truth, program, "all");
	assert_true(json_array_size(truth.codes) > 100);
	json_array_foreach(truth.codes, i, code) assert_code(&truth, code);
	assert_int_equal(symbols_status(truth.received.symbols).frames_missing, 0);
	/* each function once, although some code objects are equal */
	assert_true(dictionary_count(truth.received.dictionary, DEFINE_FUNCTION) <=
		    json_array_size(truth.codes));
	assert_int_equal(symbols_status(truth.received.symbols).reads,
			 json_array_size(truth.codes));
}

static void every_instruction_of_every_python_has_its_function_file_and_line(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, all_right);
}

static void instructions_without_a_place(const char *program)
{
	_cleanup_(truth_done) struct truth truth;
	const json_t *code;
	uint32_t created;

	truth_init(&truth, program, "few");
	code = json_array_get(truth.codes, 5);
	created = truth.target->stack.instr_kind == STACK_INSTR ? (uint32_t)-2 : UINT32_MAX;
	assert_frame(&truth, code,
		     resolved_frame(&truth.received, (uint32_t)truth.child.pid,
				    frame_of(&truth, code, created)),
		     (uint32_t)number(code, "first"));
	assert_frame(&truth, code,
		     resolved_frame(&truth.received, (uint32_t)truth.child.pid,
				    frame_of(&truth, code, (uint32_t)-4)),
		     0);
	assert_frame(&truth, code,
		     resolved_frame(&truth.received, (uint32_t)truth.child.pid,
				    frame_of(&truth, code, 0x80000000)),
		     0);
	if (truth.target->stack.instr_kind == STACK_INSTR)
		assert_frame(&truth, code,
			     resolved_frame(&truth.received, (uint32_t)truth.child.pid,
					    frame_of(&truth, code, UINT32_MAX)),
			     0);
	if (truth.target->layout.lines_form !=
	    LINES_LNOTAB) /* the table does not say where its last line ends */
		assert_frame(&truth, code,
			     resolved_frame(&truth.received, (uint32_t)truth.child.pid,
					    frame_of(&truth, code, 0x7fffffff)),
			     0);
}

static void an_unknown_instruction_has_no_line_and_a_new_frame_the_first(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, instructions_without_a_place);
}

static void nothing_else_is_taken_for_it(const char *program)
{
	_cleanup_(truth_done) struct truth truth;
	uint32_t pid;
	struct shared_frame frame, wrong;
	const json_t *code;

	truth_init(&truth, program, "few");
	pid = (uint32_t)truth.child.pid;
	code = json_array_get(truth.codes, 1);
	frame = frame_of(&truth, code, 0);
	for (int bit = 0; bit < 32; bit++) { /* another object was there */
		wrong = frame;
		wrong.check ^= 1u << bit;
		assert_int_equal(resolved_frame(&truth.received, pid, wrong).function, 0);
	}
	wrong = frame; /* not an object; and not a code object although the checksum matches */
	wrong.code += 16;
	wrong.check = check_of(truth.child.pid, &truth.target->stack, frame.code);
	assert_int_equal(resolved_frame(&truth.received, pid, wrong).function, 0);
	wrong.check = 0;
	wrong.code = 0; /* stands for omitted frames */
	assert_int_equal(resolved_frame(&truth.received, pid, wrong).function, 0);
	assert_int_equal(resolved_frame(&truth.received, pid, wrong).line, STACK_GAP_LINE);
	wrong.code = UINT64_MAX - 8;
	assert_int_equal(resolved_frame(&truth.received, pid, wrong).function, 0);
	/* of an unknown process */
	assert_int_equal(resolved_frame(&truth.received, pid + 1, frame).function, 0);
	assert_int_equal(symbols_status(truth.received.symbols).reads, 0);
	/* all others give the same: one missing frame */
	assert_int_equal(symbols_status(truth.received.symbols).stacks, 2);
	assert_int_equal(symbols_status(truth.received.symbols).frames_missing, 1);
	assert_frame(&truth, code, resolved_frame(&truth.received, pid, frame), true_line(code, 0));
}

static void what_is_not_the_code_object_that_was_seen_is_missing(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, nothing_else_is_taken_for_it);
}

static void known_after_it_is_gone(const char *program)
{
	_cleanup_(truth_done) struct truth truth;
	uint32_t pid;
	struct shared_frame kept, late;
	const json_t *code, *other;

	truth_init(&truth, program, "few");
	pid = (uint32_t)truth.child.pid;
	code = json_array_get(truth.codes, 2);
	other = json_array_get(truth.codes, 3);
	kept = frame_of(&truth, code, 0);
	late = frame_of(&truth, other, 0);
	resolved_frame(&truth.received, pid, kept);
	kill(truth.child.pid, SIGKILL);
	waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	kept.lasti = (uint32_t)number(code, "bytes") - 2;
	assert_frame(&truth, code, resolved_frame(&truth.received, pid, kept),
		     true_line(code, kept.lasti));
	assert_int_equal(resolved_frame(&truth.received, pid, late).function, 0);
	symbols_remove_process(truth.received.symbols, pid);
	kept.lasti = 2;
	assert_int_equal(resolved_frame(&truth.received, pid, kept).function, 0);
}

static void what_was_read_once_is_known_when_the_process_is_gone(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, known_after_it_is_gone);
}

/* Has the child create `c`, a code object with its own name and file, and describe it. The caller
 * owns the result. */
static json_t *make_code(struct truth *truth, int i)
{
	char statement[128], line[1024];
	json_t *code;

	snprintf(statement, sizeof(statement),
		 "c = made('def n%d(): pass', 'f%d').co_consts[0]; tell(c)\n", i, i);
	assert_int_equal(write(truth->child.to, statement, strlen(statement)),
			 (ssize_t)strlen(statement));
	assert_non_null(fgets(line, sizeof(line), truth->child.from));
	code = json_loads(line, 0, NULL);
	assert_non_null(code);
	assert_string_equal(line_of(&truth->child), "done");
	return code;
}

/* One code object after another at the same addresses. A freed one is missing, before and after its
 * address is reused, and the new one is not mistaken for it. */
static void freed_code(const char *program)
{
	_cleanup_(truth_done) struct truth truth;
	struct shared_frame freed[25] = {0};
	uint32_t reused = 0, count = 0;

	truth_init(&truth, program, "few");
	make(&truth, "import gc; gc.disable()");
	for (int i = 0; i < 50; i++) {
		json_t *code = make_code(&truth, i);
		struct shared_frame frame = frame_of(&truth, code, 0);

		for (uint32_t k = 0; k < count; k++) {
			reused += frame.code == freed[k].code;
			assert_int_equal(
				resolved_frame(&truth.received, (uint32_t)truth.child.pid, freed[k])
					.function,
				0);
		}
		if (i % 2) /* only then we keep a copy of it */
			assert_frame(
				&truth, code,
				resolved_frame(&truth.received, (uint32_t)truth.child.pid, frame),
				true_line(code, 0));
		/* in free-threaded builds the reference count alone does not decide */
		make(&truth, "del c; gc.collect()");
		if (i % 2 == 0)
			assert_int_equal(resolved_frame(&truth.received, (uint32_t)truth.child.pid,
							freed[count++] = frame)
						 .function,
					 0);
		json_decref(code);
	}
	assert_true(reused > 0);
}

static void code_that_was_freed_is_missing(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, freed_code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_of_every_python_has_its_function_file_and_line),
		cmocka_unit_test(an_unknown_instruction_has_no_line_and_a_new_frame_the_first),
		cmocka_unit_test(what_is_not_the_code_object_that_was_seen_is_missing),
		cmocka_unit_test(what_was_read_once_is_known_when_the_process_is_gone),
		cmocka_unit_test(code_that_was_freed_is_missing),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("symbols_python", tests, NULL, NULL);
}
