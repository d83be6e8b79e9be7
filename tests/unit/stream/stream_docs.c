/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include <stdarg.h>

#define DOCS	"docs/trace-format.md" /* tests run in the top folder of the tree */
#define COLUMNS 100

/* Writes an entry of the list, wrapped at blanks and indented after its bullet. */
static void entry(FILE *file, int indent, const char *format, ...)
{
	char text[1024], *save = NULL;
	size_t column = (size_t)indent + 1;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(file, "%*s*", indent, "");
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (column + 1 + strlen(word) > COLUMNS) {
			fprintf(file, "\n%*s", indent + 1, "");
			column = (size_t)indent + 1;
		}
		fprintf(file, " %s", word);
		column += 1 + strlen(word);
	}
	fputc('\n', file);
}

static void list(FILE *file)
{
	static const char *const types[] = {[FIELD_u32] = "u32",
					    [FIELD_s32] = "s32",
					    [FIELD_u64] = "u64",
					    [FIELD_comm] = "16 bytes"};

	for (unsigned int type = 0; type < EV_COUNT; type++) {
		const struct event_schema *schema = event_schema(type);

		if (!schema)
			continue;
		entry(file, 0, "**%u `%s`** (tid: %s, aux: %s): %s", type, schema->name,
		      schema->tid, schema->aux, schema->doc);
		for (const struct event_flag *flag = schema->flags; flag->name; flag++)
			entry(file, 2, "bit %u `%s`: %s", flag->bit, flag->name, flag->doc);
		for (const struct event_field *field = schema->fields; field->name; field++)
			entry(file, 2, "%s `%s`%s%s", types[field->type], field->name,
			      *field->doc ? ": " : "", field->doc);
	}
}

static void the_documented_list_of_events_is_that_of_events_def(void **state)
{
	static char docs[1 << 16];
	char *expected = NULL, *first, *end;
	size_t length;
	bool same;
	FILE *memory = open_memstream(&expected, &length), *file = fopen(DOCS, "r");

	list(memory);
	fclose(memory);
	if (!file)
		fail_msg("%s is not there: run the tests at the top of the tree", DOCS);
	docs[fread(docs, 1, sizeof(docs) - 1, file)] = '\0';
	fclose(file);
	first = strstr(docs, "\n* **1 `");
	end = first ? strstr(first, "\n\n") : NULL;
	same = end && (size_t)(end - first) == length && memcmp(first + 1, expected, length) == 0;
	if (!same)
		fputs(expected, stderr); /* cmocka's messages are too short for it */
	free(expected);
	if (!same)
		fail_msg("the list in %s should be the one above", DOCS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_documented_list_of_events_is_that_of_events_def),
	};

	return cmocka_run_group_tests_name("stream docs", tests, NULL, NULL);
}
