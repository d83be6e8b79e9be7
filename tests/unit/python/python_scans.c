/* SPDX-License-Identifier: MIT */
/* A Python image is scanned once, whoever runs it, and anew when it is another file or has been
 * changed. */
#include "python_child.h"

#include <sys/stat.h>

#include "python/elf/scans.h"

static const char *const waits = "import sys; print('up', flush=True); sys.stdin.read()";

static void copy_python(const char *path)
{
	char command[256];

	snprintf(command, sizeof(command), "cp -L " DEBIAN_PYTHON " %s", path);
	assert_int_equal(system(command), 0);
}

static struct target *examine(const char *program)
{
	_cleanup_(child_kill) struct child child = python(program, waits);

	line_of(&child);
	return open_target(child.pid);
}

static void check_same_sites(const struct target *a, const struct target *b)
{
	assert_true(a->site_count > 0);
	assert_int_equal(a->site_count, b->site_count);
	assert_memory_equal(a->sites, b->sites, a->site_count * sizeof(*a->sites));
	assert_int_equal(a->gc_site_count, b->gc_site_count);
	assert_memory_equal(a->gc_sites, b->gc_sites, a->gc_site_count * sizeof(*a->gc_sites));
	assert_int_equal(a->info.take, b->info.take);
	assert_int_equal(a->info.drop, b->info.drop);
	assert_int_equal(a->info.wait, b->info.wait);
	assert_int_equal(a->info.method, b->info.method);
	assert_int_equal(a->info.confidence, b->info.confidence);
	assert_int_equal(a->info.gc, b->info.gc);
}

static void a_second_process_costs_no_scan(void **state)
{
	_cleanup_(target_freep) struct target *first = NULL, *second = NULL;

	scans_forget();
	first = examine(DEBIAN_PYTHON);
	second = examine(DEBIAN_PYTHON);
	assert_true(first->scanned);
	assert_false(second->scanned);
	assert_true(scans_same(&first->image_id, &second->image_id));
	check_same_sites(first, second);
}

static void another_file_is_another_image(void **state)
{
	char folder[] = "/tmp/gilscope-scans-XXXXXX", path[64];
	const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	_cleanup_(target_freep) struct target *original = NULL, *copy = NULL, *touched = NULL,
					      *replaced = NULL;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/python", folder);
	original = examine(DEBIAN_PYTHON);
	copy_python(path);
	copy = examine(path);
	assert_true(copy->scanned);
	assert_false(scans_same(&original->image_id, &copy->image_id));
	/* written to, as far as can be seen */
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	touched = examine(path);
	assert_true(touched->scanned);
	assert_int_equal(touched->image_id.inode, copy->image_id.inode);
	/* another file of that name */
	unlink(path);
	copy_python(path);
	replaced = examine(path);
	assert_true(replaced->scanned);
	check_same_sites(copy, replaced);
	unlink(path);
	rmdir(folder);
}

/* ── what is remembered, of targets that are made up ─────────────────────────────────────────── */

static struct target made_up(uint64_t inode, uint32_t version)
{
	static struct gil_site sites[2];

	sites[0].offset = inode;
	return (struct target){.image_id = {.device = 1, .inode = inode},
			       .version_hex = version,
			       .sites = sites,
			       .site_count = 2};
}

static bool is_recalled(uint64_t inode, uint32_t version)
{
	struct target target = made_up(0, version);
	bool known;

	target.sites = NULL;
	target.image_id.inode = inode;
	known = scans_recall(&target);
	if (known)
		assert_int_equal(target.sites[0].offset, inode);
	free(target.sites);
	free(target.gc_sites);
	return known;
}

static void the_ones_that_are_asked_for_are_kept(void **state)
{
	struct target target;

	scans_forget();
	for (uint64_t inode = 1; inode <= 100; inode++) {
		target = made_up(inode, 0x030b0000);
		scans_note(&target);
		assert_true(is_recalled(1, 0x030b0000));
		assert_true(is_recalled(inode, 0x030b0000));
	}
	assert_false(is_recalled(2, 0x030b0000));
	scans_forget();
	assert_false(is_recalled(1, 0x030b0000));
}

/* A process can say that it is another version than its file is. */
static void what_a_process_says_of_itself_is_no_other_ones(void **state)
{
	struct target target = made_up(1, 0x03080000);

	scans_forget();
	scans_note(&target);
	assert_false(is_recalled(1, 0x030b0000));
	assert_true(is_recalled(1, 0x03080000));
	target.image_id.modified_ns = 1;
	scans_note(&target);
	assert_true(is_recalled(1, 0x03080000));
	scans_forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_process_costs_no_scan),
		cmocka_unit_test(another_file_is_another_image),
		cmocka_unit_test(the_ones_that_are_asked_for_are_kept),
		cmocka_unit_test(what_a_process_says_of_itself_is_no_other_ones),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("target_scans", tests, NULL, NULL);
}
