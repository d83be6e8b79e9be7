/* SPDX-License-Identifier: MIT */
/* Handlers: stacks of real applications (symbols_handler.stacks, written by tests/apps/handlers) and made ones, and whose file is whose. */
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

#define STACKS "tests/unit/symbols_handler.stacks"

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

	assert_int_equal(dictionary_define(names->dictionary, &(struct definition){.kind = DEFINE_FUNCTION, .id = id,
										    .function = {.name = name, .file = file, .line = id}}), 0);
	return id;
}

static uint32_t define_stack(struct names *names, const struct stack_frame *frames, uint32_t count)
{
	uint32_t id = dictionary_count(names->dictionary, DEFINE_STACK) + 1;

	assert_int_equal(dictionary_define(names->dictionary,
					   &(struct definition){.kind = DEFINE_STACK, .id = id, .stack = {.frames = frames, .count = count}}), 0);
	return id;
}

static const char *last_part(const char *name)
{
	return strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
}

static const char *function_name(const struct names *names, uint32_t function)
{
	const struct definition *definition = dictionary_find(names->dictionary, DEFINE_FUNCTION, function);

	return definition ? definition->function.name : "";
}

/* ── real stacks ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* "stack CASE ROLE HANDLER N N …": the N count from `first` on. Returns false and says so when something else is found. */
static bool real_stack(struct names *names, char *line, uint32_t first)
{
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	const char *at = strtok(line, " \n") ? strtok(NULL, " \n") : NULL, *role = strtok(NULL, " \n"), *wanted = strtok(NULL, " \n"), *word;
	struct handler handler;
	uint32_t count = 0, stack;

	while ((word = strtok(NULL, " \n"))) {
		assert_true(count < DEFINE_FRAMES_MAX);
		frames[count++] = (struct stack_frame){.function = first + (uint32_t)atoi(word), .line = count};
	}
	assert_true(count);
	stack = define_stack(names, frames, count);
	handler = handler_find(names->finder, names->dictionary, stack);
	if (strcmp(handler_role_name(handler.role), role) == 0 && strcmp(last_part(function_name(names, handler.frame.function)), wanted) == 0) {
		assert_memory_equal(&handler.frame, &frames[handler.index], sizeof(handler.frame));
		return true;
	}
	print_message("           %s: %s %s, not %s %s\n", at, handler_role_name(handler.role), function_name(names, handler.frame.function), role, wanted);
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
			assert_int_equal(define_function(&names, name, path), first + (uint32_t)atoi(line + 9));
		} else {
			stacks++;
			wrong += !real_stack(&names, line, first);
		}
	}
	assert_true(stacks > 100);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_function_that_a_person_would_name_is_found),
	};

	return cmocka_run_group_tests_name("symbols_handler", tests, NULL, NULL);
}
