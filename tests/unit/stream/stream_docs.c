/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#define DOCS "docs/trace-format.md" /* tests run at the top of the tree */

static void table(FILE *file)
{
	static const char *const types[] = {[FIELD_u32] = "u32",
					    [FIELD_s32] = "s32",
					    [FIELD_u64] = "u64",
					    [FIELD_comm] = "16 bytes"};

	for (unsigned int type = 0; type < EV_COUNT; type++) {
		const struct event_schema *schema = event_schema(type);

		if (!schema)
			continue;
		fprintf(file, "| %u | `%s` | %s | %s | %s |", type, schema->name, schema->tid,
			schema->aux, schema->doc);
		for (const struct event_flag *flag = schema->flags; flag->name; flag++)
			fprintf(file, "%sbit %u `%s`: %s", flag == schema->flags ? " " : "<br>",
				flag->bit, flag->name, flag->doc);
		fprintf(file, " |");
		for (const struct event_field *field = schema->fields; field->name; field++)
			fprintf(file, "%s%s `%s`%s%s", field == schema->fields ? " " : "<br>",
				types[field->type], field->name, *field->doc ? ": " : "",
				field->doc);
		fprintf(file, " |\n");
	}
}

static void the_documented_table_of_events_is_that_of_events_def(void **state)
{
	static char docs[1 << 16];
	char *expected = NULL, *first, *end;
	size_t length;
	bool same;
	FILE *memory = open_memstream(&expected, &length), *file = fopen(DOCS, "r");

	table(memory);
	fclose(memory);
	if (!file)
		fail_msg("%s is not there: run the tests at the top of the tree", DOCS);
	docs[fread(docs, 1, sizeof(docs) - 1, file)] = '\0';
	fclose(file);
	first = strstr(docs, "\n| 1 | `");
	end = first ? strstr(first, "|\n\n") : NULL;
	same = end && (size_t)(end + 2 - (first + 1)) == length &&
	       memcmp(first + 1, expected, length) == 0;
	if (!same)
		fputs(expected, stderr); /* cmocka's messages are too short for it */
	free(expected);
	if (!same)
		fail_msg("the table in %s should be the one above", DOCS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_documented_table_of_events_is_that_of_events_def),
	};

	return cmocka_run_group_tests_name("stream docs", tests, NULL, NULL);
}
