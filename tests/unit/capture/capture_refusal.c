/* SPDX-License-Identifier: MIT */
/* Messages of libbpf 1.1 on real kernels, shortened, and which of their lines are reported. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "capture/kernel/refusal.c"

static struct refusal note_all(const char *const messages[])
{
	struct refusal refusal = {0};

	for (size_t i = 0; messages[i]; i++)
		refusal_note(&refusal, messages[i]);
	return refusal;
}

/* Linux 7.2, where task_struct.on_cpu is narrower than at build time and signed differently. */
static void the_verifiers_last_line_is_reported(void **state)
{
	static const char *const messages[] = {
		"libbpf: prog 'on_wakeup': relo #4: insn #25 (LDX/ST/STX) accesses field "
		"incorrectly. Make sure you are accessing pointers, …\n",
		"libbpf: prog 'on_wakeup_new': relo #4: insn #25 (LDX/ST/STX) accesses field "
		"incorrectly. Make sure you are accessing pointers, …\n",
		"libbpf: prog 'on_wakeup': BPF program load failed: Invalid argument\n",
		"libbpf: prog 'on_wakeup': -- BEGIN PROG LOAD LOG --\n"
		"0: R1=ctx() R10=fp0\n"
		"; int BPF_PROG(on_wakeup, struct task_struct *task) @ sched.bpf.c:222\n"
		"0: (79) r6 = *(u64 *)(r1 +0)\n"
		"24: (15) if r0 == 0x0 goto pc-8       ; R0=map_value(id=3,map=targets,ks=4,vs=1)\n"
		"25: <invalid CO-RE relocation>\n"
		"failed to resolve CO-RE relocation <byte_off> [169] struct task_struct.on_cpu "
		"(0:3 @ offset 20)\n"
		"processed 23 insns (limit 1000000) max_states_per_insn 0 total_states 2 "
		"peak_states 2 mark_read 0\n"
		"-- END PROG LOAD LOG --\n",
		"libbpf: prog 'on_wakeup': failed to load: -22\n",
		"libbpf: failed to load object 'gilscope_bpf'\n",
		NULL,
	};
	struct refusal refusal = note_all(messages);

	assert_string_equal(refusal.subject, "program on_wakeup");
	assert_string_equal(refusal.reason, "failed to resolve CO-RE relocation <byte_off> [169] "
					    "struct task_struct.on_cpu (0:3 @ offset 20)");
	assert_true(refusal.verifier);
}

static void states_of_registers_are_no_reason(void **state)
{
	static const char *const messages[] = {
		"libbpf: prog 'gil_take': -- BEGIN PROG LOAD LOG --\n"
		"12: (71) r1 = *(u8 *)(r0 +0)\n"
		"R0 invalid mem access 'map_value_or_null'\n"
		"R0=map_value_or_null(id=1) R10=fp0\n"
		"\n"
		"verification time 31 usec\n"
		"stack depth 8+0\n"
		"processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0 "
		"peak_states 0 mark_read 0\n"
		"-- END PROG LOAD LOG --\n",
		NULL,
	};
	struct refusal refusal = note_all(messages);

	assert_string_equal(refusal.subject, "program gil_take");
	assert_string_equal(refusal.reason, "R0 invalid mem access 'map_value_or_null'");
}

static void without_a_log_libbpfs_own_line_about_the_culprit_is_reported(void **state)
{
	static const char *const relocation[] = {
		"libbpf: prog 'on_switch': relo #2: parsing [17] struct task_struct + 0:2 failed: "
		"-22\n",
		"libbpf: prog 'on_switch': relo #2: failed to relocate: -22\n",
		"libbpf: failed to perform CO-RE relocations: -22\n",
		"libbpf: failed to load object 'gilscope_bpf'\n",
		NULL,
	};
	static const char *const map[] = {
		"libbpf: Error in bpf_create_map_xattr(ring):Operation not permitted(-1). Retrying "
		"without BTF.\n",
		"libbpf: map 'ring': failed to create: Operation not permitted(-1)\n",
		"libbpf: failed to load object 'gilscope_bpf'\n",
		NULL,
	};
	struct refusal refusal = note_all(relocation);

	assert_string_equal(refusal.subject, "program on_switch");
	assert_string_equal(refusal.reason,
			    "relo #2: parsing [17] struct task_struct + 0:2 failed: -22");
	assert_false(refusal.verifier);
	refusal = note_all(map);
	assert_string_equal(refusal.subject, "map ring");
	assert_string_equal(refusal.reason, "failed to create: Operation not permitted(-1)");
}

/* A log of many megabytes that never ends, and words that are cut: nothing beyond is read. */
static void odd_messages_do_no_harm(void **state)
{
	static const char *const messages[] = {
		"",  "libbpf: ", "prog '", "libbpf: prog 'x", "prog 'x': -- BEGIN PROG LOAD LOG --",
		NULL};
	struct refusal refusal = note_all(messages);
	char text[4096];

	assert_string_equal(refusal.subject, "program x");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "prog '", 6);
	memcpy(text + 300, "': b", 4);
	refusal_note(&refusal, text);
	assert_int_equal(strlen(refusal.subject), sizeof(refusal.subject) - 1);
	assert_int_equal(strlen(refusal.reason), sizeof(refusal.reason) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verifiers_last_line_is_reported),
		cmocka_unit_test(states_of_registers_are_no_reason),
		cmocka_unit_test(without_a_log_libbpfs_own_line_about_the_culprit_is_reported),
		cmocka_unit_test(odd_messages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
