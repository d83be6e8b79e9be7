/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/sysname.h"

static void system_calls_have_the_numbers_of_their_machine(void **state)
{
	static const struct {
		const char *machine;
		int32_t sysno;
		const char *name;
	} cases[] = {
		{"x86_64", 0, "read"},	       {"x86_64", 74, "fsync"},
		{"x86_64", 202, "futex"},      {"x86_64", 230, "clock_nanosleep"},
		{"x86_64", 232, "epoll_wait"}, {"aarch64", 22, "epoll_pwait"},
		{"aarch64", 80, "fstat"},      {"aarch64", 82, "fsync"},
		{"aarch64", 98, "futex"},      {"aarch64", 115, "clock_nanosleep"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(sysname(cases[i].machine, cases[i].sysno), cases[i].name);
}

static void this_machine_agrees_with_its_own_headers(void **state)
{
	struct utsname machine;

	assert_int_equal(uname(&machine), 0);
	assert_string_equal(sysname(machine.machine, SYS_futex), "futex");
	assert_string_equal(sysname(machine.machine, SYS_epoll_pwait), "epoll_pwait");
	assert_string_equal(sysname(machine.machine, SYS_exit_group), "exit_group");
}

static void unknown_numbers_and_machines_have_no_name(void **state)
{
	assert_null(sysname("x86_64", -1));
	assert_null(sysname("x86_64", 400)); /* a gap in the table */
	assert_null(sysname("x86_64", INT32_MAX));
	assert_null(sysname("aarch64", INT32_MIN));
	assert_null(sysname("riscv64", 0));
	assert_null(sysname("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_calls_have_the_numbers_of_their_machine),
		cmocka_unit_test(this_machine_agrees_with_its_own_headers),
		cmocka_unit_test(unknown_numbers_and_machines_have_no_name),
	};

	return cmocka_run_group_tests_name("base_sysname", tests, NULL, NULL);
}
