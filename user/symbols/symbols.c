/* SPDX-License-Identifier: MIT */
#include "symbols/symbols.h"

#include <stdlib.h>

struct symbols {
	struct stream_sink sink;
};

struct symbols *symbols_new(struct stream_sink sink)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));

	if (symbols)
		symbols->sink = sink;
	return symbols;
}

void symbols_free(struct symbols *symbols)
{
	free(symbols);
}

int symbols_add_process(struct symbols *symbols, uint32_t pid, const struct stack_layout *stack, const struct code_layout *code)
{
	return 0;
}

void symbols_remove_process(struct symbols *symbols, uint32_t pid)
{
}

int symbols_stack(struct symbols *symbols, const struct shared_stack *stack)
{
	return 0;
}

int symbols_text(struct symbols *symbols, const struct shared_text *text)
{
	return 0;
}

int symbols_name(struct symbols *symbols, const char *text, uint32_t *ret_id)
{
	*ret_id = 0;
	return 0;
}

uint32_t symbols_stack_id(const struct symbols *symbols, uint64_t hash)
{
	return 0;
}

uint32_t symbols_text_id(const struct symbols *symbols, uint64_t hash)
{
	return 0;
}

struct symbols_status symbols_status(const struct symbols *symbols)
{
	return (struct symbols_status){0};
}
