/* SPDX-License-Identifier: MIT */
/*
 * names_leave.c - what was added up by stack, when stacks are forgotten: from then on by the
 * handler that they had. So what a function cost stays exact, however many stacks it was seen in.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/refers/refers.h"

static bool leaves(const struct dictionary *dictionary, uint32_t stack)
{
	return stack && (!dictionary || dictionary_forgotten(dictionary, DEFINE_STACK, stack));
}

static struct handler_key key_of_stack(struct report_builder *builder, uint32_t stack)
{
	struct handler handler = handler_of(builder, stack);

	return (struct handler_key){.function = handler.frame.function,
				    .role = (uint16_t)handler.role,
				    .in_job = pools_in_job(builder, stack)};
}

/* `dictionary` NULL: all. */
static int leave_flames(struct report_builder *builder, const struct dictionary *dictionary)
{
	struct table old = builder->flames;
	int err = 0;

	builder->flames = TABLE(struct flame_entry, FLAMES_MAX);
	for (uint32_t n = 0; n < old.count && !err; n++) {
		const struct flame_entry *from = table_at(&old, n);
		struct flame_entry key = *from, *to;

		if (leaves(dictionary, key.key.stack)) {
			key.key.of = key_of_stack(builder, key.key.stack);
			key.key.stack = 0;
		}
		err = flames_get(&builder->flames, &key.key, &to);
		if (!err)
			flame_entry_add(to, from);
	}
	table_done(&old);
	return err;
}

static int leave_waits(struct report_builder *builder, const struct dictionary *dictionary)
{
	struct table old = builder->waits;
	int err = 0;

	builder->waits = TABLE(struct wait_entry, FLAMES_MAX);
	for (uint32_t n = 0; n < old.count && !err; n++) {
		const struct wait_entry *from = table_at(&old, n);
		struct wait_entry key = *from, *to;

		if (leaves(dictionary, key.key.holder_stack)) {
			key.key.of = key_of_stack(builder, key.key.holder_stack);
			key.key.of.in_job = 0;
			key.key.holder_stack = 0;
		}
		if (leaves(dictionary, key.key.waiter_stack))
			key.key.waiter_stack = 0;
		err = waits_get(&builder->waits, &key.key, &to);
		if (!err)
			wait_entry_add(to, from);
	}
	table_done(&old);
	return err;
}

int flames_leave(struct report_builder *builder, const struct dictionary *dictionary)
{
	int err = leave_flames(builder, dictionary);

	return err ? err : leave_waits(builder, dictionary);
}

void report_builder_names_leave(struct report_builder *builder, const struct dictionary *dictionary)
{
	check(builder, flames_leave(builder, dictionary));
	table_reset(&builder->pool_stacks);
}
