/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - what a thread's samples say of its time over the window: time off the CPU, and of
 * waiting for the GIL, by the stack that was taken when it began; time on a CPU by the samples of
 * the clock alone, each of which stands for all since the one before.
 */
#include <errno.h>

#include "analysis/fold.h"

static void flame_add(struct report_builder *builder, struct thread_fold *thread,
		      enum thread_state state, bool in_turn, uint32_t stack,
		      const struct time *time, bool sample)
{
	struct flame_entry key = {.key = {.thread = thread->report.thread,
					  .stack = stack,
					  .state = (uint16_t)state,
					  .in_turn = in_turn}},
			   *entry;
	void *found;
	int r;

	if (!stack || (!time->ns && !sample))
		return;
	r = table_get(&builder->flames, &key.key, &found);
	if (r < 0) {
		check(builder, r == -ENOSPC ? 0 : r); /* too many: its time stays without a stack */
		return;
	}
	entry = found;
	entry->time.ns += time->ns;
	entry->time.gc_ns += time->gc_ns;
	entry->samples += sample;
	thread->told_ns[state][in_turn] += time->ns;
}

void stacks_interval(struct report_builder *builder, struct thread_fold *thread,
		     const struct interval *i)
{
	uint64_t ns = i->end - i->start;

	if (!i->gil || i->state == TS_GIL_WAIT) { /* no hold goes on beyond this */
		thread->hold_sampled = false;
		thread->early_count = 0;
	}
	if (i->state == TS_PYTHON || i->state == TS_NATIVE) {
		struct time *cpu = &thread->cpu[i->state == TS_NATIVE][i->in_turn];

		cpu->ns += ns;
		cpu->gc_ns += i->gc ? ns : 0;
		thread->still = (struct stack_ref){0};
	} else if (i->state == TS_UNKNOWN && !i->still) {
		thread->still = (struct stack_ref){0};
	} else {
		struct time time = {
			ns, gc_share(i->thread->process, i->gc, &thread->still, i->state, ns)};

		if (sysno_is_stop(i->sysno)) /* nothing that its code did */
			return;
		flame_add(builder, thread, i->state, i->in_turn, thread->still.stack, &time, false);
	}
}

/* The clock: what the thread did on a CPU since its last one. The sample counts where the thread is
 * now. */
static void on_clock(struct report_builder *builder, struct thread_fold *thread,
		     const struct thread *now, const struct stack_ref *ref)
{
	bool in_turn = now->loop && now->loop->in_turn;

	for (int n = 0; n < 2; n++)
		for (int turn = 0; turn < 2; turn++) {
			enum thread_state state = n ? TS_NATIVE : TS_PYTHON;
			struct time *cpu = &thread->cpu[n][turn];

			cpu->gc_ns = cpu->gc_ns
					     ? cpu->gc_ns
					     : gc_share(now->process, false, ref, state, cpu->ns);
			flame_add(builder, thread, state, turn, ref->stack, cpu,
				  state == now->state && turn == in_turn);
			*cpu = (struct time){0};
		}
}

void stacks_sample(struct report_builder *builder, struct thread_fold *thread,
		   const struct sample *sample, const struct stack_ref *ref)
{
	const struct thread *now = sample->thread;
	unsigned int flags = sample->flags;

	if (flags & EVF_STACK_HOLDER)
		return;
	if (flags & EVF_STACK_CLOCK)
		on_clock(builder, thread, now, ref);
	/* who waits for the GIL stands where it began to wait, whatever it does meanwhile */
	if ((flags & (EVF_STACK_SLEEP | EVF_STACK_PREEMPT | EVF_STACK_WAIT)) &&
	    (now->state != TS_GIL_WAIT || !thread->still.stack))
		thread->still = *ref;
}
