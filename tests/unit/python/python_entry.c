/* SPDX-License-Identifier: MIT */
/*
 * Where functions of C libraries are probed, by their machine code as distributions ship it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "python/elf/entry.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void behind_glibcs_look_for_other_threads(void **state)
{
	/* glibc 2.36, epoll_wait: cmpb $0, __libc_single_threaded; mov %ecx, %r10d; je */
	assert_int_equal(entry_place(BYTES(0x80, 0x3d, 0xf1, 0x26, 0x0d, 0, 0, 0x41, 0x89, 0xca,
					   0x74, 0x14, 0xb8, 0xe8, 0, 0, 0, 0x0f, 0x05),
				     true),
			 10);
	/* glibc 2.31, with control-flow protection: endbr64; mov %fs:0x18, %eax; test; jne */
	assert_int_equal(entry_place(BYTES(0xf3, 0x0f, 0x1e, 0xfa, 0x64, 0x8b, 0x04, 0x25, 0x18, 0,
					   0, 0, 0x85, 0xc0, 0x75, 0x10),
				     true),
			 14);
}

static void at_the_call_that_can_be_cancelled(void **state)
{
	/* glibc 2.41, epoll_wait: sub $16, %rsp; movslq %ecx, %rcx; movslq %edx, %rdx; movslq %edi,
	 * %rdi; push $232; xor %r9d, %r9d; xor %r8d, %r8d; call */
	assert_int_equal(entry_place(BYTES(0x48, 0x83, 0xec, 0x10, 0x48, 0x63, 0xc9, 0x48, 0x63,
					   0xd2, 0x48, 0x63, 0xff, 0x68, 0xe8, 0, 0, 0, 0x45, 0x31,
					   0xc9, 0x45, 0x31, 0xc0, 0xe8, 1, 2, 3, 4),
				     true),
			 24);
}

static void at_the_entry_where_the_arguments_do_not_stay(void **state)
{
	/* close in glibc 2.41 clears the fourth argument's register: xor %ecx, %ecx; call */
	assert_int_equal(entry_place(BYTES(0x31, 0xc9, 0xe8, 1, 2, 3, 4), false), 2);
	assert_int_equal(entry_place(BYTES(0x31, 0xc9, 0xe8, 1, 2, 3, 4), true), 0);
	/* mov $3, %edi; call: the first one, too */
	assert_int_equal(entry_place(BYTES(0xbf, 3, 0, 0, 0, 0xe8, 1, 2, 3, 4), false), 0);
	/* mov %esi, %edi; mov %rcx, %rdi */
	assert_int_equal(entry_place(BYTES(0x89, 0xf7, 0xe8, 1, 2, 3, 4), false), 0);
	assert_int_equal(entry_place(BYTES(0x48, 0x8b, 0xf9, 0xe8, 1, 2, 3, 4), false), 0);
	/* an instruction that is not known: lea (%rdi), %rax */
	assert_int_equal(entry_place(BYTES(0x48, 0x8d, 0x07, 0xe8, 1, 2, 3, 4), false), 0);
	/* nothing to find, and ends in the middle of an instruction */
	assert_int_equal(entry_place(BYTES(0x48, 0x83, 0xec), false), 0);
	assert_int_equal(entry_place(BYTES(0x48), false), 0);
	assert_int_equal(entry_place(BYTES(0x0f), false), 0);
}

static void behind_the_system_call(void **state)
{
	/* glibc, dup2: mov $33, %eax; syscall; cmp $-4095, %rax; jae; ret */
	assert_int_equal(entry_result_place(BYTES(0xb8, 0x21, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 1,
						  0xf0, 0xff, 0xff, 0x73, 1, 0xc3)),
			 13);
	/* musl, dup2: mov %rcx, %rax; syscall; cmp $-16, %eax; je */
	assert_int_equal(entry_result_place(BYTES(0x48, 0x89, 0xc8, 0x0f, 0x05, 0x83, 0xf8, 0xf0,
						  0x74, 0xf4, 0x48, 0x63, 0xf8)),
			 8);
	/* no comparison; the end */
	assert_int_equal(entry_result_place(BYTES(0x0f, 0x05, 0x48, 0x89, 0xc7, 0xe9, 1, 2, 3, 4)),
			 SIZE_MAX);
	assert_int_equal(entry_result_place(BYTES(0x0f, 0x05, 0x48, 0x3d, 1, 0xf0)), SIZE_MAX);
	assert_int_equal(entry_result_place(NULL, 0), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_glibcs_look_for_other_threads),
		cmocka_unit_test(at_the_call_that_can_be_cancelled),
		cmocka_unit_test(at_the_entry_where_the_arguments_do_not_stay),
		cmocka_unit_test(behind_the_system_call),
	};

	return cmocka_run_group_tests_name("python_entry", tests, NULL, NULL);
}
