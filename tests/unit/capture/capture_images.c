/* SPDX-License-Identifier: MIT */
/* Uprobes in a Python image are set once, for all targets that have the file, and removed some time
 * after the last one; what is held under the number of a process that has ended is gone before the
 * next one has it. */
#include "capture_fake.h"

/* ── the table ───────────────────────────────────────────────────────────────────────────────── */

static struct image_id id_of(uint64_t inode)
{
	return (struct image_id){.device = 1, .inode = inode};
}

static void an_image_is_found_by_its_file_and_by_its_number(void **state)
{
	struct images images = {0};
	struct image_id one = id_of(1), two = id_of(2), changed = id_of(1);
	struct shared_image *first = images_add(&images, &one, 0, 0),
			    *second = images_add(&images, &two, 0, 0);

	changed.modified_ns = 1;
	assert_int_not_equal(first->number, second->number);
	assert_ptr_equal(images_find(&images, &one), first);
	assert_ptr_equal(images_find(&images, &two), second);
	assert_null(images_find(&images, &changed));
	assert_ptr_equal(images_numbered(&images, second->number), second);
	assert_null(images_numbered(&images, 0));
}

static void no_number_is_given_twice(void **state)
{
	struct images images = {0};
	struct image_id one = id_of(1);
	struct shared_image *image = images_add(&images, &one, 0, 0);
	uint32_t number = image->number;

	images_remove(image);
	assert_null(images_find(&images, &one));
	assert_null(images_numbered(&images, number));
	assert_int_not_equal(images_add(&images, &one, 0, 0)->number, number);
	/* one that the other process has given */
	one = id_of(2);
	assert_int_equal(images_add(&images, &one, 77, 0)->number, 77);
	one = id_of(3);
	assert_int_equal(images_add(&images, &one, 0, 0)->number, 78);
}

static void it_stays_a_while_without_users(void **state)
{
	struct images images = {0};
	struct image_id one = id_of(1);
	struct shared_image *image = images_add(&images, &one, 0, 5);

	assert_null(images_unused(&images, 4 + IMAGES_KEEP_NS));
	assert_ptr_equal(images_unused(&images, 5 + IMAGES_KEEP_NS), image);
	images_use(image);
	images_use(image);
	images_leave(image, 10);
	assert_null(images_unused(&images, 100 * IMAGES_KEEP_NS));
	images_leave(image, 20);
	assert_null(images_unused(&images, 19 + IMAGES_KEEP_NS));
	assert_ptr_equal(images_unused(&images, 20 + IMAGES_KEEP_NS), image);
}

static void there_is_room_for_so_many(void **state)
{
	struct images images = {0};
	struct image_id id;

	for (uint64_t inode = 1; inode <= IMAGES_MAX; inode++) {
		id = id_of(inode);
		assert_non_null(images_add(&images, &id, 0, 0));
	}
	id = id_of(IMAGES_MAX + 1);
	assert_null(images_add(&images, &id, 0, 0));
	assert_null(images_find(&images, &id));
	images_remove(&images.list[7]);
	assert_non_null(images_add(&images, &id, 0, 0));
}

/* ── what is set ─────────────────────────────────────────────────────────────────────────────── */

struct setting {
	enum uprobes_part part;
	uint32_t pid, image;
};
static struct setting settings[16];
static uint32_t setting_count;
static enum uprobes_part failing; /* UPROBES_ALL: none */

static int fake_set_uprobes(void *ctx, const struct target *target, enum uprobes_part part,
			    uint32_t image, struct uprobes *ret_uprobes)
{
	if (part == failing && part != UPROBES_ALL)
		return -ESRCH;
	assert_true(setting_count < 16);
	settings[setting_count++] = (struct setting){part, target->info.pid, image};
	ret_uprobes->fd_count = 1; /* there is none: the fake only counts them */
	return 0;
}

static struct fake *begin(bool shares)
{
	struct fake *fake = fake_new();

	setting_count = 0;
	failing = UPROBES_ALL;
	fake->capture.shares_images = shares;
	fake->capture.probes.set_uprobes = fake_set_uprobes;
	fake->capture.family.helper.line = -1;
	return fake;
}

static struct tracee *add(struct fake *fake, uint32_t pid, uint64_t inode)
{
	struct fake_process *process = fake_add(fake, pid);
	struct diag diag = {0};

	process->target.image_id = id_of(inode);
	/* a failure asks whether the process is alive, and no process has this number */
	(void)tracee_attach(&fake->capture, process->tracee, &diag);
	return process->tracee;
}

static uint32_t settings_of(enum uprobes_part part)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < setting_count; i++)
		count += settings[i].part == part;
	return count;
}

static void what_is_in_the_image_is_set_once(void **state)
{
	struct fake *fake = begin(true);
	struct tracee *first = add(fake, 10, 1), *second = add(fake, 20, 1),
		      *other = add(fake, 30, 2);

	assert_int_equal(settings_of(UPROBES_IMAGE), 2);
	assert_int_equal(settings_of(UPROBES_OWN), 3);
	assert_int_equal(settings_of(UPROBES_ALL), 0);
	assert_ptr_equal(first->image, second->image);
	assert_int_equal(first->image->users, 2);
	assert_ptr_not_equal(first->image, other->image);
	assert_int_equal(settings[0].image, first->image->number);
	assert_int_equal(settings[1].image, 0);
	fake_free(fake);
}

static void where_it_cannot_be_shared_all_is_its_own(void **state)
{
	struct fake *fake = begin(false);

	assert_null(add(fake, 10, 1)->image);
	assert_null(add(fake, 20, 1)->image);
	assert_int_equal(settings_of(UPROBES_ALL), 2);
	assert_int_equal(setting_count, 2);
	fake_free(fake);
}

static void a_process_that_ends_meanwhile_leaves_its_image_for_others(void **state)
{
	struct fake *fake = begin(true);

	failing = UPROBES_OWN;
	assert_null(add(fake, 10, 1)->image);
	failing = UPROBES_ALL;
	assert_int_equal(add(fake, 20, 1)->image->users, 1);
	assert_int_equal(settings_of(UPROBES_IMAGE), 1);
	/* and what could not be set is set by the next one */
	failing = UPROBES_IMAGE;
	assert_null(add(fake, 30, 2)->image);
	failing = UPROBES_ALL;
	assert_non_null(add(fake, 40, 2)->image);
	assert_int_equal(settings_of(UPROBES_IMAGE), 2);
	fake_free(fake);
}

static void it_is_removed_some_time_after_the_last_one(void **state)
{
	struct fake *fake = begin(true);
	struct tracee *first = add(fake, 10, 1), *second = add(fake, 20, 1);
	struct shared_image *image = first->image;

	tracee_release(&fake->capture, first);
	tracee_release(&fake->capture, second);
	capture_expire_image(&fake->capture);
	assert_int_not_equal(image->number, 0);
	image->ts_idle -= IMAGES_KEEP_NS;
	fake->map_count = 0;
	capture_expire_image(&fake->capture);
	assert_int_equal(image->number, 0);
	assert_int_equal(fake_maps(fake, "uprobes of 1"), 1);
	fake_free(fake);
}

/* ── numbers that are used again ─────────────────────────────────────────────────────────────── */

static uint32_t place_of(const struct fake *fake, const char *what)
{
	uint32_t place = UINT32_MAX;

	for (uint32_t i = 0; i < fake->map_count; i++)
		if (!strcmp(fake->maps[i], what))
			place = i; /* the last one */
	assert_int_not_equal(place, UINT32_MAX);
	return place;
}

static void what_the_former_had_is_removed_first(void **state)
{
	struct fake *fake = begin(true);
	struct tracee *former = add(fake, 10, 1);
	struct fake_process next = {.fake = fake, .target.info.pid = 10};
	struct helper_finding finding = {.pid = 10, .target = &next.target};
	struct tracee *now;

	fake->capture.syscalls = true;
	finding.image = former->image->number;
	tracee_gone(&fake->capture, former);
	fake->map_count = 0;
	assert_int_equal(capture_join(&fake->capture, &finding, 1), 0);
	assert_true(place_of(fake, "remove 0") < place_of(fake, "set 0"));
	now = tracee_of_process(&fake->capture, 10);
	assert_ptr_equal(now->target, &next.target);
	assert_int_equal(now->image->users, 1);
	assert_int_equal(fake->capture.tracee_count, 1);
	/* its release is not asked for any more */
	fake->map_count = 0;
	assert_int_equal(capture_serve(&fake->capture, NS_PER_S), 0);
	assert_int_equal(fake_maps(fake, "remove 0"), 0);
	free(next.target.gils);
	fake_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_found_by_its_file_and_by_its_number),
		cmocka_unit_test(no_number_is_given_twice),
		cmocka_unit_test(it_stays_a_while_without_users),
		cmocka_unit_test(there_is_room_for_so_many),
		cmocka_unit_test(what_is_in_the_image_is_set_once),
		cmocka_unit_test(where_it_cannot_be_shared_all_is_its_own),
		cmocka_unit_test(a_process_that_ends_meanwhile_leaves_its_image_for_others),
		cmocka_unit_test(it_is_removed_some_time_after_the_last_one),
		cmocka_unit_test(what_the_former_had_is_removed_first),
	};

	return cmocka_run_group_tests_name("capture_images", tests, NULL, NULL);
}
