/* SPDX-License-Identifier: MIT */
/* Debug offsets: which of them are used, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "python/interpreter/asyncio.h"
#include "python/versions/debug_offsets.h"
#include "python/elf/decoder.h"
#include "python/elf/elf_scan.h"
#include "python/interpreter/gc_sites.h"
#include "python/interpreter/gil.h"
#include "python/versions/layout.h"
#include "python/private.h"
#include "python/process/proc.h"
#include "python/interpreter/stacks.h"
#include "python/interpreter/version.h"

enum { WORDS = DEBUG_OFFSETS_WORDS };

/* The start of _PyRuntime of CPython 3.14.10 as Debian builds it. */
static void debug_offsets_of_314(uint64_t words[WORDS])
{
	memset(words, 0, WORDS * sizeof(words[0]));
	memcpy(words, "xdebugpy", 8);
	words[1] = 0x030e0af0;
	words[24 / 8] = 316616; /* sizes: runtime, interpreter, thread state */
	words[48 / 8] = 225864;
	words[176 / 8] = 832;
	words[40 / 8] = 808;
	words[56 / 8] = 7280;
	words[64 / 8] = 7272;
	words[72 / 8] = 7344;
	words[120 / 8] = 16;
	words[128 / 8] = 7784;
	words[144 / 8] = 7800;
	words[152 / 8] = 7792;
	words[192 / 8] = 8;
	words[200 / 8] = 16;
	words[216 / 8] = 152;
	words[224 / 8] = 160;
	words[88 / 8] = 7408; /* gc, sys.modules, current_frame */
	words[96 / 8] = 7688;
	words[208 / 8] = 72;
	for (size_t i = 0; i < 6; i++) {
		static const uint16_t frame[] = {88, 8, 0, 56, 80, 74},
				      code[] = {216, 112, 120, 128, 136, 68};

		words[248 / 8 + i] = frame[i];
		words[312 / 8 + i] = code[i];
	}
	words[384 / 8] = 208;
	memcpy(&words[400 / 8], (uint64_t[]){16, 8, 416, 24}, 32);
	memcpy(&words[592 / 8], (uint64_t[]){40, 16, 32, 64, 32, 16, 40, 256, 192}, 72);
}

static void debug_offsets_give_the_layout(void **state)
{
	uint64_t words[WORDS];
	struct python_layout layout;

	debug_offsets_of_314(words);
	assert_int_equal(layout_parse_debug_offsets(words, WORDS, 0x030e0af0, 316616, &layout), 0);
	assert_int_equal(layout.runtime_interpreters, 808);
	assert_int_equal(layout.interp_gil, 16);
	assert_int_equal(layout.interp_next, 7272);
	assert_int_equal(layout.interp_threads, 7344);
	assert_int_equal(layout.tstate_thread_id, 152);
	assert_int_equal(layout.tstate_native_thread_id, 160);
	assert_int_equal(layout.drop_request_kind, DROP_REQUEST_TSTATE);
	assert_false(layout.free_threaded);
	assert_int_equal(layout.gil.enabled, GIL_NO_FIELD);
	assert_int_equal(layout.gil.last_holder, 8);
}

/* Its GIL has an additional first field; the table must say so, too. */
static void a_free_threaded_build_has_another_gil(void **state)
{
	uint64_t words[WORDS];
	struct python_layout layout;

	debug_offsets_of_314(words);
	words[2] = 1;
	assert_int_equal(layout_parse_debug_offsets(words, WORDS, 0x030e0af0, 316616, &layout),
			 -ENOTSUP);
	words[144 / 8] += 8;
	words[152 / 8] += 8;
	assert_int_equal(layout_parse_debug_offsets(words, WORDS, 0x030e0af0, 316616, &layout), 0);
	assert_true(layout.free_threaded);
	assert_int_equal(layout.gil.enabled, 0);
	assert_int_equal(layout.gil.interval, 8);
	assert_int_equal(layout.gil.last_holder, 16);
	assert_int_equal(layout.gil.locked, 24);
	assert_int_equal(layout.gil.cond, 40);
	assert_int_equal(layout.gil.switch_cond - layout.gil.cond,
			 sizeof(pthread_cond_t) + sizeof(pthread_mutex_t));
	words[136 / 8] = 208;
	assert_int_equal(layout_parse_debug_offsets(words, WORDS, 0x030e0af0, 316616, &layout),
			 -ENOTSUP);
}

/* What the walker gets from these offsets. */
static int parse_stacks(const uint64_t words[WORDS], struct python_layout *layout,
			struct stack_layout *stack)
{
	int err = layout_parse_debug_offsets(words, WORDS, 0x030e0af0, 0, layout);

	return err ? err : stack_layout_of(layout, 0x1000, stack);
}

static void debug_offsets_give_the_frames(void **state)
{
	uint64_t words[WORDS];
	struct stack_layout stack;
	struct python_layout layout;

	debug_offsets_of_314(words);
	assert_int_equal(parse_stacks(words, &layout, &stack), 0);
	assert_int_equal(stack.tstate_frame, 72);
	assert_int_equal(stack.interp_gc_collecting, 7600);
	assert_int_equal(stack.frame_previous, 8);
	assert_int_equal(stack.frame_code, 0);
	assert_int_equal(stack.frame_instr, 56);
	assert_int_equal(stack.frame_owner, 74);
	assert_int_equal(stack.code_instructions, 208);
	assert_int_equal(stack.code_span, 56);
	assert_int_equal(stack.code_name_word, 8);
	assert_int_equal(stack.code_linetable_word, 10);
	assert_true(stack.code_tagged);
	assert_false(stack.code_weak);
	assert_int_equal(stack.cframe_current, STACK_NONE);
	assert_int_equal(stack.tstate_task, STACK_NONE);
	assert_int_equal(stack.unicode_hash, 24);
	assert_int_equal(stack.unicode_ascii, 40);
	assert_int_equal(stack.bytes_data, 32);
	assert_int_equal(layout.code_firstlineno, 68);
	assert_int_equal(layout.code_filename, 112);
	assert_int_equal(layout.code_qualname, 128);
	assert_int_equal(layout.type_name, 24);
	assert_int_equal(layout.unicode_compact, 56);
	assert_int_equal(layout.lines_form, LINES_311);
	assert_int_equal(stack.frame_copy, STACK_NONE);
	assert_int_equal(layout.unicode_shift, 0);
	/* free-threaded: threads have copies of the instructions, and the state of str differs */
	words[2] = 1;
	words[144 / 8] += 8;
	words[152 / 8] += 8;
	words[304 / 8] = 72;
	words[392 / 8] = 200;
	assert_int_equal(parse_stacks(words, &layout, &stack), 0);
	assert_int_equal(stack.frame_copy, 72);
	assert_int_equal(stack.code_copies, 200);
	assert_int_equal(layout.unicode_shift, 6);
	words[304 / 8] = 88;
	assert_int_equal(parse_stacks(words, &layout, &stack), -ENOTSUP);
}

static void frames_of_debug_offsets_that_do_not_fit_are_refused(void **state)
{
	static const struct {
		unsigned int byte;
		uint64_t value;
	} spoilt[] = {
		{208, 832},	   {208, 73},  {256, 88},
		{264, UINT64_MAX}, {272, 4},   {248, UINT64_MAX},
		{288, 88},	   {320, 216}, {312, UINT64_C(1) << 40},
		{384, 207},	   {344, 48},  {344, 208},
		{320, 40},	   {328, 144}, {352, 40},
		{408, 16},	   {656, 256}, {88, 225864},
		{608, 40},	   {640, 72},  {624, 33},
		{632, 64},
	};
	uint64_t words[WORDS];
	struct stack_layout stack;
	struct python_layout layout;

	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		debug_offsets_of_314(words);
		words[spoilt[i].byte / 8] = spoilt[i].value;
		stack.runtime = 0;
		/* everything but stacks can still be read */
		assert_int_equal(
			layout_parse_debug_offsets(words, WORDS, 0x030e0af0, 316616, &layout), 0);
		assert_int_equal(parse_stacks(words, &layout, &stack), -ENOTSUP);
		assert_int_equal(stack.runtime, 0);
	}
	debug_offsets_of_314(words);
	/* a larger object header, as in free-threaded builds, moves the span with the fields */
	for (size_t i = 320 / 8; i <= 352 / 8; i++)
		words[i] += 16;
	words[312 / 8] = 232;
	assert_int_equal(parse_stacks(words, &layout, &stack), 0);
	assert_int_equal(stack.code_span, 72);
	assert_int_equal(stack.code_name_word, 8);
}

static void asyncio_says_where_its_loops_and_tasks_are(void **state)
{
	const uint64_t good[ASYNCIO_DEBUG_WORDS] = {160,    136,   96,	108, 109, 128, 144,
						    225864, 10880, 936, 864, 872, 880};
	static const struct {
		unsigned int word;
		uint64_t value;
	} spoilt[] = {{0, 136},	 {0, UINT64_MAX}, {1, 137},
		      {1, 0},	 {9, 864},	  {9, UINT64_C(1) << 40},
		      {10, 936}, {10, 872},	  {11, UINT64_MAX},
		      {11, 0}};
	struct target_private private = {0};
	struct target target = {.private = &private,
				.stack = {.tstate_task = STACK_NONE, .task_name = STACK_NONE}};
	uint64_t words[ASYNCIO_DEBUG_WORDS];

	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		memcpy(words, good, sizeof(words));
		words[spoilt[i].word] = spoilt[i].value;
		assert_int_equal(asyncio_parse(words, &target), -EINVAL);
		assert_int_equal(target.stack.tstate_task, STACK_NONE);
		assert_int_equal(private.tstate_loop, 0);
	}
	assert_int_equal(asyncio_parse(good, &target), 0);
	assert_int_equal(private.tstate_loop, 864);
	assert_int_equal(target.stack.tstate_task, 872);
	assert_int_equal(target.stack.task_name, 136);
}

static void a_collections_generation_is_found_where_the_note_says(void **state)
{
	static const struct {
		const char *text;
		int number, base, value;
	} arguments[] = {
#if defined(__x86_64__)
		{"-4@%ebp", 6, -1, 0},
		{"-4@%r12d", 12, -1, 0},
		{"-4@%rdi -8@%rsi", -2, -1, 0},
		{"-4@$2", -1, -1, 2},
		{"-4@$-1", -1, -1, -1},
		{"-4@112(%rsp)", -2, 7, 112},
		{"-4@(%rax)", -2, 0, 0},
		{"-4@-228(%rbp)", -2, 6, -228},
		{"8@-16(%rbp)", -2, -1, 0},
		{"-4@8(%rax,%rbx,4)", -2, -1, 0},
		{"-4@x(%rip)", -2, -1, 0},
		{"-4@4(%rip)", -2, -1, 0},
		{"-4@%xmm0", -2, -1, 0},
		{"-4@99999999999(%rsp)", -2, -1, 0},
		{"-4@8(%rsp", -2, -1, 0},
		{"-4@8%rsp)", -2, -1, 0},
		{"-4@$", -2, -1, 0},
		{"-4@$2x", -2, -1, 0},
#else
		{"-4@w19", 19, -1, 0},
		{"-4@2", -1, -1, 2},
		{"-4@[sp, 28]", -2, 31, 28},
		{"-4@[x29]", -2, 29, 0},
		{"-4@x31", -2, -1, 0},
#endif
		{"", -2, -1, 0},
		{"-4@", -2, -1, 0},
		{"-4", -2, -1, 0},
		{"-4@00000000000000000000000000000000000000000000000000000000000000000000000000000",
		 -2, -1, 0},
	};

	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		struct gc_site site = {
			.generation_register = 99, .generation_base = 99, .generation = 99};

		gc_argument_parse(arguments[i].text, &site);
		assert_int_equal(site.generation_register, arguments[i].number);
		assert_int_equal(site.generation_base, arguments[i].base);
		assert_int_equal(site.generation, arguments[i].value);
	}
}

static void debug_offsets_that_do_not_fit_are_refused(void **state)
{
	static const struct {
		unsigned int word;
		uint64_t value;
	} spoilt[] = {
		{0, 0},		  {1, 0x030e0bf0},	{2, 2},
		{24 / 8, 316617}, {48 / 8, 7000},	{48 / 8, UINT64_MAX},
		{176 / 8, 100},	  {144 / 8, 7801},	{152 / 8, 7784},
		{64 / 8, 7273},	  {40 / 8, UINT64_MAX},
	};
	uint64_t words[WORDS];
	struct python_layout layout;

	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		debug_offsets_of_314(words);
		words[spoilt[i].word] = spoilt[i].value;
		assert_int_equal(
			layout_parse_debug_offsets(words, WORDS, 0x030e0af0, 316616, &layout),
			-ENOTSUP);
	}
	debug_offsets_of_314(words);
	assert_int_equal(layout_parse_debug_offsets(words, 10, 0x030e0af0, 316616, &layout),
			 -ENOTSUP);
	/* a version is not mistaken for its neighbour */
	words[1] = 0x030d05f0;
	assert_int_equal(layout_parse_debug_offsets(words, WORDS, 0x030d05f0, 316616, &layout),
			 -ENOTSUP);
}

/* Tables are not read beyond their rows, whatever version is requested. */
static void versions_without_a_row_are_refused(void **state)
{
	const unsigned int others[] = {0,
				       PYTHON_MINOR_MIN - 1,
				       PYTHON_MINOR_MIN,
				       PYTHON_MINOR_ROWS,
				       PYTHON_MINOR_MAX + 1,
				       PYTHON_MINOR_MAX + 2,
				       255};
	uint64_t words[WORDS];
	struct python_layout layout;
	struct stack_layout stack;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		uint32_t hex = 3u << 24 | others[i] << 16 | 0xf0;
		bool row = others[i] == PYTHON_MINOR_MIN || others[i] == PYTHON_MINOR_ROWS;

		debug_offsets_of_314(words);
		words[1] = hex;
		assert_int_equal(layout_parse_debug_offsets(words, WORDS, hex, 316616, &layout),
				 -ENOTSUP);
		assert_int_equal(layout_read(getpid(), hex, (uintptr_t)words, 0, &layout),
				 row ? 0 : -ENOTSUP);
		assert_int_equal(row ? stack_layout_of(&layout, 0x1000, &stack) : 0, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debug_offsets_give_the_layout),
		cmocka_unit_test(a_free_threaded_build_has_another_gil),
		cmocka_unit_test(debug_offsets_give_the_frames),
		cmocka_unit_test(frames_of_debug_offsets_that_do_not_fit_are_refused),
		cmocka_unit_test(asyncio_says_where_its_loops_and_tasks_are),
		cmocka_unit_test(a_collections_generation_is_found_where_the_note_says),
		cmocka_unit_test(debug_offsets_that_do_not_fit_are_refused),
		cmocka_unit_test(versions_without_a_row_are_refused),
	};

	return cmocka_run_group_tests_name("python_offsets", tests, NULL, NULL);
}
