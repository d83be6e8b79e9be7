/* SPDX-License-Identifier: MIT */
/* Texts that the python room parses: /proc/PID/stat and version buffers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "python/interpreter/asyncio.h"
#include "python/versions/debug_offsets.h"
#include "python/elf/decoder.h"
#include "python/elf/elf_scan.h"
#include "python/interpreter/gc_sites.h"
#include "python/interpreter/gil.h"
#include "python/versions/layout.h"
#include "python/private.h"
#include "python/process/proc.h"
#include "python/interpreter/stacks.h"
#include "python/interpreter/version.h"

static void the_start_time_is_read_past_any_name(void **state)
{
	struct proc_stat stat;

	assert_int_equal(
		proc_stat_parse(
			"7 (a) b) S 3) R 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 22 33",
			&stat),
		0);
	assert_int_equal(stat.state, 'R');
	assert_int_equal(stat.start_time, 987654);
	assert_int_equal(proc_stat_parse("7 (cut off) S 1 7 7 0", &stat), -EINVAL);
	assert_int_equal(proc_stat_parse("7 (x)", &stat), -EINVAL);
	assert_int_equal(proc_stat_parse("", &stat), -EINVAL);
}

#define SEARCH(bytes, ret) version_search(bytes, sizeof(bytes) - 1, ret)

static void the_version_buffer_is_found_in_data(void **state)
{
	uint32_t hex = 0;

	assert_int_equal(
		SEARCH("xx\0\0003.9.2 (default, Feb 28 2021, 17:03:44) \n[GCC 10.2.1 20210110]\0yy",
		       &hex),
		0);
	assert_int_equal(hex, 0x030902f0);
	assert_int_equal(SEARCH("3.10.13 (main, Jan  1 2026, 00:00:00) [GCC 12.2.0]\0", &hex), 0);
	assert_int_equal(hex, 0x030a0df0);
	assert_int_equal(
		SEARCH("\0003.10.0rc2+ (main, Jan  1 2026, 00:00:00) [Clang 14.0.6 ]\0", &hex), 0);
	assert_int_equal(hex, 0x030a00c2);
	/* two equal texts count as one; two that differ as none */
	assert_int_equal(SEARCH("\0003.8.1 (a, b) \n[c]\0\0003.8.1 (a, b) \n[c]\0", &hex), 0);
	assert_int_equal(SEARCH("\0003.8.1 (a, b) \n[c]\0\0003.8.2 (a, b) \n[c]\0", &hex),
			 -ENODATA);
}

static void other_texts_are_no_version(void **state)
{
	uint32_t hex = 0;

	assert_int_equal(SEARCH("\0003.8.1\0", &hex), -ENODATA);
	assert_int_equal(SEARCH("\0003.8.1 (a, b) \n[c", &hex), -ENODATA); /* not terminated */
	/* inside another text */
	assert_int_equal(SEARCH("\0/lib/3.8.1 (a, b) \n[c]\0", &hex), -ENODATA);
	assert_int_equal(SEARCH("\0003.8.1111 (a, b) \n[c]\0", &hex), -ENODATA);
	assert_int_equal(SEARCH("\0003.8.1 (a, b) by c\0", &hex), -ENODATA);
	assert_int_equal(SEARCH("", &hex), -ENODATA);
}

static void versions_are_written_as_python_writes_them(void **state)
{
	char text[32];

	version_text(0x030b02f0, text, sizeof(text));
	assert_string_equal(text, "3.11.2");
	version_text(0x030f00b1, text, sizeof(text));
	assert_string_equal(text, "3.15.0b1");
	version_text(0x030d00c2, text, sizeof(text));
	assert_string_equal(text, "3.13.0rc2");
	assert_false(version_supported(0x030710f0));
	assert_true(version_supported(0x030800f0));
	assert_true(version_supported(0x030002f0 | PYTHON_MINOR_MAX << 16));
	assert_false(version_supported(0x030000a0 | (PYTHON_MINOR_MAX + 1) << 16));
	assert_false(version_supported(0x020712f0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_start_time_is_read_past_any_name),
		cmocka_unit_test(the_version_buffer_is_found_in_data),
		cmocka_unit_test(other_texts_are_no_version),
		cmocka_unit_test(versions_are_written_as_python_writes_them),
	};

	return cmocka_run_group_tests_name("python_text", tests, NULL, NULL);
}
