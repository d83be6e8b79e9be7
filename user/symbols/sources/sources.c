/* SPDX-License-Identifier: MIT */
#include "symbols/sources/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "symbols/handler_search.h"
#include "symbols/owner.h"

struct known_function {
	uint32_t id;
	uint32_t first_line;
	char *name, *file; /* in one allocation; NULL: not the application's */
};
TABLE_OF(known_function, struct known_function, id)

struct wanted {
	struct {
		uint32_t function, line;
	} place;
};
TABLE_OF(wanted, struct wanted, place)

struct sources {
	struct source_reader *reader;
	struct owners *owners;
	struct table functions;
	struct table wanted;	  /* in the order of asking */
	uint32_t asked, answered; /* of those */
	bool gone;		  /* there will be no more answers */
};

struct sources *sources_new(struct source_reader *reader, const char *cmdline)
{
	struct sources *sources = calloc(1, sizeof(*sources));

	if (!sources || !(sources->owners = owners_new(NULL, 0)) ||
	    owners_add_command(sources->owners, cmdline, search_is_framework) < 0) {
		if (sources)
			owners_free(sources->owners);
		free(sources);
		source_reader_free(reader);
		return NULL;
	}
	sources->reader = reader;
	sources->functions = TABLE(struct known_function, DEFINE_SOURCES_MAX);
	sources->wanted = TABLE(struct wanted, DEFINE_SOURCES_MAX);
	return sources;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	for (uint32_t i = 0; i < sources->functions.count; i++)
		free(((struct known_function *)table_at(&sources->functions, i))->name);
	table_done(&sources->functions);
	table_done(&sources->wanted);
	owners_free(sources->owners);
	source_reader_free(sources->reader);
	free(sources);
}

static const struct known_function *find_function(const struct sources *sources, uint32_t id)
{
	return table_find(&sources->functions, &id, sizeof(id), table_hash(&id, sizeof(id)));
}

static void want(struct sources *sources, uint32_t function, uint32_t line)
{
	struct wanted *wanted;

	(void)wanted_get(&sources->wanted, &(__typeof__(wanted->place)){function, line}, &wanted);
}

void sources_function(struct sources *sources, uint32_t function, const struct code *code)
{
	size_t name_size = strlen(code->name) + 1, file_size = strlen(code->file) + 1;
	struct known_function *known;

	if (!sources || !function || find_function(sources, function) ||
	    code_owner_of(sources->owners, code->name, code->file) != OWNER_APPLICATION ||
	    name_size > SOURCE_NAME_MAX ||
	    known_function_get(&sources->functions, &function, &known))
		return;
	known->name = malloc(name_size + file_size);
	if (!known->name)
		return;
	known->file = known->name + name_size;
	memcpy(known->name, code->name, name_size);
	memcpy(known->file, code->file, file_size);
	known->first_line = code->first_line;
	want(sources, function, 0);
}

void sources_want(struct sources *sources, uint32_t function, uint32_t line)
{
	if (sources && line && line != STACK_GAP_LINE && find_function(sources, function))
		want(sources, function, line);
}

/* False: no more questions fit for now, or there will be no more answers. */
static bool ask(struct sources *sources, const struct wanted *wanted)
{
	const struct known_function *known = find_function(sources, wanted->place.function);
	struct source_question question = {.function = wanted->place.function,
					   .line = wanted->place.line,
					   .first_line = known->first_line};

	if (known->name) {
		strcpy(question.name, known->name);
		strcpy(question.file, known->file);
	}
	return source_reader_ask(sources->reader, &question, &sources->gone);
}

bool sources_next(struct sources *sources, struct source_answer *ret_answer)
{
	if (!sources)
		return false;
	while (!sources->gone && sources->asked < sources->wanted.count &&
	       ask(sources, table_at(&sources->wanted, sources->asked)))
		sources->asked++;
	if (sources->gone || sources->answered == sources->asked ||
	    !source_reader_answer(sources->reader, ret_answer, &sources->gone))
		return false;
	sources->answered++;
	return true;
}

bool sources_wait(struct sources *sources, int timeout_ms)
{
	if (!sources || sources->gone || sources->answered == sources->wanted.count)
		return false;
	source_reader_wait(sources->reader, timeout_ms);
	return true;
}
